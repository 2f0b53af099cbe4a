"""What a person writes of a source: which table, into which dataset, how often, and how long rows are kept there."""

import re
from datetime import timedelta
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from slice_platform.yaml_lines import Place, YamlFile

COMPONENT = "slice_platform.components.database_source.DatabaseSource"
ServerKind: TypeAlias = Literal["postgres", "mysql"]
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_TABLE = re.compile(r"[^\s.`\"';]+(\.[^\s.`\"';]+)?")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def _duration(value: Any) -> timedelta:
    """A time such as 15m or 60d."""
    if isinstance(value, timedelta):
        return value
    found = re.fullmatch(r"(\d{1,6})\s*([smhdw])", str(value).strip())
    if found is None:
        raise ValueError("expected a time such as 30s, 15m, 2h, 60d or 8w")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def _overlap(value: Any) -> int | timedelta:
    is_number = isinstance(value, int) and not isinstance(value, bool) and value >= 0
    return int(value) if is_number else _duration(value)


Duration: TypeAlias = Annotated[timedelta, BeforeValidator(_duration)]
Overlap: TypeAlias = Annotated[int | timedelta, BeforeValidator(_overlap)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class CursorSpec(_Model):
    """How new and changed rows are told from those that were read before."""

    column: str = Field(description="A timestamp, date or integer that grows with every change of a row.")
    overlap: Overlap = Field(
        default=timedelta(0),
        description="How far to read back: a time such as 15m, of an integer column a number. As long as a transaction "
        "may take to commit what it stamped.",
    )


class RetentionSpec(_Model):
    """When rows may leave the operational database."""

    after: Duration = Field(description="Age at which a row may go, such as 60d.")
    column: str = Field(description="The date or timestamp that says how old a row is; without a zone it is UTC.")


class SourceSpec(_Model):
    """A table or query of a database whose rows go into a dataset (`attributes` of a defs.yaml)."""

    dataset: str = Field(description="The LakeDataset that takes the files.")
    url_variable: str | None = Field(
        default=None, description="Environment variable with postgresql://user:password@host or mysql://..."
    )
    server: ServerKind | None = Field(
        default=None, description="Without url_variable: the platform's own destination, default postgres."
    )
    database: str | None = Field(default=None, description="Database of the server; default the one of the URL.")
    table: str | None = Field(default=None, description="Table or view, in Postgres with its schema: public.orders.")
    query: str | None = Field(default=None, description="Instead of a table: one SELECT.")
    cursor: CursorSpec | None = Field(
        default=None, description="Only what changed is read; without it all rows, each time."
    )
    schedule: str | None = Field(default=None, description="Cron expression in UTC.")
    retention: RetentionSpec | None = None

    @property
    def kind(self) -> ServerKind | None:
        """Which server it is, as far as it is known without the URL."""
        return self.server if self.server or self.url_variable else "postgres"


def refuse_contradictions(source: YamlFile, spec: SourceSpec) -> None:
    """Raise ContractError, with file and line, where the parts of a source do not go together."""
    for place, problem in _problems(spec):
        raise source.error(("attributes", *place), problem)


def _problems(spec: SourceSpec) -> list[tuple[Place, str]]:
    found: list[tuple[Place, str]] = []
    if (spec.table is None) == (spec.query is None):
        found.append((("query",) if spec.query else (), "give either `table` or `query`"))
    if spec.table is not None and not _TABLE.fullmatch(spec.table):
        found.append((("table",), f"expected a name, or schema.name, got {spec.table!r}; for others write a `query`"))
    if spec.query is not None and not spec.query.strip().strip(";"):
        found.append((("query",), "expected one SELECT, got nothing"))
    if spec.url_variable is not None and not _VARIABLE.fullmatch(spec.url_variable):
        problem = "expected the name of an environment variable; the URL itself, which holds a password, stays out"
        found.append((("url_variable",), problem))
    if spec.url_variable is None and spec.database is None:
        found.append(((), "name the `database` of the server"))
    return found + _problems_of_retention(spec)


def _problems_of_retention(spec: SourceSpec) -> list[tuple[Place, str]]:
    if spec.retention is None:
        return []
    found: list[tuple[Place, str]] = []
    if spec.query is not None:
        found.append((("retention",), "rows of a query cannot be deleted: give a `table` with a primary key"))
    if spec.cursor is None:
        why = (
            "without a `cursor` each file is the whole table and takes the place of the one before, so rows that "
            "expired here would leave the lake with the next one: give a `cursor`"
        )
        found.append((("retention",), why))
    if spec.retention.after <= timedelta(0):
        found.append((("retention", "after"), "expected a time such as 60d"))
    return found
