import io
import json
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest
from rich.console import Console

from slice_platform.cli.answers import MOST_ROWS, print_rows, write_answer
from slice_platform.errors import PermanentError

TWICE = pa.table([pa.array([1]), pa.array([2]), pa.array([3])], names=["n", "n", "n_1"])


def printed(answer: pa.Table) -> str:
    console = Console(file=io.StringIO(), width=160)
    print_rows(answer, console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize("text", ["[abc] hello", "[/b]", "[red]", ":smile:", "\\[x]"])
def test_a_cell_is_printed_as_it_is(text: str) -> None:
    """Square brackets are rich's markup, and data is no markup."""
    shown = printed(pa.table({f"c {text}": [text]}))
    assert shown.split("\n")[1].strip() == f"c {text}"
    assert shown.count(text) == 2


def test_a_long_answer_is_cut_and_says_so() -> None:
    assert f"{MOST_ROWS} of {MOST_ROWS + 1} rows" in printed(pa.table({"n": range(MOST_ROWS + 1)}))


def test_two_columns_of_one_name_are_both_written(tmp_path: Path) -> None:
    for style in ("json", "csv", "parquet"):
        write_answer(TWICE, style, tmp_path / style)
    assert json.loads((tmp_path / "json").read_text()) == {"n": 1, "n_1": 2, "n_1_1": 3}
    assert (tmp_path / "csv").read_text() == '"n","n_1","n_1_1"\n1,2,3\n'
    assert pyarrow.parquet.read_table(tmp_path / "parquet").column_names == ["n", "n_1", "n_1_1"]
    assert "n_1_1" in printed(TWICE)


def test_nested_values_and_bytes_are_text_in_csv(tmp_path: Path) -> None:
    kind = pa.struct({"a": pa.decimal128(5, 2), "b": pa.list_(pa.string())})
    nested = pa.array([{"a": Decimal("1.50"), "b": ["x", None]}, None], kind)
    write_answer(pa.table({"s": nested, "h": [b"\x00\xff", None]}), "csv", tmp_path / "out.csv")
    first, second = pyarrow.csv.read_csv(tmp_path / "out.csv").to_pylist()
    assert (json.loads(first["s"]), first["h"]) == ({"a": 1.5, "b": ["x", None]}, "00ff")
    assert not second["s"] and not second["h"]


def test_a_file_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    target = tmp_path / "nowhere" / "x.csv"
    with pytest.raises(PermanentError, match=f"Writing the answer to '{target}': No such file or directory"):
        write_answer(TWICE, "csv", target)
