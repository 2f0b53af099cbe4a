"""A tcp monitor: can be connected to, and says what is expected."""

import socket
from contextlib import nullcontext
from urllib.parse import urlsplit

from slice_platform.ops.pulse.monitor import TcpMonitor
from slice_platform.ops.pulse.network import Deadline, NotUpError, addresses_of, connected, secured


def probe_tcp(monitor: TcpMonitor, endpoint: str, deadline: Deadline) -> None:
    """Raises NotUpError where it is not up, CannotTellError where that cannot be told."""
    parts = urlsplit(endpoint)
    host, port = parts.hostname or "", parts.port or 0
    addresses = addresses_of(host, port, monitor)
    last: NotUpError | None = None
    for family, ip in addresses:
        try:
            with (
                connected(family, ip, port, deadline) as plain,
                secured(plain, host, monitor.ssl) if parts.scheme == "tls" else nullcontext(plain) as connection,
            ):
                _talk(monitor, connection)
        except NotUpError as error:
            last = error
            if monitor.mode == "all":
                raise NotUpError(f"{ip}: {error}") from error
        else:
            last = None
            if monitor.mode == "any":
                return
    if last is not None:
        raise last


def _talk(monitor: TcpMonitor, connection: socket.socket) -> None:
    send, receive = monitor.check.send.encode(), monitor.check.receive.encode()
    if send:
        connection.sendall(send)
    if not send and not receive:
        return
    wanted = len(receive) or 1  # of what is not said any answer does
    found = b""
    while len(found) < wanted:
        part = connection.recv(wanted - len(found))
        if not part:
            break
        found += part
    if not found:
        raise NotUpError("it closed the connection without an answer")
    if receive and found != receive:
        raise NotUpError(f"it answered {found[:100]!r}, expected is {receive[:100]!r}")
