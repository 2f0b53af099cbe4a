"""Personal data on its way into a database: treated as the projection says, and in no message."""

from collections.abc import Callable
from pathlib import Path

import pytest

from slice_platform.lake.business.build import refresh
from slice_platform.warehouse.drop_path import DestinationName
from slice_platform_tests.conftest import MakeLake
from slice_platform_tests.lake.business.models import MODELS, ModelText, land, trip
from slice_platform_tests.projections.copies import brought, copies, item, projected
from slice_platform_tests.samples import TRIPS, DatasetText, changed
from slice_platform_tests.warehouse.worlds import World

MakeWorld = Callable[[DestinationName], World]
NAMED = DatasetText(
    TRIPS.contract
    + """\
      - name: rider
        logicalType: string
        classification: confidential
      - name: note
        logicalType: string
        logicalTypeOptions: {maxLength: 10}
""",
    TRIPS.defs,
)


@pytest.fixture
def database(make_world: MakeWorld) -> World:
    return make_world("postgres")


def named(name: str, day: str, rider: str, note: str = "") -> str:
    return trip(day, name).replace("}", f', "rider": "{rider}", "note": "{note}"}}')


HASH_KEY = {"personal_hash_key": "k" * 64}


@pytest.mark.parametrize(("rule", "shown"), [("mask", "***"), ("hash", None), ("{allow: they are billed}", "ann")])
def test_personal_data_goes_as_the_projection_says(
    make_lake: MakeLake, database: World, tmp_path: Path, rule: str, shown: str | None
) -> None:
    text = DatasetText(NAMED.contract, NAMED.defs + item("postgres", personal=f"{{rider: {rule}}}"))
    these = copies(make_lake, database, tmp_path, {}, text, **HASH_KEY)
    land(these.lake, "a.jsonl", named("a", "2013-01-05", "ann"))
    these.refresh()
    ((found,),) = database.rows('select rider from {}"trips"')
    assert found == shown if shown else len(found) == 64
    assert these.problems("trips") == {}


def test_personal_data_that_is_dropped_is_no_column(make_lake: MakeLake, database: World, tmp_path: Path) -> None:
    text = DatasetText(NAMED.contract, NAMED.defs + item("postgres", personal="{rider: drop}"))
    these = copies(make_lake, database, tmp_path, {}, text)
    land(these.lake, "a.jsonl", named("a", "2013-01-05", "ann"))
    these.refresh()
    columns = database.rows("select column_name from information_schema.columns where table_name = 'trips'")
    assert {name for (name,) in columns} == {"id", "started_at", "distance", "fare", "note"}


def test_a_hash_is_the_same_in_every_table_that_has_the_value(
    make_lake: MakeLake, database: World, tmp_path: Path
) -> None:
    """So that tables can be joined by it."""
    text = DatasetText(NAMED.contract, NAMED.defs + item("postgres", personal="{rider: hash}"))
    riders = ModelText(
        sql="select rider, count(*) as trips from curated.trips group by all\n",
        defs=changed(MODELS["totals"].defs, "All trips there ever were.", "Riders.") + "  personal: {rider: hash}\n",
    )
    these = copies(
        make_lake, database, tmp_path, {"riders": projected(riders, "postgres", table="riders")}, text, **HASH_KEY
    )
    land(these.lake, "a.jsonl", named("a", "2013-01-05", "ann"), named("b", "2013-01-06", "bob"))
    refresh(these.lake, these.lake.business["riders"])
    these.refresh()
    assert these.rows("select count(*) from trips join riders using (rider)") == [(2,)]


def test_a_text_that_is_too_long_keeps_its_own_partition_out_and_no_other(
    make_lake: MakeLake, database: World, tmp_path: Path
) -> None:
    more = {"types": "{rider: VARCHAR(5)}", "personal": "{rider: {allow: they are billed}}"}
    these = copies(
        make_lake, database, tmp_path, {}, DatasetText(NAMED.contract, NAMED.defs + item("postgres", **more))
    )
    land(these.lake, "a.jsonl", named("a", "2013-01-05", "ann"), named("b", "2013-01-06", "annabella"))
    land(these.lake, "c.jsonl", named("c", "2013-01-07", "bob"))
    outcomes = these.bring("trips")

    assert brought(outcomes) == ["2013-01-05", "2013-01-07"]
    (refusal,) = [one.refusal for one in outcomes if one.refusal]
    assert "column rider" in refusal
    assert "annabella" not in refusal
    assert [one.key for one in these.bring("trips")] == ["2013-01-06"]  # it waits for somebody to mend it
    land(these.lake, "a.jsonl", named("a", "2013-01-05", "ann"), named("b", "2013-01-06", "anna"))
    these.refresh()
    assert these.problems("trips") == {}


def test_a_key_of_personal_data_is_not_told_where_it_is_there_twice(
    make_lake: MakeLake, database: World, tmp_path: Path
) -> None:
    more = {"primary_key": "[rider]", "personal": "{rider: {allow: they are billed}}"}
    these = copies(
        make_lake, database, tmp_path, {}, DatasetText(NAMED.contract, NAMED.defs + item("postgres", **more))
    )
    land(these.lake, "a.jsonl", named("a", "2013-01-05", "annabella"), named("b", "2013-01-05", "annabella"))
    (outcome,) = these.bring("trips")
    assert outcome.refusal is not None
    assert "as well" in outcome.refusal
    assert "annabella" not in outcome.refusal
