"""Types and row-level rules of one ODCS property: a row that breaks one is rejected, with the reason."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from datetime import time as clock_time
from decimal import Decimal
from fractions import Fraction
from functools import cache
from typing import Any, cast
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import duckdb
from open_data_contract_standard.model import SchemaProperty

from slice_platform.lake.classification import is_closed
from slice_platform.lake.types import KINDS, Field, Kind, LogicalType
from slice_platform.yaml_lines import Place, YamlFile

_STRING_FORMATS = {
    "uuid": "[0-9a-fA-F]{8}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{12}",
    "email": r"[^@\s]+@[^@\s]+\.[^@\s]+",
    "ipv4": r"(25[0-5]|2[0-4]\d|1?\d?\d)(\.(25[0-5]|2[0-4]\d|1?\d?\d)){3}",
}
_BOUNDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
_OPTIONS: dict[Kind, tuple[str, ...]] = {
    "string": ("minLength", "maxLength", "pattern", "format"),
    "integer": (*_BOUNDS, "multipleOf"),
    "number": (*_BOUNDS, "precision", "scale"),
    "boolean": (),
    "date": (*_BOUNDS, "format"),
    "time": (*_BOUNDS, "format"),
    "timestamp": (*_BOUNDS, "format", "timezone", "defaultTimezone"),
    "object": (),
    "array": ("minItems", "maxItems"),
}
# JDK DateTimeFormatter letters, longest first, and their strptime spelling.
_JDK = {
    "yyyy": "%Y", "MMMM": "%B", "MMM": "%b", "MM": "%m", "dd": "%d", "HH": "%H", "hh": "%I", "mm": "%M",
    "ss": "%S", "SSSSSS": "%f", "SSS": "%g", "XXX": "%z", "XX": "%z", "a": "%p", "d": "%-d", "M": "%-m", "H": "%-H",
}  # fmt: skip
_DECIMAL = re.compile(r"(?:decimal|numeric|number)\s*\(\s*(\d+)\s*(?:,\s*(\d+)\s*)?\)", re.IGNORECASE)


def _truth(text: str) -> str:
    if text.lower() not in ("true", "false"):
        raise ValueError(text)
    return text.lower()


_PARSERS: dict[Kind, Callable[[str], object]] = {
    "boolean": _truth,
    "integer": int,
    "number": Decimal,
    "date": date.fromisoformat,
    "time": clock_time.fromisoformat,
    "timestamp": datetime.fromisoformat,
}
# Options that say what a nested value is; all others are rules, and rules are for columns.
_SHAPING = ("precision", "scale", "timezone", "defaultTimezone")


@dataclass(frozen=True)
class ValueRules:
    """Bounds on single values. Bounds and allowed values are literals of the column's own type, as text."""

    minimum: str | None = None
    maximum: str | None = None
    exclusive_minimum: str | None = None
    exclusive_maximum: str | None = None
    multiple_of: str | None = None
    min_length: int | None = None
    max_length: int | None = None
    patterns: tuple[str, ...] = ()
    allowed: tuple[str, ...] = ()


def read_type(source: YamlFile, prop: SchemaProperty, place: Place) -> LogicalType:
    """The logical type of a property, nested ones included.

    Raises:
        ContractError: unknown type, an option that does not belong to it, or a malformed one.
    """
    kind = prop.logicalType
    if kind not in KINDS:
        at = (*place, "logicalType") if kind else place
        raise source.error(at, f"logicalType {kind!r} is not one of {', '.join(KINDS)}")
    options = prop.logicalTypeOptions or {}
    _refuse_options(source, kind, options, place)
    for name, owner in (("properties", "object"), ("items", "array")):
        if getattr(prop, name) and kind != owner:
            raise source.error((*place, name), f"`{name}` has no effect on a {kind}, only on an {owner}")
    match kind:
        case "number":
            return _number(source, prop, options, place)
        case "date" | "time" | "timestamp":
            return _temporal(source, kind, options, place)
        case "object":
            if not prop.properties:
                raise source.error(place, "an object needs `properties`")
            return LogicalType(kind, fields=_fields(source, prop.properties, (*place, "properties")))
        case "array":
            if prop.items is None:
                raise source.error(place, "an array needs `items`")
            _refuse_nested_rules(source, prop.items, (*place, "items"))
            return LogicalType(kind, items=read_type(source, prop.items, (*place, "items")))
        case _:
            return LogicalType(cast(Kind, kind))


def read_value_rules(source: YamlFile, prop: SchemaProperty, logical: LogicalType, place: Place) -> ValueRules:
    """The rules that every value of the column must keep.

    Raises:
        ContractError: a bound is not a value of the type, a pattern is no RE2 expression, or a format is unknown.
    """
    options = prop.logicalTypeOptions or {}
    here = (*place, "logicalTypeOptions")
    bounds = {name: read_literal(source, logical, options.get(name), (*here, name)) for name in _BOUNDS}
    pattern, named_format = options.get("pattern"), options.get("format") if logical.kind == "string" else None
    if pattern is not None:
        refuse_bad_pattern(source, pattern, (*here, "pattern"))
    if named_format is not None and str(named_format) not in _STRING_FORMATS:
        known = ", ".join(_STRING_FORMATS)
        raise source.error((*here, "format"), f"format {named_format!r} is not enforced; use {known}, or a pattern")
    patterns = [p for p in (pattern, _STRING_FORMATS.get(named_format or "")) if p]
    multiple_of = read_literal(source, logical, options.get("multipleOf"), (*here, "multipleOf"))
    if multiple_of is not None and Decimal(multiple_of) <= 0:
        raise source.error((*here, "multipleOf"), f"expected more than 0, got {multiple_of}")
    sizes = ("minItems", "maxItems") if logical.kind == "array" else ("minLength", "maxLength")
    return ValueRules(
        minimum=bounds["minimum"],
        maximum=bounds["maximum"],
        exclusive_minimum=bounds["exclusiveMinimum"],
        exclusive_maximum=bounds["exclusiveMaximum"],
        multiple_of=multiple_of,
        min_length=_count(source, options.get(sizes[0]), (*here, sizes[0])),
        max_length=_count(source, options.get(sizes[1]), (*here, sizes[1])),
        patterns=tuple(patterns),
        allowed=_allowed(source, prop, logical, place),
    )


def _fields(source: YamlFile, properties: list[SchemaProperty], place: Place) -> tuple[Field, ...]:
    fields: list[Field] = []
    for position, prop in enumerate(properties):
        here = (*place, position)
        if not prop.name:
            raise source.error((*here, "name"), "a property needs a name")
        refuse_odd_name(source, prop.name, (*here, "name"))
        if prop.name.lower() in {field.name.lower() for field in fields}:
            raise source.error((*here, "name"), f"{prop.name!r} appears twice (case does not tell names apart)")
        _refuse_nested_rules(source, prop, here)
        fields.append(Field(prop.name, read_type(source, prop, here)))
    return tuple(fields)


def refuse_odd_name(source: YamlFile, name: str, place: Place) -> None:
    """Raise ContractError unless a person can see what the name is made of; JSON and SQL spell the rest apart."""
    if not name.isprintable():
        raise source.error(place, f"{name!r} has characters that cannot be seen; choose another name")


def _refuse_nested_rules(source: YamlFile, prop: SchemaProperty, place: Place) -> None:
    if prop.classification is not None and is_closed(prop.classification):
        problem = "classes hold for whole columns; give it to the column that this lies in"
        raise source.error((*place, "classification"), problem)
    problem = "rules are enforced on top-level columns only; remove it here"
    for name in ("required", "unique", "primaryKey", "enum", "quality"):
        if getattr(prop, name):
            raise source.error((*place, name), problem)
    for name in prop.logicalTypeOptions or {}:
        if name not in _SHAPING and (name != "format" or prop.logicalType == "string"):
            raise source.error((*place, "logicalTypeOptions", name), problem)


def _number(source: YamlFile, prop: SchemaProperty, options: dict[str, Any], place: Place) -> LogicalType:
    precision, scale = options.get("precision"), options.get("scale", 0)
    if written := _DECIMAL.fullmatch((prop.physicalType or "").strip()):
        precision, scale = int(written[1]), int(written[2] or 0)
    if precision is None:
        if "scale" in options:
            raise source.error((*place, "logicalTypeOptions", "scale"), "scale has no effect without precision")
        return LogicalType("number")
    if not (isinstance(precision, int) and isinstance(scale, int) and 1 <= precision <= 38 and 0 <= scale <= precision):
        raise source.error(place, f"expected precision 1..38 and scale 0..precision, got ({precision!r}, {scale!r})")
    return LogicalType("number", precision=precision, scale=scale)


def _temporal(source: YamlFile, kind: str, options: dict[str, Any], place: Place) -> LogicalType:
    here = (*place, "logicalTypeOptions")
    zone = str(options.get("defaultTimezone", "UTC"))
    try:
        ZoneInfo(zone)
        if zone != "UTC":
            _sql().cursor().execute("select timestamp '2000-01-01' at time zone ?", [zone]).fetchall()
    except (ZoneInfoNotFoundError, ValueError, OSError, duckdb.Error) as error:  # OSError: a folder of zones
        raise source.error((*here, "defaultTimezone"), f"{zone!r} is not an IANA time zone such as UTC") from error
    jdk = options.get("format")
    spelled = _strptime(source, str(jdk), (*here, "format")) if jdk else None
    return LogicalType(
        cast(Kind, kind), has_zone=bool(options.get("timezone", False)), default_zone=zone, format=spelled
    )


def _strptime(source: YamlFile, jdk: str, place: Place) -> str:
    parts = re.findall("'[^']*'|" + "|".join(sorted(_JDK, key=len, reverse=True)) + "|.", jdk.replace("%", "%%"))
    spelled = "".join(part.strip("'") if part.startswith("'") else _JDK.get(part, part) for part in parts)
    if unknown := [part for part in parts if part.isalpha() and part not in _JDK and part != "T"]:
        known = ", ".join(_JDK)
        raise source.error(place, f"format {jdk!r} has {unknown[0]!r}; known letters: {known}; quote plain text")
    return spelled


def read_literal(source: YamlFile, logical: LogicalType, value: Any, place: Place) -> str | None:
    """The text of a value in YAML as the type reads it; None stays None.

    Raises:
        ContractError: it is not a value of the type.
    """
    if value is None:
        return None
    if logical.kind == "string" or logical.is_nested:
        return str(value)
    try:
        parsed = _PARSERS[logical.kind](str(value))
    except (ValueError, ArithmeticError) as error:
        raise source.error(place, f"{value!r} is not a {logical}") from error
    if isinstance(parsed, Decimal):
        _refuse_beyond(source, logical, parsed, place)
    if isinstance(parsed, datetime | clock_time):
        parsed = _in_zone(source, logical, parsed, place)
    return parsed.isoformat() if isinstance(parsed, date | clock_time) else str(parsed)


def _refuse_beyond(source: YamlFile, logical: LogicalType, value: Decimal, place: Place) -> None:
    """A cast to the column's type would round the value, or fail on it."""
    if not value.is_finite():
        raise source.error(place, f"'{value}' is no limit; leave it out")
    if not -400 < value.adjusted() < 308:  # beyond a double, and too long to reckon with
        raise source.error(place, f"'{value}' is beyond what a {logical} can be")
    if logical.precision is not None:
        scaled = Fraction(value) * 10**logical.scale
        if scaled.denominator > 1 or abs(scaled) >= 10**logical.precision:
            raise source.error(place, f"{value} is not a {logical}: it has more digits")


def _in_zone(source: YamlFile, logical: LogicalType, value: datetime | clock_time, place: Place) -> object:
    if value.tzinfo is not None and not logical.has_zone:
        raise source.error(place, f"'{value}' has a zone, but the column is a {logical} without one")
    if value.tzinfo is None and logical.has_zone:
        return value.replace(tzinfo=ZoneInfo(logical.default_zone))
    return value


def _allowed(source: YamlFile, prop: SchemaProperty, logical: LogicalType, place: Place) -> tuple[str, ...]:
    if prop.enum and (logical.is_nested or logical.kind == "boolean"):
        raise source.error((*place, "enum"), f"enum has no effect on a {logical.kind}")
    allowed = []
    for position, one in enumerate(prop.enum or []):
        here = (*place, "enum", position, "value")
        if one.value is None:
            raise source.error(here, "expected a value; whether NULL is allowed is said by `required`")
        allowed.append(str(read_literal(source, logical, one.value, here)))
    return tuple(allowed)


def _count(source: YamlFile, value: Any, place: Place) -> int | None:
    if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 0):
        raise source.error(place, f"expected a whole number of 0 or more, got {value!r}")
    return value


def refuse_bad_pattern(source: YamlFile, pattern: Any, place: Place) -> None:
    """Raise ContractError unless `pattern` is a regular expression that every engine of ours reads alike."""
    try:
        re.compile(str(pattern))
    except (re.error, OverflowError, RecursionError) as error:
        raise source.error(place, f"{pattern!r} is not a regular expression: {error}") from error
    try:
        _sql().cursor().execute("select regexp_full_match('', ?)", [str(pattern)]).fetchall()
    except duckdb.Error as error:
        reason = str(error).removeprefix("Invalid Input Error: ")
        problem = f"{pattern!r} is not one of the linear-time expressions (RE2) that judge values: {reason}"
        raise source.error(place, problem) from error


@cache
def _sql() -> duckdb.DuckDBPyConnection:
    """What will judge the values; a list of what Python knows and it does not would never be complete."""
    return duckdb.connect(config={"threads": 1})


def _refuse_options(source: YamlFile, kind: str, options: dict[str, Any], place: Place) -> None:
    allowed = _OPTIONS[cast(Kind, kind)]
    for name in options:
        if name not in allowed:
            known = ", ".join(allowed) or "none"
            raise source.error(
                (*place, "logicalTypeOptions", name), f"{name!r} has no effect on a {kind}; options that have: {known}"
            )
