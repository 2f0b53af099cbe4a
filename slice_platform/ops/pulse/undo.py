"""What is kept before a file is changed or deleted: where it was, and its content."""

import base64
import json


def undo_record(path: str, content: bytes | None) -> str:
    """As JSON; `content` null says that there was no such file."""
    try:
        kept: dict[str, str | None] = {"content": None if content is None else content.decode("utf-8")}
    except UnicodeDecodeError:
        kept = {"content_base64": base64.b64encode(content or b"").decode("ascii")}
    return json.dumps({"path": path, **kept})
