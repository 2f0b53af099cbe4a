"""The bucket has what git has: bad files harm only themselves, and what goes away goes behind the fence."""

import json
from pathlib import Path

import pytest

from slice_platform.errors import FenceRefused, PulseManifestBroken, SettingsError
from slice_platform.ops.pulse.manifest import MANIFEST, read_manifest
from slice_platform.ops.pulse.monitors_dir import read_dir
from slice_platform.ops.pulse.publish import stored_files
from slice_platform_tests.crashes import SimulatedCrash
from slice_platform_tests.ops.pulse.conftest import Way
from slice_platform_tests.ops.pulse.monitors import BROKEN, http

TWO = {"cart.yml": http("cart"), "shop.yml": http("shop")}


def published(way: Way) -> dict[str, str]:
    return {name: one.content.decode() for name, one in stored_files(way.store).items()}


def test_the_manifest_names_each_file_with_hash_and_size(way: Way) -> None:
    way.publish(TWO)
    manifest = read_manifest(way.store)
    assert manifest is not None and published(way) == TWO
    assert manifest.hashes() == {name: one.sha256 for name, one in stored_files(way.store).items()}
    assert manifest.files["cart.yml"].size_bytes == len(TWO["cart.yml"])


def test_without_apply_it_tells_and_writes_nothing(way: Way) -> None:
    done = way.publish(TWO, apply=False)
    assert done.outcome is not None and not done.outcome.was_applied
    assert way.told[0].endswith("write 2 monitor files, write 1 manifest")
    assert published(way) == {} and read_manifest(way.store) is None


def test_what_is_published_already_is_nothing_to_do_and_leaves_no_trace(way: Way) -> None:
    way.publish(TWO)
    assert way.publish(TWO).outcome is None
    assert len(way.journal.latest()) == 1 and way.told[-1].endswith("nothing to do.")


def test_an_edit_keeps_what_it_replaces_in_the_journal(way: Way) -> None:
    way.publish(TWO)
    done = way.publish({**TWO, "cart.yml": http("cart", "http://127.0.0.1:2/")})
    assert done.outcome is not None
    acts = way.journal.acts(done.outcome.plan_id)
    assert [(act.change.verb, act.change.resource) for act in acts] == [
        ("write", "cart.yml"),
        ("write", MANIFEST),
    ]
    assert json.loads(acts[0].change.undo)["content"] == TWO["cart.yml"]


def test_a_bad_file_stays_as_it_was_and_stops_no_other(way: Way) -> None:
    way.publish(TWO)
    done = way.publish({"cart.yml": BROKEN, "shop.yml": http("shop", "http://127.0.0.1:2/"), "new.yml": BROKEN})
    assert published(way) == {"cart.yml": TWO["cart.yml"], "shop.yml": http("shop", "http://127.0.0.1:2/")}
    assert [(one.file, one.line) for one in done.problems] == [("cart.yml", 2), ("new.yml", 2)]


def test_what_left_git_leaves_the_bucket_after_the_manifest(way: Way) -> None:
    way.publish(TWO)
    done = way.publish({"shop.yml": TWO["shop.yml"]})
    assert done.outcome is not None
    assert [change.verb for change in done.outcome.done] == ["write", "delete"]
    assert published(way) == {"shop.yml": TWO["shop.yml"]}


def test_a_directory_that_lost_most_files_is_refused_and_more_can_be_allowed(way: Way) -> None:
    way.publish(TWO)
    with pytest.raises(FenceRefused, match="rule max_share: it removes 2 of 2 monitor files") as refused:
        way.publish({})
    assert refused.value.rule == "max_share" and published(way) == TWO
    way.publish({}, max_share=1.0)
    assert published(way) == {}


def test_a_directory_that_is_not_there_publishes_nothing(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="there is no such directory"):
        read_dir(tmp_path / "nowhere")


def test_files_that_nobody_would_read_are_told(way: Way) -> None:
    (way.git / "team").mkdir(parents=True)
    for name in ("team/deep.yml", "shop.yaml", ".hidden.yml", "README.md"):
        (way.git / name).write_text(http("x"))
    assert [one.file for one in read_dir(way.git).problems()] == ["shop.yaml", "team/deep.yml"]


def test_a_manifest_that_cannot_be_read_is_told_and_published_anew(way: Way) -> None:
    way.publish(TWO)
    way.store.write(MANIFEST, b'{"files": {"../../etc/cron.yml": {"sha256": "0", "size_bytes": 1}}}')
    with pytest.raises(PulseManifestBroken, match="Publish again"):
        read_manifest(way.store)
    way.publish(TWO)
    assert read_manifest(way.store) is not None


def test_a_publish_that_dies_before_the_manifest_is_finished_by_the_next(
    way: Way, monkeypatch: pytest.MonkeyPatch
) -> None:
    way.deliver(TWO)
    edited = {**TWO, "cart.yml": http("cart", "http://127.0.0.1:2/")}
    write = way.store.write

    def die_at_manifest(key: str, content: bytes) -> None:
        if key == MANIFEST:
            raise SimulatedCrash
        write(key, content)

    monkeypatch.setattr(way.store, "write", die_at_manifest)
    with pytest.raises(SimulatedCrash):
        way.publish(edited)
    monkeypatch.undo()
    way.deliver(edited)
    assert way.there() == edited and way.behind() == ()
