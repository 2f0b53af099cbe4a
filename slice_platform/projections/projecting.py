"""Partitions of the lake brought into a database: those that are behind, or those that a person names."""

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from slice_platform.errors import DestinationError, ProjectionRefused, TableChanged
from slice_platform.lake.business.definition import MODEL
from slice_platform.lake.business.selecting import hashes_as
from slice_platform.lake.business.windows import is_key
from slice_platform.lake.classification import is_closed
from slice_platform.lake.lake import Lake
from slice_platform.lake.partitions import WHOLE_TABLE
from slice_platform.projections.projection import Projection
from slice_platform.projections.source import Source, opened_source
from slice_platform.records import BuiltPartition
from slice_platform.warehouse.claim import KnownTable
from slice_platform.warehouse.destination import Destination
from slice_platform.warehouse.projection import PartitionClaim, Projected
from slice_platform.warehouse.refusal import FileRefused, Finding

_KEPT_BACK = "the database refuses rows; what it says is kept back, as it may quote personal data: look into its log"
_MOST_CHECKS = 3  # of one partition, where its table is altered meanwhile
_MOST_TOLD = 3  # of what is wrong with its rows
Progress: TypeAlias = Callable[[int, int], None]  # partitions brought, of how many


@dataclass(frozen=True)
class PartitionOutcome:
    """What became of one partition: it is in the database, or the database cannot take it."""

    key: str
    projected: Projected | None = None
    refusal: str | None = None


@dataclass(frozen=True)
class Behind:
    """A partition that the database has not, or has from another version, and whether it was described otherwise."""

    key: str
    is_new_shape: bool


def behind(lake: Lake, projection: Projection, versions: Mapping[str, Mapping[str, int]] | None = None) -> list[Behind]:
    """The partitions to project, by the ledger alone: no database is asked."""
    known = lake.ledger.versions() if versions is None else versions
    built = lake.ledger.built(projection.ledger_key)
    found = []
    for key, version in sorted(known.get(projection.source.ledger_key, {}).items()):
        before, wanted = built.get(key), _made_from(lake, projection, version)
        if before != wanted:
            found.append(Behind(key, is_new_shape=before is not None and before[MODEL] != wanted[MODEL]))
    return found


@dataclass(frozen=True)
class Projecting:
    """Brings partitions of one projection into its database, on behalf of a run."""

    lake: Lake
    destination: Destination
    projection: Projection
    run_id: str
    progress: Progress = lambda _done, _of: None

    def refresh(self) -> Iterator[PartitionOutcome]:
        """Every partition that is behind is brought; none twice for one version. Otherwise as `project`.

        So are those that the database turns out to have lost: its table was dropped, or other partitions took rows.
        """
        late = behind(self.lake, self.projection)
        again = frozenset(one.key for one in late if one.is_new_shape)
        refused = set[str]()
        for outcome in self._bring([one.key for one in late], again):
            refused |= {outcome.key} if outcome.refusal else set()
            yield outcome
        lost = [key for key in self._lost() if key not in refused] if late else []
        yield from self._bring(lost, frozenset(lost))

    def project(self, keys: Sequence[str]) -> Iterator[PartitionOutcome]:
        """These partitions are in the database as the lake has them, whoever changed them there; a newer one stays.

        Each is one transaction, and safe to repeat. A partition whose rows the database cannot take is an outcome, and
        keeps no other back.

        Raises:
            ProjectionRefused: the table cannot be made, or is somebody else's; or a key is none of its partitions.
            SettingsError: personal data is to be hashed and there is no key.
            TransientError, AccessRefused: database or lake did not do their part; what was brought before stays.
        """
        yield from self._bring(keys, frozenset(keys))
        self.notice_lost()

    def notice_lost(self) -> list[str]:
        """What the database has lost, because its table was dropped or its rows were taken, is behind from here on."""
        lost = self._lost()
        self.lake.ledger.forget_built(self.projection.ledger_key, lost)
        return lost

    def _lost(self) -> list[str]:
        """The partitions that count as brought, and are not in the database as a whole."""
        recorded = self.destination.recorded(self.projection.ref)
        booked = sorted(self.lake.ledger.built(self.projection.ledger_key))
        return [key for key in booked if key not in recorded or recorded[key].is_stale]

    def _bring(self, keys: Sequence[str], again: frozenset[str]) -> Iterator[PartitionOutcome]:
        if not keys:
            return
        _check_keys(self.projection, keys)
        # Before the snapshot is loaded: what is claimed is then never newer than what is read.
        versions = self.lake.ledger.versions().get(self.projection.source.ledger_key, {})
        ensure_table(self.destination, self.projection)
        with opened_source(self.lake, self.projection) as source:
            for number, key in enumerate(keys):
                yield self._partition(source, self._claim(source, key, versions.get(key, 0)), is_again=key in again)
                self.progress(number + 1, len(keys))

    def _partition(self, source: Source, claim: PartitionClaim, *, is_again: bool) -> PartitionOutcome:
        key, projection = claim.partition_key, self.projection
        for attempt in range(1, _MOST_CHECKS + 1):
            known = self.destination.known_table(projection.ref)
            assert known is not None  # ensured before
            try:
                done = self._projected(source, claim, known, is_again=is_again)
            except TableChanged:
                if attempt == _MOST_CHECKS:
                    raise
                ensure_table(self.destination, projection)
                continue
            except DestinationError:
                if not _is_closed(projection):
                    raise
                # Not from the error: it quotes what the database met.
                raise DestinationError(f"Projecting {claim.key} into {projection.ref}: {_KEPT_BACK}.") from None
            except FileRefused as refused:
                return PartitionOutcome(key, refusal=_told_of_rows(projection, refused))
            if done.version == claim.version:
                booked = BuiltPartition(key, _made_from(self.lake, projection, claim.version))
                self.lake.ledger.book_built(projection.ledger_key, [booked])
            return PartitionOutcome(key, projected=done)
        raise AssertionError("the last attempt returns or raises")

    def _projected(self, source: Source, claim: PartitionClaim, known: KnownTable, *, is_again: bool) -> Projected:
        table, rows = self.projection.table, source.rows(claim.partition_key, known)
        done = self.destination.project(table, claim, rows, again=is_again)
        # Brought by somebody who died before it was booked; under another definition, if the rows are others.
        is_met = not done.applied and done.version == claim.version and table.mode != "append"
        if is_met and done.measure != rows.checked.measure:
            done = self.destination.project(table, claim, rows, again=True)
        return done

    def _claim(self, source: Source, key: str, version: int) -> PartitionClaim:
        projection, table = self.projection, source.table
        snapshot = table.current_snapshot() if table else None
        return PartitionClaim(
            table=projection.ref,
            source=f"{projection.source.tier}.{projection.source.name}",
            lineage=str(table.metadata.table_uuid) if table else uuid.UUID(int=0).hex,
            partition_key=key,
            window=projection.window(key),
            version=version,
            snapshot_id=snapshot.snapshot_id if snapshot else None,
            run_id=self.run_id,
        )


def _check_keys(projection: Projection, keys: Sequence[str]) -> None:
    """Where a key is that of another division, all rows of the table would give way to none."""
    source, by = projection.source, projection.source.partition
    if strange := [key for key in keys if not (key == WHOLE_TABLE if by is None else is_key(by, key))]:
        expected = f"a {by.grain} such as {by.key_of(by.start)!r}" if by else repr(WHOLE_TABLE)
        raise ProjectionRefused(
            f"Projecting into {projection.ref}: {strange[0]!r} is no partition of {source.tier}.{source.name}; "
            f"expected {expected}. Nothing was changed."
        )


def ensure_table(destination: Destination, projection: Projection) -> None:
    """The table is there as it is asked for.

    Raises:
        ProjectionRefused: it cannot be, or is somebody else's; the message says what to do.
    """
    try:
        destination.ensure(projection.table)
    except FileRefused as refused:
        raise ProjectionRefused(f"Projecting into {projection.ref}: {_told(refused)}") from refused


def fingerprint_of(lake: Lake, projection: Projection) -> str:
    """Another one where the same rows of the lake give others in the database, also by another key of the hashes."""
    return projection.fingerprint + hashes_as(lake.settings, needs_key=projection.treated.needs_key)


def _made_from(lake: Lake, projection: Projection, version: int) -> dict[str, str]:
    return {MODEL: fingerprint_of(lake, projection), projection.source.ledger_key: str(version)}


def _is_closed(projection: Projection) -> bool:
    return any(is_closed(one.classification) for one in projection.columns.values())


def _told_of_rows(projection: Projection, refused: FileRefused) -> str:
    """What is wrong with the rows, without values of columns that hold personal data."""
    closed = {there for there, one in projection.columns.items() if is_closed(one.classification)}
    findings = [_without_value(one, closed) for one in refused.findings[:_MOST_TOLD]] if closed else refused.findings
    return _told(FileRefused(*findings, total=refused.total))


def _without_value(finding: Finding, closed: set[str]) -> Finding:
    if finding.column is None:  # in the words of the database, which quotes what it met in many ways
        return Finding(_KEPT_BACK)
    is_open = closed.isdisjoint(finding.column.split(", "))  # of a key that is there twice it names all columns
    return finding if is_open else replace(finding, value=None)


def _told(refused: FileRefused) -> str:
    more = f", and {refused.total - _MOST_TOLD} more" if refused.total > _MOST_TOLD else ""
    return "; ".join(map(str, refused.findings[:_MOST_TOLD])) + more
