"""Our storage of runs writes what Dagster's own reads, tells watchers of each event, and never into a removed file."""

from collections.abc import Iterator
from pathlib import Path
from queue import Queue

import dagster as dg
import pytest
from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage
from dagster._core.utils import make_new_run_id

from slice_platform.run_history import SqliteEventLog

CHECKED = dg.AssetKey(["curated", "planes"])
MANY = 20


@dg.op
def check_often(context: dg.OpExecutionContext) -> None:
    for number in range(MANY):
        context.log_event(dg.AssetMaterialization(CHECKED, metadata={"number": number}))


@dg.job
def checking() -> None:
    check_often()


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    (tmp_path / "dagster.yaml").write_text(
        "storage:\n  custom:\n    module: slice_platform.run_history\n    class: LocalStorage\n"
        f"    config: {{base_dir: {tmp_path}}}\n"
    )
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        yield instance


def dagsters_own(folder: Path) -> SqliteEventLogStorage:
    return SqliteEventLogStorage(str(folder / "history" / "runs"))


def test_dagsters_own_storage_reads_every_event(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    done = checking.execute_in_process(instance=instance)
    assert isinstance(instance.event_log_storage, SqliteEventLog)
    theirs = dagsters_own(tmp_path)
    assert len(theirs.get_records_for_run(done.run_id).records) == len(instance.all_logs(done.run_id))
    assert len(theirs.fetch_materializations(CHECKED, limit=MANY + 1).records) == MANY


def test_another_process_that_watches_a_run_is_told_of_its_events(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    seen, started = Queue[str](), make_new_run_id()
    watching = dagsters_own(tmp_path)
    watching.watch(started, None, lambda entry, _: seen.put(entry.get_dagster_event().event_type_value))
    checking.execute_in_process(instance=instance, run_id=started)
    while seen.get(timeout=30) != "ASSET_MATERIALIZATION":
        pass
    watching.dispose()


def test_an_index_removed_under_way_is_noticed(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    checking.execute_in_process(instance=instance)
    for file in (tmp_path / "history" / "runs").glob("index.db*"):
        file.unlink()
    with pytest.raises(Exception, match="no such table"):
        checking.execute_in_process(instance=instance)
