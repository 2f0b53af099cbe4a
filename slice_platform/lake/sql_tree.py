"""What DuckDB understood a statement to mean: its own parse tree, so that what is judged is what runs.

Looking at the first word of a statement is not enough. `WITH x AS (COPY ... TO 'file') SELECT ...` is a
SELECT to DuckDB 2, and it writes even where external access is off, if the file is one it may read.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import duckdb

from slice_platform.errors import QueryRefused
from slice_platform.sql_text import literal

ALLOWED = (
    "Allowed is one statement that reads: SELECT, WITH, FROM, VALUES, DESCRIBE, SUMMARIZE, SHOW or EXPLAIN, "
    "over curated.<dataset>, business.<table> and raw.<dataset>."
)
# Anything that names a table or a file in a string would pass by the list of files that a query may open.
TABLE_FUNCTIONS = (
    "generate_series", "range", "repeat", "unnest", "json_each", "json_tree", "duckdb_columns", "duckdb_functions",
    "duckdb_keywords", "duckdb_tables", "duckdb_types", "duckdb_views", "pragma_version",
)  # fmt: skip
_READING_NODES = ("SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE", "CTE_NODE")
_EXPLAIN = re.compile(r"\s*explain\s+(analyze\s+)?", re.IGNORECASE)


@dataclass(frozen=True)
class Node:
    """A node of the tree. What is missing reads as empty, so that an unknown shape is never taken for a known one."""

    fields: Mapping[str, object]

    @property
    def type(self) -> str:
        return self.text("type")

    def text(self, name: str) -> str:
        value = self.fields.get(name)
        return value if isinstance(value, str) else ""

    def texts(self, name: str) -> list[str]:
        value = self.fields.get(name)
        return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []

    def node(self, name: str) -> "Node":
        value = self.fields.get(name)
        return Node(value if isinstance(value, dict) else {})

    def nodes(self, name: str) -> list["Node"]:
        value = self.fields.get(name)
        return [Node(item) for item in value if isinstance(item, dict)] if isinstance(value, list) else []

    def says(self, name: str) -> bool:
        """Whether the field holds anything at all."""
        return bool(self.fields.get(name))

    def walk(self) -> Iterator["Node"]:
        """The node and every node below it."""
        waiting: list[object] = [self.fields]
        while waiting:
            value = waiting.pop()
            if isinstance(value, dict):
                yield Node(value)
                waiting.extend(value.values())
            elif isinstance(value, list):
                waiting.extend(value)


def read_statement(connection: duckdb.DuckDBPyConnection, sql: str) -> Node:
    """The tree of the one reading statement in `sql`; of what is explained, where it is an EXPLAIN.

    Raises:
        QueryRefused: it is no SQL, not exactly one statement, writes, changes a setting, or opens files by itself.
    """
    try:
        statements = duckdb.extract_statements(sql)
    except duckdb.Error as error:
        raise QueryRefused(f"The query is not SQL that DuckDB understands. {error}") from error
    if len(statements) != 1:
        raise QueryRefused(f"The query has {len(statements)} statements. {ALLOWED}")
    kind = statements[0].type
    if kind == duckdb.StatementType.EXPLAIN and (prefix := _EXPLAIN.match(sql)):
        return read_statement(connection, sql[prefix.end() :])
    if kind == duckdb.StatementType.EXPLAIN:
        raise QueryRefused("The query explains, but does not begin with EXPLAIN or EXPLAIN ANALYZE; write it so.")
    if kind == duckdb.StatementType.MULTI:
        raise QueryRefused("The query pivots over values it does not name; write PIVOT ... ON column IN (value, ...).")
    if kind != duckdb.StatementType.SELECT:
        raise QueryRefused(f"The query is a statement of type {kind.name}. {ALLOWED}")
    tree = _tree(connection, sql)
    _refuse_what_does_more_than_read(tree)
    return tree


def _tree(connection: duckdb.DuckDBPyConnection, sql: str) -> Node:
    row = connection.execute(f"select json_serialize_sql({literal(sql)}::varchar)").fetchone()
    tree = Node(json.loads(row[0]) if row else {})
    statements = tree.nodes("statements")
    if tree.says("error") or len(statements) != 1:
        raise QueryRefused(f"The query is no plain SELECT: {tree.text('error_message')!r}. {ALLOWED}")
    return statements[0].node("node")


def _refuse_what_does_more_than_read(tree: Node) -> None:
    for node in tree.walk():
        if node.type.endswith("_NODE") and node.type not in _READING_NODES:
            verb = node.type.split("_")[0]
            raise QueryRefused(f"The query contains {verb}, which does more than read. {ALLOWED}")
        name = node.node("function").text("function_name") if node.type == "TABLE_FUNCTION" else ""
        if node.type == "TABLE_FUNCTION" and name.lower() not in TABLE_FUNCTIONS:
            offered = ", ".join(TABLE_FUNCTIONS)
            raise QueryRefused(f"The query calls the table function {name!r}; offered are: {offered}. {ALLOWED}")
