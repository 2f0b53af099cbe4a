"""What is planted in an account: for each policy that ships, a resource that breaks it and one that does not."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from slice_platform_tests.ops.custodian.aws_accounts import OWN, REGION, Accounts

TAGS = [{"Key": "owner", "Value": "team-payments"}, {"Key": "service", "Value": "cards"}]
_EVERYBODY = "http://acs.amazonaws.com/groups/global/AllUsers"


@dataclass(frozen=True)
class Planted:
    """Ids by policy: what has to be found, and what must not be."""

    bad: dict[str, str]
    good: dict[str, str]


BUCKETS = ("grants", "policy", "open", "plain", "untagged", "good")


def plant_buckets(
    accounts: Accounts, account: str = OWN, prefix: str = "x", only: tuple[str, ...] = BUCKETS
) -> Planted:
    """Public by grant, by policy, by nothing yet; without tags; and one that is as it should be."""
    s3 = accounts.client("s3", account)
    names = {kind: f"{prefix}-{kind}" for kind in only}
    for kind, name in names.items():
        s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
        if kind != "untagged":
            s3.put_bucket_tagging(Bucket=name, Tagging={"TagSet": TAGS})
        if kind != "open":
            block_public_access(s3, name)
        if kind != "plain":
            encryption = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
            s3.put_bucket_encryption(Bucket=name, ServerSideEncryptionConfiguration={"Rules": [encryption]})
    make_public(s3, names["grants"])
    if "policy" in names:
        s3.put_bucket_policy(Bucket=names["policy"], Policy=json.dumps(_policy(names["policy"])))
    policies = {
        "s3-public-grants": "grants",
        "s3-public-policy": "policy",
        "s3-public-access-not-blocked": "open",
        "s3-unencrypted": "plain",
        "s3-required-tags": "untagged",
    }
    bad = {policy: names[kind] for policy, kind in policies.items() if kind in names}
    return Planted(bad, dict.fromkeys(bad, names["good"]))


def make_public(s3: Any, bucket: str) -> None:
    """Everybody may read it."""
    owner = s3.get_bucket_acl(Bucket=bucket)["Owner"]
    grants = [
        {"Grantee": {"Type": "Group", "URI": _EVERYBODY}, "Permission": "READ"},
        {"Grantee": {"Type": "CanonicalUser", "ID": owner["ID"]}, "Permission": "FULL_CONTROL"},
    ]
    s3.put_bucket_acl(Bucket=bucket, AccessControlPolicy={"Grants": grants, "Owner": owner})


def block_public_access(s3: Any, bucket: str) -> None:
    every = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
    s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=dict.fromkeys(every, True))


def is_public(s3: Any, bucket: str) -> bool:
    grants = s3.get_bucket_acl(Bucket=bucket)["Grants"]
    return any(one["Grantee"].get("URI") == _EVERYBODY for one in grants)


def plant_machines(accounts: Accounts, account: str = OWN) -> Planted:
    """Instances, volumes, images, snapshots and security groups."""
    ec2 = accounts.client("ec2", account)
    images = _images(ec2)
    instances = _instances(ec2, images["used"])
    volumes = _volumes(ec2)
    groups = _groups(ec2)
    snapshots = _snapshots(ec2, volumes["good"])
    return Planted(
        {
            "ec2-imdsv1": instances["v1"],
            "ec2-required-tags": instances["untagged"],
            "ami-unused": images["unused"],
            "ebs-unencrypted": volumes["plain"],
            "ebs-required-tags": volumes["untagged"],
            "ebs-snapshot-old": snapshots["old"],
            "security-group-open-to-the-world": groups["open"],
        },
        {
            "ec2-imdsv1": instances["good"],
            "ec2-required-tags": instances["good"],
            "ami-unused": images["used"],
            "ebs-unencrypted": volumes["good"],
            "ebs-required-tags": volumes["good"],
            "ebs-snapshot-old": snapshots["new"],
            "security-group-open-to-the-world": groups["good"],
        },
    )


def _policy(bucket: str) -> dict[str, Any]:
    allowed = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{bucket}/*"}
    own = {"AWS": f"arn:aws:iam::{OWN}:root"}
    return {
        "Version": "2012-10-17",
        "Statement": [
            {"Sid": "Everybody", "Principal": {"AWS": "*"}, **allowed},
            {"Sid": "Us", "Principal": own, **allowed},
        ],
    }


def _images(ec2: Any) -> dict[str, str]:
    """Made long ago. Only moto's own store can be told so."""
    given = ec2.register_image(Name="given", RootDeviceName="/dev/sda1")["ImageId"]
    (base,) = ec2.run_instances(ImageId=given, MinCount=1, MaxCount=1)["Instances"]
    found = {name: ec2.create_image(InstanceId=base["InstanceId"], Name=name)["ImageId"] for name in ("used", "unused")}
    ec2.terminate_instances(InstanceIds=[base["InstanceId"]])
    ec2.deregister_image(ImageId=given)
    for image in found.values():
        _backend(ec2).amis[image].creation_date = datetime(2025, 1, 1, tzinfo=UTC)
    return found


def _backend(ec2: Any) -> Any:
    from moto.ec2.models import ec2_backends

    account = ec2.describe_security_groups()["SecurityGroups"][0]["OwnerId"]
    return ec2_backends[account][REGION]


def _instances(ec2: Any, image: str) -> dict[str, str]:
    def start(tags: list[dict[str, str]], tokens: str) -> str:
        marked = [{"ResourceType": "instance", "Tags": tags}] if tags else []
        options = {"HttpTokens": tokens, "HttpEndpoint": "enabled"}
        made = ec2.run_instances(
            ImageId=image, MinCount=1, MaxCount=1, MetadataOptions=options, TagSpecifications=marked
        )
        return str(made["Instances"][0]["InstanceId"])

    return {"v1": start(TAGS, "optional"), "good": start(TAGS, "required"), "untagged": start([], "required")}


def _volumes(ec2: Any) -> dict[str, str]:
    def make(tags: list[dict[str, str]], *, encrypted: bool) -> str:
        marked = [{"ResourceType": "volume", "Tags": tags}] if tags else []
        zone = f"{REGION}a"
        made = ec2.create_volume(AvailabilityZone=zone, Size=1, Encrypted=encrypted, TagSpecifications=marked)
        return str(made["VolumeId"])

    return {
        "plain": make(TAGS, encrypted=False),
        "good": make(TAGS, encrypted=True),
        "untagged": make([], encrypted=True),
    }


def _snapshots(ec2: Any, volume: str) -> dict[str, str]:
    found = {name: str(ec2.create_snapshot(VolumeId=volume)["SnapshotId"]) for name in ("old", "new")}
    _backend(ec2).snapshots[found["old"]].start_time = datetime.now(UTC) - timedelta(days=200)
    return found


def _groups(ec2: Any) -> dict[str, str]:
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    found = {
        name: str(ec2.create_security_group(GroupName=name, Description=name, VpcId=vpc)["GroupId"])
        for name in ("open", "good")
    }
    for name, port in (("open", 22), ("good", 443)):
        rule = {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
        ec2.authorize_security_group_ingress(GroupId=found[name], IpPermissions=[rule])
    return found
