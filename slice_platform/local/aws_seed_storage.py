"""Buckets, volumes and snapshots of the seeded accounts: each kind once in order and once not."""

import json
from datetime import timedelta
from typing import Any

from slice_platform.local.aws_moto import set_age
from slice_platform.local.aws_overlay import Caller

OWNED = {"owner": "data-platform", "cost-center": "1042"}  # what every thing in order is tagged with
_ZONE = "ap-south-1a"
_IN_REGION = {"LocationConstraint": "ap-south-1"}


def tags_of(**tags: str) -> list[dict[str, str]]:
    return [{"Key": name, "Value": value} for name, value in tags.items()]


def seed_good_bucket(s3: Any, name: str) -> None:
    """Private, encrypted, tagged, and closed to the public by its own block."""
    s3.create_bucket(Bucket=name, CreateBucketConfiguration=_IN_REGION)
    s3.put_public_access_block(
        Bucket=name,
        PublicAccessBlockConfiguration=dict.fromkeys(
            ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True
        ),
    )
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
    s3.put_bucket_encryption(Bucket=name, ServerSideEncryptionConfiguration={"Rules": [rule]})
    s3.put_bucket_tagging(Bucket=name, Tagging={"TagSet": tags_of(**OWNED)})


def seed_open_buckets(s3: Any, prefix: str) -> None:
    """Three with no block: one that all may list, one whose policy lets all read, and one without tags."""
    listed, readable, untagged = f"{prefix}-public-acl", f"{prefix}-public-policy", f"{prefix}-untagged"
    for name in (listed, readable, untagged):
        s3.create_bucket(Bucket=name, CreateBucketConfiguration=_IN_REGION)
    for name in (listed, readable):
        s3.put_bucket_tagging(Bucket=name, Tagging={"TagSet": tags_of(**OWNED)})
    s3.put_bucket_acl(Bucket=listed, ACL="public-read")
    statement = {
        "Sid": "Everybody",
        "Effect": "Allow",
        "Principal": "*",
        "Action": "s3:GetObject",
        "Resource": f"arn:aws:s3:::{readable}/*",
    }
    s3.put_bucket_policy(Bucket=readable, Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))


def seed_volumes(ec2: Any, caller: Caller) -> None:
    """A volume in order, one that is not encrypted, one without tags; of the first an old snapshot and a young one."""
    owned = [{"ResourceType": "volume", "Tags": tags_of(Name="data", **OWNED)}]
    good = ec2.create_volume(AvailabilityZone=_ZONE, Size=20, Encrypted=True, TagSpecifications=owned)["VolumeId"]
    ec2.create_volume(AvailabilityZone=_ZONE, Size=20, Encrypted=False, TagSpecifications=owned)
    ec2.create_volume(AvailabilityZone=_ZONE, Size=8, Encrypted=True)
    for age_days in (400, 2):
        snapshot = ec2.create_snapshot(VolumeId=good, Description=f"data, {age_days} days ago")["SnapshotId"]
        ec2.create_tags(Resources=[snapshot], Tags=tags_of(Name="data", **OWNED))
        set_age(caller, snapshot, timedelta(days=age_days))
