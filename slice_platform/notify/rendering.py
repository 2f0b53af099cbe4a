"""A notification as it is shown: heading, message, what became of its attachments, how often it was repeated."""

from slice_platform.notify.chat import File
from slice_platform.notify.kept import Kept
from slice_platform.notify.slack_text import bold, escape, fit, quoted

WHOLE = "message.txt"


def text_of(one: Kept) -> str:
    """The text of its message, escaped."""
    lines = [bold(one.heading)] if one.heading else []
    lines.append(escape(fit(one.message).text))
    lines += [f"_{escape(quoted(note))}_" for note in one.notes]
    if one.repeats and one.repeated_at:
        lines.append(f"_x{one.repeats + 1}, the last at {one.repeated_at:%Y-%m-%d %H:%M:%S} UTC_")
    return "\n".join(lines)


def files_of(one: Kept) -> tuple[str, ...]:
    """What lies below its message, in order: `WHOLE` where the text is not shown in full, then its attachments."""
    return (*((WHOLE,) if fit(one.message).whole is not None else ()), *one.attachments)


def file_of(one: Kept, place: int, content: bytes) -> File:
    """The file at a place of `files_of`."""
    name = files_of(one)[place].rsplit("/", 1)[-1]
    return File(name, f"{name} (#{one.id}.{place + 1})", content)
