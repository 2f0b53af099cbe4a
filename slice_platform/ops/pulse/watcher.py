"""Watches of Elastic Watcher, made from the monitors: an endpoint that failed its last checks is told in Slack.

Heartbeat writes one summary per check and endpoint. Where a monitor has several endpoints it makes the id of each from
the monitor's and a hash, so a watch takes both.
"""

import json
import re
from collections.abc import Iterable
from hashlib import sha256
from typing import Any

from slice_platform.ops.pulse.monitor import Monitor
from slice_platform.ops.pulse.spec import WatcherSpec

_RESERVED = re.compile(r'([.?+*|{}\[\]()"\\#@&<>~^$-])')  # of regular expressions of Lucene
_CHECKS_KEPT = 3  # so many checks a watch looks back beyond what it needs: they come late
_SOONEST_SECONDS, _LATEST_SECONDS = 60, 3600  # how often a watch looks


def watch_id(monitor: Monitor) -> str:
    """The id of its watch, as it stands in a URL and as the name of a file."""
    plain = re.sub(r"[^A-Za-z0-9_.-]", "-", monitor.id)
    # Two ids must not become one.
    return f"pulse-{plain}" if plain == monitor.id else f"pulse-{plain}-{sha256(monitor.id.encode()).hexdigest()[:8]}"


def watches(monitors: Iterable[Monitor], spec: WatcherSpec, channel: str) -> dict[str, str]:
    """The JSON of a watch for each monitor that is enabled, by its id; the same for the same monitors."""
    return {
        watch_id(one): f"{json.dumps(watch(one, spec, channel), indent=2)}\n"
        for one in sorted(monitors, key=lambda one: one.id)
        if one.enabled
    }


def watch(monitor: Monitor, spec: WatcherSpec, channel: str) -> dict[str, Any]:
    """The body of `PUT _watcher/watch/<id>`."""
    gap = round(monitor.schedule.longest_gap().total_seconds())
    interval = min(max(_SOONEST_SECONDS, gap), _LATEST_SECONDS)
    return {
        "metadata": {
            "service": monitor.service_of, "monitor": monitor.id, "down_after": spec.down_after, "made_by": "pulse",
        },
        "trigger": {"schedule": {"interval": f"{interval}s"}},
        "input": {"search": {"request": {"indices": list(spec.indices), "body": _search(monitor, spec, gap)}}},
        "condition": {"script": {"lang": "painless", "source": f"return {_IS_ANY_DOWN};"}},
        "throttle_period": f"{spec.throttle_minutes}m",
        "transform": {"script": {"lang": "painless", "source": f"return ['down': {_DOWN}];"}},
        "actions": {"tell": {"slack": {"account": spec.account, "message": _message(monitor, channel)}}},
    }  # fmt: skip


def _search(monitor: Monitor, spec: WatcherSpec, gap_seconds: int) -> dict[str, Any]:
    looked_back = max(_SOONEST_SECONDS, gap_seconds) * (spec.down_after + _CHECKS_KEPT)
    escaped = _RESERVED.sub(r"\\\1", monitor.id)
    ids = [{"term": {"monitor.id": monitor.id}}, {"regexp": {"monitor.id": escaped + r"\-[0-9A-Fa-f]{1,16}"}}]
    last = {"size": spec.down_after, "sort": [{"@timestamp": "desc"}], "_source": _SHOWN}
    return {
        "size": 0,
        "query": {
            "bool": {
                "filter": [
                    {"exists": {"field": "summary.down"}},
                    {"range": {"@timestamp": {"gte": f"now-{looked_back}s"}}},
                    {"bool": {"should": ids, "minimum_should_match": 1}},
                ]
            }
        },
        "aggs": {
            "endpoints": {
                "terms": {"field": "monitor.id", "size": 1000},
                "aggs": {"last": {"top_hits": last}},
            }
        },
    }


_SHOWN = ["monitor.id", "monitor.name", "url.full", "error.message", "summary.down", "@timestamp"]
_HITS = "b.last.hits.hits"
_IS_DOWN = f"{_HITS}.size() >= ctx.metadata.down_after && {_HITS}.stream().allMatch(h -> h._source.summary.down > 0)"
_BUCKETS = "ctx.payload.aggregations.endpoints.buckets.stream()"
_IS_ANY_DOWN = f"{_BUCKETS}.anyMatch(b -> {_IS_DOWN})"
_DOWN = f"{_BUCKETS}.filter(b -> {_IS_DOWN}).map(b -> {_HITS}.get(0)._source).collect(Collectors.toList())"


def _message(monitor: Monitor, channel: str) -> dict[str, Any]:
    each = "{{url.full}} ({{monitor.id}}): {{error.message}}"
    text = f"*{monitor.service_of} is down*\n{{{{#ctx.payload.down}}}}\n{each}\n{{{{/ctx.payload.down}}}}"
    return {"from": "Pulse", "to": [f"#{channel}"], "text": text}
