"""One file of monitors: what it says, or everything that is wrong with it, each with its line."""

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from slice_platform.errors import ContractError
from slice_platform.ops.pulse.dotted_keys import KeyClashError, Nested, nested
from slice_platform.ops.pulse.monitor import MONITORS, Monitor
from slice_platform.yaml_lines import Place, YamlFile, parse_yaml

FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,150}\.yml")
MOST_BYTES = 1_048_576
_AT_LINE = re.compile(r"^.*?:(\d+): (.*)$", re.DOTALL)
_HINTS = {
    "mapping values|simple key": ". A list item is '- type: http', with a space",
    "character '@'": ". Quote it: '@every 30s'",
}
_NO_LIST = "expected a list of monitors: begin with '- type: http'"


@dataclass(frozen=True)
class Problem:
    """What is wrong with a file, where, and what was expected."""

    file: str
    line: int
    field: str
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.field}: {self.message}"


@dataclass(frozen=True)
class MonitorFile:
    """A file as it was read. With problems it has no monitors: a file is taken whole, or not."""

    name: str
    content: bytes
    monitors: tuple[Monitor, ...] = ()
    lines: Mapping[str, int] = field(default_factory=dict)  # id of a monitor -> its line
    problems: tuple[Problem, ...] = ()

    @property
    def is_valid(self) -> bool:
        return not self.problems

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()


def read_monitors(name: str, content: bytes) -> MonitorFile:
    """The monitors of a file, or its problems. Nothing is raised for what a file says."""
    try:
        file = parse_yaml(Path(name), _text(content))
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        return _failed(name, content, [Problem(name, line, "the file", f"not UTF-8 text: {error.reason}")])
    except ContractError as error:
        return _failed(name, content, [_of_yaml(name, str(error))])
    except ValueError as error:
        return _failed(name, content, [Problem(name, 1, "the file", str(error))])
    try:
        tree = nested(file.content)
    except KeyClashError as error:
        place = error.place
        return _failed(name, content, [Problem(name, file.line(place), _dotted(place[1:]), str(error))])
    return _judged(name, content, file, tree)


def _text(content: bytes) -> str:
    if len(content) > MOST_BYTES:
        raise ValueError(f"it has {len(content):,} bytes, allowed are {MOST_BYTES:,}: split it")
    return content.decode("utf-8")


def _failed(name: str, content: bytes, problems: list[Problem]) -> MonitorFile:
    return MonitorFile(name, content, problems=tuple(problems))


def _of_yaml(name: str, message: str) -> Problem:
    found = _AT_LINE.match(message)
    line, said = (int(found[1]), found[2]) if found else (1, message)
    hint = next((hint for sign, hint in _HINTS.items() if re.search(sign, said)), "")
    return Problem(name, line, "the file", f"{said}{hint}")


def _judged(name: str, content: bytes, file: YamlFile, tree: Nested) -> MonitorFile:
    if not isinstance(tree.content, list) or not tree.content:
        hint = " (a list item is '- type: http', with a space)" if "-type" in str(tree.content) else ""
        return _failed(name, content, [Problem(name, 1, "the file", f"{_NO_LIST}{hint}")])
    monitors, lines, problems = list[Monitor](), dict[str, int](), list[Problem]()
    for number, one in enumerate(tree.content):
        found = list(_problems_or_monitor(name, number, one, file, tree))
        problems += [each for each in found if isinstance(each, Problem)]
        for monitor in (each for each in found if isinstance(each, Monitor)):
            line = file.line(tree.place((number, "id")))
            if monitor.id in lines:
                said = f"{monitor.id!r} is also that of line {lines[monitor.id]}: ids are unique over all files"
                problems.append(Problem(name, line, "id", said))
            lines.setdefault(monitor.id, line)
            monitors.append(monitor)
    if problems:
        return _failed(name, content, problems)
    return MonitorFile(name, content, tuple(monitors), lines)


def _problems_or_monitor(
    name: str, number: int, one: object, file: YamlFile, tree: Nested
) -> Iterator[Problem | Monitor]:
    def problem(place: Place, message: str) -> Problem:
        written = tree.place((number, *place))
        is_exact = (number, *place) in tree.written
        return Problem(name, file.line(written), _dotted(written[1:] if is_exact else place), message)

    if not isinstance(one, dict):
        yield problem((), _NO_LIST)
        return
    model = MONITORS.get(str(one.get("type")))
    if model is None:
        given = f"{one['type']!r} is none" if "type" in one else "it is missing"
        yield problem(("type",), f"{given}: expected one of {', '.join(MONITORS)}")
        return
    try:
        yield model.model_validate(one)
    except ValidationError as error:
        yield from (problem(*_place_and_words(each)) for each in error.errors())


def _place_and_words(error: ErrorDetails) -> tuple[Place, str]:
    """Where it is, and what is wrong, in words of the file."""
    place, said = error["loc"], error["msg"].removeprefix("Value error, ")
    match error["type"]:
        case "missing":
            return place, f"it is missing{_WHY_NEEDED.get(str(place[-1]), '')}"
        case "extra_forbidden":
            return place, f"Heartbeat knows no such field of a monitor {_near(place)}"
        case "too_short":
            return place, "the list is empty: expected at least one"
        case "value_error" if not place and ": " in said:
            name, said = said.split(": ", 1)
            return ((name,), said) if name.isidentifier() else ((), error["msg"])
        case "value_error":
            return place, said
        case _:
            return place, f"{error['input']!r}: {said[:1].lower()}{said[1:]}" if _is_short(error["input"]) else said


_WHY_NEEDED = {
    "id": ": give it one that stays, as Heartbeat else makes one of the text, and each edit begins another history",
    "schedule": ": expected one such as '@every 30s'",
}


def _near(place: Place) -> str:
    return f"in {_dotted(place[:-1])!r}" if len(place) > 1 else "of this type"


def _is_short(value: object) -> bool:
    return isinstance(value, str | int | float | bool | None) and len(str(value)) < 100


def _dotted(place: Place) -> str:
    return ".".join(str(step) for step in place) or "the monitor"
