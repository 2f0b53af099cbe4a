"""Text as Slack takes it: mentions pass, all else that could be markup is escaped, and nothing is cut silently."""

import re
from dataclasses import dataclass

MOST_CHARACTERS = 3_500  # of one message as it is shown; Slack advises 4 000 and cuts off at 40 000
_MENTION = re.compile(r"<!channel>|<@[UW][A-Z0-9]{2,}>")
_MOST_MENTIONS = 20
_NO_SPACE = "\u200b"  # of no width: between the signs of a mention it makes text of it


def escape(text: str) -> str:
    """`<!channel>` and `<@USERID>` stay; any other `<`, `>` and `&` is shown as it is."""
    parts, end = [], 0
    for found in _MENTION.finditer(text):
        parts += [_plain(text[end : found.start()]), found.group()]
        end = found.end()
    return "".join([*parts, _plain(text[end:])])


def quoted(text: str) -> str:
    """Text of others within a message: it reads as it is, and calls nobody."""
    return _MENTION.sub(lambda found: f"<{_NO_SPACE}{found.group()[1:]}", text)


def bold(heading: str) -> str:
    """A line in bold, which calls nobody. Stars and line breaks would end it."""
    return f"*{escape(quoted(' '.join(heading.replace('*', '').split())))}*"


def code(text: str) -> str:
    """A block of code; what is in it means nothing to Slack, and calls nobody."""
    return "```\n" + quoted(text).replace("```", "'''") + "\n```"


@dataclass(frozen=True)
class Shown:
    """What of a text is shown, and the whole of it where that is more."""

    text: str
    whole: str | None = None


def fit(text: str, *, most: int = MOST_CHARACTERS) -> Shown:
    """A text that is too long is shown up to the end of a line; nobody who is mentioned further down is left out."""
    if len(escape(text)) <= most:
        return Shown(text)
    head = text[: most * 4 // 5]
    while len(escape(head)) > most:
        head = head[: len(head) * 9 // 10]
    head = head.rsplit("\n", 1)[0] if "\n" in head[len(head) // 2 :] else head
    head = _without_half_mention(text, head)
    if head.count("```") % 2:
        head += "\n```"
    called = [one for one in dict.fromkeys(_MENTION.findall(text)) if one not in head][:_MOST_MENTIONS]
    rest = f"... the whole text, {len(text):,} characters, is attached."
    return Shown("\n".join([head, " ".join([*called, rest])]), text)


def _without_half_mention(text: str, head: str) -> str:
    cut = len(head)
    return next((text[: found.start()] for found in _MENTION.finditer(text) if found.start() < cut < found.end()), head)


def _plain(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
