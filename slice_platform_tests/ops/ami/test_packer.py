"""Packer as it really is: provisioners run, failures clean up, and a packer whose starter died is waited for."""

import json
from pathlib import Path
from typing import Any

import pytest

from slice_platform.errors import ReleaseFailed, SettingsError
from slice_platform.ops.ami.packer import Packer
from slice_platform.ops.ami.packer_template import Marks, marked, read_template
from slice_platform.ops.ami.spec import PackerBuild
from slice_platform_tests.forked import killed
from slice_platform_tests.ops.ami.planted import COMMIT, Shop, packer_template
from slice_platform_tests.ops.ami.ssh_machine import SshMachine, running_ssh_machine
from slice_platform_tests.ops.ami.walker import Walker

MARKS = Marks("r1", "shop", "main", COMMIT)


def packer(shop: Shop, **more: Any) -> Packer:
    build = PackerBuild.model_validate({"template": "packer.json", **more})
    return Packer(build, shop.home, shop.home / "work", shop.local.endpoint_url)


def build(one: Packer, told: list[str] | None = None) -> str:
    with one.alone(wait_seconds=30) as lock:
        return one.run(MARKS, (told if told is not None else []).append, lock=lock)


def provision(shop: Shop, machine: SshMachine, *provisioners: dict[str, Any]) -> None:
    """Have the template's builder reach the machine by SSH, and do this with it."""
    path = shop.home / "packer.json"
    template = json.loads(path.read_text(encoding="utf-8"))
    reached = {
        "communicator": "ssh", "ssh_username": "ubuntu", "ssh_host": "127.0.0.1", "ssh_port": machine.port,
        "ssh_private_key_file": str(machine.key_file), "ssh_keypair_name": "machine", "ssh_timeout": "20s",
    }  # fmt: skip
    shop.ec2.create_key_pair(KeyName="machine")
    builder = {**template["builders"][0], **reached}
    path.write_text(json.dumps({**template, "builders": [builder], "provisioners": provisioners}), encoding="utf-8")


def shell(*commands: str) -> dict[str, Any]:
    return {"type": "shell", "inline": list(commands), "execute_command": "sh {{.Path}}"}


def test_provisioners_really_run_and_files_are_uploaded(shop: Shop, tmp_path: Path) -> None:
    (shop.home / "app.conf").write_text("port = 80\n", encoding="utf-8")
    told: list[str] = []
    with running_ssh_machine(tmp_path / "machine") as machine:
        upload = {"type": "file", "source": "app.conf", "destination": str(machine.home / "uploaded.conf")}
        shell = {
            "type": "shell",
            "inline": ["echo built here > built", "echo it went well"],
            "execute_command": "sh {{.Path}}",
        }
        provision(shop, machine, upload, shell)
        image = build(packer(shop), told)
    assert image.startswith("ami-")
    assert (machine.home / "built").read_text(encoding="utf-8") == "built here\n"
    assert (machine.home / "uploaded.conf").read_text(encoding="utf-8") == "port = 80\n"
    assert any("it went well" in line for line in told)


def test_a_provisioner_that_fails_fails_the_build_and_leaves_nothing(shop: Shop, tmp_path: Path) -> None:
    with running_ssh_machine(tmp_path / "machine") as machine:
        provision(shop, machine, shell("echo npm fails; exit 3"))
        with pytest.raises(
            ReleaseFailed, match=r"(?s)Packer ended with 1 and made no image: .*npm fails.*exit status: 3"
        ):
            build(packer(shop))
    shop.ec2.delete_key_pair(KeyName="machine")
    Walker(shop.local).prove()
    assert shop.images(commit=COMMIT) == []


def test_a_build_that_takes_too_long_is_interrupted_and_cleans_up(shop: Shop, tmp_path: Path) -> None:
    told: list[str] = []
    with running_ssh_machine(tmp_path / "machine") as machine:
        provision(shop, machine, shell("sleep 60"))
        with pytest.raises(ReleaseFailed, match="made no image"):
            build(packer(shop, timeout_seconds=4), told)
    assert "packer takes too long: it is interrupted" in told
    shop.ec2.delete_key_pair(KeyName="machine")
    Walker(shop.local).prove()


def test_a_packer_whose_starter_was_killed_finishes_and_its_image_is_found(shop: Shop) -> None:
    one = packer(shop)
    assert killed(lambda: _build(one), 0.25)
    with one.alone(wait_seconds=30):  # it builds on: whoever comes next waits for it
        image = one.image_of(MARKS)
    assert [found["ImageId"] for found in shop.images(commit=COMMIT)] == ([image] if image else [])


def test_another_packer_is_waited_for_only_so_long(shop: Shop) -> None:
    one = packer(shop)
    with (
        one.alone(wait_seconds=0),
        pytest.raises(ReleaseFailed, match="Another packer has built for 0 s already"),
        packer(shop).alone(wait_seconds=0),
    ):
        pytest.fail("two packers build at once")


def test_values_of_variables_reach_packer_and_stand_in_no_file(shop: Shop) -> None:
    path = shop.home / "packer.json"
    template = json.loads(path.read_text(encoding="utf-8"))
    template["variables"]["licence"] = ""
    template["builders"][0]["tags"]["size"] = "{{user `licence` | upper}}"
    path.write_text(json.dumps(template), encoding="utf-8")
    image = build(packer(shop, variables={"licence": "a-licence-key"}))
    (described,) = shop.ec2.describe_images(ImageIds=[image])["Images"]
    assert {"Key": "size", "Value": "A-LICENCE-KEY"} in described["Tags"]
    kept = "".join(one.read_text(encoding="utf-8") for one in (shop.home / "work").rglob("*") if one.is_file())
    assert "a-licence-key" not in kept
    assert (shop.home / "work").stat().st_mode & 0o077 == 0


def test_a_variable_that_the_template_lacks_is_told(shop: Shop) -> None:
    with pytest.raises(
        SettingsError, match=r"'packer.json' has no variables \['licence'\], expected are some of \['aws"
    ):
        packer(shop, variables={"licence": "x"}).validate(MARKS)


def test_the_template_builds_in_the_local_aws_and_carries_the_marks(shop: Shop) -> None:
    template = packer_template("ami-1")
    (builder,) = json.loads(marked(template, MARKS, endpoint_url="http://127.0.0.1:1"))["builders"]
    assert builder["custom_endpoint_ec2"] == "http://127.0.0.1:1"
    assert builder["tags"]["timestamp"] == "{{timestamp}}"  # what the template says itself stays
    assert (builder["tags"]["branch"], builder["tags"]["commit"]) == ("main", COMMIT)
    assert builder["run_tags"]["slice:role"] == "builder"
    assert "custom_endpoint_ec2" not in marked(template, MARKS, endpoint_url=None)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "JSONDecodeError"),
        ('{"builders": {}}', r"its builders are \[\]"),
        ("[]", "TypeError"),
        ('{"builders": [{"type": "amazon-ebs"}, {"type": "amazon-ebs"}]}', "expected is one of the type 'amazon-ebs'"),
    ],
)
def test_a_template_that_cannot_be_read_is_told_with_its_path(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "packer.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError, match=f"Reading packer's template '{path}'.*{says}"):
        read_template(path)


def test_without_packer_the_way_to_get_it_is_told(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(shop.home))
    with pytest.raises(SettingsError, match="the program 'packer' is not on the PATH. Install it"):
        packer(shop).validate(MARKS)


def _build(one: Packer) -> None:
    build(one)
