"""From the outbox to where people read: channel by channel, no faster than Slack allows, until nothing is left."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from slice_platform.errors import LedgerUnavailable, NotificationRefused, SlackUnavailable, StoreUnavailable
from slice_platform.notify.attachments import Attachments
from slice_platform.notify.chat import Chat
from slice_platform.notify.digest import digest_of
from slice_platform.notify.kept import Kept, Line, State
from slice_platform.notify.outbox import Outbox
from slice_platform.notify.report import report_of
from slice_platform.notify.sending import Sending

_BETWEEN_COUNTS = timedelta(seconds=5)  # two edits of one message's count
_LOOK_AGAIN_SECONDS = 0.1  # at a channel that another process holds
_MOST_PAUSE_SECONDS = 60.0  # after failures
_MOST_ASKED_SECONDS = 3600.0  # by Slack
_MOST_FILE_TRIES = 10
_KEPT = timedelta(days=30)
_LOG = logging.getLogger("slice_platform.notify")


@dataclass(frozen=True)
class Rules:
    """`burst` is how many may wait for a channel before they are told by one digest."""

    burst: int
    error_channel: str


class Delivery:
    """Sends what the outbox has. Several may run at the same time, in any process."""

    def __init__(
        self,
        outbox: Outbox,
        chat: Chat,
        attachments: Attachments,
        rules: Rules,
        *,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._outbox, self._chat, self._attachments = outbox, chat, attachments
        self._rules, self._pause = rules, pause
        self._sending = Sending(outbox, chat, attachments, self._report)

    def run(self, *, seconds: float, first: str | None = None) -> int:
        """Send until nothing is due, or the next is due only after the time is up; how many calls were made.

        The channel `first` comes before the others.

        What Slack says is kept in the outbox, never raised.

        Raises:
            LedgerUnavailable: the outbox cannot be read.
        """
        ends, calls = time.monotonic() + seconds, 0
        self._tidy_up()
        while time.monotonic() < ends and (lines := self._outbox.lines()):
            made = 0
            for line in sorted(lines, key=lambda line: line.channel != first):
                if time.monotonic() < ends and _wait(line, time.time()) <= 0:
                    made += self._channel(line.channel)
            calls += made
            left = min((_wait(line, time.time()) for line in self._outbox.lines()), default=0.0)
            if time.monotonic() + left >= ends:
                break
            self._pause(max(left, 0.0 if made else _LOOK_AGAIN_SECONDS))
        return calls

    def _channel(self, channel: str) -> bool:
        """One step for a channel, unless another process is at it; whether a call was made."""
        with self._outbox.hold(channel) as is_held:
            if not is_held or _wait(line := self._outbox.line(channel), time.time()) > 0:
                return False
            if self._chat.seconds_between and not line.failures:  # they would take long, and they can go now
                self._outbox.merge(channel, self._rules.burst, lambda ones: digest_of(channel, ones))
            return self._step(line)

    def _tidy_up(self) -> None:
        before = datetime.now(UTC) - _KEPT
        if self._outbox.forget(before):
            self._attachments.sweep(before)

    def _step(self, line: Line) -> bool:
        before = datetime.now(UTC) - _BETWEEN_COUNTS
        one = self._outbox.next_open(line.channel) or self._outbox.next_repeated(line.channel, before)
        if one is None:  # its count was shown a moment ago
            self._rest(line)
            return False
        try:
            line = self._call(line, one)
        except (SlackUnavailable, StoreUnavailable) as error:
            self._later(line, one, error)
        except NotificationRefused as refused:
            self._refused(line, one, refused)
        except LedgerUnavailable:
            raise
        except Exception as error:  # noqa: BLE001 -- what nobody thought of must not keep the other channels
            _LOG.exception("Sending notification #%s to %r failed", one.id, one.channel)
            self._later(line, one, error)
        else:
            self._rest(replace(line, failures=0, error=None))
        return True

    def _call(self, line: Line, one: Kept) -> Line:
        if one.state is State.SENT:
            self._sending.count(one)
        elif one.state is State.POSTED:
            self._sending.upload(one)
        else:
            return replace(line, channel_id=self._sending.post(one, line.channel_id))
        return line

    def _rest(self, line: Line) -> None:
        self._outbox.mark_line(replace(line, next_at=time.time() + self._chat.seconds_between))

    # --- what goes wrong

    def _later(self, line: Line, one: Kept, error: Exception) -> None:
        """Nothing more for this channel until Slack's time, or ours: twice as long after each failure."""
        failures = line.failures + 1
        asked = error.retry_after_seconds if isinstance(error, SlackUnavailable) else None
        ours = min(2.0 ** min(failures, 10), _MOST_PAUSE_SECONDS)
        pause = min(ours if asked is None else asked, _MOST_ASKED_SECONDS)
        self._outbox.mark_line(
            replace(
                line, failures=failures, error=str(error), next_at=time.time() + max(pause, self._chat.seconds_between)
            )
        )
        if one.state is State.POSTED and one.attempts + 1 >= _MOST_FILE_TRIES:
            # The text is there: a file that cannot be sent must not keep others for ever.
            self._report(one, NotificationRefused(f"A file of it could not be sent: {error}", code="upload_failed"))
            self._sending.leave_file(one, error=str(error))

    def _refused(self, line: Line, one: Kept, refused: NotificationRefused) -> None:
        if refused.concerns_all:
            _LOG.error("Notifications cannot be sent: %s", refused)
            self._unless_unknown(one)
            self._later(line, one, refused)
        elif refused.code == "channel_not_found" and line.channel_id is not None and one.posted is None:
            self._unless_unknown(one)
            self._rest(replace(line, channel_id=None))  # it may be another one of that name by now
        else:
            self._rest(line)
            self._report(one, refused)  # first: who dies behind it reports it once more, which is counted
            self._put_down(one, refused)

    def _unless_unknown(self, one: Kept) -> None:
        """It waits again: Slack said no. Of an earlier call whose answer nobody noted that says nothing."""
        if one.state is State.WAITING:
            self._outbox.mark(one, state=State.WAITING, attempted_at=None)

    def _put_down(self, one: Kept, refused: NotificationRefused) -> None:
        """What cannot be sent is refused; what is there already stays as it is there."""
        if one.state is State.SENT:
            self._outbox.mark(one, repeats_shown=one.repeats, error=str(refused))
        elif one.state is State.POSTED:
            self._sending.leave_file(one, error=str(refused))
        else:
            self._outbox.mark(one, state=State.REFUSED, attempted_at=None, error=str(refused))

    def _report(self, one: Kept, refused: NotificationRefused) -> None:
        """People are told in the error channel. Of a report there is no report: what stays is the log."""
        _LOG.error("Notification #%s to %r: %s", one.id, one.channel, refused)
        if not one.is_report:
            self._outbox.store(report_of(one, refused, self._rules.error_channel))


def _wait(line: Line, now: float) -> float:
    """Seconds until the channel may be called. A clock that was put back must not keep it for ever."""
    wait = line.next_at - now
    return wait if wait <= _MOST_ASKED_SECONDS else 0.0
