"""A sweep of Cloud Custodian in this deployment: its rows land in the lake, Security Hub and people are told."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

from slice_platform.aws import AwsAccess
from slice_platform.components.jarvis import run_link
from slice_platform.components.operations import tell_outcome
from slice_platform.lake.lake import LANDING
from slice_platform.notify.jarvis import notify
from slice_platform.notify.slack_text import quoted
from slice_platform.ops.custodian.digest import Digest, digest_of
from slice_platform.ops.custodian.rows import write_rows
from slice_platform.ops.custodian.runner import CustodianProcess
from slice_platform.ops.custodian.security_hub import Published, publish
from slice_platform.ops.custodian.spec import CustodianSpec
from slice_platform.ops.custodian.state import open_state
from slice_platform.ops.custodian.sweep import Selection, Sweeper, SweepReport, read_book
from slice_platform.ops.fence import Mandate
from slice_platform.ops.journal import open_journal
from slice_platform.settings import Settings
from slice_platform.store import open_store

DATASET = "custodian_findings"


@dataclass(frozen=True)
class Done:
    """A sweep, and where it went."""

    report: SweepReport
    digest: Digest
    landed: str  # key of the file of its rows
    published: Published | None  # None: Security Hub is not asked for
    problems: tuple[str, ...]
    was_told: bool = False


def sweep_and_tell(
    spec: CustodianSpec, settings: Settings, mandate: Mandate, selection: Selection, run_id: str | None = None
) -> Done:
    """Sweep, then write the rows into landing, then tell. What went wrong in some accounts is among its problems.

    Raises:
        SettingsError: c7n is not installed, or a file is missing.
        ContractError: a policy, an account or an exception is wrong.
        DatasetBusy: another sweep is under way.
        StoreUnavailable: the rows could not be written; the next sweep writes all that is known.
    """
    access = AwsAccess.of(settings)
    book = read_book(spec, access)
    with open_state(settings) as state, open_journal(settings) as journal:
        report = Sweeper(CustodianProcess(access, spec.timeout_seconds), state, journal).sweep(book, mandate, selection)
    landed = write_rows(report, open_store(settings.lake_root, access), f"{LANDING}/{DATASET}")
    published = publish(report, access) if spec.security_hub else None
    not_taken = published.problems if published is not None else ()
    digest = digest_of(report, not_taken)
    for one in report.applied:
        if one.outcome is not None:
            tell_outcome(one.outcome, actor=mandate.actor, run_id=run_id)
    was_told = digest.is_worth_telling and tell_digest(digest, spec.channel or settings.ops_channel, run_id)
    return Done(report, digest, landed, published, (*report.problems(), *not_taken), was_told)


def tell_digest(digest: Digest, channel: str, run_id: str | None = None) -> bool:
    """The channel is told, with the table as a file; once for each sweep. False where it could not be kept."""
    with tempfile.TemporaryDirectory(prefix="slice-digest-") as folder:
        table = Path(folder) / digest.file_name
        table.write_text(digest.table)
        return notify(
            channel,
            "\n".join([quoted(digest.text), *([run_link(run_id)] if run_id else [])]),
            heading=digest.heading,
            attach=[str(table)],
            key=digest.file_name,
            thread=run_id,
        )
