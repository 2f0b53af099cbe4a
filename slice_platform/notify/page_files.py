"""How an attachment is shown: images as they are, the first rows of a table, the last lines of a log, a link to all."""

import csv
import io
import re
from pathlib import Path, PurePosixPath

from slice_platform.notify.page_messages import Attachment
from slice_platform.notify.page_mrkdwn import plain_html

# Any other ending gets `.txt` behind it, as in `report.html.txt`: HTML or SVG that is opened may run as a program.
_IMAGES = frozenset({".png", ".jpg", ".jpeg", ".gif", ".webp"})
_TEXTS = frozenset({".txt", ".log", ".json"})
_INERT = _IMAGES | _TEXTS | frozenset({".csv", ".parquet", ".gz", ".zip", ".pdf", ".xlsx"})
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
_STEM_CHARACTERS, _ENDING_CHARACTERS = 80, 12
_PREVIEW_BYTES = 32_768
_ROWS, _COLUMNS, _LINES = 5, 12, 10
_CELL_CHARACTERS, _LINE_CHARACTERS = 80, 300


def safe_name(name: str) -> str:
    """A name for the disk and for a link: no folder, no ending that a browser would run."""
    name = _UNSAFE.sub("_", name.rsplit("/", 1)[-1]).lstrip(".") or "file"
    path = PurePosixPath(name)
    name = path.stem[:_STEM_CHARACTERS] + path.suffix[:_ENDING_CHARACTERS]
    return name if PurePosixPath(name).suffix.lower() in _INERT else f"{name}.txt"


def attachment_html(file: Attachment, folder: Path) -> str:
    """A card for the file: its title as a link, its size, and what can be seen of it at a glance."""
    try:
        size = (folder / file.path).stat().st_size
        preview = _preview(file, folder / file.path)
    except FileNotFoundError:
        return f'<div class="file"><span class="name">{plain_html(file.title)}</span> is no longer there</div>'
    link = f'<a class="name" href="{plain_html(file.path)}">{plain_html(file.title)}</a>'
    name = "" if file.name in file.title else f"{plain_html(file.name)}, "
    return f'<div class="file"><p>{link} <span class="quiet">{name}{_size(size)}</span></p>{preview}</div>'


def _preview(file: Attachment, path: Path) -> str:
    ending = path.suffix.lower()
    if ending in _IMAGES:
        return f'<img src="{plain_html(file.path)}" alt="{plain_html(file.title)}">'
    if ending == ".csv":
        return _first_rows(path)
    return _last_lines(path) if ending in _TEXTS else ""


def _first_rows(path: Path) -> str:
    with path.open("rb") as file:
        head = file.read(_PREVIEW_BYTES)
    reader = csv.reader(io.StringIO(head.decode("utf-8-sig", "replace"), newline=""))
    try:
        rows = [row for row, _ in zip(reader, range(_ROWS + 2), strict=False)]
    except csv.Error:
        return ""
    if not rows:
        return ""
    names, *values = (_cells(row) for row in rows)
    table = "".join(f"<tr>{row}</tr>" for row in values[:_ROWS])
    more = f'<p class="quiet">The first {_ROWS} rows.</p>' if len(values) > _ROWS else ""
    return f'<div class="wide"><table><tr>{names.replace("td>", "th>")}</tr>{table}</table></div>{more}'


def _cells(row: list[str]) -> str:
    shown = [_shortened(cell, _CELL_CHARACTERS) for cell in row[:_COLUMNS]] + ["…"] * (len(row) > _COLUMNS)
    return "".join(f"<td>{plain_html(cell)}</td>" for cell in shown)


def _last_lines(path: Path) -> str:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _PREVIEW_BYTES))
        lines = file.read().decode("utf-8", "replace").splitlines()
    shown = "\n".join(_shortened(line, _LINE_CHARACTERS) for line in lines[-_LINES:])
    more = f'<p class="quiet">The last {_LINES} lines.</p>' if len(lines) > _LINES else ""
    return f"<pre>{plain_html(shown)}</pre>{more}"


def _shortened(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def _size(size_bytes: int) -> str:
    size, units = float(size_bytes), ["bytes", "kB", "MB", "GB"]
    while size >= 1000 and len(units) > 1:
        size, units = size / 1000, units[1:]
    return f"{size:.0f} {units[0]}" if units[0] == "bytes" or size >= 10 else f"{size:.1f} {units[0]}"
