"""A server of operational databases from its URL."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from slice_platform.errors import SettingsError
from slice_platform.warehouse import mysql, postgres
from slice_platform.warehouse.source.mysql_source import MySqlServer
from slice_platform.warehouse.source.postgres_source import PostgresServer
from slice_platform.warehouse.source.reading import SourceServer

_SCHEMES = {"postgres": "postgresql", "postgresql": "postgresql", "mysql": "mysql", "mariadb": "mysql"}


def server_at(url: str, *, setting: str, database: str | None = None) -> SourceServer:
    """The server of a URL such as postgresql://user:password@host/shop or mysql://...; `database` wins over the URL's.

    Nothing is connected yet.

    Raises:
        SettingsError: it is no such URL; the message names the setting, and no part of the URL.
    """
    scheme, _, rest = url.partition("://")
    kind = _SCHEMES.get(scheme)
    if kind is None:
        raise SettingsError(
            f"{setting} is no URL of a database: expected postgresql://user:password@host/database or "
            "mysql://user:password@host/database. Its value is not told here, as it may hold the password."
        )
    if kind == "mysql":
        return _mysql(f"mysql://{rest}", setting, database)
    return _postgres(f"postgresql://{rest}", setting, database)


def _postgres(url: str, setting: str, database: str | None) -> PostgresServer:
    from psycopg.conninfo import conninfo_to_dict, make_conninfo  # noqa: PLC0415 -- definitions load without it

    with _about(setting, postgres.SETTING):
        parts: dict[str, Any] = dict(conninfo_to_dict(postgres.checked_url(url)))
    name = database or parts.get("dbname")
    if not name:
        raise _names_no_database(setting)
    return PostgresServer(
        make_conninfo(url, dbname=name), label=_label("postgres", parts.get("host"), parts.get("port"), str(name))
    )


def _mysql(url: str, setting: str, database: str | None) -> MySqlServer:
    with _about(setting, mysql.SETTING):
        options = mysql.connection_options(url)
    name = database or urlsplit(url).path.strip("/")
    if not name:
        raise _names_no_database(setting)
    host = options.get("host") or options.get("unix_socket")
    return MySqlServer(options, name, label=_label("mysql", host, options.get("port"), name))


def _label(kind: str, host: Any, port: Any, database: str) -> str:
    return f"{kind}://{host or 'localhost'}{f':{port}' if port else ''}/{database}"


def _names_no_database(setting: str) -> SettingsError:
    return SettingsError(f"{setting} names no database, and `database` does not either. Give one of them.")


@contextmanager
def _about(setting: str, usual: str) -> Iterator[None]:
    """What the destinations say of their own setting is said of this one."""
    try:
        yield
    except SettingsError as error:
        raise SettingsError(str(error).replace(usual, setting)) from None
