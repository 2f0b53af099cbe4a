"""How AWS is called: bounded time-outs, bounded retries, and its errors told as ours.

boto3 is imported late: a laptop has no need of it, and loading definitions must not wait for it.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from slice_platform.errors import AccessRefused, AwsUnavailable, StoreUnavailable, TransientError
from slice_platform.settings import Settings

if TYPE_CHECKING:
    from botocore.config import Config

# What AWS says with a status below 500 and means "not now".
_PASSING = {
    "ConcurrentModificationException", "ExpiredToken", "ExpiredTokenException", "OperationAborted", "OperationTimeout",
    "OperationTimeoutException", "RequestLimitExceeded", "RequestThrottled", "RequestTimeout", "RequestTimeTooSkewed",
    "SlowDown", "Throttling", "ThrottlingException", "TooManyRequestsException",
}  # fmt: skip
_AGAIN = "The work can be repeated once it answers again."


@dataclass(frozen=True)
class AwsAccess:
    """Where AWS is, and how long and how often it is asked before a call counts as failed."""

    endpoint_url: str | None = None  # None: AWS itself
    attempts: int = 5
    timeout_seconds: float = 20.0  # to connect, and between two bytes of an answer

    @classmethod
    def of(cls, settings: Settings) -> "AwsAccess":
        return cls(settings.aws_endpoint_url, settings.aws_attempts, settings.aws_timeout_seconds)

    @property
    def config(self) -> "Config":
        from botocore.config import Config  # noqa: PLC0415

        return Config(
            connect_timeout=self.timeout_seconds,
            read_timeout=self.timeout_seconds,
            retries={"mode": "standard", "total_max_attempts": self.attempts},
            max_pool_connections=16,
        )


@lru_cache(maxsize=8)
def client(service: str, access: AwsAccess) -> Any:
    """A client of one service; safe to share between threads."""
    import boto3  # noqa: PLC0415

    with told("reach", service):
        return boto3.session.Session().client(service, endpoint_url=access.endpoint_url, config=access.config)


@contextmanager
def told(verb: str, what: str, *, away: type[TransientError] = StoreUnavailable) -> Iterator[None]:
    """AWS's errors as ours.

    Raises:
        FileNotFoundError: there is no such object.
        StoreUnavailable: AWS did not answer, or not now; every attempt was used up. Of what is no storage, `away`.
        AccessRefused: AWS refuses, and will again.
    """
    try:
        yield
    except Exception as error:
        # Told by its origin: whoever never calls AWS need not have boto3.
        if type(error).__module__.partition(".")[0] not in ("boto3", "botocore"):
            raise
        raise _as_ours(error, verb, what, away) from error


def of_aws(verb: str, what: str) -> AbstractContextManager[None]:
    """As `told`, of everything in AWS that is no storage."""
    return told(verb, what, away=AwsUnavailable)


def code_of(error: Exception) -> str:
    """AWS's own word for an error that an answer of its tells; empty for any other."""
    response = getattr(error, "response", None)
    return str(response.get("Error", {}).get("Code", "")) if isinstance(response, dict) else ""


def _as_ours(error: Exception, verb: str, what: str, away: type[TransientError]) -> Exception:
    from botocore import exceptions  # noqa: PLC0415 -- as above

    if isinstance(error, exceptions.ClientError):
        return _of_answer(error, verb, what, away)
    wrong = (
        exceptions.NoCredentialsError,
        exceptions.PartialCredentialsError,
        exceptions.NoRegionError,
        exceptions.ProfileNotFound,
        exceptions.ParamValidationError,
    )
    if isinstance(error, wrong):
        return _refused(verb, what, error)
    return away(f"Could not {verb} {what!r}: {error}. {_AGAIN}")


def _of_answer(error: Any, verb: str, what: str, away: type[TransientError]) -> Exception:
    code = code_of(error)
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode") or 0)
    if code in ("NoSuchKey", "404"):
        return FileNotFoundError(f"Could not {verb} {what!r}: there is no such object.")
    if status >= 500 or status in (408, 409, 412, 429) or code in _PASSING:
        return away(f"Could not {verb} {what!r}: {error}. {_AGAIN}")
    return _refused(verb, what, error)


def _refused(verb: str, what: str, error: Exception) -> AccessRefused:
    return AccessRefused(
        f"Could not {verb} {what!r}: {str(error).rstrip('.')}. AWS will say so again: check the name, the credentials "
        "and the rights of the role, AWS_REGION, and for the lake SLICE_LAKE_URI. A laptop without an account has one "
        "by `slice aws`."
    )
