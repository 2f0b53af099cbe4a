"""Which type a column of the lake gets in a database."""

import pytest

from slice_platform.warehouse.drop_path import TableRef
from slice_platform.warehouse.projected_columns import LakeColumn, PhysicalKeys, lake_table_spec
from slice_platform.warehouse.projection import Mode, ProjectedTable
from slice_platform.warehouse.projection_spec import check_projection, index_name, settled
from slice_platform.warehouse.refusal import FileRefused
from slice_platform.warehouse.table_spec import TableSpec, columns_of

COLUMNS = [
    LakeColumn("id", "string", is_key=True), LakeColumn("name", "string", max_length=20), LakeColumn("note", "string"),
    LakeColumn("n", "integer"), LakeColumn("x", "number"), LakeColumn("price", "number", precision=12, scale=2),
    LakeColumn("ok", "boolean"), LakeColumn("day", "date"), LakeColumn("at", "timestamp"),
    LakeColumn("local", "timestamp", has_zone=False), LakeColumn("clock", "time"), LakeColumn("doc", "object"),
    LakeColumn("list", "array"), LakeColumn("city", "string"),
]  # fmt: skip
TYPES = {
    "id": "VARCHAR(256)", "name": "VARCHAR(80)", "note": "VARCHAR(65535)", "n": "BIGINT", "x": "DOUBLE PRECISION",
    "price": "DECIMAL(12,2)", "ok": "BOOLEAN", "day": "DATE", "at": "TIMESTAMPTZ", "local": "TIMESTAMP",
    "clock": "VARCHAR(15)", "doc": "SUPER", "list": "SUPER", "city": "VARCHAR(256)",
}  # fmt: skip


def test_each_kind_has_its_type_and_text_in_keys_is_short() -> None:
    spec = lake_table_spec(COLUMNS, "postgres", keys=PhysicalKeys(indexes=(("city", "n"),)))
    assert {column.name: str(column.type) for column in spec.columns} == TYPES
    assert spec.primary_key == ("id",)


def test_a_type_that_somebody_chose_wins() -> None:
    spec = lake_table_spec(COLUMNS, "mysql", types={"id": "VARCHAR(2)", "n": "smallint"})
    assert [str(column.type) for column in spec.columns][:4:3] == ["VARCHAR(2)", "SMALLINT"]


def test_keys_of_redshift_are_for_redshift_alone() -> None:
    keys = PhysicalKeys(dist_key="n", sort_key=("day",))
    assert lake_table_spec(COLUMNS, "redshift", keys=keys).dist_key == "n"
    assert lake_table_spec(COLUMNS, "postgres", keys=keys).sort_key == ()


def test_all_that_is_wrong_is_told_at_once() -> None:
    columns = [LakeColumn("Carrier", "string"), LakeColumn("n", "number", precision=50)]
    with pytest.raises(FileRefused) as caught:
        lake_table_spec(columns, "postgres", types={"nn": "DATE"}, keys=PhysicalKeys(sort_key=("z",)))
    said = " | ".join(map(str, caught.value.findings))
    for part in ("types names 'nn'", "sort_key names 'z'", "'Carrier' is no name for a column", "has 50 digits"):
        assert part in said


def table(destination: str, mode: Mode = "upsert", column: str | None = "at", **more: object) -> ProjectedTable:
    columns = {"id": "BIGINT", "at": "TIMESTAMP", "name": "VARCHAR(3000)", "doc": "SUPER"}
    known = {"primary_key": ("id",), **{key: more.pop(key) for key in ("primary_key",) if key in more}}
    spec = TableSpec(columns_of(columns), **known)  # type: ignore[arg-type]  # the test gave it
    ref = TableRef(destination, "shop", "people")  # type: ignore[arg-type]  # as above
    return ProjectedTable(ref, spec, mode, column, **more)  # type: ignore[arg-type]  # as above


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (table("postgres", primary_key=()), "mode 'upsert' tells rows by their primary_key"),
        (table("mysql", "append", primary_key=()), "mode 'append' tells rows by their primary_key"),
        (table("postgres", column="day"), "partition_column 'day' is none of the columns"),
        (table("postgres", column="name"), "is VARCHAR(3000); windows are of DATE"),
        (table("redshift", indexes=(("name",),)), "Redshift has none"),
        (table("postgres", indexes=(("nam",),)), "names 'nam', which is no column"),
        (table("postgres", indexes=(("id", "id"),)), "which is there twice"),
        (table("mysql", indexes=(("doc",),)), "a document is in no index"),
        (table("postgres", indexes=((),)), "has 0 columns"),
        (table("mysql", primary_key=("name",)), "an index of MySQL takes 3,072"),
        (table("postgres", primary_key=("doc",)), "cannot have a column of type SUPER"),
    ],
)
def test_what_cannot_be_made_is_told_before_a_database_hears_of_it(wrong: ProjectedTable, said: str) -> None:
    (found,) = check_projection(wrong)
    assert said in found


@pytest.mark.parametrize("destination", ["postgres", "mysql", "redshift"])
def test_what_can_be_made_has_nothing_wrong(destination: str) -> None:
    indexes = () if destination == "redshift" else (("name", "at"),)
    assert check_projection(table(destination, indexes=indexes)) == []


def test_redshift_gets_keys_where_none_were_named() -> None:
    chosen = settled(table("redshift")).spec
    assert (chosen.dist_key, chosen.sort_key) == ("id", ("at",))
    without = settled(table("redshift", "replace_partition", None, primary_key=())).spec
    assert (without.dist_key, without.sort_key) == ("id", ("id",))


def test_the_name_of_an_index_is_short_and_of_its_own() -> None:
    ref = TableRef("postgres", "shop", "t" * 63)
    names = {index_name(ref, columns) for columns in (("a", "b"), ("b", "a"), ("a_b",), ("a",))}
    assert len(names) == 4 and {len(name) for name in names} <= set(range(1, 64))
