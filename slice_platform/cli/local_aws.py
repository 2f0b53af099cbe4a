"""`slice aws`, and whether `slice dev` starts a local AWS beside Dagster."""

import os
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from slice_platform.local.aws_process import PORT, STEP_SECONDS, forget_real_aws, start_beside
from slice_platform.settings import Settings, load_settings

if TYPE_CHECKING:
    from slice_platform.local.aws import LocalAws

_CONFIGURED_BY = (  # variables that begin so: an endpoint may also be that of one service
    "AWS_ACCESS_KEY_ID",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_ENDPOINT_URL",
    "AWS_PROFILE",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
)


@click.command("aws")
@click.option("--port", default=PORT, show_default=True, help="0: a free one.")
@click.option(
    "--step-seconds",
    type=click.FloatRange(0),
    default=STEP_SECONDS,
    show_default=True,
    help="How long a step of an instance refresh or a build takes; 0: each poll is a step.",
)
def aws(port: int, step_seconds: float) -> None:
    """Start an AWS on this machine, with a small account in it. It ends, and forgets all, with Ctrl-C.

    docs/local_aws.md tells what is in it, and what it does not reproduce.
    """
    from slice_platform.local.aws import running_local_aws

    forget_real_aws()
    with running_local_aws(port, step_seconds=step_seconds) as local:
        click.echo(f"A local AWS answers at {local.endpoint_url}. In another terminal:\n")
        click.echo(exports(local.environment))
        click.echo(f"\n{contents(local)}\nCtrl-C ends it.")
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            click.echo("The local AWS has ended.")


def exports(environment: Mapping[str, str]) -> str:
    return "\n".join(f"export {name}={value}" for name, value in environment.items())


def contents(local: "LocalAws") -> str:
    """What is in the accounts, in a few lines."""
    from slice_platform.local.aws import ACCOUNT, OTHER_ACCOUNT, OTHER_ROLE

    return "\n".join((
        f"Account {ACCOUNT}: {_counted(local, None)}.",
        f"Account {OTHER_ACCOUNT}: {_counted(local, OTHER_ROLE)}; it is entered by the role {OTHER_ROLE}.",
    ))  # fmt: skip


def _counted(local: "LocalAws", role: str | None) -> str:
    ec2: Any = local.client("ec2", role=role)
    found = {
        "images": ec2.describe_images(Owners=["self"])["Images"],
        "launch templates": ec2.describe_launch_templates()["LaunchTemplates"],
        "auto-scaling groups": local.client("autoscaling", role=role).describe_auto_scaling_groups()[
            "AutoScalingGroups"
        ],
        "instances": [one for held in ec2.describe_instances()["Reservations"] for one in held["Instances"]],
        "volumes": ec2.describe_volumes()["Volumes"],
        "snapshots": ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"],
        "buckets": local.client("s3", role=role).list_buckets()["Buckets"],
    }
    return ", ".join(f"{what} {len(those)}" for what, those in found.items() if those)


def start_beside_dagster() -> str:
    """What to tell: of a local AWS that Dagster's processes will find, or why there is none."""
    from slice_platform.local.aws import is_installed

    settings = load_settings()
    if is_configured(settings):
        return "No local AWS: an AWS is configured."
    if not is_installed():
        return "No local AWS: moto is not installed; it comes with the extra `local`."
    environment = start_beside()
    os.environ.update(environment)
    return f"A local AWS for jobs of operations answers at {environment['AWS_ENDPOINT_URL']}; see docs/local_aws.md."


def is_configured(settings: Settings) -> bool:
    """Whether anything here may mean an AWS: then nothing must lead its processes to another one."""
    roots = (settings.lake_root, settings.propagator_root, settings.notify_attachments_root)
    return (
        settings.aws_endpoint_url is not None
        or any(value and name.startswith(_CONFIGURED_BY) for name, value in os.environ.items())
        or any("://" in root for root in roots)
        or settings.catalog == "glue"
        or any((settings.propagator_queue_url, settings.redshift_cluster, settings.redshift_workgroup))
    )
