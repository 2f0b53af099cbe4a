"""Who is told of what: one YAML file, read and checked when the definitions load."""

from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from slice_platform.errors import NotificationRefused
from slice_platform.notify.notification import channel_name
from slice_platform.yaml_lines import read_yaml


class Kind(StrEnum):
    """What happened."""

    RUN_FAILED = "run_failed"
    CHECK_FAILED = "check_failed"  # severity ERROR: nothing was published
    CHECK_WARNED = "check_warned"  # severity WARN
    LATE = "late"  # freshness
    RECOVERED = "recovered"
    LOADED = "loaded"  # a file of the propagator
    NOT_LOADED = "not_loaded"


@dataclass(frozen=True)
class Subject:
    """What happened, and to what. Assets are `group/name`, as their keys."""

    kind: Kind
    job: str = ""
    assets: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    owners: tuple[str, ...] = ()


@dataclass(frozen=True)
class Place:
    """Where it is told, and whose attention is called."""

    channel: str
    mention: str = ""


def _known_channel(name: str) -> str:
    try:
        return channel_name(name)
    except NotificationRefused as refused:
        raise ValueError(str(refused)) from refused


Channel = Annotated[str, AfterValidator(_known_channel)]
Mention = Annotated[str, Field(pattern=r"^(<!channel>|<@[UW][A-Z0-9]+>)( (<!channel>|<@[UW][A-Z0-9]+>))*$")]
Patterns = Annotated[tuple[str, ...], Field(min_length=1)]


class Route(BaseModel):
    """Matches where each pattern that is given does: `*` and `?` as in a shell."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kinds: Annotated[tuple[Kind, ...], Field(min_length=1)] | None = None
    job: Patterns | None = None
    asset: Patterns | None = None
    group: Patterns | None = None
    owner: Patterns | None = None
    channel: Channel | None = None
    mention: Mention | None = None

    def matches(self, subject: Subject) -> bool:
        of = {"asset": subject.assets, "group": subject.groups, "owner": subject.owners, "job": (subject.job,)}
        wanted = {name: getattr(self, name) for name in of}
        return (self.kinds is None or subject.kind in self.kinds) and all(
            _any(patterns, of[name]) for name, patterns in wanted.items() if patterns is not None
        )


class Routing(BaseModel):
    """`routes` are tried in order; the first that matches counts. What it leaves open comes from `default`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    default: Channel = "data-platform"
    owners: dict[str, Mention] = Field(default_factory=dict, description="Owner of an asset -> who is called.")
    routes: tuple[Route, ...] = ()

    def place(self, subject: Subject) -> Place:
        """Where it is told. Of failures the owners of what failed are called, unless the route says whom."""
        route = next((route for route in self.routes if route.matches(subject)), Route())
        calls = subject.kind in (Kind.RUN_FAILED, Kind.CHECK_FAILED, Kind.LATE)
        owners = [self.owners[owner] for owner in subject.owners if owner in self.owners] if calls else []
        mention = route.mention if route.mention is not None else " ".join(dict.fromkeys(owners))
        return Place(route.channel or self.default, mention)


@lru_cache(maxsize=4)
def read_routing(path: Path) -> Routing:
    """The routing of a file; without one everything is told in the default channel.

    Raises:
        ContractError: it is wrong; the message has file, line and field.
    """
    if not path.exists():
        return Routing()
    source = read_yaml(path)
    try:
        return Routing.model_validate(source.content or {})
    except ValidationError as error:
        first = error.errors()[0]
        raise source.error(first["loc"], f"{first['msg']}, got {first['input']!r}") from error


def _any(patterns: tuple[str, ...], names: tuple[str, ...]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns for name in names)
