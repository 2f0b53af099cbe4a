"""The statements of projections that the stand-in for Redshift knows: all mean the same to Postgres.

STRTOL, which Postgres lacks, is a function in the database that stands in.
"""

from slice_platform.local.redshift_grammar import FIELD, FIELDS, NAMES, SAME, TABLE, Q

STRTOL = (
    "CREATE OR REPLACE FUNCTION public.strtol(digits TEXT, base INTEGER) RETURNS BIGINT IMMUTABLE STRICT PARALLEL SAFE "
    "LANGUAGE SQL AS $$ SELECT CASE base WHEN 16 THEN CAST(CAST('x' || LPAD(digits, 16, '0') AS BIT(64)) AS BIGINT) "
    "END $$"
)
_MOMENT = r"TIMESTAMP '[0-9: .-]{26}'|TIMESTAMPTZ '[0-9: .-]{26}\+00'"
_WINDOW = rf"{Q} >= (?:{_MOMENT}) AND {Q} < (?:{_MOMENT})"
_NOT_STAGED = rf"NOT EXISTS \(SELECT 1 FROM {TABLE} WHERE {SAME}\)"
_OUTSIDE = rf"\({FIELD} < (?:{_MOMENT}) OR {FIELD} >= (?:{_MOMENT})\)"
_DIFFERENCE = (
    rf"{FIELD} <> {FIELD}|OCTET_LENGTH\({FIELD}\) <> OCTET_LENGTH\({FIELD}\)|"
    rf"\({FIELD} IS (?:NOT )?NULL AND {FIELD} IS (?:NOT )?NULL\)"
)
_UPDATE = (
    rf"UPDATE {TABLE} SET {Q} = {FIELD}(?:, {Q} = {FIELD})* FROM {TABLE}\n"
    rf"WHERE {SAME} AND \((?:1 = 1|(?:{_DIFFERENCE})(?: OR (?:{_DIFFERENCE}))*)\)"
)
_WORDS = (
    "ABS", "AND", "AS", "AT", "BIGINT", "CASE", "CAST", "COALESCE", "DOUBLE PRECISION", "ELSE", "END", "FLOOR", "MD5",
    "NOT", "OCTET_LENGTH", "RTRIM", "STRTOL", "SUBSTRING", "SUM", "THEN", "TIME ZONE", "TO_CHAR", r"VARCHAR\(64\)",
    "WHEN",
)  # fmt: skip
_TOKEN = rf"(?:{Q}|'[^'\n]*'|\|\||[<>]=?|[-=*(), ]|[0-9]+|(?:{'|'.join(_WORDS)}))"
_CHECKSUM = rf"COALESCE\(SUM\(STRTOL\(SUBSTRING\(MD5\({_TOKEN}++"
PROJECTION_STATEMENTS = (
    rf"INSERT INTO {TABLE} \({NAMES}\) VALUES \(%s(?:, %s)*\)",
    rf"UPDATE {TABLE} SET {Q} = 1 WHERE {Q} = %s AND {Q} <> %s\nAND {Q} <= %s AND {Q} > %s",
    rf"UPDATE {TABLE} SET {Q} = NULL(?:, {Q} = NULL)* WHERE {Q} IS NOT NULL(?: OR {Q} IS NOT NULL)*",
    rf"DELETE FROM {TABLE} WHERE {Q} = %s",
    rf"SELECT count\(\*\) FROM \(SELECT 1 AS {Q} FROM {TABLE} LIMIT 1\) AS {Q}",
    rf"DELETE FROM {TABLE}(?: WHERE (?:{_WINDOW}|{_NOT_STAGED}|{_WINDOW} AND {_NOT_STAGED}))?",
    rf"SELECT count\(\*\), min\({FIELD}\), max\({FIELD}\) FROM {TABLE} JOIN {TABLE} ON {SAME} WHERE {_OUTSIDE}",
    _UPDATE,
    rf"INSERT INTO {TABLE} \({NAMES}\) SELECT {FIELDS}\nFROM {TABLE} WHERE {_NOT_STAGED}",
    rf"SELECT count\(\*\)\nFROM {TABLE}",
    rf"SELECT count\(\*\), {_CHECKSUM}\nFROM {TABLE}(?: WHERE {_WINDOW})?",
)
