"""What a file in schema/update says: columns that are added to a table, or dropped from it."""

from collections import Counter
from dataclasses import dataclass
from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from slice_platform.warehouse.identifiers import identifier
from slice_platform.warehouse.refusal import FileRefused, Finding
from slice_platform.warehouse.table_spec import MOST_COLUMNS, Column, columns_of, read_document


@dataclass(frozen=True)
class AddColumns:
    """Columns that rows of before have NULL in."""

    columns: tuple[Column, ...]


@dataclass(frozen=True)
class DropColumns:
    """Columns that go, with what is in them."""

    names: tuple[str, ...]


SchemaChange: TypeAlias = AddColumns | DropColumns


class _Add(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    operation_type: Literal["add"]
    column_specification: dict[str, str] = Field(min_length=1, max_length=MOST_COLUMNS)


class _Drop(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    operation_type: Literal["drop"]
    column_specification: list[str] = Field(min_length=1, max_length=MOST_COLUMNS)


_CHANGE: TypeAdapter[_Add | _Drop] = TypeAdapter(Annotated[_Add | _Drop, Field(discriminator="operation_type")])


def read_schema_change(content: bytes) -> SchemaChange:
    """The change of a file in schema/update.

    Raises:
        FileRefused: it is none, or a name or type of it cannot be used.
    """
    written = read_document(_CHANGE, content)
    if isinstance(written, _Add):
        return AddColumns(columns_of(written.column_specification))
    names = tuple(identifier(name, "column") for name in written.column_specification)
    if twice := [name for name, times in Counter(names).items() if times > 1]:
        raise FileRefused(*(Finding("column_specification names it twice", column=name) for name in twice))
    return DropColumns(names)
