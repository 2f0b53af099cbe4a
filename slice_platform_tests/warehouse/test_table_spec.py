"""A file in schema/create: understood as a whole, or refused with everything that is wrong with it."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from slice_platform.warehouse.drop_path import DestinationName
from slice_platform.warehouse.mysql_index import MOST_INDEX_BYTES
from slice_platform.warehouse.outcome import Done
from slice_platform.warehouse.refusal import FileRefused
from slice_platform.warehouse.table_spec import MOST_BYTES, MOST_COLUMNS, TableSpec, read_table_spec
from slice_platform_tests.warehouse.worlds import World

COLUMNS = {"id": "INTEGER", "name": "VARCHAR", "uuid": "VARCHAR(36)", "extra": "SUPER", "order": "SMALLINT"}
KEYS = {"primary_key": ["id"], "dist_key": "uuid", "sort_key": ["id", "order"]}


def document(**changes: Any) -> bytes:
    return json.dumps({"column_specification": COLUMNS, **KEYS, **changes}).encode()


def refused(content: bytes, destination: DestinationName = "redshift") -> list[str]:
    with pytest.raises(FileRefused) as caught:
        read_table_spec(content, destination)
    return [str(finding) for finding in caught.value.findings]


def test_a_table_for_redshift_has_columns_and_all_its_keys() -> None:
    spec = read_table_spec(document(), "redshift")
    assert [f"{column.name} {column.type}" for column in spec.columns] == [
        "id INTEGER", "name VARCHAR(256)", "uuid VARCHAR(36)", "extra SUPER", "order SMALLINT",
    ]  # fmt: skip
    assert (spec.primary_key, spec.dist_key, spec.sort_key, spec.ignored) == (("id",), "uuid", ("id", "order"), ())
    assert spec.keys == {"id", "uuid", "order"}


@pytest.mark.parametrize("destination", ["postgres", "mysql"])
def test_elsewhere_dist_and_sort_key_are_ignored_with_a_note(destination: DestinationName) -> None:
    spec = read_table_spec(document(), destination)
    assert (spec.dist_key, spec.sort_key) == (None, ())
    assert spec.ignored == (
        f"dist_key is ignored: {destination} has none",
        f"sort_key is ignored: {destination} has none",
    )
    assert read_table_spec(document(dist_key=None, sort_key=[]), destination).ignored == ()


def test_no_redshift_table_without_dist_and_sort_key() -> None:
    assert refused(json.dumps({"column_specification": COLUMNS}).encode()) == [
        "dist_key is required: no Redshift table without it. Name a column.",
        "sort_key is required: no Redshift table without it. Name a column.",
    ]


def test_every_key_names_columns_of_the_table_once_and_none_of_type_super() -> None:
    found = refused(document(primary_key=["id", "id"], dist_key="nobody", sort_key=["extra"]))
    assert found == [
        "column id: primary_key names it twice",
        "dist_key names 'nobody', which column_specification does not have.",
        "column extra: sort_key cannot have a column of type SUPER",
    ]


def test_every_bad_name_and_type_is_told_at_once() -> None:
    columns = {"id; drop table x": "INTEGER", "Id": "INTEGER", "n": "INTEGER DEFAULT 1", "ok": "DATE"}
    found = refused(document(column_specification=columns))
    assert len(found) == 3
    assert "'id; drop table x' is no name for a column" in found[0] and "'Id' is no name" in found[1]
    assert found[2].startswith("column n: 'INTEGER DEFAULT 1' is no type")


def test_a_foreign_key_names_columns_on_both_sides() -> None:
    key = {"columns": ["order"], "table": "orders", "references": ["id"]}
    spec = read_table_spec(document(foreign_key=[key]), "postgres")
    assert (spec.foreign_keys[0].columns, spec.foreign_keys[0].table) == (("order",), "orders")
    assert "order" in spec.keys
    assert "equally many" in refused(document(foreign_key=[{**key, "references": ["id", "n"]}]))[0]
    assert "'nobody'" in refused(document(foreign_key=[{**key, "columns": ["nobody"]}]))[0]
    assert "is no name for a table" in refused(document(foreign_key=[{**key, "table": "a b"}]))[0]


def test_bad_rows_fail_a_file_unless_a_share_may_be_set_aside() -> None:
    assert read_table_spec(document(), "redshift").tolerated_bad_rows == 0.0
    tolerant = document(on_bad_rows={"set_aside_up_to": 0.05})
    assert read_table_spec(tolerant, "redshift").tolerated_bad_rows == 0.05
    assert "on_bad_rows" in refused(document(on_bad_rows={"set_aside_up_to": 2}))[0]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "line 1: The file is no JSON"),
        (b'{"column_specification":\n{"id": "INTEGER",}}', "line 2: The file is no JSON"),
        (b"\xff\xfe{}", "is not UTF-8"),
        (b"[]", "the document: "),
        (b'{"column_specification": {}}', "column_specification: "),
        (b'{"column_specification": {"id": 5}}', "column_specification.id: "),
        (b'{"column_specification": {"id": "INTEGER", "id": "DATE"}}', "gives 'id' twice"),
        (b'{"column_specification": {"id": "INTEGER"}, "sortkey": ["id"]}', "sortkey: Extra inputs"),
        (b'{"column_specification": {"id": "INTEGER"}, "dist_key": ["id"]}', "dist_key: "),
        (b'{"a": NaN}', "The JSON says NaN"),
        (b"[" * 100_000, "nested too deeply"),
        (b" " * (MOST_BYTES + 1), "a schema has at most"),
    ],
)
def test_what_is_no_schema_is_refused_with_the_place(content: bytes, says: str) -> None:
    assert says in refused(content)[0]


def test_a_byte_order_mark_is_no_fault() -> None:
    assert isinstance(read_table_spec(b"\xef\xbb\xbf" + document(), "redshift"), TableSpec)


def test_as_many_columns_as_a_table_may_have_are_taken_and_one_more_is_refused() -> None:
    columns = {f"c{n}": "INTEGER" for n in range(MOST_COLUMNS)}
    spec = read_table_spec(
        document(column_specification=columns, primary_key=[], dist_key="c0", sort_key=["c1"]), "redshift"
    )
    assert len(spec.names) == MOST_COLUMNS
    assert "column_specification" in refused(document(column_specification={**columns, "more": "INTEGER"}))[0]


LONG = {"a": "VARCHAR(766)", "b": "TIMESTAMP", "c": "VARCHAR(2)", "d": "DECIMAL(38,2)"}


def test_a_key_too_long_for_the_index_of_mysql_is_refused_with_the_column() -> None:
    plain: dict[str, Any] = {"dist_key": None, "sort_key": []}
    written = document(column_specification={"k": "VARCHAR(1000)", "n": "DATE"}, primary_key=["k", "n"], **plain)
    (said,) = refused(written, "mysql")
    assert said.startswith(
        "column k: is VARCHAR(1000) in primary_key, which takes up to 4,003 bytes at 4 per character"
    )
    assert said.endswith("; an index of MySQL takes 3,072")
    assert read_table_spec(written, "postgres").primary_key == ("k", "n")
    key = {"columns": ["k"], "table": "orders", "references": ["k"]}
    written = document(column_specification={"k": "CHAR(800)"}, primary_key=[], foreign_key=[key], **plain)
    assert "CHAR(800) in foreign_key" in refused(written, "mysql")[0]


@pytest.mark.parametrize("key", [["a", "b"], ["a", "c"], ["a", "d"]])
def test_what_is_told_of_a_key_for_mysql_is_what_it_takes(make_world: Callable[[str], World], key: list[str]) -> None:
    world = make_world("mysql")
    world.create(LONG, key)
    (outcome,) = world.work_off()
    takes = {"b": 8, "c": 8, "d": 18}[key[1]] + 766 * 4
    assert isinstance(outcome, Done) if takes <= MOST_INDEX_BYTES else "in primary_key" in str(outcome)
    ((count,),) = world.rows("select count(*) from information_schema.tables where table_name = 'people'")
    assert count == isinstance(outcome, Done)
