"""Which files made a partition, and what came on a day: compared with the table and the ledger."""

from datetime import UTC, datetime

import pytest

from slice_platform.lake.corrections import retract
from slice_platform.lake.engine import engine
from slice_platform.lake.ingest import ingest
from slice_platform.lake.lake import Lake
from slice_platform.lake.lineage import PartitionSources, arrivals_of, days_of_arrival, sources_of, standing_files
from slice_platform.lake.preview import HIDDEN, first_rejects
from slice_platform.records import FileRow, FileStatus
from slice_platform_tests.conftest import MakeLake
from slice_platform_tests.lake.feeds import DAY, KEY, N, deliver, feed, jsonl, lines, merged, rows_of
from slice_platform_tests.samples import drop

FIRST, SECOND = "2026-01-01", "2026-01-02"


def sources(lake: Lake, *keys: str, most: int = 50) -> dict[str, PartitionSources]:
    dataset = lake.dataset("feed")
    with engine(lake) as connection:
        return sources_of(lake, connection, dataset, standing_files(lake, dataset, keys), most)


def told(found: PartitionSources) -> list[tuple[str, int]]:
    return [(file.name, found.rows_of(file)) for file in found.latest]


def counted(lake: Lake, day: str) -> dict[int, int]:
    return dict(rows_of(lake, f"select _file_id, count(*) from curated.feed where day = '{day}' group by 1"))


def test_rows_by_file_are_those_of_the_table_whether_data_files_hold_one_source_or_several(make_lake: MakeLake) -> None:
    lake = make_lake(merged())
    deliver(lake, a_jsonl=lines(("a", 1, 1), ("b", 1, 1), ("c", 1, 2)), b_jsonl=lines(("d", 1, 1), ("e", 1, 2)))
    deliver(lake, c_jsonl=lines(("z", 1, 1)))  # a data file of its own
    found = sources(lake, FIRST, SECOND)
    assert told(found[FIRST]) == [("c.jsonl", 1), ("b.jsonl", 1), ("a.jsonl", 2)]
    assert told(found[SECOND]) == [("b.jsonl", 1), ("a.jsonl", 1)]
    assert found[FIRST].rows_by_file == counted(lake, FIRST) and found[SECOND].rows_by_file == counted(lake, SECOND)


def test_a_data_file_of_one_source_is_counted_without_being_read(
    make_lake: MakeLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = make_lake(merged())
    deliver(lake, a_jsonl=lines(("a", 1, 1), ("b", 1, 1)))
    monkeypatch.delattr("slice_platform.lake.lineage.run")
    assert told(sources(lake, FIRST)[FIRST]) == [("a.jsonl", 2)]


def test_files_of_which_no_row_is_left_are_listed_with_both_versions_of_a_corrected_one(make_lake: MakeLake) -> None:
    lake = make_lake(merged())
    deliver(lake, a_jsonl=lines(("a", 1, 1)))
    deliver(lake, b_jsonl=lines(("a", 2, 1), ("b", 1, 1)))
    deliver(lake, b_jsonl=lines(("a", 3, 1)))
    found = sources(lake, FIRST)[FIRST]
    assert told(found) == [("b.jsonl", 1), ("b.jsonl", 0), ("a.jsonl", 0)]
    later, earlier, _ = found.latest
    assert (earlier.status, earlier.superseded_by) == (FileStatus.SUPERSEDED, later.id)


def test_a_long_list_is_cut_and_its_length_told(make_lake: MakeLake) -> None:
    lake = make_lake(merged())
    deliver(lake, **{f"f{n}_jsonl": lines((f"k{n}", 1, 1)) for n in range(5)})
    found = sources(lake, FIRST, most=2)[FIRST]
    assert (found.total, told(found)) == (5, [("f4.jsonl", 1), ("f3.jsonl", 1)])
    assert sum((found.rows_by_file or {}).values()) == 5


def test_an_empty_partition_and_an_unpartitioned_table_have_their_sources_too(make_lake: MakeLake) -> None:
    lake = make_lake(feed(KEY, N, mode="merge"))
    assert told(sources(lake, "all")["all"]) == []
    drop(lake, "feed/a.jsonl", jsonl({"id": "a", "n": 1}))
    ingest(lake, "feed")
    assert told(sources(lake, "all", FIRST)["all"]) == [("a.jsonl", 1)]
    assert sources(lake, "all", FIRST)[FIRST].total == 0


def test_a_day_tells_what_became_of_each_file_that_came(make_lake: MakeLake) -> None:
    lake = make_lake(merged(tolerated_rejects=0.5))
    deliver(lake, a_jsonl=lines(("a", 1, 1), ("b", 1, 1)), b_jsonl=lines(("a", 2, 1)) + b"{}\n", c_csv=b"")
    deliver(lake, a_jsonl=lines(("a", 1, 1), ("b", 1, 1)))  # the same bytes
    retract(lake, "feed", "b.jsonl")
    day = datetime.now(UTC).date()
    found = arrivals_of(lake, lake.dataset("feed"), day, most=3)
    assert (found.files, found.files_published, found.files_quarantined, found.files_withdrawn) == (3, 1, 1, 1)
    assert (found.rows_read, found.rows_published, found.rows_duplicate, found.rows_rejected) == (4, 2, 1, 1)
    assert [(file.name, file.status) for file in found.latest] == [
        ("a.jsonl", FileStatus.REPEATED),
        ("c.csv", FileStatus.QUARANTINED),
        ("b.jsonl", FileStatus.RETRACTED),
    ]
    assert days_of_arrival(lake, [file.id for file in found.latest]) == [day] and days_of_arrival(lake, []) == []


def only_file(lake: Lake) -> FileRow:
    (file,) = lake.ledger.list_files("feed")
    return file


def test_the_first_rejects_of_a_file_are_shown_and_long_text_is_cut(make_lake: MakeLake) -> None:
    lake = make_lake(merged())
    bad = [{"id": f"k{n}", "n": "x" * 100_000, "day": FIRST} for n in range(4)]
    deliver(lake, a_jsonl=jsonl(*bad))
    shown = first_rejects(lake, lake.dataset("feed"), only_file(lake), most=1)
    assert [(one.line, one.column, len(one.raw)) for one in shown] == [("1", "n", 123)]
    assert shown[0].raw.startswith('{"id": "k0", "n": "xxx') and shown[0].reason.endswith("is not integer")


def test_what_is_classified_is_not_shown_of_a_reject_either(make_lake: MakeLake) -> None:
    secret = {**N, "classification": "restricted"}
    lake = make_lake(feed(KEY, secret, DAY, mode="merge"))
    deliver(lake, a_jsonl=jsonl({"id": "k", "n": "4111-1111", "day": "x"}))
    shown = first_rejects(lake, lake.dataset("feed"), only_file(lake), most=9)
    assert {one.column: one.reason for one in shown} == {"n": HIDDEN, "day": "'x' is not date"}
    assert {one.raw for one in shown} == {HIDDEN}


def test_a_file_without_rejects_shows_none(make_lake: MakeLake) -> None:
    lake = make_lake(merged())
    deliver(lake, a_jsonl=lines(("a", 1, 1)))
    assert first_rejects(lake, lake.dataset("feed"), only_file(lake), most=9) == []
