"""One call for one notification, made so that a crash before, in or behind it can be told and mended.

That a call is made is noted, then it is made, then its answer is noted. Who finds a note without an answer looks for
the message's key, or the file's title, before the call is made again.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from slice_platform.errors import NotificationRefused, SlackUnavailable, StoreUnavailable
from slice_platform.notify.attachments import Attachments
from slice_platform.notify.chat import Chat, Posted
from slice_platform.notify.kept import Kept, State
from slice_platform.notify.outbox import Outbox
from slice_platform.notify.rendering import WHOLE, file_of, files_of, text_of


@dataclass(frozen=True)
class Sending:
    """Whoever calls these holds the channel. `report` tells people of what could not be sent."""

    outbox: Outbox
    chat: Chat
    attachments: Attachments
    report: Callable[[Kept, NotificationRefused], None]

    def post(self, one: Kept, channel_id: str | None) -> str:
        """Its text is there, once; the id of its channel."""
        posted = self._found(one, channel_id)
        if posted is None:
            self.outbox.mark(one, attempts=one.attempts + 1)
            one = self._with_notes(one)
            posted = self._post(one, channel_id or one.channel)
        now = datetime.now(UTC)
        self.outbox.mark(
            one, state=State.POSTED if files_of(one) else State.SENT, ts=posted.ts, channel_id=posted.channel_id,
            attempts=0, attempted_at=None, error=None, repeats_shown=one.repeats, shown_at=now, sent_at=now,
        )  # fmt: skip
        return posted.channel_id

    def _post(self, one: Kept, channel: str) -> Posted:
        thread = self.outbox.thread_of(one)
        self.outbox.mark(one, state=State.SENDING, attempted_at=datetime.now(UTC), thread_ts=thread)
        try:
            return self.chat.post(channel, text_of(one), key=one.key, thread=thread)
        except SlackUnavailable as error:
            if error.retry_after_seconds is not None:  # it said no: there is nothing to look for
                self.outbox.mark(one, state=State.WAITING, attempted_at=None)
            raise

    def upload(self, one: Kept) -> None:
        """Its next file lies below its text, once."""
        assert one.posted is not None
        self.outbox.mark(one, attempts=one.attempts + 1)
        source = files_of(one)[one.files_sent]
        content = one.message.encode() if source == WHOLE else self.attachments.load(source)
        file = file_of(one, one.files_sent, content)
        below = replace(one.posted, ts=one.thread_ts or one.posted.ts)
        if one.attempted_at is None or not self.chat.has_file(file.title, below=below):
            self.outbox.mark(one, attempted_at=datetime.now(UTC))
            self.chat.upload(file, below=below)
        self.leave_file(one)

    def leave_file(self, one: Kept, *, error: str | None = None) -> None:
        """Go on behind the next file: it is there, or (`error`) will never be."""
        is_last = one.files_sent + 1 >= len(files_of(one))
        state = State.SENT if is_last else State.POSTED
        self.outbox.mark(one, files_sent=one.files_sent + 1, attempted_at=None, attempts=0, state=state, error=error)
        if is_last:
            self.attachments.forget(one.attachments)

    def count(self, one: Kept) -> None:
        """Its message shows how often it was repeated. Safe to do twice."""
        assert one.posted is not None
        self.chat.update(one.posted, text_of(one))
        self.outbox.mark(one, repeats_shown=one.repeats, shown_at=datetime.now(UTC))

    def _found(self, one: Kept, channel_id: str | None) -> Posted | None:
        """The message of a call whose answer nobody noted, if it is there."""
        if one.state is not State.SENDING:
            return None
        try:
            at = channel_id or self.chat.channel_id(one.channel)
        except NotificationRefused as refused:
            if refused.code != "missing_scope":
                raise
            return None  # where we may not look, it is rather sent twice than never
        return self.chat.find(one.key, channel_id=at, since=one.created_at, thread=one.thread_ts)

    def _with_notes(self, one: Kept) -> Kept:
        """What of its attachments cannot be read is said in the text from now on, and reported."""
        problems = {address: self._problem(address) for address in one.attachments}
        told = tuple(problem for problem in problems.values() if problem is not None)
        if not told:
            return one
        for problem in told:
            self.report(one, NotificationRefused(problem, code="attachment"))
        left = tuple(address for address in one.attachments if problems[address] is None)
        self.outbox.mark(one, attachments=left, notes=(*one.notes, *told))
        return replace(one, attachments=left, notes=(*one.notes, *told))

    def _problem(self, address: str) -> str | None:
        try:
            return self.attachments.problem(address)
        except StoreUnavailable:
            return None  # the text does not wait for a file; what becomes of that is seen when it is its turn
