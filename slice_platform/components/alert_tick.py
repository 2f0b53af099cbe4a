"""One look of the sensor of alerts: what it needs, and how it goes on when one thing cannot be told."""

import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import dagster as dg
from sqlalchemy.exc import OperationalError

from slice_platform.components.alert_labels import Labels
from slice_platform.errors import LedgerUnavailable, NotificationRefused, TransientError
from slice_platform.notify.jarvis import Jarvis
from slice_platform.notify.notification import Notification
from slice_platform.notify.routing import Routing

_LOG = logging.getLogger("slice_platform.notify")


@dataclass(frozen=True)
class Tick:
    """What one look needs."""

    instance: dg.DagsterInstance
    labels: Labels
    routing: Routing
    jarvis: Jarvis
    check_keys: frozenset[dg.AssetCheckKey]
    partitions: Mapping[dg.AssetKey, "dg.PartitionsDefinition[Any] | None"]
    policies: Mapping[dg.AssetKey, dg.FreshnessPolicy]
    put_off: list[TransientError] = field(default_factory=list)

    @classmethod
    def of(
        cls,
        instance: dg.DagsterInstance,
        repository: dg.RepositoryDefinition | None,
        routing: Routing,
        jarvis: Jarvis,
    ) -> "Tick":
        graph = repository.asset_graph if repository is not None else None
        nodes = [graph.get(key) for key in graph.get_all_asset_keys()] if graph is not None else []
        return cls(
            instance,
            Labels.of(repository),
            routing,
            jarvis,
            frozenset(graph.asset_check_keys) if graph is not None else frozenset(),
            {node.key: node.partitions_def for node in nodes},
            {node.key: node.freshness_policy for node in nodes if node.freshness_policy is not None},
        )

    def tell(self, one: Notification, keys: Iterable[str]) -> None:
        """Keep it once for each key: the first is the message, and the others are counted on it.

        Each key stands for one thing that happened. After a crash some of them may be known and others new: those that
        are known change nothing, whatever they were told together with.
        """
        one = replace(one, message=_printable(one.message), heading=_printable(one.heading or "") or None)
        for number, key in enumerate(keys):
            self.jarvis.tell(replace(one, key=key, attachments=one.attachments if number == 0 else ()))

    @contextmanager
    def each(self, what: str) -> Iterator[None]:
        """Whatever goes wrong in the block, the others are told.

        What may pass by itself is kept for `finish`; of anything else the error channel is told.
        """
        try:
            yield
        except (LedgerUnavailable, OperationalError):
            raise  # nothing can be kept, or read
        except TransientError as error:
            _LOG.warning("Telling of %s is tried again: %s", what, error)
            self.put_off.append(error)
        except Exception as error:  # noqa: BLE001 -- one thing must not keep the others for ever
            _LOG.exception("Telling of %s", what)
            said = f"Telling of {what}: {error!r}. It is told nowhere else; the log of the daemon has the traceback."
            self.jarvis.report({"about": what}, NotificationRefused(said, code="alert"))

    def finish(self) -> None:
        """Raise what was put off, so that this look is done again; what was told is then known by its key."""
        if self.put_off:
            raise self.put_off[0]


def _printable(text: str) -> str:
    """What no database and no file takes is written as its escape."""
    return text.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")
