"""AWS as an account of the sweep sees it: through its role, or with our own credentials."""

from typing import Any

from slice_platform.aws import AwsAccess, client, told
from slice_platform.ops.custodian.accounts import Account, Target

_SESSION = "slice-custodian"


def account_client(service: str, target: Target, access: AwsAccess) -> Any:
    """A client of one service in the account and region of the target.

    Raises:
        AccessRefused: the role cannot be assumed.
        StoreUnavailable: AWS did not answer.
    """
    import boto3  # noqa: PLC0415 -- a laptop has no need of it

    with told("assume the role of", str(target.account)):
        keys = _keys(target.account, access)
        session = boto3.session.Session(region_name=target.region, **keys)
        return session.client(service, endpoint_url=access.endpoint_url, config=access.config)


def _keys(account: Account, access: AwsAccess) -> dict[str, str]:
    """The credentials of its role; none where our own are used."""
    if account.role is None:
        return {}
    asked = {"RoleArn": account.role, "RoleSessionName": _SESSION}
    if account.external_id is not None:
        asked["ExternalId"] = account.external_id
    given = client("sts", access).assume_role(**asked)["Credentials"]
    return {
        "aws_access_key_id": given["AccessKeyId"],
        "aws_secret_access_key": given["SecretAccessKey"],
        "aws_session_token": given["SessionToken"],
    }
