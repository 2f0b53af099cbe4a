"""JSON lines, record by record: one object per line, its values as the text that a CSV would have."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from slice_platform.warehouse.column_type import Kind
from slice_platform.warehouse.refusal import FileRefused, Finding, refuse
from slice_platform.warehouse.table_spec import TableSpec

MOST_LINE_BYTES = 16 * 1024**2


@dataclass(frozen=True)
class JsonRecord:
    """Its values by column, or why it has none."""

    line: int
    values: Mapping[str, str | None] = field(default_factory=dict)
    finding: Finding | None = None


def json_records(path: Path, spec: TableSpec) -> Iterator[JsonRecord]:
    """All objects; blank lines are passed over."""
    supers = frozenset(column.name for column in spec.columns if column.type.kind is Kind.SUPER)
    names = frozenset(spec.names)
    with path.open("rb") as source:
        line = 0
        while raw := source.readline(MOST_LINE_BYTES + 1):
            line += 1
            if len(raw) > MOST_LINE_BYTES:
                while raw and not raw.endswith(b"\n"):
                    raw = source.readline(MOST_LINE_BYTES)
                yield JsonRecord(line, finding=Finding(f"is longer than {MOST_LINE_BYTES:,} bytes", line))
            elif raw.strip():
                yield _record(raw, line, names, supers)


def _record(raw: bytes, line: int, names: frozenset[str], supers: frozenset[str]) -> JsonRecord:
    try:
        found = json.loads(
            raw.decode("utf-8-sig" if line == 1 else "utf-8"),
            object_pairs_hook=_Pairs,
            parse_float=_Number,
            parse_int=_Number,
            parse_constant=_refuse_constant,
        )
        if not isinstance(found, _Pairs):
            raise refuse("is no JSON object")
        values = _values(found, names, supers)
        if b"\\u" in raw:
            "".join(filter(None, values.values())).encode()  # half of a pair of surrogates is no character
        return JsonRecord(line, values)
    except FileRefused as refused:
        one = refused.findings[0]
        return JsonRecord(line, finding=Finding(one.reason, line, one.column, one.value))
    except UnicodeError:
        return JsonRecord(line, finding=Finding("is not valid UTF-8", line))
    except RecursionError:
        return JsonRecord(line, finding=Finding("is nested too deeply", line))
    except json.JSONDecodeError as error:
        return JsonRecord(
            line, finding=Finding(f"is no JSON: {error.msg}", line, value=error.doc[error.pos :].strip()[:60])
        )


class _Pairs(list[tuple[str, Any]]):
    """An object as it is written, a key that comes twice included."""


class _Number(str):
    """A number as it is written."""

    __slots__ = ()


def _refuse_constant(text: str) -> Any:
    raise refuse(f"says {text}, which is no JSON")


def _values(pairs: _Pairs, names: frozenset[str], supers: frozenset[str]) -> dict[str, str | None]:
    values: dict[str, str | None] = {}
    for name, value in pairs:
        if name in values:
            raise refuse("is there twice", column=name)
        if name not in names:
            raise refuse("is no column of the table", value=name[:100])
        values[name] = _document(value) if name in supers else _text(value, name)
    return values


def _text(value: Any, name: str) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None or isinstance(value, str):
        return None if value is None else str(value)
    raise refuse("is an object or a list; only SUPER takes those", column=name)


def _document(value: Any) -> str | None:
    """As JSON again. `null` is NULL, as it is in every other column."""
    return None if value is None else _dumped(value)


def _dumped(value: Any) -> str:
    if isinstance(value, _Pairs):
        return "{" + ",".join(f"{json.dumps(name, ensure_ascii=False)}:{_dumped(one)}" for name, one in value) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_dumped, value)) + "]"
    return str(value) if isinstance(value, _Number) else json.dumps(value, ensure_ascii=False)
