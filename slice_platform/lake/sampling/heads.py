"""The first records of each sample, uncompressed and in a folder of our own: all that is concluded comes from these."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import duckdb
from isal import isal_zlib
from isal.igzip_lib import IsalError

from slice_platform.engine import run
from slice_platform.errors import PermanentError
from slice_platform.lake.dataset import FileSpec
from slice_platform.lake.landing import is_ignored
from slice_platform.lake.sampling.dialect import HEAD_BYTES, refused, stored_as, understood
from slice_platform.lake.sources import SourceFile, text_of
from slice_platform.sql_text import literal
from slice_platform.store import StoredObject

MOST_BYTES = 256 * 1024**2  # of text, uncompressed, of all samples: a very wide table has it in fewer rows
_DAMAGED = (OSError, EOFError, IsalError, isal_zlib.error)


@dataclass(frozen=True)
class Head:
    """The first records of one sample. `copy` is uncompressed; `spec` is how the sample itself is read."""

    sample: Path
    copy: Path
    spec: FileSpec
    is_whole: bool

    @property
    def copy_spec(self) -> FileSpec:
        return self.spec.model_copy(update={"compression": "none"})


def sample_files(samples: list[Path]) -> list[Path]:
    """The files named, and those in the folders named, at any depth; what landing would ignore is left out.

    Raises:
        PermanentError: there is none.
    """
    found: list[Path] = []
    for one in samples:
        inside = sorted(path for path in one.rglob("*") if path.is_file() and not _is_hidden(one, path))
        found += inside if one.is_dir() else [one]
    if not found:
        where = ", ".join(str(one) for one in samples)
        raise PermanentError(f"Reading the samples in {where!r}: there is no file. Name files, or a folder with some.")
    return found


def _is_hidden(folder: Path, path: Path) -> bool:
    key = f"landing/{path.relative_to(folder).as_posix()}"
    return is_ignored(StoredObject(key=key, size_bytes=0, version="", changed_at=None))


def take_heads(samples: list[Path], rows: int, folder: Path) -> list[Head]:
    """Copy the first records of every sample, together about `rows`, into `folder`.

    Raises:
        PermanentError: a sample is damaged, is of a kind that is not read, or contradicts another.
    """
    share = max(rows // len(samples), 1)
    bounds = share, MOST_BYTES // len(samples)
    heads = [_head(path, bounds, folder / str(number)) for number, path in enumerate(samples, start=1)]
    if len(formats := sorted({head.spec.format for head in heads})) > 1:
        raise PermanentError(
            f"Comparing the samples: some are {' and others '.join(formats)}. Give samples of one format; "
            "a second one is a second entry of `files` in defs.yaml."
        )
    specs: dict[str, Head] = {}
    for head in heads:
        first = specs.setdefault(head.spec.pattern, head)
        if first.spec != head.spec:
            raise PermanentError(
                f"Comparing the samples: {first.sample.name!r} and {head.sample.name!r} have the same ending, but are "
                f"read differently: {_differences(first.spec, head.spec)}. Give samples that agree."
            )
    return heads


def _differences(one: FileSpec, other: FileSpec) -> str:
    fields = ("compression", "encoding", "delimiter", "quote")
    found = [(name, getattr(one, name), getattr(other, name)) for name in fields]
    return ", ".join(f"{name} {mine!r} and {theirs!r}" for name, mine, theirs in found if mine != theirs)


def _head(path: Path, bounds: tuple[int, int], folder: Path) -> Head:
    folder.mkdir(parents=True)
    stored = stored_as(path)
    copy = folder / path.name
    if stored.format == "parquet":
        return Head(path, copy, stored, _copy_parquet(path, stored, bounds[0], copy))
    try:
        spec = understood(path, stored, _start_of(path, stored))
        return Head(path, copy, spec, _copy_text(path, spec, bounds, copy))
    except UnicodeError as error:
        raise refused(path, f"it is not the text it begins as: {error}", "Convert it to UTF-8 with iconv.") from error
    except _DAMAGED as error:  # type: ignore[misc]  # isal leaves them untyped
        raise refused(path, f"it is damaged or incomplete: {error}", "Take a sample that is whole.") from error


def _as_bytes(path: Path, spec: FileSpec) -> SourceFile:
    """Read as latin-1 every byte is a character, and comes back as the same byte."""
    return SourceFile(0, str(path), path.name, spec.model_copy(update={"encoding": "latin-1"}))


def _start_of(path: Path, spec: FileSpec) -> bytes:
    with path.open("rb") as stream, text_of(_as_bytes(path, spec), stream, errors="strict") as text:
        return text.read(HEAD_BYTES).encode("latin-1")


def _copy_text(path: Path, spec: FileSpec, bounds: tuple[int, int], copy: Path) -> bool:
    """Copy header and records up to the bounds (rows, bytes), never half a record; whether that was the whole file."""
    as_bytes = spec.encoding != "utf-16"
    source = _as_bytes(path, spec) if as_bytes else SourceFile(0, str(path), path.name, spec)
    encoding = "latin-1" if as_bytes else "utf-16"
    with (
        path.open("rb") as stream,
        text_of(source, stream, errors="strict") as text,
        copy.open("w", encoding=encoding, newline="") as target,
    ):
        is_csv = spec.format == "csv"
        return _copy_records(text, target, (bounds[0] + is_csv, bounds[1]), spec.quote if is_csv else None)


def _copy_records(text: IO[str], target: IO[str], bounds: tuple[int, int], quote: str | None) -> bool:
    quotes = done = written = 0
    for line in text:
        if done >= bounds[0] or (written >= bounds[1] and done > 1 and quotes % 2 == 0):
            return False
        written += target.write(line)
        quotes += line.count(quote) if quote else 0
        done += quotes % 2 == 0  # with an odd number of quotes so far, the record goes on in the next line
    return True


def _copy_parquet(path: Path, spec: FileSpec, rows: int, copy: Path) -> bool:
    if spec.compression_of(path.name) != "none":
        raise refused(path, "it is Parquet inside of gzip or zstd", "Unpack it: Parquet is compressed inside.")
    relation = f"read_parquet({literal(path)}, hive_partitioning = false)"
    connection = duckdb.connect(":memory:")
    try:
        (total,) = run(connection, f"select count(*) from {relation}")[0]
        if total <= rows:
            shutil.copyfile(path, copy)
        else:
            connection.execute("set TimeZone = 'UTC'").fetchall()
            run(connection, f"copy (select * from {relation} limit {rows}) to {literal(copy)} (format parquet)")
    except duckdb.Error as error:
        raise refused(path, f"it is no Parquet that can be read: {error}", "Take a sample that is whole.") from error
    finally:
        connection.close()
    return bool(total <= rows)
