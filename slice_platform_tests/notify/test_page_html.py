"""What a newcomer sees: every message as Slack would show it, and nothing that runs."""

import re
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest

from slice_platform.notify import page_html
from slice_platform.notify.chat import File
from slice_platform.notify.page_messages import read_messages
from slice_platform.notify.pages import PageChat
from slice_platform.notify.slack_text import escape
from slice_platform_tests.notify.page_reading import HOSTILE, MONDAY, PNG, Page, body_of, html_of
from slice_platform_tests.tools import require_tool


@pytest.fixture
def chat(tmp_path: Path) -> PageChat:
    return PageChat(tmp_path / "slack", now=lambda: MONDAY)


def shown(chat: PageChat, text: str) -> str:
    """The HTML that becomes of a message's text."""
    chat.post("ops", text, key=text)
    return body_of(chat).rpartition('<div class="text">')[2].partition("</div>\n")[0]


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("<!channel> <@U024BE7LH>", '<span class="mention">@channel</span> <span class="mention">@U024BE7LH</span>'),
        ("*bold* _italic_ ~gone~ `code *x*`", "<b>bold</b> <i>italic</i> <s>gone</s> <code>code *x*</code>"),
        ("*bold _and `this`_*", "<b>bold <i>and <code>this</code></i></b>"),
        ("ingest_trips_daily 2*3*4 * a * b", "ingest_trips_daily 2*3*4 * a * b"),
        ("a\n```\n*x* &lt;y&gt;\n  z\n```\nb", "a<pre>*x* &lt;y&gt;\n  z</pre>b"),
        ("```one``` and ```not closed", "<pre>one</pre> and ```not closed"),
        ("&lt;a&gt; &amp;lt; &quot; R&amp;D", "&lt;a&gt; &amp;lt; &amp;quot; R&amp;D"),
        ("<!subteam^S1> <b>", "&lt;!subteam^S1&gt; &lt;b&gt;"),
        ("\x1b[31mred\x1b[0m\x00", "red"),
    ],
)
def test_text_is_shown_as_slack_shows_it(chat: PageChat, text: str, html: str) -> None:
    assert shown(chat, text) == html


def test_addresses_become_links_and_only_those_of_the_web(chat: PageChat) -> None:
    text = (
        "See http://localhost:3000/runs/1?a=1&amp;b=2, (<https://x.org/a|the *docs*>) &lt;https://y.org&gt; file:///etc"
    )
    page = Page(shown(chat, text + " <javascript:alert(1)|x> javascript:alert(1) data:text/html,x https://"))
    assert page.links == ["http://localhost:3000/runs/1?a=1&b=2", "https://x.org/a", "https://y.org"]
    assert "the *docs*) <https://y.org> file:///etc" in page.shown
    assert Page(shown(chat, 'https://x.org/"onclick="alert(1)')).markup == {"a", "href=", "rel="}


def test_hostile_text_names_and_cells_never_become_markup(chat: PageChat) -> None:
    for n, text in enumerate((HOSTILE, escape(HOSTILE), f"`{HOSTILE}`", f"```{HOSTILE}```", f"*{HOSTILE}*")):
        posted = chat.post("ops", text, key=str(n))
        for ending in (".csv", ".log", ".json", ".html", ".png", ""):
            content = f'{HOSTILE},"{HOSTILE}"\n'.encode() * 3
            chat.upload(File(HOSTILE + ending, f"{n}{ending} {HOSTILE}", content), below=posted)
        chat.update(posted, text + " once more")
    page = Page(html_of(chat))
    assert not page.foreign()
    assert all(re.fullmatch(r"\.\./index\.html|files/[\d.]+/[\w.-]+", link) for link in page.links), page.links
    assert page.shown.count("<script>alert(1)</script>") > 50  # it is all there, to be read


def test_of_a_csv_the_first_rows_are_a_table(chat: PageChat) -> None:
    rows = ["\ufeffid,why", '1,"<b>, ""no"""', "2", *(f"{n},late" for n in range(3, 9))]
    chat.upload(File("a.csv", "a.csv", "\r\n".join(rows).encode()), below=chat.post("ops", "text", key="a"))
    page = body_of(chat)
    assert "<table><tr><th>id</th><th>why</th></tr><tr><td>1</td><td>&lt;b&gt;, &quot;no&quot;</td></tr>" in page
    assert "<tr><td>5</td><td>late</td></tr></table>" in page and "The first 5 rows." in page
    assert re.search(r'href="files/[\d.]+/a\.csv"', page)


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00\n\x00", b'"never closed\n' * 9999, b"," * 99_999, b"\r\r\n"])
def test_a_csv_that_is_none_is_a_file_like_others(chat: PageChat, content: bytes) -> None:
    chat.upload(File("a.csv", "a.csv", content), below=chat.post("ops", "text", key="a"))
    assert '<div class="file">' in body_of(chat)
    assert len(html_of(chat)) < 20_000


def test_of_a_log_the_last_lines_are_shown(chat: PageChat) -> None:
    lines = [f"line {n} <i>" for n in range(10_000)]
    chat.upload(File("run.log", "run.log", "\n".join(lines).encode()), below=chat.post("ops", "text", key="a"))
    page = body_of(chat)
    assert "<pre>line 9990 &lt;i&gt;\n" in page and "line 9999 &lt;i&gt;</pre>" in page
    assert "The last 10 lines." in page and "line 9989" not in page


@pytest.mark.parametrize("name", ["chart.png", "a.JPG", "b.jpeg", "c.gif", "d.webp"])
def test_an_image_is_shown_in_its_place(chat: PageChat, name: str) -> None:
    chat.upload(File(name, name, PNG), below=chat.post("ops", "text", key="a"))
    assert re.search(rf'<img src="files/[\d.]+/{name}" alt="{name}">', body_of(chat))


def test_days_are_told_apart_and_the_newest_message_is_last(tmp_path: Path) -> None:
    days = iter(range(3))
    chat = PageChat(tmp_path, now=lambda: MONDAY + timedelta(days=next(days)))
    for n in range(3):
        chat.post("ops", f"message {n}", key=str(n))
    text = Page(body_of(chat)).shown
    order = ("Monday, 24 November 2025", "09:05 UTC", "message 0", "Tuesday, 25 November", "Wednesday, 26", "message 2")
    assert [text.index(part) for part in order] == sorted(text.index(part) for part in order)
    assert "2025-11-26 09:05 UTC" in text


def test_the_first_page_lists_the_channels(chat: PageChat) -> None:
    chat.post("ops", "text", key="a")
    chat.post("data-loader", "text", key="a")
    chat.post("data-loader", "text", key="b")
    (chat.folder / "<b>").mkdir()
    (chat.folder / "<b>" / "messages.jsonl").write_text('{"ts": "1.000000"}\n')  # not ours
    page = Page((chat.folder / "index.html").read_text())
    assert page.links == ["data-loader/index.html", "ops/index.html"]
    assert "#data-loader 2 messages, the last at 2025-11-24 09:05 UTC" in page.shown
    assert "#ops 1 message," in page.shown


def test_of_many_messages_the_last_are_shown_with_those_they_stand_below(
    chat: PageChat, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page_html, "MOST_SHOWN", 5)
    first = chat.post("ops", "message 0.", key="0")
    for n in range(1, 9):
        chat.post("ops", f"message {n}.", key=str(n))
    chat.post("ops", "a late reply", key="late", thread=first.ts)
    text = Page(body_of(chat)).shown
    assert re.findall(r"message (\d)\.", text) == ["0", "5", "6", "7", "8"]
    assert "The last 6 of 10 messages. All are in messages.jsonl." in text and "a late reply" in text
    assert len(read_messages(chat.folder / "ops")) == 10


@pytest.mark.ui
def test_a_browser_shows_the_page_and_runs_nothing_of_what_is_in_it(chat: PageChat, tmp_path: Path) -> None:
    chromium = require_tool("chromium")
    posted = chat.post("ops", f"*Run failed* <!channel>\n{HOSTILE}", key="a")
    chat.upload(File("chart.png", "chart.png", PNG), below=posted)
    chat.upload(File("a.html", "a.html", b"<script>document.title = 'owned'</script>"), below=posted)
    flags = f"--headless --no-sandbox --disable-gpu --no-first-run --user-data-dir={tmp_path / 'profile'} --dump-dom"
    pages = [chat.folder / "ops" / "index.html", *chat.folder.glob("ops/files/*/a.html.txt")]
    found = [
        subprocess.run(
            [chromium, *flags.split(), page.as_uri()], capture_output=True, text=True, timeout=120, check=True
        )
        for page in pages
    ]
    dom, file = (Page(done.stdout) for done in found)
    assert not dom.foreign() and "script" not in file.markup
    for words in ("#ops", "Run failed", "@channel", "<script>alert(1)</script>", "Monday, 24 November 2025"):
        assert words in dom.shown, words
