"""JSON that stands in a column of CSV or Parquet: its values, and what is odd about its keys."""

from collections.abc import Iterable, Sequence

from slice_platform.lake.cast_sql import value_shape
from slice_platform.lake.contract import Column
from slice_platform.lake.repeated_keys import key_given_twice
from slice_platform.lake.unknown_columns import KnownObject, has_odd_keys, keys_of, known_objects, unknown_keys


def objects_in(column: Column) -> list[KnownObject]:
    """The objects of the contract in the documents of a column."""
    return list(known_objects(column.type, shown=f"{column.name}."))


def unless_json(texts: Iterable[str]) -> str:
    """SQL of the reason why a record cannot be read where one of the texts, as far as it is there, is no JSON."""
    unfit = " or ".join(f"({text} is not null and try_cast({text} as json) is null)" for text in texts)
    return f"case when {unfit} then 'a nested column is not JSON' end" if unfit else "null::varchar"


def with_documents(relation: str, columns: Sequence[tuple[int, Column]]) -> str:
    """SQL of a relation that has the document of each column as `_d<i>`, with its value as `_t<i>` and with `_extra`.

    `_broken`, the reason why a record cannot be read, gains keys of the contract that a document gives twice.
    """
    known = [(i, found) for i, column in columns if (found := objects_in(column))]
    values = [f"from_json(_d{i}, {value_shape(column.type)}) as _t{i}" for i, column in columns]
    keys = [f"{_keys(f'_d{i}', objects)} as _k{i}" for i, objects in known]
    odd = [f"{has_odd_keys(f'_k{i}', objects, f'_t{i}')} as _o{i}" for i, objects in known]
    twice = [f"case when _o{i} then {key_given_twice(f'_d{i}', objects, f'_k{i}')} end" for i, objects in known]
    extra = [f"case when _o{i} then {unknown_keys(f'_d{i}', objects, f'_k{i}')} end" for i, objects in known]
    return f"""
        select * exclude (_broken), coalesce({", ".join(["_broken", *twice])}) as _broken, {_joined(extra)} as _extra
        from (select {", ".join(["*", *odd])} from (select {", ".join(["*", *values, *keys])} from ({relation})))"""


def _keys(document: str, objects: Sequence[KnownObject]) -> str:
    is_once = any(not one.is_repeated for one in objects)
    return keys_of(document, objects) if is_once else "null::varchar[][]"


def _joined(lists: list[str]) -> str:
    return lists[0] if len(lists) == 1 else f"flatten([{', '.join(lists)}])" if lists else "null::varchar[]"
