"""Versions of launch templates: copied from a source, made once for a token, listed in full, and deleted."""

from collections.abc import Mapping
from typing import Any

from moto.ec2.exceptions import InvalidLaunchTemplateVersionNotFound
from moto.ec2.models.launch_templates import LaunchTemplateVersion
from moto.ec2.utils import parse_user_data

from slice_platform.local.aws_moto import LocalLaunchTemplate, ec2_of
from slice_platform.local.aws_overlay import Asked, Caller, Operations

_MOST_LISTED = 200


def _create_version(asked: Asked, caller: Caller) -> Mapping[str, Any]:
    """A version with what the source version has, and the given data over it; one for each token."""
    template = _template(asked, caller)
    version = template.made_by_token.get(token) if (token := asked.get("ClientToken")) else None
    if version is None:
        source = asked.get("SourceVersion")
        data = dict(template.get_version(source).data) if source else {}
        given = dict(asked.get("LaunchTemplateData", {}))
        if "UserData" in given:
            given["UserData"] = parse_user_data(given["UserData"])
        version = template.create_version({**data, **given}, asked.get("VersionDescription", ""))
        if token:
            template.made_by_token[token] = version
    return {"LaunchTemplateVersion": _described(version, caller)}


def _describe_versions(asked: Asked, caller: Caller) -> Mapping[str, Any] | None:
    """Those asked for, else all, the newest first. Of all templates at once moto answers."""
    if not asked.get("LaunchTemplateId") and not asked.get("LaunchTemplateName"):
        return None
    template = _template(asked, caller)
    low, high = int(asked.get("MinVersion") or 1), int(asked.get("MaxVersion") or 2**62)
    if wanted := asked.get("Versions"):
        found = [template.get_version(one) for one in wanted]
    else:
        found = [version for version in reversed(template.versions) if low <= version.number <= high]
    start, most = int(asked.get("NextToken") or 0), int(asked.get("MaxResults") or _MOST_LISTED)
    page = {"LaunchTemplateVersions": [_described(version, caller) for version in found[start : start + most]]}
    return {**page, "NextToken": str(start + most)} if start + most < len(found) else page


def _delete_versions(asked: Asked, caller: Caller) -> Mapping[str, Any]:
    """Each is deleted, or its own reason is told; the default version stays."""
    template = _template(asked, caller)
    deleted, kept = [], []
    for number in asked["Versions"]:
        named = {"LaunchTemplateId": template.id, "LaunchTemplateName": template.name, "VersionNumber": int(number)}
        if reason := _reason_to_keep(template, number):
            kept.append({**named, "ResponseError": reason})
        else:
            template.versions.remove(template.get_version(number))
            deleted.append(named)
    return {
        "SuccessfullyDeletedLaunchTemplateVersions": deleted,
        "UnsuccessfullyDeletedLaunchTemplateVersions": kept,
    }


def _reason_to_keep(template: LocalLaunchTemplate, number: str) -> Mapping[str, str] | None:
    try:
        version = template.get_version(number)
    except InvalidLaunchTemplateVersionNotFound as missing:
        return {"Code": "launchTemplateVersionDoesNotExist", "Message": missing.message}
    if template.is_default(version):
        return {"Code": "unexpectedError", "Message": f"Version {number} is the default version: it cannot be deleted"}
    return None


def _template(asked: Asked, caller: Caller) -> LocalLaunchTemplate:
    ec2 = ec2_of(caller)
    if template_id := asked.get("LaunchTemplateId"):
        found = ec2.get_launch_template(template_id)
    else:
        found = ec2.get_launch_template_by_name(asked.get("LaunchTemplateName", ""))
    assert isinstance(found, LocalLaunchTemplate), "every template is made after install()"
    return found


def _described(version: LaunchTemplateVersion, caller: Caller) -> Mapping[str, Any]:
    template = version.template
    return {
        "LaunchTemplateId": template.id,
        "LaunchTemplateName": template.name,
        "VersionNumber": version.number,
        "VersionDescription": version.description,
        "CreateTime": version.create_time,
        "CreatedBy": f"arn:aws:iam::{caller.account}:root",
        "DefaultVersion": template.is_default(version),
        "LaunchTemplateData": version.data,
    }


OPERATIONS: Operations = {
    ("ec2", "CreateLaunchTemplateVersion"): _create_version,
    ("ec2", "DescribeLaunchTemplateVersions"): _describe_versions,
    ("ec2", "DeleteLaunchTemplateVersions"): _delete_versions,
}
