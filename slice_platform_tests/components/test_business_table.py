"""The component: what the UI is told of a business table, and what materializing it by hand does."""

from pathlib import Path

import dagster as dg
import pytest

from slice_platform.components.runtime import tables_at
from slice_platform.errors import ContractError, StoreUnavailable
from slice_platform.lake.business.build import build
from slice_platform.ledger import Ledger
from slice_platform_tests.components.tables import Deployment, MadeOf, evaluations
from slice_platform_tests.lake.business.models import DAILY, MODELS, ModelText, land, rows, trip
from slice_platform_tests.samples import TRIPS, DatasetText, changed

KEY = dg.AssetKey(["business", "daily"])
JUDGED = ModelText(
    DAILY.sql,
    DAILY.defs
    + "  checks:\n    - {name: short, metric: invalidValues, arguments: {properties: [distance], pattern: '\\d{1,2}'},"
    " mustBe: 0}\n    - {name: busy, metric: rowCount, mustBeGreaterThan: 1, severity: warning}\n",
)
DAYS = ("2013-01-01", "2013-01-02", "2013-01-03")


@pytest.fixture
def judged(made_of: MadeOf) -> Deployment:
    """Three days, of which one has a trip that a check refuses."""
    world = made_of({"daily": JUDGED})
    land(world.lake, "a.jsonl", *(trip(day, day, 500 if day == DAYS[1] else 5) for day in DAYS))
    return world


def node(world: Deployment, key: str) -> dg.AssetSpec:
    specs = world.definitions.resolve_all_asset_specs()
    (found,) = [one for one in specs if one.key == dg.AssetKey(key.split("/"))]
    return found


def test_a_table_shows_what_it_is_and_its_sql(made_of: MadeOf) -> None:
    daily = node(made_of(), "business/daily")
    assert (daily.group_name, daily.kinds) == ("business", {"iceberg", "parquet", "duckdb", "sql"})
    assert daily.tags["slice/tier"] == "business"
    assert daily.description == f"Trips of a day.\n\n```sql\n{DAILY.sql.strip()}\n```"
    assert daily.metadata["dagster/table_name"] == "business.daily"


def test_a_table_comes_after_what_it_reads_partition_by_partition(made_of: MadeOf) -> None:
    world = made_of()
    found = {
        name: [(dep.asset_key.to_user_string(), type(dep.partition_mapping).__name__) for dep in node(world, name).deps]
        for name in ("business/daily", "business/monthly", "business/totals")
    }
    assert found == {
        "business/daily": [("curated/trips", "TimeWindowPartitionMapping")],
        "business/monthly": [("business/daily", "TimeWindowPartitionMapping")],
        "business/totals": [("curated/trips", "AllPartitionMapping")],
    }


def test_what_is_read_whole_or_in_a_fixed_time_is_behind_every_partition(made_of: MadeOf) -> None:
    above = """select trips.started_at::date as day, count(*) as trips
        from curated.trips, (select max(trips) from business.daily)
        where trips.started_at >= $partition_start and trips.started_at < $partition_end group by all"""
    fixed = """select started_at::date as day, count(*) as trips from curated.trips
        where started_at >= timestamptz '2013-01-01 00:00:00Z' and started_at < timestamptz '2013-01-02 00:00:00Z'
        and $partition_start < $partition_end group by all"""
    world = made_of({"daily": DAILY, "above": ModelText(above, DAILY.defs), "fixed": ModelText(fixed, DAILY.defs)})
    found = {
        (name, dep.asset_key.to_user_string()): type(dep.partition_mapping)
        for name in ("above", "fixed")
        for dep in node(world, f"business/{name}").deps
    }
    assert found == {
        ("above", "business/daily"): dg.AllPartitionMapping,
        ("above", "curated/trips"): dg.TimeWindowPartitionMapping,
        ("fixed", "curated/trips"): dg.AllPartitionMapping,
    }


def test_the_days_of_a_month_are_those_that_it_is_made_from(made_of: MadeOf) -> None:
    graph = made_of().definitions.resolve_asset_graph()
    month = dg.AssetKey(["business", "monthly"])
    days, months = graph.get(KEY).partitions_def, graph.get(month).partitions_def
    assert days is not None and months is not None
    found = graph.get_partition_mapping(month, KEY).get_upstream_mapped_partitions_result_for_partitions(
        months.subset_with_partition_keys(["2013-02"]), months, days
    )
    assert len(list(found.partitions_subset.get_partition_keys())) == 28


def test_the_columns_are_told_with_types_keys_and_descriptions(made_of: MadeOf) -> None:
    with_words = ModelText(DAILY.sql, DAILY.defs + "  columns: {trips: How many.}\n")
    schema = node(made_of({"daily": with_words}), "business/daily").metadata["dagster/column_schema"].value
    assert [(one.name, one.type, one.description, one.constraints.nullable) for one in schema.columns] == [
        ("day", "date", "From `curated.trips.started_at`.", False), ("trips", "integer", "How many.", True),
        ("distance", "integer", "From `curated.trips.distance`.", True),
    ]  # fmt: skip
    assert schema.columns[0].constraints.unique and not schema.columns[1].constraints.unique


def test_each_column_tells_what_it_is_made_of(made_of: MadeOf) -> None:
    lineage = node(made_of(), "business/monthly").metadata["dagster/column_lineage"].value
    found = {
        there: [(dep.asset_key.to_user_string(), dep.column_name) for dep in deps]
        for there, deps in lineage.deps_by_column.items()
    }
    assert found["trips"] == [("business/daily", "trips")] and found["month"] == [("business/daily", "day")]


def test_a_refresh_tells_of_each_partition_and_shows_its_rows(made_of: MadeOf) -> None:
    world = made_of({"daily": DAILY})
    land(world.lake, "a.jsonl", *(trip(day, day, 7) for day in DAYS))
    done = world.refresh("daily")
    assert world.materialized("business/daily") == set(DAYS)
    told = {name: value.value for name, value in world.shown("business/daily", DAYS[1]).items()}
    assert (told["dagster/partition_row_count"], told["changed"], told["version"]) == (1, True, 1)
    assert "| 2013-01-02 | 1 | 7 |" in str(told["preview"]) and str(told["dagster/uri"]).endswith("business/daily")
    assert "dagster/column_lineage" in told
    assert evaluations(done, "unique_key") == dict.fromkeys(DAYS, True)


def test_a_whole_table_is_one_materialization(made_of: MadeOf) -> None:
    world = made_of()
    land(world.lake, "a.jsonl", trip(DAYS[0], "a", 7))
    assert world.refresh("totals").success
    assert world.shown("business/totals")["dagster/row_count"].value == 1
    land(world.lake, "b.jsonl", trip(DAYS[0], "b", 9))
    assert world.materialize("business/totals").success
    assert rows(world.lake, "from business.totals") == [(9, 2)]


def test_a_range_is_built_in_one_run_and_one_commit(made_of: MadeOf) -> None:
    world = made_of({"daily": DAILY})
    land(world.lake, "a.jsonl", *(trip(day, day) for day in DAYS))
    done = world.materialize("business/daily", DAYS[0], DAYS[2])
    assert done.success and world.materialized("business/daily") == set(DAYS)
    assert evaluations(done, "rows_in_partition") == dict.fromkeys((*DAYS, None), True)
    told = [world.shown("business/daily", day) for day in DAYS]
    assert {one["dagster/partition_row_count"].value for one in told} == {1}
    assert len({one["snapshot_id"].value for one in told}) == 1
    assert world.tick() == []


def test_a_backfill_is_one_run(made_of: MadeOf) -> None:
    world = made_of({"daily": DAILY})
    policy = world.definitions.resolve_asset_graph().get(KEY).backfill_policy
    assert policy == dg.BackfillPolicy.single_run()


def test_one_partition_is_built_whether_it_is_behind_or_not(made_of: MadeOf) -> None:
    world = made_of({"daily": DAILY})
    land(world.lake, "a.jsonl", *(trip(day, day) for day in DAYS))
    world.settle()
    done = world.materialize("business/daily", DAYS[1])
    assert done.success and evaluations(done, "unique_key") == {DAYS[1]: True}
    assert world.shown("business/daily", DAYS[1])["changed"].value is False


def test_a_partition_without_rows_is_materialized_empty(made_of: MadeOf) -> None:
    """Dagster marks a requested partition without a materialization as failed."""
    world = made_of({"daily": DAILY})
    land(world.lake, "a.jsonl", trip(DAYS[0], "a"))
    assert world.materialize("business/daily", "2013-03-01", "2013-03-02").success
    assert world.shown("business/daily", "2013-03-02")["dagster/partition_row_count"].value == 0


def test_a_blocking_check_fails_the_run_and_leaves_the_partition_as_it_was(made_of: MadeOf) -> None:
    world = made_of({"daily": JUDGED})
    land(world.lake, "a.jsonl", trip(DAYS[0], "a", 5))
    assert world.materialize("business/daily", DAYS[0]).success
    land(world.lake, "b.jsonl", trip(DAYS[0], "b", 500))
    done = world.materialize("business/daily", DAYS[0])
    assert not done.success and evaluations(done, "short") == {DAYS[0]: False}
    assert rows(world.lake, "select trips, distance from business.daily") == [(1, 5)]
    assert world.shown("business/daily", DAYS[0])["dagster/partition_row_count"].value == 1
    assert done.get_asset_materialization_events() == []  # what was refused is not shown as made


def test_of_a_range_the_partitions_that_pass_are_published_and_shown(judged: Deployment) -> None:
    done = judged.materialize("business/daily", DAYS[0], DAYS[2])
    assert not done.success
    found = evaluations(done, "short")
    assert {day: found[day] for day in DAYS} == {DAYS[0]: True, DAYS[1]: False, DAYS[2]: True}
    assert judged.materialized("business/daily") == {DAYS[0], DAYS[2]}
    assert rows(judged.lake, "select day::varchar from business.daily order by 1") == [(DAYS[0],), (DAYS[2],)]
    (failure,) = done.get_step_failure_events()
    assert failure.step_failure_data.user_failure_data
    assert "refused 2013-01-02" in str(failure.step_failure_data.user_failure_data.description)


def test_a_refresh_goes_on_past_what_is_refused_and_tells_it(judged: Deployment) -> None:
    done = judged.refresh("daily")
    assert done.success and evaluations(done, "short") == {DAYS[0]: True, DAYS[1]: False, DAYS[2]: True}
    (failed,) = [one for one in done.get_asset_check_evaluations() if one.check_name == "short" and not one.passed]
    assert failed.severity == dg.AssetCheckSeverity.ERROR and str(failed.description).startswith("2013-01-02: ")
    assert judged.materialized("business/daily") == {DAYS[0], DAYS[2]}


def test_a_check_that_warns_publishes(judged: Deployment) -> None:
    done = judged.refresh("daily")
    warned = [one for one in done.get_asset_check_evaluations() if one.check_name == "busy"]
    assert {(one.passed, one.severity) for one in warned} == {(False, dg.AssetCheckSeverity.WARN)}


def test_a_definition_that_changed_shows_every_partition_that_it_made_anew(made_of: MadeOf) -> None:
    """The table cannot have old rows beside new ones, so that a run for one partition makes the others as well."""
    world = made_of({"daily": DAILY})
    land(world.lake, "a.jsonl", *(trip(day, day) for day in DAYS))
    world.settle()
    text = changed(DAILY.sql, "count(*) as trips", "count(*)::varchar || ' trips' as trips")
    anew = made_of({"daily": ModelText(text, DAILY.defs)})
    done = anew.materialize("business/daily", DAYS[1])
    assert done.success, [one.step_failure_data.error for one in done.get_step_failure_events()]
    assert rows(anew.lake, "select distinct trips from business.daily") == [("1 trips",)]
    assert "1 trips" in str(anew.shown("business/daily", DAYS[2])["preview"].value)


def test_what_a_crash_kept_from_being_told_is_told_by_the_next_run(
    made_of: MadeOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = made_of({"daily": DAILY})
    land(world.lake, "a.jsonl", *(trip(day, day) for day in DAYS))
    with monkeypatch.context() as dying:
        dying.setattr(Ledger, "settle_batch", died)
        dying.setattr("slice_platform.lake.attempts.recover", lambda *_: [])
        with pytest.raises(StoreUnavailable):
            build(world.lake, world.lake.business["daily"], [DAYS[0]])
    done = world.materialize("business/daily", DAYS[1])
    assert done.success, [one.step_failure_data.error for one in done.get_step_failure_events()]
    assert world.materialized("business/daily") == {DAYS[0], DAYS[1]}


def died(*_args: object, **_options: object) -> None:
    raise StoreUnavailable("as if the process had died")


def test_what_is_classified_is_neither_previewed_nor_shown_by_a_check(made_of: MadeOf) -> None:
    secret = changed(TRIPS.contract, "name: fare\n", "name: fare\n        classification: restricted\n")
    allowed = ModelText(
        changed(DAILY.sql, "count(*) as trips", "count(*) as trips, max(fare) as fare"),
        DAILY.defs + "  personal: {fare: {allow: for the books of the company}}\n",
    )
    world = made_of({"daily": allowed}, DatasetText(secret, TRIPS.defs))
    land(world.lake, "a.jsonl", trip(DAYS[0], "a"))
    assert world.refresh("daily").success
    preview = str(world.shown("business/daily", DAYS[0])["preview"].value)
    assert "(classified)" in preview and "1.5" not in preview


def test_a_mistake_in_a_model_names_its_line(made_of: MadeOf, tmp_path: Path) -> None:
    made_of(MODELS)
    ModelText(changed(DAILY.sql, "from curated.trips", "from curated.tips"), DAILY.defs).write(
        tmp_path / "defs/business/daily"
    )
    with pytest.raises(ContractError, match=r"model\.sql:2: .*curated\.tips"):
        tables_at(tmp_path / "defs")
