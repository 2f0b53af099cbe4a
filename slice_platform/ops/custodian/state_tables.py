"""How findings stood after the last sweep, beside the journal in the metadata database."""

import sqlalchemy as sa

from slice_platform.ledger_tables import Moment, SafeText

metadata = sa.MetaData()

findings = sa.Table(
    "custodian_findings",
    metadata,
    sa.Column("policy", sa.String(200), primary_key=True),
    sa.Column("account_id", sa.String(12), primary_key=True),
    sa.Column("region", sa.String(30), primary_key=True),
    sa.Column("resource_id", sa.Text, primary_key=True),
    sa.Column("account_name", SafeText, nullable=False),
    sa.Column("severity", sa.String(20), nullable=False),
    sa.Column("resource_type", sa.String(100), nullable=False),
    sa.Column("resource_name", SafeText, nullable=False),
    sa.Column("arn", SafeText),
    sa.Column("tags", SafeText, nullable=False),  # JSON
    sa.Column("details", SafeText, nullable=False),  # JSON
    sa.Column("status", sa.String(20), nullable=False),
    sa.Column("since", Moment, nullable=False),
    sa.Column("seen_at", Moment, nullable=False),
    sa.Column("opened_at", Moment),
    sa.Column("closed_at", Moment),
    sa.Column("exception_owner", SafeText),
    sa.Column("exception_until", sa.Date),
)
looks = sa.Table(
    "custodian_looks",
    metadata,
    sa.Column("policy", sa.String(200), primary_key=True),
    sa.Column("account_id", sa.String(12), primary_key=True),
    sa.Column("region", sa.String(30), primary_key=True),
    sa.Column("account_name", SafeText, nullable=False),
    sa.Column("severity", sa.String(20), nullable=False),
    sa.Column("resource_type", sa.String(100), nullable=False),
    sa.Column("found", sa.Integer, nullable=False),  # at the last look that was answered
    sa.Column("asked_at", Moment, nullable=False),
    sa.Column("answered_at", Moment),
    sa.Column("error", SafeText),  # of the last look; NULL where it was answered
)
