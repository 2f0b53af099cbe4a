"""A chat in a folder: every message once, whoever else writes and whoever dies."""

import multiprocessing
import os
import signal
from datetime import timedelta
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest

from slice_platform.errors import NotificationRefused, SlackUnavailable
from slice_platform.notify.chat import Chat, File, Posted
from slice_platform.notify.page_messages import read_messages
from slice_platform.notify.pages import PageChat
from slice_platform_tests.notify.page_reading import MONDAY, body_of, html_of


@pytest.fixture
def chat(tmp_path: Path) -> PageChat:
    return PageChat(tmp_path / "slack", now=lambda: MONDAY)


def test_pages_are_a_chat(chat: PageChat) -> None:
    as_chat: Chat = chat
    assert as_chat.channel_id("#ops") == as_chat.channel_id("ops") == "ops"


def test_a_message_is_known_by_its_time_as_in_slack(chat: PageChat) -> None:
    assert chat.post("#ops", "hello", key="a") == Posted("ops", "1763975100.000000")
    assert chat.post("ops", "again", key="b").ts == "1763975100.000001"  # the clock stood still
    earlier = PageChat(chat.folder, now=lambda: MONDAY - timedelta(hours=1))
    assert earlier.post("ops", "set back", key="c").ts == "1763975100.000002"


def test_the_same_key_twice_is_one_message_that_stays_as_it_is(chat: PageChat) -> None:
    first = chat.post("ops", "hello", key="a")
    assert chat.post("#ops", "hello, tried again", key="a") == first
    assert chat.post("other", "hello", key="a").channel_id == "other"
    assert body_of(chat).count("<article") == 1 and "tried again" not in html_of(chat)


def test_a_message_is_found_by_its_key_where_and_when_it_was_posted(chat: PageChat) -> None:
    top = chat.post("ops", "top", key="top")
    below = chat.post("ops", "below", key="below", thread=top.ts)
    assert chat.find("top", channel_id="ops", since=MONDAY) == top
    assert chat.find("top", channel_id="ops", since=MONDAY + timedelta(microseconds=1)) is None
    assert chat.find("below", channel_id="ops", since=MONDAY, thread=top.ts) == below
    assert chat.find("top", channel_id="ops", since=MONDAY, thread=top.ts) is None
    assert chat.find("top", channel_id="never-seen", since=MONDAY, thread="1.0") is None


def test_a_thread_stands_below_its_message_and_is_one_level_deep(chat: PageChat) -> None:
    top = chat.post("ops", "the first", key="a")
    chat.post("ops", "the second", key="b")
    reply = chat.post("ops", "a reply", key="c", thread=top.ts)
    chat.post("ops", "a reply to the reply", key="d", thread=reply.ts)
    page = body_of(chat)
    order = [page.index(text) for text in ("the first", "a reply<", "a reply to the reply", "the second")]
    assert order == sorted(order)
    assert page.count('<section class="thread">') == 1


def test_what_stands_below_a_message_that_is_not_there_is_refused(chat: PageChat) -> None:
    gone = Posted("ops", "1.000000")
    with pytest.raises(NotificationRefused, match=r"'1\.000000' in #ops: it is gone") as refused:
        chat.post("ops", "a reply", key="a", thread=gone.ts)
    assert refused.value.code == "message_not_found" and not refused.value.concerns_all
    with pytest.raises(NotificationRefused):
        chat.update(gone, "text")
    with pytest.raises(NotificationRefused):
        chat.upload(File("a.csv", "a", b""), below=gone)
    assert not chat.has_file("a", below=gone)
    assert not (chat.folder / "ops").exists()


def test_an_updated_message_has_its_new_text_and_says_that_it_was_edited(chat: PageChat) -> None:
    posted = chat.post("ops", "*failed*", key="a")
    chat.update(posted, "*failed*")
    assert "(edited)" not in html_of(chat)  # an update that is tried again changes nothing
    chat.update(posted, "*failed* (x37)")
    assert "<b>failed</b> (x37)" in html_of(chat) and "(edited)" in html_of(chat)
    assert chat.post("ops", "*failed*", key="a") == posted
    assert "(x37)" in html_of(chat)


@pytest.mark.parametrize(
    "name", ["", "#", "##ops", "../ops", "a/b", "..", ".lock", "Ops", "ops\n", "ö", "o" * 81, "C024be91l", "<b>", "a b"]
)
def test_a_channel_that_slack_would_not_name_so_is_refused_and_touches_no_disk(chat: PageChat, name: str) -> None:
    calls = (
        lambda: chat.post(name, "text", key="a"),
        lambda: chat.update(Posted(name, "1.0"), "text"),
        lambda: chat.upload(File("a", "a", b""), below=Posted(name, "1.0")),
        lambda: chat.find("a", channel_id=name, since=MONDAY),
        lambda: chat.has_file("a", below=Posted(name, "1.0")),
    )
    for call in calls:
        with pytest.raises(NotificationRefused, match="cannot be called so") as refused:
            call()
        assert refused.value.code == "channel_not_found"
    assert not chat.folder.exists()


@pytest.mark.parametrize(
    ("name", "stored"),
    [
        ("stats of the week.csv", "stats_of_the_week.csv"),
        ("../../etc/passwd", "passwd.txt"),
        ("..", "file.txt"),
        (".hidden.log", "hidden.log"),
        ("", "file.txt"),
        ("page.html", "page.html.txt"),
        ("picture.SVG", "picture.SVG.txt"),
        ("a\\b\x00c\n.png", "a_b_c_.png"),
        ("l" * 300 + ".parquet", "l" * 80 + ".parquet"),
        ("x." + "y" * 300, "x." + "y" * 11 + ".txt"),
        ("größe.JPG", "gr_e.JPG"),
    ],
)
def test_a_file_lies_in_the_folder_of_its_channel_under_a_name_that_no_browser_runs(
    chat: PageChat, name: str, stored: str
) -> None:
    chat.upload(File(name, "title", b"content"), below=chat.post("ops", "text", key="a"))
    assert [path.name for path in chat.folder.glob("ops/files/*/*")] == [stored]
    assert next(chat.folder.glob("ops/files/*/*")).read_bytes() == b"content"
    assert [path.name for path in chat.folder.parent.iterdir()] == ["slack"]


def test_a_file_is_there_once_and_below_its_message(chat: PageChat) -> None:
    posted, other = (chat.post("ops", key, key=key) for key in "ab")
    for _ in range(2):
        chat.upload(File("a.bin", "#1 a.bin", b"x" * 1_234_567), below=posted)
    assert chat.has_file("#1 a.bin", below=posted)
    assert not chat.has_file("#1 a.bin", below=other) and not chat.has_file("a.bin", below=posted)
    assert body_of(chat).count('<div class="file">') == 1 and "1.2 MB" in html_of(chat)
    next(chat.folder.glob("ops/files/*/*")).unlink()
    chat.post("ops", "more", key="c")
    assert "#1 a.bin</span> is no longer there" in html_of(chat)


def test_any_text_survives_the_disk(chat: PageChat) -> None:
    text = "quotes \" ' \\ \u2028 \x85 \x0c 日本語 🎉 half \ud83d"
    posted = chat.post("ops", text, key="\n")
    assert [one.text for one in read_messages(chat.folder / "ops")] == [text]
    assert chat.find("\n", channel_id="ops", since=MONDAY) == posted
    assert "日本語 🎉 half ?" in html_of(chat)


def test_a_damaged_channel_says_which_line_and_leaves_the_others_alone(chat: PageChat) -> None:
    chat.post("ops", "text", key="a")
    with (chat.folder / "ops" / "messages.jsonl").open("a") as file:
        file.write('{"ts": "1.000000", "te\n')
    with pytest.raises(NotificationRefused, match=r"ops/messages\.jsonl:2: .* Move the file aside") as refused:
        chat.post("ops", "text", key="b")
    assert refused.value.code == "damaged_page"
    chat.post("other", "text", key="a")


def test_a_disk_that_does_not_take_it_is_slack_that_does_not_answer(tmp_path: Path) -> None:
    (tmp_path / "slack").write_text("a file where the folder should be")
    chat = PageChat(tmp_path / "slack")
    with pytest.raises(SlackUnavailable, match="look at the disk"):
        chat.post("ops", "text", key="a")


def _post_many(folder: Path, who: str, at_once: Barrier) -> None:
    chat = PageChat(folder)
    at_once.wait(60)
    for n in range(30):
        chat.post("ops", f"{who} {n}", key=f"{who}-{n}")


def test_two_processes_that_post_at_once_lose_nothing(tmp_path: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    at_once = spawn.Barrier(2)
    processes = [spawn.Process(target=_post_many, args=(tmp_path, who, at_once)) for who in ("left", "right")]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    kept = read_messages(tmp_path / "ops")
    assert sorted(one.key or "" for one in kept) == sorted(f"{who}-{n}" for who in ("left", "right") for n in range(30))
    assert [one.ts for one in kept] == sorted({one.ts for one in kept})
    assert html_of(PageChat(tmp_path)).count("<article") == 60


class _DiesBeforeRendering(PageChat):
    def _render(self, *_: object) -> None:
        os.kill(os.getpid(), signal.SIGKILL)


def _post_and_die(folder: Path) -> None:
    _DiesBeforeRendering(folder).post("ops", "posted by one who died", key="died")


@pytest.mark.parametrize("key", ["died", "another"])  # the outbox tries again, or somebody else posts
def test_a_page_that_a_kill_left_behind_is_repaired_by_the_next_change(chat: PageChat, key: str) -> None:
    chat.post("ops", "before", key="before")
    process = multiprocessing.get_context("spawn").Process(target=_post_and_die, args=(chat.folder,))
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    assert "by one who died" not in html_of(chat)
    (chat.folder / "ops" / ".messages.jsonl.new").write_text('{"ts": "half a li')  # as of a kill while writing
    chat.post("ops", "after", key=key)
    assert "by one who died" in html_of(chat) and ("after" in body_of(chat)) == (key == "another")


def test_a_process_that_was_stopped_does_not_stop_the_others_for_long(
    chat: PageChat, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("slice_platform.notify.pages._LOCK_SECONDS", 0.05)
    with chat._alone(), pytest.raises(SlackUnavailable, match="Another process has held"):
        chat.post("ops", "text", key="a")
    chat.post("ops", "text", key="a")
