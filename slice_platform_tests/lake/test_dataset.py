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
    ("line", "field", "says"),
    [
        ('owners: ["team:sales", sales]', "owners.1", "expected an e-mail address or team:<name>, got 'sales'"),
        ('owners: ["team:"]', "owners.0", "team:<name>"),
        ("tags: {a b: c}", "tags.a b", "at most one slash"),
        ("tags: {a/b/c: d}", "tags.a/b/c", "at most one slash"),
        ("tags: {slice/tier: mine}", "tags.slice/tier", "not 'slice/tier'"),
        ("tags: {domain: a/b}", "tags.domain", "got 'a/b'"),
    ],
)
def test_a_label_that_dagster_would_refuse_is_told_here(folder: Path, line: str, field: str, says: str) -> None:
    defs_refused(folder, "mode: merge", f"mode: merge\n  {line}", field=f"attributes.{field}", says=says, at=line)


@pytest.mark.parametrize(
    ("grain", "start", "end"),
    [
        ("hour", "2020-01-01T05:30:00", None),
        ("day", "2020-01-01T05:00:00", None),
        ("month", "2020-01-02", None),
        ("year", "2020-02-01", None),
        ("month", "2020-01-01", "2020-03-15"),
        ("day", "2020-01-01", "2020-03-15T12:00:00+01:00"),
    ],
)
def test_partitions_begin_and_end_with_a_period(folder: Path, grain: str, start: str, end: str | None) -> None:
    """Rows of the half period had a partition in the table that Dagster did not know."""
    field = "end" if end else "start"
    new = f"grain: {grain}\n    start: {start}" + (f"\n    end: {end}" if end else "")
    old = "grain: day\n    start: 2013-01-01"
    says = f"lies inside its {grain}"
    defs_refused(folder, old, new, field=f"attributes.partition.{field}", says=says, at=f"{field}: {end or start}")


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


def test_names_that_differ_only_in_case_are_told(tmp_path: Path) -> None:
    """SQL does not tell them apart, nor do all disks."""
    first, second = tmp_path / "a" / "Trips", tmp_path / "b" / "trips"
    DatasetText(changed(TRIPS.contract, "name: trips", "name: Trips"), TRIPS.defs).write(first)
    TRIPS.write(second)
    with pytest.raises(ContractError, match=rf"{second}/contract.yaml:\d+: schema.0.name: .*'Trips'.*case does not"):
        load_datasets(tmp_path)
