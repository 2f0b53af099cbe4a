"""The grammar of the folders: what follows it is understood, everything else is refused with what was expected."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slice_platform.warehouse.drop_path import DropPath, TableRef, Task, read_drop_path
from slice_platform.warehouse.refusal import FileRefused

ORDERS = TableRef("postgres", "shop", "orders")
FOLDER = "destination=postgres/database=shop/table_name=orders"


@pytest.mark.parametrize(
    ("below", "expected"),
    [
        ("schema/create/orders.json", DropPath(ORDERS, Task.CREATE, "orders.json")),
        ("schema/update/2026-03 add.json", DropPath(ORDERS, Task.ALTER, "2026-03 add.json")),
        ("input/load/a.csv", DropPath(ORDERS, Task.LOAD, "a.csv", "csv")),
        ("input/load/export (1).CSV.gz", DropPath(ORDERS, Task.LOAD, "export (1).CSV.gz", "csv", is_gzip=True)),
        ("input/update/a.jsonl.gz", DropPath(ORDERS, Task.UPSERT, "a.jsonl.gz", "jsonl", is_gzip=True)),
        ("input/update/a.parquet", DropPath(ORDERS, Task.UPSERT, "a.parquet", "parquet")),
        ("input/load/a.parquet.gz", DropPath(ORDERS, Task.LOAD, "a.parquet.gz", "parquet", is_gzip=True)),
    ],
)
def test_a_path_says_what_is_to_be_done(below: str, expected: DropPath) -> None:
    found = read_drop_path(f"{FOLDER}/{below}")
    assert found == expected
    assert found.key == f"{FOLDER}/{below}"


@pytest.mark.parametrize(
    ("key", "says"),
    [
        ("a.csv", "is not where a file of a table lies"),
        (f"{FOLDER}/a.csv", "is not where a file of a table lies"),
        (f"{FOLDER}/input/load/more/a.csv", "is not where a file of a table lies"),
        ("destination=oracle/database=shop/table_name=orders/input/load/a.csv", "'oracle' is no destination"),
        ("target=postgres/database=shop/table_name=orders/input/load/a.csv", "destination=<name> is expected"),
        ("destination=postgres/database=shop/table=orders/input/load/a.csv", "table_name=<name> is expected"),
        ("destination=postgres/database=Shop/table_name=orders/input/load/a.csv", "'Shop' is no name for a database"),
        ("destination=postgres/database=shop/table_name=../input/load/a.csv", "'..' is no name for a table"),
        ("destination=postgres/database=shop/table_name=_slice_load_ledger/input/load/a.csv", "are taken"),
        (f"{FOLDER}/input/insert/a.csv", "'input/insert' is no folder"),
        (f"{FOLDER}/succeeded/x/a.csv", "'succeeded/x' is no folder"),
        (f"{FOLDER}/input/load/a.xlsx", "does not end in .csv, .jsonl or .parquet"),
        (f"{FOLDER}/input/load/a.json", "does not end in .csv, .jsonl or .parquet"),
        (f"{FOLDER}/input/load/a.csv\n", "is no file name"),
        (f"{FOLDER}/input/load/a';drop.csv", "is no file name"),
        (f"{FOLDER}/input/load/.hidden.csv", "is no file name"),
        (f"{FOLDER}/input/load/a\x00.csv", "is no file name"),
        (f"{FOLDER}/input/load/{'a' * 200}.csv", "is no file name"),
        (f"{FOLDER}/schema/create/orders.csv", "does not end in .json"),
    ],
)
def test_what_does_not_follow_the_grammar_is_refused_with_what_was_expected(key: str, says: str) -> None:
    with pytest.raises(FileRefused) as refused:
        read_drop_path(key)
    assert says in str(refused.value)


@given(st.text(max_size=120) | st.builds(lambda tail: f"{FOLDER}/input/load/{tail}", st.text(max_size=30)))
def test_any_text_is_a_path_to_the_last_character_or_refused(key: str) -> None:
    try:
        found = read_drop_path(key)
    except FileRefused:
        return
    assert found.key == key
    assert key.isascii() and ".." not in key.split("/") and not set(key) & set("'\";\\\n\r\x00%")


@given(st.from_regex(r"[a-z_][a-z0-9_]{0,62}", fullmatch=True), st.sampled_from(list(Task)))
def test_every_name_of_the_grammar_is_understood(table: str, task: Task) -> None:
    name = "a.json" if task.is_schema else "a.csv"
    key = f"destination=mysql/database=shop/table_name={table}/{task.value}/{name}"
    if table.startswith(("_slice_", "_stg", "pg_")):
        with pytest.raises(FileRefused, match="are taken"):
            read_drop_path(key)
    else:
        assert read_drop_path(key).table == TableRef("mysql", "shop", table)
