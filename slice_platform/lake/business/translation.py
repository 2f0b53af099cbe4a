"""A model in the SQL of another engine, for who wants to take it there. Only what means the same is translated.

It means the same where the session's time zone there is UTC, as it is here.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias

from sqlglot import ErrorLevel, exp, parse_one
from sqlglot.errors import ParseError, SqlglotError
from sqlglot.optimizer.annotate_types import annotate_types
from sqlglot.optimizer.qualify import qualify
from sqlglot.schema import MappingSchema

from slice_platform.lake.business.binding import BoundModel, without_semicolon
from slice_platform.lake.business.portable import doubtful, unportable
from slice_platform.lake.types import duckdb_type

Dialect: TypeAlias = Literal["athena", "redshift", "spark"]
_MARK = "_slice_parameter_of_a_model_"
_MARKED = re.compile(rf"{_MARK}(partition_start|partition_end)")


@dataclass(frozen=True)
class Translation:
    """The model in a dialect. `warnings` say which of its values may differ there.

    `parameters` names what is still to be given: for each `?` in its order, or every `:name` once.
    """

    sql: str
    parameters: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def translate(
    model: BoundModel, dialect: Dialect, *, start: datetime | None = None, end: datetime | None = None
) -> Translation:
    """The model in that dialect, with the same columns in the same order, every one by its name.

    With `start` and `end` the two moments stand in it as literals. Without, its parameters stay: as
    `:partition_start` for Spark and for Redshift's Data API, and as `?` for Athena, which has no names for them.

    Raises:
        ContractError: something in the model is not known to mean the same in that dialect; the message says what.
    """
    sql = model.text.sql if start is None or end is None else model.sql_at(start, end)
    try:
        query = _qualified(model, sql)
        if problems := list(dict.fromkeys(unportable(query, dialect))):
            raise model.text.error(f"it cannot be translated to {dialect}: {'; '.join(problems)}")
        warnings = tuple(dict.fromkeys(doubtful(query)))
        for placeholder in list(query.find_all(exp.Placeholder)):
            placeholder.replace(exp.Var(this=f"{_MARK}{placeholder.name.lower()}"))
        written = query.sql(dialect, unsupported_level=ErrorLevel.RAISE, identify=True, pretty=True)
        made = [name.lower() for name in _read(written, dialect).named_selects]
    except SqlglotError as error:
        raise model.text.error(f"it cannot be translated to {dialect}: {error}") from error
    if made != [column.name.lower() for column in model.columns]:
        raise model.text.error(f"it cannot be translated to {dialect}: the columns there would be {', '.join(made)}")
    return _parametrized(written, dialect, warnings)


def _qualified(model: BoundModel, sql: str) -> exp.Expr:
    """The model with every column under the name of its table and no stars, and with types."""
    schema = MappingSchema(dialect="duckdb")
    for table in model.tables:
        columns = {column.name: duckdb_type(column.type) for column in table.columns}
        schema.add_table(f"{table.tier}.{table.name}", columns, dialect="duckdb")
    parsed = _read(without_semicolon(sql), "duckdb")
    return annotate_types(qualify(parsed, schema=schema, dialect="duckdb"), schema=schema, dialect="duckdb")


def _read(sql: str, dialect: str) -> exp.Query:
    parsed = parse_one(sql, dialect=dialect)
    if not isinstance(parsed, exp.Query):
        raise ParseError(f"expected a query, read {parsed.key!r}")
    return parsed


def _parametrized(written: str, dialect: Dialect, warnings: tuple[str, ...]) -> Translation:
    found = tuple(_MARKED.findall(written))
    if dialect == "athena":
        return Translation(_MARKED.sub("?", written), found, warnings)
    return Translation(_MARKED.sub(r":\1", written), tuple(sorted(set(found))), warnings)
