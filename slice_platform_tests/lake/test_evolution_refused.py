"""A contract that its table cannot follow: refused with file, line and field, and the ways out that a person has."""

import re
from decimal import Decimal
from typing import Any

import pytest

from slice_platform.errors import ContractError
from slice_platform.lake import attempts, batch
from slice_platform.lake.ingest import ingest, rebuild_partitions
from slice_platform.lake.status import status
from slice_platform.lake.table import commit, ensure_table, load_table
from slice_platform.records import FileStatus
from slice_platform_tests.conftest import MakeLake
from slice_platform_tests.crashes import SimulatedCrash, die, dying_after
from slice_platform_tests.lake.changing import (
    ALL,
    DAYS,
    NEW,
    A,
    B,
    an_object,
    columns_of,
    money,
    objects,
    of,
)
from slice_platform_tests.lake.feeds import (
    BY_DAY,
    DAY,
    ID,
    KEY,
    N,
    assert_accounted,
    deliver,
    feed,
    jsonl,
    lines,
    merged,
    rows_of,
)
from slice_platform_tests.samples import drop

# --- what it refuses


M = money(9)
REFUSED: dict[str, tuple[list[dict[str, Any]], dict[str, Any], str, str]] = {
    "another type": (
        [KEY, {**N, "logicalType": "string"}, DAY, M],
        {},
        "schema.0.properties.1",
        "'n' is string, but the table holds integer",
    ),
    "narrower": (
        [KEY, N, DAY, money(8)],
        {},
        "schema.0.properties.3",
        "'m' is number(8,2), narrower than the number(9,2) that the table holds",
    ),
    "not exact": (
        [KEY, N, DAY, {"name": "m", "logicalType": "number"}],
        {},
        "schema.0.properties.3",
        "'m' is number, but the table holds number(9,2)",
    ),
    "dropped": (
        [KEY, DAY, M],
        {"order_by": []},
        "schema.0.properties",
        "'n' (integer) left the contract; the table holds it",
    ),
    "renamed": (
        [KEY, {**N, "name": "nn"}, DAY, M],
        {"order_by": ["nn"]},
        "schema.0.properties",
        "'n' (integer) left the contract, perhaps renamed to 'nn'",
    ),
    "other case": (
        [KEY, {**N, "name": "N"}, DAY, M],
        {"order_by": ["N"]},
        "schema.0.properties",
        "'n' (integer) left the contract, perhaps renamed to 'N'",
    ),
    "new and required": (
        [KEY, N, DAY, M, {**NEW, "required": True}],
        {},
        "schema.0.properties.4.required",
        "'new' is newly required, and rows of the table may lack it",
    ),
    "newly required": (
        [KEY, {**N, "required": True}, DAY, M],
        {},
        "schema.0.properties.1.required",
        "'n' is newly required, and rows of the table may lack it; leave it optional, with a `quality` rule nullValues",
    ),
    "order_by": (
        [KEY, N, DAY, M],
        {"order_by": ["m"]},
        "attributes.order_by",
        '["m"] now, but the rows of the table were chosen by ["n"]',
    ),
    "key": (
        [KEY, N, DAY, M],
        {"key": ["id", "day"]},
        "attributes.key",
        '["day", "id"] now, but the rows of the table were chosen by ["id"]',
    ),
    "mode": (
        [KEY, N, DAY, M],
        {"mode": "append"},
        "attributes.mode",
        "append now, but the rows of the table were chosen by merge",
    ),
}


@pytest.mark.parametrize("change", REFUSED)
def test_what_a_table_cannot_follow_is_refused_with_place_and_ways_out(make_lake: MakeLake, change: str) -> None:
    columns, attributes, field, says = REFUSED[change]
    deliver(make_lake(of(KEY, N, DAY, M)), a_jsonl=lines(("a", 1, 1)))
    lake = make_lake(of(*columns, **attributes))
    drop(lake, "feed/b.jsonl", lines(("b", 1, 1)))
    with pytest.raises(ContractError, match=rf"(contract|defs).yaml:\d+: {re.escape(f'{field}: {says}')}") as caught:
        ingest(lake, "feed")
    assert "`slice rebuild feed`, or give the dataset another name" in str(caught.value)
    assert len(rows_of(lake, ALL)) == 1
    assert [row.status for row in lake.ledger.list_files("feed")] == [FileStatus.PUBLISHED, FileStatus.RECEIVED]


def test_inside_objects_the_same_is_refused(make_lake: MakeLake) -> None:
    before: list[dict[str, Any]] = [KEY, N, DAY, an_object("o", A, B), objects("l", money(9))]
    deliver(make_lake(of(*before)), a_jsonl=lines(("a", 1, 1)))
    lake = make_lake(of(KEY, N, DAY, an_object("o", A, {**B, "name": "bb"}), objects("l", money(5))))
    with pytest.raises(ContractError) as caught:
        ensure_table(lake, lake.dataset("feed"))
    assert "'o.b' (string) left the contract, perhaps renamed to 'o.bb'" in str(caught.value)
    assert "'l.element.m' is number(5,2), narrower than the number(9,2)" in str(caught.value)


def test_a_refused_contract_hides_nothing_of_the_table(make_lake: MakeLake) -> None:
    deliver(make_lake(merged()), a_jsonl=lines(("a", 7, 1)))
    lake = make_lake(of(KEY, {**N, "name": "number"}, DAY, order_by=["number"]))
    assert rows_of(lake, "select id, n, number from curated.feed") == [("a", 7, None)]


@pytest.mark.parametrize(("before", "after"), [("day", "year"), ("month", "hour"), (None, "day"), ("day", None)])
def test_a_table_is_read_whatever_a_refused_contract_says_of_its_partition(
    make_lake: MakeLake, before: str | None, after: str | None
) -> None:
    def divided(grain: str | None) -> dict[str, Any]:
        at = {"column": "ts", "grain": grain, "start": "2026-01-01"}
        return {"mode": "append", "partition": at if grain else None}

    moment = {"name": "ts", "logicalType": "timestamp"}
    deliver(make_lake(feed(ID, moment, **divided(before))), a_jsonl=jsonl({"id": "a", "ts": "2026-05-17T10:00:00"}))
    lake = make_lake(feed(ID, moment, **divided(after)))
    assert rows_of(lake, "select id from curated.feed where ts > '2026-05-01'") == [("a",)]
    assert status(lake)[0].rows == 1


def test_a_table_of_an_earlier_release_keeps_what_it_is_told_first(make_lake: MakeLake) -> None:
    lake = make_lake(of(KEY, N, DAY))
    deliver(lake, a_jsonl=lines(("a", 1, 1)))
    table = load_table(lake, lake.dataset("feed"))
    assert table is not None
    with table.transaction() as transaction:
        transaction.remove_properties(*(name for name in table.properties if name.startswith("slice.")))
    deliver(lake, b_jsonl=lines(("b", 1, 1)))
    refused = make_lake(of(KEY, N, DAY, order_by=["day"]))
    with pytest.raises(ContractError, match="attributes.order_by"):
        ensure_table(refused, refused.dataset("feed"))


# --- the ways out


def test_a_table_without_rows_follows_any_contract(make_lake: MakeLake) -> None:
    """As where the first file was refused, and its contract is mended then."""
    lake = make_lake(of(KEY, N, DAY))
    drop(lake, "feed/a.csv", b"id,kind\na,x\n")
    ingest(lake, "feed")
    assert [row.status for row in lake.ledger.list_files("feed")] == [FileStatus.QUARANTINED]
    mended = make_lake(feed({**ID, "logicalType": "integer"}, {**N, "logicalType": "boolean"}, mode="append"))
    deliver(mended, b_csv=b"id,n\n1,true\n")
    assert rows_of(mended, "select id, n from curated.feed") == [(1, True)]


UNLIKE: list[dict[str, Any]] = [
    {"name": "day", "logicalType": "date", "required": True},
    {"name": "n", "logicalType": "string", "required": True},
    {"name": "key", "logicalType": "string"},
    an_object("o", B),
    {"name": "id", "logicalType": "string", "required": True},
]


def test_a_whole_table_is_made_again_under_any_contract_in_one_commit(make_lake: MakeLake) -> None:
    """Another type, an object of other fields, a column less, one more that is required, another key and order."""
    lake = make_lake(of(KEY, N, DAY, money(9), an_object("o", A)))
    rows = [{"id": "a", "n": n, "day": DAYS[0], "m": 1, "o": {"a": 1, "b": "x"}, "key": f"k{n}"} for n in (1, 2)]
    deliver(lake, a_jsonl=jsonl(rows[0]), b_jsonl=jsonl(rows[1]))
    assert rows_of(lake, "select id, n, m, o from curated.feed") == [("a", 2, Decimal("1.00"), {"a": 1})]
    held = load_table(lake, lake.dataset("feed"))
    lake = make_lake(of(*UNLIKE, key=["id", "n"], order_by=[]))
    rebuild_partitions(lake, "feed")
    expected = [("1", "k1", {"b": "x"}, "a"), ("2", "k2", {"b": "x"}, "a")]
    assert rows_of(lake, "select n, key, o, id from curated.feed order by n") == expected
    assert held is not None
    assert held.scan(selected_fields=("n", "m")).to_arrow().to_pylist() == [{"n": 2, "m": Decimal("1.00")}]
    assert_accounted(lake)
    deliver(lake, c_jsonl=jsonl({**rows[0], "o": {"b": "y"}}))
    assert rows_of(lake, "select n, key, o, id from curated.feed order by n")[0] == ("1", "k1", {"b": "y"}, "a")
    assert columns_of(lake)[:5] == ["day", "n", "key", "o", "id"]


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_crash_around_the_commit_of_a_whole_rebuild_leaves_the_old_table_or_the_new_one(
    make_lake: MakeLake, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    deliver(make_lake(of(KEY, N, DAY)), a_jsonl=lines(("a", 1, 1)))
    lake = make_lake(of(KEY, {**N, "logicalType": "string"}, DAY))
    with monkeypatch.context() as patched:
        patched.setattr(batch, "commit", die if when == "before" else dying_after(commit))
        patched.setattr(attempts, "recover", lambda *_: None)
        with pytest.raises(SimulatedCrash):
            rebuild_partitions(lake, "feed")
    assert rows_of(lake, "select n from curated.feed") == [(1,) if when == "before" else ("1",)]
    rebuild_partitions(lake, "feed")
    assert rows_of(lake, "select n from curated.feed") == [("1",)]
    assert_accounted(lake)


@pytest.mark.parametrize(
    ("day", "partition", "says"),
    [
        (DAY, {**BY_DAY, "grain": "month"}, "says month(day), but the table is divided by day(day), which has to stay"),
        (DAY, None, "says nothing, but the table is divided by day(day), which has to stay"),
        ({**DAY, "logicalType": "timestamp"}, BY_DAY, "divided by 'day' (date), which has to stay as it is"),
    ],
)
def test_how_a_table_is_divided_stays_even_then(
    make_lake: MakeLake, day: dict[str, Any], partition: dict[str, Any] | None, says: str
) -> None:
    deliver(make_lake(of(KEY, N, DAY)), a_jsonl=lines(("a", 1, 1)))
    lake = make_lake(of(KEY, N, day, partition=partition))
    for attempt in (lambda: rebuild_partitions(lake, "feed"), lambda: ensure_table(lake, lake.dataset("feed"))):
        with pytest.raises(ContractError, match=re.escape(says)) as caught:
            attempt()
        assert "Restore what it was, or give the dataset another name." in str(caught.value)
    assert rows_of(lake, "select id from curated.feed") == [("a",)]
