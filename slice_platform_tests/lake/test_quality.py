from pathlib import Path

import duckdb
import pytest

from slice_platform.lake.contract import load_contract
from slice_platform.lake.quality import QualityRule
from slice_platform_tests.refusals import contract_refused
from slice_platform_tests.samples import TRIPS, changed

FARE = "logicalTypeOptions: {precision: 10, scale: 2}\n"
DESCRIPTION = "description: One row per trip.\n"
ROWS = "(values ('a', 1), ('a', 1), ('b', null), ('', null), (null, 3)) as t (id, distance)"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return TRIPS.write(tmp_path / "trips")


def on_table(folder: Path, rule: str) -> QualityRule:
    """The one rule of a contract whose table has `quality: [{rule}]`."""
    text = changed(TRIPS.contract, DESCRIPTION, f"{DESCRIPTION}    quality: [{{{rule}}}]\n")
    (folder / "contract.yaml").write_text(text)
    (found,) = load_contract(folder / "contract.yaml").quality
    return found


def judge(rule: QualityRule) -> tuple[float, bool]:
    """The figure counted over ROWS, and whether it meets the condition."""
    with duckdb.connect() as connection:
        (row,) = connection.execute(
            f"select figure, {rule.condition} from (select {rule.measure} as figure from {ROWS})"
        ).fetchall()
    return float(row[0]), bool(row[1])


@pytest.mark.parametrize(
    ("rule", "figure", "is_met"),
    [
        ("metric: rowCount, mustBeGreaterThan: 4", 5, True),
        ("metric: rowCount, mustBeBetween: [6, 9]", 5, False),
        ("metric: nullValues, arguments: {properties: [distance]}, mustBe: 0", 2, False),
        ("metric: nullValues, unit: percent, arguments: {properties: [distance]}, mustBeLessOrEqualTo: 40", 40, True),
        ("metric: missingValues, arguments: {properties: [id], missingValues: ['']}, mustBeLessThan: 3", 2, True),
        ("metric: invalidValues, arguments: {properties: [id], validValues: [a, b]}, mustBe: 0", 1, False),
        ("metric: invalidValues, arguments: {properties: [id], pattern: '[a-z]'}, mustBe: 1", 1, True),
        ("metric: duplicateValues, arguments: {properties: [id]}, mustBe: 1", 1, True),
        ("metric: duplicateValues, arguments: {properties: [distance]}, mustBe: 1", 1, True),
        ("metric: duplicateValues, arguments: {properties: [id, distance]}, mustBe: 0", 1, False),
    ],
)
def test_a_rule_counts_and_judges(folder: Path, rule: str, figure: float, *, is_met: bool) -> None:
    assert judge(on_table(folder, rule)) == (figure, is_met)


def test_a_rule_of_a_column_needs_no_properties_and_has_a_name(folder: Path) -> None:
    rule = "        quality: [{metric: nullValues, mustBe: 0}]\n"
    (folder / "contract.yaml").write_text(changed(TRIPS.contract, FARE, FARE + rule))
    (found,) = load_contract(folder / "contract.yaml").quality
    assert (found.name, found.expected, found.is_blocking) == ("fare_nullValues", "mustBe 0", True)
    assert found.measure == 'count(*) filter ("fare" is null)'


@pytest.mark.parametrize(
    ("severity", "is_blocking"), [("error", True), ("High", True), ("warning", False), ("info", False)]
)
def test_severity_decides_whether_a_rule_blocks(folder: Path, severity: str, *, is_blocking: bool) -> None:
    assert on_table(folder, f"metric: rowCount, mustBe: 1, severity: {severity}").is_blocking is is_blocking


@pytest.mark.parametrize(
    ("rule", "field", "says"),
    [
        ("type: sql, query: 'select 1', mustBe: 0", ".type", "only type library is enforced"),
        ("metric: freshness, mustBe: 0", ".metric", "'freshness' is not one of nullValues"),
        ("metric: rowCount", "", "exactly one of mustBe"),
        ("metric: rowCount, mustBe: 1, mustNotBe: 2", "", "exactly one of mustBe"),
        ("metric: rowCount, mustBe: few", ".mustBe", "expected a number"),
        ("metric: rowCount, mustBeBetween: [1]", ".mustBeBetween", "at least 2"),
        ("metric: rowCount, mustBe: 1, unit: days", ".unit", "not rows or percent"),
        ("metric: rowCount, mustBe: 1, severity: fatal", ".severity", "'fatal' is not one of error"),
        ("metric: nullValues, mustBe: 0", ".arguments", "needs `properties:"),
        ("metric: nullValues, arguments: {properties: [x]}, mustBe: 0", ".arguments.properties", "'x' is not a column"),
        ("metric: invalidValues, arguments: {properties: [id]}, mustBe: 0", ".arguments", "either `pattern` or"),
        (
            "metric: invalidValues, arguments: {properties: [id], pattern: '('}, mustBe: 0",
            ".arguments.pattern",
            "not a reg",
        ),
        ("metric: missingValues, arguments: {properties: [id]}, mustBe: 0", ".arguments", "missingValues: [..]"),
    ],
)
def test_a_rule_that_cannot_be_judged_is_told(folder: Path, rule: str, field: str, says: str) -> None:
    new = f"{DESCRIPTION}    quality: [{{{rule}}}]\n"
    contract_refused(folder, DESCRIPTION, new, field=f"schema.0.quality.0{field}", says=says, at="quality")


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("no gaps", "cannot name a check: only letters, digits and underscores"),
        ("rejects", "is a check that every dataset has"),
        ("unique_key", "is a check that every dataset has"),
    ],
)
def test_a_name_that_no_check_can_have_is_told(folder: Path, name: str, says: str) -> None:
    new = f"{DESCRIPTION}    quality: [{{name: {name}, metric: rowCount, mustBe: 1}}]\n"
    contract_refused(folder, DESCRIPTION, new, field="schema.0.quality.0.name", says=says, at="quality")


def test_a_rule_without_a_name_gets_one_that_a_check_can_have(folder: Path) -> None:
    new = "name: taxi-fare €\n        quality: [{metric: nullValues, mustBe: 0}]"
    (folder / "contract.yaml").write_text(changed(TRIPS.contract, "name: fare", new))
    (found,) = load_contract(folder / "contract.yaml").quality
    assert found.name == "taxi_fare___nullValues"


@pytest.mark.parametrize(
    ("column", "rows", "arguments", "figure"),
    [
        ("distance", "(1::bigint), (2), (-9), (null)", "validValues: [1, 2]", 1),
        ("fare", "(1.50::decimal(10,2)), (1), (2)", "validValues: [1.5, '1']", 1),
        ("fare", "(-999::decimal(10,2)), (1), (null)", "missingValues: [null, -999]", 2),
        ("started_at", "(timestamptz '2013-01-01 00:00+00')", "validValues: ['2013-01-01T01:00:00+01:00']", 0),
        ("id", "('1'), ('1.0')", "validValues: ['1']", 1),
    ],
)
def test_listed_values_are_compared_as_what_they_are(
    folder: Path, column: str, rows: str, arguments: str, figure: int
) -> None:
    """As text, 1 would not be 1.00."""
    metric = "missingValues" if "missing" in arguments else "invalidValues"
    rule = on_table(folder, f"metric: {metric}, mustBe: 0, arguments: {{properties: [{column}], {arguments}}}")
    with duckdb.connect() as connection:
        found = connection.execute(f"select {rule.measure} from (values {rows}) as t ({column})").fetchall()
    assert found == [(figure,)]


@pytest.mark.parametrize(
    ("column", "listed", "says"),
    [
        ("distance", "validValues: [1, few]", "'few' is not a integer"),
        ("fare", "validValues: [1.005]", "1.005 is not a number(10,2): it has more digits"),
        ("id", "validValues: [a, null]", "NULL is never judged"),
    ],
)
def test_a_listed_value_that_can_never_occur_is_told(folder: Path, column: str, listed: str, says: str) -> None:
    rule = f"metric: invalidValues, mustBe: 0, arguments: {{properties: [{column}], {listed}}}"
    new = f"{DESCRIPTION}    quality: [{{{rule}}}]\n"
    field = "schema.0.quality.0.arguments.validValues"
    contract_refused(folder, DESCRIPTION, new, field=field, says=says, at="quality")


def test_two_rules_of_one_name_are_told(folder: Path) -> None:
    rule = "      - {metric: rowCount, mustBe: 1}\n"
    new = f"{DESCRIPTION}    quality:\n{rule}      - {{metric: rowCount, mustNotBe: 2}}\n"
    contract_refused(
        folder,
        DESCRIPTION,
        new,
        field="schema.0.quality.1",
        says="two quality rules are called 'rowCount'",
        at="mustNotBe",
    )
