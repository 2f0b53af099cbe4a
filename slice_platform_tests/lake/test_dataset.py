from datetime import UTC, datetime
from pathlib import Path

import pytest

from slice_platform.errors import ContractError, UnknownDataset
from slice_platform.lake.dataset import FileSpec, dataset_of, load_datasets, pick
from slice_platform_tests.refusals import defs_refused
from slice_platform_tests.samples import TRIPS, DatasetText, changed, line_of


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return TRIPS.write(tmp_path / "trips")


def test_a_folder_is_a_dataset(folder: Path) -> None:
    dataset = dataset_of(folder)
    assert dataset.name == "trips"
    assert dataset.key == dataset.cluster_by == ("id",)
    assert dataset.spec.tolerated_rejects == 0.05
    assert dataset.partition
    assert (dataset.partition.grain, dataset.partition.start) == ("day", datetime(2013, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize(
    ("pattern", "path", "expected"),
    [
        ("*.csv", "a.csv", True),
        ("*.csv", "2013/01/a.csv", True),
        ("*.csv", "a.csv.gz", False),
        ("*.CSV", "a.csv", False),
        ("daily/*.csv", "daily/a.csv", True),
        ("daily/*.csv", "a.csv", False),
    ],
)
def test_a_pattern_is_on_the_name_or_with_a_slash_on_the_path(pattern: str, path: str, *, expected: bool) -> None:
    assert FileSpec(pattern=pattern, format="csv").matches(path) is expected


def test_the_first_pattern_that_matches_decides(folder: Path) -> None:
    dataset = dataset_of(folder)
    for name, expected in (("a.jsonl.gz", "jsonl"), ("a.csv", "csv"), ("a.jsonl.csv", "jsonl")):
        spec = dataset.file_spec(name)
        assert spec
        assert spec.format == expected
    assert dataset.file_spec("a.xml") is None


def test_compression_is_told_by_the_ending_unless_it_is_said() -> None:
    auto = FileSpec(pattern="*", format="csv")
    assert [auto.compression_of(f"a.csv{end}") for end in ("", ".gz", ".zst", ".zstd")] == ["none", "gz", "zst", "zst"]
    assert FileSpec(pattern="*", format="csv", compression="gz").compression_of("a.csv") == "gz"


@pytest.mark.parametrize(
    ("grain", "groups", "expected"),
    [("day", r"(?P<year>\d{4})/(?P<month>\d\d)/(?P<day>\d\d)/", "2013-03-31T00:00:00Z"),
     ("month", r"(?P<year>\d{4})/(?P<month>\d\d)/", "2013-03-01T00:00:00Z"),
     ("year", r"(?P<year>\d{4})/", "2013-01-01T00:00:00Z")],
)  # fmt: skip
def test_the_partition_may_come_from_the_path(folder: Path, grain: str, groups: str, expected: str) -> None:
    text = changed(TRIPS.defs, "grain: day", f"grain: {grain}\n    from_path: '{groups}'")
    (folder / "defs.yaml").write_text(text)
    dataset = dataset_of(folder)
    assert dataset.path_value("2013/03/31/a.csv") == expected
    assert dataset.path_value("unknown/a.csv") is None
    assert [column.name for column in dataset.contract.columns if dataset.is_from_path(column)] == ["started_at"]


@pytest.mark.parametrize(
    ("old", "new", "field", "says"),
    [
        ("type: slice_platform.components.lake_dataset.LakeDataset", "type: LakeData", "type", "got 'LakeData'"),
        ("mode: merge", "mode: upsert", "attributes.mode", "got 'upsert'"),
        ("mode: merge", "mode: merge\n  colour: red", "attributes.colour", "Extra inputs are not permitted"),
        ("format: csv", "format: xml", "attributes.files.1.format", "got 'xml'"),
        ("format: csv", "format: csv\n      delimiter: '||'", "attributes.files.1.delimiter", "at most 1"),
        ("order_by: [started_at]", "order_by: [begun_at]", "attributes.order_by.0", "columns: id, started_at"),
        ("order_by: [started_at]", "key: [fare]", "attributes.key.0", "must be `required: true` in contract.yaml"),
        ("order_by: [started_at]", "tolerated_rejects: 5", "attributes.tolerated_rejects", "less than or equal to 1"),
        ("column: started_at", "column: distance", "attributes.partition.column", "'distance' is integer"),
        ("column: started_at", "column: day", "attributes.partition.column", "'day' is not in contract.yaml"),
        ("grain: day", "grain: week", "attributes.partition.grain", "got 'week'"),
        ("start: 2013-01-01", "start: 2013-01-01\n    end: 2012-12-31", "attributes.partition.end", "after start"),
        ("start: 2013-01-01", "start: soon", "attributes.partition.start", "got 'soon'"),
    ],
)
def test_a_mistake_is_told_with_file_line_and_field(folder: Path, old: str, new: str, field: str, says: str) -> None:
    defs_refused(folder, old, new, field=field, says=says, at=new.rsplit("\n", 1)[-1].strip())


@pytest.mark.parametrize(
    ("expression", "says"),
    [
        ("(?P<year>[0-9]{4}", "not a regular expression"),
        ("(?P<month>[0-9]{2})", "expected the named groups year"),
        ("(?P<year>[0-9]{4})", "told from the path by the named groups year, month, day"),
    ],
)
def test_an_expression_that_cannot_tell_the_partition_is_told(folder: Path, expression: str, says: str) -> None:
    new = f"grain: day\n    from_path: '{expression}'"
    defs_refused(folder, "grain: day", new, field="attributes.partition.from_path", says=says, at="from_path")


def test_a_date_has_no_hours(folder: Path) -> None:
    contract = changed(
        TRIPS.contract, "logicalType: timestamp\n        logicalTypeOptions: {timezone: true}", "logicalType: date"
    )
    text = DatasetText(contract, changed(TRIPS.defs, "grain: day", "grain: hour"))
    text.write(folder)
    where = f"{folder}/defs.yaml:{line_of(text.defs, 'grain')}: attributes.partition.grain: "
    with pytest.raises(ContractError, match=f"{where}'started_at' is a date and has no hours"):
        dataset_of(folder)


def test_merge_needs_a_key(folder: Path) -> None:
    DatasetText(changed(TRIPS.contract, "primaryKey: true", "required: true"), TRIPS.defs).write(folder)
    where = f"{folder}/defs.yaml:{line_of(TRIPS.defs, 'mode')}: attributes.mode: "
    with pytest.raises(ContractError, match=f"{where}merge needs a key"):
        dataset_of(folder)


def test_replace_needs_a_partition(folder: Path) -> None:
    defs = TRIPS.defs[: TRIPS.defs.index("  partition:")]
    DatasetText(TRIPS.contract, changed(defs, "mode: merge", "mode: replace")).write(folder)
    where = f"{folder}/defs.yaml:{line_of(defs, 'mode')}: attributes.mode: "
    with pytest.raises(ContractError, match=f"{where}replace needs a `partition`"):
        dataset_of(folder)


def test_datasets_are_found_at_any_depth_and_by_name(tmp_path: Path) -> None:
    TRIPS.write(tmp_path / "defs" / "city" / "trips")
    datasets = load_datasets(tmp_path / "defs")
    assert pick(datasets, "trips").name == "trips"
    with pytest.raises(UnknownDataset, match="'tripz'; there are: trips"):
        pick(datasets, "tripz")


def test_two_datasets_of_one_name_are_told(tmp_path: Path) -> None:
    first, second = tmp_path / "a" / "trips", tmp_path / "b" / "trips"
    TRIPS.write(first)
    TRIPS.write(second)
    where = f"{second}/contract.yaml:{line_of(TRIPS.contract, '- name: trips')}: schema.0.name: "
    with pytest.raises(ContractError, match=f"{where}dataset 'trips' is defined in {first}/contract.yaml too"):
        load_datasets(tmp_path)
