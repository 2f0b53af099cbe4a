"""The stand-in for Redshift: it runs what we send to Redshift, nothing else, and keeps differences that matter."""

import gzip
import io
import json
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from slice_platform.local.redshift_standin import StandInConnection, standin_connection
from slice_platform.local.redshift_statements import NotRedshift, to_postgres
from slice_platform.warehouse.drop_path import DestinationName
from slice_platform.warehouse.redshift_sql import RedshiftDialect
from slice_platform_tests.warehouse.conftest import make_world  # noqa: F401 -- a fixture
from slice_platform_tests.warehouse.worlds import World

CREATE = 'CREATE TABLE "shop"."t" (\n  "id" INTEGER NOT NULL,\n  "name" VARCHAR(4),\n  PRIMARY KEY ("id")\n) '
KEYS = 'DISTSTYLE KEY DISTKEY("id") COMPOUND SORTKEY("id")'
COPY = (
    'COPY "shop"."t" ("id", "name") FROM \'m\' IAM_ROLE default MANIFEST GZIP FORMAT AS CSV\n'
    "NULL AS 'null_word' DATEFORMAT 'YYYY-MM-DD' TIMEFORMAT 'auto' ENCODING AS UTF8 MAXERROR 0 COMPUPDATE OFF"
)


def files(content: bytes, *, size: int = 0, url: str = "a") -> dict[str, bytes]:
    packed = gzip.compress(content)
    entry = {"url": url, "mandatory": True, "meta": {"content_length": size or len(packed)}}
    return {"m": json.dumps({"entries": [entry]}).encode(), "a": packed, "ab": gzip.compress(b'"9","x"\n')}


@pytest.fixture
def connect(make_world: Callable[[DestinationName], World]) -> Callable[[dict[str, bytes]], StandInConnection]:  # noqa: F811 -- see above
    url = make_world("redshift").url

    def made(found: dict[str, bytes]) -> StandInConnection:
        def open_uri(address: str) -> Any:
            if address not in found:
                raise FileNotFoundError(address)
            return io.BytesIO(found[address])

        connection = standin_connection(url, open_uri)()
        connection.cursor().execute(CREATE + KEYS)
        return connection

    return made


@pytest.mark.parametrize(
    "statement",
    [
        "DROP TABLE victim",
        CREATE + KEYS + "; DROP TABLE victim",
        CREATE,
        CREATE + 'DISTSTYLE KEY DISTKEY("nope") COMPOUND SORTKEY("id")',
        CREATE.replace("INTEGER", "INTEGER DEFAULT (select 1)") + KEYS,
        CREATE.replace("INTEGER", "GEOMETRY") + KEYS,
        'ALTER TABLE "shop"."t" ADD COLUMN "a" INTEGER, ADD COLUMN "b" INTEGER',
        'ALTER TABLE "shop"."t" ADD COLUMN "a" INTEGER NOT NULL; SELECT 1',
        COPY + "; DROP TABLE victim",
        COPY.replace("MANIFEST ", ""),
        'SELECT count(*) FROM "shop"."t" WHERE 1 = 1',
        'UPDATE "shop"."t" SET "id" = "name" WHERE "name" = %s AND "id" = %s',
        "SELECT line_number, column_name, error_message FROM victim\nWHERE file_name = %s LIMIT 20",
        'LOCK TABLE "shop"."t"\n',
        'SELECT "id" FROM "a"; DELETE FROM "b" WHERE "id" = %s',
        'MERGE INTO "shop"."t" USING "_stg_rows" ON "shop"."t"."id" = "_stg_rows"."id"\nWHEN MATCHED THEN DELETE',
        "",
    ],
)
def test_anything_else_is_refused(statement: str) -> None:
    with pytest.raises(NotRedshift):
        to_postgres(statement)


def test_copy_takes_just_the_file_of_the_manifest(connect: Callable[[dict[str, bytes]], StandInConnection]) -> None:
    connection = connect(files(b'"1","x"\n"2",null_word\n"3",""\n'))
    cursor = connection.cursor()
    cursor.execute(COPY)
    cursor.execute('SELECT count(*) FROM "shop"."t"')
    assert cursor.fetchall() == [(3,)]
    connection.close()


@pytest.mark.parametrize(
    ("found", "reason"),
    [(files(b'"1","x"\n', size=7), "bytes, not 7"), (files(b"", url="gone"), "is not there")],
    ids=["another length", "missing"],
)
def test_copy_refuses_a_file_that_is_not_the_one(
    connect: Callable[[dict[str, bytes]], StandInConnection], found: dict[str, bytes], reason: str
) -> None:
    connection = connect(found)
    with pytest.raises(NotRedshift, match=reason):
        connection.cursor().execute(COPY)
    connection.close()


def test_keys_are_not_enforced(connect: Callable[[dict[str, bytes]], StandInConnection]) -> None:
    connection = connect(files(b'"1","x"\n"1","y"\n'))
    cursor = connection.cursor()
    cursor.execute(COPY)
    cursor.execute('SELECT count(*) FROM "shop"."t"')
    assert cursor.fetchall() == [(2,)]
    connection.close()


def test_the_length_of_text_is_in_bytes(connect: Callable[[dict[str, bytes]], StandInConnection]) -> None:
    connection = connect(files('"1","ééé"\n'.encode()))
    with pytest.raises(psycopg.errors.InternalError_, match="failed") as caught:
        connection.cursor().execute(COPY)
    assert isinstance(caught.value.__cause__, psycopg.errors.CheckViolation)
    connection.close()


def test_a_copy_that_fails_notes_line_and_column_as_redshift_does(
    connect: Callable[[dict[str, bytes]], StandInConnection],
) -> None:
    connection = connect(files(b'"1","x"\n"two","y"\n', url="a"))
    with pytest.raises(psycopg.errors.InternalError_, match="Check 'sys_load_error_detail'"):
        connection.cursor().execute(COPY)
    connection.rollback()
    cursor = connection.cursor()
    cursor.execute(RedshiftDialect().load_errors()[0], ("a",))
    ((line, column, reason),) = cursor.fetchall()
    assert (line, column.strip()) == (2, "id") and "two" in reason
    connection.close()
