"""The checks a file must pass before any of its rows is published."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import duckdb

from slice_platform.engine import run
from slice_platform.lake.dataset import Dataset
from slice_platform.lake.reader import StagedFile
from slice_platform.sql_text import quoted

SCHEMA, UNKNOWN_COLUMNS, UNIQUE_KEY = "schema", "unknown_columns", "unique_key"
ROWS_ACCOUNTED, REJECTS = "rows_accounted", "rejects"


@dataclass(frozen=True)
class Verdict:
    """The outcome of one check on one file."""

    check: str
    passed: bool
    is_blocking: bool  # whether a failure keeps the file out of the table
    message: str


@dataclass(frozen=True)
class AuditedFile:
    """A staged file and what the checks said of it."""

    staged: StagedFile
    verdicts: tuple[Verdict, ...]

    @property
    def refusal(self) -> str | None:
        """Why nothing of the file may be published, or None."""
        reasons = [f"{v.check}: {v.message}" for v in self.verdicts if v.is_blocking and not v.passed]
        return "; ".join(reasons) or None


def check_names(dataset: Dataset) -> list[tuple[str, bool, str]]:
    """Every check of a dataset: (name, whether it blocks, description)."""
    rules = [(rule.name, rule.is_blocking, rule.description) for rule in dataset.contract.quality]
    return [
        (SCHEMA, True, "The file can be read, and has the contract's required columns and the agreed header."),
        (UNKNOWN_COLUMNS, dataset.spec.unknown_columns == "reject", "The file has no column beyond the contract."),
        (UNIQUE_KEY, True, "No two rows of the table have the same key."),
        (ROWS_ACCOUNTED, True, "Rows read = rows published + duplicates + rejects, counted twice independently."),
        (
            REJECTS,
            False,
            f"No row was rejected; a share above {dataset.spec.tolerated_rejects:.0%} keeps the file out.",
        ),
        *rules,
    ]


def audit(
    connection: duckdb.DuckDBPyConnection,
    dataset: Dataset,
    staged: list[StagedFile],
    versions: Mapping[int, frozenset[int]] = MappingProxyType({}),
) -> list[AuditedFile]:
    """Judge each staged file by itself, so that one bad file harms only itself.

    `versions` are, for each file, the ids of all versions of its name: it replaces them, so they are no rivals.
    """
    taken: list[int] = []
    audited = []
    # The latest version of a name first: an earlier one counts only where that is refused, and must keep nobody out.
    ids = {one.file.id for one in staged}
    for one in sorted(staged, key=lambda one: any(i > one.file.id for i in versions.get(one.file.id, ()) if i in ids)):
        verdicts = [_schema(one)]
        if one.problem is None:
            verdicts += [_unknown_columns(dataset, one), _rejects(dataset, one), *_quality(connection, dataset, one)]
            if dataset.key and dataset.spec.mode == "append":
                own = versions.get(one.file.id, frozenset()) | {one.file.id}
                verdicts.append(_appended_key(connection, dataset, one, set(taken) - own, own))
        audited.append(AuditedFile(one, tuple(verdicts)))
        if audited[-1].refusal is None:
            taken.append(one.file.id)
    return sorted(audited, key=lambda one: one.staged.file.id)


def _schema(staged: StagedFile) -> Verdict:
    if staged.problem is not None:
        return Verdict(SCHEMA, passed=False, is_blocking=True, message=staged.problem)
    return Verdict(SCHEMA, passed=True, is_blocking=True, message="as the contract says")


def _unknown_columns(dataset: Dataset, staged: StagedFile) -> Verdict:
    """A record of JSON lines is not refused alone: one that has more than was agreed says that the file is another."""
    refuses = dataset.spec.unknown_columns == "reject"
    if not staged.unknown:
        return Verdict(UNKNOWN_COLUMNS, passed=True, is_blocking=refuses, message="none")
    kept = "the file is refused" if refuses else "kept in raw only"
    message = f"columns beyond the contract, {kept} until contract.yaml has them:\n  {staged.unknown}"
    return Verdict(UNKNOWN_COLUMNS, passed=False, is_blocking=refuses, message=message)


def _rejects(dataset: Dataset, staged: StagedFile) -> Verdict:
    limit, share = dataset.spec.tolerated_rejects, staged.reject_share
    swallowed = f", with {staged.lines_swallowed} further lines in them" if staged.lines_swallowed else ""
    rejected = f"{staged.rows_rejected} of {staged.rows_read} rows rejected{swallowed}"
    message = f"{rejected} ({share:.2%}; tolerated {limit:.2%})"
    return Verdict(REJECTS, passed=staged.rows_rejected == 0, is_blocking=share > limit, message=message)


def _quality(connection: duckdb.DuckDBPyConnection, dataset: Dataset, staged: StagedFile) -> list[Verdict]:
    verdicts = []
    for rule in dataset.contract.quality:
        figure, passed = run(
            connection,
            f"select figure, {rule.condition} from (select {rule.measure} as figure from stage "
            f"where _errors is null and _file_id = {staged.file.id})",
        )[0]
        message = f"{rule.description}: expected {rule.expected}, found {figure}"
        verdicts.append(Verdict(rule.name, passed=bool(passed), is_blocking=rule.is_blocking, message=message))
    return verdicts


def _appended_key(
    connection: duckdb.DuckDBPyConnection, dataset: Dataset, staged: StagedFile, taken: set[int], own: frozenset[int]
) -> Verdict:
    """Mode append replaces nothing, so a key that came before keeps the file out. `known_key` holds the table's."""
    key = ", ".join(quoted(name) for name in dataset.key)
    good = f"select {key} from stage where _errors is null and _file_id"
    twice = run(connection, f"select count(*) from ({good} = {staged.file.id} group by all having count(*) > 1)")[0][0]
    seen = run(
        connection,
        f"select count(*) from ({good} = {staged.file.id}) semi join ({good} in ({_ids(taken)}) union all "
        f"select {key} from known_key where _file_id not in ({_ids(own)})) using ({key})",
    )[0][0]
    message = f"{twice} keys occur twice in the file, {seen} rows have a key that came before"
    return Verdict(UNIQUE_KEY, passed=not twice and not seen, is_blocking=True, message=message)


def _ids(file_ids: Iterable[int]) -> str:
    return ", ".join(map(str, sorted(file_ids))) or "null"
