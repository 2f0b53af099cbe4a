"""What a role sees of a table: an analyst no personal data, a reader of personal data all."""

import json
from collections.abc import Iterable
from typing import Literal, TypeAlias

from pyiceberg.table import Table

from slice_platform.lake.classification import is_closed
from slice_platform.lake.evolution import CLOSED
from slice_platform.lake.table_definition import TableDefinition
from slice_platform.sql_text import literal, quoted

Role: TypeAlias = Literal["analyst", "pii_reader"]
MASK = "***"


def hidden_columns(definition: TableDefinition, table: Table | None, role: Role) -> frozenset[str]:
    """The columns whose values the role does not see; of one that left the definition the table remembers its class."""
    if role != "analyst":
        return frozenset()
    known = {column.name: is_closed(column.classification) for column in definition.columns}
    gone = json.loads(table.properties.get(CLOSED, "[]")) if table else []
    return frozenset({*(name for name, closed in known.items() if closed), *(set(gone) - known.keys())})


def masked(sql: str, columns: Iterable[tuple[str, str]], hidden: frozenset[str]) -> str:
    """A SELECT, of which these are the columns (name, DuckDB type), with a mask in the place of what is hidden.

    A text becomes `***` and any other value NULL, whether there was one or not.
    """
    masks = ", ".join(_mask(name, kind) for name, kind in columns if name in hidden)
    return f"select * replace ({masks}) from ({sql})" if masks else sql


def _mask(name: str, kind: str) -> str:
    return f"{literal(MASK) if kind == 'VARCHAR' else 'null'}::{kind} as {quoted(name)}"
