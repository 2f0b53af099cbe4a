"""Whatever happens between two looks, and to them, is told once; and one thing does not keep the others."""

import json

import pytest

from slice_platform.components.run_alerts import failed_run
from slice_platform.errors import StoreUnavailable
from slice_platform.notify.attachments import Attachments
from slice_platform_tests.components.watched import Watched


def test_what_failed_before_the_first_look_is_not_told(watched: Watched) -> None:
    watched.cursor = None
    watched.run("nightly")
    watched.say("a")
    watched.tick()
    watched.tick()
    assert watched.said() == []


@pytest.mark.parametrize("cursor", ["{", '{"runs": "eyJ9", "failing": {"nightly": 1.0}, "checks": {"a:b": 7}}', "[]"])
def test_a_cursor_that_is_not_ours_begins_anew(watched: Watched, cursor: str) -> None:
    watched.run("nightly")
    watched.cursor = cursor  # type: ignore[assignment]  # it is set
    watched.tick()
    watched.run("nightly")
    watched.tick()
    assert watched.headings() == ["nightly failed"]
    assert json.loads(str(watched.cursor))["late"] == []


def test_a_crash_before_the_cursor_is_kept_tells_nothing_twice_and_loses_nothing(watched: Watched) -> None:
    watched.make("2026-01-01", "2026-01-02", backfill="abc")
    watched.say("a", "2026-01-01")
    watched.tick(dies=True)
    watched.make("2026-01-03", backfill="abc")
    watched.say("a", "2026-01-02")
    watched.tick()
    assert [(one.heading, one.repeats) for one in watched.said()] == [
        ("curated/days failed (backfill abc)", 2), ("curated/trips: check rejects warns", 1),
    ]  # fmt: skip


def test_one_failure_that_cannot_be_told_is_reported_and_keeps_no_other(
    watched: Watched, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    poison = watched.run("nightly").run_id

    def stumbles(instance: object, run: object) -> object:
        if getattr(run, "run_id", None) == poison:
            raise KeyError("a record of another version")
        return failed_run(instance, run)  # type: ignore[arg-type]  # as it came

    monkeypatch.setattr("slice_platform.components.alerts.failed_run", stumbles)
    watched.run("nightly")
    watched.tick()
    watched.tick()
    assert watched.headings() == ["nightly failed"]
    (report,) = watched.said("jarvis-error-notifications")
    assert poison in report.message and "another version" in report.message and report.repeats == 0
    assert "Traceback" in caplog.text


def test_a_store_that_is_down_puts_off_what_needs_it_alone(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    watched.run("nightly")
    watched.run(asset_selection=[])
    with monkeypatch.context() as patched:

        def down(*_: object) -> object:
            raise StoreUnavailable("the network is down")

        patched.setattr(Attachments, "keep", down)
        with pytest.raises(StoreUnavailable):
            watched.tick()
    watched.tick()
    assert "nightly failed" in watched.headings() and watched.said("jarvis-error-notifications") == []
