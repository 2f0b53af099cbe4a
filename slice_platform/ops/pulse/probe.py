"""Runs monitors as Heartbeat does: every endpoint of each, many at once, and none for longer than its timeout."""

import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime

from slice_platform.ops.pulse.addresses import without_user
from slice_platform.ops.pulse.monitor import HttpMonitor, IcmpMonitor, Monitor, TcpMonitor
from slice_platform.ops.pulse.network import CannotTellError, Deadline, NotUpError
from slice_platform.ops.pulse.probe_http import probe_http
from slice_platform.ops.pulse.probe_icmp import probe_icmp
from slice_platform.ops.pulse.probe_tcp import probe_tcp
from slice_platform.ops.pulse.uptime import Endpoint, Result, Status


@dataclass(frozen=True)
class Check:
    """One endpoint of one monitor, to be asked."""

    monitor: Monitor
    address: str  # may have a password in it; the endpoint's name has none

    @property
    def endpoint(self) -> Endpoint:
        name = without_user(self.address)
        return Endpoint(self.monitor.id, name, self.monitor.service_of, self.monitor.type)


def checks_of(monitors: Iterable[Monitor]) -> list[Check]:
    """Every endpoint of the monitors that are enabled."""
    return [Check(one, address) for one in monitors if one.enabled for address in dict.fromkeys(one.endpoints)]


def due(checks: Iterable[Check], checked_at: Mapping[tuple[str, str], datetime], now: datetime) -> list[Check]:
    """Those whose schedule says so."""
    return [
        one
        for one in checks
        if one.monitor.schedule.is_due(checked_at.get((one.endpoint.monitor, one.endpoint.name)), now)
    ]


def probe(checks: Iterable[Check], *, threads: int) -> list[Result]:
    """The result of each, in their order; at most `threads` at once."""
    with ThreadPoolExecutor(threads, thread_name_prefix="pulse") as pool:
        return list(pool.map(probe_one, checks))


def probe_one(check: Check) -> Result:
    """Asked up to `max_attempts` times, until it is up. Never raises for what the network does."""
    result = _attempt(check)
    for _ in range(check.monitor.max_attempts - 1):
        if result.status is not Status.DOWN:
            break
        result = _attempt(check)
    return result


def _attempt(check: Check) -> Result:
    at, begun, deadline = datetime.now(UTC), time.monotonic(), Deadline.after(check.monitor.timeout)
    if (beyond := check.monitor.beyond_the_probe) is not None:
        return Result(check.endpoint, at, Status.UNKNOWN, error=f"only Heartbeat can check it: it has {beyond}")
    try:
        _ask(check.monitor, check.address, deadline)
        deadline.left_seconds()  # what was cut at the deadline may look whole
    except NotUpError as failed:
        return Result(check.endpoint, at, Status.DOWN, error=str(failed))
    except CannotTellError as impossible:
        return Result(check.endpoint, at, Status.UNKNOWN, error=str(impossible))
    return Result(check.endpoint, at, Status.UP, round((time.monotonic() - begun) * 1_000, 3))


def _ask(monitor: Monitor, address: str, deadline: Deadline) -> None:
    match monitor:
        case HttpMonitor():
            probe_http(monitor, address, deadline)
        case TcpMonitor():
            probe_tcp(monitor, address, deadline)
        case IcmpMonitor():
            probe_icmp(monitor, address, deadline)
        case _:
            raise AssertionError(f"{type(monitor).__name__} has no probe")
