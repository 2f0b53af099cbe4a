"""The checks before a commit: what blocks a file, what only warns, and that one file is judged by itself."""

import json
from typing import Any

import pytest

from slice_platform.lake.audit import AuditedFile, check_names
from slice_platform.lake.quality import BUILT_IN
from slice_platform.lake.rejects import folder_of
from slice_platform.records import FileStatus
from slice_platform_tests.conftest import MakeLake
from slice_platform_tests.lake.feeds import ID, KEY, N, deliver, feed, jsonl, only_batch, rejects_of_file, rows_of

GOOD = {"id": "k", "n": 1}
BAD = {"id": "k", "n": "x"}


def outcome(file: AuditedFile) -> dict[str, tuple[bool, bool, str]]:
    return {verdict.check: (verdict.passed, verdict.is_blocking, verdict.message) for verdict in file.verdicts}


def test_rejects_below_the_tolerated_share_warn_and_the_rest_is_published(make_lake: MakeLake) -> None:
    lake = make_lake(feed(tolerated_rejects=0.25))
    (file,) = only_batch(deliver(lake, a_jsonl=jsonl(*[GOOD] * 3, BAD))).files
    assert outcome(file)["rejects"] == (False, False, "1 of 4 rows rejected (25.00%; tolerated 25.00%)")
    assert file.refusal is None
    assert rows_of(lake, "select count(*) from curated.feed") == [(3,)]


def test_rejects_above_the_tolerated_share_keep_only_that_file_out(make_lake: MakeLake) -> None:
    lake = make_lake(feed(tolerated_rejects=0.25))
    done = only_batch(deliver(lake, a_jsonl=jsonl(*[GOOD] * 2, BAD), b_jsonl=jsonl(GOOD)))
    assert [file.refusal for file in done.files] == ["rejects: 1 of 3 rows rejected (33.33%; tolerated 25.00%)", None]
    refused, published = lake.ledger.list_files("feed")
    assert (refused.status, refused.rows_read, refused.rows_rejected) == (FileStatus.QUARANTINED, 3, 3)
    assert (published.status, published.rows_published) == (FileStatus.PUBLISHED, 1)
    assert [reject[:3] for reject in rejects_of_file(lake, refused)] == [("3", "n", "'x' is not integer")]
    with lake.store.open(f"{folder_of(refused)}/reason.json") as source:
        assert json.load(source)["reason"] == refused.error == done.files[0].refusal


def rule(**said: Any) -> dict[str, Any]:
    return {"type": "library", "name": "rule", **said}


@pytest.mark.parametrize(
    ("quality", "found"),
    [
        ({"metric": "nullValues", "arguments": {"properties": ["n"]}, "mustBe": 0}, "found 1"),
        (
            {"metric": "nullValues", "arguments": {"properties": ["n"]}, "mustBeLessThan": 30, "unit": "percent"},
            "found 33",
        ),
        ({"metric": "duplicateValues", "arguments": {"properties": ["n"]}, "mustBe": 0}, "found 1"),
        ({"metric": "rowCount", "mustBeBetween": [5, 9]}, "found 3"),
        (
            {"metric": "invalidValues", "arguments": {"properties": ["id"], "validValues": ["a", "b"]}, "mustBe": 0},
            "found 1",
        ),
        ({"metric": "invalidValues", "arguments": {"properties": ["id"], "pattern": "[ab]"}, "mustBe": 0}, "found 1"),
    ],
)
@pytest.mark.parametrize("severity", ["error", "warning"])
def test_a_quality_rule_blocks_or_warns(
    make_lake: MakeLake, quality: dict[str, Any], found: str, severity: str
) -> None:
    lake = make_lake(feed(ID, N, quality=[rule(severity=severity, **quality)]))
    done = only_batch(deliver(lake, a_jsonl=jsonl({"id": "a", "n": 7}, {"id": "b", "n": 7}, {"id": "c"})))
    passed, is_blocking, message = outcome(done.files[0])["rule"]
    assert (passed, is_blocking) == (False, severity == "error")
    assert found in message
    assert (lake.ledger.list_files("feed")[0].status is FileStatus.QUARANTINED) == is_blocking


def test_rules_count_good_rows_only_and_each_file_alone(make_lake: MakeLake) -> None:
    unique = rule(metric="duplicateValues", arguments={"properties": ["n"]}, mustBe=0)
    lake = make_lake(feed(ID, N, quality=[unique]))
    one = jsonl({"id": "a", "n": 1}, {"n": 1}, {"id": "b", "n": 2})
    done = only_batch(deliver(lake, a_jsonl=one, b_jsonl=one + b"\n"))
    assert [outcome(file)["rule"][0] for file in done.files] == [True, True]
    assert [row.rows_published for row in lake.ledger.list_files("feed")] == [2, 2]


def test_a_file_without_rows_passes_every_rule_of_share(make_lake: MakeLake) -> None:
    share = rule(metric="nullValues", arguments={"properties": ["n"]}, mustBe=0, unit="percent")
    done = only_batch(deliver(make_lake(feed(ID, N, quality=[share])), a_csv=b"id,n\n"))
    assert all(passed for passed, _, _ in outcome(done.files[0]).values())


def test_every_verdict_is_of_a_check_that_was_declared(make_lake: MakeLake) -> None:
    lake = make_lake(feed(KEY, N, quality=[rule(metric="rowCount", mustBe=1)]))
    done = only_batch(deliver(lake, a_jsonl=jsonl(GOOD), b_csv=b""))
    declared = {name for name, _, _ in check_names(lake.dataset("feed"))}
    assert {verdict.check for file in done.files for verdict in file.verdicts} <= declared
    assert declared == {*BUILT_IN, "rule"}


def test_a_value_twice_in_a_unique_column_keeps_the_file_out(make_lake: MakeLake) -> None:
    lake = make_lake(feed(KEY, {**N, "unique": True}))
    done = only_batch(deliver(lake, a_csv=b"id,n\na,1\nb,1\n", b_csv=b"id,n\nc,1\nd,\ne,\n"))
    refusals = {one.staged.file.name: one.refusal for one in done.files}
    assert refusals == {
        "a.csv": "n_unique: No value of n occurs twice in a file: expected mustBe 0, found 1",
        "b.csv": None,
    }
    assert [row[0] for row in rows_of(lake, "select id from curated.feed order by id")] == ["c", "d", "e"]


@pytest.mark.parametrize("key", [KEY, ID])
def test_the_key_itself_is_left_to_the_mode(make_lake: MakeLake, key: dict[str, Any]) -> None:
    """A merge reconciles rows of one key; `unique` on it must not keep its files out."""
    lake = make_lake(feed({**key, "unique": True}, N, mode="merge", key=["id"], order_by=["n"]))
    deliver(lake, a_csv=b"id,n\na,1\na,2\n")
    assert rows_of(lake, "select id, n from curated.feed") == [("a", 2)]


def test_the_names_of_built_in_checks_are_known_to_the_contract(make_lake: MakeLake) -> None:
    names = [name for name, _, _ in check_names(make_lake(feed(KEY, N)).dataset("feed"))]
    assert tuple(names) == BUILT_IN
