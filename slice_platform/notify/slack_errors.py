"""Slack's errors told as ours: which pass by themselves, and what a person has to do about the others.

Two kinds matter to the outbox. `SlackUnavailable` is tried again, `NotificationRefused` is not. What is quoted of an
answer is redacted: no message may carry the token.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError, URLError

from slice_platform.errors import NotificationRefused, SlackUnavailable, SliceError
from slice_platform.notify.redact import redact

if TYPE_CHECKING:
    from slack_sdk.web import SlackResponse

_CODE = re.compile(r"[a-z][a-z0-9_]*")  # where an answer is no JSON the SDK puts a sentence in its place
_LIMITS = {"message_limit_exceeded", "rate_limited", "ratelimited"}
_PASSING = {"fatal_error", "internal_error", "request_timeout", "service_unavailable", "team_added_to_org"}
_AGAIN = "It is tried again; where that does not help look at https://slack-status.com and at the network."

_CREDENTIAL = "Set SLICE_SLACK_TOKEN to the bot token (xoxb-...) of an app that is installed in this workspace."
_RIGHT = "Give the app this right under OAuth & Permissions at https://api.slack.com/apps, and install it again."
_ADMIN = "An administrator of the workspace has to let the app in."
_CONCERN_ALL = {
    "not_authed": f"There is no token, or it has signs that no token has. {_CREDENTIAL}",
    **dict.fromkeys(
        ("account_inactive", "invalid_auth", "not_allowed_token_type", "token_expired", "token_revoked"), _CREDENTIAL
    ),
    **dict.fromkeys(("missing_scope", "no_permission"), _RIGHT),
    **dict.fromkeys(
        (
            "access_denied", "accesslimited", "ekm_access_denied", "enterprise_is_restricted", "org_login_required",
            "team_access_not_granted", "two_factor_setup_required",
        ),
        _ADMIN,
    ),
}  # fmt: skip

_TEXT = "Send a shorter text, and the rest as an attachment."
_STAYS = "What was to be added to it, such as a count, is not shown; nothing is to be done."
_FILES = "Put the file where people can fetch it, and send its address."
_NEXT = {
    "not_in_channel": "Invite the app: /invite @jarvis in {where}.",
    "channel_not_found": "Check the name; where the channel is private invite the app: /invite @jarvis in {where}.",
    "is_archived": "Unarchive the channel, or give another one.",
    "restricted_action": "An administrator has limited who may post there: give another channel, or let the app post.",
    "no_text": "Give a message that is more than white space.",
    "msg_too_long": _TEXT,
    "msg_blocks_too_long": _TEXT,
    "cant_update_message": f"Only the app that posted a message may change it: has the token changed? {_STAYS}",
    "edit_window_closed": f"The workspace lets no one edit a message that late. {_STAYS}",
    "message_not_found": f"Somebody has deleted it. {_STAYS}",
    "thread_not_found": "Somebody has deleted the message of the thread; what was to stand below it is not shown.",
    "file_upload_size_restricted": _FILES,
    "file_uploads_disabled": _FILES,
    "storage_limit_reached": _FILES,
    "invalid_arguments": "Slack does not take it in this form.",
}
_UNKNOWN = "Slack will say so again; https://docs.slack.dev/reference/methods tells what it means."


@contextmanager
def told(verb: str, where: str) -> Iterator[None]:
    """What goes wrong in the block, told as ours. In it stand calls of the SDK and looks at their answers, no more.

    Raises:
        SlackUnavailable: Slack asks to wait, did not answer, or what answered was not Slack.
        NotificationRefused: Slack refuses, and will again.
    """
    doing = f"Could not {verb} {where!r}"
    try:
        yield
    except Exception as error:
        ours = _as_ours(error, doing, where)
        if ours is None:
            raise
        raise ours from error


def _as_ours(error: Exception, doing: str, where: str) -> SliceError | None:
    from slack_sdk.errors import SlackApiError, SlackRequestError  # noqa: PLC0415 -- whoever calls Slack has it

    if isinstance(error, SlackApiError):
        return _of_answer(error.response, doing, where)
    if isinstance(error, HTTPError):  # of an upload: the SDK makes answers of all others
        error.close()
        return _unavailable(doing, f"HTTP {error.code}", _retry_after(error.headers))
    if isinstance(error, (SlackRequestError, OSError, HTTPException)):
        reason = error.reason if isinstance(error, URLError) else error
        return _unavailable(doing, _quoted(reason) or type(error).__name__)
    if isinstance(error, (ValueError, TypeError, AttributeError, LookupError)):
        # The SDK, or we, stumbled over an answer. Its text is not quoted: that may be a header.
        return _unavailable(doing, f"the answer is not Slack's ({type(error).__name__})")
    return None


def _of_answer(response: "SlackResponse", doing: str, where: str) -> SliceError:
    data: dict[str, Any] = response.data if isinstance(response.data, dict) else {}
    code, wait = str(data.get("error", "")), _retry_after(response.headers)
    if response.status_code == 429 or code in _LIMITS:
        wait = 1.0 if wait is None else wait
        return SlackUnavailable(f"{doing}: Slack asks to wait for {wait:g} s.", retry_after_seconds=wait)
    if response.status_code >= 500 or code in _PASSING:
        return _unavailable(doing, f"Slack answered {_quoted(code)!r}, HTTP {response.status_code}", wait)
    if not _CODE.fullmatch(code):
        return _unavailable(
            doing,
            f"the answer, HTTP {response.status_code}, is not Slack's: {_quoted(code)!r}. Expected is JSON with `ok` "
            "and `error`: look at SLICE_SLACK_BASE_URL, and at a proxy on the way",
            wait,
        )
    return refusal(code, doing, where, _details(data))


def refusal(code: str, doing: str, where: str, details: str = "") -> NotificationRefused:
    """What Slack calls `code`, with what to do about it."""
    step = _CONCERN_ALL.get(code) or _NEXT.get(code, _UNKNOWN).format(where=where)
    message = f"{doing}: Slack says {code!r}{details}. {step}"
    return NotificationRefused(message, code=code, concerns_all=code in _CONCERN_ALL)


def _unavailable(doing: str, problem: str, wait: float | None = None) -> SlackUnavailable:
    return SlackUnavailable(f"{doing}: {problem}. {_AGAIN}", retry_after_seconds=wait)


def _details(data: dict[str, Any]) -> str:
    """What Slack adds to its code: the right that is missing, or the argument that is wrong."""
    if needed := data.get("needed"):
        return f" (needed: {_quoted(needed)})"
    more = data.get("response_metadata")
    said = more.get("messages") if isinstance(more, dict) else None
    return f" ({_quoted('; '.join(map(str, said)))})" if isinstance(said, list) and said else ""


def _retry_after(headers: Any) -> float | None:
    """Seconds; None where the header is missing, or is a date."""
    found = {str(name).lower(): str(value).strip() for name, value in headers.items()}.get("retry-after", "")
    return float(found) if re.fullmatch(r"\d{1,9}(\.\d+)?", found) else None


def _quoted(what: object) -> str:
    return redact(str(what))[:300]
