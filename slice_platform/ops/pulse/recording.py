"""Results as the lake takes them: a file of JSON lines in landing, there at once and whole."""

import json
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime

from slice_platform.ops.pulse.uptime import Result
from slice_platform.store import Store


def record(store: Store, prefix: str, results: Sequence[Result]) -> str | None:
    """The results are in a file of their own below `prefix`; its key, or None where there is nothing to record."""
    if not results:
        return None
    key = f"{prefix}/uptime-{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{uuid.uuid4().hex[:12]}.jsonl"
    store.write(key, "".join(f"{json.dumps(row_of(one), sort_keys=True)}\n" for one in results).encode())
    return key


def row_of(result: Result) -> dict[str, str | float | None]:
    """A result as a row of the dataset `uptime`."""
    at = result.endpoint
    return {
        "service": at.service,
        "monitor": at.monitor,
        "endpoint": at.name,
        "type": at.type,
        "checked_at": result.checked_at.astimezone(UTC).isoformat(timespec="milliseconds"),
        "status": result.status.value,
        "latency_ms": result.latency_ms,
        "error": result.error,
    }
