"""How a level-triggered sensor asks for jobs: one run of each at a time, and what does not help ever more rarely."""

import json
import time
from collections.abc import Mapping
from types import MappingProxyType

import dagster as dg

from slice_platform.components.asked import Asked, next_request
from slice_platform.components.runtime import is_in_flight

Tags = Mapping[str, Mapping[str, str]]  # of each job


def ask(
    context: dg.SensorEvaluationContext, todo: Mapping[str, str], tags: Tags = MappingProxyType({})
) -> dg.SensorResult:
    """The requests that are due of `todo`, which has for each job a fingerprint of what it is needed for.

    The cursor remembers what was asked for, as long as it is to do: what is done and comes again is asked for at once.
    """
    asked = {job: Asked(**one) for job, one in json.loads(context.cursor or "{}").items() if job in todo}
    requests, now = dict[str, Asked](), time.time()
    for job, what in todo.items():
        request = next_request(asked.get(job), what, now)
        if request is not None and not is_in_flight(context.instance, job):
            requests[job] = request
    return dg.SensorResult(
        run_requests=[
            dg.RunRequest(job_name=job, tags={"slice/try": str(one.times), **tags.get(job, {})})
            for job, one in requests.items()
        ],
        cursor=json.dumps({job: vars(one) for job, one in {**asked, **requests}.items()}),
    )
