"""Keys with dots are nested keys, as Heartbeat has it: `check.response: 1` is `check: {response: 1}`.

Every value remembers where it was written, so that an error can name the line.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from slice_platform.yaml_lines import Place

Tree: TypeAlias = "dict[str, Tree] | list[Tree] | str | int | float | bool | object | None"
_MOST_VALUES = 20_000  # of one file; aliases of YAML can make billions


class KeyClashError(ValueError):
    """A key was written in two ways at once; `place` is where it is in the file."""

    def __init__(self, message: str, place: Place) -> None:
        super().__init__(message)
        self.place = place


@dataclass
class Nested:
    """Parsed YAML without dots in its keys, and where each value of it was written."""

    content: Tree
    written: dict[Place, Place] = field(default_factory=dict)

    def place(self, nested: Place) -> Place:
        """Where the value at `nested`, or the nearest around it, stands in the file."""
        while nested and nested not in self.written:
            nested = nested[:-1]
        return self.written.get(nested, ())


def nested(content: object) -> Nested:
    """The content with nested keys.

    Raises:
        KeyClashError: a key is given with and without dots at once, or there are too many values.
    """
    found = Nested(None)
    found.content = _tree(content, (), (), found)
    return found


def _tree(value: object, at: Place, written: Place, found: Nested) -> Tree:
    if len(found.written) > _MOST_VALUES:
        raise KeyClashError(f"it has more than {_MOST_VALUES:,} values, perhaps by aliases: split it", written)
    found.written.setdefault(at, written)
    if isinstance(value, Mapping):
        made: dict[str, Tree] = {}
        for key, inner in value.items():
            _put(made, at, (*written, key), inner, found)
        return made
    if isinstance(value, list):
        return [_tree(inner, (*at, n), (*written, n), found) for n, inner in enumerate(value)]
    return value


def _put(made: dict[str, Tree], at: Place, written: Place, value: object, found: Nested) -> None:
    steps = str(written[-1]).split(".")
    for step in steps[:-1]:
        at = (*at, step)
        found.written.setdefault(at, written)
        inner = made.setdefault(step, {})
        if not isinstance(inner, dict):
            raise KeyClashError(f"{'.'.join(steps)!r} contradicts {step!r}, which has a value of its own", written)
        made = inner
    _merge(made, steps[-1], _tree(value, (*at, steps[-1]), written, found), written)


def _merge(made: dict[str, Tree], key: str, tree: Tree, written: Place) -> None:
    known = made.get(key)
    if key not in made:
        made[key] = tree
    elif isinstance(known, dict) and isinstance(tree, dict):
        for inner, value in tree.items():
            _merge(known, inner, value, written)
    else:
        raise KeyClashError(f"{key!r} is given twice, with dots and nested", written)
