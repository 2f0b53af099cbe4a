"""Every reject names its first physical line and holds its exact text, whatever stands before it in the file."""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import duckdb
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from slice_platform.engine import run
from slice_platform.lake.engine import engine
from slice_platform.lake.lake import Lake, open_lake
from slice_platform.lake.reader import rejects_of, stage
from slice_platform.records import FileRow, FileStatus
from slice_platform.settings import load_settings
from slice_platform_tests.lake.feeds import feed

NOT_TEXT = "the line is not valid text of the file's encoding"
TOO_FEW, TOO_MANY = "fewer fields than the header has", "more fields than the header has"
_numbers = count(1)


@dataclass(frozen=True, repr=False)
class Desk:
    """Reads files that were written straight into raw."""

    lake: Lake
    connection: duckdb.DuckDBPyConnection

    def read(self, name: str, content: bytes) -> tuple[list[tuple[str, int | None]], list[tuple[int | None, str, str]]]:
        """The good rows, and (line, reason, raw text) of the rejects."""
        number = next(_numbers)
        self.lake.store.write(f"raw/feed/{number}", content)
        file = _file_row(number, f"landing/feed/{name}", len(content))
        dataset = self.lake.dataset("feed")
        (staged,) = stage(self.lake, self.connection, dataset, [file])
        assert staged.problem is None, staged.problem
        rejects = list(rejects_of(self.lake, self.connection, staged))
        assert staged.rows_rejected == len(rejects)
        return (
            run(self.connection, "select id, n from stage where _errors is null order by _row"),
            [(reject.line, reject.reason, reject.raw) for reject in rejects],
        )


def _file_row(number: int, source_key: str, size_bytes: int) -> FileRow:
    now = datetime.now(UTC)
    where, counts = (None, now, f"raw/feed/{number}", FileStatus.RECEIVED, True), (0, 0, 0, 0)
    return FileRow(number, "feed", source_key, "1", size_bytes, 0, *where, *counts, None, None)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    home: Path = tmp_path_factory.mktemp("desk")
    feed()["feed"].write(home / "defs" / "feed")
    with open_lake(load_settings(home=home, defs_dir=home / "defs")) as lake, engine(lake) as connection:
        yield Desk(lake, connection)


@dataclass(frozen=True)
class Piece:
    """Some bytes of a file and what they must become: a row, a reject's reason, or nothing."""

    content: bytes
    row: tuple[str, int | None] | None = None
    reason: str | None = None

    @property
    def raw(self) -> str:
        return self.content.decode(errors="backslashreplace")


def fields(*values: str, quoting: int = csv.QUOTE_MINIMAL) -> bytes:
    line = io.StringIO()
    csv.writer(line, quoting=quoting, lineterminator="\n").writerow(values)  # type: ignore[arg-type]  # one of csv's own
    return line.getvalue()[:-1].encode()


# A space before a quote is another matter: DuckDB passes over it, Python keeps it.
_texts = st.text(st.sampled_from('ab,"\n é'), min_size=1, max_size=8).map(lambda text: "k" + text)
_good = st.builds(lambda text, n: Piece(fields(text, str(n)), (text, n)), _texts, st.integers(0, 99))
_all_quoted = st.builds(lambda text: Piece(fields(text, "7", quoting=csv.QUOTE_ALL), (text, 7)), _texts)
_misfit = st.builds(lambda text: Piece(fields(text, "x"), reason="'x' is not integer"), _texts)
_short = st.builds(lambda text: Piece(fields(text), reason=TOO_FEW), _texts)
_long = st.builds(lambda text: Piece(fields(text, "1", "2"), reason=TOO_MANY), _texts)
_damaged = st.sampled_from([Piece(b"k\xff,1", reason=NOT_TEXT), Piece(b"\xc3(,x", reason=NOT_TEXT)])
_literal_quote = st.just(Piece(b'k"a,1', ('k"a', 1)))
_blank = st.just(Piece(b""))
_pieces = st.lists(
    st.one_of(_good, _all_quoted, _misfit, _short, _long, _damaged, _blank, _literal_quote), min_size=1, max_size=12
)


@settings(max_examples=60, deadline=None)
@given(pieces=_pieces, ends_with_newline=st.booleans())
@example(
    pieces=[Piece(b""), Piece(b'"k\n\n"', reason=TOO_FEW), Piece(b""), Piece(b"k\xff,1", reason=NOT_TEXT)],
    ends_with_newline=True,
)
def test_rejects_of_a_csv_are_found_again(desk: Desk, pieces: list[Piece], *, ends_with_newline: bool) -> None:
    content = b"id,n\n" + b"\n".join(piece.content for piece in pieces) + b"\n" * ends_with_newline
    rows, rejects = desk.read("a.csv", content)
    firsts, line = [], 2
    for piece in pieces:
        firsts.append(line)
        line += piece.content.count(b"\n") + 1
    assert rows == [piece.row for piece in pieces if piece.row]
    expected = [(at, p.reason, p.raw) for at, p in zip(firsts, pieces, strict=True) if p.reason]
    assert rejects == expected


@settings(max_examples=60, deadline=None)
@given(
    rows=st.lists(
        st.tuples(st.text(st.characters(codec="utf-8", exclude_characters="\r\0"), min_size=1), st.integers(0, 9))
    )
)
def test_a_well_formed_csv_is_read_as_python_reads_it(desk: Desk, rows: list[tuple[str, int]]) -> None:
    content = io.StringIO(newline="")
    csv.writer(content, lineterminator="\n", quoting=csv.QUOTE_ALL).writerows([("id", "n"), *rows])
    assert desk.read("a.csv", content.getvalue().encode()) == (rows, [])


_json_lines = st.lists(
    st.sampled_from(
        [
            Piece(b'{"id": "k", "n": 1}', ("k", 1)),
            Piece(b'{"id": "k", "n": "x"}', reason="'x' is not integer"),
            Piece(b'{"n": 1}', reason="required, but empty"),
            Piece(b'{"id": "k"', reason="the line is not JSON"),
            Piece(b"[1]", reason="the line is not a JSON object"),
            Piece(b"null", reason="the line is not a JSON object"),
            Piece(b"\xff", reason=NOT_TEXT),
            Piece(b""),
            Piece(b"  "),
        ]
    ),
    min_size=1,
    max_size=12,
)


@settings(max_examples=60, deadline=None)
@given(pieces=_json_lines, end=st.sampled_from([b"\n", b"\r\n"]))
def test_rejects_of_json_lines_are_found_again(desk: Desk, pieces: list[Piece], end: bytes) -> None:
    rows, rejects = desk.read("a.jsonl", end.join(piece.content for piece in pieces) + end)
    assert rows == [piece.row for piece in pieces if piece.row]
    expected = [(line, piece.reason) for line, piece in enumerate(pieces, start=1) if piece.reason]
    assert [(line, reason) for line, reason, _ in rejects] == expected
