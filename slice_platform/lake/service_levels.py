"""How fresh a table must be: the part of a contract's `slaProperties` (ODCS) that the platform watches over.

`frequency` says how often the table is due to change, `latency` how much later a change may come, and
`timeOfAvailability` by when it must have come each day. The dates of a contract's life are documentation.
What nothing here would enforce is refused.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

from open_data_contract_standard.model import ServiceLevelAgreementProperty

from slice_platform.yaml_lines import Place, YamlFile

FREQUENCY, LATENCY, AVAILABLE_AT = "frequency", "latency", "timeofavailability"
_SYNONYMS = {"fy": FREQUENCY, "ly": LATENCY, "freshness": LATENCY}
_DOCUMENTATION = ("generalavailability", "ga", "endofsupport", "es", "endoflife", "el")
# A month is 31 days, a year 366. There is no `m`: it may be a minute or a month.
_SECONDS = {"min": 60, "h": 3600, "d": 86_400, "w": 604_800, "month": 2_678_400, "y": 31_622_400}
_UNITS = {
    "minute": "min", "minutes": "min", "hr": "h", "hour": "h", "hours": "h", "day": "d", "days": "d", "week": "w",
    "weeks": "w", "months": "month", "yr": "y", "year": "y", "years": "y",
}  # fmt: skip
_HOUR_AND_MINUTE = r"(?:[01]\d|2[0-3]):[0-5]\d"
_CLOCK = re.compile(rf"{_HOUR_AND_MINUTE}(?::00)?(?:Z|[+-]{_HOUR_AND_MINUTE})?", re.ASCII)
_NEVER_LOOKED_AT = ("valueExt", "scheduler", "schedule")


@dataclass(frozen=True)
class Freshness:
    """When a table is stale: by the time since its last change, or by a deadline each day. One of the two is given."""

    fail_after: timedelta | None = None
    warn_after: timedelta | None = None  # less than `fail_after`
    daily_by: time | None = None  # in UTC; the table must have changed in the 24 hours before


def read_freshness(
    source: YamlFile,
    rules: list[ServiceLevelAgreementProperty] | None,
    *,
    table: str,
    under: Place = ("slaProperties",),
) -> Freshness | None:
    """What the service levels ask of the table; None where they ask nothing.

    Raises:
        ContractError: a property that nothing enforces, an unknown unit, a value out of range, one said twice, or
            an element other than the table.
    """
    found: dict[str, timedelta | time] = {}
    for position, rule in enumerate(rules or []):
        place: Place = (*under, position)
        kind = (rule.property or "").lower()
        kind = _SYNONYMS.get(kind, kind)
        if kind in _DOCUMENTATION:
            continue
        if kind not in (FREQUENCY, LATENCY, AVAILABLE_AT):
            raise source.error((*place, "property"), _unknown(rule.property))
        _refuse_what_has_no_effect(source, rule, table, place)
        if kind in found:
            raise source.error((*place, "property"), f"{rule.property!r} is said twice; keep one")
        found[kind] = _clock(source, rule, place) if kind == AVAILABLE_AT else _span(source, rule, place)
        if AVAILABLE_AT in found and len(found) > 1:
            problem = "give either timeOfAvailability, or frequency and latency: a table is watched by one rule"
            raise source.error((*place, "property"), problem)
    return _freshness(found)


def _freshness(found: dict[str, timedelta | time]) -> Freshness | None:
    match found.get(FREQUENCY), found.get(LATENCY), found.get(AVAILABLE_AT):
        case timedelta() as due, timedelta() as late, _:
            return Freshness(fail_after=due + late, warn_after=due)
        case timedelta() as only, None, _:
            return Freshness(fail_after=only)
        case None, timedelta() as only, _:
            return Freshness(fail_after=only)
        case _, _, time() as daily:
            return Freshness(daily_by=daily)
    return None


def _unknown(name: str | None) -> str:
    known = "frequency, latency, timeOfAvailability (enforced), generalAvailability, endOfSupport, endOfLife (dates)"
    return f"{name!r} is nothing that is enforced here; known: {known}. Say others in `description`"


def _refuse_what_has_no_effect(source: YamlFile, rule: ServiceLevelAgreementProperty, table: str, place: Place) -> None:
    for name in _NEVER_LOOKED_AT:
        if getattr(rule, name) is not None:
            problem = f"{name!r} has no effect, as freshness is looked at all the time; remove it"
            raise source.error((*place, name), problem)
    if rule.element not in (None, table):
        problem = f"freshness is judged by when the table last changed: expected {table!r} or nothing"
        raise source.error((*place, "element"), f"{problem}, got {rule.element!r}")


def _span(source: YamlFile, rule: ServiceLevelAgreementProperty, place: Place) -> timedelta:
    unit = _UNITS.get((rule.unit or "").lower(), (rule.unit or "").lower())
    if unit not in _SECONDS:
        raise source.error((*place, "unit"), f"expected one of min, h, d, w, month, y, got {rule.unit!r}")
    value = rule.value
    if isinstance(value, bool) or not isinstance(value, int | float) or not 1 / 60 <= value <= 10_000:
        raise source.error((*place, "value"), f"expected a number of {unit}, at most 10000, got {value!r}")
    span = timedelta(seconds=value * _SECONDS[unit])
    if span < timedelta(minutes=1):
        raise source.error((*place, "value"), f"expected at least a minute, got {value!r} {unit}")
    return span


def _clock(source: YamlFile, rule: ServiceLevelAgreementProperty, place: Place) -> time:
    """A time of day in UTC; without an offset it is UTC already."""
    if rule.unit is not None:
        raise source.error((*place, "unit"), "a time of day has no unit; remove it")
    if not isinstance(rule.value, str) or not _CLOCK.fullmatch(rule.value):
        problem = f'expected a time of day in quotes, such as "09:00" (UTC) or "09:00-08:00", got {rule.value!r}'
        raise source.error((*place, "value"), problem)
    clock = time.fromisoformat(rule.value)
    moment = datetime.combine(datetime(2001, 1, 2, tzinfo=UTC), clock, clock.tzinfo or UTC)  # a day as good as any
    return moment.astimezone(UTC).time()
