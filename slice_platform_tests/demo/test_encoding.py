"""Rows of the source as files, whole and spoiled."""

import gzip
import json

import pytest

from slice_platform.demo.encoding import DEFECTS, Defect, FileFormat, encode, line_number
from slice_platform.demo.source import SourceTable

TABLE = SourceTable(
    "carrier,flight,tailnum,origin,distance,time_hour",
    ["UA,1545,N14228,EWR,1400,2013-01-01T10:00:00Z", "B6,-7,NA,JFK,944,2013-01-01T11:00:00Z"],
)


def lines_of(content: bytes) -> list[str]:
    return gzip.decompress(content).decode().splitlines()


def test_csv_repeats_the_source_line_by_line() -> None:
    assert lines_of(encode(TABLE, [1, 0], "csv")) == [TABLE.header, TABLE.lines[1], TABLE.lines[0]]


def test_json_has_numbers_texts_and_nulls() -> None:
    (line,) = lines_of(encode(TABLE, [1], "jsonl"))
    expected = {"carrier": "B6", "flight": -7, "tailnum": None, "origin": "JFK", "distance": 944}
    assert json.loads(line) == {**expected, "time_hour": "2013-01-01T11:00:00Z"}


@pytest.mark.parametrize("file_format", ["csv", "jsonl"])
def test_equal_rows_give_equal_bytes(file_format: FileFormat) -> None:
    first = encode(TABLE, [0, 1], file_format)
    assert first == encode(TABLE, [0, 1], file_format)
    assert first[4:8] == bytes(4), "gzip's header holds a time"


@pytest.mark.parametrize("file_format", ["csv", "jsonl"])
@pytest.mark.parametrize("defect", DEFECTS, ids=lambda defect: defect.what)
def test_a_defect_changes_its_own_line_only(file_format: FileFormat, defect: Defect) -> None:
    good, bad = (lines_of(encode(TABLE, [0, 1], file_format, spoiled)) for spoiled in ({}, {1: defect}))
    changed = [number for number, (one, other) in enumerate(zip(good, bad, strict=True), start=1) if one != other]
    assert changed == [line_number(1, file_format)]


def test_a_wrong_number_is_text_in_json() -> None:
    (line,) = lines_of(encode(TABLE, [0], "jsonl", {0: Defect("", "distance", "far")}))
    assert json.loads(line)["distance"] == "far"


def test_a_line_cut_in_half_is_no_json() -> None:
    (line,) = lines_of(encode(TABLE, [0], "jsonl", {0: Defect("cut")}))
    with pytest.raises(json.JSONDecodeError):
        json.loads(line)
