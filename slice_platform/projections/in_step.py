"""Whether a database still has what was projected into it: counted and summed up on both sides, and compared."""

from collections.abc import Sequence
from dataclasses import dataclass

from slice_platform.lake.business.definition import MODEL
from slice_platform.lake.lake import Lake
from slice_platform.projections.projecting import behind, fingerprint_of
from slice_platform.projections.projection import Projection
from slice_platform.projections.source import opened_source
from slice_platform.warehouse.checksum import Measure
from slice_platform.warehouse.destination import Destination
from slice_platform.warehouse.projection import ProjectionRow

_MOST_LOOKS = 3  # at partitions that are written meanwhile


@dataclass(frozen=True)
class Comparison:
    """One partition on both sides, or (key None) the rows of all together.

    `problem` says what is wrong; None where the two are in step.
    """

    key: str | None
    lake: Measure
    database: Measure
    problem: str | None = None
    is_behind: bool = False  # the lake went on since: then the database has to be as it was left


@dataclass(frozen=True)
class _Found:
    """A partition in the database, and what the ledger there says of it; None where it says nothing any more."""

    measure: Measure
    row: ProjectionRow | None


def compare(lake: Lake, destination: Destination, projection: Projection, keys: Sequence[str]) -> list[Comparison]:
    """Compare partitions that were projected; others are not in the answer. Nothing is changed.

    A partition of which the lake has a newer version by now is compared with what was written, so that a copy that
    waits for its turn is no drift. One that was described otherwise, or is being written, is not in the answer.

    Raises:
        FileRefused: the database could not take the rows as the lake has them.
        SettingsError, TransientError, AccessRefused: as for projecting.
    """
    built = lake.ledger.built(projection.ledger_key)
    wanted = [key for key in keys if key in built and built[key][MODEL] == fingerprint_of(lake, projection)]
    found = _measured(destination, projection, wanted)
    with opened_source(lake, projection) as source:
        late = _late(lake, projection)  # after the snapshot: what is in that is known to be late by now
        compared = []
        for key in (key for key in wanted if key in found):
            row, is_behind = found[key].row, key in late
            # Rows that are only ever added stay when they leave the lake: what was written is what has to be there.
            as_written = row is not None and (is_behind or projection.spec.mode == "append")
            expected = row.measure if row and as_written else source.checked(key).measure
            assert expected is not None
            problem = _problem(expected, found[key])
            compared.append(Comparison(key, expected, found[key].measure, problem, is_behind))
        return compared


def compare_whole(destination: Destination, projection: Projection) -> list[Comparison]:
    """Whether the database has rows beyond those of all partitions that were brought; empty where that is not known.

    That is so while it is written, and where rows stay that the lake has no more.
    """
    if projection.source.partition is None or projection.spec.mode == "append":
        return []
    for _ in range(_MOST_LOOKS):
        before = destination.recorded(projection.ref)
        found, after = destination.count(projection.table), destination.recorded(projection.ref)
        if before == after:
            break
    else:
        return []
    if not after or any(row.is_stale for row in after.values()):
        return []
    expected = sum(row.measure.rows for row in after.values())
    problem = f"it has {found} rows, and {expected} were brought in all its partitions" if found != expected else None
    return [Comparison(None, Measure(expected), Measure(found), problem)]


def _measured(destination: Destination, projection: Projection, keys: Sequence[str]) -> dict[str, _Found]:
    """Rows and ledger of the database are of one moment: a partition that is written in between is looked at again."""
    found: dict[str, _Found] = {}
    before = destination.recorded(projection.ref)
    for _ in range(_MOST_LOOKS):
        left = {key: projection.window(key) for key in keys if key not in found}
        if not left:
            break
        measures, after = destination.measure(projection.table, left), destination.recorded(projection.ref)
        still = [key for key in left if before.get(key) == after.get(key)]
        found |= {key: _Found(measures[key], after.get(key)) for key in still}
        before = after
    return found


def _late(lake: Lake, projection: Projection) -> frozenset[str]:
    """The partitions whose rows in the lake are others than were brought, or may be before the ledger says so."""
    # In this order: a commit that was booked meanwhile shows in the versions.
    batches = lake.ledger.open_batches(projection.source.ledger_key)
    under_way = [key for batch in batches if batch.receipt for key in batch.receipt.partitions]
    return frozenset((*under_way, *(one.key for one in behind(lake, projection))))


def _problem(expected: Measure, found: _Found) -> str | None:
    database = found.measure
    if found.row is None:
        return f"the database knows nothing of it any more, and has {database.rows} rows, expected {expected.rows}"
    if found.row.is_stale:
        return "another partition took rows of it"
    if database.rows != expected.rows:
        return f"the database has {database.rows} rows, expected {expected.rows}"
    if database != expected:
        return f"of its {database.rows} rows some have other values than they were given"
    return None
