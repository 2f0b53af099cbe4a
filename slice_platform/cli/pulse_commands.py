"""`slice pulse`: monitors of services, from git to Heartbeat, or run from here."""

from pathlib import Path

import click

from slice_platform.cli.operations import fence_options

_FOLDER = click.Path(file_okay=False, path_type=Path)


@click.group()
def pulse() -> None:
    """Monitors of services, one YAML each: check them, bring them to Heartbeat, or run them from here.

    docs/pulse.md tells how to add one.
    """


@pulse.command()
@click.argument("directory", required=False, type=_FOLDER)
def validate(directory: Path | None) -> None:
    """Check the monitors of DIRECTORY, as a pull request should. Exit code 1: something is wrong.

    Default is SLICE_PULSE_MONITORS_DIR. Each problem is a line: file:line: field: what is wrong.
    """
    from slice_platform.cli.pulse import validate_dir
    from slice_platform.cli.tables import terminal

    validate_dir(directory, terminal())


@pulse.command()
@click.argument("directory", required=False, type=_FOLDER)
@fence_options
def publish(directory: Path | None, apply: bool, max_resources: int | None, max_share: float | None) -> None:
    """Publish the monitors of DIRECTORY to SLICE_PULSE_URI; without --apply only the plan is printed.

    A file that is wrong keeps its last good version. Exit code 1: there was one; the others were published.
    """
    from slice_platform.cli.pulse import Asked, publish_dir
    from slice_platform.cli.tables import terminal

    publish_dir(directory, Asked(apply, max_resources, max_share), terminal())


@pulse.command()
@click.option("--dir", "directory", type=_FOLDER, help="Heartbeat's directory; default SLICE_PULSE_DIR.")
@fence_options
def sync(directory: Path | None, apply: bool, max_resources: int | None, max_share: float | None) -> None:
    """Bring what is published into Heartbeat's directory; without --apply only the plan is printed.

    Only files that Pulse made are touched. Exit code 1: a file was refused, the others were brought; 75: try again.

    slice pulse sync --dir /etc/heartbeat/monitors.d --apply
    """
    from slice_platform.cli.pulse import Asked, sync_dir
    from slice_platform.cli.tables import terminal

    sync_dir(directory, Asked(apply, max_resources, max_share), terminal())


@pulse.command()
@click.argument("directory", required=False, type=_FOLDER)
@click.option("--no-record", is_flag=True, help="Only look: nothing is recorded, and nobody is told.")
@click.option("--due", is_flag=True, help="Only monitors whose schedule says so, for a cron that runs every minute.")
def probe(directory: Path | None, no_record: bool, due: bool) -> None:
    """Run the monitors from here, without Heartbeat, and tell people of what is down or up again.

    DIRECTORY is by default Heartbeat's, SLICE_PULSE_DIR; before anything was brought there, SLICE_PULSE_MONITORS_DIR.
    Results are dropped for the dataset uptime, and are rows once `slice ingest uptime` or the sensor has taken them.
    """
    from slice_platform.cli.pulse import probe_dir
    from slice_platform.cli.tables import terminal

    probe_dir(directory, terminal(), is_recorded=not no_record, only_due=due)


@pulse.command()
@click.argument("directory", required=False, type=_FOLDER)
@click.option("--out", type=_FOLDER, help="Write a file for each watch there, instead of printing requests.")
def watcher(directory: Path | None, out: Path | None) -> None:
    """Print a watch of Elastic Watcher for each monitor, as requests for the Dev Tools of Kibana."""
    from slice_platform.cli.pulse import write_watches

    write_watches(directory, out)
