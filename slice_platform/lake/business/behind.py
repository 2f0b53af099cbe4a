"""Which partitions of a table made from others are behind: state is compared with state, and no event can be missed.

The ledger has the version of every partition of every table, and for each built partition a digest of the versions
it was made from. Where the two differ, the partition is behind, whatever happened in between.
"""

import hashlib
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property

from slice_platform.lake.business.definition import MODEL, BusinessTable, ledger_key_of
from slice_platform.lake.business.reads import conditions_read, windows_for
from slice_platform.lake.business.selecting import hashes_as
from slice_platform.lake.business.windows import ALWAYS, Condition, Window, is_key, keys_between, window_of
from slice_platform.lake.lake import Lake
from slice_platform.lake.partitions import WHOLE_TABLE, PartitionBy
from slice_platform.lake.table_definition import TableDefinition
from slice_platform.records import BuiltPartition
from slice_platform.yaml_lines import read_yaml

Versions = Mapping[str, Mapping[str, int]]  # table in the ledger -> partition -> version


@dataclass(frozen=True)
class Input:
    """A table that a model reads, and its partitions in the order of time."""

    table: TableDefinition
    versions: Mapping[str, int]  # of its partitions
    starts: list[tuple[datetime, str]] = field(default_factory=list)

    @staticmethod
    def of(table: TableDefinition, versions: Mapping[str, int]) -> "Input":
        by = table.partition
        _check_division(table, versions)
        starts = sorted((window_of(by, key).start, key) for key in versions) if by else []
        return Input(table, versions, starts)

    def keys_in(self, windows: Iterable[Window]) -> list[str]:
        """Its partitions that have moments in one of the windows; all where it is not divided."""
        by = self.table.partition
        if by is None:
            return list(self.versions)
        found: dict[str, None] = {}
        for window in windows:
            at = max(bisect_left(self.starts, (window.start, "")) - 1, 0)
            for place in range(at, len(self.starts)):  # a slice would copy all that follows, for each partition
                start, key = self.starts[place]
                if start >= window.end:
                    break
                if window_of(by, key).meets(window):
                    found[key] = None
        return list(found)

    def digest(self, keys: Iterable[str]) -> str:
        told = ",".join(f"{key}={self.versions[key]}" for key in sorted(keys))
        return hashlib.sha256(told.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Standing:
    """A business table against its inputs, as the ledger has them."""

    table: BusinessTable
    inputs: Mapping[str, Input]
    built: Mapping[str, Mapping[str, str]]
    now: datetime
    hashed_as: str = ""  # which key personal data is hashed by

    def made_from(self, key: str) -> BuiltPartition:
        """What a partition would be made from now."""
        read = {name: self.inputs[name].digest(keys) for name, keys in self.keys_read(key).items()}
        return BuiltPartition(key, {MODEL: self.table.fingerprint + self.hashed_as, **read})

    def windows(self, key: str) -> Mapping[str, tuple[Window, ...]]:
        """What of each input the model reads for a partition, at most."""
        partition = self.table.window(key)
        return {name: windows_for(condition, partition) for name, condition in self._conditions.items()}

    @cached_property
    def _conditions(self) -> Mapping[str, Condition]:
        return conditions_read(self.table, tuple(one.table for one in self.inputs.values()))

    def keys_read(self, key: str) -> dict[str, list[str]]:
        """The partitions of each input that the model reads for a partition."""
        windows = self.windows(key)
        return {name: one.keys_in(windows[name]) for name, one in self.inputs.items()}

    def due(self) -> list[str]:
        """The partitions that the table has or should have, in order."""
        by = self.table.partition
        if by is None:
            return [WHOLE_TABLE] if any(one.versions for one in self.inputs.values()) or self.built else []
        expected = {key for key in self._expected(by) if self._has_input(key)}
        return sorted({*expected, *(key for key in self.built if key != WHOLE_TABLE)})

    def behind(self) -> list[BuiltPartition]:
        """The partitions that were made from other versions than there are now, or never; with what there is now."""
        return [one for one in map(self.made_from, self.due()) if self.built.get(one.partition_key) != one.inputs]

    def _expected(self, by: PartitionBy) -> list[str]:
        return keys_between(by, Window(by.start, min(by.end or self.now, self.now)))

    def _has_input(self, key: str) -> bool:
        """Whether an input has rows for it: of one that is read for some time only, a partition in that time."""
        limited = {name: windows for name, windows in self.windows(key).items() if ALWAYS not in windows}
        return any(self.inputs[name].keys_in(windows) for name, windows in (limited or self.windows(key)).items())


def standing(lake: Lake, table: BusinessTable, versions: Versions | None = None) -> Standing:
    """How a table stands. Read before the snapshots of its inputs are: what is built from them is then never older.

    Raises:
        ContractError: it, or an input, is divided otherwise than the partitions that there are.
    """
    known = lake.ledger.versions() if versions is None else versions
    inputs = {name: Input.of(lake.table(name), known.get(ledger_key_of(name), {})) for name in table.reads}
    built = lake.ledger.built(table.ledger_key)
    _check_division(table, built)
    hashed_as = hashes_as(lake.settings, needs_key=table.treated.needs_key)
    return Standing(table, inputs, built, datetime.now(UTC), hashed_as)


def _check_division(table: TableDefinition, keys: Iterable[str]) -> None:
    """Read by other keys than it has, a table would seem to have no rows."""
    by = table.partition
    if strange := next((key for key in keys if not (key == WHOLE_TABLE if by is None else is_key(by, key))), None):
        problem = (
            f"divides {table.tier}.{table.name} otherwise than it is: it has a partition {strange!r}. Restore what it "
            "was, or give the table another name"
        )
        raise read_yaml(table.folder / "defs.yaml").error(("attributes", "partition"), problem)


def behind(lake: Lake, table: BusinessTable, versions: Versions | None = None) -> list[BuiltPartition]:
    """The partitions to build now: behind, and none of the partitions they read is to be built first."""
    known = lake.ledger.versions() if versions is None else versions
    found = standing(lake, table, known)
    late = found.behind()
    if not late:
        return []
    upstream = {name: set(_unsettled(lake, name, known)) for name in table.reads if name.startswith("business.")}
    return [one for one in late if not _waits(found, one.partition_key, upstream)]


def _unsettled(lake: Lake, name: str, known: Versions) -> list[str]:
    """The partitions of a business table that are behind, or will be once those before it are built."""
    table = lake.business[name.removeprefix("business.")]
    found = standing(lake, table, known)
    upstream = {one: set(_unsettled(lake, one, known)) for one in table.reads if one.startswith("business.")}
    late = {one.partition_key for one in found.behind()}
    return sorted(late | {key for key in found.due() if _waits(found, key, upstream)})


def _waits(found: Standing, key: str, upstream: Mapping[str, set[str]]) -> bool:
    return any(late and _reads_any(found, key, name, late) for name, late in upstream.items())


def _reads_any(found: Standing, key: str, name: str, late: set[str]) -> bool:
    by = found.inputs[name].table.partition
    windows = found.windows(key)[name]
    return by is None or any(window_of(by, one).meets(window) for one in late for window in windows)
