"""Samples made of a few words, and what is concluded from them."""

import csv
import io
import json
from pathlib import Path
from typing import Any

from slice_platform.lake.sampling.columns import ColumnGuess
from slice_platform.lake.sampling.new_dataset import Proposal, Request, propose
from slice_platform.settings import Settings, load_settings


def settings(home: Path) -> Settings:
    return load_settings(home=home / "home", defs_dir=home / "defs", landing_tick_seconds=0)


def proposed(folder: Path, *samples: tuple[str, bytes], dataset: str = "orders", **request: Any) -> Proposal:
    """What is concluded from these samples (name, content), written below `folder`."""
    paths = []
    for name, content in samples:
        path = folder / "samples" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        paths.append(path)
    return propose(settings(folder), Request(dataset, tuple(paths), **request))


def from_column(folder: Path, name: str, values: list[str], **request: Any) -> ColumnGuess:
    """The conclusion for one CSV column with these values, beside one that is never empty."""
    rows = [["row_id", name], *([str(n), value] for n, value in enumerate(values))]
    return column(proposed(folder, ("s.csv", as_csv(rows)), **request), name)


def column(proposal: Proposal, name: str) -> ColumnGuess:
    return next(one for one in proposal.draft.columns if one.name == name)


def as_csv(rows: list[list[str]], delimiter: str = ",") -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()


def as_jsonl(records: list[Any]) -> bytes:
    return "".join(json.dumps(record) + "\n" for record in records).encode()


def spelling(guess: ColumnGuess) -> str:
    """The type in one line: `date format=dd.MM.yyyy`, `number decimal(18,2)`."""
    options = [f"{name}={'true' if value is True else value}" for name, value in guess.type.options]
    return " ".join([guess.type.kind, *([guess.type.physical] if guess.type.physical else []), *options])
