"""The Iceberg table: made from the contract, grown with it, changed by one commit at a time."""

import pytest

from slice_platform.lake.table import (
    BATCH,
    LostRaceError,
    commit,
    data_files,
    ensure_table,
    load_table,
    snapshot_of_batch,
)
from slice_platform_tests.conftest import MakeLake
from slice_platform_tests.lake.feeds import BY_DAY, DAY, ID, KEY, deliver, feed, jsonl, lines, merged, paths, rows_of
from slice_platform_tests.lake.test_reader_csv import LIST, OBJECT


def test_the_table_is_made_from_the_contract(make_lake: MakeLake) -> None:
    money = {"name": "m", "logicalType": "number", "logicalTypeOptions": {"precision": 9, "scale": 2}}
    local = {"name": "ts", "logicalType": "timestamp", "description": "by the local clock"}
    lake = make_lake(feed(ID, DAY, money, local, OBJECT, LIST, partition=BY_DAY))
    table = ensure_table(lake, lake.dataset("feed"))
    types = {field.name: str(field.field_type) for field in table.schema().fields}
    assert types.pop("o").startswith("struct<")
    assert types == {
        "id": "string",
        "day": "date",
        "m": "decimal(9, 2)",
        "ts": "timestamp",
        "l": "list<long>",
        "_file_id": "long",
        "_row": "long",
        "_ingested_at": "timestamptz",
    }
    assert [field.name for field in table.spec().fields] == ["day_day"]
    assert table.schema().find_field("ts").doc == "by the local clock"
    assert table.properties["commit.retry.num-retries"] == "0"


@pytest.mark.parametrize(
    ("grain", "keys"),
    [
        ("hour", ["2026-03-01-22:00", "2026-03-01-23:00", "2027-01-01-00:00"]),
        ("day", ["2026-03-01", "2027-01-01"]),
        ("month", ["2026-03", "2027-01"]),
        ("year", ["2026", "2027"]),
    ],
)
def test_partition_keys_are_the_same_in_ledger_and_table(make_lake: MakeLake, grain: str, keys: list[str]) -> None:
    instant = {"name": "at", "logicalType": "timestamp", "logicalTypeOptions": {"timezone": True}}
    lake = make_lake(feed(ID, instant, partition={"column": "at", "grain": grain, "start": "2026-01-01"}))
    moments = ("2026-03-02T00:30:00+02:00", "2026-03-01T23:59:59.999999Z", "2026-12-31T19:00:00-05:00")
    deliver(lake, a_jsonl=jsonl(*({"id": "k", "at": at} for at in moments)))
    assert [row.partition_key for row in lake.ledger.list_partitions("feed")] == keys
    dataset = lake.dataset("feed")
    table = load_table(lake, dataset)
    assert table is not None
    assert sorted({file.partition_key for file in data_files(table, dataset.partition)}) == keys


def test_a_commit_on_an_outdated_table_is_lost_and_changes_nothing(make_lake: MakeLake) -> None:
    lake = make_lake(merged())
    deliver(lake, a_jsonl=lines(("a", 1, 1)))
    dataset = lake.dataset("feed")
    mine = load_table(lake, dataset)
    assert mine is not None
    files = data_files(mine, dataset.partition)
    deliver(lake, b_jsonl=lines(("a", 2, 1)))
    before = paths(lake)
    with pytest.raises(LostRaceError):
        commit(mine, remove=files, add=[], batch_id="mine")
    with pytest.raises(LostRaceError):
        commit(mine, remove=[], add=[file.path for file in files], batch_id="mine")
    assert paths(lake) == before


def test_a_snapshot_is_found_by_its_batch(make_lake: MakeLake) -> None:
    lake = make_lake(merged())
    assert snapshot_of_batch(load_table(lake, lake.dataset("feed")), "x") is None
    deliver(lake, a_jsonl=lines(("a", 1, 1)))
    table = load_table(lake, lake.dataset("feed"))
    assert table is not None
    made = table.current_snapshot()
    assert made is not None
    assert made.summary is not None
    assert snapshot_of_batch(table, str(made.summary.additional_properties[BATCH])) == made
    assert snapshot_of_batch(table, "x") is None


def test_a_list_of_objects_is_the_same_type_at_every_batch(make_lake: MakeLake) -> None:
    """Field ids differ between a contract and its table, and say nothing of the type."""
    objects = {"logicalType": "object", "properties": [{"name": "a", "logicalType": "integer"}]}
    lake = make_lake(feed(KEY, {"name": "l", "logicalType": "array", "items": objects}, mode="merge"))
    for name in "ab":
        deliver(lake, **{f"{name}_jsonl": jsonl({"id": name, "l": [{"a": 1}, {"a": None}]})})
    assert rows_of(lake, "select id, l from curated.feed order by id") == [
        ("a", [{"a": 1}, {"a": None}]),
        ("b", [{"a": 1}, {"a": None}]),
    ]


def test_every_metadata_file_but_the_kept_history_belongs_to_a_commit(make_lake: MakeLake) -> None:
    """Creating a table that is there would leave a first metadata file behind at every batch."""
    lake = make_lake(merged())
    for n in range(3):
        deliver(lake, **{f"f{n}_jsonl": lines((str(n), 1, 1))})
    firsts = [entry.key for entry in lake.store.list("curated/feed/metadata") if "/00000-" in entry.key]
    assert len(firsts) == 1
