"""Connections that end: to each address of a host as a monitor wants it, with TLS, and never beyond a deadline."""

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta

from slice_platform.ops.pulse.monitor import Monitor, Tls


class NotUpError(Exception):
    """The endpoint is not up, and why, in words for people."""


class CannotTellError(Exception):
    """Whether the endpoint is up cannot be told from this machine, and why."""


@dataclass(frozen=True)
class Deadline:
    """The end of a check. Monotonic: a clock that is set does not stretch it."""

    ends_at: float
    timeout: timedelta

    @classmethod
    def after(cls, timeout: timedelta) -> "Deadline":
        return cls(time.monotonic() + timeout.total_seconds(), timeout)

    def left_seconds(self) -> float:
        """Raises NotUpError where it has passed."""
        left = self.ends_at - time.monotonic()
        if left <= 0:
            raise NotUpError(f"no answer within {self.timeout.total_seconds():g} s")
        return left

    @contextmanager
    def closing(self, connection: socket.socket) -> Iterator[None]:
        """The connection is cut at the deadline: a server that sends a byte now and then keeps nobody waiting."""
        with connection.dup() as twin:  # TLS takes the socket itself over, and leaves an empty one
            timer = threading.Timer(max(0.0, self.ends_at - time.monotonic()), _cut, [twin])
            timer.daemon = True
            timer.start()
            try:
                yield
            finally:
                timer.cancel()


def addresses_of(host: str, port: int, monitor: Monitor) -> list[tuple[socket.AddressFamily, str]]:
    """The IP addresses of a host that the monitor lets count.

    Raises:
        NotUpError: it has none.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise NotUpError(f"the name {host!r} cannot be resolved: {error.strerror or error}") from error
    wanted = {socket.AF_INET: monitor.ipv4, socket.AF_INET6: monitor.ipv6}
    chosen = dict.fromkeys((family, str(at[0])) for family, _, _, _, at in found if wanted.get(family))
    if not chosen:
        raise NotUpError(f"{host!r} has no address of the kind that ipv4 and ipv6 leave")
    return list(chosen)


@contextmanager
def connected(family: socket.AddressFamily, ip: str, port: int, deadline: Deadline) -> Iterator[socket.socket]:
    """A connection over TCP for the block, cut at the deadline.

    Raises:
        NotUpError: nobody is there, or it broke off inside the block.
    """
    with told_as_failure(deadline), socket.socket(family, socket.SOCK_STREAM) as connection:
        connection.settimeout(deadline.left_seconds())
        connection.connect((ip, port))
        with deadline.closing(connection):
            yield connection


@contextmanager
def told_as_failure(deadline: Deadline) -> Iterator[None]:
    """What the network does inside of the block is the endpoint's failure."""
    try:
        yield
    except ssl.SSLCertVerificationError as error:
        raise NotUpError(f"its certificate is not accepted: {error.verify_message}") from error
    except ssl.SSLError as error:
        raise NotUpError(f"TLS failed: {error.reason or error}") from error
    except OSError as error:
        deadline.left_seconds()
        said = "no answer in time" if isinstance(error, TimeoutError) else error.strerror or str(error)
        raise NotUpError(said.lower() if said[1:].islower() else said) from error


@contextmanager
def secured(connection: socket.socket, host: str, tls: Tls | None) -> Iterator[socket.socket]:
    """The connection under TLS for the block, its certificate checked as the monitor wants it.

    Raises:
        CannotTellError: certificates that the monitor names are not on this machine.
        ssl.SSLError: the other side's is not accepted.
    """
    with tls_context(tls).wrap_socket(connection, server_hostname=host) as wrapped:
        yield wrapped


def tls_context(tls: Tls | None) -> ssl.SSLContext:
    tls = tls or Tls()
    try:
        context = ssl.create_default_context()
        for one in tls.certificate_authorities:
            is_text = "-----BEGIN" in one
            context.load_verify_locations(cadata=one if is_text else None, cafile=None if is_text else one)
        if tls.certificate:
            context.load_cert_chain(tls.certificate, tls.key)
    except (OSError, ssl.SSLError) as error:
        raise CannotTellError(f"certificates of the monitor cannot be read on this machine: {error}") from error
    context.check_hostname = tls.verification_mode in ("full", "strict")
    context.verify_mode = ssl.CERT_NONE if tls.verification_mode == "none" else ssl.CERT_REQUIRED
    return context


def _cut(connection: socket.socket) -> None:
    with suppress(OSError):  # it has gone already
        connection.shutdown(socket.SHUT_RDWR)
