"""`slice pulse` as developers, a pull request and a host of Heartbeat call it."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import slice_platform
from slice_platform.cli.pulse_commands import pulse
from slice_platform.ops.journal import open_journal
from slice_platform.ops.pulse.monitor_file import read_monitors
from slice_platform.settings import Settings, load_settings
from slice_platform_tests.cli.conftest import Slice
from slice_platform_tests.ops.pulse.monitors import BROKEN, http, write_files
from slice_platform_tests.ops.pulse.servers import running_web

TWO = {"cart.yml": http("cart"), "shop.yml": http("shop")}


@pytest.fixture
def git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SLICE_PULSE_MONITORS_DIR", str(tmp_path / "git"))
    return write_files(tmp_path / "git", TWO)


def test_the_monitors_that_are_shipped_are_right(slice_: Slice) -> None:
    done = slice_("pulse", "validate")
    assert done.exit_code == 0 and done.output.endswith("2 files, 2 monitors, all right.\n")


def test_a_pull_request_learns_file_line_and_field_of_every_mistake(slice_: Slice, git: Path) -> None:
    write_files(git, {"a.yml": http("x", "ftp://a/"), "b.yml": BROKEN, "c.yml": http("x"), "d.yml": http("x")})
    done = slice_("pulse", "validate", str(git))
    assert done.exit_code == 1
    told = [line for line in done.output.splitlines() if line.startswith(str(git))]
    assert [re.sub(r"(:\d+: [^:]+:).*", r"\1", line.removeprefix(f"{git}/")) for line in told] == [
        "a.yml:3: urls:", "b.yml:2: the file:", "d.yml:2: id:",
    ]  # fmt: skip
    assert "3 problems: 3 files of 4" in done.output


def test_a_directory_that_is_not_there_is_told(slice_: Slice, tmp_path: Path) -> None:
    done = slice_("pulse", "validate", str(tmp_path / "nowhere"))
    assert done.exit_code == 1 and "there is no such directory" in done.output


def test_publish_and_sync_plan_first_and_act_when_told(slice_: Slice, git: Path, tmp_path: Path) -> None:
    planned = slice_("pulse", "publish")
    assert planned.exit_code == 0 and "Carry it out with --apply." in planned.output
    assert slice_("pulse", "sync", "--apply").exit_code == 1  # nothing is published
    assert "write 2 monitor files, write 1 manifest" in slice_("pulse", "publish", "--apply").output
    target = tmp_path / "monitors.d"
    assert slice_("pulse", "sync", "--dir", str(target)).exit_code == 0 and not target.exists()
    assert slice_("pulse", "sync", "--dir", str(target), "--apply").exit_code == 0
    assert {path.name: path.read_text() for path in target.glob("*.yml")} == TWO
    assert "nothing to do" in slice_("pulse", "sync", "--dir", str(target), "--apply").output
    with open_journal(load_settings()) as journal:
        assert [(row.job, row.state.value) for row in journal.latest()] == [
            ("pulse_sync", "done"), ("pulse_sync", "planned"), ("pulse_publish", "done"), ("pulse_publish", "planned"),
        ]  # fmt: skip
        assert journal.latest()[0].actor.startswith("user ")


def test_a_bad_file_ends_with_1_after_the_good_ones_and_is_told(slice_: Slice, git: Path, tmp_path: Path) -> None:
    write_files(git, {"cart.yml": BROKEN, "shop.yml": TWO["shop.yml"]})
    done = slice_("pulse", "publish", "--apply")
    assert done.exit_code == 1 and "cart.yml:2: the file" in done.output and "write 1 monitor file" in done.output
    page = (tmp_path / "home" / "slack" / "platform-ops" / "index.html").read_text(encoding="utf-8")
    assert "a file of monitors wrong" in page and "cart.yml:2" in page


def test_a_sync_that_fails_under_a_cron_is_told_and_one_of_a_person_is_not(
    slice_: Slice, git: Path, tmp_path: Path
) -> None:
    assert slice_("pulse", "sync").exit_code == 1 and not (tmp_path / "home" / "slack").exists()
    assert slice_("pulse", "sync", "--apply").exit_code == 1
    page = (tmp_path / "home" / "slack" / "platform-ops" / "index.html").read_text(encoding="utf-8")
    assert "pulse_sync of" in page and "nothing was published there" in page


def test_every_command_and_the_example_of_the_page_are_right() -> None:
    page = (Path(slice_platform.__file__).parents[1] / "docs" / "pulse.md").read_text(encoding="utf-8")
    assert set(re.findall(r"slice pulse (\w+)", page)) == set(pulse.commands)
    examples = [one for one in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL) if one.startswith("- type")]
    assert [read_monitors("shop.yml", one.encode()).problems for one in examples] == [()]
    assert {f"SLICE_{name.upper()}" for name in Settings.model_fields if name.startswith("pulse_")} <= set(
        re.findall(r"SLICE_[A-Z_]+", page)
    )


def test_a_mass_delete_is_refused_by_its_rule(slice_: Slice, git: Path, tmp_path: Path) -> None:
    slice_("pulse", "publish", "--apply")
    write_files(git, {})
    done = slice_("pulse", "publish", "--apply")
    assert done.exit_code == 1 and "refused by the rule max_share" in done.output and "--max-share" in done.output
    page = (tmp_path / "home" / "slack" / "platform-ops" / "index.html").read_text(encoding="utf-8")
    assert "pulse_publish: refused by the rule max_share" in page
    assert slice_("pulse", "publish", "--apply", "--max-share", "1").exit_code == 0


def test_a_probe_shows_each_endpoint_and_only_looks_where_told(slice_: Slice, git: Path) -> None:
    with running_web({"/": (200, {}, b"")}) as web:
        write_files(git, {"a.yml": http("a", f"{web.url}/"), "b.yml": http("b", f"{web.url}/gone"), "c.yml": BROKEN})
        looked = slice_("pulse", "probe", str(git), "--no-record")
        done = slice_("pulse", "probe", str(git))
    assert looked.exit_code == 0 and "Recorded" not in looked.output
    assert re.search(r"a +http://127.0.0.1:\d+/ +up +\d+\.\d", done.output)
    assert re.search(r"b +\S+/gone +down +- +it answered 404", done.output) and "c.yml:2" in done.output
    assert re.search(r"Recorded as landing/uptime/uptime-\S+\.jsonl", done.output)
    assert slice_("ingest", "uptime").exit_code == 0
    answer = slice_("query", "select count(*) as n from curated.uptime", "--format", "csv")
    assert answer.output.splitlines()[-1] == "2"


def test_people_are_told_of_what_is_down_by_the_command_itself(slice_: Slice, git: Path, tmp_path: Path) -> None:
    slice_("pulse", "probe", str(git))
    done = slice_("pulse", "probe", str(git))
    assert done.exit_code == 0 and "Told: cart is down" in done.output
    page = (tmp_path / "home" / "slack" / "platform-ops" / "index.html").read_text(encoding="utf-8")
    assert "cart is down" in page and "connection refused" in page
    assert "Nothing was due." in slice_("pulse", "probe", str(git), "--due").output


def test_watches_are_requests_for_kibana_or_files(slice_: Slice, git: Path, tmp_path: Path) -> None:
    printed = slice_("pulse", "watcher")
    assert printed.output.count("PUT _watcher/watch/pulse-") == 2 and '"#platform-ops"' in printed.output
    assert slice_("pulse", "watcher", str(git), "--out", str(tmp_path / "watches")).output.startswith("2 watches in")
    assert sorted(path.name for path in (tmp_path / "watches").iterdir()) == ["pulse-cart.json", "pulse-shop.json"]


def test_a_host_of_heartbeat_needs_neither_the_project_nor_dagster(slice_: Slice, git: Path, tmp_path: Path) -> None:
    """As a cron calls it: a home of its own, some folder, and a sync that changes nothing loads no Dagster."""
    slice_("pulse", "publish", "--apply")
    code = (
        "import sys; from slice_platform.cli.main import main\n"
        "main(sys.argv[1:], standalone_mode=False); assert 'dagster' not in sys.modules"
    )
    environment = {
        "PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path), "SLICE_HOME": str(tmp_path / "host"),
        "SLICE_PULSE_URI": load_settings().pulse_root,
    }  # fmt: skip
    command = [sys.executable, "-c", code, "pulse", "sync", "--dir", str(tmp_path / "monitors.d")]
    (tmp_path / "elsewhere").mkdir()

    def call(*options: str) -> None:
        everything = [*command, *options]
        done = subprocess.run(
            everything, cwd=tmp_path / "elsewhere", env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr

    call()
    slice_("pulse", "sync", "--dir", str(tmp_path / "monitors.d"), "--apply")
    call("--apply")
    assert (tmp_path / "host" / "ledger.db").exists() and len(list((tmp_path / "monitors.d").glob("*.yml"))) == 2


def test_what_was_brought_is_run_and_before_that_what_is_in_git(slice_: Slice, git: Path) -> None:
    assert slice_("pulse", "probe", "--no-record").output.count("down") == len(list(git.iterdir()))
    slice_("pulse", "publish", "--apply")
    slice_("pulse", "sync", "--apply")
    write_files(git, {"cart.yml": http("cart")})  # not published yet
    assert slice_("pulse", "probe", "--no-record").output.count("down") == 2
