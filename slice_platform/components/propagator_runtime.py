"""Which databases the propagator of this deployment meets: those of the settings, or the stand-ins of a laptop."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager

from slice_platform.aws import AwsAccess
from slice_platform.errors import SettingsError
from slice_platform.local.postgres_server import Server, running_server
from slice_platform.local.redshift_standin import STANDIN_LABEL, prepare_schemas, standin_connection
from slice_platform.settings import Settings, load_settings
from slice_platform.store import Store, open_store
from slice_platform.warehouse.destination import Destination
from slice_platform.warehouse.drop_path import DestinationName, TableRef
from slice_platform.warehouse.mysql import MySqlDestination
from slice_platform.warehouse.postgres import PostgresDestination
from slice_platform.warehouse.propagate import Door, Propagator
from slice_platform.warehouse.redshift import RedshiftDestination
from slice_platform.warehouse.redshift_connect import RedshiftAccess, redshift_connection
from slice_platform.warehouse.refusal import FileRefused
from slice_platform.warehouse.server_url import server_url

STANDIN_DATABASE = "redshift_standin"


def propagator_store(settings: Settings) -> Store:
    """Where files are dropped."""
    return open_store(settings.propagator_root, AwsAccess.of(settings))


@contextmanager
def open_propagator(settings: Settings | None = None) -> Iterator[Propagator]:
    """The propagator with its databases. The Postgres of a laptop runs inside the block, and is shared with others."""
    settings = settings or load_settings()
    store = propagator_store(settings)
    with ExitStack() as stack:
        server = stack.enter_context(_local_server(settings)) if store.is_local and _needs_server(settings) else None
        doors = {name: Door(made, _databases(settings)[name]) for name, made in _made(settings, store, server)}
        yield Propagator(store, doors, settings, closed=_CLOSED)


@contextmanager
def open_destination(table: TableRef, settings: Settings | None = None) -> Iterator[Destination]:
    """The destination of a projected table.

    Raises:
        SettingsError: it is not configured here, or its database is none that the platform may change.
    """
    with open_propagator(settings) as propagator:
        try:
            destination = propagator.door(table)
        except FileRefused as refused:
            raise SettingsError(f"Projecting into {table}: {refused}") from refused
        yield destination


_CLOSED: Mapping[DestinationName, str] = {
    "postgres": "No Postgres is configured here: set SLICE_POSTGRES_URL.",
    "mysql": "No MySQL is configured here: set SLICE_MYSQL_URL.",
    "redshift": "No Redshift is configured here: set SLICE_REDSHIFT_URL.",
}


def _needs_server(settings: Settings) -> bool:
    return settings.postgres_url is None or settings.redshift_url is None


def _databases(settings: Settings) -> dict[DestinationName, frozenset[str]]:
    return {
        "postgres": frozenset(settings.postgres_databases),
        "mysql": frozenset(settings.mysql_databases),
        "redshift": frozenset(settings.redshift_schemas),
    }


@contextmanager
def postgres_url(settings: Settings) -> Iterator[str]:
    """Where the Postgres of this deployment is; that of a laptop runs inside the block."""
    if settings.postgres_url is not None:
        yield settings.postgres_url
        return
    with _local_server(settings) as server:
        yield server.url("postgres")


@contextmanager
def _local_server(settings: Settings) -> Iterator[Server]:
    with running_server(settings.home_dir / "postgres", [*settings.postgres_databases, STANDIN_DATABASE]) as server:
        yield server


def _made(settings: Settings, store: Store, server: Server | None) -> Iterator[tuple[DestinationName, Destination]]:
    wait = settings.lock_timeout_seconds
    if settings.postgres_url is not None:
        yield "postgres", PostgresDestination(settings.postgres_url, lock_timeout_seconds=wait)
    elif server is not None:
        yield "postgres", PostgresDestination(server.url("postgres"), lock_timeout_seconds=wait)
    if settings.mysql_url is not None:
        yield "mysql", MySqlDestination(settings.mysql_url, lock_timeout_seconds=wait)
    if settings.redshift_url is not None:
        connect = redshift_connection(_redshift_access(settings, settings.redshift_url))
        yield "redshift", RedshiftDestination(connect, store, iam_role=settings.redshift_iam_role)
    elif server is not None:
        at = server.url(STANDIN_DATABASE)
        prepare_schemas(at, settings.redshift_schemas)
        connect = standin_connection(at, lambda address: open(address, "rb"))  # noqa: PTH123, SIM115 -- closed by the reader
        yield "redshift", RedshiftDestination(connect, store, iam_role=None, label=STANDIN_LABEL)


def _redshift_access(settings: Settings, url: str) -> RedshiftAccess:
    at = server_url(url, setting="SLICE_REDSHIFT_URL", expected="redshift://user:password@host:5439/database")
    return RedshiftAccess(
        host=at.host,
        port=at.port or 5439,
        database=at.database,
        user=at.user,
        password=at.password or None,
        cluster_identifier=settings.redshift_cluster,
        serverless_workgroup=settings.redshift_workgroup,
        region=settings.redshift_region,
    )
