"""Quality rules of a contract (ODCS `quality`, type library): judged per file, before anything is published."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any

from open_data_contract_standard.model import DataQuality

from slice_platform.lake.types import LogicalType, typed_literal
from slice_platform.lake.value_rules import read_literal, refuse_bad_pattern
from slice_platform.sql_text import literal, quoted
from slice_platform.yaml_lines import Place, YamlFile

_BLOCKING, _WARNING = ("error", "critical", "high"), ("warning", "warn", "medium", "low", "info")
BUILT_IN = ("schema", "unknown_columns", "unique_key", "rows_accounted", "rejects")  # checks that every dataset has
METRICS = ("nullValues", "missingValues", "invalidValues", "duplicateValues", "rowCount")
_OPERATORS = {
    "mustBe": "{} = {}", "mustNotBe": "{} <> {}", "mustBeGreaterThan": "{} > {}", "mustBeGreaterOrEqualTo": "{} >= {}",
    "mustBeLessThan": "{} < {}", "mustBeLessOrEqualTo": "{} <= {}",
    "mustBeBetween": "{} between {} and {}", "mustNotBeBetween": "{} not between {} and {}",
}  # fmt: skip


_NAME = re.compile(r"[A-Za-z0-9_]+")
Types = Mapping[str, LogicalType]  # of the table's columns, by name


@dataclass(frozen=True)
class QualityRule:
    """One rule: a figure counted over the good rows of a file, and the condition it must meet.

    `measure` and `condition` are SQL; the condition speaks of the figure as `figure`.
    """

    name: str
    description: str
    measure: str
    condition: str
    expected: str
    is_blocking: bool
    place: Place
    unique_column: str | None = None  # of the rule that `unique: true` stands for


def read_quality(
    source: YamlFile,
    rules: list[DataQuality] | None,
    *,
    column: str | None,
    types: Types,
    place: Place,
    field: str = "quality",
) -> list[QualityRule]:
    """The rules of one property, or of the table where `column` is None; they stand below `field`.

    Raises:
        ContractError: a rule of another type than library, an unknown metric, no condition, an unknown column, a
            name that cannot be a check's, or a listed value that is not of the column's type.
    """
    return [_rule(source, rule, column, types, (*place, field, position)) for position, rule in enumerate(rules or [])]


def unique_rule(column: str, place: Place) -> QualityRule:
    """What `unique: true` on a column asks of every file."""
    return QualityRule(
        name=f"{_safe(column)}_unique",
        description=f"No value of {column} occurs twice in a file",
        measure=_duplicates([column]),
        condition="figure = 0",
        expected="mustBe 0",
        is_blocking=True,
        place=(*place, "unique"),
        unique_column=column,
    )


def _rule(source: YamlFile, rule: DataQuality, column: str | None, types: Types, place: Place) -> QualityRule:
    if rule.type not in (None, "library"):
        raise source.error((*place, "type"), f"only type library is enforced, got {rule.type!r}")
    metric = rule.metric or rule.rule
    if metric not in METRICS:
        raise source.error((*place, "metric"), f"metric {metric!r} is not one of {', '.join(METRICS)}")
    severity = (rule.severity or "error").lower()
    if severity not in (*_BLOCKING, *_WARNING):
        known = f"{', '.join(_BLOCKING)} (nothing of the file is published) or {', '.join(_WARNING)}"
        raise source.error((*place, "severity"), f"severity {rule.severity!r} is not one of {known}")
    condition, expected = _condition(source, rule, place)
    measure = _measure(source, rule, metric, column, types, place)
    if rule.unit == "percent":
        measure = f"100.0 * ({measure}) / greatest(count(*), 1)"
    elif rule.unit not in (None, "rows"):
        raise source.error((*place, "unit"), f"unit {rule.unit!r} is not rows or percent")
    return QualityRule(
        name=_name(source, rule, column, place),
        description=rule.description or f"{metric} {expected}",
        measure=measure,
        condition=condition,
        expected=expected,
        is_blocking=severity in _BLOCKING,
        place=place,
    )


def _name(source: YamlFile, rule: DataQuality, column: str | None, place: Place) -> str:
    if not rule.name:
        return "_".join(_safe(part) for part in (column, rule.metric or rule.rule) if part)
    if not _NAME.fullmatch(rule.name):
        problem = f"{rule.name!r} cannot name a check: only letters, digits and underscores; say more in `description`"
        raise source.error((*place, "name"), problem)
    if rule.name in BUILT_IN:
        raise source.error((*place, "name"), f"{rule.name!r} is a check that every dataset has; choose another name")
    return rule.name


def _safe(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9_]", "_", text)


def _condition(source: YamlFile, rule: DataQuality, place: Place) -> tuple[str, str]:
    given = {name: getattr(rule, name) for name in _OPERATORS if getattr(rule, name) is not None}
    if len(given) != 1:
        raise source.error(place, f"expected exactly one of {', '.join(_OPERATORS)}, found {list(given)}")
    name, value = next(iter(given.items()))
    values = value if isinstance(value, list) else [value]
    are_numbers = all(isinstance(v, int | float) and isfinite(v) for v in values)
    if len(values) != (2 if "Between" in name else 1) or not are_numbers:
        raise source.error(
            (*place, name), f"expected {'[low, high]' if 'Between' in name else 'a number'}, got {value!r}"
        )
    return _OPERATORS[name].format("figure", *values), f"{name} {value}"


def _measure(source: YamlFile, rule: DataQuality, metric: str, column: str | None, types: Types, place: Place) -> str:
    arguments = rule.arguments or {}
    if metric == "rowCount":
        return "count(*)"
    columns = [column] if column else _properties(source, arguments, types, place)
    name, logical = quoted(columns[0]), types[columns[0]]
    match metric:
        case "duplicateValues":
            return _duplicates(columns)
        case "nullValues":
            return f"count(*) filter ({name} is null)"
        case "missingValues":
            values = _list(source, arguments, "missingValues", logical, place)
            return f"count(*) filter ({name} is null or {_comparable(name, logical)} in ({values}))"
        case _:
            return f"count(*) filter ({name} is not null and not {_valid(source, arguments, name, logical, place)})"


def _duplicates(columns: list[str]) -> str:
    """NULL is no value. Of several columns it is the row of them that is counted."""
    target = ", ".join(quoted(name) for name in columns)
    what = f"row({target})" if len(columns) > 1 else target
    return f"count({what}) - count(distinct {what})"


def _valid(source: YamlFile, arguments: dict[str, Any], name: str, logical: LogicalType, place: Place) -> str:
    if ("pattern" in arguments) == ("validValues" in arguments):
        raise source.error(
            (*place, "arguments"), f"expected either `pattern` or `validValues: [..]`, got {arguments!r}"
        )
    if "pattern" in arguments:
        refuse_bad_pattern(source, arguments["pattern"], (*place, "arguments", "pattern"))
        return f"regexp_full_match({name}::varchar, {literal(arguments['pattern'])})"
    return f"({_comparable(name, logical)} in ({_list(source, arguments, 'validValues', logical, place)}))"


def _comparable(name: str, logical: LogicalType) -> str:
    return f"{name}::varchar" if logical.is_nested else name


def _list(source: YamlFile, arguments: dict[str, Any], name: str, logical: LogicalType, place: Place) -> str:
    values = arguments.get(name)
    if not isinstance(values, list) or not values:
        raise source.error((*place, "arguments"), f"expected `{name}: [..]`, got {arguments!r}")
    if None in values and name == "validValues":
        raise source.error((*place, "arguments", name), "NULL is never judged; leave it out, or use `nullValues`")
    texts = [read_literal(source, logical, value, (*place, "arguments", name)) for value in values]
    return ", ".join("NULL" if text is None else typed_literal(logical, text) for text in texts)


def _properties(source: YamlFile, arguments: dict[str, Any], types: Types, place: Place) -> list[str]:
    columns = arguments.get("properties")
    if not isinstance(columns, list) or not columns:
        raise source.error((*place, "arguments"), "a rule on the table needs `properties: [column, ..]`")
    if unknown := [name for name in columns if str(name) not in types]:
        raise source.error((*place, "arguments", "properties"), f"{unknown[0]!r} is not a column of the contract")
    return [str(name) for name in columns]
