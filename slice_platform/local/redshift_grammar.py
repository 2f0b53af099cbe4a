"""The smallest parts of the statements that the stand-in for Redshift knows, as regular expressions."""

Q = r'"[a-z_][a-z0-9_]*"'
NAMES = rf"{Q}(?:, {Q})*"
TABLE = rf"{Q}(?:\.{Q})?"
FIELD = rf"{Q}(?:\.{Q}){{1,2}}"
FIELDS = rf"{FIELD}(?:, {FIELD})*"
SAME = rf"{FIELD} = {FIELD}(?: AND {FIELD} = {FIELD})*"
TYPE = (
    r"(?:SMALLINT|INTEGER|BIGINT|REAL|DOUBLE PRECISION|BOOLEAN|DATE|TIMESTAMP|TIMESTAMPTZ|SUPER|"
    r"(?:VARCHAR|CHAR)\([0-9]{1,5}\)|DECIMAL\([0-9]{1,2},[0-9]{1,2}\))"
)
