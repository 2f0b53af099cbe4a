"""The statements of Redshift that the stand-in knows, and what Postgres is told for each.

They are matched from their first character to their last. Whatever does not match is refused, never passed on, so that
what runs here is what was meant for Redshift. Differences that matter are kept: keys are not enforced, an ALTER changes
one column, lengths of text are bytes.
"""

import re
from dataclasses import dataclass

from slice_platform.local.redshift_grammar import FIELD, FIELDS, NAMES, SAME, TABLE, TYPE, Q
from slice_platform.local.redshift_projections import PROJECTION_STATEMENTS

BOUND = rf"CAST\(%s AS {TYPE}\) AS {Q}"
_COLUMN = re.compile(rf"(?P<name>{Q}) (?P<type>{TYPE})(?P<rest>(?: NOT NULL)?(?: DEFAULT SYSDATE)?)")
_KEY = re.compile(rf"PRIMARY KEY \({NAMES}\)|FOREIGN KEY \({NAMES}\) REFERENCES {TABLE} \({NAMES}\)")
_CREATE = re.compile(
    rf"CREATE TABLE (?P<unless>IF NOT EXISTS )?(?P<table>{TABLE}) \(\n  (?P<body>.+)\n\) "
    rf"(?:DISTSTYLE KEY DISTKEY\((?P<dist>{Q})\) COMPOUND |DISTSTYLE ALL )SORTKEY\((?P<sort>{NAMES})\)",
    re.DOTALL,
)
_STAGE = re.compile(r'CREATE TEMPORARY TABLE (?P<table>"_stg_rows") \((?P<body>.+)\)', re.DOTALL)
_ADD = re.compile(rf"ALTER TABLE (?P<table>{TABLE}) ADD COLUMN (?P<column>{Q} {TYPE})")
COPY = re.compile(
    rf"COPY (?P<table>{TABLE}) \((?P<names>{NAMES})\) FROM '(?P<manifest>[^'\n]+)' "
    r"IAM_ROLE (?:default|'[^'\n]+') MANIFEST GZIP FORMAT AS CSV\n"
    r"NULL AS '(?P<null>[a-z0-9_]+)' DATEFORMAT 'YYYY-MM-DD' TIMEFORMAT 'auto' ENCODING AS UTF8 "
    r"MAXERROR 0 COMPUPDATE OFF"
)
_CATALOG = re.compile(
    r"SELECT column_name, data_type, (?P<rest>character_maximum_length, numeric_precision, numeric_scale\n"
    r"FROM information_schema\.columns WHERE table_schema = %s AND table_name = %s ORDER BY ordinal_position)"
)
_GUARDED = (
    rf"INSERT INTO {TABLE} \({NAMES}\)\nSELECT {NAMES} FROM \(SELECT {BOUND}(?:, {BOUND})*\) AS claim\n"
    rf"WHERE NOT EXISTS \(SELECT 1 FROM {TABLE} AS known WHERE known\.{Q} = claim\.{Q}\)"
)
_MERGE = (
    rf"MERGE INTO {TABLE} USING {TABLE} ON {SAME}\n"
    rf"WHEN MATCHED THEN UPDATE SET {Q} = {FIELD}(?:, {Q} = {FIELD})*\n"
    rf"WHEN NOT MATCHED THEN INSERT \({NAMES}\) VALUES \({FIELDS}\)"
)
_HAS_LEDGER = (
    r"SELECT count\(\*\) FROM information_schema\.tables "
    r"WHERE table_schema = %s AND table_name = '_slice_load_ledger'"
)
_LOAD_ERRORS = (
    r"SELECT line_number, (?:column_name, error_message FROM sys_load_error_detail\nWHERE file_name|"
    r"colname, err_reason FROM stl_load_errors\nWHERE filename) = CAST\(%s AS CHAR\(256\)\) "
    r"ORDER BY line_number LIMIT 20"
)
# What means the same to both.
_SHARED = [
    re.compile(shape)
    for shape in (
        rf"LOCK TABLE {TABLE}",
        rf"ALTER TABLE {TABLE} DROP COLUMN {Q}",
        rf"SELECT count\(\*\) FROM {TABLE}(?: WHERE {Q} = %s| JOIN {TABLE} ON {SAME})?",
        rf"SELECT {FIELDS} FROM {TABLE} JOIN {TABLE} ON {SAME} LIMIT 3",
        rf"SELECT {NAMES} FROM {TABLE} WHERE {Q} = %s",
        rf"SELECT {NAMES} FROM {TABLE} WHERE {Q} = %s AND {Q} IS NOT NULL ORDER BY {Q} DESC LIMIT 1",
        rf"INSERT INTO {TABLE} \({NAMES}\) SELECT {NAMES} FROM {TABLE}",
        rf"UPDATE {TABLE} SET (?P<id>{Q}) = %s WHERE (?P=id) = %s",
        rf"UPDATE {TABLE} SET (?P<held>{Q}) = (?P=held) WHERE {Q} = %s AND (?P=held) = %s",
        _HAS_LEDGER,
        _LOAD_ERRORS,
        _GUARDED,
        _MERGE,
        *PROJECTION_STATEMENTS,
    )
]


class NotRedshift(Exception):  # noqa: N818  # a refusal
    """The stand-in does not know the statement, or Redshift would refuse it."""


@dataclass(frozen=True)
class CopyStatement:
    table: str
    names: str
    manifest: str
    null: str


def to_postgres(statement: str) -> str | CopyStatement:
    """What Postgres runs in its place; a COPY is done by whoever asks.

    Raises:
        NotRedshift: it is none of our statements.
    """
    if found := COPY.fullmatch(statement):
        return CopyStatement(found["table"], found["names"], found["manifest"], found["null"])
    if found := _CREATE.fullmatch(statement):
        return _create(found)
    if found := _STAGE.fullmatch(statement):
        columns = [_column(part) for part in _split(found["body"], ", ")]
        return f"CREATE TEMPORARY TABLE {found['table']} ({', '.join(columns)}) ON COMMIT DROP"
    if found := _ADD.fullmatch(statement):
        return f"ALTER TABLE {found['table']} ADD COLUMN {_column(found['column'])}"
    if found := _CATALOG.fullmatch(statement):
        kind = "CASE data_type WHEN 'jsonb' THEN 'super' ELSE data_type END"
        return f"SELECT column_name, {kind}, {found['rest']}"
    if any(shape.fullmatch(statement) for shape in _SHARED):
        return statement
    raise NotRedshift(f"The stand-in for Redshift knows no such statement: {statement[:300]!r}")


def _create(found: "re.Match[str]") -> str:
    lines = _split(found["body"], ",\n  ")
    columns = [line for line in lines if not _KEY.fullmatch(line)]
    made = [_column(line) for line in columns]
    known = {line.split(" ", 1)[0] for line in columns}
    for name in [found["dist"], *found["sort"].split(", ")]:
        if name is not None and name not in known:
            raise NotRedshift(f"The table has no column {name}, which DISTKEY or SORTKEY names.")
    return f"CREATE TABLE {found['unless'] or ''}{found['table']} ({', '.join(made)})"


def _split(body: str, by: str) -> list[str]:
    """Columns and keys: what follows a comma begins with a name or a word, never with the digits of a type."""
    return re.split(rf'{by}(?="|PRIMARY|FOREIGN)', body)


def _column(line: str) -> str:
    found = _COLUMN.fullmatch(line)
    if found is None:
        raise NotRedshift(f"The stand-in for Redshift knows no such column: {line[:200]!r}")
    kind, rest = found["type"], found["rest"].replace("SYSDATE", "(clock_timestamp() AT TIME ZONE 'UTC')")
    if kind.startswith("VARCHAR"):  # Postgres counts characters
        rest += f" CHECK (octet_length({found['name']}) <= {kind[8:-1]})"
    return f"{found['name']} {'JSONB' if kind == 'SUPER' else kind}{rest}"
