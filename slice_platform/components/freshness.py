"""The freshness that is asked of a table as a policy of its asset; Dagster's daemon judges it and the UI shows it."""

from datetime import timedelta

import dagster as dg

from slice_platform.lake.service_levels import Freshness


def freshness_policy(asked: Freshness | None) -> dg.FreshnessPolicy | None:
    """None where nothing is asked."""
    if asked is None:
        return None
    if asked.daily_by is not None:
        deadline = f"{asked.daily_by.minute} {asked.daily_by.hour} * * *"
        return dg.FreshnessPolicy.cron(deadline_cron=deadline, lower_bound_delta=timedelta(days=1), timezone="UTC")
    assert asked.fail_after is not None
    return dg.FreshnessPolicy.time_window(fail_window=asked.fail_after, warn_window=asked.warn_after)
