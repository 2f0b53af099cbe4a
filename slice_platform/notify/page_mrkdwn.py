"""Slack's mrkdwn as HTML. Whatever is not known to be markup is text, and stays text."""

import html
import re

_BLOCK = re.compile(r"\n?```\n?(.+?)\n?```\n?", re.DOTALL)
_SPAN = re.compile(
    r"`(?P<code>[^`\n]+)`"
    r"|<(?P<mention>!(?:channel|here|everyone)|@[UW][A-Z0-9]+)>"
    r"|<(?P<link>https?://[^\s<>|]+)(?:\|(?P<label>[^<>\n]+))?>"
    r"|(?P<url>https?://(?:(?!&[lg]t;)[^\s<>`])+)"
    r"|(?<!\w)(?P<mark>[*_~])(?=\S)(?P<marked>(?:(?!(?P=mark))[^\n])+)(?<=\S)(?P=mark)(?!\w)"
)
_TAGS = {"*": "b", "_": "i", "~": "s"}
_CONTROL = re.compile(
    r"\x1b\[[0-9;?]*[A-Za-z]|[\x00-\x08\x0b-\x1f\x7f]"
)  # colours of a terminal, and what has no shape
_ENDS_NO_URL = ".,;:!?'\")]}*_~"  # is the sentence's, not the address's


def mrkdwn_html(text: str) -> str:
    """The HTML that shows a message, whose `&lt;`, `&gt;` and `&amp;` are Slack's. Every tag in it is one of ours."""
    text = text.replace("\r\n", "\n")
    pieces = _BLOCK.split(text)
    shown = [f"<pre>{_slack_text(piece)}</pre>" if n % 2 else _spans(piece) for n, piece in enumerate(pieces)]
    return "".join(shown)


def plain_html(text: str) -> str:
    """The HTML that shows text as it is, also within an attribute."""
    return html.escape(_CONTROL.sub("", text), quote=True)


def _slack_text(text: str) -> str:
    """`&amp;` comes last: `&amp;lt;` is the text `&lt;`."""
    return plain_html(text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&"))


def _spans(text: str) -> str:
    shown, end = [], 0
    for found in _SPAN.finditer(text):
        shown += [_slack_text(text[end : found.start()]), _span(found)]
        end = found.end()
    return "".join([*shown, _slack_text(text[end:])])


def _span(found: re.Match[str]) -> str:
    if code := found["code"]:
        return f"<code>{_slack_text(code)}</code>"
    if mention := found["mention"]:
        return f'<span class="mention">@{plain_html(mention[1:])}</span>'
    if link := found["link"]:
        return _link(link, found["label"] or link)
    if found["url"]:
        url = found["url"].rstrip(_ENDS_NO_URL)
        return _link(url, url) + _slack_text(found["url"][len(url) :])
    tag = _TAGS[found["mark"]]
    # Within a mark the same mark cannot stand again, so this is three levels deep at most.
    return f"<{tag}>{_spans(found['marked'])}</{tag}>"


def _link(url: str, label: str) -> str:
    return f'<a href="{_slack_text(url)}" rel="noopener noreferrer">{_slack_text(label)}</a>'
