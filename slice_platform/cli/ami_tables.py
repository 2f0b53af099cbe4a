"""What `slice ami list` prints of a service."""

from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.text import Text

from slice_platform.cli.tables import grid
from slice_platform.ops.ami.account import Account, Image, TemplateVersion
from slice_platform.ops.ami.prune import stock_of
from slice_platform.ops.ami.pruning import image_users, version_users
from slice_platform.ops.ami.releases import Release, Releases
from slice_platform.ops.ami.spec import Service
from slice_platform.ops.journal import Journal

_SHOWN_COMMIT = 12


def print_service(service: Service, journal: Journal, account: Account, console: Console) -> None:
    """Images of the branch, versions of the template, and releases, the newest first, with who uses what."""
    stock = stock_of(account, service, Releases(journal.db))
    _print_images(stock.images, image_users(stock), service.spec.branch, console)
    _print_versions(stock.own_versions, version_users(stock), service.spec.launch_template, console)
    if releases := Releases(journal.db).latest(service.name):
        _print_releases(releases, service.name, console)


def _print_images(images: Sequence[Image], users: Mapping[str, list[str]], branch: str, console: Console) -> None:
    table = grid(f"Images of branch {branch}", "image", "made (UTC)", "commit", "state", "used by")
    for one in reversed(images):
        made, commit = f"{one.created_at:%Y-%m-%d %H:%M:%S}", (one.commit or "-")[:_SHOWN_COMMIT]
        table.add_row(Text(one.id), made, Text(commit), one.state, Text(", ".join(users.get(one.id, [])) or "-"))
    console.print(table)


def _print_versions(
    versions: Sequence[TemplateVersion], users: Mapping[int, list[str]], template: str, console: Console
) -> None:
    table = grid(f"Versions of launch template {template}", "version", "image", "used by", "note", right=("version",))
    for one in reversed(versions):
        used = Text(", ".join(users.get(one.number, [])) or "-")
        table.add_row(str(one.number), Text(one.image_id or "-"), used, Text(one.description or "-"))
    console.print(table)


def _print_releases(releases: Sequence[Release], service: str, console: Console) -> None:
    heads = ("commit", "state", "reached", "image", "version", "before", "last touched (UTC)", "error")
    table = grid(f"Releases of {service}", *heads)
    for one in releases:
        table.add_row(
            Text(one.commit[:_SHOWN_COMMIT]), one.state, one.reached or "-", Text(one.image_id or "-"),
            str(one.version or "-"), str(one.previous_version or "-"), f"{one.updated_at:%Y-%m-%d %H:%M:%S}",
            Text(one.error or "-"),
        )  # fmt: skip
    console.print(table)
