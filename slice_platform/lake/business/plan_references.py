"""The columns that an expression of a plan takes."""

from collections.abc import Iterator
from dataclasses import dataclass

from slice_platform.lake.business.model_tree import number
from slice_platform.lake.sql_tree import Node

_KNOWN = (
    "BOUND_AGGREGATE", "BOUND_CASE", "BOUND_COLUMN_REF", "BOUND_CONJUNCTION", "BOUND_CONSTANT", "BOUND_FUNCTION",
    "BOUND_LAMBDA", "BOUND_OPERATOR", "BOUND_REF", "BOUND_UNNEST", "BOUND_WINDOW",
)  # fmt: skip


class Unclear(Exception):  # noqa: N818 -- named by the condition; it never leaves the package
    """The plan has something that is not known here, so nothing that is made of it can be told for sure."""


@dataclass(frozen=True)
class Reference:
    """A column by its position: in what the operator is given, or in the operator of the number `table`."""

    column: int
    table: int | None = None


def references(expression: Node) -> Iterator[Reference]:
    """Every column that the value is made of, and by which it is filtered, divided and ordered where it is counted up.

    Raises:
        Unclear: the expression is of a class that is not known here.
    """
    waiting: list[object] = [expression.fields]
    while waiting:
        value = waiting.pop()
        if isinstance(value, list):
            waiting.extend(value)
        elif isinstance(value, dict):
            node = Node(value)
            yield from _own(node)
            # Inside a lambda positions are those of its parameters; the columns it takes stand beside it, as well.
            waiting.extend(inner for name, inner in value.items() if name != "lambda_expr")


def _own(node: Node) -> Iterator[Reference]:
    kind = node.text("expression_class")
    if kind and kind not in _KNOWN:
        raise Unclear(kind)
    if kind == "BOUND_REF":
        yield Reference(number(node, "index"))
    elif kind == "BOUND_COLUMN_REF":
        binding = node.node("binding")
        if number(node, "depth") > 0:
            raise Unclear("a column of the query around it")
        yield Reference(number(binding, "column_index"), number(binding, "table_index"))
