"""Any contract.yaml and defs.yaml is a dataset that works, or an error that names the file: nothing in between."""

import json
from collections.abc import Iterator
from copy import deepcopy
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from slice_platform.errors import ContractError
from slice_platform.lake.dataset import COMPONENT, Dataset, dataset_of
from slice_platform.lake.ingest import ingest
from slice_platform.records import FileStatus
from slice_platform_tests.conftest import MakeLake
from slice_platform_tests.lake.feeds import FILES
from slice_platform_tests.lake.fuzzing import damaged, fuzz
from slice_platform_tests.samples import DatasetText, drop

_homes = count(1)
CONTRACT: dict[str, Any] = {
    "apiVersion": "v3.1.0",
    "kind": "DataContract",
    "id": "feed",
    "version": "1.0.0",
    "status": "active",
    "schema": [
        {
            "name": "feed",
            "description": "One row each.",
            "quality": [
                {"name": "some_rows", "metric": "rowCount", "mustBeGreaterOrEqualTo": 0, "severity": "warning"},
                {"metric": "duplicateValues", "arguments": {"properties": ["id", "n"]}, "mustBe": 0, "unit": "percent"},
                {"metric": "missingValues", "arguments": {"properties": ["s"], "missingValues": [""]}, "mustBe": 0},
            ],
            "properties": [
                {
                    "name": "id",
                    "logicalType": "string",
                    "primaryKey": True,
                    "primaryKeyPosition": 1,
                    "classification": "public",
                },
                {
                    "name": "n",
                    "logicalType": "integer",
                    "logicalTypeOptions": {"minimum": 0, "exclusiveMaximum": 9, "multipleOf": 1},
                    "enum": [{"value": 1}, {"value": 2}],
                },
                {
                    "name": "s",
                    "logicalType": "string",
                    "logicalTypeOptions": {"minLength": 1, "maxLength": 9, "pattern": "[a-z]+"},
                    "unique": True,
                    "quality": [{"metric": "invalidValues", "arguments": {"validValues": ["x", "y"]}, "mustBe": 0}],
                },
                {
                    "name": "e",
                    "logicalType": "string",
                    "logicalTypeOptions": {"format": "email"},
                    "description": "An address.",
                    "examples": ["a@b.c"],
                },
                {
                    "name": "m",
                    "logicalType": "number",
                    "physicalType": "decimal(12,2)",
                    "logicalTypeOptions": {"minimum": 0.5},
                },
                {"name": "f", "logicalType": "number", "logicalTypeOptions": {"maximum": 1000}},
                {"name": "b", "logicalType": "boolean"},
                {
                    "name": "day",
                    "logicalType": "date",
                    "required": True,
                    "logicalTypeOptions": {"minimum": "2020-01-01"},
                },
                {"name": "d", "logicalType": "date", "logicalTypeOptions": {"format": "dd.MM.yyyy"}},
                {"name": "t", "logicalType": "time"},
                {
                    "name": "at",
                    "logicalType": "timestamp",
                    "logicalTypeOptions": {"timezone": True, "defaultTimezone": "Europe/Berlin"},
                },
                {"name": "o", "logicalType": "object", "properties": [{"name": "a", "logicalType": "integer"}]},
                {
                    "name": "l",
                    "logicalType": "array",
                    "items": {"logicalType": "string"},
                    "logicalTypeOptions": {"maxItems": 3},
                },
            ],
        }
    ],
}
DEFS: dict[str, Any] = {
    "type": COMPONENT,
    "attributes": {
        "files": [
            {**FILES[0], "compression": "auto"},
            {**FILES[1], "delimiter": ",", "quote": '"', "null_values": ["NA"]},
        ],
        "mode": "merge",
        "key": ["id"],
        "order_by": ["n"],
        "cluster_by": ["id"],
        "tolerated_rejects": 1.0,
        "partition": {"column": "day", "grain": "month", "start": "2026-01-01"},
        "owners": ["team:sales"],
        "tags": {"domain": "sales"},
    },
}
HOSTILE = [
    "'",
    '"',
    "'; drop table stage; --",
    '"; drop table stage; --',
    "$$",
    "{x}",
    "%s",
    "\\",
    "a.b",
    "a b",
    "-",
    "é",
    "😀",
    "id",
    "ID",
    "n",
    "_row",
    "rowid",
    "select",
    "key",
    "figure",
    "stage",
    "r",
    "line",
    "j",
    "k",
    "v0",
    "h0",
    "_t0",
    "\n",
    "\0",
    "\x01",
    "\u2028",
    "\ud7ff",
    "a" * 300,
    "(",
    "(a|b)*",
    "[[:alpha:]]",
    "\\d",
    "(?i)x",
    "1; select 1",
]
_scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-2, 40),
    st.floats(),
    st.text(max_size=6),
    st.sampled_from(HOSTILE),
    st.dates().map(str),
    st.datetimes().map(str),
    st.dates(),
    st.datetimes(),
    st.sampled_from(["string", "integer", "number", "date", "array", "object", "percent", "hour", "replace", "append"]),
)
_words = st.sampled_from([*HOSTILE, "name", "properties", "items", "minimum", "pattern", "value", "format", "quality"])
_trees = st.recursive(
    _scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_words, inner, max_size=3), max_leaves=8
)


def places_in(tree: Any, here: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every value in a tree."""
    inner = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for step, value in inner:
        yield (*here, step)
        yield from places_in(value, (*here, step))


@st.composite
def changed(draw: st.DrawFn, tree: dict[str, Any], values: st.SearchStrategy[Any] = _trees) -> dict[str, Any]:
    """The tree with one to three of its values replaced, removed, repeated or added to."""
    tree = deepcopy(tree)
    for _ in range(draw(st.integers(1, 3))):
        *path, last = draw(st.sampled_from(list(places_in(tree))))
        around: Any = tree
        for step in path:
            around = around[step]
        match draw(st.sampled_from(["replace", "replace", "replace", "remove", "repeat", "add"])):
            case "replace":
                around[last] = draw(values)
            case "remove":
                del around[last]
            case "repeat" if isinstance(around, list):
                around.append(deepcopy(around[last]))
            case _ if isinstance(around, dict):
                around[draw(_words)] = draw(values)
        if not tree:
            break
    return tree


def written(folder: Path, contract: bytes, defs: bytes) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "contract.yaml").write_bytes(contract)
    (folder / "defs.yaml").write_bytes(defs)
    return folder


def as_yaml(tree: Any) -> bytes:
    return yaml.safe_dump(tree, allow_unicode=True).encode("utf-8", "surrogatepass")


def loaded(folder: Path) -> Dataset | None:
    """The dataset, or None where the error names the file and, if it is there at all, the line."""
    try:
        return dataset_of(folder)
    except ContractError as error:
        said = str(error)
    file = said.removeprefix(f"{folder}/")
    assert file.startswith(("contract.yaml:", "defs.yaml:"))
    assert file.split(":")[1].isdigit() or "could not be read as UTF-8 text" in file
    return None


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "feed"


def test_what_is_changed_below_is_taken_as_it_is(folder: Path) -> None:
    assert loaded(written(folder, as_yaml(CONTRACT), as_yaml(DEFS)))


@pytest.mark.parametrize(
    "text",
    [
        "[" * 5000,
        "a: &a [*a]",
        "schema: &a {schema: *a}",
        "id: !!timestamp x",
        "id: !!bool x",
        'id: !!int ""',
        "id: !!int x",
        "id: !!python/name:os.system",
        "id: !!binary x",
        "? [a]\n: b",
        "<<: 5",
        "id: *nowhere",
        'id: "\\ud800"',
        'id: "\\0"',
        "\ufeff",
        "--- a\n--- b",
        "%YAML 9.9\n---\na",
        "id: 0x",
        "id: " + "9" * 5000,
        "1: 2",
        "null: 2",
        "- - -",
        "!!set {a}",
    ],
)
def test_what_yaml_can_say_and_no_contract_means_is_refused(folder: Path, text: str) -> None:
    assert loaded(written(folder, text.encode(), as_yaml(DEFS))) is None
    assert loaded(written(folder, as_yaml(CONTRACT), text.encode())) is None


@fuzz(25)
@given(content=st.binary(max_size=80) | st.text(max_size=80).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_bytes_are_refused(folder: Path, content: bytes) -> None:
    assert loaded(written(folder, content, as_yaml(DEFS))) is None
    assert loaded(written(folder, as_yaml(CONTRACT), content)) is None


@fuzz(25)
@given(tree=_trees)
def test_any_tree_is_refused(folder: Path, tree: Any) -> None:
    assert loaded(written(folder, as_yaml(tree), as_yaml(DEFS))) is None
    loaded(written(folder, as_yaml({**CONTRACT, "schema": tree}), as_yaml(DEFS)))
    loaded(written(folder, as_yaml(CONTRACT), as_yaml({"type": COMPONENT, "attributes": tree})))


@fuzz(25)
@given(contract=damaged(as_yaml(CONTRACT)), defs=damaged(as_yaml(DEFS)))
def test_damaged_files_are_taken_or_refused(folder: Path, contract: bytes, defs: bytes) -> None:
    loaded(written(folder, contract, as_yaml(DEFS)))
    loaded(written(folder, as_yaml(CONTRACT), defs))


@fuzz(40)
@given(contract=changed(CONTRACT), defs=changed(DEFS))
def test_changed_files_are_taken_or_refused(folder: Path, contract: Any, defs: Any) -> None:
    loaded(written(folder, as_yaml(contract), as_yaml(DEFS)))
    loaded(written(folder, as_yaml(CONTRACT), as_yaml(defs)))


def with_value(tree: dict[str, Any], path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    tree = deepcopy(tree)
    around: Any = tree
    for step in path[:-1]:
        around = around[step]
    around[path[-1]] = value
    return tree


COLUMN = ("schema", 0, "properties")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ((*COLUMN, 10, "logicalTypeOptions", "defaultTimezone"), "Europe"),
        ((*COLUMN, 10, "logicalTypeOptions", "defaultTimezone"), "localtime"),
        ((*COLUMN, 10, "logicalTypeOptions", "defaultTimezone"), "../zone"),
        ((*COLUMN, 2, "logicalTypeOptions", "pattern"), "a{99999999999}"),
        ((*COLUMN, 3, "logicalTypeOptions", "format"), ["email"]),
        ((*COLUMN, 4, "logicalTypeOptions", "minimum"), "1E+999999999"),
        ((*COLUMN, 5, "logicalTypeOptions", "maximum"), "1E+400"),
        ((*COLUMN, 11, "properties"), [{"name": "a", "logicalType": "date"}, {"name": "A", "logicalType": "date"}]),
        (("schema", 0, "quality", 0, "mustBeGreaterOrEqualTo"), float("inf")),
        (("schema", 0, "quality", 1, "arguments", "properties"), [["id"]]),
    ],
)
def test_what_would_fail_in_every_run_is_refused_at_load(folder: Path, path: tuple[Any, ...], value: Any) -> None:
    assert loaded(written(folder, as_yaml(with_value(CONTRACT, path, value)), as_yaml(DEFS))) is None


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("files", 1, "delimiter"), '"'),
        (("files", 1, "delimiter"), "\n"),
        (("files", 1, "null_values"), ["N,A"]),
        (("partition", "start"), "0001-01-01T00:00:00+14:00"),
        (("partition", "from_path"), "(?P<year>a{99999999999})"),
    ],
)
def test_defs_that_would_fail_in_every_run_are_refused_at_load(folder: Path, path: tuple[Any, ...], value: Any) -> None:
    defs = with_value(DEFS, ("attributes", *path), value)
    assert loaded(written(folder, as_yaml(CONTRACT), as_yaml(defs))) is None


# --- what is taken works


def row_for(dataset: Dataset) -> dict[str, Any]:
    """A record that has something in every column, fitting or not."""
    kinds: dict[str, Any] = {"date": "2026-01-05", "integer": 1, "object": {"a": 1}, "array": ["x"], "boolean": True}
    kinds |= {"timestamp": "2026-01-05T00:00:00", "time": "10:00", "number": "1.5"}
    return {column.name: kinds.get(column.type.kind, "x") for column in dataset.contract.columns}


def assert_works(make_lake: MakeLake, home: Path, contract: Any, defs: Any) -> None:
    """Files of a dataset that was taken are published or set aside, by SQL that has its names and values in it."""
    if loaded(written(home / "try" / "feed", as_yaml(contract), as_yaml(defs))) is None:
        return
    lake = make_lake({"feed": DatasetText(as_yaml(contract).decode(), as_yaml(defs).decode())}, home=home)
    row = row_for(lake.dataset("feed"))
    drop(lake, "feed/a.jsonl", (json.dumps(row) + "\n" + json.dumps({}) + "\n").encode())
    drop(lake, "feed/b.csv", ",".join('"' + name.replace('"', '""') + '"' for name in row).encode() + b"\n")
    drop(lake, "feed/c.jsonl", b"\n")
    ingest(lake, "feed")
    files = lake.ledger.list_files("feed")
    assert len(files) == 3
    for file in files:
        assert file.status in (FileStatus.PUBLISHED, FileStatus.QUARANTINED)
        assert file.is_accounted
        assert "Error" not in str(file.error), file.error


@fuzz(5)
@given(contract=changed(CONTRACT, _scalars))
def test_a_changed_contract_that_is_taken_works(make_lake: MakeLake, tmp_path: Path, contract: Any) -> None:
    assert_works(make_lake, tmp_path / str(next(_homes)), contract, DEFS)


@fuzz(4)
@given(defs=changed(DEFS, _scalars))
def test_changed_defs_that_are_taken_work(make_lake: MakeLake, tmp_path: Path, defs: Any) -> None:
    assert_works(make_lake, tmp_path / str(next(_homes)), CONTRACT, defs)


@pytest.mark.parametrize(
    "name", [text for text in HOSTILE if not text.startswith("_") and text not in ("\0", "id", "ID", "n")]
)
def test_no_text_of_a_contract_is_read_as_sql(make_lake: MakeLake, tmp_path: Path, name: str) -> None:
    """The same text as a name, an enum, a description and a null value."""
    odd = {"name": name, "logicalType": "string", "description": name, "enum": [{"value": name}], "unique": True}
    nested = {"name": "o2", "logicalType": "object", "properties": [{"name": name, "logicalType": "integer"}]}
    contract = with_value(CONTRACT, COLUMN, [*CONTRACT["schema"][0]["properties"], odd, nested])
    assert_works(make_lake, tmp_path / "lake", contract, DEFS)
