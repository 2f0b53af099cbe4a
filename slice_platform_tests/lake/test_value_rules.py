from pathlib import Path

import duckdb
import pytest

from slice_platform.lake.contract import Column, load_contract
from slice_platform_tests.refusals import contract_refused
from slice_platform_tests.samples import TRIPS, changed

DISTANCE = "logicalType: integer\n        logicalTypeOptions: {minimum: 0}"
PLACE = "schema.0.properties.2"


def distance_as(folder: Path, yaml: str) -> Column:
    """The column `distance` of `trips` after its type was written as `yaml`."""
    folder.mkdir(exist_ok=True)
    (folder / "contract.yaml").write_text(changed(TRIPS.contract, DISTANCE, yaml))
    column = load_contract(folder / "contract.yaml").column("distance")
    assert column
    return column


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "trips"


@pytest.mark.parametrize(
    ("yaml", "expected"),
    [
        ("logicalType: number", "number"),
        ("logicalType: number\n        physicalType: DECIMAL(12, 3)", "number(12,3)"),
        ("logicalType: number\n        logicalTypeOptions: {precision: 5}", "number(5,0)"),
        ("logicalType: timestamp", "timestamp"),
        ("logicalType: object\n        properties: [{name: a, logicalType: integer}]", "object<a: integer>"),
        ("logicalType: array\n        items: {logicalType: date}", "array<date>"),
    ],
)
def test_a_type_reads_as_a_person_would_say_it(folder: Path, yaml: str, expected: str) -> None:
    assert str(distance_as(folder, yaml).type) == expected


def test_rules_are_kept_as_literals_of_the_type(folder: Path) -> None:
    yaml = (
        "logicalType: timestamp\n        logicalTypeOptions:\n          timezone: true\n          minimum: 2013-01-01\n"
    )
    rules = distance_as(folder, yaml + "          defaultTimezone: America/New_York").rules
    assert rules.minimum == "2013-01-01T00:00:00-05:00"
    rules = distance_as(folder, "logicalType: integer\n        enum: [{value: 1}, {value: 2}]").rules
    assert rules.allowed == ("1", "2")


@pytest.mark.parametrize(
    ("written", "format_", "expected"),
    [
        ("31.03.2013", "dd.MM.yyyy", "2013-03-31 00:00:00"),
        ("3/1/2013 05:06", "M/d/yyyy HH:mm", "2013-03-01 05:06:00"),
        ("2013-03-31T05:06:07.123", "yyyy-MM-ddTHH:mm:ss.SSS", "2013-03-31 05:06:07.123"),
        ("20% 2013 Mar 31", "'20%' yyyy MMM dd", "2013-03-31 00:00:00"),
    ],
)
def test_a_format_of_the_standard_reads_what_it_describes(
    folder: Path, written: str, format_: str, expected: str
) -> None:
    yaml = f'logicalType: timestamp\n        logicalTypeOptions: {{format: "{format_}"}}'
    spelled = distance_as(folder, yaml).type.format
    with duckdb.connect() as connection:
        found = connection.execute("select strptime(?, ?)::varchar", [written, spelled]).fetchall()
    assert found == [(expected,)]


@pytest.mark.parametrize(
    ("kind", "options", "option", "says"),
    [
        ("integer", "{maxLength: 3}", "maxLength", "has no effect on a integer"),
        ("integer", "{minimum: low}", "minimum", "'low' is not a integer"),
        ("integer", "{minimum: 1.5}", "minimum", "1.5 is not a integer"),
        ("integer", "{multipleOf: 0}", "multipleOf", "more than 0"),
        ("number", "{maximum: .inf}", "maximum", "is no limit"),
        ("number", "{scale: 2}", "scale", "no effect without precision"),
        ("string", "{minLength: -1}", "minLength", "0 or more"),
        ("string", "{maxLength: true}", "maxLength", "0 or more"),
        ("string", "{pattern: '(a'}", "pattern", "not a regular expression"),
        ("string", "{pattern: '(?=a)'}", "pattern", "RE2"),
        ("string", "{format: iban}", "format", "use uuid, email, ipv4, or a pattern"),
        ("date", "{minimum: '2013-13-01'}", "minimum", "'2013-13-01' is not a date"),
        ("date", "{format: YYYY}", "format", "'Y'"),
        ("timestamp", "{minimum: '2013-01-01T00:00Z'}", "minimum", "has a zone"),
        ("timestamp", "{defaultTimezone: Mars/Base}", "defaultTimezone", "not an IANA time zone"),
    ],
)
def test_an_option_that_is_wrong_or_idle_is_told(folder: Path, kind: str, options: str, option: str, says: str) -> None:
    new = f"logicalType: {kind}\n        logicalTypeOptions: {options}"
    contract_refused(folder, DISTANCE, new, field=f"{PLACE}.logicalTypeOptions.{option}", says=says, at=options)


@pytest.mark.parametrize(
    ("new", "field", "says"),
    [
        ("logicalType: number\n        physicalType: decimal(39,2)", "", "precision 1..38"),
        ("logicalType: object", "", "an object needs `properties`"),
        ("logicalType: array", "", "an array needs `items`"),
        ("description: no type", "", "logicalType None is not one of"),
    ],
)
def test_a_type_that_lacks_something_is_told_at_its_column(folder: Path, new: str, field: str, says: str) -> None:
    contract_refused(folder, DISTANCE, new, field=f"{PLACE}{field}", says=says, at="- name: distance")


@pytest.mark.parametrize(
    ("new", "field"),
    [
        ("logicalType: integer\n        items: {logicalType: string}", ".items"),
        ("logicalType: boolean\n        enum: [{value: true}]", ".enum"),
        ("logicalType: integer\n        enum: [{value: one}]", ".enum.0.value"),
        ("logicalType: array\n        items: {logicalType: string, required: true}", ".items.required"),
        (
            "logicalType: array\n        items: {logicalType: integer, logicalTypeOptions: {minimum: 0}}",
            ".items.logicalTypeOptions.minimum",
        ),
        (
            "logicalType: object\n        properties: [{name: a, logicalType: string, unique: true}]",
            ".properties.0.unique",
        ),
    ],
)
def test_a_rule_that_nobody_would_enforce_is_told(folder: Path, new: str, field: str) -> None:
    contract_refused(folder, DISTANCE, new, field=f"{PLACE}{field}", says="", at=new.rsplit("\n", 1)[-1].strip())


@pytest.mark.parametrize(
    "pattern", ["a++", "a*+", "(?>a)", r"a\Z", "(?!a)", "(?<=a)b", r"(a)\1", "(a)?(?(1)b|c)", "(?x)a", "a{1,2000}"]
)
def test_a_pattern_that_only_python_reads_is_told(folder: Path, pattern: str) -> None:
    """DuckDB judges with RE2, and would fail on it in the middle of a run."""
    new = f"logicalType: string\n        logicalTypeOptions: {{pattern: '{pattern}'}}"
    field = f"{PLACE}.logicalTypeOptions.pattern"
    contract_refused(folder, DISTANCE, new, field=field, says="(RE2)", at=pattern)


@pytest.mark.parametrize("pattern", ["[a++]", r"\++", r"\\Z", "(?i)a|b", "(?P<n>a){2}", r"[\d\s]+?"])
def test_a_pattern_that_every_engine_reads_is_taken(folder: Path, pattern: str) -> None:
    yaml = f"logicalType: string\n        logicalTypeOptions: {{pattern: '{pattern}'}}"
    assert distance_as(folder, yaml).rules.patterns == (pattern,)


@pytest.mark.parametrize("bound", ["0.005", "1000", "-1000"])
def test_a_bound_with_more_digits_than_its_decimal_is_told(folder: Path, bound: str) -> None:
    """The cast to the column's type would round it, or fail in the middle of a run."""
    new = f"logicalType: number\n        logicalTypeOptions: {{precision: 5, scale: 2, minimum: {bound}}}"
    field = f"{PLACE}.logicalTypeOptions.minimum"
    contract_refused(folder, DISTANCE, new, field=field, says="number(5,2): it has more digits", at=bound)


def test_a_bound_of_nothing_but_zeros_fits_every_decimal(folder: Path) -> None:
    yaml = "logicalType: number\n        logicalTypeOptions: {precision: 2, scale: 2, minimum: 0, maximum: 0.990}"
    assert distance_as(folder, yaml).rules.maximum is not None
