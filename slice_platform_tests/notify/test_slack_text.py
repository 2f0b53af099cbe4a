"""Mentions pass, all else is shown as it is, and no text is cut in silence."""

import html
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slice_platform.notify.slack_text import MOST_CHARACTERS, bold, code, escape, fit, quoted


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("<!channel> failed", "<!channel> failed"),
        ("<@UNKDY50FH> look", "<@UNKDY50FH> look"),
        ("<!everyone> <@u1> <https://x|y>", "&lt;!everyone&gt; &lt;@u1&gt; &lt;https://x|y&gt;"),
        ("a < b && b > c", "a &lt; b &amp;&amp; b &gt; c"),
        ("&lt;!channel&gt;", "&amp;lt;!channel&amp;gt;"),
    ],
)
def test_only_channel_and_users_are_called(text: str, shown: str) -> None:
    assert escape(text) == shown


def test_a_heading_is_one_line_in_bold() -> None:
    assert bold("two\n*lines* <b>") == "*two lines &lt;b&gt;*"


def test_a_block_of_code_cannot_be_left() -> None:
    assert code("a ``` b").count("```") == 2


@pytest.mark.parametrize("show", [quoted, code, bold])
@pytest.mark.parametrize("mention", ["<!channel>", "<@U024BE7LH>"])
def test_what_others_wrote_reads_as_it_is_and_calls_nobody(show: Callable[[str], str], mention: str) -> None:
    shown = escape(show(f"name {mention}, 3")) if show is not bold else show(f"name {mention}, 3")
    assert mention not in shown
    assert f"name {mention}, 3" in html.unescape(html.unescape(shown)).replace("\u200b", "")


@given(st.text(alphabet="ab\n<>&`@!U19", max_size=400).map(lambda text: text * 20))
def test_what_is_shown_fits_and_the_rest_is_attached(text: str) -> None:
    shown = fit(text)
    assert len(escape(shown.text)) <= MOST_CHARACTERS + 600
    assert shown.whole == (text if shown.text != text else None)


def test_whoever_is_called_further_down_is_still_called() -> None:
    shown = fit("x" * 5_000 + " <!channel> <@U024BE7LH>")
    assert "<!channel> <@U024BE7LH> ... the whole text" in shown.text
