"""Values and comments as YAML text, so that any name survives the way there and back."""

import re

_PLAIN = re.compile(r"[^\W\d_][\w./-]*")
_NOT_TEXT = {"true", "false", "null", "yes", "no", "on", "off", "y", "n"}
_MOST_SHOWN = 40


def scalar(value: str) -> str:
    """A string that YAML reads back as this very string; quoted only where it must be."""
    if _PLAIN.fullmatch(value) and value.lower() not in _NOT_TEXT:
        return value
    return f'"{escaped(value)}"'


def escaped(value: str) -> str:
    """As it stands between double quotes; nothing in it can end a line."""
    return "".join(_escape(char) for char in value)


def shown(value: str) -> str:
    """A value as a comment shows it: short, on one line, in quotes."""
    cut = value if len(value) <= _MOST_SHOWN else value[: _MOST_SHOWN - 1] + "…"
    return "'" + "".join(char if char.isprintable() else _escape(char) for char in cut) + "'"


def _escape(char: str) -> str:
    if char in '"\\':
        return "\\" + char
    if char.isprintable():
        return char
    code = ord(char)
    return f"\\x{code:02x}" if code <= 0xFF else f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
