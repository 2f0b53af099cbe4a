"""How every endpoint stands, and what is still to be told, in the metadata database.

A state and the alerts that it gave rise to are kept in one transaction, and an alert goes once it was told: a crash in
between tells it by the next probe, under the same key.
"""

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

import sqlalchemy as sa

from slice_platform.ledger_tables import Moment, SafeText
from slice_platform.metadata_db import MetadataDb
from slice_platform.ops.pulse.uptime import Alert, AlertKind, Endpoint, Result, Rules, State, Status, step

_metadata = sa.MetaData()
_states = sa.Table(
    "pulse_states",
    _metadata,
    sa.Column("monitor", sa.String(200), primary_key=True),
    sa.Column("endpoint", sa.Text, primary_key=True),
    sa.Column("checked_at", Moment, nullable=False),
    sa.Column("told", sa.String(10), nullable=False),
    sa.Column("last", sa.String(10), nullable=False),
    sa.Column("in_a_row", sa.Integer, nullable=False),
    sa.Column("last_since", Moment),
    sa.Column("told_since", Moment),
    sa.Column("changes", sa.Text, nullable=False),  # JSON: moments
    sa.Column("is_flapping", sa.Boolean, nullable=False),
)
_alerts = sa.Table(
    "pulse_alerts",
    _metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("kind", sa.String(20), nullable=False),
    sa.Column("monitor", sa.String(200), nullable=False),
    sa.Column("endpoint", sa.Text, nullable=False),
    sa.Column("service", SafeText, nullable=False),
    sa.Column("type", sa.String(10), nullable=False),
    sa.Column("since", Moment, nullable=False),
    sa.Column("heading", SafeText, nullable=False),
    sa.Column("message", SafeText, nullable=False),
)


class UptimeStates:
    """The states in the metadata database."""

    def __init__(self, db: MetadataDb) -> None:
        self.db = db
        with db.hold("pulse-tables", timeout_seconds=60):  # two processes may be the first
            _metadata.create_all(db.engine)

    def checked_at(self) -> dict[tuple[str, str], datetime]:
        """When each endpoint, by monitor and name, was checked last."""
        asked = sa.select(_states.c.monitor, _states.c.endpoint, _states.c.checked_at)
        with self.db.engine.connect() as connection:
            return {(monitor, endpoint): at for monitor, endpoint, at in connection.execute(asked)}

    def take(self, results: Iterable[Result], rules: Rules) -> tuple[Alert, ...]:
        """Every endpoint stands as its result says; the alerts that came of it, which are kept until they are told."""
        said: list[Alert] = []
        with self.db.engine.begin() as connection:
            for result in sorted(results, key=lambda one: one.checked_at):
                state, alerts = step(_state(connection, result.endpoint), result, rules)
                _save(connection, result, state)
                said += alerts
            if said:
                connection.execute(_alerts.insert(), [_alert_row(alert) for alert in said])
        return tuple(said)

    def untold(self) -> list[tuple[int, Alert]]:
        """What is still to be told, the oldest first, each with the id by which it is forgotten."""
        with self.db.engine.connect() as connection:
            rows = connection.execute(sa.select(_alerts).order_by(_alerts.c.id)).mappings().all()
        return [(int(row["id"]), _alert_of(row)) for row in rows]

    def forget(self, alert_id: int) -> None:
        """It was told."""
        with self.db.engine.begin() as connection:
            connection.execute(_alerts.delete().where(_alerts.c.id == alert_id))


def _is(endpoint: Endpoint) -> sa.ColumnElement[bool]:
    return (_states.c.monitor == endpoint.monitor) & (_states.c.endpoint == endpoint.name)


def _state(connection: sa.Connection, endpoint: Endpoint) -> State:
    row = connection.execute(sa.select(_states).where(_is(endpoint))).mappings().one_or_none()
    if row is None:
        return State()
    return State(
        Status(row["told"]), Status(row["last"]), row["in_a_row"], row["last_since"], row["told_since"],
        tuple(datetime.fromisoformat(one) for one in json.loads(row["changes"])), bool(row["is_flapping"]),
    )  # fmt: skip


def _save(connection: sa.Connection, result: Result, state: State) -> None:
    values = {
        "checked_at": result.checked_at.astimezone(UTC),
        "told": state.told,
        "last": state.last,
        "in_a_row": state.in_a_row,
        "last_since": state.last_since,
        "told_since": state.told_since,
        "changes": json.dumps([one.isoformat() for one in state.changes]),
        "is_flapping": state.is_flapping,
    }
    at = {"monitor": result.endpoint.monitor, "endpoint": result.endpoint.name}
    if connection.execute(_states.update().where(_is(result.endpoint)).values(values)).rowcount == 0:
        connection.execute(_states.insert().values({**at, **values}))


def _alert_row(alert: Alert) -> dict[str, object]:
    at = alert.endpoint
    return {
        "kind": alert.kind, "monitor": at.monitor, "endpoint": at.name, "service": at.service, "type": at.type,
        "since": alert.since, "heading": alert.heading, "message": alert.message,
    }  # fmt: skip


def _alert_of(row: Mapping[str, object] | sa.RowMapping) -> Alert:
    endpoint = Endpoint(row["monitor"], row["endpoint"], row["service"], row["type"])  # type: ignore[arg-type]  # columns of text
    return Alert(AlertKind(row["kind"]), endpoint, row["since"], row["heading"], row["message"])  # type: ignore[arg-type]  # as above
