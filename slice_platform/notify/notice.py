"""The one way in which the platform tells people something. So far what is said goes to the log."""

import logging
from dataclasses import dataclass

_LOG = logging.getLogger("slice_platform.notify")
_LOG.addHandler(logging.NullHandler())  # who wants to read it sets up logging


@dataclass(frozen=True)
class Notice:
    """What is said. `attachment` is the address of a file that says more."""

    message: str
    heading: str | None = None
    is_failure: bool = False
    attachment: str | None = None


def notify(notice: Notice) -> None:
    """Tell it; never raises for what becomes of it, and returns at once."""
    parts = [part for part in (notice.heading, notice.message, notice.attachment) if part]
    _LOG.log(logging.WARNING if notice.is_failure else logging.INFO, "%s", " | ".join(parts))
