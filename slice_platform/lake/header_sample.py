"""The header agreed with a supplier: read when the dataset is loaded, and compared to the letter with every file."""

import csv
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from slice_platform.lake.contract import Contract
from slice_platform.yaml_lines import Place, YamlFile

_MOST_LINES, _MOST_CHARACTERS = 40, 200
_MOST_COMPARED = 200  # names: each is compared with each


@dataclass(frozen=True)
class AgreedHeader:
    """Column names in their order, and how a message calls where they are agreed."""

    names: tuple[str, ...]
    called: str


@dataclass(frozen=True)
class SampleFormat:
    """How the sample is written: as the files themselves."""

    delimiter: str
    quote: str
    codec: str


def read_agreed_header(
    source: YamlFile, place: Place, said: str | tuple[str, ...], written: SampleFormat
) -> AgreedHeader:
    """The names said in defs.yaml, or the first record of the file that it names beside it.

    Raises:
        ContractError: there is no such file, it cannot be read, or a name is there twice or not at all.
    """
    if isinstance(said, str):
        try:
            with (source.path.parent / said).open(encoding=written.codec, newline="") as text:
                names = next(csv.reader(text, delimiter=written.delimiter, quotechar=written.quote), [])
        except (OSError, UnicodeError, csv.Error) as error:
            problem = f"{said!r} could not be read as the sample of a header beside defs.yaml: {error}"
            raise source.error(place, problem) from error
        agreed = AgreedHeader(tuple(names), f"header_sample ({said})")
    else:
        agreed = AgreedHeader(said, "header_sample")
    if not any(agreed.names):
        raise source.error(place, "expected the names of columns, found none")
    if twice := sorted({name for name in agreed.names if agreed.names.count(name) > 1}):
        raise source.error(place, f"{', '.join(map(repr, twice))} is there more than once")
    return agreed


def refuse_other_contract(
    source: YamlFile,
    place: Place,
    agreed: AgreedHeader,
    contract: Contract,
    *,
    elsewhere: str | None,
    may_be_more: bool,
) -> None:
    """Return if a file with the agreed header can pass. `elsewhere` is a column that does not come from files.

    Raises:
        ContractError: the header lacks or spells otherwise what the contract has, or has more than it may.
    """
    folded = {_folded(name): name for name in agreed.names}
    for column in contract.columns:
        if column.name in agreed.names or column.name == elsewhere:
            continue
        if near := folded.get(_folded(column.name)):
            problem = f"{near!r} is not {column.name!r} of contract.yaml: names count to the letter"
            raise source.error(place, problem)
        if column.required:
            raise source.error(place, f"{column.name!r} is required by contract.yaml, and not in the agreed header")
    more = [name for name in agreed.names if contract.column(name) is None]
    if len(more) == len(agreed.names):
        raise source.error(place, "no column of contract.yaml is in the agreed header")
    if more and not may_be_more:
        problem = (
            f"contract.yaml lacks {', '.join(map(repr, more))}, and unknown_columns: reject refuses all such files"
        )
        raise source.error(place, problem)


def difference(agreed: AgreedHeader, found: Sequence[str]) -> str | None:
    """How a file's header differs, a line for each column; None where it is the same to the letter."""
    if tuple(found) == agreed.names:
        return None
    place, expected = {name: at for at, name in enumerate(found, start=1)}, set(agreed.names)
    missing = [name for name in agreed.names if name not in place]
    extra = [name for name in found if name not in expected]
    spelled = _pairs_by_spelling(missing, extra)
    renamed = _pairs_by_likeness(
        [name for name in missing if name not in spelled][:_MOST_COMPARED],
        [name for name in extra if name not in spelled.values()][:_MOST_COMPARED],
    )
    was = {new: f", perhaps {_shown(old)} renamed" for old, new in renamed.items()}
    lines = [
        f"missing  {_shown(name)} (column {agreed.names.index(name) + 1})" for name in missing if name not in spelled
    ]
    lines += [
        f"extra    {_shown(name)} (column {place[name]}){was.get(name, '')}"
        for name in extra
        if name not in spelled.values()
    ]
    lines += [_spelling(name, other) for name, other in spelled.items()]
    back = {other: name for name, other in spelled.items()}
    lines += _out_of_order(agreed.names, [back.get(name, name) for name in found])
    more = len(lines) - _MOST_LINES
    shown = [*lines[:_MOST_LINES], f"and {more} more"] if more > 0 else lines
    return "\n  ".join([f"the header differs from the agreed {agreed.called}:", *shown])


def _pairs_by_spelling(missing: list[str], extra: list[str]) -> dict[str, str]:
    """Agreed names that are there in other case, with other spaces or in another form of Unicode."""
    folded = {_folded(name): name for name in reversed(extra)}
    return {name: folded.pop(_folded(name)) for name in missing if _folded(name) in folded}


def _pairs_by_likeness(missing: list[str], extra: list[str]) -> dict[str, str]:
    """What may have become of names that are gone: the name most like it, each once."""
    free, pairs = list(extra), {}
    for name in missing:
        for near in get_close_matches(name, free, n=1):
            pairs[name] = near
            free.remove(near)
    if len(pairs) + 1 == len(missing) and len(free) == 1:  # the last of each, however unlike
        pairs |= {name: free[0] for name in missing if name not in pairs}
    return pairs


def _spelling(name: str, other: str) -> str:
    word = "case   " if name.casefold() == other.casefold() else "letters"
    if word == "letters" and name.strip() == other.strip():
        return f"spaces   {other!r} instead of {name!r}"
    exact = (ascii(other), ascii(name)) if word == "letters" else (_shown(other), _shown(name))
    return f"{word}  {exact[0]} instead of {exact[1]}"


def _out_of_order(agreed: tuple[str, ...], found: list[str]) -> list[str]:
    """The fewest columns that would have to move; others are only pushed aside by what is missing or extra."""
    place = {name: at for at, name in enumerate(agreed)}
    common = [(place[name], at) for at, name in enumerate(found) if name in place]
    stay = _longest_rising(common)
    return [
        f"order    {_shown(agreed[wanted])} is column {at + 1}, agreed {wanted + 1}"
        for wanted, at in common
        if (wanted, at) not in stay
    ]


def _longest_rising(pairs: list[tuple[int, int]]) -> set[tuple[int, int]]:
    """A longest part of (agreed, found) in which the agreed places rise; of several the one with most in place."""
    best: list[
        tuple[tuple[int, int], int | None]
    ] = []  # (length, in place) of the best part up to a pair; the one before
    for wanted, at in pairs:
        earlier = [n for n in range(len(best)) if pairs[n][0] < wanted]
        before = max(earlier, key=lambda n: best[n][0], default=None)
        length, in_place = best[before][0] if before is not None else (0, 0)
        best.append(((length + 1, in_place + (wanted == at)), before))
    step = max(range(len(best)), key=lambda n: best[n][0], default=None)
    stay = set()
    while step is not None:
        stay.add(pairs[step])
        step = best[step][1]
    return stay


def _folded(name: str) -> str:
    return "".join(unicodedata.normalize("NFKC", name).casefold().split())


def _shown(name: str) -> str:
    """The name as it is, in quotes where one would not see where it ends."""
    short = name if len(name) <= _MOST_CHARACTERS else f"{name[:_MOST_CHARACTERS]}..."
    return short if name and name.strip() == name and name.isprintable() else repr(short)
