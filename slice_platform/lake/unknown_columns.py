"""What a file has beyond its contract: columns and keys that raw keeps and nothing else takes, with sample values."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import duckdb

from slice_platform.engine import run
from slice_platform.lake.cast_sql import json_path
from slice_platform.lake.types import LogicalType
from slice_platform.sql_text import literal, quoted

MOST_NAMES = 20
MOST_SAMPLES = 3
_LOOKED_AT = 1000  # records for the samples of a column that all records have
_FEW_NAMES = 40
_LOOKED_AT_PER_KEY = 20
_MOST_CHARACTERS = 40


@dataclass(frozen=True)
class UnknownColumn:
    """A column or key without a place in the contract; `address.floor` is a key inside the object `address`."""

    name: str
    rows: int  # records that have it; one that has a key twice counts twice
    samples: tuple[str, ...]  # the first few different values, cut short


@dataclass(frozen=True)
class UnknownColumns:
    """The names found most often, and how many more there are."""

    columns: tuple[UnknownColumn, ...] = ()
    more: int = 0

    def __bool__(self) -> bool:
        return bool(self.columns)

    def __str__(self) -> str:
        lines = [_line(one) for one in self.columns]
        return "\n  ".join([*lines, f"and {self.more} more names"] if self.more else lines)


NOTHING_UNKNOWN = UnknownColumns()


@dataclass(frozen=True)
class KnownObject:
    """An object of the contract as it stands in a JSON document."""

    path: str  # JSONPath; [*] goes through the elements of an array
    shown: str  # what the names of its keys begin with in a message
    names: tuple[str, ...]
    at: tuple[str, ...] = ()  # the names that lead to it in the struct that was read

    @property
    def is_repeated(self) -> bool:
        return "[*]" in self.path


@dataclass(frozen=True)
class Records:
    """A file's records as they are, for looking at what the contract does not know of them."""

    sql: str  # a relation with `_row`, numbered as the staged rows are
    beyond: dict[str, str]  # columns that every record has: SQL of their text
    documents: tuple[tuple[str, KnownObject], ...] = ()  # SQL of a JSON document, and an object in it


def known_objects(
    logical: LogicalType, path: str = "$", shown: str = "", at: tuple[str, ...] = ()
) -> Iterator[KnownObject]:
    """The object that a type is, and those inside it."""
    if logical.kind == "object":
        yield KnownObject(path, shown, tuple(field.name for field in logical.fields), at)
        for field in logical.fields:
            inner = (*at, field.name)
            yield from known_objects(field.type, path + json_path(field.name)[1:], f"{shown}{field.name}.", inner)
    elif logical.kind == "array" and logical.items is not None:
        yield from known_objects(logical.items, f"{path}[*]", f"{shown.removesuffix('.')}[].", at)


def keys_of(document: str, objects: Sequence[KnownObject]) -> str:
    """SQL of the keys of each object that is there once, in their order: one call, as each parses the document anew."""
    return f"json_keys({document}, [{', '.join(literal(one.path) for one in objects if not one.is_repeated)}])"


def has_odd_keys(keys: str, objects: Sequence[KnownObject], record: str) -> str:
    """SQL that is true where an object may have a key beyond the contract, or one twice: a closer look is due.

    `keys` is what `keys_of` gave, `record` the struct that was read. In arrays of objects only the closer look tells.
    """
    if any(one.is_repeated for one in objects):
        return "true"
    return " or ".join(_is_odd(f"{keys}[{nth}]", one, record) for nth, one in enumerate(objects, start=1))


def _is_odd(keys: str, known: KnownObject, record: str) -> str:
    """As many values as keys: nothing is odd, which costs next to nothing. Else keys are counted, as some are null."""
    there = ".".join((record, *map(quoted, known.at)))
    filled = " + ".join(f"({there}.{quoted(name)} is not null)::int" for name in known.names)
    if len(known.names) <= _FEW_NAMES:
        counted = " + ".join(f"list_contains({keys}, {literal(name)})::int" for name in known.names)
        odd = f"len({keys}) > {counted}"
    else:  # a look for each of n names would cost n x n
        names = ", ".join(map(literal, known.names))
        odd = f"len({keys}) > list_unique({keys}) or not list_has_all([{names}], {keys})"
    return f"case when len({keys}) > {filled} then {odd} else false end"


def unknown_keys(document: str, objects: Sequence[KnownObject], keys: str | None = None) -> str:
    """SQL of the list of names that a JSON document has beyond these objects, of which there is at least one."""
    once = [one for one in objects if not one.is_repeated]
    keys = keys or keys_of(document, objects)
    found = [_beyond(one, f"{keys}[{nth}]") for nth, one in enumerate(once, start=1)]
    found += [
        _beyond(one, f"list_distinct(flatten(json_keys({document}, {literal(one.path)})))")
        for one in objects
        if one.is_repeated
    ]
    return found[0] if len(found) == 1 else f"flatten([{', '.join(found)}])"


def look_for_unknown(
    connection: duckdb.DuckDBPyConnection, file_id: int, records: Records, rows: int
) -> UnknownColumns:
    """What the staged file has beyond the contract. Looks at records again only where there is something."""
    columns = _of_all_records(connection, records, rows)
    found = run(
        connection,
        f"""select left(name, 200), count(*), min(_row, {_LOOKED_AT_PER_KEY}), count(*) over () from (
              select unnest(_extra) as name, _row from stage where _file_id = {file_id} and _extra is not null)
            group by name order by 2 desc, 1 limit {MOST_NAMES}""",
    )
    samples = _of_some_records(connection, records, {name: at for name, _, at, _ in found})
    keys = [UnknownColumn(name, count, samples[name]) for name, count, _, _ in found]
    total = len(records.beyond) + (found[0][3] if found else 0)
    shown = [*columns, *keys][:MOST_NAMES]
    return UnknownColumns(tuple(shown), total - len(shown))


def _of_all_records(connection: duckdb.DuckDBPyConnection, records: Records, rows: int) -> list[UnknownColumn]:
    names = list(records.beyond)[:MOST_NAMES]
    if not names:
        return []
    texts = ", ".join(f"left({records.beyond[name]}, {_MOST_CHARACTERS + 1})" for name in names)
    looked_at = run(connection, f"select {texts} from {records.sql} limit {_LOOKED_AT}")
    return [UnknownColumn(name, rows, _different(row[at] for row in looked_at)) for at, name in enumerate(names)]


def _of_some_records(
    connection: duckdb.DuckDBPyConnection, records: Records, rows: dict[str, list[int]]
) -> dict[str, tuple[str, ...]]:
    if not rows:
        return {}
    wanted = {row for some in rows.values() for row in some}
    texts, values = [], []
    for name in rows:
        text, key = _value(records, name)
        texts.append(f"left({text}, {_MOST_CHARACTERS + 1})")
        values.append(key)
    # The keys are a supplier's and may hold anything; as parameters they are never read as SQL or JSONPath.
    looked_at = connection.execute(
        f"select {', '.join(texts)} from (select * from {records.sql} where _row in "
        f"({', '.join(map(str, wanted))}) limit {len(wanted)}) order by _row",
        values,
    ).fetchall()
    return {name: _different(row[at] for row in looked_at) for at, name in enumerate(rows)}


def _value(records: Records, name: str) -> tuple[str, str]:
    """SQL of the text of a key, and the JSON pointer that is its parameter."""
    documents = sorted(records.documents, key=lambda one: len(one[1].shown), reverse=True)
    document, known = next((doc, one) for doc, one in documents if name.startswith(one.shown))
    pointer = "/" + name.removeprefix(known.shown).replace("~", "~0").replace("/", "~1")
    there = f"json_extract({document}, {literal(known.path)})"
    if not known.is_repeated:
        return f"json_extract_string({there}, ?)", pointer
    values = f"list_transform({there}, lambda e: json_extract_string(e, ?))"
    return f"list_filter({values}, lambda v: v is not null)[1]", pointer


def _beyond(known: KnownObject, keys: str) -> str:
    more = f"list_filter({keys}, lambda k: k not in ({', '.join(map(literal, known.names))}))"
    return f"list_transform({more}, lambda k: {literal(known.shown)} || k)" if known.shown else more


def _different(values: Iterable[str | None]) -> tuple[str, ...]:
    found = dict.fromkeys(value for value in values if value)
    return tuple(_short(value) for value in list(found)[:MOST_SAMPLES])


def _short(value: str) -> str:
    return value if len(value) <= _MOST_CHARACTERS else f"{value[:_MOST_CHARACTERS]}..."


def _line(one: UnknownColumn) -> str:
    name = one.name if one.name.isprintable() and one.name else repr(one.name)
    return f"{name}: {one.rows} row{'' if one.rows == 1 else 's'}" + (
        f", such as {', '.join(map(repr, one.samples))}" if one.samples else ""
    )
