"""A watch for each monitor: it knows the monitor's endpoints, and is down after as many checks as are said."""

import json
import re
from datetime import timedelta
from typing import Any

from slice_platform.ops.pulse.monitor_file import read_monitors
from slice_platform.ops.pulse.schedule import schedule
from slice_platform.ops.pulse.spec import WatcherSpec
from slice_platform.ops.pulse.watcher import watches
from slice_platform_tests.ops.pulse.monitors import http


def watch_of(text: str, **spec: object) -> dict[str, Any]:
    monitors = read_monitors("shop.yml", text.encode()).monitors
    ((_, made),) = watches(monitors, WatcherSpec.model_validate(spec), "ops").items()
    found: dict[str, Any] = json.loads(made)
    return found


def test_a_watch_looks_back_over_as_many_checks_as_it_needs() -> None:
    made = watch_of(http("shop"), down_after=4)
    body = made["input"]["search"]["request"]["body"]
    assert body["aggs"]["endpoints"]["aggs"]["last"]["top_hits"]["size"] == 4 == made["metadata"]["down_after"]
    assert {"range": {"@timestamp": {"gte": "now-420s"}}} in body["query"]["bool"]["filter"]  # 7 checks, a minute each
    assert made["trigger"] == {"schedule": {"interval": "60s"}}
    hourly = watch_of(http("shop").replace("@every 30s", "0 */2 * * *"))
    assert hourly["trigger"] == {"schedule": {"interval": "3600s"}} and "now-36000s" in json.dumps(hourly)


def test_the_ids_that_heartbeat_makes_of_several_endpoints_match_and_those_of_others_do_not() -> None:
    body = watch_of(http("shop.web+1"))["input"]["search"]["request"]["body"]
    term, regexp = body["query"]["bool"]["filter"][2]["bool"]["should"]
    assert term == {"term": {"monitor.id": "shop.web+1"}}
    pattern = re.compile(regexp["regexp"]["monitor.id"])
    assert pattern.fullmatch("shop.web+1-0AF3") and pattern.fullmatch("shop.web+1-89ABCDEF01234567")
    assert not pattern.fullmatch("shop.web+1-two") and not pattern.fullmatch("shopxweb+1-0AF3")


def test_who_is_told_and_of_which_service_is_in_the_action() -> None:
    action = watch_of(http("shop", "http://a/", "service.name: web-shop"))["actions"]["tell"]["slack"]
    assert action["message"]["to"] == ["#ops"] and action["message"]["text"].startswith("*web-shop is down*")


def test_each_monitor_that_is_enabled_has_a_watch_of_its_own_name() -> None:
    text = http("a/b") + http("a b") + http("idle", "http://a/", "enabled: false")
    made = watches(read_monitors("shop.yml", text.encode()).monitors, WatcherSpec(), "ops")
    assert len(made) == 2 and all(re.fullmatch(r"pulse-a-b-[0-9a-f]{8}", name) for name in made)


def test_the_longest_gap_of_a_schedule_is_that_of_its_next_month() -> None:
    assert schedule("@every 5m").longest_gap() == timedelta(minutes=5)
    assert schedule("0 9,18 * * *").longest_gap() == timedelta(hours=15)
    assert schedule("0 0 1 1 * 2099").longest_gap() > timedelta(days=31)
