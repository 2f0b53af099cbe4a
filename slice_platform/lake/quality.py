"""Quality rules of a contract (ODCS `quality`, type library): judged per file, before anything is published."""

from dataclasses import dataclass
from typing import Any

from open_data_contract_standard.model import DataQuality

from slice_platform.lake.types import literal, quoted
from slice_platform.lake.value_rules import refuse_bad_pattern
from slice_platform.lake.yaml_lines import Place, YamlFile

_BLOCKING, _WARNING = ("error", "critical", "high"), ("warning", "warn", "medium", "low", "info")
METRICS = ("nullValues", "missingValues", "invalidValues", "duplicateValues", "rowCount")
_OPERATORS = {
    "mustBe": "{} = {}", "mustNotBe": "{} <> {}", "mustBeGreaterThan": "{} > {}", "mustBeGreaterOrEqualTo": "{} >= {}",
    "mustBeLessThan": "{} < {}", "mustBeLessOrEqualTo": "{} <= {}",
    "mustBeBetween": "{} between {} and {}", "mustNotBeBetween": "{} not between {} and {}",
}  # fmt: skip


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


def read_quality(
    source: YamlFile, rules: list[DataQuality] | None, *, column: str | None, names: set[str], place: Place
) -> list[QualityRule]:
    """The rules of one property, or of the table where `column` is None.

    Raises:
        ContractError: a rule of another type than library, an unknown metric, no condition, or an unknown column.
    """
    found = []
    for position, rule in enumerate(rules or []):
        found.append(_rule(source, rule, column, names, (*place, "quality", position)))
    return found


def _rule(source: YamlFile, rule: DataQuality, column: str | None, names: set[str], place: Place) -> QualityRule:
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
    measure = _measure(source, rule, metric, column, names, place)
    if rule.unit == "percent":
        measure = f"100.0 * ({measure}) / greatest(count(*), 1)"
    elif rule.unit not in (None, "rows"):
        raise source.error((*place, "unit"), f"unit {rule.unit!r} is not rows or percent")
    return QualityRule(
        name=rule.name or "_".join(part for part in (column, metric) if part),
        description=rule.description or f"{metric} {expected}",
        measure=measure,
        condition=condition,
        expected=expected,
        is_blocking=severity in _BLOCKING,
        place=place,
    )


def _condition(source: YamlFile, rule: DataQuality, place: Place) -> tuple[str, str]:
    given = {name: getattr(rule, name) for name in _OPERATORS if getattr(rule, name) is not None}
    if len(given) != 1:
        raise source.error(place, f"expected exactly one of {', '.join(_OPERATORS)}, found {list(given)}")
    name, value = next(iter(given.items()))
    values = value if isinstance(value, list) else [value]
    if len(values) != (2 if "Between" in name else 1) or not all(isinstance(v, int | float) for v in values):
        raise source.error(
            (*place, name), f"expected {'[low, high]' if 'Between' in name else 'a number'}, got {value!r}"
        )
    return _OPERATORS[name].format("figure", *values), f"{name} {value}"


def _measure(
    source: YamlFile, rule: DataQuality, metric: str, column: str | None, names: set[str], place: Place
) -> str:
    arguments = rule.arguments or {}
    if metric == "rowCount":
        return "count(*)"
    columns = [column] if column else _properties(source, arguments, names, place)
    target = ", ".join(quoted(name) for name in columns)
    match metric:
        case "duplicateValues":
            # NULL is no value. Of several columns it is the row of them that is counted.
            what = f"row({target})" if len(columns) > 1 else target
            return f"count({what}) - count(distinct {what})"
        case "nullValues":
            return f"count(*) filter ({quoted(columns[0])} is null)"
        case "missingValues":
            values = _list(source, arguments, "missingValues", place)
            return f"count(*) filter ({quoted(columns[0])} is null or {quoted(columns[0])}::varchar in ({values}))"
        case _:
            valid = _valid(source, arguments, columns[0], place)
            return f"count(*) filter ({quoted(columns[0])} is not null and not {valid})"


def _valid(source: YamlFile, arguments: dict[str, Any], column: str, place: Place) -> str:
    if ("pattern" in arguments) == ("validValues" in arguments):
        raise source.error(
            (*place, "arguments"), f"expected either `pattern` or `validValues: [..]`, got {arguments!r}"
        )
    if "pattern" in arguments:
        refuse_bad_pattern(source, arguments["pattern"], (*place, "arguments", "pattern"))
        return f"regexp_full_match({quoted(column)}::varchar, {literal(arguments['pattern'])})"
    return f"({quoted(column)}::varchar in ({_list(source, arguments, 'validValues', place)}))"


def _list(source: YamlFile, arguments: dict[str, Any], name: str, place: Place) -> str:
    values = arguments.get(name)
    if not isinstance(values, list) or not values:
        raise source.error((*place, "arguments"), f"expected `{name}: [..]`, got {arguments!r}")
    return ", ".join(literal(value) for value in values)


def _properties(source: YamlFile, arguments: dict[str, Any], names: set[str], place: Place) -> list[str]:
    columns = arguments.get("properties")
    if not isinstance(columns, list) or not columns:
        raise source.error((*place, "arguments"), "a rule on the table needs `properties: [column, ..]`")
    if unknown := [name for name in columns if name not in names]:
        raise source.error((*place, "arguments", "properties"), f"{unknown[0]!r} is not a column of the contract")
    return [str(name) for name in columns]
