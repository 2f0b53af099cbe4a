"""Copies in a database as assets: what their pages tell, and what materializing them by hand repairs."""

import dagster as dg
import pytest

from slice_platform.cli.runs import why_failed
from slice_platform_tests.components.tables import Database, Deployment, MadeOf, evaluations
from slice_platform_tests.lake.business.models import DAILY, WHOLE, ModelText, land, trip
from slice_platform_tests.projections.copies import item, projected, projected_trips
from slice_platform_tests.samples import TRIPS, DatasetText, changed

DAYS = ("2013-01-01", "2013-01-02", "2013-01-03")
COPY = "rds/daily"


@pytest.fixture
def daily(made_of: MadeOf, database: Database) -> Deployment:
    """Three days, built and in the database."""
    world = made_of({"daily": projected(DAILY, "postgres")})
    land(world.lake, "a.jsonl", *(trip(day, day, 7) for day in DAYS))
    world.settle()
    return world


def materialized_by(world: Deployment, done: dg.ExecuteInProcessResult) -> list[str | None]:
    logs = world.instance.all_logs(done.run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION)
    return [one.dagster_event.partition for one in logs if one.dagster_event]


def test_a_copy_shows_what_it_is_where_it_is_and_its_columns(daily: Deployment) -> None:
    (copy,) = [one for one in daily.definitions.resolve_all_asset_specs() if one.key == dg.AssetKey(["rds", "daily"])]
    assert (copy.group_name, copy.kinds, copy.tags["slice/tier"]) == ("rds", {"postgres", "table"}, "rds")
    assert copy.metadata["dagster/table_name"] == "shop.daily"
    schema = copy.metadata["dagster/column_schema"].value
    assert [(one.name, one.type) for one in schema.columns] == [
        ("day", "DATE"), ("trips", "BIGINT"), ("distance", "BIGINT"),
    ]  # fmt: skip
    assert [dep.asset_key.to_user_string() for dep in copy.deps] == ["business/daily"]


def test_a_copy_tells_what_each_column_is_made_of_by_the_names_there(made_of: MadeOf) -> None:
    renamed = made_of({"daily": projected(DAILY, "postgres", table="days", columns="{day: on_day, trips: n}")})
    (copy,) = [one for one in renamed.definitions.resolve_all_asset_specs() if one.key.path[0] == "rds"]
    deps = copy.metadata["dagster/column_lineage"].value.deps_by_column
    assert copy.key.path[-1] == "days"
    assert {there: deps[there][0].column_name for there in deps} == {"on_day": "day", "n": "trips"}


def test_a_refresh_brings_each_partition_and_tells_of_it(daily: Deployment, database: Database) -> None:
    assert database.rows("select day::text, trips, distance from daily order by 1") == [(day, 1, 7) for day in DAYS]
    assert daily.materialized(COPY) == set(DAYS)
    told = {name: value.value for name, value in daily.shown(COPY, DAYS[1]).items()}
    assert (told["dagster/partition_row_count"], told["rows_inserted"], told["rows_deleted"]) == (1, 1, 0)
    assert told["was_there"] is False


def test_materializing_a_partition_by_hand_repairs_it_and_no_other(daily: Deployment, database: Database) -> None:
    database.rows("update daily set distance = 99")
    done = daily.materialize(COPY, DAYS[1])
    assert done.success and evaluations(done, "in_step") == {DAYS[1]: True}
    assert database.rows("select distance from daily order by day") == [(99,), (7,), (99,)]


def test_materializing_a_range_is_one_run_with_a_materialization_and_a_check_for_each(
    daily: Deployment, database: Database
) -> None:
    database.rows("delete from daily")
    done = daily.materialize(COPY, DAYS[0], DAYS[2])
    assert done.success and evaluations(done, "in_step") == dict.fromkeys((*DAYS, None), True)
    told = [one.partition for one in done.get_asset_materialization_events()]
    assert sorted(map(str, told)) == list(DAYS)
    assert database.rows("select count(*) from daily") == [(3,)]
    graph = daily.definitions.resolve_asset_graph()
    assert graph.get(dg.AssetKey(["rds", "daily"])).backfill_policy == dg.BackfillPolicy.single_run()


def test_a_partition_that_the_lake_has_not_is_brought_empty(daily: Deployment, database: Database) -> None:
    assert daily.materialize(COPY, "2013-02-01", "2013-02-02").success
    assert daily.shown(COPY, "2013-02-02")["dagster/partition_row_count"].value == 0
    assert daily.tick() == [] and database.rows("select count(*) from daily") == [(3,)]


def test_a_copy_without_partitions_is_one_materialization(made_of: MadeOf, database: Database) -> None:
    world = made_of({"totals": projected(WHOLE, "postgres")})
    land(world.lake, "a.jsonl", trip(DAYS[0], "a", 7))
    world.settle()
    database.rows("update totals set longest = 1")
    done = world.materialize("rds/totals")
    assert done.success and evaluations(done, "in_step") == {None: True}
    assert database.rows("select longest, trips from totals") == [(7, 1)]
    assert world.shown("rds/totals")["rows_inserted"].value == 1


def test_rows_that_the_database_cannot_take_fail_the_run_and_keep_no_other_partition(
    made_of: MadeOf, database: Database
) -> None:
    world = made_of({}, projected_trips("postgres", types="{id: VARCHAR(3)}"))
    land(world.lake, "a.jsonl", trip(DAYS[0], "a"), trip(DAYS[1], "much too long"), trip(DAYS[2], "c"))
    for is_by_hand in (False, True):
        done = world.materialize("rds/trips", DAYS[0], DAYS[2]) if is_by_hand else world.refresh("trips")
        assert not done.success
        said = why_failed(done)
        assert "cannot take 1 of 3 partitions" in said and DAYS[1] in said and "types:" in said
        assert materialized_by(world, done) == [DAYS[0], DAYS[2]]
    assert database.rows("select id from trips order by 1") == [("a",), ("c",)]


def test_one_copy_that_fails_keeps_no_other(made_of: MadeOf, database: Database) -> None:
    """Nobody answers where Redshift is said to be."""
    both = ModelText(DAILY.sql, DAILY.defs + item("postgres") + item("redshift").split("\n", 1)[1])
    world = made_of({"daily": both})
    land(world.lake, "a.jsonl", trip(DAYS[0], "a"))
    assert not world.refresh("daily").success
    assert database.rows("select trips from daily") == [(1,)]
    assert world.materialized(COPY) == {DAYS[0]} and world.materialized("redshift/daily") == set()


def test_a_destination_that_is_not_configured_says_which_there_are(
    daily: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLICE_POSTGRES_DATABASES", "analytics")
    done = daily.materialize(COPY, DAYS[0])
    assert "'shop' is no database" in why_failed(done) and "there are: analytics" in why_failed(done)


def test_personal_data_is_treated_on_its_way_and_shown_nowhere(made_of: MadeOf, database: Database) -> None:
    secret = changed(TRIPS.contract, "name: fare\n", "name: fare\n        classification: restricted\n")
    world = made_of({}, DatasetText(secret, projected_trips("postgres", personal="{fare: drop}").defs))
    land(world.lake, "a.jsonl", trip(DAYS[0], "a"))
    assert world.settle() == ["trips"]
    names = [name for (name,) in database.rows(
        "select column_name from information_schema.columns where table_name = 'trips'")]  # fmt: skip
    assert "id" in names and "fare" not in names
