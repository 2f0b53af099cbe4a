from pathlib import Path

import pytest

from slice_platform.errors import ContractError
from slice_platform.lake.contract import load_contract
from slice_platform_tests.refusals import contract_refused, refused
from slice_platform_tests.samples import TRIPS, DatasetText, changed, line_of


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return TRIPS.write(tmp_path / "trips")


def test_a_contract_says_what_the_columns_are(folder: Path) -> None:
    contract = load_contract(folder / "contract.yaml")
    assert contract.dataset == "trips"
    assert contract.version == "1.0.0"
    assert contract.description == "One row per trip."
    assert [f"{c.name}: {c.type}" for c in contract.columns] == [
        "id: string",
        "started_at: timestamp with zone",
        "distance: integer",
        "fare: number(10,2)",
    ]
    assert [c.name for c in contract.columns if c.required] == ["id", "started_at"]


def test_the_key_is_in_the_order_of_its_positions(folder: Path) -> None:
    text = changed(TRIPS.contract, "primaryKey: true", "primaryKey: true\n        primaryKeyPosition: 2")
    text = changed(text, "required: true", "primaryKey: true\n        primaryKeyPosition: 1")
    (folder / "contract.yaml").write_text(text)
    assert load_contract(folder / "contract.yaml").key == ("started_at", "id")


def test_pii_and_descriptions_are_kept(folder: Path) -> None:
    new = "- name: distance\n        classification: restricted\n        description: In metres."
    (folder / "contract.yaml").write_text(changed(TRIPS.contract, "- name: distance", new))
    column = load_contract(folder / "contract.yaml").column("distance")
    assert column
    assert (column.classification, column.description) == ("restricted", "In metres.")


@pytest.mark.parametrize(
    ("old", "new", "field", "says"),
    [
        ("logicalType: string", "logicalTyp: string", "schema.0.properties.0.logicalTyp", "not a field of ODCS v3"),
        ("description: One", "desciption: One", "schema.0.desciption", "not a field of ODCS v3"),
        ("status: active", "statuss: active", "statuss", "not a field of ODCS v3"),
        ("apiVersion: v3.1.0", "apiVersion: v2.2.2", "apiVersion", "expected v3.x"),
        ("name: trips", "name: rides", "schema.0.name", "expected the folder's name 'trips'"),
        ("primaryKey: true", "primaryKey: often", "schema.0.properties.0.primaryKey", "got 'often'"),
        ("name: distance", "name: _row", "schema.0.properties.2.name", "kept for the platform"),
        ("name: distance", "name: ID", "schema.0.properties.2.name", "appears twice"),
        (
            "logicalType: string",
            "logicalType: int",
            "schema.0.properties.0.logicalType",
            "is not one of string, integer",
        ),
    ],
)
def test_a_mistake_is_told_with_file_line_and_field(folder: Path, old: str, new: str, field: str, says: str) -> None:
    contract_refused(folder, old, new, field=field, says=says)


def test_a_folder_that_cannot_name_an_asset_is_told(tmp_path: Path) -> None:
    contract = changed(TRIPS.contract, "name: trips", "name: city-trips")
    text = DatasetText(contract, TRIPS.defs)
    says = "'city-trips': name the folder with letters"
    refused(tmp_path / "city-trips", text, file="contract.yaml", at="- name", field="schema.0.name", says=says)


def test_a_unique_column_is_a_blocking_rule_of_each_file(folder: Path) -> None:
    text = changed(TRIPS.contract, "name: distance", "name: distance in km\n        unique: true")
    (folder / "contract.yaml").write_text(text)
    (rule,) = load_contract(folder / "contract.yaml").quality
    assert (rule.name, rule.is_blocking, rule.expected) == ("distance_in_km_unique", True, "mustBe 0")


def test_a_property_without_a_name_is_told(folder: Path) -> None:
    contract_refused(
        folder,
        "- name: distance\n        logicalType: integer",
        "- logicalType: integer",
        field="schema.0.properties.2.name",
        says="needs a name",
    )


def test_a_table_without_columns_is_told(folder: Path) -> None:
    text = TRIPS.contract
    properties = text[text.index("    properties:") :]
    contract_refused(
        folder, properties, "    properties: []\n", field="schema.0.properties", says="at least one", at="properties"
    )


def test_a_second_table_is_told(folder: Path) -> None:
    contract_refused(
        folder,
        "schema:\n",
        "schema:\n  - name: other\n    properties: [{name: x, logicalType: string}]\n",
        field="schema",
        says="exactly one table, found 2",
        at="schema:",
    )


def test_a_nested_key_is_told(folder: Path) -> None:
    contract_refused(
        folder,
        "logicalType: string\n",
        "logicalType: array\n        items: {logicalType: string}\n",
        field="schema.0.properties.0.primaryKey",
        says="array<string> cannot be part of the key",
        at="primaryKey",
    )


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("status: active", "status: [active", "not valid YAML"),
        ("status: active", "status: active\nid: again", "the key 'id' appears twice"),
        ("status: active", "status: 2013-02-30", "day is out of range"),
        ("status: active", "status: a\x07b", "not valid YAML"),
    ],
)
def test_what_is_not_yaml_is_told_with_its_line(folder: Path, old: str, new: str, says: str) -> None:
    text = changed(TRIPS.contract, old, new)
    (folder / "contract.yaml").write_text(text)
    with pytest.raises(ContractError) as caught:
        load_contract(folder / "contract.yaml")
    lines = {line_of(text, new) + extra for extra in (0, 1)}  # a missing bracket is noticed on the next line
    assert str(caught.value).startswith(tuple(f"{folder}/contract.yaml:{line}: " for line in lines))
    assert says in str(caught.value)


def test_a_file_that_is_missing_or_not_text_is_told(folder: Path) -> None:
    path = folder / "contract.yaml"
    path.write_bytes(b"id: \xff\n")
    with pytest.raises(ContractError, match=f"{path}: could not be read as UTF-8"):
        load_contract(path)
    path.unlink()
    with pytest.raises(ContractError, match=f"{path}: could not be read"):
        load_contract(path)


def test_a_file_that_is_no_contract_is_told(folder: Path) -> None:
    (folder / "contract.yaml").write_text("- one\n- two\n")
    with pytest.raises(ContractError, match=f"{folder}/contract.yaml:1: the file: expected an ODCS contract"):
        load_contract(folder / "contract.yaml")
