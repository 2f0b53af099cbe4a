"""Names of databases, tables and columns: a small alphabet at the door, and quotes wherever they stand in SQL.

Quoting alone would not do. A driver may cut a name at NUL, Postgres cuts it at 63 bytes, Redshift folds it to lower
case even inside quotes, and two names could then mean one table.
"""

import re

from slice_platform.warehouse.refusal import FileRefused, refuse

MOST_CHARACTERS = 63  # of Postgres; MySQL takes 64, Redshift 127
_IDENTIFIER = re.compile(rf"[a-z_][a-z0-9_]{{0,{MOST_CHARACTERS - 1}}}", re.ASCII)
_OURS = ("_slice_", "_stg", "pg_")
_ALPHABET = (
    f"lower-case letters, digits and _ are, up to {MOST_CHARACTERS} of them, with no digit first. Rename it in the "
    "file and in the path."
)


def identifier(text: str, what: str) -> str:
    """The text itself, if it may name a `what` (table, column, ...). Reserved words may: they are always quoted.

    Raises:
        FileRefused: it may not; the message says what a name is made of.
    """
    if not _IDENTIFIER.fullmatch(text):
        raise _refused(text, f"is no name for a {what}: {_ALPHABET}")
    if text.startswith(_OURS):
        raise _refused(text, f"is no name for a {what}: names that begin with {', '.join(_OURS)} are taken.")
    return text


def _refused(text: str, reason: str) -> FileRefused:
    shown = text if len(text) <= 2 * MOST_CHARACTERS else f"{text[:MOST_CHARACTERS]}..."
    return refuse(reason, value=shown)
