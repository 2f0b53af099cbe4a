"""How a sample file is to be read: format, compression, encoding, delimiter and quote, told from its name and start."""

import csv
import re
from collections import Counter
from pathlib import Path
from typing import Literal

from slice_platform.errors import PermanentError
from slice_platform.lake.dataset import FileSpec

HEAD_BYTES = 1 << 18
_PACKED = {b"\x1f\x8b": "gz", b"\x28\xb5\x2f\xfd": "zst"}
_FORMATS = {
    ".csv": "csv", ".tsv": "csv", ".psv": "csv", ".txt": "csv", ".tab": "csv",
    ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl", ".parquet": "parquet", ".pq": "parquet",
}  # fmt: skip
_DELIMITERS = ",;\t|"
_PACKED_ENDINGS = (".gz", ".zst", ".zstd")

Encoding = Literal["utf-8", "utf-16", "latin-1"]


def stored_as(path: Path) -> FileSpec:
    """Pattern and compression by name and first bytes; the format only as far as the name tells it.

    Raises:
        PermanentError: the file is empty or is a kind of file that the platform does not read.
    """
    with path.open("rb") as stream:
        start = stream.read(8)
    if not start:
        raise refused(path, "it is empty", "Give a file with some rows.")
    if start.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        raise refused(path, "it is a zip archive or an Excel workbook", "Save it as CSV, or unpack it.")
    plain = path.name
    for ending in _PACKED_ENDINGS:
        plain = plain.removesuffix(ending)
    spec = FileSpec(pattern=pattern_of(path.name), format="parquet" if start.startswith(b"PAR1") else _by_name(plain))
    packed = next((kind for magic, kind in _PACKED.items() if start.startswith(magic)), "none")
    return spec if packed == spec.compression_of(path.name) else spec.model_copy(update={"compression": packed})


def pattern_of(name: str) -> str:
    """The glob that matches this file and its successors: everything with the same endings."""
    found = re.search(r"(\.[A-Za-z]{2,8})(\.gz|\.zst|\.zstd)?$", name)
    return f"*{found[0]}" if found else "*"


def _by_name(plain: str) -> str:
    return _FORMATS.get(Path(plain).suffix.lower(), "csv")


def understood(path: Path, spec: FileSpec, head: bytes) -> FileSpec:
    """The spec completed from the first bytes, uncompressed.

    Raises:
        PermanentError: the text cannot be read as the platform reads text.
    """
    if spec.format == "parquet":
        return spec
    encoding = encoding_of(path, head)
    text = head.decode(encoding if encoding != "utf-8" else "utf-8-sig", errors="replace")
    if spec.format == "jsonl" or _begins_as_json(path, text):
        _refuse_other_json(path, text, encoding)
        return spec.model_copy(update={"format": "jsonl"})
    delimiter, quote = delimiter_of(text, is_whole=len(head) < HEAD_BYTES)
    return spec.model_copy(update={"encoding": encoding, "delimiter": delimiter, "quote": quote})


def encoding_of(path: Path, head: bytes) -> Encoding:
    """utf-8 unless more lines break it than need it; then latin-1, in which any bytes are text."""
    if head.startswith((b"\xff\xfe\x00\x00", b"\x00\x00\xfe\xff")):
        raise refused(path, "it is UTF-32", "Convert it: iconv -f UTF-32 -t UTF-8.")
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    if b"\x00" in head[:4096]:
        hint = "If it is UTF-16 it lacks the byte order mark: iconv -f UTF-16LE -t UTF-8."
        raise refused(path, "it holds zero bytes, so it is no text", hint)
    broken = needed = 0
    for line in head.split(b"\n")[:-1] or [head]:
        if not line.isascii():
            try:
                line.decode()
                needed += 1
            except UnicodeDecodeError:
                broken += 1
    return "latin-1" if broken > needed else "utf-8"


def delimiter_of(text: str, *, is_whole: bool) -> tuple[str, str]:
    """Delimiter and quote under which most records have as many fields as the header, and that more than one."""
    lines = text.splitlines(keepends=True)
    lines = lines if is_whole else lines[:-1] or lines
    found = [(_score(lines, delimiter, quote), delimiter, quote) for quote in "\"'" for delimiter in _DELIMITERS]
    best = max(found, key=lambda one: one[0])  # of equals the first: a comma, and a double quote
    return (best[1], best[2]) if best[0] > (0, 0) else (",", '"')


def _score(lines: list[str], delimiter: str, quote: str) -> tuple[float, int]:
    try:
        records = [len(r) for r in csv.reader(lines, delimiter=delimiter, quotechar=quote, strict=True) if r]
    except csv.Error:
        return 0, 0
    if not records or records[0] < 2 or (quote == "'" and not _is_quoted(lines, delimiter, quote)):
        return 0, 0
    share = Counter(records)[records[0]] / len(records)
    return (round(share, 1), records[0]) if share >= 0.5 else (0, 0)


def _is_quoted(lines: list[str], delimiter: str, quote: str) -> bool:
    """Whether fields really stand in these quotes: an apostrophe is part of many a name."""
    around = re.compile(rf"(^|{re.escape(delimiter)}){quote}[^{quote}]*{quote}({re.escape(delimiter)}|\r?\n|$)")
    return sum(bool(around.search(line)) for line in lines) * 2 > len(lines)


def _begins_as_json(path: Path, text: str) -> bool:
    known = {ending for ending, kind in _FORMATS.items() if kind == "csv" and ending != ".txt"}
    return text.lstrip().startswith('{"') and not known & {suffix.lower() for suffix in path.suffixes}


def _refuse_other_json(path: Path, text: str, encoding: Encoding) -> None:
    start = text.lstrip()
    if encoding != "utf-8":
        raise refused(path, f"JSON lines are read as UTF-8, and it is {encoding}", "Convert it with iconv.")
    if start.startswith("["):
        raise refused(path, "it is one JSON list, not an object a line", f"Convert it: jq -c '.[]' {path.name}.")
    if start.startswith("{") and start.split("\n", 1)[0].strip() == "{":
        raise refused(path, "its objects stretch over several lines", f"Convert it: jq -c . {path.name}.")


def refused(path: Path, why: str, next_step: str) -> PermanentError:
    return PermanentError(f"Reading the sample {str(path)!r}: {why}. {next_step}")
