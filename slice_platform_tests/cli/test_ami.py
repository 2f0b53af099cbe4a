"""`slice ami` as an engineer types it: what there is, plans, releases, rollbacks, and what is told of them."""

from pathlib import Path

import pytest

from slice_platform.cli.main import PERMANENT
from slice_platform.local.aws import LocalAws
from slice_platform.settings import PACKAGE_DIR
from slice_platform_tests.cli.conftest import Slice
from slice_platform_tests.tools import require_tool

WEB = PACKAGE_DIR / "defs" / "ami" / "web"


@pytest.fixture
def web(slice_: Slice, local_aws: LocalAws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Slice:
    """The service that this repository has below defs/, in the account that `slice aws` serves."""
    require_tool("packer")
    monkeypatch.setenv("SLICE_DEFS_DIR", str(tmp_path / "defs"))
    folder = tmp_path / "defs" / "ami" / "web"
    folder.mkdir(parents=True)
    text = (WEB / "defs.yaml").read_text(encoding="utf-8").replace("poll_seconds: 2", "poll_seconds: 0")
    (folder / "defs.yaml").write_text(text, encoding="utf-8")
    (folder / "packer.json").write_text((WEB / "packer.json").read_text(encoding="utf-8"), encoding="utf-8")
    return slice_


def test_what_there_is_of_a_service_is_listed_with_who_uses_it(web: Slice) -> None:
    assert web("ami", "list").output == "web: branch main, group web\n"
    listed = web("ami", "list", "web").output
    assert listed.count("available") == 7
    assert "launch template's default, web, i-" in listed


def test_a_release_is_planned_then_carried_out_and_told(web: Slice, tmp_path: Path) -> None:
    planned = web("ami", "release", "web", "--commit", "0123456789abcdef")
    assert planned.exit_code == 0 and planned.output.endswith("Planned only. Carry it out with --apply.\n")
    assert "deregister 1 of 7 images" in planned.output
    done = web("ami", "release", "web", "--commit", "0123456789abcdef", "--apply")
    assert done.exit_code == 0 and done.output.endswith("Released.\n")
    assert "web version 4" in web("ami", "list", "web").output
    page = (tmp_path / "home" / "slack" / "platform-ops" / "index.html").read_text(encoding="utf-8")
    assert "ami_refresh of web@0123456789ab" in page


def test_a_rollback_brings_the_version_before_back(web: Slice) -> None:
    web("ami", "release", "web", "--commit", "0123456789abcdef", "--apply")
    assert "version 2 in place of 4" in web("ami", "rollback", "web").output
    assert web("ami", "rollback", "web", "--apply").exit_code == 0
    listed = web("ami", "list", "web").output
    assert any(line.split()[0] == "2" and "default" in line for line in listed.splitlines() if line.strip())


def test_the_journal_shows_every_plan_by_whom_and_how_to_undo_it(web: Slice) -> None:
    assert web("ami", "prune", "web", "--apply").exit_code == 0
    assert "No plan yet" not in (log := web("ops", "log").output)
    assert "ami_prune" in log and "done" in log and "user " in log
    shown = web("ops", "show", "1").output
    assert "1. deregister image ami-" in shown and 'to undo: {"Architecture"' in shown.replace("\n", "")


def test_what_is_wrong_is_told_with_the_way_on(web: Slice, tmp_path: Path) -> None:
    unknown = web("ami", "list", "shop")
    assert unknown.exit_code == PERMANENT and "has that name; there are: web" in unknown.stderr
    assert "See `slice ami list`" in web("ami", "rollback", "web", "--to", "99").stderr
    assert "name it with --commit" in web("ami", "release", "web").stderr
    path = tmp_path / "defs" / "ami" / "web" / "defs.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace("keep_images: 5", "keep_images: 1"), encoding="utf-8")
    assert (
        "defs.yaml:13: attributes.keep_images: Input should be greater than or equal to 2"
        in web("ami", "list", "web").stderr
    )
