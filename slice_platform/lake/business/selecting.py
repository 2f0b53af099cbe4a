"""The model at work: its rows of one partition in a table of DuckDB, and what goes wrong there told as ours."""

import duckdb

from slice_platform.engine import run, told_of_engine
from slice_platform.errors import ModelFailed, SettingsError
from slice_platform.lake.business.definition import BusinessTable
from slice_platform.lake.business.hashing import hash_variables, key_digest
from slice_platform.lake.classification import is_closed
from slice_platform.settings import Settings

_KEPT_BACK = (
    "what DuckDB says is kept back, as it may quote personal data; run the SELECT with `slice query --role pii_reader`."
)
MADE = "made"  # the table that holds the rows


def prepare(connection: duckdb.DuckDBPyConnection, table: BusinessTable, settings: Settings) -> None:
    """DuckDB can hash personal data, if the model asks for it.

    Raises:
        SettingsError: it does, and there is no key.
    """
    if table.treated.needs_key:
        set_hash_key(connection, settings, f"Building business.{table.name}")


def set_hash_key(connection: duckdb.DuckDBPyConnection, settings: Settings, doing: str) -> None:
    """Raises SettingsError where there is no key."""
    if settings.personal_hash_key is None:
        raise SettingsError(
            f"{doing}: personal data is to be hashed, and SLICE_PERSONAL_HASH_KEY is not set. Make a key once with "
            "`openssl rand -hex 32`, keep it as a secret, and give it to every process of the platform."
        )
    for statement in hash_variables(settings.personal_hash_key.get_secret_value().encode()):
        run(connection, statement)


def hashes_as(settings: Settings, *, needs_key: bool) -> str:
    """What stands for the key in the fingerprint of what is hashed; nothing where nothing is."""
    if not needs_key or settings.personal_hash_key is None:
        return ""
    return f" {key_digest(settings.personal_hash_key.get_secret_value().encode())}"


def select_into(connection: duckdb.DuckDBPyConnection, table: BusinessTable, key: str, settings: Settings) -> None:
    """The rows of the partition are in `MADE`.

    Raises:
        ModelFailed: the SQL fails on the data.
        TransientError: memory ran out.
        StoreUnavailable: a file could not be read.
    """
    doing = f"Building business.{table.name}, partition {key}"
    with told_of_engine(doing, settings, lambda error: ModelFailed(f"{doing}: {_why(table, error)}")):
        run(connection, f"create or replace temp table {MADE} as {table.select_at(key)}")


def _why(table: BusinessTable, error: duckdb.Error) -> str:
    is_closed_input = any(is_closed(column.classification) for one in table.bound.tables for column in one.columns)
    # DuckDB quotes the values that it stumbled over, in many ways, and what is told goes to logs and chats.
    said = _KEPT_BACK if is_closed_input else str(error)
    return (
        f"{table.bound.text.path} fails on the data: {said} Nothing was changed. Mend the model, e.g. with try_cast or "
        "nullif, or the data."
    )
