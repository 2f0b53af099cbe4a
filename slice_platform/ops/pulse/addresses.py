"""Where a monitor knocks: URLs and hosts as Heartbeat reads them."""

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

_NAME = re.compile(r"(?=.{1,253}\Z)[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?\.?")
_LONGEST = 2_000
_TLS_SCHEMES = ("tls", "ssl")
_SCHEMES = ("tcp", "plain", *_TLS_SCHEMES)


def has_variable(text: str) -> bool:
    """Whether Heartbeat puts something into it that is known on its host alone: `${NAME}`."""
    return "${" in text


@dataclass(frozen=True)
class HostPort:
    """A place of the network, with the port that an address names, if it names one."""

    host: str
    port: int | None
    scheme: str | None = None

    @property
    def asks_for_tls(self) -> bool:
        return self.scheme in _TLS_SCHEMES


def web_address(text: str, *, tls: bool = False) -> SplitResult:
    """A URL of http or https; without a scheme it is that of `tls`.

    Raises:
        ValueError: it is none.
    """
    full = text if "://" in text else f"{'https' if tls else 'http'}://{text}"
    parts = _split(text, full)
    if parts.scheme not in ("http", "https"):
        raise ValueError(f"{_shown(text)} begins with {parts.scheme}: expected http or https")
    return parts


def host_port(text: str) -> HostPort:
    """`host`, `host:port`, `[::1]:port`, or one of them behind tcp://, plain://, tls:// or ssl://.

    Raises:
        ValueError: it is none.
    """
    if _is_ip(text):
        return HostPort(text, None)
    parts = _split(text, text if "://" in text else f"tcp://{text}")
    if parts.scheme not in _SCHEMES:
        raise ValueError(f"{_shown(text)} begins with {parts.scheme}: expected one of {', '.join(_SCHEMES)}")
    if parts.path or parts.query or parts.username is not None:
        raise ValueError(f"{_shown(text)} is no host: expected host:port, without path and user")
    return HostPort(str(parts.hostname), parts.port, parts.scheme if "://" in text else None)


def host(text: str) -> str:
    """A name or an IP address alone. Raises ValueError where it is none."""
    if not _is_ip(text) and not _NAME.fullmatch(text):
        raise ValueError(f"{_shown(text)} is no host: expected a name or an IP address, without scheme and port")
    return text


def without_user(text: str) -> str:
    """A URL as it may be shown: who logs in, and with which password, is cut out."""
    return re.sub(r"(?<=//)[^/?#]*@", "", text)


def _split(text: str, full: str) -> SplitResult:
    if len(text) > _LONGEST:
        raise ValueError(f"it has {len(text):,} characters: expected an address of at most {_LONGEST:,}")
    if re.search(r"\s", text):
        raise ValueError(f"{_shown(text)} has a space: expected an address")
    try:
        parts = urlsplit(full)
        port = parts.port
    except ValueError as error:
        raise ValueError(f"{_shown(text)} is no address: {error}") from error
    if port == 0 or not parts.hostname or not (_is_ip(parts.hostname) or _NAME.fullmatch(parts.hostname)):
        raise ValueError(f"{_shown(text)} names no host: expected one such as example.com:443")
    return parts


def _is_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _shown(text: str) -> str:
    return repr(without_user(text))
