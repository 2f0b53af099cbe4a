"""A dataset's contract: what its columns are and which values they may hold, read from ODCS v3.

The package `open-data-contract-standard` parses the file. It passes over unknown keys, and a rule
nobody enforces is worse than an error, so unknown keys and options without effect are refused here.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from open_data_contract_standard.model import OpenDataContractStandard, SchemaObject, SchemaProperty
from pydantic import BaseModel, TypeAdapter, ValidationError

from slice_platform.lake.classification import is_closed
from slice_platform.lake.personal_rule import PersonalRule
from slice_platform.lake.quality import QualityRule, read_quality, unique_rule
from slice_platform.lake.service_levels import Freshness, read_freshness
from slice_platform.lake.types import LogicalType
from slice_platform.lake.value_rules import ValueRules, read_type, read_value_rules, refuse_odd_name
from slice_platform.yaml_lines import Place, YamlFile, read_yaml

_DATASET = re.compile(r"[A-Za-z0-9_]+")  # it names assets, jobs and tables
RESERVED = ("filename", "file_row_number")  # DuckDB's own columns of a file; a leading underscore is ours


@dataclass(frozen=True)
class Column:
    """One column of a table as the contract states it."""

    name: str
    type: LogicalType
    required: bool
    unique: bool
    primary_key_position: int | None
    rules: ValueRules
    description: str | None
    classification: str | None
    personal: PersonalRule | None = None  # what becomes of personal data on its way on, where no defs.yaml says


@dataclass(frozen=True)
class Contract:
    """What a dataset is. `key` is its primary key, in order; empty where the contract has none."""

    dataset: str
    path: Path
    version: str
    description: str | None
    columns: tuple[Column, ...]
    quality: tuple[QualityRule, ...]
    freshness: Freshness | None = None

    @property
    def key(self) -> tuple[str, ...]:
        parts = [c for c in self.columns if c.primary_key_position is not None]
        return tuple(c.name for c in sorted(parts, key=lambda c: c.primary_key_position or 0))

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    def column(self, name: str) -> Column | None:
        return next((column for column in self.columns if column.name == name), None)


def load_contract(path: Path) -> Contract:
    """Read `contract.yaml`; the dataset is named after its folder.

    Raises:
        ContractError: anything in the file is wrong or would have no effect; the message names file, line, field.
    """
    source = read_yaml(path)
    if not isinstance(source.content, dict):
        raise source.error((), "expected an ODCS contract (kind: DataContract, apiVersion: v3.x, schema: [...])")
    try:
        _refuse_unknown_keys(source, source.content, OpenDataContractStandard, ())
        parsed = OpenDataContractStandard(**source.content)
    except RecursionError as error:
        raise source.error((), "it is nested too deeply, or holds itself") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = tuple("schema" if step == "schema_" else step for step in first["loc"])
        raise source.error(place, f"{first['msg']}, got {first['input']!r}") from error
    if not str(parsed.apiVersion or "").startswith("v3."):
        raise source.error(
            ("apiVersion",), f"expected v3.x of the Open Data Contract Standard, got {parsed.apiVersion!r}"
        )
    return _contract(source, parsed)


def _contract(source: YamlFile, parsed: OpenDataContractStandard) -> Contract:
    dataset = source.path.parent.name
    if not _DATASET.fullmatch(dataset):
        raise source.error(("schema", 0, "name"), f"{dataset!r}: name the folder with letters, digits and underscores")
    tables = parsed.schema_ or []
    if len(tables) != 1:
        raise source.error(("schema",), f"expected exactly one table, found {len(tables)}; give each dataset a folder")
    table = tables[0]
    place: Place = ("schema", 0)
    if table.name != dataset:
        raise source.error((*place, "name"), f"expected the folder's name {dataset!r}, got {table.name!r}")
    if not table.properties:
        raise source.error((*place, "properties"), "expected at least one property")
    columns = _columns(source, table, place)
    return Contract(
        dataset=dataset,
        path=source.path,
        version=parsed.version or "0.0.0",
        description=table.description or (parsed.description.purpose if parsed.description else None),
        columns=columns,
        quality=_quality(source, table, columns, place),
        freshness=read_freshness(source, parsed.slaProperties, table=dataset),
    )


def _columns(source: YamlFile, table: SchemaObject, place: Place) -> tuple[Column, ...]:
    columns: list[Column] = []
    for position, prop in enumerate(table.properties or []):
        here = (*place, "properties", position)
        if not prop.name:
            raise source.error((*here, "name"), "a property needs a name")
        refuse_odd_name(source, prop.name, (*here, "name"))
        if prop.name.startswith("_") or prop.name in RESERVED:
            raise source.error(
                (*here, "name"),
                f"{prop.name!r} is kept for the platform, as are names with a leading underscore; choose another",
            )
        if prop.name.lower() in {column.name.lower() for column in columns}:
            raise source.error((*here, "name"), f"{prop.name!r} appears twice (case does not tell names apart)")
        columns.append(_column(source, prop, here))
    return tuple(columns)


def _column(source: YamlFile, prop: SchemaProperty, place: Place) -> Column:
    logical = read_type(source, prop, place)
    if prop.primaryKey and logical.is_nested:
        raise source.error((*place, "primaryKey"), f"a column of type {logical} cannot be part of the key")
    return Column(
        name=str(prop.name),
        type=logical,
        required=bool(prop.required or prop.primaryKey),
        unique=bool(prop.unique),
        primary_key_position=(prop.primaryKeyPosition or 0) if prop.primaryKey else None,
        rules=read_value_rules(source, prop, logical, place),
        description=prop.description,
        classification=prop.classification,
        personal=_personal(source, prop, place),
    )


def _personal(source: YamlFile, prop: SchemaProperty, place: Place) -> PersonalRule | None:
    """The custom property `personal`: drop, mask, hash, or why the data may go on as it is."""
    for position, custom in enumerate(prop.customProperties or []):
        here = (*place, "customProperties", position)
        if custom.property != "personal":
            continue
        if not is_closed(prop.classification):
            raise source.error(
                here, f"{prop.name!r} has no classification that asks for it; give it one, or remove this"
            )
        try:
            return TypeAdapter[PersonalRule](PersonalRule).validate_python(custom.value)
        except ValidationError as error:
            expected = "drop, mask, hash, or {allow: <why, in a few words>}"
            raise source.error((*here, "value"), f"expected {expected}, got {custom.value!r}") from error
    return None


def _quality(
    source: YamlFile, table: SchemaObject, columns: tuple[Column, ...], place: Place
) -> tuple[QualityRule, ...]:
    types = {column.name: column.type for column in columns}
    rules = read_quality(source, table.quality, column=None, types=types, place=place)
    for position, prop in enumerate(table.properties or []):
        here = (*place, "properties", position)
        rules += read_quality(source, prop.quality, column=prop.name, types=types, place=here)
        if prop.unique:
            rules.append(unique_rule(str(prop.name), here))
    seen: set[str] = set()
    for rule in rules:
        if rule.name in seen:
            raise source.error(rule.place, f"two quality rules are called {rule.name!r}; give one another name")
        seen.add(rule.name)
    return tuple(rules)


def _refuse_unknown_keys(source: YamlFile, value: Any, model: type[BaseModel], place: Place) -> None:
    if not isinstance(value, dict):
        return
    known = {(field.alias or name): field.annotation for name, field in model.model_fields.items()}
    for key, inner in value.items():
        if key not in known:
            raise source.error((*place, str(key)), f"{key!r} is not a field of ODCS v3 here; known: {', '.join(known)}")
        if nested := _model_in(known[key]):
            items = enumerate(inner) if isinstance(inner, list) else [(None, inner)]
            for position, item in items:
                here = (*place, key) if position is None else (*place, key, position)
                _refuse_unknown_keys(source, item, nested, here)


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The model class inside `X | None` or `list[X] | None`, if there is one."""
    if isinstance(annotation, type):
        return annotation if issubclass(annotation, BaseModel) else None
    return next((found for part in get_args(annotation) if (found := _model_in(part))), None)
