"""What the sensor of alerts keeps between two looks."""

import logging
from dataclasses import dataclass, field

from pydantic import TypeAdapter, ValidationError

from slice_platform.components.run_recovery import Failing

_LOG = logging.getLogger("slice_platform.notify")


@dataclass(frozen=True)
class Told:
    """What people know."""

    runs: str  # cursor of Dagster's run failures
    checks: int  # event of the last evaluation
    failing: tuple[Failing, ...] = ()
    bad_checks: dict[str, dict[str, int]] = field(default_factory=dict)  # check -> partition or "" -> event
    late: tuple[str, ...] = ()  # assets

    @classmethod
    def read(cls, text: str | None) -> "Told | None":
        """None where nothing was kept, or what was kept is not ours: then it begins anew."""
        if not text:
            return None
        try:
            return _TOLD.validate_json(text)
        except ValidationError as error:
            _LOG.warning("Reading the cursor of alerts_sensor %.200r: it begins anew. %s", text, error)
            return None

    def text(self) -> str:
        return _TOLD.dump_json(self).decode()


_TOLD = TypeAdapter(Told)
