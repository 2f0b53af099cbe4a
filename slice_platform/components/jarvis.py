"""Jarvis at the edge of Dagster: the resource, the sensor that sends what the outbox has, hooks for jobs."""

import logging
from typing import TYPE_CHECKING

import dagster as dg
from dagster_slack import SlackResource

from slice_platform.notify.chat import Chat
from slice_platform.notify.jarvis import chat_of, notify, open_jarvis
from slice_platform.notify.slack import SlackChat, slack_client
from slice_platform.notify.slack_text import quoted
from slice_platform.settings import load_settings

if TYPE_CHECKING:
    from slack_sdk import WebClient

TOLD_TAG = "slice/told"  # of a run that has told people of its failure by itself
OUTBOX = dg.AssetKey(["slack", "outbox"])
DELIVERED = "delivered"
_DELIVER_SECONDS = 15.0  # of a tick, which may take a minute
_LOG = logging.getLogger("slice_platform.notify")


class Slack(SlackResource):
    """Slack as the platform calls it. What is empty is that of the settings, so that no definition holds a secret."""

    token: str = ""
    base_url: str = ""

    def get_client(self) -> "WebClient":
        """A client that calls once; the outbox tries again."""
        settings = load_settings()
        known = settings.slack_token.get_secret_value() if settings.slack_token else ""
        return slack_client(
            self.token or known, self.base_url or settings.slack_base_url, settings.slack_timeout_seconds
        )

    def chat(self) -> Chat:
        """Slack, or pages on disk where no token is known."""
        return SlackChat(self.get_client()) if self.token else chat_of(load_settings())


def outbox_asset() -> dg.AssetSpec:
    return dg.AssetSpec(
        OUTBOX, group_name="slack", description="Notifications on their way to Slack, or to pages below SLICE_HOME."
    )


def outbox_check() -> dg.AssetChecksDefinition:
    """The sensor evaluates it when its outcome changes; by hand it may be run at any time."""

    @dg.asset_check(asset=OUTBOX, name=DELIVERED, description="No notification has waited for long.")
    def delivered() -> dg.AssetCheckResult:
        with open_jarvis() as jarvis:
            stuck, standing = jarvis.stuck(), jarvis.standing()
        metadata = {"waiting": standing.waiting, "refused": standing.refused}
        return dg.AssetCheckResult(passed=not stuck, description=stuck, metadata=metadata)

    return delivered


def outbox_sensor() -> dg.SensorDefinition:
    """Sends what the outbox has, and fails the check `delivered` where it cannot."""

    @dg.sensor(
        name="outbox_sensor",
        minimum_interval_seconds=5,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Sends notifications, at most one a second to each channel.",
    )
    def sensor(context: dg.SensorEvaluationContext, slack: Slack) -> dg.SensorResult | dg.SkipReason:
        with open_jarvis(chat=slack.chat()) as jarvis:
            calls = jarvis.deliver(seconds=_DELIVER_SECONDS)
            stuck = jarvis.stuck()
            waiting = jarvis.standing().waiting
        if stuck:
            _LOG.error("%s", stuck)
        told = "stuck" if stuck else "delivered"
        said = f"{calls} calls made, {waiting} notifications wait."
        if told == context.cursor:
            return dg.SkipReason(said)
        evaluation = dg.AssetCheckEvaluation(
            asset_key=OUTBOX,
            check_name=DELIVERED,
            passed=not stuck,
            severity=dg.AssetCheckSeverity.ERROR,
            description=stuck or said,
        )
        return dg.SensorResult(asset_events=[evaluation], cursor=told)

    return sensor


def notify_on_failure(channel: str) -> dg.HookDefinition:
    """For a job: each step that fails is told in `channel`, and the run is not told of once more."""

    @dg.failure_hook(name="notify_on_failure")
    def hook(context: dg.HookContext) -> None:
        error = context.op_exception
        if _tell(channel, context, "failed", quoted(f"{type(error).__name__}: {error}") if error else ""):
            context.instance.add_run_tags(context.run_id, {TOLD_TAG: "true"})

    return hook


def notify_on_success(channel: str) -> dg.HookDefinition:
    """For a job: each step that succeeds is told in `channel`."""

    @dg.success_hook(name="notify_on_success")
    def hook(context: dg.HookContext) -> None:
        _tell(channel, context, "succeeded", "")

    return hook


def run_link(run_id: str) -> str:
    """Where the UI shows a run."""
    return f"{load_settings().dagster_url.rstrip('/')}/runs/{run_id}"


def _tell(channel: str, context: dg.HookContext, how: str, more: str) -> bool:
    return notify(
        channel,
        "\n".join(part for part in (more, run_link(context.run_id)) if part),
        heading=f"{context.job_name}: {context.op.name} {how}",
        key=f"{context.run_id} {context.op.name} {how}",
        thread=context.run_id,
    )
