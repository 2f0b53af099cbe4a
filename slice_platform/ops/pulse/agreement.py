"""Which version of each file holds: the new one where it is valid and agrees with the others, else the last good one.

Ids of monitors are unique over all files. What is there already goes before what comes, and of two that come the one
whose name sorts first: the answer does not depend on who asks, or how often.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from slice_platform.ops.pulse.monitor_file import MonitorFile, Problem


@dataclass(frozen=True)
class Agreed:
    """The files that hold, by name, and what is wrong with those that do not; `kept` hold in an earlier version."""

    files: Mapping[str, MonitorFile]
    problems: tuple[Problem, ...]
    kept: frozenset[str]


def agree(wanted: Mapping[str, MonitorFile], last_good: Mapping[str, MonitorFile]) -> Agreed:
    """Every wanted file in the version that holds. What is not wanted any more is not among them."""
    problems = [problem for name in sorted(wanted) for problem in wanted[name].problems]
    refused = {name for name in wanted if not wanted[name].is_valid}
    while True:  # each round refuses one more, so it ends
        holding = {name: last_good[name] for name in refused if name in last_good}
        clash = _clash(holding, wanted, refused, last_good)
        if clash is None:
            break
        problems.append(clash)
        refused.add(clash.file)
    files = {**{name: one for name, one in wanted.items() if name not in refused}, **holding}
    return Agreed(dict(sorted(files.items())), tuple(sorted(problems, key=_place)), frozenset(holding))


def _clash(
    holding: Mapping[str, MonitorFile],
    wanted: Mapping[str, MonitorFile],
    refused: set[str],
    last_good: Mapping[str, MonitorFile],
) -> Problem | None:
    """The first file that would bring an id that another has."""
    owners = {monitor.id: (name, one.lines[monitor.id]) for name, one in holding.items() for monitor in one.monitors}
    coming = sorted(wanted.keys() - refused, key=lambda name: (not _is_there(name, wanted, last_good), name))
    for name in coming:
        for monitor in wanted[name].monitors:
            owner, line = owners.setdefault(monitor.id, (name, wanted[name].lines[monitor.id]))
            if owner != name:
                said = f"{monitor.id!r} is also that of {owner}:{line}, which keeps it: ids are unique over all files"
                return Problem(name, wanted[name].lines[monitor.id], "id", said)
    return None


def _is_there(name: str, wanted: Mapping[str, MonitorFile], last_good: Mapping[str, MonitorFile]) -> bool:
    return name in last_good and last_good[name].sha256 == wanted[name].sha256


def _place(problem: Problem) -> tuple[str, int, str, str]:
    return problem.file, problem.line, problem.field, problem.message
