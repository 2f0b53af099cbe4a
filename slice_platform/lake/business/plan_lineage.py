"""Which columns of which tables the columns of a plan are made of.

The plan is that of DuckDB's own binder: stars, USING, aliases used again, BY NAME, lambdas and correlated subqueries
are already resolved in it, as they will be when the model runs. In it every operator takes columns by their position.
An operator that is not known here stops the search, so that nothing is ever thought to come from nowhere.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain

from slice_platform.lake.business.empty_tables import HELD
from slice_platform.lake.business.model_tree import number
from slice_platform.lake.business.plan_references import Unclear, references
from slice_platform.lake.business.tables import Origin
from slice_platform.lake.business.trace import NOWHERE, Step, Trace, from_table, merged, named
from slice_platform.lake.sql_tree import Node

Columns = list[Trace]

_NO_COLUMN = 2**63  # beyond it are `rowid` and the like, which are read where only the rows are counted
_OF_BOTH = ("INNER", "LEFT", "RIGHT", "OUTER", "FULL", "SINGLE")
_OF_LEFT = ("SEMI", "ANTI")
_GIVEN_NAME = re.compile(r"[^\W\d]\w*")
_OWN_NAME = "__duckdb_"  # of what the binder makes of correlated subqueries
_OWN_ALIASES = ("SUBQUERY", "unpivot_list", "unpivot_names", "limit_rownum", "delim_index")


@dataclass
class _Plan:
    """What is known of a plan so far: by number, the columns of a WITH, and those that expressions may name so.

    `deciding` is what conditions are made of, in the order they were met.
    """

    of_with: dict[int, Columns] = field(default_factory=dict)
    names_of_with: dict[int, str] = field(default_factory=dict)
    bound: dict[int, Columns] = field(default_factory=dict)
    deciding: list[Trace] = field(default_factory=list)

    def columns(self, node: Node) -> Columns:
        """The columns that come out of an operator."""
        answer = _ANSWERS.get(node.type)
        if answer is None:
            raise Unclear(node.type)
        found = answer(self, node)
        if (index := number(node, "table_index")) >= 0:
            self.bound[index] = found
        return found

    def unchanged(self, node: Node) -> Columns:
        (child,) = node.nodes("children")
        given = self.columns(child)
        if node.type == "LOGICAL_FILTER":
            self.deciding += [self._made_of(expression, given) for expression in node.nodes("expressions")]
        return _mapped(given, node, "projection_map")

    def side_by_side(self, node: Node) -> Columns:
        return list(chain.from_iterable(map(self.columns, node.nodes("children"))))

    def nothing(self, _node: Node) -> Columns:
        return [NOWHERE]

    def get(self, node: Node) -> Columns:
        if node.nodes("children"):
            return self._table_function(node)
        if node.fields.get("projection_ids"):
            raise Unclear("LOGICAL_GET with projection_ids")
        table, names = node.node("function_data"), node.texts("names")
        read = [number(index, "index") for index in node.nodes("column_indexes")]
        if table.text("schema") != HELD:  # a table function of constants
            return [NOWHERE for _ in read]
        return [
            NOWHERE if position >= _NO_COLUMN else from_table(Origin(table.text("table"), names[position]))
            for position in read
        ]

    def _table_function(self, node: Node) -> Columns:
        """`unnest(tags)` and the like: what it makes may come from all it is given; the columns of its input follow."""
        (child,) = node.nodes("children")
        given = self.columns(child)
        arguments = len(node.nodes("input_table_types")) or len(given)
        made = merged(given[:arguments])
        passed_on = node.fields.get("projected_input")
        positions = passed_on if isinstance(passed_on, list) else []
        return [*(made for _ in node.nodes("column_indexes")), *(_at(given, position) for position in positions)]

    def projection(self, node: Node) -> Columns:
        (child,) = node.nodes("children")
        given = self.columns(child)
        return [self._named(expression, given) for expression in node.nodes("expressions")]

    def _named(self, expression: Node, given: Columns) -> Trace:
        trace, alias = self._made_of(expression, given), expression.text("alias")
        is_given = _GIVEN_NAME.fullmatch(alias) and alias not in _OWN_ALIASES
        return named(trace, Step(alias)) if is_given else trace

    def aggregate(self, node: Node) -> Columns:
        (child,) = node.nodes("children")
        given = self.columns(child)
        groups = [self._made_of(expression, given) for expression in node.nodes("groups")]
        sums = [self._made_of(expression, given) for expression in node.nodes("expressions")]
        self.bound[number(node, "group_index")], self.bound[number(node, "aggregate_index")] = groups, sums
        grouping = node.fields.get("grouping_functions")  # they tell of the query, not of a value
        return [*groups, *sums, *(NOWHERE for _ in (grouping if isinstance(grouping, list) else []))]

    def appended(self, node: Node) -> Columns:
        (child,) = node.nodes("children")
        given = self.columns(child)
        made = [self._made_of(expression, given) for expression in node.nodes("expressions")]
        for index in ("window_index", "unnest_index"):
            self.bound[number(node, index)] = made
        return [*given, *made]

    def set_operation(self, node: Node) -> Columns:
        sides = [self.columns(child) for child in node.nodes("children")]
        if node.type == "LOGICAL_EXCEPT":  # the other sides only take rows away
            return sides[0]
        return [merged(values) for values in zip(*sides, strict=True)]

    def definition(self, node: Node) -> Columns:
        definition, body = node.nodes("children")
        index = number(node, "table_index")
        self.names_of_with[index] = node.text("ctename")
        self.of_with[index] = self.columns(definition)
        return self.columns(body)

    def recursion(self, node: Node) -> Columns:
        first, again = node.nodes("children")
        index = number(node, "table_index")
        self.names_of_with[index] = node.text("ctename")
        self.of_with[index] = self.columns(first)
        while True:
            known = self.of_with[index]
            found = [merged(values) for values in zip(known, self.columns(again), strict=True)]
            self.of_with[index] = found
            if [trace.keys() for trace in found] == [trace.keys() for trace in known]:
                return found

    def with_reference(self, node: Node) -> Columns:
        index = number(node, "cte_index")
        if index not in self.of_with:
            raise Unclear("LOGICAL_CTE_REF to what is not known")
        columns, name, names = self.of_with[index], self.names_of_with[index], node.texts("bound_columns")
        if name.startswith(_OWN_NAME):
            return columns
        return [named(trace, Step(column, name)) for trace, column in zip(columns, names, strict=True)]

    def join(self, node: Node) -> Columns:
        first, second = node.nodes("children")
        left, met = self.columns(first), len(self.deciding)
        right = self._stood_in(node, left, self.columns(second))
        inside = self.deciding[met:]
        compared = self._compared(node, left, right)
        self.deciding.append(compared)
        kept = _mapped(left, node, "left_projection_map")
        match node.text("join_type"):
            case kind if kind in _OF_BOTH:
                return [*kept, *_mapped(right, node, "right_projection_map")]
            case kind if kind in _OF_LEFT:
                return kept
            case "MARK":
                # EXISTS or IN: the value is whether there are rows, so it is made of all that decides it.
                mark = merged([compared, *inside])
                self.bound[number(node, "mark_index")] = [mark]
                return [*kept, mark]
            case kind:
                raise Unclear(f"join of type {kind}")

    def _stood_in(self, node: Node, left: Columns, right: Columns) -> Columns:
        """The columns of the right side, as if they had never stood in for one of the left.

        In a correlated subquery with `p.id = o.person` the binder reads p.id where o.person is written, and compares
        the two here. So what is made of the one may have been written as the other.
        """
        for condition in node.nodes("conditions"):
            if condition.text("comparison") != "COMPARE_NOT_DISTINCT_FROM":
                continue
            outer = self._made_of(condition.node("left"), left)
            inner = self._made_of(condition.node("right"), right)
            if outer.keys() != inner.keys():
                right = _with_outer(right, inner, outer)
                self.bound = {index: _with_outer(columns, inner, outer) for index, columns in self.bound.items()}
        return right

    def _compared(self, node: Node, left: Columns, right: Columns) -> Trace:
        """All columns that the condition of a join is made of."""
        conditions = node.nodes("conditions")
        if not conditions or any(not condition.node("left").type for condition in conditions):
            return merged([*left, *right])
        sides = [(self._made_of(c.node("left"), left), self._made_of(c.node("right"), right)) for c in conditions]
        return merged(chain.from_iterable(sides))

    def values(self, node: Node) -> Columns:
        """VALUES: one list of expressions for each row."""
        (child,) = node.nodes("children")
        given = self.columns(child)
        rows = node.fields.get("expressions")
        listed = [
            [self._made_of(Node(cell), given) for cell in row] for row in (rows if isinstance(rows, list) else [])
        ]
        return [merged(cells) for cells in zip(*listed, strict=True)]

    def _made_of(self, expression: Node, given: Sequence[Trace]) -> Trace:
        return merged(self._referred(expression, given))

    def _referred(self, expression: Node, given: Sequence[Trace]) -> Iterator[Trace]:
        for reference in references(expression):
            if reference.table is None:
                yield _at(given, reference.column)
            else:
                yield _at(self.bound.get(reference.table, []), reference.column)


_ANSWERS: Mapping[str, Callable[[_Plan, Node], Columns]] = {
    "LOGICAL_AGGREGATE_AND_GROUP_BY": _Plan.aggregate,
    "LOGICAL_ANY_JOIN": _Plan.join,
    "LOGICAL_ASOF_JOIN": _Plan.join,
    "LOGICAL_COMPARISON_JOIN": _Plan.join,
    "LOGICAL_CROSS_PRODUCT": _Plan.side_by_side,
    "LOGICAL_CTE_REF": _Plan.with_reference,
    "LOGICAL_DISTINCT": _Plan.unchanged,
    "LOGICAL_DUMMY_SCAN": _Plan.nothing,
    "LOGICAL_EXCEPT": _Plan.set_operation,
    "LOGICAL_EXPRESSION_GET": _Plan.values,
    "LOGICAL_FILTER": _Plan.unchanged,
    "LOGICAL_GET": _Plan.get,
    "LOGICAL_INTERSECT": _Plan.set_operation,
    "LOGICAL_LIMIT": _Plan.unchanged,
    "LOGICAL_MATERIALIZED_CTE": _Plan.definition,
    "LOGICAL_ORDER_BY": _Plan.unchanged,
    "LOGICAL_POSITIONAL_JOIN": _Plan.side_by_side,
    "LOGICAL_PROJECTION": _Plan.projection,
    "LOGICAL_RECURSIVE_CTE": _Plan.recursion,
    "LOGICAL_UNION": _Plan.set_operation,
    "LOGICAL_UNNEST": _Plan.appended,
    "LOGICAL_WINDOW": _Plan.appended,
}


def traces_of(plan: Node) -> list[Trace]:
    """For each column that the plan answers with, what it is made of.

    Raises:
        Unclear: the plan has something that is not known here.
    """
    return _Plan().columns(plan)


def _with_outer(columns: Columns, inner: Trace, outer: Trace) -> Columns:
    """The columns, where what is made of `inner` may be made of `outer`."""
    return [merged([trace, outer]) if trace.keys() & inner.keys() or not inner else trace for trace in columns]


def _mapped(columns: Columns, node: Node, name: str) -> Columns:
    """The columns that an operator passes on; a missing map stands for all."""
    positions = node.fields.get(name)
    return [_at(columns, position) for position in positions] if isinstance(positions, list) and positions else columns


def _at(columns: Sequence[Trace], position: int) -> Trace:
    if not 0 <= position < len(columns):
        raise Unclear(f"column {position} of {len(columns)}")
    return columns[position]
