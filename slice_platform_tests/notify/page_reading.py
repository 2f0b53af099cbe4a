"""What a page of messages consists of, read as a browser reads it."""

from datetime import UTC, datetime
from html.parser import HTMLParser

from slice_platform.notify.pages import PageChat

MONDAY = datetime(2025, 11, 24, 9, 5, tzinfo=UTC)
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c489"
    "0000000d49444154789c63f8ffffff7f0009fb03fd2a86e38a0000000049454e44ae426082"
)
HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>\" onmouseover='alert(3)' <javascript:alert(4)|here>"
_TAGS = """html head meta title style body header h1 h2 a span main div article p b i s footer pre code table tr th td
    section img ul li"""
_ATTRIBUTES = "lang charset http-equiv content name class id aria-hidden href rel title src alt"
_OURS = frozenset([*_TAGS.split(), *(f"{name}=" for name in _ATTRIBUTES.split())])


class Page(HTMLParser):
    """The tags, links and text of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.markup: set[str] = set()
        self.links: list[str] = []
        self.shown = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.markup |= {tag, *(f"{name}=" for name, _ in attrs)}
        self.links += [value or "" for name, value in attrs if name in ("href", "src")]

    def handle_data(self, data: str) -> None:
        self.shown += data

    def foreign(self) -> set[str]:
        """Tags, and attributes with a `=` behind them, that no page of ours has."""
        return self.markup - _OURS


def html_of(chat: PageChat, channel: str = "ops") -> str:
    return (chat.folder / channel / "index.html").read_text(encoding="utf-8")


def body_of(chat: PageChat) -> str:
    """The messages of the page, without its style."""
    return html_of(chat).partition("<main>")[2]
