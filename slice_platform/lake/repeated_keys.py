"""JSON objects that say one key of the contract twice: which value counts differs from parser to parser."""

from collections.abc import Sequence

from slice_platform.lake.unknown_columns import KnownObject
from slice_platform.sql_text import literal


def key_given_twice(document: str, objects: Sequence[KnownObject], keys: str) -> str:
    """SQL of the reason why a JSON document is ambiguous, or NULL. `keys` is what `keys_of` gives for it.

    Keys beyond the contract may be there twice: their values are not taken.
    """
    once = [one for one in objects if not one.is_repeated]
    cases = [_says(f"{_repeated(f'{keys}[{nth}]', one)}[1]", one) for nth, one in enumerate(once, start=1)]
    for one in (one for one in objects if one.is_repeated):
        inner = f"list_transform(json_keys({document}, {literal(one.path)}), lambda ks: {_repeated('ks', one)})"
        cases.append(_says(f"flatten({inner})[1]", one))
    return f"coalesce({', '.join(cases)})" if cases else "null::varchar"


def _repeated(keys: str, known: KnownObject) -> str:
    """The names that a list of keys holds twice. NULL, where there is no object, has none."""
    mine = f"list_filter({keys}, lambda k: k in ({', '.join(map(literal, known.names))}))"
    return f"list_filter({mine}, lambda k, nth: list_position({mine}, k) < nth)"


def _says(name: str, known: KnownObject) -> str:
    return f"'the key ' || {literal(known.shown)} || {name} || ' is there twice'"
