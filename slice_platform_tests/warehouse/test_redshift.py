"""Redshift's own, on the stand-in: no keys that would help, transactions that lose, files on the way."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from slice_platform.engine import open_engine
from slice_platform.errors import DestinationBusy
from slice_platform.local.redshift_standin import STANDIN_LABEL, standin_connection
from slice_platform.store import Store
from slice_platform.warehouse.claim import Applied, Claim
from slice_platform.warehouse.drop_path import DestinationName, Task
from slice_platform.warehouse.gate import CheckedRows
from slice_platform.warehouse.outcome import Done, Failed
from slice_platform.warehouse.redshift import RedshiftDestination, RedshiftSession
from slice_platform.warehouse.redshift_sql import RedshiftDialect
from slice_platform.warehouse.redshift_staging import STALE, remove_stale
from slice_platform.warehouse.refusal import FileRefused
from slice_platform.warehouse.rows_to_load import RowsToLoad
from slice_platform.warehouse.session import Session
from slice_platform_tests.warehouse.worlds import World, open_file

ATTEMPTS_AT_ONCE = 8


@pytest.fixture
def shop(make_world: Callable[[DestinationName], World]) -> World:
    world = make_world("redshift")
    world.create({"id": "INTEGER", "name": "VARCHAR(50)"}, ["id"])
    world.work_off()
    return world


def claimed(world: World, task: Task = Task.LOAD, run_id: str = "run") -> Claim:
    return Claim(world.table(), task, f"{world.table().folder}/{task.value}/a.csv", "0" * 64, "v", 9, run_id)


def destination(world: World) -> RedshiftDestination:
    """One that does not wait between attempts."""
    store = Store(f"{world.home}/propagator")
    connect = standin_connection(world.url, open_file)
    return RedshiftDestination(connect, store, iam_role=None, label=STANDIN_LABEL, pause=lambda _: None)


@contextmanager
def passed(world: World, values: str, rows: int, raw_csv: Path | None = None) -> Iterator[RowsToLoad]:
    """Rows that the gate let by, whatever they are: what only the database refuses has to come that far."""
    propagator, known = world.propagator(), destination(world).known_table(world.table())
    assert known is not None
    relation = f"(select * from (values {values}) as t({', '.join(known.spec.names)}))"
    with propagator.folder() as folder, open_engine(propagator.settings) as engine:
        checked = CheckedRows(known.spec.columns, rows, relation, raw_csv=raw_csv)
        yield RowsToLoad(checked, known, engine, folder)


def test_a_transaction_that_lost_is_tried_again_as_a_whole(shop: World, monkeypatch: pytest.MonkeyPatch) -> None:
    run, losses = RedshiftSession._run, iter([True])

    def loses_once(session: RedshiftSession, statement: str, values: Any) -> int:
        if statement.startswith("MERGE") and next(losses, False):
            raise psycopg.errors.SerializationFailure("1023 Serializable isolation violation on table")
        return run(session, statement, values)

    monkeypatch.setattr(RedshiftSession, "_run", loses_once)
    shop.drop(Task.UPSERT, "a.csv", "id\n1\n2\n")
    (outcome,) = shop.work_off()
    assert isinstance(outcome, Done) and outcome.applied.counts.inserted == 2
    assert shop.rows('select count(*) from {}"people"') == [(2,)]


def test_a_file_that_another_run_has_booked_meanwhile_is_not_loaded_again(
    shop: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.drop(Task.LOAD, "a.csv", "id\n1\n")
    shop.work_off()
    shop.create({"n": "INTEGER"}, table="logs")  # no key at all
    shop.work_off("logs")
    shop.drop(Task.LOAD, "b.csv", "n\n1\n", table="logs")
    first = shop.propagator()
    assert isinstance(next(first.work_off(shop.table("logs"), run_id="first")), Done)
    shop.drop(Task.LOAD, "b.csv", "n\n1\n", table="logs")
    find, blind = RedshiftDestination._find, iter([None, None])
    monkeypatch.setattr(RedshiftDestination, "_find", lambda *given: next(blind, find(*given)))
    (outcome,) = shop.propagator().work_off(shop.table("logs"), run_id="second")
    assert isinstance(outcome, Done) and not outcome.applied.statements
    assert shop.rows('select count(*) from {}"logs"') == [(1,)]


def test_the_lock_is_the_first_statement_and_files_on_the_way_are_removed(shop: World) -> None:
    shop.drop(Task.UPSERT, "a.csv", "id\n1\n")
    (outcome,) = shop.work_off()
    assert isinstance(outcome, Done) and outcome.applied.statements[0].startswith("LOCK TABLE")
    assert not list((Path(shop.home) / "propagator" / "_staging").iterdir())


def test_what_redshift_refuses_is_told_with_row_column_value_and_reason(shop: World) -> None:
    with (
        passed(shop, "('1', 'x'), ('2', NULL), ('three', 'y')", 3) as rows,
        pytest.raises(FileRefused) as caught,
    ):
        destination(shop).load(claimed(shop), rows)
    (finding,) = caught.value.findings
    assert (finding.column, finding.value) == ("id", "three")
    assert "invalid input syntax" in finding.reason and "row 3 of those" in finding.reason
    assert shop.rows('select count(*) from {}"people"') == [(0,)]


def test_what_redshift_refuses_has_the_line_of_the_file_where_that_is_known(shop: World, tmp_path: Path) -> None:
    """The cleaned file has no header, and one line for each row."""
    (tmp_path / "a.csv").write_text("id,name\n1,x\nthree,y\n", encoding="utf-8")
    values = "('1', 'x'), ('three', 'y')"
    with passed(shop, values, 2, tmp_path / "a.csv") as rows, pytest.raises(FileRefused) as caught:
        destination(shop).load(claimed(shop), rows)
    (finding,) = caught.value.findings
    assert (finding.line, finding.column, finding.value) == (3, "id", "three")


def test_behind_a_value_with_a_line_end_no_row_is_named_rather_than_another_one(shop: World) -> None:
    with passed(shop, "('1', 'two\nlines'), ('three', 'y')", 2) as rows, pytest.raises(FileRefused) as caught:
        destination(shop).load(claimed(shop), rows)
    (finding,) = caught.value.findings
    assert (finding.line, finding.column, finding.value) == (None, "id", None) and "(row" not in finding.reason


def test_where_no_view_of_errors_tells_more_the_refusal_says_what_redshift_said(
    shop: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stand-in has the newer view alone: the older is asked for, and is not there."""
    only = RedshiftDialect().load_errors()[1:]
    monkeypatch.setattr(RedshiftDialect, "load_errors", lambda _: only)
    with passed(shop, "('one', 'x')", 1) as rows, pytest.raises(FileRefused, match="'_stg_rows' failed"):
        destination(shop).load(claimed(shop), rows)


def test_rows_are_in_s3_before_anything_is_locked(shop: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Others of the schema wait for the lock: what the platform itself does must not be done under it."""
    seen: list[list[str]] = []
    lock, staging = RedshiftDestination._lock, Path(shop.home) / "propagator" / "_staging"

    def looks(self: RedshiftDestination, session: Session, ref: Any) -> None:
        seen.append(sorted(path.suffix for path in staging.iterdir()))
        lock(self, session, ref)

    monkeypatch.setattr(RedshiftDestination, "_lock", looks)
    shop.drop(Task.LOAD, "a.csv", "id\n1\n")
    (outcome,) = shop.work_off()
    assert isinstance(outcome, Done) and seen == [[".gz", ".manifest"]]


def test_what_a_killed_loader_left_on_the_way_goes_by_its_age(shop: World) -> None:
    store, now = Store(f"{shop.home}/propagator"), datetime.now(UTC)
    store.write("_staging/left.csv.gz", b"rows")
    remove_stale(store, now + STALE - timedelta(minutes=1))
    assert store.stat("_staging/left.csv.gz") is not None
    remove_stale(store, now + STALE + timedelta(minutes=1))
    assert store.stat("_staging/left.csv.gz") is None


@pytest.mark.parametrize("task", [Task.LOAD, Task.UPSERT])
def test_eight_at_once_that_do_not_see_each_other_load_a_file_once_even_without_the_lock(
    make_world: Callable[[DestinationName], World], task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All have their snapshot before any of them writes. The row that each has to change lets one of them through."""
    world = make_world("redshift")
    world.create({"id": "INTEGER", "name": "VARCHAR(50)"}, ["id"] if task is Task.UPSERT else None)
    world.work_off()
    together, find = threading.Barrier(ATTEMPTS_AT_ONCE), RedshiftDestination._find
    came = threading.local()

    def blind(self: RedshiftDestination, session: Session, claim: Claim) -> None:
        find(self, session, claim)
        if not getattr(came, "before", False):
            came.before = True
            together.wait(30)

    monkeypatch.setattr(RedshiftDestination, "_find", blind)
    monkeypatch.setattr(RedshiftDestination, "_lock", lambda *_: None)

    def load(number: int) -> Applied | DestinationBusy:
        with passed(world, "(1, 'x'), (2, 'y')", 2) as rows:
            try:
                return destination(world).load(claimed(world, task, f"run {number}"), rows)
            except DestinationBusy as busy:
                return busy

    with ThreadPoolExecutor(ATTEMPTS_AT_ONCE) as pool:
        results = list(pool.map(load, range(ATTEMPTS_AT_ONCE)))
    assert sum(isinstance(one, Applied) for one in results) == 1
    assert world.rows('select "id", "name" from {}"people" order by "id"') == [(1, "x"), (2, "y")]
    assert world.rows('select count(*) from {}"_slice_load_ledger" where "task" like \'input%\'') == [(1,)]


def test_no_table_without_dist_and_sort_key(make_world: Callable[[DestinationName], World]) -> None:
    world = make_world("redshift")
    world.drop(Task.CREATE, "a.json", {"column_specification": {"id": "INTEGER"}})
    (outcome,) = world.work_off()
    assert isinstance(outcome, Failed)
    assert {"dist_key", "sort_key"} == {str(one).split()[0] for one in outcome.refused.findings}


def test_a_description_that_the_ledger_cannot_hold_is_refused(make_world: Callable[[DestinationName], World]) -> None:
    world = make_world("redshift")
    world.create({f"{'x' * 50}_{number}": "DOUBLE PRECISION" for number in range(1000)})
    (outcome,) = world.work_off()
    assert isinstance(outcome, Failed) and "Use shorter names" in str(outcome.refused)
    assert world.rows("select count(*) from information_schema.tables where table_name = 'people'") == [(0,)]
