"""MySQL's own traps, on a real MariaDB: warnings, pipes, statements that commit by themselves."""

import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from slice_platform.errors import AccessRefused, DestinationBusy, DestinationError, SettingsError
from slice_platform.warehouse.clean_rows import CsvStyle
from slice_platform.warehouse.drop_path import DestinationName, Task
from slice_platform.warehouse.mysql import MySqlDestination, MySqlSession
from slice_platform.warehouse.mysql_errors import as_ours, told
from slice_platform.warehouse.mysql_sql import canonical
from slice_platform.warehouse.outcome import Done, Failed
from slice_platform.warehouse.refusal import FileRefused
from slice_platform_tests.mariadb import MariaDb
from slice_platform_tests.warehouse.worlds import World


@pytest.fixture
def shop(make_world: Callable[[DestinationName], World]) -> World:
    world = make_world("mysql")
    world.create({"id": "INTEGER", "name": "VARCHAR(50)", "is_on": "BOOLEAN"}, ["id"])
    world.work_off()
    return world


def test_a_warning_rolls_everything_back(shop: World, monkeypatch: pytest.MonkeyPatch) -> None:
    words = CsvStyle(null="NULL", true="yes", false="no", has_zone=False)
    monkeypatch.setattr("slice_platform.warehouse.mysql.STYLE", words)
    shop.drop(Task.LOAD, "a.csv", "id,is_on\n1,true\n")
    (outcome,) = shop.work_off()
    assert isinstance(outcome, Failed) and "took the rows with warnings" in str(outcome.refused)
    assert shop.rows('select count(*) from {}"people"') == [(0,)]
    assert shop.rows('select count(*) from {}"_slice_load_ledger"') == [(1,)]


def test_a_writer_that_fails_rolls_everything_back(shop: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_given: object) -> None:
        raise OSError("the disk is gone")

    monkeypatch.setattr("slice_platform.warehouse.mysql.write_csv", fail)
    shop.drop(Task.LOAD, "a.csv", "id\n1\n")
    with pytest.raises(OSError, match="the disk is gone"):
        shop.work_off()
    assert shop.rows('select count(*) from {}"_slice_load_ledger"') == [(1,)]


def test_a_statement_that_fails_lets_go_of_the_writer(shop: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("slice_platform.warehouse.mysql_sql.MySqlDialect.load_data", lambda *_: "LOAD DATA nonsense")
    shop.drop(Task.LOAD, "a.csv", "id,name\n" + "".join(f"{n},{'x' * 50}\n" for n in range(20_000)))
    assert isinstance(shop.work_off()[0], Failed)


def test_a_change_that_was_cut_off_before_it_was_booked_is_not_made_twice(
    shop: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dies(*_given: object) -> None:
        raise KeyboardInterrupt

    shop.drop(Task.ALTER, "a.json", {"operation_type": "add", "column_specification": {"a": "DATE", "b": "DATE"}})
    with monkeypatch.context() as patched:
        patched.setattr(MySqlDestination, "_record", dies)
        with pytest.raises(KeyboardInterrupt):
            shop.work_off()
    shop.rows('alter table people drop column "b"')  # by hand: what is there is not added, what is not is
    (outcome,) = shop.work_off()
    assert isinstance(outcome, Done)
    assert [one for one in outcome.applied.statements if "ALTER" in one] == [
        "ALTER TABLE `shop`.`people` ADD COLUMN `b` DATE"
    ]
    shop.drop(Task.LOAD, "a.csv", "id,a,b\n1,2026-01-01,2026-01-02\n")
    assert isinstance(shop.work_off()[0], Done)


def test_a_change_that_the_database_refuses_changes_no_column(make_world: Callable[[DestinationName], World]) -> None:
    world = make_world("mysql")
    world.create({"id": "INTEGER", "name": "VARCHAR(50)"}, ["id"])
    world.drop(Task.ALTER, "a.json", {"operation_type": "add", "column_specification": {"a": "DATE", **numbers(1_014)}})
    assert [type(one) for one in world.work_off()] == [Done, Failed]
    columns = "select count(*) from information_schema.columns where table_schema = 'shop' and table_name = 'people'"
    assert world.rows(columns) == [(2,)]


def numbers(many: int) -> dict[str, str]:
    return {f"n{number}": "DOUBLE PRECISION" for number in range(many)}


@pytest.mark.parametrize("length", [50, 100, 255])
def test_a_table_of_many_texts_is_made_filled_and_widened(
    make_world: Callable[[DestinationName], World], length: int
) -> None:
    world, names = make_world("mysql"), [f"c{number}" for number in range(120)]
    world.create({"id": "INTEGER", **dict.fromkeys(names, f"VARCHAR({length})")}, ["id"])
    more = {f"d{number}": f"VARCHAR({length})" for number in range(50)}
    world.drop(Task.ALTER, "a.json", {"operation_type": "add", "column_specification": more})
    row = ",".join("x" * length for _ in (*names, *more))
    world.drop(Task.UPSERT, "a.csv", f"id,{','.join((*names, *more))}\n1,{row}\n")
    assert [type(one) for one in world.work_off()] == [Done] * 3
    assert world.rows('select d49 from {}"people"') == [("x" * length,)]


def test_columns_that_make_a_table_wide_are_added_to_it(make_world: Callable[[DestinationName], World]) -> None:
    world = make_world("mysql")
    world.create({"id": "INTEGER", **{f"c{number}": "VARCHAR(200)" for number in range(70)}}, ["id"])
    more = {f"x{number}": "VARCHAR(255)" for number in range(20)}
    world.drop(Task.ALTER, "a.json", {"operation_type": "add", "column_specification": more})
    assert [type(one) for one in world.work_off()] == [Done] * 2


def test_a_change_gives_way_to_a_long_query_before_others_queue_behind_it(
    shop: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("slice_platform.warehouse.mysql_sql.SHORT_WAIT_SECONDS", 0)
    monkeypatch.setattr("slice_platform.warehouse.database.MOST_ATTEMPTS", 2)
    path = shop.drop(Task.ALTER, "a.json", {"operation_type": "add", "column_specification": {"x": "DATE"}})
    with shop.propagator().door(shop.table())._transaction(shop.table()) as reader:
        reader.rows("select count(*) from people")
        with pytest.raises(DestinationBusy):
            shop.work_off()
        assert path.exists()
    assert isinstance(shop.work_off()[0], Done)


def test_who_waits_too_long_for_another_loader_gives_way(shop: World) -> None:
    quick = MySqlDestination(shop.url, lock_timeout_seconds=0, pause=lambda _seconds: None)
    with quick._transaction(shop.table()) as first, quick._transaction(shop.table()) as second:
        quick._lock(first, shop.table())
        with pytest.raises(DestinationBusy, match="another loader held it"):
            quick._lock(second, shop.table())


def test_a_server_that_is_killed_in_the_middle_of_a_load_loads_the_file_once(
    shop: World, mariadb: MariaDb, monkeypatch: pytest.MonkeyPatch
) -> None:
    insert = MySqlSession._run

    def dies_before_the_insert(session: MySqlSession, statement: str, values: Any) -> int:
        if statement.startswith("INSERT INTO `shop`.`people`"):
            mariadb.kill()
            mariadb.start()
        return insert(session, statement, values)

    shop.drop(Task.LOAD, "a.csv", "id\n1\n2\n")
    with monkeypatch.context() as patched:
        patched.setattr(MySqlSession, "_run", dies_before_the_insert)
        patched.setattr("slice_platform.warehouse.database.MOST_ATTEMPTS", 1)
        with pytest.raises(Exception, match="failed"):
            shop.work_off()
    assert shop.rows('select count(*) from {}"people"') == [(0,)]
    assert isinstance(shop.work_off()[0], Done)
    assert shop.rows('select count(*) from {}"people"') == [(2,)]


def test_a_scale_that_mysql_does_not_have_is_refused(make_world: Callable[[DestinationName], World]) -> None:
    world = make_world("mysql")
    world.create({"id": "INTEGER", "x": "DECIMAL(38,31)"})
    (outcome,) = world.work_off()
    assert isinstance(outcome, Failed) and "more than 30 digits behind the point" in str(outcome.refused)


@pytest.mark.parametrize(
    ("number", "kind"),
    [(1213, DestinationBusy), (1045, AccessRefused), (3948, AccessRefused), (1062, FileRefused), (1, DestinationError)],
)
def test_numbers_of_the_server_are_told_as_ours(number: int, kind: type[Exception]) -> None:
    assert isinstance(as_ours("Loading", number, "said"), kind)


@pytest.mark.parametrize(
    ("mysql", "mariadb"), [("int", "int(11)"), ("bigint", "bigint(20)"), ("json", "longtext"), ("double", "double")]
)
def test_types_are_the_same_by_both_spellings(mysql: str, mariadb: str) -> None:
    assert canonical(mysql) == canonical(mariadb)


@pytest.mark.parametrize(
    "url",
    [
        "mysql://loader:sec/ret@host", "mysql://loader:12/secret@host", "mysql://loader:pa?secret@host",
        "mysql://loader:pa#secret@host", "mysql://loader:secret@host:x", "mysql://loader:secret@[host",
        "secret@host", "mysql://host/?secret=1", "mysql://host/?ssl_ca",
    ],
)  # fmt: skip
def test_a_malformed_url_is_an_error_of_its_setting_and_not_told(url: str) -> None:
    with pytest.raises(SettingsError, match="SLICE_MYSQL_URL") as caught:
        MySqlDestination(url)
    assert "sec" not in "".join(traceback.format_exception(caught.value)).split("SettingsError:", 1)[1]


def test_only_connections_that_load_hand_out_files(shop: World) -> None:
    destination = shop.propagator().door(shop.table())
    with pytest.raises(AccessRefused), destination._transaction(shop.table()) as session:
        session.run("load data local infile '/etc/passwd' into table people")


def test_a_login_that_needs_another_package_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    from pymysql import _auth

    monkeypatch.setattr(_auth, "_have_cryptography", False)
    with pytest.raises(AccessRefused, match=r"slice-platform\[warehouse\]"), told("Working on people"):
        _auth.sha2_rsa_encrypt(b"secret", b"salt", b"key")


def test_no_password_is_told(tmp_path: Path) -> None:
    world = World("mysql", "mysql://loader:secret@127.0.0.1:1/", str(tmp_path))
    world.drop(Task.LOAD, "a.csv", "id\n1\n")
    with pytest.raises(Exception, match="failed") as caught:
        world.work_off()
    assert "secret" not in str(caught.value) + repr(world.destination(world.propagator().store))
