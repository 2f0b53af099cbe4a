"""What people are told, as those who tell it say it."""

import json
import re
import uuid
from dataclasses import dataclass, field, replace
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError
from pydantic_core import PydanticCustomError

from slice_platform.errors import NotificationRefused
from slice_platform.notify.redact import redact
from slice_platform.notify.slack_text import quoted

_CHANNEL = re.compile(r"#?(?P<name>[a-z0-9_-]{1,80}|[CGD][A-Z0-9]{8,20})")
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_MOST_KEY_BYTES = 1_024
_MOST_HEADING = 250
_Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=1_000_000)]


def _bucket(name: str) -> str:
    if not _BUCKET.fullmatch(name):
        raise PydanticCustomError(
            "bucket",
            "{name} is no name of a bucket: S3's have 3 to 63 lower-case letters, digits, . and -",
            {"name": repr(name[:100])},
        )
    return name


def _key(name: str) -> str:
    if (size := len(name.encode("utf-8", "surrogatepass"))) > _MOST_KEY_BYTES:
        raise PydanticCustomError(
            "key",
            "{size} bytes are no key of an object: S3's have 1 to {most}",
            {"size": size, "most": _MOST_KEY_BYTES},
        )
    return name


@dataclass(frozen=True)
class Notification:
    """One thing to tell.

    A second one with the same `key` is not told. Those with the same `fingerprint` within a window become one message
    that counts them. Those with the same `thread` stand below the first of them. A heading is a line: of a longer one
    the beginning is shown, and the whole of it in the message.
    """

    channel: str  # name, or id, without #
    message: str
    heading: str | None = None
    attachments: tuple[str, ...] = ()  # s3://bucket/key, or the path of a file on this machine
    key: str = field(default_factory=lambda: uuid.uuid4().hex)
    fingerprint: str | None = None
    thread: str | None = None
    is_report: bool = False  # of a notification that could not be sent; of such a one there is no report

    def __post_init__(self) -> None:
        if self.heading is not None and len(self.heading) > _MOST_HEADING:
            whole = redact(self.heading)  # before it is cut: half a secret is none to the eye
            object.__setattr__(self, "message", f"{quoted(whole)}\n{self.message}")
            object.__setattr__(self, "heading", f"{' '.join(whole[: _MOST_HEADING - 4].split())} ...")


class Attachment(BaseModel):
    """A file in S3. It is read with the rights of the platform, when the message is sent."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    bucket: Annotated[_Text, AfterValidator(_bucket)] = Field(
        description="Name of the bucket.", examples=["slack-notification-framework-attachments"]
    )
    key: Annotated[_Text, AfterValidator(_key)] = Field(
        description="Key of the object; its last part is the file's name.", examples=["cron/stats.csv"]
    )


class Payload(BaseModel):
    """A notification as a JSON document: what the Lambda function slice-slack-notifier is invoked with."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    heading: _Text | None = Field(default=None, description="A line in bold above the message.")
    message: _Text = Field(description="Slack's mrkdwn. `<!channel>` and `<@USERID>` call people; < > & are shown.")
    slack_channel: _Text = Field(description="Name of the channel, with or without #. The app has to be a member.")
    attachment: Attachment | None = Field(default=None, description="A file in S3 that lies below the message.")
    idempotency_key: _Text | None = Field(
        default=None, description="A second notification with the same key is not sent. Default: one of its own."
    )

    def notification(self) -> Notification:
        """Raises NotificationRefused where the channel is none."""
        at = self.attachment
        one = Notification(
            channel=channel_name(self.slack_channel),
            message=self.message,
            heading=self.heading,
            attachments=(f"s3://{at.bucket}/{at.key}",) if at else (),
        )
        return replace(one, key=self.idempotency_key) if self.idempotency_key else one


def read_payload(document: object) -> Payload:
    """The payload that a JSON document, as text or parsed, is.

    Raises:
        NotificationRefused: it is none; the message names each field that is wrong.
    """
    try:
        parsed: Any = json.loads(document) if isinstance(document, str | bytes) else document
        return Payload.model_validate(parsed)
    except ValidationError as error:
        found = "; ".join(f"{'.'.join(map(str, one['loc'])) or 'payload'}: {one['msg']}" for one in error.errors())
    except ValueError as error:
        found = f"no JSON: {error}"
    raise NotificationRefused(
        f"The payload is wrong: {found}. Expected are message and slack_channel, and optional heading and "
        "attachment {bucket, key}.",
        code="bad_payload",
    )


def channel_name(text: str) -> str:
    """The name of a channel without `#`, or its id.

    Raises:
        NotificationRefused: no channel of Slack can be called so.
    """
    found = _CHANNEL.fullmatch(text.strip())
    if found is None:
        raise NotificationRefused(
            f"Notifying the channel {text[:100]!r}: that is no name of a channel. Slack's have lower-case letters, "
            "digits, - and _, up to 80.",
            code="channel_not_found",
        )
    return found["name"]
