"""Heartbeat's directory has the last good version of what is published, and nothing of others is touched."""

import json
import os
import time

import pytest

from slice_platform.errors import FenceRefused, PulseManifestBroken, SettingsError
from slice_platform.ops.pulse.heartbeat_record import RECORD
from slice_platform.ops.pulse.manifest import MANIFEST, monitors_key
from slice_platform.ops.pulse.published import fetch
from slice_platform_tests.ops.pulse.conftest import Way
from slice_platform_tests.ops.pulse.monitors import BROKEN, http

TWO = {"cart.yml": http("cart"), "shop.yml": http("shop")}
FOREIGN = "# of somebody else\n"


def test_what_is_published_is_there_and_a_second_sync_has_nothing_to_do(way: Way) -> None:
    way.deliver(TWO)
    assert way.there() == TWO and way.leftovers() == []
    assert way.sync().outcome is None and way.behind() == ()


def test_without_apply_it_tells_and_touches_nothing(way: Way) -> None:
    way.publish(TWO)
    done = way.sync(apply=False)
    assert done.outcome is not None and not done.outcome.was_applied and not way.heartbeat.path.exists()


def test_an_edit_of_the_same_size_and_an_older_time_is_delivered_with_the_time_of_now(way: Way) -> None:
    way.deliver(TWO)
    edited = {**TWO, "cart.yml": TWO["cart.yml"].replace(":1/", ":2/")}
    assert len(edited["cart.yml"]) == len(TWO["cart.yml"])
    way.publish(edited)
    stored = way.store.path(monitors_key("cart.yml"))
    os.utime(stored, (1_000_000_000, 1_000_000_000))
    assert way.behind() != ()
    before = time.time()
    way.sync()
    assert way.there() == edited
    # The clock of the kernel is a few milliseconds coarse.
    assert before - 0.05 <= (way.heartbeat.path / "cart.yml").stat().st_mtime <= time.time() + 0.05


def test_a_file_is_written_by_its_owner_alone_as_heartbeat_wants_it(way: Way) -> None:
    before = os.umask(0)
    try:
        way.deliver(TWO)
    finally:
        os.umask(before)
    modes = {path.name: path.stat().st_mode & 0o777 for path in way.heartbeat.path.iterdir()}
    assert modes == {"cart.yml": 0o644, "shop.yml": 0o644, RECORD: 0o600}


def test_a_file_is_replaced_at_once_and_its_old_content_is_in_the_journal(way: Way) -> None:
    way.deliver(TWO)
    before = (way.heartbeat.path / "cart.yml").stat().st_ino
    done = way.deliver({**TWO, "cart.yml": http("cart", "http://127.0.0.1:2/")})
    assert done.outcome is not None
    assert (way.heartbeat.path / "cart.yml").stat().st_ino != before
    (act,) = way.journal.acts(done.outcome.plan_id)
    assert json.loads(act.change.undo) == {
        "path": str(way.heartbeat.path / "cart.yml"),
        "content": TWO["cart.yml"],
    }


def test_a_version_that_is_wrong_leaves_the_last_good_one_and_is_told_once_to_the_sensor(way: Way) -> None:
    way.deliver(TWO)
    # Past the publisher, as somebody may upload by hand: the manifest is right, the file is not.
    way.store.write(monitors_key("cart.yml"), BROKEN.encode())
    way.store.write(MANIFEST, _manifest(way, {"cart.yml": BROKEN, "shop.yml": http("shop", "http://127.0.0.1:2/")}))
    way.store.write(monitors_key("shop.yml"), http("shop", "http://127.0.0.1:2/").encode())
    assert way.behind() != ()
    done = way.sync()
    assert way.there() == {"cart.yml": TWO["cart.yml"], "shop.yml": http("shop", "http://127.0.0.1:2/")}
    assert [(one.file, one.line, one.field) for one in done.problems] == [("cart.yml", 2, "the file")]
    assert way.behind() == () and len(way.sync().problems) == 1


def test_what_somebody_changed_or_removed_is_put_back(way: Way) -> None:
    way.deliver(TWO)
    (way.heartbeat.path / "cart.yml").write_text(BROKEN)
    (way.heartbeat.path / "shop.yml").unlink()
    assert len(way.behind()) == 2
    done = way.sync()
    assert way.there() == TWO and done.outcome is not None
    reasons = [change.reason for change in done.outcome.done]
    assert reasons == ["somebody changed it here", "somebody removed it here"]


def test_files_of_others_are_left_alone_and_keep_out_one_of_the_same_name(way: Way) -> None:
    way.heartbeat.path.mkdir()
    for name in ("cart.yml", "own.yml", ".dot.yml", "notes.tmp"):
        (way.heartbeat.path / name).write_text(FOREIGN)
    done = way.deliver(TWO)
    assert way.there() == {
        ".dot.yml": FOREIGN, "cart.yml": FOREIGN, "own.yml": FOREIGN, "shop.yml": TWO["shop.yml"]
    }  # fmt: skip
    assert [(one.file, "left alone" in one.message) for one in done.problems] == [("cart.yml", True)]
    assert way.behind() == ()
    way.deliver({}, max_share=1.0)
    assert sorted(way.there()) == [".dot.yml", "cart.yml", "own.yml"] and way.leftovers() == ["notes.tmp"]


def test_a_name_that_becomes_free_is_taken_by_the_next_sync(way: Way) -> None:
    way.heartbeat.path.mkdir()
    (way.heartbeat.path / "cart.yml").write_text(FOREIGN)
    way.deliver(TWO)
    (way.heartbeat.path / "cart.yml").unlink()
    assert len(way.behind()) == 1
    way.sync()
    assert way.there() == TWO


def test_a_mass_delete_is_refused_by_the_rule_and_nothing_goes(way: Way) -> None:
    files = {f"s{n}.yml": http(f"s{n}") for n in range(4)}
    way.deliver(files)
    kept = {"s0.yml": files["s0.yml"]}
    way.publish(kept, max_share=1.0)
    with pytest.raises(FenceRefused, match="rule max_share: it removes 3 of 4 monitor files, 75%") as refused:
        way.sync()
    assert refused.value.rule == "max_share" and way.there() == files
    with pytest.raises(FenceRefused, match="rule max_resources"):
        way.sync(max_resources=2, max_share=1.0)
    way.sync(max_share=0.75)
    assert way.there() == kept


@pytest.mark.parametrize("content", [b"", b"{", b'{"version": 1, "files": {"a.yml"', b'{"version": 2, "files": {}}'])
def test_nothing_is_deleted_by_a_manifest_that_was_not_read_whole(way: Way, content: bytes) -> None:
    way.deliver(TWO)
    way.store.write(MANIFEST, content)
    with pytest.raises(PulseManifestBroken, match="Nothing is changed"):
        way.sync(max_share=1.0)
    assert way.there() == TWO


def test_an_empty_bucket_deletes_nothing(way: Way) -> None:
    way.deliver(TWO)
    way.store.remove(MANIFEST)
    with pytest.raises(SettingsError, match="nothing was published there"):
        way.sync(max_share=1.0)
    assert way.there() == TWO


def test_bytes_that_are_not_those_of_the_manifest_are_not_delivered(way: Way) -> None:
    way.deliver(TWO)
    way.store.write(monitors_key("cart.yml"), http("cart", "http://127.0.0.1:2/").encode())
    way.store.write(MANIFEST, _manifest(way, {"cart.yml": http("cart", "http://x/"), "shop.yml": TWO["shop.yml"]}))
    done = way.sync()
    assert way.there() == TWO and "are not those that the manifest names" in str(done.problems[0])
    assert way.behind() != ()  # it is tried again


def test_a_publish_that_is_under_way_is_waited_for(way: Way) -> None:
    way.publish(TWO)
    way.store.write(monitors_key("cart.yml"), http("cart", "http://x/").encode())
    waited: list[float] = []

    def finish(seconds: float) -> None:
        waited.append(seconds)
        way.publish({**TWO, "cart.yml": http("cart", "http://x/")})

    found = fetch(way.store, {}, wait=finish)
    assert waited == [1.0] and found.torn == frozenset() and b"http://x/" in found.contents["cart.yml"]


def test_a_record_that_cannot_be_read_stops_the_sync(way: Way) -> None:
    way.deliver(TWO)
    (way.heartbeat.path / RECORD).write_text("{")
    with pytest.raises(PulseManifestBroken, match="tells the files of Pulse from those of others"):
        way.sync()
    assert way.there() == TWO


def test_an_id_of_two_files_is_delivered_once(way: Way) -> None:
    way.deliver({"b.yml": http("x")})
    done = way.deliver({"a.yml": http("x"), "b.yml": http("x")})
    assert way.there() == {"b.yml": http("x")} and done.problems == ()  # the publisher had refused it already


def _manifest(_way: Way, files: dict[str, str]) -> bytes:
    from slice_platform.ops.pulse.manifest import manifest_of

    return manifest_of({name: text.encode() for name, text in files.items()}).text().encode()
