"""Every statement that goes to Redshift, beside a reviewed file of them: `golden/redshift.sql`.

After a change that is meant, `WRITE_GOLDEN=1 pytest ...` writes the file anew, and its difference is reviewed.
"""

import os
import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlglot
from sqlalchemy import BIGINT, BOOLEAN, INTEGER, NUMERIC, VARCHAR, Column, MetaData, Table
from sqlalchemy.schema import CreateTable
from sqlglot import exp

from slice_platform.local.redshift_statements import to_postgres
from slice_platform.warehouse.column_type import column_type
from slice_platform.warehouse.drop_path import TableRef
from slice_platform.warehouse.projection import ProjectedTable
from slice_platform.warehouse.projection_sql import RedshiftProjectionSql
from slice_platform.warehouse.redshift_sql import CopySource, RedshiftDialect
from slice_platform.warehouse.table_spec import Column as SpecColumn
from slice_platform.warehouse.table_spec import TableSpec, columns_of, read_table_spec

GOLDEN = Path(__file__).with_name("golden") / "redshift.sql"
SQL = RedshiftDialect()
REF = TableRef("redshift", "analytics", "order")
SPEC = read_table_spec(
    b"""{"column_specification": {"id": "BIGINT", "user": "INTEGER", "amount": "DECIMAL(12,2)", "is_open": "BOOLEAN",
    "note": "VARCHAR", "long": "VARCHAR(MAX)", "document": "SUPER", "at": "TIMESTAMPTZ"}, "primary_key": ["id", "user"],
    "dist_key": "user", "sort_key": ["at", "id"],
    "foreign_key": [{"columns": ["user"], "table": "users", "references": ["id"]}]}""",
    "redshift",
)
ROLE = CopySource("s3://bucket/_staging/ab.manifest", "_slice_null_ab", "arn:aws:iam::1:role/copy")
NO_ROLE = CopySource("s3://bucket/_staging/cd.manifest", "_slice_null_cd")
AMOUNTS = ProjectedTable(
    REF,
    TableSpec(
        columns_of({"id": "BIGINT", "code": "CHAR(3)", "note": "VARCHAR(MAX)", "x": "REAL", "ok": "BOOLEAN",
                    "day": "DATE", "at": "TIMESTAMPTZ"}), ("id", "code"),
    ),
    "upsert",
    "at",
)  # fmt: skip
DOCUMENTS = replace(AMOUNTS, spec=TableSpec(columns_of({"id": "BIGINT", "day": "DATE", "document": "SUPER"}), ("id",)),
                    partition_column="day")  # fmt: skip
DAY = (datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC))
PROJECTIONS = RedshiftProjectionSql(SQL)
STATEMENTS: dict[str, tuple[str, ...]] = {
    "look for the ledger": (SQL.has_ledger(),),
    "make the ledger": SQL.create_ledger("analytics"),
    "lock": (SQL.lock(REF),),
    "find a claim": (SQL.find_claim("analytics"),),
    "newest description of a table": (SQL.newest_spec("analytics"),),
    "columns in the catalog": (SQL.columns_of(),),
    "create": SQL.create_table(REF, SPEC),
    "add columns": SQL.add_columns(
        REF, [SpecColumn("a", column_type("DATE", "a")), SpecColumn("b", column_type("char(3)", "b"))]
    ),
    "drop columns": SQL.drop_columns(REF, ["a", "b"]),
    "stage": (SQL.create_stage(SPEC.columns),),
    "copy": (SQL.copy_in(SQL.stage, SPEC.columns[:2], ROLE), SQL.copy_in(SQL.stage, SPEC.columns[:1], NO_ROLE)),
    "count what is staged": (SQL.count_stage(),),
    "count known keys": (SQL.count_known(REF, SPEC.primary_key),),
    "some known keys": (SQL.some_known(REF, SPEC.primary_key),),
    "insert": (SQL.insert(REF, SPEC.columns),),
    "merge": (SQL.merge(REF, SPEC.primary_key, SPEC.columns[:3]), SQL.merge(REF, ("id",), SPEC.columns[:1])),
    "book": (SQL.record("analytics", with_spec=False), SQL.record("analytics", with_spec=True)),
    "who has booked": (SQL.claimants("analytics"),),
    "hold": (SQL.hold("analytics"),),
    "forget": (SQL.forget("analytics"),),
    "why a COPY failed": SQL.load_errors(),
    "make the ledger of projections": SQL.create_projections("analytics"),
    "find projections": tuple(PROJECTIONS.recorded("analytics", by=by) for by in ("id", "table_name")),
    "count projections": (PROJECTIONS.count_recorded("analytics"),),
    "forget projections": tuple(PROJECTIONS.forget("analytics", by=by) for by in ("id", "table_name")),
    "book a projection": (PROJECTIONS.record("analytics"),),
    "who has booked a projection": (PROJECTIONS.claimants("analytics"),),
    "mark projections": (PROJECTIONS.make_stale("analytics"),),
    "is there a row": (PROJECTIONS.any_row(REF),),
    "delete a partition": (PROJECTIONS.delete(AMOUNTS, DAY), PROJECTIONS.delete(AMOUNTS, None)),
    "delete what is gone": (PROJECTIONS.delete_gone(AMOUNTS, DAY), PROJECTIONS.delete_gone(DOCUMENTS, None)),
    "count what moved": (PROJECTIONS.moved(AMOUNTS, DAY), PROJECTIONS.moved(DOCUMENTS, DAY)),
    "update what differs": (PROJECTIONS.update_changed(AMOUNTS), PROJECTIONS.update_changed(DOCUMENTS)),
    "insert what is new": (PROJECTIONS.insert_new(AMOUNTS),),
    "measure": (PROJECTIONS.measure(AMOUNTS, DAY), PROJECTIONS.measure(DOCUMENTS, None)),
}  # fmt: skip
ALL = [pytest.param(one, id=f"{name} {number}") for name, many in STATEMENTS.items() for number, one in enumerate(many)]
# sqlglot knows neither all options of COPY, nor LOCK, nor DISTSTYLE ALL beside a SORTKEY.
KNOWN_TO_SQLGLOT = [one for one in ALL if not str(one.values[0]).startswith(("COPY", "LOCK", "CREATE TABLE IF NOT"))]


def test_the_statements_are_those_of_the_reviewed_file() -> None:
    text = "\n".join(f"-- {name}\n" + "".join(f"{one};\n" for one in many) for name, many in STATEMENTS.items())
    if os.environ.get("WRITE_GOLDEN"):
        GOLDEN.write_text(text, encoding="utf-8")
    assert GOLDEN.read_text(encoding="utf-8") == text


@pytest.mark.parametrize("statement", ALL)
def test_the_stand_in_knows_every_statement(statement: str) -> None:
    to_postgres(statement)


@pytest.mark.parametrize("statement", KNOWN_TO_SQLGLOT)
def test_every_statement_is_one_statement_of_redshift(statement: str) -> None:
    (parsed,) = sqlglot.parse(statement.replace("%s", "NULL"), read="redshift")
    assert parsed is not None and not isinstance(parsed, exp.Command)


def test_a_table_is_what_the_dialect_of_sqlalchemy_makes_of_it() -> None:
    from sqlalchemy_redshift.dialect import RedshiftDialect as Theirs

    columns: list[Any] = [
        Column("id", BIGINT, primary_key=True, autoincrement=False), Column("user", INTEGER, nullable=True),
        Column("amount", NUMERIC(12, 2)), Column("is_open", BOOLEAN), Column("note", VARCHAR(256)),
    ]  # fmt: skip
    theirs = Table("order", MetaData(), *columns, schema="analytics", redshift_diststyle="KEY", redshift_distkey="user",
                   redshift_sortkey=["id", "amount"])  # fmt: skip
    spec = read_table_spec(
        b"""{"column_specification": {"id": "BIGINT", "user": "INTEGER", "amount": "DECIMAL(12,2)",
        "is_open": "BOOLEAN", "note": "VARCHAR"},
        "primary_key": ["id"], "dist_key": "user", "sort_key": ["id", "amount"]}""",
        "redshift",
    )
    (ours,) = SQL.create_table(REF, spec)
    assert alike(ours) == alike(str(CreateTable(theirs).compile(dialect=Theirs())))


def alike(ddl: str) -> str:
    """Without what is free: quotes, white space, the word that is the default, and a synonym."""
    plain = re.sub(r'["\s]+', " ", ddl.replace("COMPOUND ", "").replace("DECIMAL", "NUMERIC"))
    plain = re.sub(r" ?([(),.]) ?", r"\1", plain).upper().strip()
    return re.sub(r"NUMERIC\((\d+),\s*(\d+)\)", r"NUMERIC(\1,\2)", plain)
