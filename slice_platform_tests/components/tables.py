"""Business tables and their copies as Dagster has them: definitions, an instance, and the sensor with its clock."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import SimpleNamespace

import dagster as dg
import psycopg
import pytest

from slice_platform.components import job_requests
from slice_platform.components.business_table import BusinessTable
from slice_platform.components.in_step import compare_job, compare_schedule
from slice_platform.components.lake_dataset import LakeDataset
from slice_platform.components.lake_partitions import RANGE_END_TAG, RANGE_TAG
from slice_platform.components.refresh import REFRESH_PREFIX
from slice_platform.components.refresh_sensor import refresh_sensor
from slice_platform.lake.lake import Lake, Tables
from slice_platform_tests.conftest import MakeLake
from slice_platform_tests.lake.business.models import ModelText, write_models
from slice_platform_tests.postgres import Postgres
from slice_platform_tests.samples import TRIPS, DatasetText
from slice_platform_tests.warehouse.conftest import fresh_database
from slice_platform_tests.warehouse.worlds import DATABASE

MOST_TICKS = 10


@dataclass
class Deployment:
    """A lake that runs find by the environment, and what Dagster knows of it."""

    lake: Lake
    instance: dg.DagsterInstance
    monkeypatch: pytest.MonkeyPatch
    cursor: str | None = None
    now: float = 1_800_000_000.0

    @cached_property
    def definitions(self) -> dg.Definitions:
        tables, compare = Tables(self.lake.datasets, self.lake.business), compare_job()
        made: list[dg.Component] = [LakeDataset(one) for one in tables.datasets.values()]
        made += [BusinessTable(one, tables) for one in tables.business.values()]
        own = dg.Definitions(jobs=[compare], schedules=[compare_schedule(compare)], executor=dg.in_process_executor)
        return dg.Definitions.merge(own, *map(dg.build_defs_for_component, made))

    def tick(self, *, after: float = 5) -> list[str]:
        """The tables whose refresh the sensor asks for, when it looks so many seconds later."""
        return [str(one.job_name).removeprefix(REFRESH_PREFIX) for one in self.requests(after=after)]

    def requests(self, *, after: float = 5) -> list[dg.RunRequest]:
        self.now += after
        self.monkeypatch.setattr(job_requests, "time", SimpleNamespace(time=lambda: self.now))
        jobs = [one for one in self.definitions.jobs or [] if one.name.startswith(REFRESH_PREFIX)]
        context = dg.build_sensor_context(self.instance, cursor=self.cursor)
        result = refresh_sensor(jobs, tick_seconds=5)(context)  # type: ignore[arg-type]  # each of them is a job
        self.cursor = context.cursor or self.cursor
        if not isinstance(result, dg.SensorResult):
            return []
        self.cursor = result.cursor or self.cursor
        return list(result.run_requests or [])

    def settle(self) -> list[str]:
        """Runs what is asked for until nothing is; the tables in the order of their runs."""
        ran: list[str] = []
        for _ in range(MOST_TICKS):
            asked = self.tick()
            if not asked:
                return ran
            for table in asked:
                assert self.refresh(table).success
                ran.append(table)
        raise AssertionError(f"the sensor goes on and on: {ran}")

    def refresh(self, table: str) -> dg.ExecuteInProcessResult:
        return self.run(f"{REFRESH_PREFIX}{table}")

    def run(self, job: str) -> dg.ExecuteInProcessResult:
        found = self.definitions.resolve_job_def(job)
        return found.execute_in_process(instance=self.instance, raise_on_error=False)

    def materialize(self, key: str, *keys: str) -> dg.ExecuteInProcessResult:
        """One run for one partition, or for a range, as a backfill makes it; without `keys` of a whole table."""
        tags = {RANGE_TAG: keys[0], RANGE_END_TAG: keys[-1]} if len(keys) > 1 else {}
        return self.definitions.resolve_implicit_global_asset_job_def().execute_in_process(
            instance=self.instance,
            asset_selection=[dg.AssetKey(key.split("/"))],
            tags=tags,
            partition_key=keys[0] if len(keys) == 1 else None,
            raise_on_error=False,
        )

    def begun(self, job: str) -> dg.DagsterRun:
        """A run that is under way and does nothing."""
        made = self.definitions.resolve_job_def(job)
        return self.instance.create_run_for_job(made, status=dg.DagsterRunStatus.STARTED)

    def shown(self, key: str, partition: str | None = None) -> dict[str, dg.MetadataValue]:
        """What the latest materialization tells, of a partition or at all."""
        wanted = dg.AssetRecordsFilter(dg.AssetKey(key.split("/")), asset_partitions=[partition] if partition else None)
        event = self.instance.fetch_materializations(wanted, limit=1).records[0].asset_materialization
        assert event is not None
        return dict(event.metadata)

    def materialized(self, key: str) -> set[str]:
        return set(self.instance.get_materialized_partitions(dg.AssetKey(key.split("/"))))


def deployed(
    make_lake: MakeLake,
    home: Path,
    instance: dg.DagsterInstance,
    monkeypatch: pytest.MonkeyPatch,
    models: dict[str, ModelText] | None = None,
    trips: DatasetText = TRIPS,
) -> Deployment:
    """By default with all of `MODELS`; may be called again, with other definitions."""
    for name, value in (("HOME", home), ("DEFS_DIR", home / "defs"), ("LANDING_TICK_SECONDS", "0")):
        monkeypatch.setenv(f"SLICE_{name}", str(value))
    write_models(home, models)
    return Deployment(make_lake({"trips": trips}, home=home), instance, monkeypatch)


@dataclass(frozen=True)
class Database:
    """The Postgres that projections mean."""

    url: str

    def rows(self, sql: str) -> list[tuple[object, ...]]:
        with psycopg.connect(self.url) as connection:
            done = connection.execute(sql.encode())
            return done.fetchall() if done.description else []


def with_postgres(postgres: Postgres, monkeypatch: pytest.MonkeyPatch) -> Database:
    """An empty database of which runs know; no Redshift is there, and no stand-in for it."""
    url = fresh_database(postgres, DATABASE)
    monkeypatch.setenv("SLICE_POSTGRES_URL", url)
    monkeypatch.setenv("SLICE_POSTGRES_DATABASES", DATABASE)
    monkeypatch.setenv("SLICE_REDSHIFT_URL", "redshift://nobody:nothing@127.0.0.1:1/nowhere")
    return Database(url)


def evaluations(done: dg.ExecuteInProcessResult, check: str) -> dict[str | None, bool]:
    """Partition -> whether it passed; None is the run as a whole."""
    found = [one for one in done.get_asset_check_evaluations() if one.check_name == check]
    return {one.partition: one.passed for one in found}


MadeOf = Callable[..., Deployment]
