"""JSON objects that say one key of the contract twice: which value counts differs from parser to parser."""

from collections.abc import Sequence

from slice_platform.lake.types import literal, quoted
from slice_platform.lake.unknown_columns import KnownObject


def key_given_twice(document: str, objects: Sequence[KnownObject], record: str) -> str:
    """SQL of the reason why a JSON document is ambiguous, or NULL. `record` is the struct that was read from it.

    Keys beyond the contract may be there twice: their values are not taken.
    """
    cases = [_case(document, one, record) for one in objects]
    return f"coalesce({', '.join(cases)})" if cases else "null::varchar"


def _case(document: str, known: KnownObject, record: str) -> str:
    keys = f"json_keys({document}, {literal(known.path)})"
    names = ", ".join(map(literal, known.names))
    if known.is_repeated:
        twice = f"flatten(list_transform({keys}, lambda ks: {_repeated('ks', names)}))"
        return f"({_says(f'{twice}[1]', known)})"
    # More keys than values: only then one can be there twice, and the look, which is slow, is worth it.
    filled = " + ".join(f"({record}.{quoted(name)} is not null)::int" for name in known.names)
    suspect = f"len({keys}) > {filled}" if known.path == "$" else f"len({keys}) > 1"
    return f"case when {suspect} then {_says(f'{_repeated(keys, names)}[1]', known)} end"


def _repeated(keys: str, names: str) -> str:
    """The names that a list of keys holds twice. NULL, where there is no object, has none."""
    mine = f"list_filter({keys}, lambda k: k in ({names}))"
    return f"list_filter({mine}, lambda k, nth: list_position({mine}, k) < nth)"


def _says(name: str, known: KnownObject) -> str:
    return f"'the key ' || {literal(known.shown)} || {name} || ' is there twice'"
