"""The propagator in Dagster: a job for the files of one table, and a sensor that asks for it.

The sensor looks at what lies in the folders. With a queue it looks when S3 has told of a file, and every few minutes
all the same: an event that is lost delays a file, and never loses it.
"""

import json
import logging
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace

import dagster as dg

from slice_platform.aws import AwsAccess
from slice_platform.components.asked import Asked, fingerprint_of, next_request
from slice_platform.components.jarvis import TOLD_TAG
from slice_platform.components.propagator_events import tell
from slice_platform.components.propagator_runtime import open_propagator, propagator_store
from slice_platform.components.runtime import IN_FLIGHT, told_to_dagster
from slice_platform.errors import AccessRefused, StoreUnavailable
from slice_platform.settings import Settings, load_settings
from slice_platform.store import StoredObject
from slice_platform.warehouse.drop_path import TableRef, table_ref
from slice_platform.warehouse.outcome import Failed, Outcome, Stranded
from slice_platform.warehouse.pending import look
from slice_platform.warehouse.wake import Wake, forget, received

PROPAGATE_JOB = "propagate"
TABLE_TAG = "slice/table"  # one run at a time for each value: see dagster.yaml
STRAYS = "strays"


class PropagateConfig(dg.Config):
    """Which table's files to take. Without a table: what lies where no file of a table may lie."""

    destination: str = ""
    database: str = ""
    table: str = ""

    @property
    def ref(self) -> TableRef | None:
        return table_ref(self.destination, self.database, self.table) if self.destination else None


def propagate_job() -> dg.JobDefinition:
    """Works off every file that lies ready for one table; the run fails if one of them did, once all are done."""

    @dg.op(name="propagate_files", out=dg.Out(dg.Nothing))
    def propagate_files(context: dg.OpExecutionContext, config: PropagateConfig) -> None:
        outcomes: list[Outcome] = []
        with told_to_dagster(), open_propagator() as propagator:
            ref = config.ref
            found = propagator.work_off(ref, run_id=context.run_id) if ref else propagator.put_away_strays()
            for outcome in found:
                tell(context, propagator.store, outcome)
                outcomes.append(outcome)
        if failed := [one for one in outcomes if isinstance(one, Failed | Stranded)]:
            context.instance.add_run_tags(context.run_id, {TOLD_TAG: "true"})
            raise dg.Failure(description=_what_failed(failed, len(outcomes)), allow_retries=False)

    @dg.job(
        name=PROPAGATE_JOB,
        description="Files dropped for a table create, alter and fill it, each once. The sensor gives the table.",
    )
    def propagate() -> None:
        propagate_files()

    return propagate


def propagator_sensor(job: dg.JobDefinition, *, tick_seconds: float) -> dg.SensorDefinition:
    """One run per table with all its pending files, one at a time per table."""

    @dg.sensor(
        name="propagator_sensor",
        job=job,
        minimum_interval_seconds=max(1, round(tick_seconds)),
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Watches the folders destination=.../database=.../table_name=...; a file is taken once it rested.",
    )
    def sensor(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        settings, now = load_settings(), time.time()
        memory = Memory.read(context.cursor)
        wake = _wake(settings, context.log)
        if wake is not None and not wake.is_wanted and not memory.is_due(settings, now):
            return dg.SkipReason("No event, and the last look is not long ago.")
        todo = files_by_table(settings)
        requests = {
            table: request
            for table, ready in todo.items()
            if (request := next_request(memory.asked.get(table), ready.what, now, ready.waits_end)) is not None
            and not _is_in_flight(context.instance, table)
        }
        asked = {table: one for table, one in {**memory.asked, **requests}.items() if table in todo}
        if wake is not None:
            _forget(wake, settings, context.log)
        context.update_cursor(Memory(asked, now).text())
        return dg.SensorResult(run_requests=[run_request(table, one.times) for table, one in requests.items()])

    return sensor


def run_request(table: str, times: int = 1) -> dg.RunRequest:
    """The run for a table (`destination/database/table`) or for strays."""
    if table == STRAYS:
        return dg.RunRequest(tags={TABLE_TAG: table, "slice/try": str(times)})
    destination, database, name = table.split("/")
    config = PropagateConfig(destination=destination, database=database, table=name)
    return dg.RunRequest(
        run_config=dg.RunConfig(ops={"propagate_files": config}),
        tags={
            TABLE_TAG: table,
            "slice/destination": destination,
            "slice/database": database,
            "slice/try": str(times),
        },
    )


@dataclass(frozen=True)
class Memory:
    """What the sensor keeps between ticks: only when to ask again, never what there is to do."""

    asked: Mapping[str, Asked] = field(default_factory=dict)
    looked_at: float = 0.0  # seconds since 1970

    @classmethod
    def read(cls, text: str | None) -> "Memory":
        if not text:
            return cls()
        kept = json.loads(text)
        return cls({table: Asked(**one) for table, one in kept["asked"].items()}, kept["looked_at"])

    def text(self) -> str:
        return json.dumps(
            {"asked": {table: asdict(one) for table, one in self.asked.items()}, "looked_at": self.looked_at}
        )

    def is_due(self, settings: Settings, now: float) -> bool:
        """Whether to look without an event: what was asked for and is not done yet is looked after at every tick."""
        return bool(self.asked) or abs(now - self.looked_at) >= settings.propagator_sweep_seconds


def _wake(settings: Settings, log: logging.Logger) -> Wake | None:
    """What the queue tells. Without one, and where it is out of order, every tick looks for itself."""
    url = settings.propagator_queue_url
    if url is None:
        return None
    try:
        return received(url, _queue_access(settings), _prefix(settings.propagator_root))
    except (StoreUnavailable, AccessRefused) as error:
        log.warning(f"The queue tells nothing, so the folders are looked at without it: {error}")
        return None


def _forget(wake: Wake, settings: Settings, log: logging.Logger) -> None:
    try:
        forget(wake, settings.propagator_queue_url or "", _queue_access(settings))
    except (StoreUnavailable, AccessRefused) as error:
        log.warning(f"Messages of the queue were not deleted and will come again: {error}")


def _queue_access(settings: Settings) -> AwsAccess:
    """A queue that does not answer must not take the time of the tick, in which the folders are looked at as well."""
    access = AwsAccess.of(settings)
    return replace(access, attempts=min(2, access.attempts), timeout_seconds=min(5.0, access.timeout_seconds))


def _prefix(root: str) -> str:
    """Of keys in the bucket, below which the propagator's folders are."""
    return root.removeprefix("s3://").partition("/")[2]


@dataclass(frozen=True)
class Ready:
    """The files that are ready for one table."""

    what: str  # their fingerprint
    waits_end: tuple[float, ...] = ()  # when each of them stops to wait for its table, in seconds since 1970


def files_by_table(settings: Settings) -> dict[str, Ready]:
    """What is ready for each table (`destination/database/table`, or strays)."""
    pending = look(propagator_store(settings), tick_seconds=settings.landing_tick_seconds)
    todo = {
        f"{ref.destination}/{ref.database}/{ref.table}": _ready([one.entry for one in files], settings)
        for ref, files in pending.tables.items()
    }
    if pending.strays:
        todo[STRAYS] = Ready(fingerprint_of(stray.entry for stray in pending.strays))
    return todo


def _ready(entries: list[StoredObject], settings: Settings) -> Ready:
    came = [entry.written_at.timestamp() for entry in entries if entry.written_at is not None]
    return Ready(fingerprint_of(entries), tuple(at + settings.propagator_wait_seconds for at in came))


def _is_in_flight(instance: dg.DagsterInstance, table: str) -> bool:
    wanted = dg.RunsFilter(job_name=PROPAGATE_JOB, tags={TABLE_TAG: table}, statuses=IN_FLIGHT)
    return bool(instance.get_runs(filters=wanted, limit=1))


def _what_failed(failed: list[Failed | Stranded], total: int) -> str:
    lines = [f"{len(failed)} of {total} files failed:"] + [f"{one.key}: {one.refused}" for one in failed[:5]]
    return "\n".join(lines)
