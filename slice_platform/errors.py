"""Every error the platform raises on purpose, and whether trying again can help.

    SliceError
    ├── PermanentError          the same call fails again: a person must change something
    │   ├── ContractError       contract.yaml or defs.yaml is wrong (names file, line, field)
    │   ├── SettingsError       a SLICE_* variable is wrong or missing
    │   ├── AccessRefused       AWS or the database refuses: credentials, rights, the name of a bucket
    │   ├── UnknownDataset      no folder under defs/ has that name
    │   ├── UnknownFile         the ledger knows no file of that name, or several
    │   ├── QueryRefused        the SQL is not one read-only statement over the lake
    │   ├── ModelFailed         the SQL of a business table fails on the data
    │   ├── ProjectionRefused   a database cannot have a table of the lake as it is asked for
    │   ├── RebuildRefused      a partition cannot be rebuilt without losing rows
    │   ├── UpkeepRefused       what a table needs cannot be told for sure, so nothing is deleted
    │   ├── FenceRefused        a plan of operations breaks a rule of the fence (names the rule)
    │   ├── ReleaseFailed       an AMI release ended without success; says what was put back
    │   ├── SweepFailed         a sweep of Cloud Custodian left something out, or a fix did not hold (names each)
    │   ├── MonitorsRefused     files of monitors are wrong (names file, line, field); the others were dealt with
    │   ├── PulseManifestBroken what is published of monitors cannot be told, so nothing is changed
    │   ├── NotificationRefused a notification cannot be sent as it is: payload, channel, attachment, token
    │   ├── DestinationError    a database failed in a way that a retry does not change; no file is to blame
    │   └── AccountingError     rows read, published, duplicate and rejected do not add up
    └── TransientError          the same call may succeed later: Dagster retries the run
        ├── StoreUnavailable    the object store or the disk did not do what was asked
        ├── AwsUnavailable      AWS did not answer, or not now, to something that is no storage
        ├── LedgerUnavailable   the ledger's database did not do what was asked
        ├── DatasetBusy         another process works on the same dataset
        ├── DestinationUnavailable  a database that files are loaded into cannot be reached, or broke off
        ├── DestinationBusy     others held what a load needed
        ├── SlackUnavailable    Slack did not answer, or asks to wait
        ├── TableChanged        a table was altered between the check of a file and its load
        └── CommitLost          other writers won every attempt to commit

A file that cannot be used is not an error but an outcome: it is set aside with a reason
(`slice_platform.lake.reader.FileProblem`) and the other files go on.
"""


class SliceError(Exception):
    """Base of all errors raised by slice_platform."""


class PermanentError(SliceError):
    """A retry gives the same result; the message says what to change."""


class ContractError(PermanentError):
    """A dataset's contract.yaml or defs.yaml is wrong; the message names file, line and field."""


class SettingsError(PermanentError):
    """A setting is missing or malformed."""


class AccessRefused(PermanentError):
    """Credentials, rights or a name are wrong, and whoever was asked will refuse again."""


class UnknownDataset(PermanentError):
    """No dataset of that name is defined."""


class UnknownFile(PermanentError):
    """No file, or more than one, answers to that name."""


class QueryRefused(PermanentError):
    """The SQL is not a single read-only statement over the lake's tables."""


class ModelFailed(PermanentError):
    """The SQL of a business table was understood, and fails on the rows that it reads."""


class ProjectionRefused(PermanentError):
    """A database cannot have a copy of a table as it is asked for; nothing of it was changed."""


class RebuildRefused(PermanentError):
    """Rebuilding would lose rows, so nothing was changed."""


class UpkeepRefused(PermanentError):
    """It cannot be told for sure what a table needs, so nothing was deleted."""


class FenceRefused(PermanentError):
    """A plan of operations breaks a rule, which `rule` names; nothing was changed."""

    def __init__(self, message: str, *, rule: str) -> None:
        super().__init__(message)
        self.rule = rule


class ReleaseFailed(PermanentError):
    """An AMI release ended without success; the message says what was put back, and what a person has to do."""


class SweepFailed(PermanentError):
    """Accounts or policies could not be looked at, or what was to be fixed is not; the message names each."""


class MonitorsRefused(PermanentError):
    """Some files of monitors are wrong; all others were dealt with."""


class PulseManifestBroken(PermanentError):
    """What is published of monitors cannot be told, so nothing is changed."""


class NotificationRefused(PermanentError):
    """A notification cannot be sent as it is. `code` is Slack's word for it, or ours.

    Where `concerns_all` no other message would go out either: the token is wrong, or a right is missing.
    """

    def __init__(self, message: str, *, code: str, concerns_all: bool = False) -> None:
        super().__init__(message)
        self.code, self.concerns_all = code, concerns_all


class DestinationError(PermanentError):
    """A database failed in a way that neither the file nor a retry explains; nothing was changed."""


class AccountingError(PermanentError):
    """What was written does not prove right; nothing was published. `check` names the audit that failed."""

    def __init__(self, message: str, *, check: str = "rows_accounted") -> None:
        super().__init__(message)
        self.check = check


class TransientError(SliceError):
    """A retry may succeed."""


class StoreUnavailable(TransientError):
    """The object store, disk or network failed; nothing is half-done."""


class AwsUnavailable(TransientError):
    """AWS did not answer, or not now; whether it did what was asked is for the next try to see."""


class LedgerUnavailable(TransientError):
    """The ledger's database cannot be reached, or broke off; what it had not confirmed is not booked."""


class DatasetBusy(TransientError):
    """Another process holds the dataset; this one gave up waiting."""


class DestinationUnavailable(TransientError):
    """A database cannot be reached, or broke off; whether it had committed, its ledger tells."""


class DestinationBusy(TransientError):
    """Others held the table, or the database favoured another transaction; this one was rolled back."""


class SlackUnavailable(TransientError):
    """Slack did not answer, or asks to wait for `retry_after_seconds`; whether a message went out is not known."""

    def __init__(self, message: str, *, retry_after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class TableChanged(TransientError):
    """The table is another one than the file was checked against; it has to be checked again."""


class CommitLost(TransientError):
    """Other writers committed first at every attempt; nothing was published."""
