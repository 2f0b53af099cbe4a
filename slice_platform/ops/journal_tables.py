"""The tables of the journal of operations, beside the ledger's in the metadata database."""

import sqlalchemy as sa

from slice_platform.ledger_tables import Moment, SafeText

metadata = sa.MetaData()

plans = sa.Table(
    "ops_plans",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("job", sa.String(100), nullable=False),
    sa.Column("target", sa.Text, nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("state", sa.String(20), nullable=False),
    sa.Column("existing", sa.Text, nullable=False),  # JSON: kind -> how many there were
    sa.Column("opened_at", Moment, nullable=False),
    sa.Column("closed_at", Moment),
    sa.Column("error", SafeText),
    sa.Index("ops_plans_by_job", "job", "id"),
)
acts = sa.Table(
    "ops_acts",
    metadata,
    sa.Column("plan_id", sa.Integer, primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),  # from 0, in the order of the plan
    sa.Column("verb", sa.String(50), nullable=False),
    sa.Column("kind", sa.String(100), nullable=False),
    sa.Column("resource", SafeText, nullable=False),
    sa.Column("reason", SafeText, nullable=False),
    sa.Column("undo", SafeText, nullable=False),  # JSON
    sa.Column("removes", sa.Boolean, nullable=False),
    sa.Column("state", sa.String(20), nullable=False),
    sa.Column("begun_at", Moment),
    sa.Column("ended_at", Moment),
    sa.Column("error", SafeText),
)
