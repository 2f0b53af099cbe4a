"""Where a database server is, by a URL of the settings. It holds a password: no message tells any part of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from slice_platform.errors import SettingsError


@dataclass(frozen=True)
class ServerUrl:
    host: str | None
    port: int | None
    database: str
    user: str
    password: str = field(repr=False)
    options: Mapping[str, str]  # behind the question mark


def server_url(url: str, *, setting: str, expected: str, options: frozenset[str] = frozenset()) -> ServerUrl:
    """The parts of a URL like `expected`, which may have these options.

    Raises:
        SettingsError: it is none; the message names the setting.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
        given = dict(parse_qsl(parts.query, strict_parsing=bool(parts.query)))
    except ValueError:
        raise malformed(setting, expected) from None  # its words hold parts of the URL
    if parts.scheme != urlsplit(expected).scheme or _is_torn(parts) or given.keys() - options:
        raise malformed(setting, expected, options)
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    return ServerUrl(parts.hostname, port, parts.path.lstrip("/"), user, password, given)


def _is_torn(parts: SplitResult) -> bool:
    """Whether a password ended the host too early: what follows it lies in other parts."""
    return bool(parts.fragment) or "@" in parts.path or "@" in parts.query


def malformed(setting: str, expected: str, options: frozenset[str] = frozenset()) -> SettingsError:
    known = f", with no other options than {', '.join(sorted(options))}" if options else ""
    return SettingsError(
        f"{setting} is no such URL as was expected: {expected}{known}. In a password, characters such as @ : / ? # % "
        "are written as %40 %3A %2F %3F %23 %25. Its value is not told here, as it may hold the password."
    )
