"""Logical types of a contract, and how DuckDB spells them."""

from dataclasses import dataclass
from typing import Literal

from slice_platform.sql_text import literal, quoted

Kind = Literal["string", "integer", "number", "boolean", "date", "time", "timestamp", "object", "array"]
KINDS: tuple[Kind, ...] = ("string", "integer", "number", "boolean", "date", "time", "timestamp", "object", "array")

_DUCKDB = {
    "string": "VARCHAR",
    "integer": "BIGINT",
    "boolean": "BOOLEAN",
    "date": "DATE",
    "time": "TIME",
}


@dataclass(frozen=True)
class LogicalType:
    """An ODCS logical type. `precision` makes a number a decimal, `has_zone` a timestamp an instant."""

    kind: Kind
    precision: int | None = None
    scale: int = 0
    has_zone: bool = False
    default_zone: str = "UTC"
    format: str | None = None  # strptime spelling; only for date, time and timestamp
    fields: "tuple[Field, ...]" = ()
    items: "LogicalType | None" = None

    @property
    def is_nested(self) -> bool:
        return self.kind in ("object", "array")

    @property
    def is_temporal(self) -> bool:
        return self.kind in ("date", "timestamp")

    def __str__(self) -> str:
        """The type as a person reads it in a message or in the UI."""
        match self.kind:
            case "number" if self.precision is not None:
                return f"number({self.precision},{self.scale})"
            case "timestamp":
                return "timestamp with zone" if self.has_zone else "timestamp"
            case "object":
                return "object<" + ", ".join(f"{field.name}: {field.type}" for field in self.fields) + ">"
            case "array":
                return f"array<{self.items}>"
            case kind:
                return kind


@dataclass(frozen=True)
class Field:
    """A named value inside an object."""

    name: str
    type: LogicalType


def duckdb_type(logical: LogicalType) -> str:
    """The DuckDB type whose Parquet form the Iceberg type reads."""
    match logical.kind:
        case "number":
            return "DOUBLE" if logical.precision is None else f"DECIMAL({logical.precision},{logical.scale})"
        case "timestamp":
            return "TIMESTAMPTZ" if logical.has_zone else "TIMESTAMP"
        case "object":
            return "STRUCT(" + ", ".join(f"{quoted(f.name)} {duckdb_type(f.type)}" for f in logical.fields) + ")"
        case "array":
            assert logical.items is not None
            return duckdb_type(logical.items) + "[]"
        case kind:
            return _DUCKDB[kind]


def typed_literal(logical: LogicalType, text: str) -> str:
    """The SQL literal of a value whose text fits the type; numbers are compared as numbers, not as their spelling."""
    match logical.kind:
        case "string" | "object" | "array":
            return literal(text)
        case "integer":
            return str(int(text))  # beyond 64 bits it still compares
        case _:
            return f"cast({literal(text)} as {duckdb_type(logical)})"
