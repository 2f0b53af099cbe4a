"""Many notifications at once become one message that names each of them: people and Slack's limits both call for it."""

from collections.abc import Sequence

from slice_platform.notify.kept import Kept
from slice_platform.notify.notification import Notification
from slice_platform.notify.outbox import DIGEST
from slice_platform.notify.slack_text import fit

_MOST_NAMED, _MOST_FILES = 20, 20


def digest_of(channel: str, ones: Sequence[Kept]) -> Notification:
    """One notification that says what these say, with their files.

    The first are named; the text as a whole is attached, see `fit`. Of files beyond the first the places are told.
    """
    named = [f"- {_title(one)}" for one in ones[:_MOST_NAMED]]
    if len(ones) > _MOST_NAMED:
        named.append(f"... and {len(ones) - _MOST_NAMED} more")
    whole = "\n\n".join(_in_full(one) for one in ones)
    return Notification(
        channel,
        "\n".join([*named, "", "In full:", "", whole]),
        heading=f"{len(ones)} notifications came at once",
        attachments=tuple(address for one in ones for address in one.attachments)[:_MOST_FILES],
        key=f"{DIGEST}{ones[0].id}-{ones[-1].id}",
    )


def _title(one: Kept) -> str:
    first = one.heading or fit(one.message.splitlines()[0], most=200).text
    return f"{first} (x{one.repeats + 1})" if one.repeats else first


def _in_full(one: Kept) -> str:
    head = f"[{one.created_at:%Y-%m-%d %H:%M:%S} UTC] {_title(one)}"
    kept = [f"attachment: {address}" for address in one.attachments]
    return "\n".join([head, one.message, *one.notes, *kept])
