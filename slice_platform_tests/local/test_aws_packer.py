"""Packer builds an image on the local AWS, with the template that it would have on AWS itself."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from slice_platform.local.aws import REGION, LocalAws
from slice_platform_tests.tools import require_tool

TEMPLATE = {
    "variables": {"endpoint": "{{env `AWS_ENDPOINT_URL`}}"},
    "builders": [
        {
            "type": "amazon-ebs",
            "region": REGION,
            "custom_endpoint_ec2": "{{user `endpoint`}}",
            "source_ami_filter": {"filters": {"name": "ubuntu-base"}, "owners": ["self"], "most_recent": True},
            "instance_type": "t3.small",
            "communicator": "none",
            "ami_name": "platform-main-8",
            "tags": {"branch": "main", "commit": "abc"},
            "snapshot_tags": {"kind": "root"},
        }
    ],
}


@pytest.fixture
def build(tmp_path: Path) -> subprocess.CompletedProcess[str]:
    packer = require_tool("packer")
    (tmp_path / "image.json").write_text(json.dumps(TEMPLATE))
    environment = {**os.environ, "CHECKPOINT_DISABLE": "1", "PACKER_CONFIG_DIR": str(tmp_path), "TMPDIR": str(tmp_path)}
    return subprocess.run(
        [packer, "build", "-machine-readable", "image.json"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_packer_makes_a_tagged_image_with_a_tagged_snapshot(
    local_aws: LocalAws, build: subprocess.CompletedProcess[str]
) -> None:
    assert build.returncode == 0, build.stdout + build.stderr
    ec2 = local_aws.client("ec2")
    found = ec2.describe_images(Filters=[{"Name": "name", "Values": ["platform-main-8"]}])["Images"]
    assert [{tag["Key"]: tag["Value"] for tag in one["Tags"]} for one in found] == [{"branch": "main", "commit": "abc"}]
    assert f"artifact,0,id,{REGION}:{found[0]['ImageId']}" in build.stdout
    snapshot = found[0]["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]
    found = ec2.describe_snapshots(SnapshotIds=[snapshot])["Snapshots"]
    assert {"Key": "kind", "Value": "root"} in found[0]["Tags"]


def test_packer_leaves_nothing_else_behind(local_aws: LocalAws, build: subprocess.CompletedProcess[str]) -> None:
    assert build.returncode == 0, build.stdout + build.stderr
    ec2 = local_aws.client("ec2")
    running = ec2.describe_instances(Filters=[{"Name": "instance-state-name", "Values": ["running", "stopped"]}])
    assert sum(len(held["Instances"]) for held in running["Reservations"]) == 5  # those of the seed
    assert ec2.describe_key_pairs()["KeyPairs"] == []
    assert not [one for one in ec2.describe_security_groups()["SecurityGroups"] if "packer" in one["GroupName"]]
