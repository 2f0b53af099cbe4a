"""What the assets' pages show: the files behind a partition, what became of a day's files, rejects, freshness."""

import asyncio
import time
from datetime import timedelta
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.freshness_evaluator import FRESHNESS_EVALUATORS_BY_POLICY_TYPE
from dagster._core.loader import LoadingContextForTest
from dagster._core.test_utils import freeze_time

from slice_platform.components.corrections import correction_jobs
from slice_platform.components.lake_dataset import LakeDataset
from slice_platform.lake.dataset import dataset_of
from slice_platform.lake.lake import Lake
from slice_platform_tests.samples import TRIPS, DatasetText, changed, drop

CURATED = dg.AssetKey(["curated", "trips"])
RAW = dg.AssetKey(["raw", "trips"])
HEADER = b"id,started_at,distance,fare\n"
A = HEADER + b"a,2013-01-01T10:00:00Z,1,1.00\nb,2013-01-01T11:00:00Z,1,1.00\n"
CORRECTED = HEADER + b"a,2013-01-01T10:00:00Z,5,1.00\n"
BAD = HEADER + b"".join(b"g%d,2013-01-01T10:00:00Z,1,1.00\n" % n for n in range(30)) + b"x,2013-01-01T10:00:00Z,far,1\n"
Rows = list[dict[str, object]]


def ingest(definitions: dg.Definitions, instance: dg.DagsterInstance) -> dg.ExecuteInProcessResult:
    return definitions.resolve_job_def("ingest_trips").execute_in_process(instance=instance)


def latest(instance: dg.DagsterInstance, key: dg.AssetKey, partition: str | None = None) -> dict[str, dg.MetadataValue]:
    wanted = dg.AssetRecordsFilter(key, asset_partitions=[partition] if partition else None)
    event = instance.fetch_materializations(wanted, limit=1).records[0].asset_materialization
    assert event is not None
    return dict(event.metadata)


def table(metadata: dict[str, dg.MetadataValue], name: str) -> Rows:
    value = metadata[name]
    assert isinstance(value, dg.TableMetadataValue)
    return [dict(record.data) for record in value.records]


def objects(metadata: dict[str, dg.MetadataValue]) -> dict[str, dict[str, str]]:
    found = metadata["objects"].value
    assert isinstance(found, dict)
    return found


def columns(rows: Rows, *names: str) -> list[tuple[object, ...]]:
    return [tuple(row[name] for name in names) for row in rows]


def test_a_partition_shows_both_versions_of_a_corrected_file_and_links_to_their_day(
    lake: Lake, definitions: dg.Definitions, instance: dg.DagsterInstance
) -> None:
    drop(lake, "trips/a.csv", A)
    ingest(definitions, instance)
    drop(lake, "trips/a.csv", CORRECTED)
    ingest(definitions, instance)
    told = latest(instance, CURATED, "2013-01-01")
    found = columns(table(told, "sources"), "id", "file", "rows here", "read", "hidden", "status")
    assert found == [
        ("2", "a.csv", "1", "1", "0", "published"),
        ("1", "a.csv", "0", "2", "2", "superseded by 2"),
    ]
    assert {name: Path(one["kept at"]).stat().st_size for name, one in objects(told).items()} == {
        "2": len(CORRECTED),
        "1": len(A),
    }
    day = f"{lake.ledger.list_files('trips')[0].received_at:%Y-%m-%d}"
    assert told["arrived_on"].value == f"[{day}](/assets/raw/trips?view=partitions&partition={day})"


def test_the_day_of_arrival_shows_what_became_of_its_files(
    lake: Lake, definitions: dg.Definitions, instance: dg.DagsterInstance
) -> None:
    drop(lake, "trips/a.csv", A)
    drop(lake, "trips/bad.csv", BAD)
    drop(lake, "trips/c.csv", b"")
    ingest(definitions, instance)
    told = latest(instance, RAW)
    assert columns(table(told, "arrivals"), "file", "status", "in table", "rejected") == [
        ("c.csv", "quarantined: schema: the file is empty: 0 bytes", "0", "0"),
        ("bad.csv", "published", "30", "1"),
        ("a.csv", "published", "2", "0"),
    ]
    figures = {name: told[name].value for name in ("files", "files_quarantined", "rows_read", "rows_rejected")}
    assert figures == {"files": 3, "files_quarantined": 1, "rows_read": 33, "rows_rejected": 1}
    assert Path(objects(told)["3"]["set aside at"]).is_dir()
    assert Path(objects(told)["2"]["rejects"]).is_file()


def test_a_file_that_is_taken_back_shows_on_its_day_and_its_partition(
    lake: Lake, definitions: dg.Definitions, instance: dg.DagsterInstance
) -> None:
    drop(lake, "trips/a.csv", A)
    ingest(definitions, instance)
    retract = next(job for job in correction_jobs() if job.name == "retract")
    config = {"ops": {"retract_file": {"config": {"dataset": "trips", "file": "a.csv"}}}}
    assert retract.execute_in_process(run_config=config, instance=instance).success
    for told in (
        table(latest(instance, RAW), "arrivals"),
        table(latest(instance, CURATED, "2013-01-01"), "sources"),
    ):
        assert columns(told, "file", "hidden", "status") == [("a.csv", "2", "retracted")]


def test_the_check_of_rejects_shows_the_first_of_them_and_where_all_are(
    lake: Lake, definitions: dg.Definitions, instance: dg.DagsterInstance
) -> None:
    drop(lake, "trips/bad.csv", BAD)
    (rejects,) = [one for one in ingest(definitions, instance).get_asset_check_evaluations() if not one.passed]
    assert (rejects.check_name, rejects.severity) == ("rejects", dg.AssetCheckSeverity.WARN)
    assert table(dict(rejects.metadata), "first_rejects") == [
        {
            "file": "bad.csv",
            "line": "32",
            "column": "distance",
            "reason": "'far' is not integer",
            "text of the row": "x,2013-01-01T10:00:00Z,far,1",
        }
    ]
    assert Path(str(rejects.metadata["all_rejects"].value)).read_text().count("\n") == 2


def test_a_file_with_too_many_rejects_shows_them_too(
    lake: Lake, definitions: dg.Definitions, instance: dg.DagsterInstance
) -> None:
    drop(lake, "trips/bad.csv", HEADER + b"x,2013-01-01T10:00:00Z,far,1\ny,when,1,1\n")
    evaluations = ingest(definitions, instance).get_asset_check_evaluations()
    (rejects,) = [one for one in evaluations if one.check_name == "rejects" and not one.passed]
    assert (rejects.severity, rejects.partition) == (dg.AssetCheckSeverity.ERROR, None)
    assert columns(table(dict(rejects.metadata), "first_rejects"), "line") == [("2",), ("3",)]


@pytest.mark.parametrize(
    ("hours", "state"), [(0, "PASS"), (23.9, "PASS"), (24.1, "WARN"), (29.9, "WARN"), (30.1, "FAIL")]
)
def test_a_table_is_due_and_then_stale_as_its_contract_says(
    lake: Lake, instance: dg.DagsterInstance, hours: float, state: str
) -> None:
    definitions = with_service_levels(lake, "frequency, value: 1, unit: d", "latency, value: 6, unit: h")
    assert freshness(definitions, instance) == "UNKNOWN"  # nothing ever came
    drop(lake, "trips/a.csv", A)
    ingest(definitions, instance)
    with freeze_time(time.time() + timedelta(hours=hours).total_seconds()):
        assert freshness(definitions, instance) == state


def test_a_table_must_have_changed_in_the_day_before_its_deadline(lake: Lake, instance: dg.DagsterInstance) -> None:
    definitions = with_service_levels(lake, 'timeOfAvailability, value: "09:30-08:00"')
    policy = definitions.resolve_asset_graph().get(CURATED).freshness_policy
    assert isinstance(policy, dg.FreshnessPolicy)
    assert (policy.deadline_cron, policy.timezone) == ("30 17 * * *", "UTC")  # type: ignore[attr-defined]
    drop(lake, "trips/a.csv", A)
    ingest(definitions, instance)
    assert freshness(definitions, instance) == "PASS"
    with freeze_time(time.time() + timedelta(days=3).total_seconds()):
        assert freshness(definitions, instance) == "FAIL"


def test_a_contract_that_asks_for_nothing_gives_no_policy(definitions: dg.Definitions) -> None:
    assert definitions.resolve_asset_graph().get(CURATED).freshness_policy is None


def with_service_levels(lake: Lake, *rules: str) -> dg.Definitions:
    text = "".join(f"  - {{property: {rule}}}\n" for rule in rules)
    contract = changed(TRIPS.contract, "schema:\n", f"slaProperties:\n{text}schema:\n")
    dataset = dataset_of(DatasetText(contract, TRIPS.defs).write(lake.settings.defs_dir / "trips"))
    return dg.build_defs_for_component(LakeDataset(dataset))


def freshness(definitions: dg.Definitions, instance: dg.DagsterInstance) -> str:
    """What Dagster's own evaluator says, as its daemon asks it."""
    node = definitions.resolve_asset_graph().get(CURATED)
    assert node.freshness_policy is not None
    evaluator = FRESHNESS_EVALUATORS_BY_POLICY_TYPE[type(node.freshness_policy)]()
    return asyncio.run(evaluator.evaluate_freshness(LoadingContextForTest(instance), node)).value
