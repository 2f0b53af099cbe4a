"""Business tables read from their folders: what is wrong is told with file, line and field."""

from itertools import pairwise
from pathlib import Path

import pytest

from slice_platform.errors import ContractError
from slice_platform.lake.business.definition import BusinessTable
from slice_platform.lake.lake import load_tables
from slice_platform_tests.lake.business.models import DAILY, MODELS, MONTHLY, WHOLE, ModelText
from slice_platform_tests.samples import TRIPS, DatasetText, changed, line_of

CLOSED = "      - {name: rider, logicalType: string, classification: confidential}\n"
RIDERS = DatasetText(TRIPS.contract + CLOSED, TRIPS.defs)


def load(home: Path, trips: DatasetText = TRIPS, /, **models: ModelText) -> dict[str, BusinessTable]:
    trips.write(home / "curated" / "trips")
    for name, text in models.items():
        text.write(home / "business" / name)
    return load_tables(home).business


def refused(home: Path, text: ModelText, *, at: str, field: str, says: str) -> None:
    """Assert that `daily` is refused, pointing at the line of the passage `at` and at `field`."""
    with pytest.raises(ContractError) as caught:
        load(home, daily=text)
    where = f"{home}/business/daily/defs.yaml:{line_of(text.defs, at)}: {field}: "
    assert str(caught.value).startswith(where), f"expected {where!r} at the start of {str(caught.value)!r}"
    assert says in str(caught.value)[len(where) :]


def daily(more: str = "", *, old: str = "", new: str = "", sql: str = DAILY.sql) -> ModelText:
    return ModelText(sql, (changed(DAILY.defs, old, new) if old else DAILY.defs) + more)


def test_tables_are_known_by_the_names_of_their_folders(tmp_path: Path) -> None:
    tables = load(tmp_path, **MODELS)
    assert list(tables) == ["daily", "monthly", "totals"]
    assert {name: table.reads for name, table in tables.items()} == {
        "daily": ("curated.trips",),
        "monthly": ("business.daily",),
        "totals": ("curated.trips",),
    }
    assert [str(column.type) for column in tables["daily"].columns] == ["date", "integer", "integer"]


@pytest.mark.parametrize(
    ("text", "at", "field", "says"),
    [
        (daily(old="key: [day]", new="key: [day, nowhere]"), "key:", "attributes.key.1",
         "'nowhere' is not a column of model.sql; columns: day, trips, distance"),
        (daily("  cluster_by: [nowhere]\n"), "cluster_by:", "attributes.cluster_by.0", "'nowhere' is not a column"),
        (daily("  columns: {nowhere: What is not there.}\n"), "columns:", "attributes.columns.nowhere",
         "'nowhere' is not a column"),
        (daily("  chart: {x: nowhere, y: trips}\n"), "chart:", "attributes.chart.x", "'nowhere' is not a column"),
        (daily("  chart: {x: day, y: day}\n"), "chart:", "attributes.chart.y", "'day' is of type date; name numbers"),
        (daily(old="{column: day,", new="{column: trips,"), "partition:", "attributes.partition.column",
         "expected a date or timestamp column, but 'trips' is integer"),
        (daily(old="{column: day,", new="{column: nowhere,"), "partition:", "attributes.partition.column",
         "'nowhere' is not in model.sql"),
        (daily(old="2013-01-01}", new="2013-01-01T12:00}"), "partition:", "attributes.partition.start",
         "expected the beginning of a partition"),
        (daily(old="grain: day", new="grain: hour"), "partition:", "attributes.partition.grain",
         "'day' is a date and has no hours"),
        (daily(old="grain: day", new="grain: fortnight"), "partition:", "attributes.partition.grain",
         "Input should be 'hour', 'day', 'month', 'year' or 'none', got 'fortnight'"),
        (daily(old="2013-01-01}", new="2013-01-01, from_path: '(?P<year>..)'}"), "partition:",
         "attributes.partition.from_path", "a business table has no paths"),
        (daily(old="  description: Trips of a day.\n", new=""), "attributes:", "attributes.description", "is missing"),
        (daily("  colour: red\n"), "colour:", "attributes.colour", "Extra inputs are not permitted"),
        (daily("  owners: [nobody]\n"), "owners:", "attributes.owners.0", "nobody"),
        (daily("  checks: [{metric: rowCount}]\n"), "checks:", "attributes.checks.0", "expected exactly one of mustBe"),
        (daily("  checks: [{metric: rowCounts, mustBe: 1}]\n"), "checks:", "attributes.checks.0.metric",
         "'rowCounts' is not one of"),
        (daily("  checks: [{metric: rowCount, mustBe: [1, {}]}]\n"), "checks:", "attributes.checks.0.mustBe", "got"),
        (daily("  checks: [{metric: rowCount, mustBee: 1}]\n"), "checks:", "attributes.checks.0.mustBee",
         "'mustBee' is not known here"),
        (daily("  checks: [{metric: nullValues, arguments: {properties: [nowhere]}, mustBe: 0}]\n"), "checks:",
         "attributes.checks.0.arguments.properties", "'nowhere' is not a column"),
        (daily("  checks:\n    - {metric: rowCount, mustBe: 1}\n    - {metric: rowCount, mustBe: 2}\n"),
         "- {metric: rowCount, mustBe: 2",
         "attributes.checks.1", "two checks are called 'rowCount'; give one another `name`"),
        (daily("  freshness: [{property: latencies, value: 1, unit: d}]\n"), "freshness:",
         "attributes.freshness.0.property", "latencies"),
        (daily("  freshness: [{property: latency, value: 1, unit: m}]\n"), "freshness:", "attributes.freshness.0.unit",
         "m"),
        (daily("  personal: {trips: hash}\n"), "personal:", "attributes.personal.trips",
         "nothing closed reaches that column; remove the rule"),
        (daily("  personal: {nowhere: hash}\n"), "personal:", "attributes.personal.nowhere", "which is no column here"),
        (daily("  personal: {trips: shred}\n"), "personal:", "attributes.personal.trips",
         "Input should be 'drop', 'mask' or 'hash', got 'shred'"),
        (daily("  personal: {trips: {allow: so}}\n"), "personal:", "attributes.personal.trips.allow",
         "String should have at least 10 characters, got 'so'"),
    ],
)  # fmt: skip
def test_what_does_not_fit_the_model_is_told(tmp_path: Path, text: ModelText, at: str, field: str, says: str) -> None:
    refused(tmp_path, text, at=at, field=field, says=says)


def test_a_model_for_one_partition_at_a_time_needs_a_partition(tmp_path: Path) -> None:
    text = ModelText(DAILY.sql, WHOLE.defs)
    refused(tmp_path, text, at="attributes:", field="attributes.partition", says="so the table needs a partition")


def test_a_partition_needs_a_model_that_asks_for_it(tmp_path: Path) -> None:
    """It would give all rows for each partition."""
    sql = "select started_at::date as day, count(*) as trips, 1 as distance from curated.trips group by all\n"
    says = "select by them, or remove `partition` for a table that is made whole"
    refused(tmp_path, daily(sql=sql), at="partition:", field="attributes.partition", says=says)


@pytest.mark.parametrize("name", ["trips", "Trips"])
def test_a_dataset_and_a_table_of_one_name_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ContractError, match=rf"{name}/defs\.yaml:2: attributes: a table called {name!r} is defined in"):
        load(tmp_path, **{name: WHOLE})


def test_two_tables_of_one_name_are_refused(tmp_path: Path) -> None:
    WHOLE.write(tmp_path / "elsewhere" / "daily")
    with pytest.raises(ContractError, match=r"'daily' is defined in .*rename one of the folders"):
        load(tmp_path, daily=DAILY)


def test_models_that_read_each_other_in_a_ring_are_told_by_their_names(tmp_path: Path) -> None:
    one = ModelText("select trips from business.two\n", WHOLE.defs)
    two = ModelText("select trips from business.three\n", WHOLE.defs)
    three = ModelText("select trips from business.one\n", WHOLE.defs)
    with pytest.raises(ContractError) as caught:
        load(tmp_path, one=one, two=two, three=three)
    told = str(caught.value)
    assert "read each other in a ring" in told
    ring = told.rpartition(": ")[2].split(" reads ")
    assert ring[0] == ring[-1]
    assert {"one reads two", "two reads three", "three reads one"} == {f"{a} reads {b}" for a, b in pairwise(ring)}


def test_a_model_that_reads_itself_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match="one reads one"):
        load(tmp_path, one=ModelText("select trips from business.one\n", WHOLE.defs))


def test_tables_may_be_read_in_any_case(tmp_path: Path) -> None:
    tables = load(
        tmp_path, daily=DAILY, monthly=ModelText(changed(MONTHLY.sql, "business.daily", "Business.DAILY"), MONTHLY.defs)
    )
    assert tables["monthly"].reads == ("business.daily",)


def test_personal_data_that_nobody_spoke_of_is_told_with_its_way(tmp_path: Path) -> None:
    text = ModelText("select upper(rider) as name, count(*) as trips from curated.trips group by all\n", WHOLE.defs)
    with pytest.raises(ContractError) as caught:
        load(tmp_path, RIDERS, daily=text)
    assert f"{tmp_path}/business/daily/defs.yaml:2: attributes.personal: " in str(caught.value)
    assert "'name' (confidential): " in str(caught.value)
    assert "curated.trips.rider" in str(caught.value)


def test_a_rule_of_the_contract_holds_where_the_model_says_nothing(tmp_path: Path) -> None:
    contract = TRIPS.contract + CLOSED.replace("}", ", customProperties: [{property: personal, value: mask}]}")
    text = ModelText("select rider, count(*) as trips from curated.trips group by all\n", WHOLE.defs)
    try:
        tables = load(tmp_path, DatasetText(contract, TRIPS.defs), daily=text)
    except ContractError as error:
        pytest.fail(str(error))
    (rider, _) = tables["daily"].treated.columns
    assert rider.treatment == "mask"


@pytest.mark.parametrize(
    ("name", "defs", "says"),
    [
        ("daily", "type: slice_platform.components.lake_dataset.LakeDataset\n", "beside model.sql expected"),
        ("daily", "- 1\n", "beside model.sql expected"),
        ("day-ly", DAILY.defs, "name the folder with letters, digits and underscores"),
    ],
)
def test_a_folder_that_is_no_business_table_is_told(tmp_path: Path, name: str, defs: str, says: str) -> None:
    with pytest.raises(ContractError, match=says):
        load(tmp_path, **{name: ModelText(DAILY.sql, defs)})


def test_a_model_that_is_no_utf_8_is_told(tmp_path: Path) -> None:
    DAILY.write(tmp_path / "business" / "daily")
    (tmp_path / "business" / "daily" / "model.sql").write_bytes(b"select '\xff'")
    with pytest.raises(ContractError, match=r"model\.sql could not be read as UTF-8 text"):
        load(tmp_path)
