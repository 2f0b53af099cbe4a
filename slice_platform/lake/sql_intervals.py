"""Intervals of a fixed length in a parse tree of DuckDB, such as `interval 6 day`; a month has none."""

import re
from datetime import timedelta

from slice_platform.lake.sql_tree import Node

_FUNCTIONS = {"to_weeks": "weeks", "to_days": "days", "to_hours": "hours", "to_minutes": "minutes"}
_UNITS = {
    "week": "weeks", "day": "days", "hour": "hours", "minute": "minutes", "min": "minutes", "second": "seconds",
}  # fmt: skip
_WRITTEN = re.compile(r"(?P<count>\d{1,6}) (?P<unit>[a-z]+?)s?", re.IGNORECASE)


def without_shift(node: Node) -> tuple[Node, timedelta]:
    """A moment without the fixed intervals that are added to it or taken from it, and their sum."""
    shift = timedelta()
    while node.type == "FUNCTION" and node.text("function_name") in ("+", "-") and node.says("is_operator"):
        arguments = [one.node("expression") for one in node.nodes("arguments")]
        by = fixed_interval(arguments[1]) if len(arguments) == 2 else None
        if by is None:
            break
        shift += by if node.text("function_name") == "+" else -by
        node = arguments[0]
    return node, shift


def fixed_interval(node: Node) -> timedelta | None:
    """Its length; None where it has no fixed one, or is none."""
    if node.type == "OPERATOR_CAST" and node.node("type_expr").text("type_name").lower() == "interval":
        written = _WRITTEN.fullmatch(node.node("child").node("literal").text("text"))
        unit = _UNITS.get(written["unit"].lower()) if written else None
        return timedelta(**{unit: int(written["count"])}) if written and unit else None
    unit = _FUNCTIONS.get(node.text("function_name")) if node.type == "FUNCTION" else None
    numbers = [one.node("literal") for one in node.walk() if one.type == "VALUE_CONSTANT"]
    if unit is None or len(numbers) != 1 or not re.fullmatch(r"\d{1,6}", numbers[0].text("text")):
        return None
    plain = {"trunc", node.text("function_name")}
    if any(one.type == "FUNCTION" and one.text("function_name") not in plain for one in node.walk()):
        return None
    return timedelta(**{unit: int(numbers[0].text("text"))})
