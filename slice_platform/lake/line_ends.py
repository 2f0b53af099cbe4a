"""Text as DuckDB reads it right: with one kind of line end, and without the byte that it takes for a delimiter.

Where CRLF, LF and CR are mixed, DuckDB 2.0 refuses the file, skips records or eats the first byte of a line, by
chance. A line of text is read as a CSV of one column, and what follows its delimiter, 0x01, would vanish.
"""

import csv
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO

from slice_platform.lake.sources import LINE_DELIMITER, SourceFile, text_of

STAND_IN = "\x02"  # like the delimiter, never a part of JSON
_CHUNK = 1 << 20
_ALLOWED = LINE_DELIMITER.encode(), STAND_IN.encode()


@dataclass
class _Found:
    """What a look at the bytes found. Line ends inside quotes count, too."""

    lf: int = 0
    cr: int = 0
    crlf: int = 0
    has_delimiter: bool = False

    def add(self, chunk: bytes, *, follows_cr: bool) -> None:
        self.lf += chunk.count(b"\n")
        if b"\r" in chunk:
            self.cr += chunk.count(b"\r")
            self.crlf += chunk.count(b"\r\n")
        self.crlf += follows_cr and chunk.startswith(b"\n")
        self.has_delimiter = self.has_delimiter or _ALLOWED[0] in chunk

    @property
    def is_mixed(self) -> bool:
        return sum(count > 0 for count in (self.crlf, self.cr - self.crlf, self.lf - self.crlf)) > 1


@contextmanager
def with_one_line_end(source: SourceFile, stream: IO[bytes], folder: Path) -> Iterator[tuple[SourceFile, IO[bytes]]]:
    """The uncompressed file as DuckDB reads it right; `folder` is for a copy, which few files need.

    Records and lines keep their numbers, and what is inside quotes keeps its bytes. An object of a store that is
    no disk is copied in any case: it is fetched once, not twice.
    """
    if source.spec.format == "parquet":
        yield source, stream
        return
    folder.mkdir(parents=True, exist_ok=True)
    with NamedTemporaryFile(dir=folder) as fetched, NamedTemporaryFile(dir=folder) as mended:
        is_remote = "://" in source.path
        found = _look(stream, fetched.write if is_remote else lambda _: 0)
        fetched.flush()
        local = fetched.name if is_remote else source.path
        is_line_each = source.spec.format == "jsonl"
        if found.is_mixed or (is_line_each and found.has_delimiter):
            with Path(local).open("rb") as original:
                (_mend_lines if is_line_each else _mend_records)(source, original, mended.file)
            local = mended.name
        with Path(local).open("rb") as readable:
            yield replace(source, path=local), readable


def _look(stream: IO[bytes], keep: Callable[[bytes], int]) -> _Found:
    found, follows_cr = _Found(), False
    while chunk := stream.read(_CHUNK):
        found.add(chunk, follows_cr=follows_cr)
        follows_cr = chunk.endswith(b"\r")
        keep(chunk)
    return found


def _mend_lines(_source: SourceFile, stream: IO[bytes], target: IO[bytes]) -> None:
    held = b""
    while chunk := stream.read(_CHUNK):
        whole = held + chunk
        held = b"\r" if whole.endswith(b"\r") else b""  # its LF may begin the next chunk
        text = whole[: len(whole) - len(held)]
        target.write(text.replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(*_ALLOWED))
    target.write(b"\n" if held else b"")
    target.flush()


def _mend_records(source: SourceFile, stream: IO[bytes], target: IO[bytes]) -> None:
    csv.field_size_limit(sys.maxsize)
    with text_of(source, stream, errors="surrogateescape") as lines:  # what is no text keeps its bytes
        kept: list[str] = []

        def keeping() -> Iterator[str]:
            for line in lines:
                kept.append(line)
                yield line

        spec = source.spec
        for _ in csv.reader(keeping(), delimiter=spec.delimiter, quotechar=spec.quote, skipinitialspace=True):
            target.write((_without_line_end("".join(kept)) + "\n").encode("utf-8", "surrogateescape"))
            kept.clear()
    target.flush()


def _without_line_end(text: str) -> str:
    return text[:-2] if text.endswith("\r\n") else text[:-1] if text.endswith(("\r", "\n")) else text
