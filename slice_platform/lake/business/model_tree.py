"""A model.sql as DuckDB parses it: one SELECT over curated.<dataset> and business.<table>, and nothing else."""

import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import duckdb

from slice_platform.errors import ContractError, QueryRefused
from slice_platform.lake.business.model_text import ModelText
from slice_platform.lake.business.tables import TIERS
from slice_platform.lake.sql_tree import ALLOWED, Node, read_statement

PARAMETERS = ("partition_start", "partition_end")
_TABLE_FUNCTIONS = ("generate_series", "range", "repeat", "unnest", "json_each", "json_tree")
_ONE_SELECT = "a business table is one SELECT over curated.<dataset> and business.<table>"
_OWN_PARAMETERS = "a model has only $partition_start and $partition_end"
_LINE = re.compile(r"\n+LINE (\d+):.*", re.DOTALL)
_NO_TEXT = re.compile("[\0\ud800-\udfff]")
_FAR = 2**63  # DuckDB says that it does not know a place by the greatest number there is


@dataclass(frozen=True)
class Parameter:
    """`$name` in the text, from the byte `start` to before `end`."""

    name: str
    start: int
    end: int


def dependencies(path: Path, sql: str) -> tuple[str, ...]:
    """The tables the model reads, as "tier.name" in the spelling of the model, sorted; each once.

    Raises:
        ContractError: it is not one SELECT, or reads anything but curated.<dataset> and business.<table>.
    """
    found: dict[str, str] = {}
    for node in table_references(read_model(ModelText(path, sql))):
        name = f"{node.text('schema_name').lower()}.{node.text('table_name')}"
        found.setdefault(name.lower(), name)
    return tuple(sorted(found.values()))


def read_model(text: ModelText) -> Node:
    """The parse tree of the model.

    Raises:
        ContractError: it is not one SELECT, or reads anything but curated.<dataset> and business.<table>; the message
            names the line.
    """
    _refuse_what_is_no_select(text)
    with closing(duckdb.connect(config={"threads": 1})) as connection:
        try:
            tree = read_statement(connection, text.sql)
        except QueryRefused as error:
            raise text.error(f"{str(error).removesuffix(ALLOWED).strip()} Here {_ONE_SELECT}.") from error
    for node in tree.walk():
        _refuse_node(text, node)
    _refuse_other_tables(text, tree)
    _refuse_other_parameters(text, tree)
    return tree


def table_references(tree: Node) -> Iterator[Node]:
    """The places where tables of the lake are read; those of a WITH have no tier in front."""
    return (node for node in tree.walk() if node.type == "BASE_TABLE" and node.text("schema_name"))


def parameters(tree: Node) -> list[Parameter]:
    """Where `$partition_start` and `$partition_end` stand, first to last."""
    found = {
        Parameter(node.text("identifier").lower(), start, start + number(node, "query_location_length"))
        for node in tree.walk()
        if node.type == "VALUE_PARAMETER" and (start := place(node)) is not None
    }
    return sorted(found, key=lambda parameter: parameter.start)


def place(node: Node) -> int | None:
    """The byte of the text at which the node begins, where DuckDB knows it."""
    at = node.fields.get("query_location")
    return at if isinstance(at, int) and at < _FAR else None


def number(node: Node, name: str) -> int:
    """The whole number in a field; -1 where there is none."""
    value = node.fields.get(name)
    return value if isinstance(value, int) else -1


def _refuse_what_is_no_select(text: ModelText) -> None:
    if _NO_TEXT.search(text.sql):
        raise text.error("it holds a character that no SQL has (NUL, or half of one); write it again as UTF-8 text")
    try:
        statements = duckdb.extract_statements(text.sql)
    except duckdb.Error as error:
        raise _syntax_error(text, error) from error
    if len(statements) != 1:
        raise text.error(f"expected one statement, found {len(statements)}; {_ONE_SELECT}")
    kind = statements[0].type
    if kind not in (duckdb.StatementType.SELECT, duckdb.StatementType.MULTI):
        raise text.error(f"expected SELECT or WITH, found a statement of type {kind.name}; {_ONE_SELECT}")


def _syntax_error(text: ModelText, error: duckdb.Error) -> ContractError:
    said, line = str(error), _LINE.search(str(error))
    if "named and positional parameters" in said:
        return _positional_parameter(text)
    problem = _LINE.sub("", said).removeprefix("Parser Error: ")
    return text.error(f"DuckDB cannot parse it: {problem}", line=int(line[1]) if line else None)


def _positional_parameter(text: ModelText) -> ContractError:
    """DuckDB does not say where `?` stands beside a `$name`."""
    written = text.sql.encode()
    marks = (at for at, kind in duckdb.tokenize(text.sql) if kind == duckdb.token_type.operator)
    at = next((at for at in marks if written[at : at + 1] == b"?" or written[at + 1 : at + 2].isdigit()), None)
    return text.error(f"a parameter without a name has no value; {_OWN_PARAMETERS}", at)


def _refuse_node(text: ModelText, node: Node) -> None:
    at = place(node)
    if node.type == "SHOW_REF":
        raise text.error(f"it describes a table instead of reading it; {_ONE_SELECT}", at)
    name = node.node("function").text("function_name").lower()
    if node.type == "TABLE_FUNCTION" and name not in _TABLE_FUNCTIONS:
        raise text.error(f"it calls the table function {name!r}; offered are {', '.join(_TABLE_FUNCTIONS)}", at)
    if node.says("sample"):
        problem = "it samples, so its rows differ from run to run; take a part by a condition, e.g. id % 10 = 0"
        raise text.error(problem, at)
    if node.says("at_clause"):
        raise text.error(
            "it asks for a table as it was (AT); a business table is made from its sources as they are", at
        )


def _refuse_other_tables(text: ModelText, tree: Node) -> None:
    own = {name.lower() for node in tree.walk() for name in _names_of_with(node)}
    for node in tree.walk():
        if node.type != "BASE_TABLE":
            continue
        catalog, schema, name = (node.text(part) for part in ("catalog_name", "schema_name", "table_name"))
        if not schema and name.lower() in own:
            continue
        if catalog or schema.lower() not in TIERS:
            written = ".".join(part for part in (catalog, schema, name) if part)
            raise text.error(
                f"it reads {written!r}; write the tier in front, curated.{name} or business.{name}: nothing else "
                "can be read",
                place(node),
            )


def _names_of_with(node: Node) -> Iterator[str]:
    yield from (entry.text("key") for entry in node.node("cte_map").nodes("map"))
    if name := node.text("ctename"):
        yield name


def _refuse_other_parameters(text: ModelText, tree: Node) -> None:
    for node in tree.walk():
        if node.type == "VALUE_PARAMETER" and node.text("identifier").lower() not in PARAMETERS:
            name = node.text("identifier")
            raise text.error(
                f"the parameter {name!r} (written `${name}`, or `?`) has no value; {_OWN_PARAMETERS}",
                place(node),
            )
