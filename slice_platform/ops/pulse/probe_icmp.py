"""An icmp monitor: an echo request is answered.

Linux lets groups in net.ipv4.ping_group_range send one without rights; else the program `ping` has them. Where neither
is to be had the answer is not known, and that is what is told.
"""

import os
import shutil
import socket
import struct
import subprocess
from contextlib import suppress
from itertools import count

from slice_platform.ops.pulse.monitor import IcmpMonitor
from slice_platform.ops.pulse.network import CannotTellError, Deadline, NotUpError, addresses_of, told_as_failure

_REQUEST = {socket.AF_INET: 8, socket.AF_INET6: 128}
_REPLY = {socket.AF_INET: 0, socket.AF_INET6: 129}
_PROTOCOL = {socket.AF_INET: socket.IPPROTO_ICMP, socket.AF_INET6: socket.IPPROTO_ICMPV6}


def probe_icmp(monitor: IcmpMonitor, endpoint: str, deadline: Deadline) -> None:
    """Raises NotUpError where nothing answers, CannotTellError where this machine may not ask."""
    host = endpoint.removeprefix("icmp://")
    addresses = addresses_of(host, 0, monitor)
    for family, ip in addresses if monitor.mode == "all" else addresses[:1]:
        try:
            _echo(family, ip, monitor.wait.total_seconds(), deadline)
        except PermissionError:
            _ping(ip, deadline)


def _echo(family: socket.AddressFamily, ip: str, wait_seconds: float, deadline: Deadline) -> None:
    """Ask once every `wait_seconds` until an answer comes. Raises PermissionError where the kernel forbids it."""
    with socket.socket(family, socket.SOCK_DGRAM, _PROTOCOL[family]) as asking, told_as_failure(deadline):
        payload = os.urandom(16)
        for number in count(1):
            left = deadline.left_seconds()
            asking.sendto(echo_request(family, number, payload), (ip, 0))
            asking.settimeout(min(wait_seconds, left))
            with suppress(TimeoutError):
                if is_reply(family, asking.recv(1024), payload):
                    return


def echo_request(family: socket.AddressFamily, number: int, payload: bytes) -> bytes:
    """An echo request; the kernel fills in the identifier, and the checksum of ICMPv6."""
    head = struct.pack("!BBHHH", _REQUEST[family], 0, 0, 0, number & 0xFFFF)
    return struct.pack("!BBHHH", _REQUEST[family], 0, checksum(head + payload), 0, number & 0xFFFF) + payload


def checksum(packet: bytes) -> int:
    """That of RFC 1071."""
    padded = packet + b"\0" * (len(packet) % 2)
    total: int = sum(struct.unpack(f"!{len(padded) // 2}H", padded))
    total = (total >> 16) + (total & 0xFFFF)
    return 0xFFFF - (total + (total >> 16)) % 0x10000


def is_reply(family: socket.AddressFamily, packet: bytes, payload: bytes) -> bool:
    return len(packet) >= 8 and packet[0] == _REPLY[family] and packet[8:] == payload


def _ping(ip: str, deadline: Deadline) -> None:
    program = shutil.which("ping")
    if program is None:
        raise CannotTellError(
            "this machine may send no echo request: net.ipv4.ping_group_range leaves this group out, and there is no "
            "program ping. Allow the group, or install iputils-ping"
        )
    left = deadline.left_seconds()
    command = [program, "-n", "-c", "1", "-W", str(max(1, round(left))), ip]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=left + 1)  # noqa: S603 -- an address that was resolved
    except subprocess.TimeoutExpired as error:
        raise NotUpError(f"no answer within {deadline.timeout.total_seconds():g} s") from error
    if done.returncode == 1:
        raise NotUpError("no answer to an echo request")
    if done.returncode != 0:
        raise CannotTellError(f"ping failed: {' '.join((done.stderr or done.stdout).split())[:200]}")
