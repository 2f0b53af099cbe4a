"""The tables of the outbox, beside the ledger's in the metadata database."""

import sqlalchemy as sa

from slice_platform.ledger_tables import SafeText

metadata = sa.MetaData()
_utc = sa.DateTime(timezone=True)

notifications = sa.Table(
    "notifications",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("key", sa.String(200), nullable=False, unique=True),
    sa.Column("channel", sa.String(100), nullable=False),
    sa.Column("heading", SafeText),
    sa.Column("message", SafeText, nullable=False),
    sa.Column("attachments", SafeText, nullable=False, default="[]"),  # addresses, as JSON
    sa.Column("notes", SafeText, nullable=False, default=""),  # what became of attachments that cannot be sent
    sa.Column("fingerprint", sa.String(64)),
    sa.Column("thread", sa.String(200)),
    sa.Column("is_report", sa.Boolean, nullable=False, default=False),
    sa.Column("state", sa.String(20), nullable=False),
    sa.Column("created_at", _utc, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False, default=0),
    sa.Column("attempted_at", _utc),  # of a call whose answer is not known yet
    sa.Column("channel_id", sa.String(100)),
    sa.Column("ts", sa.String(50)),
    sa.Column("thread_ts", sa.String(50)),  # of the message that it stands below
    sa.Column("files_sent", sa.Integer, nullable=False, default=0),
    sa.Column("repeats", sa.Integer, nullable=False, default=0),  # beyond the first
    sa.Column("repeated_at", _utc),
    sa.Column("repeats_shown", sa.Integer, nullable=False, default=0),
    sa.Column("shown_at", _utc),
    sa.Column("merged_into", sa.Integer),
    sa.Column("error", SafeText),
    sa.Column("sent_at", _utc),
    sa.Index("ix_notifications_state", "state", "channel"),
    sa.Index("ix_notifications_fingerprint", "channel", "fingerprint"),
    sa.Index("ix_notifications_thread", "channel", "thread"),
)

# Few of very many.
sa.Index(
    "ix_notifications_behind",
    notifications.c.channel,
    sqlite_where=notifications.c.repeats > notifications.c.repeats_shown,
    postgresql_where=notifications.c.repeats > notifications.c.repeats_shown,
)

# Keys of notifications that became one more of another.
repeats = sa.Table(
    "notification_repeats",
    metadata,
    sa.Column("key", sa.String(200), primary_key=True),
    sa.Column("notification", sa.Integer, nullable=False),
    sa.Column("at", _utc, nullable=False),
)

channels = sa.Table(
    "notification_channels",
    metadata,
    sa.Column("name", sa.String(100), primary_key=True),
    sa.Column("channel_id", sa.String(100)),
    sa.Column("next_at", sa.Float, nullable=False, default=0.0),  # seconds since 1970; no call before
    sa.Column("failures", sa.Integer, nullable=False, default=0),  # in a row
    sa.Column("error", SafeText),  # why nothing goes out
)
