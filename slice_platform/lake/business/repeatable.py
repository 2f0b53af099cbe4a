"""A table is a function of its inputs: a model whose answer differs from run to run is refused."""

import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import cache

import duckdb

from slice_platform.lake.business.model_text import ModelText
from slice_platform.lake.business.model_tree import place
from slice_platform.lake.sql_tree import Node

# Marked volatile by DuckDB, and yet a function of what they are given: `error` stops the run.
_HARMLESS = ("error", "stats", "vector_type")
# Not marked, and yet no function of their inputs: samples, what depends on how threads share the rows, the clock, and
# settings that are folded while binding.
_UNMARKED = (
    "reservoir_quantile", "approx_quantile", "approx_top_k", "getvariable", "current_setting", "getenv", "nextval",
    "currval", "current_localtime", "current_localtimestamp", "current_time", "current_timestamp",
)  # fmt: skip
# Words that DuckDB takes for a function where no column has the name.
_WORDS = (
    "current_catalog", "current_date", "current_role", "current_schema", "current_time", "current_timestamp",
    "current_user", "localtime", "localtimestamp", "session_user", "user",
)  # fmt: skip
_NAME = re.compile(r"\w+")


@dataclass(frozen=True)
class Unrepeatable:
    """A function whose answer is not made of what it is given, and the line on which it is called."""

    function: str
    line: int | None


def unrepeatable(text: ModelText, tree: Node, bound: ModelText, plan: Node | None) -> Unrepeatable | None:
    """The first such function of the model. `plan` is of `bound`, which has the lines of `text` and longer ones.

    Without a plan a word that might be a call counts as one.
    """
    found = [*_written(text, tree), *(_planned(bound, plan) if plan else _words(text, tree))]
    return min(found, key=lambda call: (call.line is None, call.line or 0), default=None)


@cache
def _refused() -> frozenset[str]:
    """The functions, and the macros that call one: while binding these may be folded into the moment of the binding."""
    with closing(duckdb.connect(config={"threads": 1})) as connection:
        marked = connection.execute(
            "select distinct function_name from duckdb_functions() "
            "where stability in ('VOLATILE', 'CONSISTENT_WITHIN_QUERY')"
        ).fetchall()
        macros = connection.execute(
            "select function_name, macro_definition from duckdb_functions() where function_type = 'macro'"
        ).fetchall()
    refused = {name for (name,) in marked} - {*_HARMLESS} | {*_UNMARKED}
    return frozenset(refused | {name for name, definition in macros if refused & {*_NAME.findall(definition)}})


def _written(text: ModelText, tree: Node) -> Iterator[Unrepeatable]:
    """Calls as they are written; what is folded while binding is not in the plan."""
    for node in tree.walk():
        name = node.text("function_name").lower()
        is_since_today = name == "age" and len(node.nodes("arguments")) == 1
        if name in _refused() or is_since_today:
            yield Unrepeatable(name, _line(text, node))


def _planned(bound: ModelText, plan: Node) -> Iterator[Unrepeatable]:
    """Calls as they are bound: of words without brackets, and inside of macros."""
    for node in plan.walk():
        path = node.node("qname").texts("path")
        if path and path[-1] in _refused():
            yield Unrepeatable(path[-1], _line(bound, node))


def _words(text: ModelText, tree: Node) -> Iterator[Unrepeatable]:
    for node in tree.walk():
        names = node.texts("column_names")
        if len(names) == 1 and names[0].lower() in _WORDS:
            yield Unrepeatable(names[0], _line(text, node))


def _line(text: ModelText, node: Node) -> int | None:
    at = place(node)
    return None if at is None else text.line(at)
