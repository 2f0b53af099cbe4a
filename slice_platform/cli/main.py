"""`slice`: drop files, run the ingest, query the tables, see how things stand - without the UI, on the same lake."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import click

from slice_platform.cli.ami import ami
from slice_platform.cli.business_commands import COMMANDS
from slice_platform.cli.custodian import custodian
from slice_platform.cli.environment import prepare_environment
from slice_platform.cli.local_aws import aws
from slice_platform.cli.operations import ops
from slice_platform.cli.pulse_commands import pulse
from slice_platform.errors import PermanentError, SliceError, TransientError
from slice_platform.lake.lake import LANDING, Lake, open_lake
from slice_platform.settings import load_settings

PERMANENT, TRANSIENT = 1, 75  # 75 is EX_TEMPFAIL: a cron may try again


class _Commands(click.Group):
    """Prints our errors as sentences and exits with 1, or 75 where trying again may help."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except SliceError as error:
            click.secho(f"slice: {error}", fg="red", err=True)
            sys.exit(TRANSIENT if isinstance(error, TransientError) else PERMANENT)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.pass_context
def main(context: click.Context) -> None:
    """Drop a file, query a table. State lies under SLICE_HOME (default .slice)."""
    prepare_environment(with_dagster=context.invoked_subcommand != pulse.name)


for command in (*COMMANDS, ami, aws, custodian, ops, pulse):
    main.add_command(command)


@contextmanager
def lake() -> Iterator[Lake]:
    with open_lake(load_settings()) as opened:
        yield opened


@main.command()
@click.argument("dataset")
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--under", default="", help="Folder below landing/DATASET/, where a value is read from the path.")
def drop(dataset: str, files: tuple[Path, ...], under: str) -> None:
    """Copy FILES into landing/DATASET/; the sensor or `slice ingest` takes them from there."""
    with lake() as opened:
        target = opened.dataset(dataset)
        for file in files:
            path = f"{under.strip('/')}/{file.name}".lstrip("/")
            if target.file_spec(path) is None and not (target.spec.sets and target.spec.sets.is_control(path)):
                patterns = ", ".join(spec.pattern for spec in target.spec.files)
                raise PermanentError(
                    f"Dropping {path!r}: it matches no pattern of {dataset!r} ({patterns}). Rename it, or add a "
                    f"pattern to {target.contract.path.parent / 'defs.yaml'}."
                )
            opened.store.copy_in(str(file), f"{LANDING}/{dataset}/{path}")
    click.echo(f"{len(files)} file{'s' if len(files) > 1 else ''} in landing/{dataset}/. Next: slice ingest {dataset}")


@main.command("new-dataset")
@click.argument("name")
@click.option(
    "--sample",
    "samples",
    multiple=True,
    type=click.Path(exists=True, path_type=Path),
    help="CSV, JSON lines or Parquet, plain, gz or zst; a folder, or several.",
)
@click.option("--from", "url", metavar="URL", help="Instead: postgresql://user:password@host/database or mysql://...")
@click.option("--table", help="With --from: what to read, in Postgres with its schema.")
@click.option("--query", help="With --from, instead of --table: one SELECT.")
@click.option("--cursor", metavar="COLUMN", help="With --from: tells what changed; without it all rows are read.")
@click.option("--url-variable", metavar="NAME", help="Variable that runs find the URL in; default NAME_DATABASE_URL.")
@click.option("--key", "keys", multiple=True, help="Column that names a row; several: A,B. Default: guessed.")
@click.option("--partition", metavar="COLUMN[:GRAIN]", help="hour, day, month or year; or none. Default: guessed.")
@click.option("--rows", default=200_000, show_default=True, help="How many rows of the samples to read.")
@click.option("--print", "only_print", is_flag=True, help="Print the files, write nothing.")
def new_dataset(
    name: str,
    samples: tuple[Path, ...],
    url: str | None,
    table: str | None,
    query: str | None,
    cursor: str | None,
    url_variable: str | None,
    keys: tuple[str, ...],
    partition: str | None,
    rows: int,
    only_print: bool,
) -> None:
    """Write the files of dataset NAME from a sample or a database: types, key, partition. Guesses are marked.

    slice new-dataset orders --sample shop.csv --key order_id

    slice new-dataset orders --from postgresql://joe@host/shop --table public.orders --cursor updated_at
    """
    from slice_platform.cli.new_dataset import make_new_dataset, request_of
    from slice_platform.cli.new_source import NewSource, make_new_source

    request = request_of(name, samples, keys, partition, rows)
    if samples and not any((url, table, query, cursor, url_variable)):
        make_new_dataset(request, only_print=only_print)
    else:
        make_new_source(request, NewSource(url, table, query, cursor, url_variable), only_print=only_print)


@main.command()
@click.argument("dataset", required=False)
def ingest(dataset: str | None) -> None:
    """Publish what lies in landing: runs the job ingest_DATASET, or all of them, on the instance the UI shows."""
    from slice_platform.cli.runs import ingest_all  # dagster costs a second: only commands that run jobs pay it
    from slice_platform.cli.tables import print_status, terminal

    ingest_all([dataset] if dataset else None, terminal())
    with lake() as opened:
        print_status(opened, terminal(), [dataset] if dataset else [])


@main.command()
def status() -> None:
    """How each dataset stands: rows, partitions, files, bytes, pending, rejects; and notifications that wait.

    Exit code 75: notifications wait too long.
    """
    from slice_platform.cli.made_tables import print_made_tables
    from slice_platform.cli.notify import print_standing
    from slice_platform.cli.tables import print_status, terminal

    with lake() as opened:
        print_status(opened, terminal())
        print_made_tables(opened, terminal())
    print_standing(terminal())


@main.command()
@click.argument("dataset", required=False)
@click.option("--all", "show_all", is_flag=True, help="Every file; default the last 40.")
def files(dataset: str | None, show_all: bool) -> None:
    """The catalog of files: every version that ever arrived, and what became of its rows."""
    from slice_platform.cli.tables import print_files, terminal

    with lake() as opened:
        if dataset:
            opened.dataset(dataset)
        print_files(opened, dataset, None if show_all else 40, terminal())


@main.command()
@click.argument("dataset")
@click.option("--most", default=20, show_default=True, help="How many to show.")
def rejects(dataset: str, most: int) -> None:
    """Rows and files of DATASET that were set aside, with the reasons."""
    from slice_platform.cli.tables import print_rejects, terminal

    with lake() as opened:
        opened.dataset(dataset)
        print_rejects(opened, dataset, most, terminal())


@main.command()
@click.argument("dataset")
@click.argument("file")
def retract(dataset: str, file: str) -> None:
    """Take FILE of DATASET back: its rows leave the table, what they hid comes back, raw keeps the file.

    FILE is its id in `slice files`, its path below landing/DATASET/, or its name.
    """
    from slice_platform.cli.corrections import retract_file
    from slice_platform.cli.tables import terminal

    retract_file(dataset, file, terminal())


@main.command()
@click.argument("dataset")
@click.argument("file", required=False)
def replay(dataset: str, file: str | None) -> None:
    """Read what was set aside of DATASET, or of FILE, again under the contract as it is now."""
    from slice_platform.cli.corrections import replay_files
    from slice_platform.cli.tables import terminal

    replay_files(dataset, file, terminal())


@main.command()
@click.argument("dataset")
@click.option("--partitions", metavar="A..B", help="Only these; default the whole table, in one commit.")
def rebuild(dataset: str, partitions: str | None) -> None:
    """Make the table of DATASET again from raw.

    The whole table follows any change of its contract; single partitions must read as they were published.
    """
    from slice_platform.cli.corrections import rebuild_table
    from slice_platform.cli.tables import terminal

    rebuild_table(dataset, partitions, terminal())


@main.command()
@click.argument("sql")
@click.option("--format", "style", type=click.Choice(["table", "csv", "json", "parquet"]), default="table")
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="Write there instead of printing.")
@click.option("--explain", is_flag=True, help="Also tell files and bytes read, and what Athena would charge.")
@click.option(
    "--role",
    type=click.Choice(["analyst", "pii_reader"]),
    help="Whose eyes to ask with: an analyst sees personal data masked. Default SLICE_QUERY_ROLE.",
)
def query(sql: str, style: str, output: Path | None, explain: bool, role: Literal["analyst", "pii_reader"]) -> None:
    """Ask the lake in SQL: tables curated.DATASET, business.TABLE and raw.DATASET, read-only.

    slice query "SELECT carrier, count(*) FROM curated.flights GROUP BY ALL"
    """
    from slice_platform.cli.answers import explain_cost, write_answer
    from slice_platform.lake.query import query as run_query

    with lake() as opened:
        result = run_query(opened, sql, role)
    write_answer(result.table, style, output)
    if explain:
        explain_cost(result.cost)


@main.command()
@click.argument("dataset", required=False)
@click.option("--dry-run", is_flag=True, help="Only list what would be done.")
def upkeep(dataset: str | None, dry_run: bool) -> None:
    """Merge small files, expire snapshots, remove orphans: runs the job upkeep_DATASET, or all of them."""
    from slice_platform.cli.tables import terminal
    from slice_platform.cli.upkeep import show_plan, upkeep_all

    with lake() as opened:
        names = [opened.table(dataset).name] if dataset else sorted([*opened.datasets, *opened.business])
        if dry_run:
            show_plan(opened, names, terminal())
            return
    upkeep_all(names, terminal())


@main.group(invoke_without_command=True)
@click.pass_context
def propagate(context: click.Context) -> None:
    """Load dropped files into database tables: everything that lies ready below destination=.../.

    docs/propagator.md describes the folders.
    """
    if context.invoked_subcommand is None:
        from slice_platform.cli.propagate import work_off_all
        from slice_platform.cli.tables import terminal

        work_off_all(terminal())


@propagate.command("check")
@click.argument("path")
def check_file(path: str) -> None:
    """Print what the file at PATH would do, its SQL and what is wrong with it, and touch nothing.

    PATH is a file in folders named like those of the propagator, or the key of one that lies there.
    """
    from slice_platform.cli.propagate import check
    from slice_platform.cli.tables import terminal

    check(path, terminal())


@propagate.command("retry")
@click.argument("path")
def retry_file(path: str) -> None:
    """Put a file back from failed/ to where it was dropped.

    PATH is its key, as the report tells it, or where it lies on this machine.
    """
    from slice_platform.cli.propagate import retry
    from slice_platform.cli.tables import terminal

    retry(path, terminal())


@main.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.option("--channel", help="Name of the channel, with or without #.")
@click.option("--message", help="Slack's mrkdwn; - reads it from the standard input.")
@click.option("--heading", help="A line in bold above it.")
@click.option("--attach", "attachments", multiple=True, metavar="FILE|s3://...", help="May be given several times.")
@click.option("--key", help="A second notification with the same key is not sent.")
@click.option("--on-exit", is_flag=True, help="Run COMMAND, and tell how it ended; the exit code is the command's.")
@click.option("--retry", is_flag=True, help="Send what was refused again, once the reason is mended.")
@click.option("--wait", default=15.0, show_default=True, help="Seconds to try; what is not sent then is kept.")
@click.argument("command", nargs=-1)
def notify(
    channel: str | None,
    message: str | None,
    heading: str | None,
    attachments: tuple[str, ...],
    key: str | None,
    on_exit: bool,
    retry: bool,
    wait: float,
    command: tuple[str, ...],
) -> None:
    """Tell people in Slack. Exit code 0: it is there; 75: it is kept, and not sent yet; 1: it is refused.

    slice notify --channel data --message "<!channel> the nightly export is empty" --attach export.csv

    slice notify --channel data --on-exit -- ./backup.sh --full
    """
    from slice_platform.cli.notify import Wanted, carry_out

    carry_out(Wanted(channel, message, heading, attachments, key, on_exit, retry, wait, command))


@main.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=3000, show_default=True)
@click.option("--no-aws", is_flag=True, help="Start no local AWS, which jobs of operations need on a laptop.")
def dev(host: str, port: int, no_aws: bool) -> None:
    """Start the Dagster UI and the daemon, with sensors running, and where no AWS is configured a local one."""
    from slice_platform.cli.environment import start_dagster
    from slice_platform.cli.local_aws import start_beside_dagster

    start_dagster(host, port, None if no_aws else start_beside_dagster)


@main.command()
def demo() -> None:
    """Ingest the 336 776 flights of 2013 from New York, with things going wrong, and check every answer."""
    from slice_platform.cli.demo import run_demo
    from slice_platform.cli.tables import terminal

    run_demo(terminal())


if __name__ == "__main__":
    main()
