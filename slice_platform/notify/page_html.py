"""The pages themselves: one for each channel, and one that lists the channels. They load nothing and run nothing."""

from collections import defaultdict
from datetime import datetime
from pathlib import Path
from string import Template

from slice_platform.notify.page_files import attachment_html
from slice_platform.notify.page_messages import MESSAGES, Channel, Message, time_of
from slice_platform.notify.page_mrkdwn import mrkdwn_html, plain_html
from slice_platform.notify.page_style import STYLE

MOST_SHOWN = 500
# Should markup ever slip through, the browser still runs nothing and asks nobody.
_POLICY = "default-src 'none'; img-src 'self' file:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
_FRAME = Template(f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>$title</title>
<style>{STYLE}</style>
</head>
<body>
<header><h1>$heading</h1>$beside</header>
<main><div class="messages">
$content
</div></main>
<footer>$foot</footer>
</body>
</html>
""")
_MESSAGE = Template("""<article id="$ts">
<div class="avatar" aria-hidden="true">J</div>
<div class="body">
<p><b>Jarvis</b> <span class="quiet">$at UTC</span></p>
$text$file$replies
</div>
</article>
""")


def channel_page(name: str, messages: list[Message], folder: Path) -> bytes:
    """The messages of a channel, the newest last, where the page also opens; of many only the last are shown."""
    shown = _last(messages)
    replies = defaultdict(list)
    for message in shown:
        replies[message.thread].append(message)
    older = ""
    if len(shown) < len(messages):
        older = f'<p class="note">The last {len(shown)} of {len(messages)} messages. All are in {MESSAGES}.</p>'
    return _page(
        f"#{name}",
        content=older + _days(replies, folder),
        beside=f'<a href="../index.html">all channels</a> <span class="quiet">{_count(len(messages))}</span>',
        foot=f"What #{name} would show in Slack. Reload the page for what has come since.",
    )


def index_page(channels: list[Channel]) -> bytes:
    """The channels by name, each with its number of messages and the time of the last one."""
    lines = (
        f'<li><a href="{plain_html(one.name)}/index.html">#{plain_html(one.name)}</a> '
        f'<span class="quiet">{_count(one.messages)}, the last at {_minute(one.last_at)} UTC</span></li>\n'
        for one in channels
    )
    foot = "No Slack is configured, so what Jarvis tells is kept here."
    return _page("Jarvis", content=f'<ul class="channels">{"".join(lines)}</ul>', beside="", foot=foot)


def _last(messages: list[Message]) -> list[Message]:
    """The last messages, and those that the replies among them stand below."""
    last = messages[-MOST_SHOWN:]
    wanted = {message.ts for message in last} | {message.thread for message in last}
    return [message for message in messages if message.ts in wanted]


def _days(replies: dict[str | None, list[Message]], folder: Path) -> str:
    parts, day = [], None
    for message in replies.pop(None, []):
        if message.at.date() != day:
            day = message.at.date()
            parts.append(f"<h2><span>{day:%A, {day.day} %B %Y}</span></h2>\n")
        parts.append(_message(message, replies.pop(message.ts, []), folder))
    return "".join(parts)


def _message(message: Message, replies: list[Message], folder: Path) -> str:
    below = "".join(_message(reply, [], folder) for reply in replies)
    return _MESSAGE.substitute(
        ts=plain_html(message.ts),
        at=_minute(message.at),
        text=_text(message),
        file=attachment_html(message.file, folder) if message.file else "",
        replies=f'<section class="thread">\n{below}</section>' if below else "",
    )


def _text(message: Message) -> str:
    if not message.text:
        return ""
    edited = ""
    if message.edited_ts:
        edited = f' <span class="quiet" title="{_minute(time_of(message.edited_ts))} UTC">(edited)</span>'
    return f'<div class="text">{mrkdwn_html(message.text)}{edited}</div>\n'


def _page(title: str, *, content: str, beside: str, foot: str) -> bytes:
    """Half a character, which no encoding knows, becomes `?`."""
    title, foot = plain_html(title), plain_html(foot)
    page = _FRAME.substitute(title=title, heading=title, content=content, beside=beside, foot=foot)
    return page.encode("utf-8", "replace")


def _minute(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M}"


def _count(messages: int) -> str:
    return "1 message" if messages == 1 else f"{messages} messages"
