"""Columns and keys beyond the contract: told with samples and counts, or the file is refused."""

import json
from typing import Any

import pytest

from slice_platform.lake import unknown_columns
from slice_platform.lake.audit import Verdict
from slice_platform.lake.lake import Lake
from slice_platform.lake.rejects import folder_of
from slice_platform.records import FileStatus
from slice_platform_tests.conftest import MakeLake
from slice_platform_tests.lake.feeds import ID, N, assert_accounted, deliver, feed, jsonl, only_batch, rows_of
from slice_platform_tests.lake.test_reader import gz, zst
from slice_platform_tests.lake.test_reader_csv import LIST, OBJECT
from slice_platform_tests.lake.test_reader_parquet import parquet

OBJECTS = {
    "name": "s",
    "logicalType": "array",
    "items": {"logicalType": "object", "properties": [{"name": "a", "logicalType": "integer"}]},
}


def verdict(lake: Lake, **contents: bytes) -> Verdict:
    """What the check says of the one file that is delivered."""
    (file,) = only_batch(deliver(lake, **contents)).files
    assert_accounted(lake)
    return next(one for one in file.verdicts if one.check == "unknown_columns")


def told(lake: Lake, **contents: bytes) -> list[str]:
    """The lines about single columns."""
    found = verdict(lake, **contents)
    return [] if found.passed else [line.strip() for line in found.message.splitlines()[1:]]


def test_columns_of_a_csv_are_told_with_the_first_different_values(make_lake: MakeLake) -> None:
    content = b"id,zeta,n,none\na,x,1,\nb,y,x,\nc,x,3,\nd,,4,\ne,z,5,\nf,w,6,\n"
    found = verdict(make_lake(feed()), a_csv=content)
    assert (found.passed, found.is_blocking) == (False, False)
    assert found.message == (
        "columns beyond the contract, kept in raw only until contract.yaml has them:\n"
        "  zeta: 6 rows, such as 'x', 'y', 'z'\n"
        "  none: 6 rows"
    )


def test_columns_of_parquet_are_told_whatever_their_type(make_lake: MakeLake) -> None:
    columns = {"id": ["a", "b"], "when": [1.5, None], "deep": [{"q": 1}, {"q": 2}]}
    assert told(make_lake(feed()), a_parquet=parquet(columns)) == [
        "when: 2 rows, such as '1.5'",
        "deep: 2 rows, such as \"{'q': 1}\", \"{'q': 2}\"",
    ]


def test_keys_of_json_lines_are_counted_and_the_most_frequent_come_first(make_lake: MakeLake) -> None:
    records = [{"id": "a", "beta": 1}, {"id": "b", "beta": "two", "alpha": None}, {"n": 1, "beta": [3]}, {"id": "c"}]
    assert told(make_lake(feed()), a_jsonl=b"\n" + jsonl(*records)) == [
        "beta: 3 rows, such as '1', 'two', '[3]'",
        "alpha: 1 row",
    ]


@pytest.mark.parametrize("columns", [1, unknown_columns._FEW_NAMES])
def test_nothing_hides_behind_a_key_that_is_null(make_lake: MakeLake, columns: int) -> None:
    lake = make_lake(feed(ID, *({"name": f"c{n}", "logicalType": "string"} for n in range(columns))))
    lines = [b'{"id":"a","c0":null}', b'{"id":"b","c0":null,"odd":1}', b'{"id":"c","c0":null,"c0":null}']
    lines += [b'{"id":"d","id":"d"}', b'{"id":"e","c0":"x"}']
    assert told(lake, a_jsonl=b"\n".join(lines)) == ["odd: 1 row, such as '1'"]
    assert rows_of(lake, "select id from curated.feed order by id") == [("a",), ("b",), ("e",)]
    (row,) = lake.ledger.list_files("feed")
    assert (row.rows_read, row.rows_published, row.rows_rejected) == (5, 3, 2)


@pytest.mark.parametrize("name", ["a_jsonl", "a_csv", "a_parquet"])
def test_keys_inside_objects_are_told_with_their_path(make_lake: MakeLake, name: str) -> None:
    rows: list[dict[str, Any]] = [
        {"id": "a", "o": {"a": 1, "floor": "3rd"}, "s": [{"a": 1}, {"b": 2}], "l": [1]},
        {"id": "b", "o": {"b": "x", "floor": "4th"}, "s": [], "l": None},
    ]
    if name == "a_csv":
        fields = [[row["id"], *(json.dumps(row[key]).replace('"', '""') for key in "osl")] for row in rows]
        content = "id,o,s,l\n" + "".join(f'{id_},"{o}","{s}","{items}"\n' for id_, o, s, items in fields)
        contents = {name: content.encode()}
    elif name == "a_parquet":
        contents = {name: parquet({key: [row[key] for row in rows] for key in ("id", "o", "s", "l")})}
    else:
        contents = {name: jsonl(*rows)}
    found = told(make_lake(feed(ID, OBJECT, OBJECTS, LIST)), **contents)
    assert found == ["o.floor: 2 rows, such as '3rd', '4th'", "s[].b: 1 row, such as '2'"]


def test_a_key_may_be_called_anything(make_lake: MakeLake) -> None:
    names = ["a.b", "a/b~c", 'q"uote', "apo'strophe", "", "$", "*", "new\nline", "nul\0", "o.floor", "x" * 300]
    record = {"id": "a", "o": {"a": 1, "o.a": 2, "": 3, "'": 4}, **{name: f"v{at}" for at, name in enumerate(names)}}
    found = told(make_lake(feed(ID, OBJECT)), a_jsonl=jsonl(record))
    assert len(found) == len(names) + 3
    assert {"a.b: 1 row, such as 'v0'", "a/b~c: 1 row, such as 'v1'", "'new\\nline': 1 row, such as 'v7'"} <= set(found)
    assert {"o.o.a: 1 row, such as '2'", "o.': 1 row, such as '4'"} <= set(found)


def test_few_of_many_names_are_told_and_values_are_cut(make_lake: MakeLake) -> None:
    records = [{"id": "a", f"k{n:04d}": "v", "long": "x" * 100} for n in range(500)]
    found = told(make_lake(feed()), a_jsonl=jsonl(*records))
    assert found[0] == f"long: 500 rows, such as '{'x' * 40}...'"
    assert found[1] == "k0000: 1 row, such as 'v'"
    assert (len(found), found[-1]) == (21, "and 481 more names")
    header = ",".join(f"c{n}" for n in range(30))
    assert told(make_lake(feed()), b_csv=f"id,{header}\n".encode())[-1] == "and 10 more names"


def test_a_file_without_any_passes(make_lake: MakeLake) -> None:
    lake = make_lake(feed(ID, N, OBJECT, OBJECTS))
    contents = {
        "a_csv": b"id,n\na,1\n",
        "b_jsonl": jsonl({"id": "b", "o": {"a": 1}, "s": [{"a": 1}, None]}, {"id": "c", "s": 5}),
    }
    for name, content in contents.items():
        assert verdict(lake, **{name: content}).passed


@pytest.mark.parametrize("compression", ["gz", "zst"])
def test_samples_are_taken_from_compressed_files_too(make_lake: MakeLake, compression: str) -> None:
    packed = (gz if compression == "gz" else zst)(b'{"id":"a","beta":1}\n')
    found = only_batch(deliver(make_lake(feed()), **{f"a_jsonl_{compression}": packed})).files[0].verdicts
    assert "beta: 1 row, such as '1'" in next(one.message for one in found if one.check == "unknown_columns")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("b_csv", b"id,n,zeta\nb,1,x\nc,2,y\n"),
        ("b_jsonl", jsonl({"id": "b"}, {"id": "c", "zeta": "x"})),
        ("b_parquet", parquet({"id": ["b", "c"], "zeta": ["x", "y"]})),
    ],
)
def test_a_file_with_more_is_refused_where_the_dataset_says_so(make_lake: MakeLake, name: str, content: bytes) -> None:
    lake = make_lake(feed(unknown_columns="reject"))
    deliver(lake, a_csv=b"id,n\na,1\n", **{name: content})
    good, bad = lake.ledger.list_files("feed")
    assert (good.status, bad.status, bad.rows_read, bad.rows_rejected) == ("published", "quarantined", 2, 2)
    assert "unknown_columns: columns beyond the contract, the file is refused until contract.yaml has them" in str(
        bad.error
    )
    assert "zeta" in str(bad.error)
    with lake.store.open(f"{folder_of(bad)}/reason.json") as source:
        reason = json.load(source)
    assert reason["reason"] == bad.error
    assert reason["reason_lines"][1].startswith("  zeta: ")
    assert rows_of(lake, "select id from curated.feed") == [("a",)]


def test_once_the_contract_has_the_column_the_same_file_is_welcome(make_lake: MakeLake) -> None:
    content = b"id,n,zeta\nb,1,x\n"
    deliver(make_lake(feed(unknown_columns="reject")), b_csv=content)
    lake = make_lake(feed(ID, N, {"name": "zeta", "logicalType": "string"}, unknown_columns="reject"))
    deliver(lake, b_csv=content)
    assert rows_of(lake, "select id, zeta from curated.feed") == [("b", "x")]
    assert lake.ledger.list_files("feed")[-1].status is FileStatus.PUBLISHED
