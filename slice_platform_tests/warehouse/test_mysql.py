"""MySQL's own traps, on a real MariaDB: warnings, pipes, statements that commit by themselves."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from slice_platform.errors import AccessRefused, AccountingError, DestinationBusy, DestinationError
from slice_platform.warehouse.clean_rows import CsvStyle
from slice_platform.warehouse.drop_path import DestinationName, Task
from slice_platform.warehouse.mysql import MySqlDestination, MySqlSession
from slice_platform.warehouse.mysql_errors import as_ours
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
    with pytest.raises(AccountingError, match="took the rows with warnings"):
        shop.work_off()
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
    with pytest.raises(DestinationError):
        shop.work_off()


def test_a_change_that_was_cut_off_between_two_statements_is_finished(
    shop: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = MySqlSession._run

    def dies_at_the_second(session: MySqlSession, statement: str, values: Any) -> int:
        if "ADD COLUMN `b`" in statement:
            raise KeyboardInterrupt
        return run(session, statement, values)

    shop.drop(Task.ALTER, "a.json", {"operation_type": "add", "column_specification": {"a": "DATE", "b": "DATE"}})
    with monkeypatch.context() as patched:
        patched.setattr(MySqlSession, "_run", dies_at_the_second)
        with pytest.raises(KeyboardInterrupt):
            shop.work_off()
    (outcome,) = shop.work_off()
    assert isinstance(outcome, Done) and not any("`a`" in one for one in outcome.applied.statements if "ALTER" in one)
    shop.drop(Task.LOAD, "a.csv", "id,a,b\n1,2026-01-01,2026-01-02\n")
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
        patched.setattr("slice_platform.warehouse.destination.MOST_ATTEMPTS", 1)
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


def test_no_password_is_told(tmp_path: Path) -> None:
    world = World("mysql", "mysql://loader:secret@127.0.0.1:1/", str(tmp_path))
    world.drop(Task.LOAD, "a.csv", "id\n1\n")
    with pytest.raises(Exception, match="failed") as caught:
        world.work_off()
    assert "secret" not in str(caught.value) + repr(world.destination(world.propagator().store))
