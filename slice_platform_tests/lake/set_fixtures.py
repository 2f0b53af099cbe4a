"""A feed whose files form sets, and the few verbs that drop and watch them."""

import hashlib
import json
from typing import Any

from slice_platform.lake.ingest import Ingested, ingest
from slice_platform.lake.lake import Lake
from slice_platform.lake.landing import look
from slice_platform.lake.set_view import WaitingSet
from slice_platform.records import FileStatus
from slice_platform_tests.lake.feeds import assert_accounted, merged, rows_of, snapshots
from slice_platform_tests.samples import DatasetText, drop

JSONL = [{"pattern": "*.jsonl", "format": "jsonl"}]
BROKEN = b"no json at all\n"


def by_marker(**sets: Any) -> dict[str, DatasetText]:
    """A merged feed in which a folder is a set, complete with `_SUCCESS`; no reject is tolerated."""
    return merged(files=JSONL, tolerated_rejects=0, sets=sets)


def by_manifest(**sets: Any) -> dict[str, DatasetText]:
    return merged(files=JSONL, tolerated_rejects=0, sets={"manifest": "*.manifest.json", **sets})


def part(*keys: str) -> bytes:
    """A file with one row for each key."""
    return "".join(json.dumps({"id": key, "n": 1, "day": "2026-01-01"}) + "\n" for key in keys).encode()


def put(lake: Lake, **files: bytes) -> None:
    """Drop into the set `march` (`a=...` is march/a.jsonl)."""
    for name, content in files.items():
        drop(lake, f"feed/march/{name}.jsonl", content)


def mark(lake: Lake, name: str = "march") -> None:
    drop(lake, f"feed/{name}/_SUCCESS", b"")


def manifest(lake: Lake, *, without: str = "", **files: bytes) -> None:
    """Drop the manifest that names these files of `march` with size, sha256 and rows."""
    entries = [
        {
            "name": f"{name}.jsonl",
            "size_bytes": len(content),
            "sha256": hashlib.sha256(content).hexdigest(),
            "rows": content.count(b"\n"),
        }
        for name, content in files.items()
    ]
    listed = {"files": [{key: value for key, value in entry.items() if key != without} for entry in entries]}
    drop(lake, "feed/march/x.manifest.json", json.dumps(listed).encode())


def run(lake: Lake) -> Ingested:
    done = ingest(lake, "feed")
    assert_accounted(lake)
    return done


def keys(lake: Lake) -> list[str]:
    return [key for (key,) in rows_of(lake, "select id from curated.feed order by id")] if snapshots(lake) else []


def waiting(lake: Lake) -> list[WaitingSet]:
    return look(lake).waiting.get("feed", [])


def waits_for(lake: Lake) -> list[str]:
    """What the only set that waits waits for."""
    (one,) = waiting(lake)
    return list(one.waits_for)


def statuses(lake: Lake) -> dict[str, FileStatus]:
    """The latest version of every file, by its path below the dataset."""
    return {row.source_key.removeprefix("landing/feed/"): row.status for row in lake.ledger.list_files("feed")}


def in_landing(lake: Lake) -> list[str]:
    return [entry.key.removeprefix("landing/feed/") for entry in lake.store.list("landing")]
