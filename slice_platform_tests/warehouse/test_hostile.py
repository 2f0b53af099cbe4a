"""Names, types, keys and values that want to be SQL: nothing of them runs, and nothing is half made."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from slice_platform.warehouse.column_type import column_type
from slice_platform.warehouse.drop_path import Task, read_drop_path
from slice_platform.warehouse.outcome import Done, Failed
from slice_platform.warehouse.refusal import FileRefused
from slice_platform_tests.warehouse.worlds import World

EVIL = (
    "t(i int); drop table victim; --",
    'x"; drop table victim; --',
    "x`; drop table victim; --",
    "x'; drop table victim; --",
    "x\x00y",
    "x\ny",
    "x;",
    "",
    "Order",
    "ｆｕｌｌ",  # noqa: RUF001 -- full-width letters are what is tried
    "a\u202eb",
    "a" * 64,
    "_slice_load_ledger",
    "pg_class",
    "1st",
    "a b",
    "a.b",
    "naïve",
)
EVIL_TYPES = (
    "INTEGER); DROP TABLE victim; --",
    "INTEGER DEFAULT (select 1)",
    "INTEGER REFERENCES victim",
    "VARCHAR(99999999)",
    "VARCHAR(0)",
    "DECIMAL(39,2)",
    "DECIMAL(5,6)",
    "int[]",
    "geometry",
    "VARCHAR(10) CHARACTER SET x",
    "",
    "İNTEGER",
)


def failed(world: World) -> Failed:
    (outcome,) = world.work_off()
    assert isinstance(outcome, Failed), outcome
    assert world.listed("failed") and not world.listed("succeeded")
    return outcome


def is_empty(world: World) -> bool:
    """Whether no table was made; `_slice_load_ledger` may have been."""
    place = f"table_schema in ('{'public' if world.name == 'postgres' else 'shop'}')"
    rows = world.rows(f"select table_name from information_schema.tables where {place}")  # no braces: nothing to format
    return {name for (name,) in rows} <= {"_slice_load_ledger"}


@pytest.mark.parametrize("name", EVIL)
def test_no_column_has_an_evil_name(world: World, name: str) -> None:
    world.create({"id": "INTEGER", name: "INTEGER"})
    failed(world)
    assert is_empty(world)


@pytest.mark.parametrize("spelling", EVIL_TYPES)
def test_no_column_has_an_evil_type(world: World, spelling: str) -> None:
    world.create({"id": "INTEGER", "x": spelling})
    failed(world)
    assert is_empty(world)


@pytest.mark.parametrize("field", ["primary_key", "dist_key", "sort_key", "foreign_key"])
def test_no_key_has_an_evil_name(world: World, field: str) -> None:
    evil: object = EVIL[1] if field == "dist_key" else [EVIL[1]]
    if field == "foreign_key":
        evil = [{"columns": ["id"], "table": EVIL[1], "references": ["id"]}]
    keys: dict[str, object] = {"dist_key": "id", "sort_key": ["id"], field: evil}
    world.drop(Task.CREATE, "create.json", {"column_specification": {"id": "INTEGER"}, **keys})
    failed(world)
    assert is_empty(world)


def test_evil_values_are_values(world: World) -> None:
    world.create({"id": "INTEGER", "name": "VARCHAR(200)"}, ["id"])
    names = [
        *EVIL[:4],
        "100 %s",
        "%(x)s",
        "\\N",
        "NULL",
        "\\",
        "a,b",
        'say "hi"',
        "{}",
        "$1",
        "@x",
        "line\nbreak",
        "é😀",
    ]
    lines = "".join('{},"{}"\n'.format(n, name.replace('"', '""')) for n, name in enumerate(names))
    world.drop(Task.UPSERT, "evil.csv", f"id,name\n{lines}")
    assert [type(one) for one in world.work_off()] == [Done, Done]
    assert [name for (name,) in world.rows('select name from {}"people" order by id')] == names


def test_reserved_words_are_names_like_others(world: World) -> None:
    columns = {"order": "INTEGER", "select": "VARCHAR", "user": "DATE", "table": "BOOLEAN", "group": "SMALLINT"}
    world.create(columns, ["order"])
    world.drop(Task.UPSERT, "rows.csv", "table,order,select,user,group\ntrue,1,x,2026-01-01,2\n")
    assert [type(one) for one in world.work_off()] == [Done, Done]
    assert world.rows('select "order", "select" from {}"people"') == [(1, "x")]


@pytest.mark.parametrize(
    "document",
    [
        "[" * 100_000 + "]" * 100_000,
        '{"column_specification": ' + '{"a":' * 50_000 + "1" + "}" * 50_000 + "}",
        '{"column_specification": {"id": "INTEGER"}, "column_specification": {"x": "INTEGER"}}',
        json.dumps({"column_specification": {f"c{n}": "INTEGER" for n in range(1601)}}),
        '{"column_specification": {"id": "INTEGER"}, "unknown": NaN}',
        "\ufeff",
        '"' + "x" * 2_000_000 + '"',
    ],
    ids=["deep list", "deep object", "twice", "1601 columns", "NaN", "nothing", "2 MB"],
)
def test_bombs_of_json_do_no_harm(world: World, document: str) -> None:
    world.drop(Task.CREATE, "create.json", document)
    failed(world)
    assert is_empty(world)


def test_a_table_of_200_columns_is_made_and_filled(world: World) -> None:
    names = [f"column_{number}" for number in range(200)]
    world.create({"id": "INTEGER", **dict.fromkeys(names, "VARCHAR")}, ["id"])
    world.drop(Task.LOAD, "rows.csv", ",".join(["id", *names]) + "\n1" + ",x" * 200 + "\n")
    assert [type(one) for one in world.work_off()] == [Done, Done]
    assert world.rows('select column_0, column_199 from {}"people"') == [("x", "x")]


def test_a_table_of_1600_columns_is_made_whole_or_refused_in_words(world: World) -> None:
    world.create({"id": "INTEGER", **{f"c{number}": "SMALLINT" for number in range(1599)}})
    (outcome,) = world.work_off()
    if world.name == "mysql":  # InnoDB has 1017
        assert isinstance(outcome, Failed) and "1017" in str(outcome.refused) and is_empty(world)
    else:
        assert isinstance(outcome, Done), outcome
        assert world.rows('select count(*) from {}"people"') == [(0,)]


@given(st.text(max_size=80))
@settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_whatever_is_taken_for_a_type_is_spelled_in_our_words(text: str) -> None:
    try:
        taken = column_type(text, "x")
    except FileRefused:
        return
    assert column_type(str(taken), "x") == taken
    assert set(str(taken)) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789(), ")


PARTS = st.sampled_from(
    ["destination=postgres", "database=shop", "table_name=t", "input", "load", "..", ".", "a.csv", "%27", "//"]
)


@given(st.one_of(st.text(max_size=120), st.lists(st.one_of(PARTS, st.text(max_size=12)), max_size=8).map("/".join)))
@settings(max_examples=400, deadline=None)
def test_whatever_is_taken_for_a_path_names_just_itself(key: str) -> None:
    try:
        path = read_drop_path(key)
    except FileRefused:
        return
    assert path.key == key and ".." not in key.split("/")
