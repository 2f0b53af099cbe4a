"""Parquet files that are damaged, odd, or of another writer's types."""

import io
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from slice_platform_tests.lake.feeds import ID, N
from slice_platform_tests.lake.reading import Reader, reader_of

AT = {"name": "at", "logicalType": "timestamp"}
GOOD = {"id": ["a", "b", "a"], "n": [1, 2, None]}


def parquet(columns: dict[str, Any] | pa.Table, **options: Any) -> bytes:
    target = io.BytesIO()
    pq.write_table(columns if isinstance(columns, pa.Table) else pa.table(columns), target, **options)
    return target.getvalue()


PLAIN = parquet(GOOD, compression="none", use_dictionary=False)


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with reader_of(tmp_path_factory.mktemp("parquet"), ID, N, AT) as reader:
        yield reader


@pytest.mark.parametrize(
    "options",
    [
        *({"compression": codec} for codec in ("none", "snappy", "gzip", "brotli", "lz4", "zstd")),
        {"row_group_size": 1},
        {"data_page_version": "2.0", "use_dictionary": False},
        {"use_dictionary": False, "column_encoding": {"id": "DELTA_BYTE_ARRAY", "n": "DELTA_BINARY_PACKED"}},
        {"write_page_checksum": True},
    ],
)
def test_every_way_of_writing_is_read(reader: Reader, options: dict[str, Any]) -> None:
    found = reader.read("a.parquet", parquet(GOOD, **options))
    assert (found.rows, found.rejects) == ([("a", 1, None), ("b", 2, None), ("a", None, None)], [])


@pytest.mark.parametrize("options", [{"use_deprecated_int96_timestamps": True}, {"coerce_timestamps": "ms"}])
def test_timestamps_of_every_kind_are_read(reader: Reader, options: dict[str, Any]) -> None:
    at = datetime(2026, 1, 1, 12)  # noqa: DTZ001  # no zone
    assert reader.read("a.parquet", parquet({"id": ["a"], "at": [at]}, **options)).rows == [("a", None, at)]


@pytest.mark.parametrize(
    "content",
    [
        *(PLAIN[:-cut] for cut in (1, 4, 8, 50, len(PLAIN) // 2, len(PLAIN) - 4)),
        PLAIN + b"x",
        b"x" + PLAIN,
        b"PAR1PAR1",
        b"PAR1\0\0\0\0PAR1",
        b"PAR1\xff\xff\xff\x7fPAR1",
        b"PAR1\xff\xff\xff\xffPAR1",
        b"PARE" + PLAIN[4:-4] + b"PARE",  # an encrypted footer
        PLAIN.replace(b"\x01\0\0\0b", b"\xff\xff\xff\x7fb"),  # a text that is longer than its page
        PLAIN.replace(b"\x01\0\0\0b", b"\x01\0\0\0\xff"),  # a text that is none
        parquet({}),
    ],
)
def test_what_cannot_be_read_is_set_aside(reader: Reader, content: bytes) -> None:
    assert "the file cannot be read" in str(reader.read("a.parquet", content).problem)


def test_a_file_without_row_groups_has_no_rows(reader: Reader) -> None:
    target = io.BytesIO()
    pq.ParquetWriter(target, pa.schema([("id", pa.string())])).close()
    assert reader.read("a.parquet", target.getvalue()).read == 0


@pytest.mark.parametrize("names", [["id", "id", "n"], ["id", "N", "n"], ["ID", "id", "n"]])
def test_names_that_differ_in_case_alone_set_the_file_aside(reader: Reader, names: list[str]) -> None:
    """DuckDB calls the second one n_1, and an optional column n would be NULL without a word."""
    table = pa.Table.from_arrays([pa.array(["a"]), pa.array(["1"]), pa.array([2])], names=names)
    assert str(reader.read("a.parquet", parquet(table)).problem).startswith("the file has columns of one name")


def test_names_inside_of_columns_are_no_columns(reader: Reader) -> None:
    content = parquet({"o": [{"id": 1, "n": {"N": 2}}], "id": ["a"], "l": [[{"n": 1}]], "n": [3]})
    assert reader.read("a.parquet", content).rows == [("a", 3, None)]


def test_floats_that_are_no_whole_numbers_are_refused_alone(reader: Reader) -> None:
    floats = [float("nan"), float("inf"), 1e300, -0.0, 2.0]
    found = reader.read("a.parquet", parquet({"id": list("abcde"), "n": floats}))
    assert [row[:2] for row in found.rows] == [("d", 0), ("e", 2)]
    assert [(line, reason) for line, _, reason, _ in found.rejects] == [
        (1, "'nan' is not integer"), (2, "'inf' is not integer"), (3, "'1e+300' is not integer"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("values", "numbers"),
    [
        (pa.array(["1", "1", "x"]).dictionary_encode(), [1, 1]),
        (pa.array([2**64 - 1, 5], pa.uint64()), [5]),
        (pa.nulls(2), [None, None]),
        (pa.array([True]), []),
        (pa.array([[1, 2]]), []),
        (pa.array([{"x": 1}]), []),
        (pa.array([Decimal("5.00"), Decimal("6.50")]), []),
        (pa.array([Decimal(5)], pa.decimal256(50, 0)), [5]),
        (pa.array([datetime(2026, 1, 1, tzinfo=UTC)]), []),
        (pa.array([b"7", b"\xff"]), [7]),
    ],
)
def test_a_value_of_another_type_fits_or_is_refused_alone(reader: Reader, values: pa.Array, numbers: list[Any]) -> None:
    found = reader.read("a.parquet", parquet({"id": ["a"] * len(values), "n": values}))
    assert ([row[1] for row in found.rows], found.read) == (numbers, len(values))
