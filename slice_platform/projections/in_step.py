"""Whether a database still has what was projected into it: counted and summed up on both sides, and compared."""

from collections.abc import Sequence
from dataclasses import dataclass

from slice_platform.lake.lake import Lake
from slice_platform.projections.projection import Projection
from slice_platform.projections.source import opened_source
from slice_platform.warehouse.checksum import Measure
from slice_platform.warehouse.destination import Destination
from slice_platform.warehouse.projection import ProjectionRow


@dataclass(frozen=True)
class Comparison:
    """One partition on both sides. `problem` says what is wrong; None where the two are in step."""

    key: str
    lake: Measure
    database: Measure
    problem: str | None = None
    is_behind: bool = False  # the lake went on since: then the database has to be as it was left


def compare(lake: Lake, destination: Destination, projection: Projection, keys: Sequence[str]) -> list[Comparison]:
    """Compare partitions that were projected; others are not in the answer. Nothing is changed.

    A partition of which the lake has a newer version by now is compared with what was written, so that a copy that
    waits for its turn is no drift.

    Raises:
        FileRefused: the database could not take the rows as the lake has them.
        SettingsError, TransientError, AccessRefused: as for projecting.
    """
    recorded, versions = destination.recorded(projection.ref), lake.ledger.versions()
    known = versions.get(projection.source.ledger_key, {})
    wanted = [key for key in keys if key in recorded]
    found = destination.measure(projection.table, {key: projection.window(key) for key in wanted})
    with opened_source(lake, projection) as source:
        compared = []
        for key in wanted:
            row, is_behind = recorded[key], recorded[key].version < known.get(key, 0)
            # Rows that are only ever added stay when they leave the lake: what was written is what has to be there.
            as_written = is_behind or projection.spec.mode == "append"
            expected = row.measure if as_written else source.checked(key).measure
            assert expected is not None
            compared.append(_compared(key, expected, found[key], row, is_behind=is_behind))
        return compared


def _compared(key: str, expected: Measure, database: Measure, row: ProjectionRow, *, is_behind: bool) -> Comparison:
    problem = None
    if row.is_stale:
        problem = "another partition took rows of it"
    elif database.rows != expected.rows:
        problem = f"the database has {database.rows} rows, expected {expected.rows}"
    elif database != expected:
        problem = f"of its {database.rows} rows some have other values than they were given"
    return Comparison(key, expected, database, problem, is_behind)
