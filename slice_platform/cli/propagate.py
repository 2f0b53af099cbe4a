"""`slice propagate`: files into database tables, without the UI, on the instance that the UI shows."""

import time

import dagster as dg
from rich.console import Console
from rich.markup import escape

from slice_platform.cli.notify import send_kept
from slice_platform.cli.runs import TAGS, why_failed
from slice_platform.components.propagator import PROPAGATE_JOB, files_by_table, run_request
from slice_platform.components.propagator_events import listening, notice_of
from slice_platform.components.propagator_runtime import open_propagator, propagator_store
from slice_platform.errors import PermanentError
from slice_platform.settings import Settings, load_settings
from slice_platform.warehouse.outcome import Done, Failed, Outcome, Stranded, Waiting
from slice_platform.warehouse.pending import look
from slice_platform.warehouse.preview import Preview, preview
from slice_platform.warehouse.retry import return_to_inbox

# A run is red when a file failed, which is printed here in an analyst's words.
SILENT = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


def work_off_all(console: Console) -> None:
    """Work off everything that lies ready, and print what became of each file.

    Raises:
        PermanentError: files failed; each was printed with its reason.
    """
    settings = load_settings()
    outcomes, broken = run_tables(settings, console)
    send_kept()
    if not outcomes and not broken:
        console.print(f"Nothing to do: no files lie ready in {settings.propagator_root}", soft_wrap=True)
    if failed := [one for one in outcomes if isinstance(one, Failed | Stranded)]:
        broken.insert(0, f"{len(failed)} of {len(outcomes)} files failed; mend them, then: slice propagate retry PATH")
    if broken:
        raise PermanentError("; ".join(broken))


def run_tables(settings: Settings, console: Console) -> tuple[list[Outcome], list[str]]:
    """Run `propagate` for every table with files, one after the other: what became of them, and which runs broke."""
    _let_rest(settings)
    tables = files_by_table(settings)
    outcomes: list[Outcome] = []
    if not tables:
        return outcomes, []
    from slice_platform.definitions import defs

    def show(outcome: Outcome) -> None:
        outcomes.append(outcome)
        print_outcome(outcome, console)

    job = defs().resolve_job_def(PROPAGATE_JOB)
    with (
        dg.DagsterInstance.get() as instance,
        open_propagator(settings),
        listening(show),
    ):  # databases stay up in between
        broken = [said for table in tables if (said := _run(job, instance, table, outcomes))]
    return outcomes, broken


def _let_rest(settings: Settings) -> None:
    """Wait until files that were just dropped count as complete; not for those that are written on and on."""
    store = propagator_store(settings)
    ends = time.monotonic() + 2 * settings.landing_tick_seconds
    while look(store, tick_seconds=settings.landing_tick_seconds).still_written and time.monotonic() < ends:
        time.sleep(0.2)


def _run(job: dg.JobDefinition, instance: dg.DagsterInstance, table: str, outcomes: list[Outcome]) -> str | None:
    """Run the job for one table; what went wrong beyond files that failed."""
    known = len(outcomes)
    request = run_request(table)
    result = job.execute_in_process(
        instance=instance,
        run_config={**SILENT, "ops": request.run_config.get("ops", {})},
        tags={**TAGS, **request.tags},
        raise_on_error=False,
    )
    told = any(isinstance(one, Failed | Stranded) for one in outcomes[known:])
    return None if result.success or told else f"{table}: {why_failed(result)}"


def check(path: str, console: Console) -> None:
    """Print what a file would do, and touch nothing.

    Raises:
        PermanentError: it would fail.
    """
    with open_propagator() as propagator:
        found = preview(propagator, path)
    print_preview(found, console)
    if found.findings:
        raise PermanentError(f"{path} would fail.")


def retry(path: str, console: Console) -> None:
    """Put a file from failed/ back to where it was dropped."""
    key = return_to_inbox(propagator_store(load_settings()), path)
    console.print(f"Back in {escape(key)}. Next: slice propagate", soft_wrap=True)


def print_outcome(outcome: Outcome, console: Console) -> None:
    """One line for what went well, all findings for what did not."""
    notice = notice_of(outcome)
    mark, colour = {Done: ("ok", "green"), Waiting: ("waits", "yellow")}.get(type(outcome), ("failed", "red"))
    console.print(f"[{colour}]{mark:<7}[/{colour}]{escape(notice.heading)}", soft_wrap=True, highlight=False)
    console.print(indented(notice.message), soft_wrap=True, markup=False, highlight=False)


def print_preview(found: Preview, console: Console) -> None:
    console.print(f"{escape(found.key)}  [dim]{escape(found.label)}[/dim]", soft_wrap=True)
    if found.loaded_at:
        console.print(f"Loaded already on {found.loaded_at:%Y-%m-%d %H:%M:%S} UTC: it would change nothing.")
    for note in found.notes:
        console.print(f"note: {note}", soft_wrap=True, markup=False)
    if found.rows or found.rows_set_aside:
        console.print(f"{found.rows} rows would be loaded, {found.rows_set_aside} set aside.")
    for statement in found.statements:
        console.print(f"{statement};", soft_wrap=True, markup=False, highlight=False)
    for finding in found.findings:
        console.print(str(finding), style="red", soft_wrap=True, markup=False, highlight=False)
    if (more := found.findings_total - len(found.findings)) > 0:
        console.print(f"... and {more} more", style="red")


def indented(text: str) -> str:
    return "\n".join(f"       {line}" for line in text.splitlines())
