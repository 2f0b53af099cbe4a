"""What alerts call things: whose an asset is, which partitions, and where the UI shows it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

import dagster as dg

from slice_platform.notify.routing import Kind, Subject
from slice_platform.settings import load_settings

SEPARATOR = ", "  # of several assets or checks
_MOST_PARTITIONS = 5


@dataclass(frozen=True)
class Labels:
    """Groups and owners of assets, by key as `group/name`; read from the definitions."""

    groups: Mapping[str, str]
    owners: Mapping[str, tuple[str, ...]]

    @classmethod
    def of(cls, repository: dg.RepositoryDefinition | None) -> "Labels":
        if repository is None:
            return cls({}, {})
        nodes = [repository.asset_graph.get(key) for key in repository.asset_graph.get_all_asset_keys()]
        return cls(
            {node.key.to_user_string(): node.group_name or "" for node in nodes},
            {node.key.to_user_string(): tuple(node.owners) for node in nodes},
        )

    def subject(self, kind: Kind, job: str, assets: Iterable[str]) -> Subject:
        names = tuple(assets)
        owners = [owner for name in names for owner in self.owners.get(name, ())]
        groups = [self.groups[name] for name in names if name in self.groups]
        return Subject(kind, job, names, tuple(dict.fromkeys(groups)), tuple(dict.fromkeys(owners)))


def named_partitions(names: Sequence[str]) -> str:
    """The first few of them, and how many there are."""
    names = tuple(dict.fromkeys(name for name in names if name))
    if len(names) < 2:
        return "".join(f"partition {name}" for name in names)
    more = f" and {len(names) - _MOST_PARTITIONS} more" if len(names) > _MOST_PARTITIONS else ""
    return f"{len(names)} partitions: {', '.join(names[:_MOST_PARTITIONS])}{more}"


def alike(text: str) -> str:
    """The first line without its numbers: the same failure elsewhere."""
    first = text.splitlines()[0] if text else ""
    return "".join("#" if sign.isdigit() else sign for sign in first)


def asset_link(name: str) -> str:
    """Where the UI shows an asset."""
    return f"{load_settings().dagster_url.rstrip('/')}/assets/{quote(name)}"
