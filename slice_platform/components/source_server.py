"""Where the database of a source is: the URL in an environment variable, or a server of the platform itself."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from slice_platform.errors import SettingsError
from slice_platform.local.postgres_server import running_server
from slice_platform.settings import Settings, project_folder
from slice_platform.warehouse.source.reading import SourceServer
from slice_platform.warehouse.source.server import server_at
from slice_platform.warehouse.source.spec import SourceSpec


@contextmanager
def open_server(spec: SourceSpec, settings: Settings) -> Iterator[SourceServer]:
    """The server, not connected yet. The Postgres of a laptop runs inside the block.

    Raises:
        SettingsError: the variable is not set, or is no URL of such a server.
    """
    if spec.url_variable is not None:
        yield _checked(spec, server_at(_url(spec.url_variable), setting=spec.url_variable, database=spec.database))
    elif spec.kind == "mysql":
        if settings.mysql_url is None:
            raise SettingsError(f"Reading a source of {spec.dataset!r} from MySQL: set SLICE_MYSQL_URL.")
        yield server_at(settings.mysql_url, setting="SLICE_MYSQL_URL", database=spec.database)
    elif settings.postgres_url is not None:
        yield server_at(settings.postgres_url, setting="SLICE_POSTGRES_URL", database=spec.database)
    else:
        databases = dict.fromkeys([*settings.postgres_databases, str(spec.database)])
        with running_server(settings.home_dir / "postgres", list(databases)) as server:
            yield server_at(server.url(str(spec.database)), setting="the local Postgres")


def _checked(spec: SourceSpec, server: SourceServer) -> SourceServer:
    if spec.server is not None and spec.server != server.kind:
        raise SettingsError(
            f"{spec.url_variable} is a URL of {server.kind}, but the source of {spec.dataset!r} says server: "
            f"{spec.server}. Mend one of them."
        )
    return server


def _url(variable: str) -> str:
    from dotenv import dotenv_values  # noqa: PLC0415 -- only who reads a source needs it

    url = os.environ.get(variable) or dotenv_values(project_folder() / ".env").get(variable)
    if not url:
        raise SettingsError(
            f"The variable {variable} is not set. Set it, in the environment or in .env, to "
            "postgresql://user:password@host/database or mysql://user:password@host/database."
        )
    return url
