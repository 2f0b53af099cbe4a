"""The Iceberg catalog that the settings name, and its errors told as ours."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

from pyiceberg.catalog import Catalog, load_catalog
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError

from slice_platform.aws import AwsAccess, told
from slice_platform.errors import StoreUnavailable
from slice_platform.lake.lake import CURATED, Lake
from slice_platform.lake.table_definition import TableDefinition
from slice_platform.s3_files import outage
from slice_platform.settings import Settings

Identifier = tuple[str, str]


def identifier(lake: Lake, table: TableDefinition) -> Identifier:
    """How the catalog knows a table."""
    settings = lake.settings
    return settings.catalog_namespace if table.tier == CURATED else settings.business_namespace, table.name


def catalog_of(lake: Lake) -> Catalog:
    with told_by_catalog("open", lake.settings.catalog):
        return _open(lake.settings, uri_of(lake.store.path(CURATED)))


def uri_of(path: str) -> str:
    return path if "://" in path else f"file://{path}"


@contextmanager
def told_by_catalog(verb: str, what: str) -> Iterator[None]:
    """What catalog and metadata files raise, as our errors. That another writer was faster stays pyiceberg's.

    Raises:
        StoreUnavailable: catalog or store did not answer; whether a commit came through is not known.
        AccessRefused: they refuse, and will again.
    """
    try:
        with told(verb, what):
            yield
    except (OperationalError, InterfaceError, DBAPIError) as error:
        raise StoreUnavailable(f"Could not {verb} {what!r}: the catalog's database said {error.orig}.") from error
    except FileNotFoundError as error:
        raise StoreUnavailable(
            f"Could not {verb} {what!r}: the catalog names a file that is not there: {error}"
        ) from error
    except OSError as error:
        raise outage(str(error)) or StoreUnavailable(f"Could not {verb} {what!r}: {error}") from error


@lru_cache(maxsize=8)
def _open(settings: Settings, warehouse: str) -> Catalog:
    if settings.catalog == "glue":
        from slice_platform.lake.glue import Glue  # noqa: PLC0415 -- brings boto3, which a laptop need not have

        return Glue(warehouse, AwsAccess.of(settings))
    settings.home_dir.mkdir(parents=True, exist_ok=True)
    io = {}
    if warehouse.startswith("s3://"):
        from slice_platform.lake.s3_io import io_properties  # noqa: PLC0415 -- pyiceberg's fsspec brings requests

        io = io_properties(AwsAccess.of(settings))
    return load_catalog("slice", type="sql", uri=settings.iceberg_catalog_url, warehouse=warehouse, **io)
