"""The part of `slice demo` about operations: a release, a sweep and a probe, in an AWS that ends with the demo."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.text import Text

from slice_platform.cli.answers import print_rows
from slice_platform.cli.operations import actor
from slice_platform.cli.pulse import probe_dir
from slice_platform.cli.refreshing import refresh_tables
from slice_platform.cli.runs import ingest_all
from slice_platform.components.ami import opened_releaser
from slice_platform.components.runtime import run_lake
from slice_platform.components.sweeping import sweep_and_tell
from slice_platform.errors import AccountingError
from slice_platform.lake.query import query
from slice_platform.local.aws import LocalAws, running_local_aws
from slice_platform.ops.ami.releases import STEPS
from slice_platform.ops.ami.services import service_of
from slice_platform.ops.custodian.spec import read_spec
from slice_platform.ops.custodian.sweep import Selection
from slice_platform.ops.fence import Mandate
from slice_platform.settings import load_settings

COMMIT = "5e1f7c2a90b34d68a1c07e5f2b9d4836aa10c3f7"
_PACKERS = ("==>", "-->", "amazon-ebs", "Build 'amazon-ebs'", "ap-south-1: ami-")
_STEP_SECONDS = 0.2  # of an instance refresh
_MONITORS = """\
- {{type: http, id: local-aws, service.name: aws, urls: ["{url}/moto-api/"], schedule: "@every 30s", timeout: 5s}}
- {{type: tcp, id: nobody, service.name: nobody, hosts: ["127.0.0.1:9"], schedule: "@every 30s", timeout: 2s}}
"""
_OPEN = """SELECT policy, severity, opened, open_at_end FROM business.open_findings
WHERE day = (SELECT max(day) FROM business.open_findings) ORDER BY open_at_end DESC, policy LIMIT 5"""


def show_operations(console: Console) -> None:
    """Each job does its work in the account that `slice aws` serves, and what it did is looked at from outside.

    Raises:
        AccountingError: something is not as the job says.
    """
    with running_local_aws(step_seconds=_STEP_SECONDS) as local, _found_by_everybody(local):
        _show_release(local, console)
        _show_sweep(console)
        _show_probe(local, console)
    ingest_all(["custodian_findings", "uptime"], console)
    refresh_tables(("open_findings", "service_availability"), console)
    with run_lake() as lake:
        print_rows(query(lake, _OPEN).table, console)


def _show_release(local: LocalAws, console: Console) -> None:
    if shutil.which("packer") is None:
        console.print("[yellow]packer is not installed, so no image is built and released here.[/]")
        return
    console.print(Text("An image of the service web, first as a plan, then for its instances", "bold"))
    service = service_of(load_settings().defs_dir, "web")
    for apply in (False, True):
        mandate = Mandate(actor(), apply, service.spec.limits, lambda line: _tell(line, console))
        with opened_releaser(service, COMMIT, mandate) as releaser:
            for step in STEPS:
                releaser.do(step)
    (image,) = [image for image, commit in _images(local).items() if commit == COMMIT]
    if (runs := _run_by_the_group(local)) != {image}:
        raise AccountingError(f"The release of {COMMIT} succeeded, and the group runs {runs}, not {image}.")
    console.print(Text(f"Every instance runs {image}; {len(_images(local))} images of the branch are left.\n"))


def _show_sweep(console: Console) -> None:
    console.print(Text("Cloud Custodian sweeps the account: a plan, nothing is changed", "bold"))
    settings = load_settings()
    spec = read_spec(settings.defs_dir / "custodian")
    done = sweep_and_tell(spec, settings, Mandate(actor(), limits=spec.limits), Selection())
    if done.problems or not tuple(done.report.diff.all()):
        raise AccountingError(f"Sweeping an account with open buckets: {done.problems or 'nothing was found'}.")
    console.print(Text(f"{done.digest.heading}\n{done.digest.text}\n"))


def _show_probe(local: LocalAws, console: Console) -> None:
    console.print(Text("Pulse runs two monitors, of which one has to find nobody", "bold"))
    folder = load_settings().home_dir / "demo" / "monitors"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "demo.yml").write_text(_MONITORS.format(url=local.endpoint_url), encoding="utf-8")
    probe_dir(folder, console, is_recorded=True, only_due=False)


def _tell(line: str, console: Console) -> None:
    """Of packer's many lines none: the log of a run in the UI has them."""
    if not line.lstrip().startswith(_PACKERS):
        console.print(Text(line))


def _images(local: LocalAws) -> dict[str, str | None]:
    """Images of the branch -> their commit."""
    wanted = [{"Name": "tag:branch", "Values": ["main"]}]
    found = local.client("ec2").describe_images(Owners=["self"], Filters=wanted)["Images"]
    return {one["ImageId"]: {tag["Key"]: tag["Value"] for tag in one["Tags"]}.get("commit") for one in found}


def _run_by_the_group(local: LocalAws) -> set[str]:
    (group,) = local.client("autoscaling").describe_auto_scaling_groups(AutoScalingGroupNames=["web"])[
        "AutoScalingGroups"
    ]
    ids = [one["InstanceId"] for one in group["Instances"]]
    held = local.client("ec2").describe_instances(InstanceIds=ids)["Reservations"]
    return {each["ImageId"] for one in held for each in one["Instances"]}


@contextmanager
def _found_by_everybody(local: LocalAws) -> Iterator[None]:
    """Our own clients, packer and c7n find the local AWS, and no other, for the length of the block."""
    before = dict(os.environ)
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ.update(local.environment)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
