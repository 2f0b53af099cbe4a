"""The component: what its job reports, what materializing rebuilds, what the UI is told."""

from pathlib import Path

import dagster as dg
import pytest

from slice_platform.components.lake_checks import NOTHING_SET_ASIDE
from slice_platform.components.runtime import told_to_dagster
from slice_platform.errors import ContractError, StoreUnavailable
from slice_platform.lake.dataset import dataset_of
from slice_platform.lake.lake import Lake
from slice_platform.lake.query import query
from slice_platform.lake.table import data_files, load_table
from slice_platform.ledger import Ledger
from slice_platform_tests.samples import TRIPS, DatasetText, changed, drop

CURATED = dg.AssetKey(["curated", "trips"])
RAW = dg.AssetKey(["raw", "trips"])
HEADER = b"id,started_at,distance,fare\n"
THREE_DAYS = HEADER + b"a,2013-01-01T10:00:00Z,1,1.00\nb,2013-01-02T10:00:00Z,2,2.00\nc,2013-01-03T10:00:00Z,3,3.00\n"


def ingest(definitions: dg.Definitions, instance: dg.DagsterInstance) -> dg.ExecuteInProcessResult:
    return definitions.resolve_job_def("ingest_trips").execute_in_process(instance=instance)


def rebuild(
    definitions: dg.Definitions, instance: dg.DagsterInstance, first: str, last: str
) -> dg.ExecuteInProcessResult:
    job = definitions.resolve_implicit_global_asset_job_def()
    tags = {"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last}
    return job.execute_in_process(instance=instance, asset_selection=[CURATED], tags=tags)


def paths_by_partition(lake: Lake) -> dict[str, set[str]]:
    table, by = load_table(lake, lake.datasets["trips"]), lake.datasets["trips"].partition
    assert table is not None
    found: dict[str, set[str]] = {}
    for file in data_files(table, by):
        found.setdefault(file.partition_key, set()).add(file.path)
    return found


def test_ingest_materializes_exactly_the_partitions_that_the_rows_belong_to(
    lake: Lake, definitions: dg.Definitions, instance: dg.DagsterInstance
) -> None:
    drop(lake, "trips/a.csv", THREE_DAYS)
    assert ingest(definitions, instance).success
    assert instance.get_materialized_partitions(CURATED) == {"2013-01-01", "2013-01-02", "2013-01-03"}
    assert len(instance.get_materialized_partitions(RAW)) == 1  # the day on which the file arrived


def test_a_materialization_tells_rows_bytes_ratio_place_and_snapshot(
    lake: Lake, definitions: dg.Definitions, instance: dg.DagsterInstance
) -> None:
    drop(lake, "trips/a.csv", THREE_DAYS + b"a,2013-01-01T11:00:00Z,1,1.00\n")
    ingest(definitions, instance)
    record = instance.fetch_materializations(dg.AssetRecordsFilter(CURATED, asset_partitions=["2013-01-01"]), limit=1)
    assert record.records[0].asset_materialization is not None
    told = {name: value.value for name, value in record.records[0].asset_materialization.metadata.items()}
    assert (told["dagster/partition_row_count"], told["rows_read"]) == (1, 2)
    assert (told["rows_published"], told["rows_duplicate"], told["rows_rejected"]) == (1, 1, 0)
    assert float(str(told["bytes"])) > 0 and float(str(told["compression_ratio"])) > 0
    assert str(told["dagster/uri"]).endswith("curated/trips")
    assert "| a | 2013-01-01 11:00:00+00 | 1 | 1.00 |" in str(told["preview"])


def test_each_check_is_evaluated_for_each_partition(
    lake: Lake, definitions: dg.Definitions, instance: dg.DagsterInstance
) -> None:
    drop(lake, "trips/a.csv", THREE_DAYS)
    evaluations = ingest(definitions, instance).get_asset_check_evaluations()
    found = {(one.check_name, one.partition) for one in evaluations if one.asset_key == CURATED and one.passed}
    names = {"schema", "unknown_columns", "unique_key", "rows_accounted", "rejects"}
    assert found == {(name, f"2013-01-0{day}") for name in names for day in (1, 2, 3)}


def test_a_few_rejects_warn_on_their_partition_and_publish_the_rest(
    lake: Lake, definitions: dg.Definitions, instance: dg.DagsterInstance
) -> None:
    good = b"".join(b"g%d,2013-01-01T10:00:00Z,1,1.00\n" % n for n in range(30))
    drop(lake, "trips/a.csv", HEADER + good + b"bad,2013-01-01T10:00:00Z,far,1.00\n")
    result = ingest(definitions, instance)
    (rejects,) = [one for one in result.get_asset_check_evaluations() if one.check_name == "rejects"]
    assert (rejects.passed, rejects.severity, rejects.partition) == (False, dg.AssetCheckSeverity.WARN, "2013-01-01")
    assert rejects.metadata["rejected"].value == 1
    assert query(lake, "select count(*) n from curated.trips").table.to_pylist() == [{"n": 30}]


def test_columns_beyond_the_contract_warn_on_the_partitions_of_their_file_with_sample_values(
    lake: Lake, definitions: dg.Definitions, instance: dg.DagsterInstance
) -> None:
    drop(lake, "trips/a.csv", HEADER.replace(b"fare", b"fare,tip") + b"a,2013-01-01T10:00:00Z,1,1.00,2 euros\n")
    drop(lake, "trips/b.csv", HEADER + b"b,2013-01-02T10:00:00Z,1,1.00\n")
    evaluations = ingest(definitions, instance).get_asset_check_evaluations()
    found = {one.partition: one for one in evaluations if one.check_name == "unknown_columns"}
    assert {key: one.passed for key, one in found.items()} == {"2013-01-01": False, "2013-01-02": True}
    assert found["2013-01-01"].severity == dg.AssetCheckSeverity.WARN
    assert "tip: 1 row, such as '2 euros'" in str(found["2013-01-01"].description)


def test_a_header_that_is_not_the_agreed_one_is_told_line_by_line(
    lake: Lake, definitions: dg.Definitions, instance: dg.DagsterInstance
) -> None:
    agreed = "format: csv\n      header_sample: [id, started_at, distance, fare]"
    text = DatasetText(TRIPS.contract, changed(TRIPS.defs, "format: csv", agreed))
    dataset_of(text.write(lake.settings.defs_dir / "trips"))
    drop(lake, "trips/a.csv", b"id,started_at,fare,Distance\n")
    evaluations = ingest(definitions, instance).get_asset_check_evaluations()
    (schema,) = [one for one in evaluations if one.check_name == "schema" and not one.passed]
    assert (schema.severity, schema.partition) == (dg.AssetCheckSeverity.ERROR, None)
    assert str(schema.metadata["details"].value).startswith(
        "```\na.csv: the header differs from the agreed header_sample:"
    )
    assert "\n  case     Distance instead of distance\n" in str(schema.metadata["details"].value)


def test_a_file_that_cannot_be_read_is_seen_on_both_assets_and_harms_no_other(
    lake: Lake, definitions: dg.Definitions, instance: dg.DagsterInstance
) -> None:
    drop(lake, "trips/bad.csv", b"no,such,columns\n1,2,3\n")
    drop(lake, "trips/good.csv", THREE_DAYS)
    result = ingest(definitions, instance)
    failed = {(one.asset_key, one.check_name): one for one in result.get_asset_check_evaluations() if not one.passed}
    assert set(failed) == {(CURATED, "schema"), (RAW, NOTHING_SET_ASIDE)}
    assert failed[CURATED, "schema"].severity == dg.AssetCheckSeverity.ERROR
    assert "required columns are missing: id" in str(failed[CURATED, "schema"].description)
    assert query(lake, "select count(*) n from curated.trips").table.to_pylist() == [{"n": 3}]


def test_materializing_a_range_rebuilds_exactly_these_partitions_in_one_run(
    lake: Lake, definitions: dg.Definitions, instance: dg.DagsterInstance
) -> None:
    drop(lake, "trips/a.csv", THREE_DAYS)
    ingest(definitions, instance)
    before, rows = paths_by_partition(lake), query(lake, "from curated.trips order by id").table
    result = rebuild(definitions, instance, "2013-01-02", "2013-01-03")
    after = paths_by_partition(lake)
    assert result.success and query(lake, "from curated.trips order by id").table == rows
    assert after["2013-01-01"] == before["2013-01-01"]
    assert not after["2013-01-02"] & before["2013-01-02"] and not after["2013-01-03"] & before["2013-01-03"]
    told = [event.partition for event in result.get_asset_materialization_events()]
    assert sorted(str(partition) for partition in told) == ["2013-01-02", "2013-01-03"]


@pytest.mark.parametrize("last", ["2013-01-02", "2013-01-03"])
def test_a_range_reports_a_check_for_each_of_its_partitions(
    lake: Lake, definitions: dg.Definitions, instance: dg.DagsterInstance, last: str
) -> None:
    """Else Dagster leaves them planned for ever and the UI calls the check skipped, for a range of one too."""
    drop(lake, "trips/a.csv", THREE_DAYS)
    ingest(definitions, instance)
    result = rebuild(definitions, instance, "2013-01-02", last)
    unique = {one.partition for one in result.get_asset_check_evaluations() if one.check_name == "unique_key"}
    assert {"2013-01-02", last} <= unique


def test_a_partition_without_rows_is_materialized_empty(
    lake: Lake, definitions: dg.Definitions, instance: dg.DagsterInstance
) -> None:
    """Dagster marks a requested partition without a materialization as failed."""
    drop(lake, "trips/a.csv", THREE_DAYS)
    ingest(definitions, instance)
    assert rebuild(definitions, instance, "2013-02-01", "2013-02-02").success
    assert {"2013-02-01", "2013-02-02"} <= instance.get_materialized_partitions(CURATED)


def test_the_columns_are_told_with_types_constraints_and_descriptions(definitions: dg.Definitions) -> None:
    schema = definitions.resolve_asset_graph().get(CURATED).metadata["dagster/column_schema"].value
    first = schema.columns[0]
    assert (first.name, first.type, first.constraints.nullable, first.constraints.unique) == (
        "id",
        "string",
        False,
        True,
    )
    assert [column.name for column in schema.columns[-3:]] == ["_file_id", "_row", "_ingested_at"]


def test_pristine_finds_a_raw_file_that_was_tampered_with(
    lake: Lake, definitions: dg.Definitions, instance: dg.DagsterInstance
) -> None:
    drop(lake, "trips/a.csv", THREE_DAYS)
    ingest(definitions, instance)
    (file,) = lake.ledger.list_files("trips")
    lake.store.write(str(file.raw_key), THREE_DAYS + b"forged")
    checks = [check for check in definitions.asset_checks or [] if isinstance(check, dg.AssetChecksDefinition)]
    result = (
        dg.Definitions(asset_checks=checks)
        .resolve_implicit_global_asset_job_def()
        .execute_in_process(instance=instance)
    )
    (pristine,) = [one for one in result.get_asset_check_evaluations() if one.check_name == "pristine"]
    assert not pristine.passed and "other bytes" in str(pristine.metadata["altered"].value)


def test_transient_errors_are_retried_and_permanent_ones_are_not() -> None:
    with pytest.raises(dg.RetryRequested), told_to_dagster():
        raise StoreUnavailable("the disk is full")
    with pytest.raises(dg.Failure, match="line 3") as caught, told_to_dagster():
        raise ContractError("line 3 is wrong")
    assert caught.value.allow_retries is False


def test_what_a_crash_kept_from_being_told_is_told_by_the_next_run(
    lake: Lake, definitions: dg.Definitions, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    drop(lake, "trips/a.csv", THREE_DAYS)
    with monkeypatch.context() as dying:
        dying.setattr(Ledger, "settle_batch", died)
        dying.setattr("slice_platform.lake.attempts.recover", lambda *_: [])
        definitions.resolve_job_def("ingest_trips").execute_in_process(instance=instance, raise_on_error=False)
    assert not instance.get_materialized_partitions(CURATED) and lake.ledger.unfinished_datasets() == {"trips"}
    ingest(definitions, instance)
    assert instance.get_materialized_partitions(CURATED) == {"2013-01-01", "2013-01-02", "2013-01-03"}
    assert lake.ledger.unfinished_datasets() == set()


def died(*_args: object, **_options: object) -> None:
    raise StoreUnavailable("as if the process had died")


def test_rows_that_do_not_add_up_fail_their_check_and_the_run(
    lake: Lake, definitions: dg.Definitions, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    drop(lake, "trips/a.csv", THREE_DAYS)
    monkeypatch.setattr("slice_platform.lake.publish.count_by_file", lambda *_: {1: 2})
    result = definitions.resolve_job_def("ingest_trips").execute_in_process(instance=instance, raise_on_error=False)
    (log,) = instance.all_logs(result.run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION)
    assert not result.success and log.dagster_event is not None
    failed = log.dagster_event.asset_check_evaluation_data
    assert (failed.check_name, failed.passed) == ("rows_accounted", False)
    assert "does not add up; nothing was committed" in str(failed.description)


def test_dagster_takes_every_label_that_is_taken_here(tmp_path: Path) -> None:
    labels = 'owners: ["team:sales & co", a.b+c@shop.example.com]\n  tags: {team-x.y/domain_1: "a-B.c_1", empty: ""}'
    text = DatasetText(TRIPS.contract, changed(TRIPS.defs, "mode: merge", f"mode: merge\n  {labels}"))
    spec = dataset_of(text.write(tmp_path / "trips")).spec
    made = dg.AssetSpec("trips", owners=list(spec.owners), tags=spec.tags)
    assert len(made.owners) == 2 and len(made.tags) == 2
