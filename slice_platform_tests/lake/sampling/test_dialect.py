"""How a sample is to be read, told from its bytes: every format, encoding and delimiter, and what is refused."""

import gzip
import io
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest

from slice_platform.errors import PermanentError
from slice_platform.lake.dataset import FileSpec
from slice_platform.lake.sampling.dialect import pattern_of
from slice_platform_tests.lake.sampling.proposing import as_csv, as_jsonl, column, proposed, spelling

ROWS = [["id", "größe", "note"], ["1", "2", "a, b"], ["2", "3", 'says "x"; y'], ["3", "4", "line\nbreak"]]
JSON = as_jsonl([{"id": n, "größe": n + 1} for n in range(3)])


def parquet() -> bytes:
    target = io.BytesIO()
    pl.DataFrame({"id": [1, 2, 3], "größe": [2, 3, 4]}).write_parquet(target)
    return target.getvalue()


SAMPLES = {
    "a.csv": (as_csv(ROWS), "*.csv csv"),
    "a.tsv": (as_csv(ROWS, "\t"), "*.tsv csv delimiter='\\t'"),
    "semicolons.csv": (as_csv(ROWS, ";"), "*.csv csv delimiter=';'"),
    "bars.txt": (as_csv(ROWS, "|"), "*.txt csv delimiter='|'"),
    "a.CSV.gz": (gzip.compress(as_csv(ROWS)), "*.CSV.gz csv"),
    "a.csv.zst": (pa.compress(as_csv(ROWS), "zstd", asbytes=True), "*.csv.zst csv"),
    "bom.csv": (b"\xef\xbb\xbf" + as_csv(ROWS), "*.csv csv"),
    "utf16.csv": (as_csv(ROWS).decode().encode("utf-16"), "*.csv csv encoding='utf-16'"),
    "latin.csv": (as_csv(ROWS).decode().encode("latin-1"), "*.csv csv encoding='latin-1'"),
    "quotes.csv": (b"id,gr\xc3\xb6\xc3\x9fe\n'1','2'\n'a, b','3'\n'c','4'\n", '*.csv csv quote="\'"'),
    "packed.csv": (gzip.compress(as_csv(ROWS)), "*.csv csv compression='gz'"),
    "plain.csv.gz": (as_csv(ROWS), "*.csv.gz csv compression='none'"),
    "a.jsonl": (JSON, "*.jsonl jsonl"),
    "a.ndjson.gz": (gzip.compress(JSON), "*.ndjson.gz jsonl"),
    "a.json": (JSON, "*.json jsonl"),
    "export": (JSON, "* jsonl"),
    "a.parquet": (parquet(), "*.parquet parquet"),
    "extract.dat": (parquet(), "*.dat parquet"),
}


def told(spec: FileSpec) -> str:
    fields = ("compression", "encoding", "delimiter", "quote")
    other = [
        f"{n}={getattr(spec, n)!r}"
        for n in fields
        if getattr(spec, n) != getattr(FileSpec(pattern="*", format="csv"), n)
    ]
    return " ".join([spec.pattern, spec.format, *other])


@pytest.mark.parametrize("name", SAMPLES)
def test_a_sample_is_understood_and_read_to_its_last_row(name: str, tmp_path: Path) -> None:
    content, expected = SAMPLES[name]
    found = proposed(tmp_path, (name, content))
    (spec,) = found.draft.files
    assert told(spec) == expected
    assert (found.proof.rows_read, found.proof.rejected) == (3, 0)
    assert spelling(column(found, "größe")) == "integer"


REFUSED = {
    "empty.csv": (b"", "it is empty"),
    "book.csv": (b"PK\x03\x04rest", "zip archive or an Excel workbook"),
    "list.json": (b'[{"a": 1}]', "jq -c '.[]' list.json"),
    "pretty.json": (b'{\n  "a": 1\n}\n', "jq -c . pretty.json"),
    "wide16.csv": ("a,b\n1,2\n".encode("utf-16-le"), "lacks the byte order mark"),
    "wide32.csv": ("a,b\n1,2\n".encode("utf-32"), "it is UTF-32"),
    "torn.csv.gz": (gzip.compress(as_csv(ROWS * 50))[:-20], "damaged or incomplete"),
    "torn.parquet": (parquet()[:-30], "no Parquet that can be read"),
    "headerless.csv": (b"1,2026-01-01\n2,2026-01-02\n", "its first line is data, not names of columns: '2026-01-01'"),
    "twice.csv": (b"a,b,a\n1,2,3\n", "its header names 'a' more than once"),
    "header_only.csv": (b"a,b\n", "it has no rows"),
    "nameless.csv": (b",\n1,2\n", "its first line is empty"),
    "reserved.csv": (b"_id,filename\n1,2\n", "it has no column that a contract can have"),
    "words.jsonl": (b"hello\n", "no line of it is a JSON object"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_read_is_refused_with_the_reason_and_a_next_step(name: str, tmp_path: Path) -> None:
    content, says = REFUSED[name]
    with pytest.raises(PermanentError, match="Reading the sample") as caught:
        proposed(tmp_path, (name, content))
    assert says in str(caught.value) and name in str(caught.value)


def test_a_few_broken_bytes_do_not_make_utf8_latin1(tmp_path: Path) -> None:
    rows = b"".join(f"{n},Köln\n".encode() for n in range(50))
    found = proposed(tmp_path, ("a.csv", b"id,city\n" + rows + b"50,K\xf6ln\n"))
    assert found.draft.files[0].encoding == "utf-8"
    assert (found.proof.rows_read, found.proof.rejected) == (51, 1)
    assert "line 52: the line is not valid text" in found.proof.reasons[0]


@pytest.mark.parametrize(
    ("name", "pattern"),
    [("a.csv", "*.csv"), ("a-2026.01.csv.gz", "*.csv.gz"), ("a", "*"), ("[x].jsonl", "*.jsonl"), ("v1.2", "*")],
)
def test_the_pattern_is_the_endings_of_the_name(name: str, pattern: str) -> None:
    assert pattern_of(name) == pattern


def test_names_that_a_contract_cannot_have_are_left_out_and_told(tmp_path: Path) -> None:
    found = proposed(tmp_path, ("a.csv", b",id,_etl,ID,we/ird: #1\n0,1,x,7,z\n1,2,y,8,z\n"))
    assert [name for name, _ in found.draft.left_out] == ["", "_etl", "ID"]
    assert [one.name for one in found.draft.columns] == ["id", "we/ird: #1"]
    assert found.contract.count("# Left out:") == 3
