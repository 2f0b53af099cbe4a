"""What lies in moto's accounts, kept and put back: a reset costs a fraction of making them anew, call by call.

Backends hold each other. So what one of them holds is copied, and the backends in it are told by their places: what is
put back is held by those that are there then.
"""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from moto.core.base_backend import BackendDict
from moto.s3.models import s3_backends


@dataclass(frozen=True)
class _Place:
    """Where a backend is."""

    service: "BackendDict[Any]"
    account: str
    region: str
    stands_for: object = field(default_factory=object)  # the backend, in a copy

    def backend(self) -> Any:
        return self.service[self.account][self.region]


@dataclass(frozen=True)
class Kept:
    """The state of all accounts at a moment."""

    places: Sequence[_Place]
    states: Sequence[dict[str, Any]]  # of the backends at these places
    bucket_accounts: dict[str, tuple[str, str]]


def keep() -> Kept:
    places = [
        _Place(service, account, region)
        for service in list(BackendDict._instances)  # type: ignore[misc]  # noqa: SLF001 -- those in use; moto resets by it
        for account, regions in service.items()
        for region in regions
    ]
    backends = [place.backend() for place in places]
    by_place = {id(backend): place.stands_for for backend, place in zip(backends, places, strict=True)}
    states = deepcopy([vars(backend) for backend in backends], by_place)
    return Kept(places, states, dict(s3_backends.bucket_accounts))


def put_back(kept: Kept) -> None:
    """The accounts, which were emptied, are as they were when they were kept."""
    backends = [place.backend() for place in kept.places]
    by_stand_in = {id(place.stands_for): backend for place, backend in zip(kept.places, backends, strict=True)}
    for backend, state in zip(backends, deepcopy(kept.states, by_stand_in), strict=True):
        vars(backend).clear()
        vars(backend).update(state)
    s3_backends.bucket_accounts.update(kept.bucket_accounts)
