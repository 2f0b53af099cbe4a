"""A table under a contract that changes: what it takes over, and only together with rows."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from slice_platform.errors import ContractError
from slice_platform.lake import attempts, batch
from slice_platform.lake.ingest import ingest, rebuild_partitions
from slice_platform.lake.table import LostRaceError, commit, ensure_table, load_table
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
    DAY,
    KEY,
    N,
    assert_accounted,
    deliver,
    fate_of,
    jsonl,
    lines,
    paths,
    rows_of,
)
from slice_platform_tests.lake.test_reader_parquet import parquet
from slice_platform_tests.samples import drop

# --- what a table takes over


def test_optional_columns_come_at_any_place_and_inside_objects(make_lake: MakeLake) -> None:
    before: list[dict[str, Any]] = [KEY, N, DAY, an_object("o", A, an_object("i", A)), objects("l", A)]
    old: list[dict[str, Any]] = [
        {"id": "a", "o": {"a": 1, "i": {"a": 1}}, "l": [{"a": 1}]},
        {"id": "b", "o": {"a": 1}, "l": []},
        {"id": "c"},
    ]
    deliver(make_lake(of(*before)), a_jsonl=jsonl(*({"n": 1, "day": "2026-01-01", **row} for row in old)))
    lake = make_lake(
        of(NEW, KEY, N, DAY, an_object("o", B, A, an_object("i", A, B)), objects("l", B, A), {**B, "name": "z.z"})
    )
    row = {"o": {"b": "x", "i": {"b": "y"}}, "l": [{"a": 2, "b": "z"}], "new": "v", "z.z": "w"}
    deliver(lake, b_jsonl=jsonl({"id": "c", "n": 2, "day": "2026-01-01", **row}))
    assert rows_of(lake, 'select new, id, o, l, "z.z" from curated.feed order by id') == [
        (None, "a", {"b": None, "a": 1, "i": {"a": 1, "b": None}}, [{"b": None, "a": 1}], None),
        (None, "b", {"b": None, "a": 1, "i": None}, [], None),
        ("v", "c", {"b": "x", "a": None, "i": {"a": None, "b": "y"}}, [{"b": "z", "a": 2}], "w"),
    ]  # fmt: skip
    assert columns_of(lake) == ["new", "id", "n", "day", "o", "l", "z.z", "_file_id", "_row", "_ingested_at"]


def test_iceberg_reads_the_grown_table_as_duckdb_does(make_lake: MakeLake) -> None:
    deliver(make_lake(of(KEY, N, DAY, money(5), an_object("o", A))), a_jsonl=jsonl(
        {"id": "a", "n": 1, "day": "2026-01-01", "m": 1.25, "o": {"a": 1}}, {"id": "b", "n": 1, "day": "2026-01-02"},
    ))  # fmt: skip
    lake = make_lake(of(KEY, NEW, N, DAY, money(20), an_object("o", B, A)))
    deliver(lake, b_jsonl=jsonl({"id": "b", "n": 2, "day": "2026-01-02", "m": "123456789012.25", "o": {"b": "x"}}))
    table = load_table(lake, lake.dataset("feed"))
    assert table is not None
    read = sorted(table.scan().to_arrow().drop_columns("_ingested_at").to_pylist(), key=lambda row: str(row["id"]))
    assert [tuple(row.values()) for row in read] == rows_of(lake, ALL)
    assert len(paths(lake)) == 2  # one as it was, one of each type


def test_a_decimal_gains_digits_and_old_files_are_read_beside_new_ones(make_lake: MakeLake) -> None:
    small = [
        {"id": key, "n": 1, "day": day, "m": 1.25} for key, day in (("a", DAYS[0]), ("b", DAYS[0]), ("c", DAYS[1]))
    ]
    deliver(make_lake(of(KEY, N, DAY, money(5))), a_jsonl=jsonl(*small))
    lake = make_lake(of(KEY, N, DAY, money(38)))
    big = "123456789012345678901234567890.25"
    deliver(
        lake, b_jsonl=jsonl({"id": "a", "n": 2, "day": DAYS[0], "m": big}, {"id": "d", "n": 2, "day": DAYS[1], "m": 2})
    )
    expected = [("a", Decimal(big)), ("b", Decimal("1.25")), ("c", Decimal("1.25")), ("d", Decimal("2.00"))]
    assert rows_of(lake, "select id, m from curated.feed order by id") == expected
    assert rows_of(lake, "select id from curated.feed where m = 1.25 order by id") == [("b",), ("c",)]
    assert rows_of(lake, "select id from curated.feed where m > 999.99 order by id") == [("a",)]
    assert rows_of(lake, "select sum(m) from curated.feed where id <> 'a'") == [(Decimal("4.50"),)]
    rebuild_partitions(lake, "feed", DAYS)
    assert rows_of(lake, "select id, m from curated.feed order by id") == expected
    assert_accounted(lake)


@pytest.mark.parametrize("mode", ["append", "replace"])
def test_every_mode_writes_on_after_a_change(make_lake: MakeLake, mode: str) -> None:
    chosen = {"mode": mode, "order_by": []}
    deliver(make_lake(of(KEY, N, DAY, money(5), **chosen)), a_jsonl=lines(("a", 1, 1), ("b", 1, 2)))
    lake = make_lake(of(NEW, KEY, N, DAY, money(9), **chosen))
    deliver(lake, b_jsonl=jsonl({"id": "c", "day": DAYS[0], "m": "1234567.25", "new": "x"}))
    kept = [("b", None, None)] if mode == "replace" else [("a", None, None), ("b", None, None)]
    assert rows_of(lake, "select id, m, new from curated.feed order by id") == [
        *kept,
        ("c", Decimal("1234567.25"), "x"),
    ]
    assert_accounted(lake)


def test_what_was_required_becomes_optional_and_is_not_required_again(make_lake: MakeLake) -> None:
    required = {**N, "required": True}
    deliver(make_lake(of(KEY, required, DAY)), a_jsonl=lines(("a", 1, 1)))
    lake = make_lake(of(KEY, N, DAY))
    deliver(lake, b_jsonl=lines(("b", None, 1)))
    assert rows_of(lake, "select id, n from curated.feed order by id") == [("a", 1), ("b", None)]
    refused = make_lake(of(KEY, required, DAY))
    with pytest.raises(ContractError, match="'n' is newly required, and rows of the table may lack it"):
        ensure_table(refused, refused.dataset("feed"))


def test_looser_rules_and_other_words_are_for_the_files_to_come(make_lake: MakeLake) -> None:
    kind = {"name": "kind", "logicalType": "string", "enum": [{"value": "x"}]}
    deliver(make_lake(of(KEY, N, DAY, kind)), a_jsonl=jsonl({"id": "a", "day": DAYS[0], "kind": "x"}))
    grown = {**kind, "description": "what it is", "enum": [{"value": "x"}, {"value": "y"}]}
    lake = make_lake(of(KEY, grown, N, DAY))
    deliver(lake, b_jsonl=jsonl({"id": "b", "day": DAYS[0], "kind": "y"}))
    assert rows_of(lake, "select id, kind from curated.feed order by id") == [("a", "x"), ("b", "y")]
    table = load_table(lake, lake.dataset("feed"))
    assert table is not None
    assert table.schema().find_field("kind").doc == "what it is"
    assert columns_of(lake)[:4] == ["id", "kind", "n", "day"]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("b.csv", b"id,n,day\nb,1,2026-01-01\n"),
        ("b.jsonl", lines(("b", 1, 1))),
        ("b.parquet", parquet({"id": ["b"], "n": [1], "day": ["2026-01-01"]})),
    ],
)
def test_files_from_before_a_column_still_load(make_lake: MakeLake, name: str, content: bytes) -> None:
    deliver(make_lake(of(KEY, N, DAY)), a_jsonl=lines(("a", 1, 1)))
    fate = fate_of(make_lake(of(KEY, NEW, N, DAY, an_object("o", A))), name, content)
    assert [row[:3] for row in fate.rows] == [("b", None, 1)]
    assert fate.rows[0][4] is None


# --- promises


FILES = [
    lines(("a", 1, 1), ("b", 1, 1), ("c", 1, 2)),
    jsonl({"id": "b", "n": 2, "day": DAYS[0], "m": 7, "o": {"a": 1}}, {"id": "d", "n": 1, "day": DAYS[1], "o": {}}),
    jsonl({"id": "a", "n": 3, "day": DAYS[1], "m": 123456, "new": "x", "o": {"b": "y"}}, {"id": "c", "n": 0}),
]  # fmt: skip
CONTRACTS = [
    of(KEY, N, DAY),
    of(KEY, money(4), N, DAY, an_object("o", A)),
    of(NEW, KEY, money(9), N, DAY, an_object("o", B, A)),
]


def test_a_table_that_grew_midway_is_the_one_a_rebuild_from_raw_makes(make_lake: MakeLake, tmp_path: Path) -> None:
    for at, content in enumerate(FILES):
        lake = make_lake(CONTRACTS[at])
        drop(lake, f"feed/{at}.jsonl", content)
        ingest(lake, "feed")
    lake = make_lake(CONTRACTS[-1])
    grown = rows_of(lake, ALL)
    rebuild_partitions(lake, "feed", DAYS)
    assert rows_of(lake, ALL) == grown
    assert_accounted(lake)
    fresh = make_lake(CONTRACTS[-1], home=tmp_path / "fresh")
    for at, content in enumerate(FILES):
        drop(fresh, f"feed/{at}.jsonl", content)
        ingest(fresh, "feed")
    assert rows_of(fresh, ALL) == grown


def test_values_that_came_before_their_column_are_in_raw_and_a_rebuild_brings_them(make_lake: MakeLake) -> None:
    early = jsonl({"id": "a", "n": 1, "day": DAYS[0], "new": "early"})
    deliver(make_lake(of(KEY, N, DAY)), a_jsonl=early)
    lake = make_lake(of(KEY, N, DAY, NEW))
    assert rows_of(lake, "select id, new from curated.feed") == [("a", None)]
    rebuild_partitions(lake, "feed", [DAYS[0]])
    assert rows_of(lake, "select id, new from curated.feed") == [("a", "early")]


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_crash_around_the_commit_leaves_columns_and_rows_or_neither(
    make_lake: MakeLake, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    deliver(make_lake(of(KEY, N, DAY)), a_jsonl=lines(("a", 1, 1)))
    lake = make_lake(of(KEY, N, DAY, NEW))
    drop(lake, "feed/b.jsonl", jsonl({"id": "b", "n": 1, "day": DAYS[0], "new": "x"}))
    with monkeypatch.context() as patched:
        patched.setattr(batch, "commit", die if when == "before" else dying_after(commit))
        patched.setattr(attempts, "recover", lambda *_: None)
        with pytest.raises(SimulatedCrash):
            ingest(lake, "feed")
    assert ("new" in columns_of(lake)) == (when == "after")
    assert len(rows_of(lake, ALL)) == (2 if when == "after" else 1)
    ingest(lake, "feed")
    assert rows_of(lake, "select id, new from curated.feed order by id") == [("a", None), ("b", "x")]
    assert_accounted(lake)


def test_a_column_that_no_row_came_with_may_go_again(make_lake: MakeLake) -> None:
    """As where a contract was mended before anything arrived under it, or all that did was refused."""
    deliver(make_lake(of(KEY, N, DAY)), a_jsonl=lines(("a", 1, 1)))
    with_it = make_lake(of(KEY, N, DAY, NEW))
    deliver(with_it, b_csv=b"no,such,columns\n1,2,3\n")
    assert rows_of(with_it, "select id, new from curated.feed") == [("a", None)]
    lake = make_lake(of(KEY, N, DAY))
    deliver(lake, c_jsonl=lines(("c", 1, 1)))
    assert rows_of(lake, "select id from curated.feed order by id") == [("a",), ("c",)]


def test_a_change_planned_on_an_outdated_table_is_lost(make_lake: MakeLake) -> None:
    deliver(make_lake(of(KEY, N, DAY)), a_jsonl=lines(("a", 1, 1)))
    lake = make_lake(of(KEY, N, DAY, NEW))
    dataset = lake.dataset("feed")
    mine = ensure_table(lake, dataset)
    deliver(lake, b_jsonl=lines(("b", 1, 1)))
    before = paths(lake)
    with pytest.raises(LostRaceError):
        commit(mine, remove=[], add=list(before), batch_id="mine", dataset=dataset)
    assert paths(lake) == before
