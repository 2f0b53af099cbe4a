"""Quarantine holds what was set aside and why, whole, and nothing else."""

from pathlib import Path

import pytest

from slice_platform.lake.corrections import replay
from slice_platform.lake.rejects import folder_of
from slice_platform_tests.conftest import MakeLake
from slice_platform_tests.lake.feeds import deliver, jsonl, merged


@pytest.mark.directory("S3 shows no half-written object")
@pytest.mark.parametrize("tolerated", [0.0, 0.5], ids=["its reason is written again", "its rejects are written again"])
def test_what_a_killed_writer_left_in_quarantine_goes_with_the_next_write(
    make_lake: MakeLake, tolerated: float
) -> None:
    lake = make_lake(merged(tolerated_rejects=0.0))
    deliver(lake, a_jsonl=jsonl({"id": "a", "n": 1, "day": "2026-01-01"}, {"id": "b", "n": "x", "day": "2026-01-01"}))
    folder = Path(lake.store.path(folder_of(lake.ledger.list_files("feed")[0])))
    (folder / f".{'a' * 32}.tmp").write_bytes(b"half of it")
    lake = make_lake(merged(tolerated_rejects=tolerated))
    list(replay(lake, "feed", "a.jsonl"))
    assert "rejects.csv" in {path.name for path in folder.iterdir()}
    assert not list(folder.glob(".*.tmp"))
