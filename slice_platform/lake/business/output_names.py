"""Names that the columns of a business table may have: those of any contract, and each once."""

import re

from slice_platform.lake.business.model_text import ModelText
from slice_platform.lake.business.model_tree import place
from slice_platform.lake.business.tables import SourceTable
from slice_platform.lake.contract import RESERVED
from slice_platform.lake.sql_tree import Node

_PLAIN = re.compile(r"[^\W\d]\w*")


def refuse_odd_names(text: ModelText, tree: Node, names: list[str], tables: tuple[SourceTable, ...]) -> None:
    """Return only where every column has a name that someone gave it, that a contract may hold, and no two share.

    Raises:
        ContractError: a column has not; the message says how to name it.
    """
    given = _given(tree, tables)
    seen: dict[str, str] = {}
    for position, name in enumerate(names):
        at = place_of_column(tree, name, position)
        if not _PLAIN.fullmatch(name) and name not in given:
            raise text.error(f"the column {name!r} has no name of its own; write `... as <name>`", at)
        if not name.isprintable():
            raise text.error(f"the column {name!r} has characters that cannot be seen; choose another name", at)
        if name.startswith("_") or name in RESERVED:
            problem = (
                f"{name!r} is kept for the platform, as are names with a leading underscore; choose another name "
                "with `as`, or leave it out with `* exclude (...)`"
            )
            raise text.error(problem, at)
        if name.lower() in seen:
            problem = (
                f"the column {name!r} appears twice (case does not tell names apart); name one otherwise with `as`"
            )
            raise text.error(problem, at)
        seen[name.lower()] = name


def place_of_column(tree: Node, name: str, position: int) -> int | None:
    """The byte at which an output column is written, where that can be told."""
    listed = next((node for node in _first_selects(tree)), Node({})).nodes("select_list")
    by_alias = [node for node in listed if node.text("alias").lower() == name.lower()]
    if by_alias:
        return _first_place(by_alias[-1])
    has_star = any(node.type == "STAR" for node in listed[: position + 1])
    return None if has_star or position >= len(listed) else _first_place(listed[position])


def _first_place(node: Node) -> int | None:
    """The first byte of an expression; DuckDB says of some only where their operator stands."""
    return min((at for inner in node.walk() if (at := place(inner)) is not None), default=None)


def _first_selects(tree: Node) -> list[Node]:
    """The SELECT that names the columns: of a UNION the first."""
    while tree.type == "SET_OPERATION_NODE":
        below = tree.node("left")
        tree = below if below.type else next(iter(tree.nodes("children")), Node({}))
    return [tree] if tree.type == "SELECT_NODE" else []


def _given(tree: Node, tables: tuple[SourceTable, ...]) -> set[str]:
    """Every name that is a source column's, or that the model writes itself: as an alias or of a WITH."""
    given = {column.name for table in tables for column in table.columns}
    for node in tree.walk():
        given.add(node.text("alias"))
        given.update(node.texts("column_name_alias"), node.texts("aliases"))
    return given - {""}
