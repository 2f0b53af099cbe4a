"""Partitions of a lake that is not there, projected into real databases: days of `people`, given as rows."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from slice_platform.engine import open_engine
from slice_platform.settings import load_settings
from slice_platform.spill import spill_folder
from slice_platform.store import Store
from slice_platform.warehouse.destination import Destination
from slice_platform.warehouse.projected_rows import check_relation
from slice_platform.warehouse.projection import Mode, PartitionClaim, Projected, ProjectedTable, Window
from slice_platform.warehouse.rows_to_load import RowsToLoad
from slice_platform.warehouse.table_spec import TableSpec, columns_of
from slice_platform.warehouse.value_sql import duckdb_type
from slice_platform_tests.warehouse.worlds import World

COLUMNS = {"id": "BIGINT", "at": "TIMESTAMP", "name": "VARCHAR(50)"}
Row = tuple[Any, ...]


def at(day: int, hour: int = 0) -> datetime:
    """Without a zone, as TIMESTAMP has none."""
    return datetime(2026, 1, day, hour)  # noqa: DTZ001 -- see above


def window(day: int) -> Window:
    first = datetime(2026, 1, day, tzinfo=UTC)
    return first, first + timedelta(days=1)


def of_people(world: World, mode: Mode = "upsert", columns: Mapping[str, str] = COLUMNS, **more: Any) -> ProjectedTable:
    spec = TableSpec(columns_of(dict(columns)), () if mode == "replace_partition" else ("id",))
    return ProjectedTable(world.table(), spec, mode, "at" if "at" in columns else None, **more)


@dataclass(frozen=True)
class Projector:
    """A destination that a table is projected into, by processes of its own if need be."""

    world: World
    table: ProjectedTable
    destination: Destination

    def claim(self, day: int | None, version: int, **more: Any) -> PartitionClaim:
        key, lies = ("all", None) if day is None else (f"2026-01-{day:02}", window(day))
        claim = PartitionClaim(self.world.table(), "business.people", "first", key, lies, version, version * 10, "run")
        return replace(claim, **more)

    def project(
        self, day: int | None, version: int, rows: Sequence[Row], *, again: bool = False, **more: Any
    ) -> Projected:
        """The rows as the partition of a day, at a version."""
        with self.checked(rows) as checked:
            return self.destination.project(self.table, self.claim(day, version, **more), checked, again=again)

    @contextmanager
    def checked(self, rows: Sequence[Row]) -> Iterator[RowsToLoad]:
        columns = self.table.spec.columns
        types = {column.name: duckdb_type(column.type) for column in columns}
        known = self.destination.known_table(self.table.ref)
        assert known is not None, "ensure the table first"
        home = Path(self.world.home)
        settings = load_settings(home=home, duckdb_threads=1)
        with open_engine(settings) as engine:
            declared = ", ".join(f'"{name}" {kind}' for name, kind in types.items())
            engine.execute(f"create table lake ({declared})")
            if rows:
                places = ", ".join("?" * len(columns))
                engine.executemany(f"insert into lake values ({places})", [list(row) for row in rows])
            checked = check_relation(engine, "lake", types, self.table.spec)
            with spill_folder(home / "spill") as folder:
                yield RowsToLoad(checked, known, engine, folder, is_parquet=True)

    def rows(self) -> list[Row]:
        names = ", ".join(f'"{name}"' for name in self.table.spec.names)
        return sorted(self.world.rows(f'select {names} from {{}}"people"'))


def projector(world: World, table: ProjectedTable) -> Projector:
    """With the table there, and without pauses between attempts."""
    destination = world.destination(Store(f"{world.home}/propagator"))
    destination._pause = lambda _seconds: None
    destination.ensure(table)
    return Projector(world, table, destination)
