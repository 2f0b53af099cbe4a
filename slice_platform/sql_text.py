"""Names and values as they stand in the SQL that DuckDB runs for us, safe whatever is in them."""

from collections.abc import Iterable


def quoted(name: str) -> str:
    """An identifier, safe in any SQL of ours."""
    return '"' + name.replace('"', '""') + '"'


def literal(value: object) -> str:
    """A string literal, safe in any SQL of ours."""
    return "'" + str(value).replace("'", "''") + "'"


def listed(values: Iterable[str]) -> str:
    """A list of string literals."""
    return "[" + ", ".join(literal(value) for value in values) + "]"
