"""Where a file lies says what is to be done with it.

    destination=<redshift|postgres|mysql>/database=<name>/table_name=<name>/
        schema/create/<file>.json     the table is created
        schema/update/<file>.json     columns are added or dropped
        input/load/<file>             rows are inserted
        input/update/<file>           rows are inserted or updated, by primary key
        succeeded/  failed/           where files go that were worked off; ours, never looked at

A path is read by one grammar, from its first character to its last. What does not follow it is refused, never ignored.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, TypeAlias, cast, get_args

from slice_platform.warehouse.identifiers import identifier
from slice_platform.warehouse.refusal import refuse

DestinationName: TypeAlias = Literal["redshift", "postgres", "mysql"]
Format: TypeAlias = Literal["csv", "jsonl", "parquet"]
DESTINATIONS: tuple[DestinationName, ...] = get_args(DestinationName)
_FILE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._ ()+=-]{0,199}", re.ASCII)
_SHAPE = "destination=<name>/database=<name>/table_name=<name>/{schema/create,schema/update,input/load,input/update}/"
_INPUT = re.compile(r".*\.(?P<format>csv|jsonl|parquet)(?P<gz>\.gz)?", re.IGNORECASE | re.DOTALL)


class Task(StrEnum):
    """What a file asks for; the value is the folder that says so. In the order in which a table's files are taken."""

    CREATE = "schema/create"
    ALTER = "schema/update"
    LOAD = "input/load"
    UPSERT = "input/update"

    @property
    def is_schema(self) -> bool:
        return self in (Task.CREATE, Task.ALTER)


@dataclass(frozen=True, order=True)
class TableRef:
    """A table in a destination. `database` is a schema in Redshift, a database elsewhere."""

    destination: DestinationName
    database: str
    table: str

    @property
    def folder(self) -> str:
        return f"destination={self.destination}/database={self.database}/table_name={self.table}"

    def __str__(self) -> str:
        return f"{self.destination} {self.database}.{self.table}"


@dataclass(frozen=True)
class DropPath:
    """The path of a file, understood."""

    table: TableRef
    task: Task
    name: str
    format: Format | None = None  # None: a JSON document of a schema
    is_gzip: bool = False

    @property
    def key(self) -> str:
        return f"{self.table.folder}/{self.task.value}/{self.name}"


def table_ref(destination: str, database: str, table: str) -> TableRef:
    """The table that these three name.

    Raises:
        FileRefused: one of them is no such name.
    """
    if destination not in DESTINATIONS:
        raise refuse(f"is no destination; there are {', '.join(DESTINATIONS)}", value=destination[:100])
    return TableRef(destination, identifier(database, "database"), identifier(table, "table"))


def read_drop_path(key: str) -> DropPath:
    """The path below the propagator's root.

    Raises:
        FileRefused: it does not follow the grammar; the message says where, and what was expected.
    """
    parts = key.split("/")
    if len(parts) != 6:
        raise refuse(f"is not where a file of a table lies: {_SHAPE}<file>", value=key[:500])
    destination, database, table, *folders, name = parts
    ref = table_ref(_value(destination, "destination"), _value(database, "database"), _value(table, "table_name"))
    folder = "/".join(folders)
    if folder not in (known := [task.value for task in Task]):
        raise refuse(f"is no folder for files; there are {', '.join(known)}", value=folder[:100])
    return _of_name(ref, Task(folder), name)


def _value(part: str, name: str) -> str:
    prefix, found, value = part.partition("=")
    if prefix != name or not found:
        raise refuse(f"stands where {name}=<name> is expected: {_SHAPE}<file>", value=part[:100])
    return value


def _of_name(ref: TableRef, task: Task, name: str) -> DropPath:
    if not _FILE_NAME.fullmatch(name):
        raise refuse("is no file name: letters, digits and . _ - + = ( ) and spaces are, up to 200", value=name[:250])
    if task.is_schema:
        if not name.lower().endswith(".json"):
            raise refuse(f"does not end in .json, as a file in {task.value}/ does", value=name)
        return DropPath(ref, task, name)
    written = _INPUT.fullmatch(name)
    if written is None:
        raise refuse("does not end in .csv, .jsonl or .parquet, with or without .gz", value=name)
    return DropPath(ref, task, name, cast(Format, written["format"].lower()), is_gzip=bool(written["gz"]))
