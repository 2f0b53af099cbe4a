"""A small lake whose tables are projected into a real database, and the few verbs that tests move it with."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from slice_platform.lake.business.build import refresh
from slice_platform.lake.lake import Lake
from slice_platform.projections.in_step import Comparison, compare
from slice_platform.projections.projecting import PartitionOutcome, Projecting
from slice_platform.projections.projection import Projection, all_projections, pick_projections
from slice_platform.store import Store
from slice_platform.warehouse.destination import Destination
from slice_platform.warehouse.drop_path import DestinationName
from slice_platform_tests.conftest import MakeLake
from slice_platform_tests.lake.business.models import DAILY, MONTHLY, ModelText, write_models
from slice_platform_tests.samples import TRIPS, DatasetText
from slice_platform_tests.warehouse.worlds import DATABASE, World


def item(destination: DestinationName, **more: object) -> str:
    """`projections` of a defs.yaml, with one item."""
    written = "".join(f", {name}: {value}" for name, value in more.items())
    return f"  projections:\n    - {{destination: {destination}, database: {DATABASE}{written}}}\n"


def projected(model: ModelText, destination: DestinationName, **more: object) -> ModelText:
    return ModelText(model.sql, model.defs + item(destination, **more))


def projected_trips(destination: DestinationName, **more: object) -> DatasetText:
    return DatasetText(TRIPS.contract, TRIPS.defs + item(destination, **more))


@dataclass(frozen=True)
class Copies:
    """A lake and the database that has copies of its tables."""

    lake: Lake
    world: World
    destination: Destination

    def of(self, name: str) -> Projection:
        """The projection of a table."""
        (found,) = pick_projections(self.lake, name)
        return found

    def bring(self, name: str, *, run_id: str = "run") -> list[PartitionOutcome]:
        """What is behind of the projection of a table is brought."""
        return list(Projecting(self.lake, self.destination, self.of(name), run_id).refresh())

    def repair(self, name: str, *keys: str) -> list[PartitionOutcome]:
        return list(Projecting(self.lake, self.destination, self.of(name), "repair").project(keys))

    def compared(self, name: str, *keys: str) -> list[Comparison]:
        one = self.of(name)
        return compare(self.lake, self.destination, one, keys or tuple(sorted(self.lake.ledger.built(one.ledger_key))))

    def problems(self, name: str) -> dict[str, str]:
        """What is not in step, by partition."""
        return {str(one.key): one.problem for one in self.compared(name) if one.problem}

    def refresh(self) -> None:
        """Every table is built as far as it is behind, and every copy brought."""
        for table in ("daily", "monthly", "rolling"):
            if table in self.lake.business:
                refresh(self.lake, self.lake.business[table])
        for one in all_projections(self.lake):
            list(Projecting(self.lake, self.destination, one, "run").refresh())

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """A query of the database; `{}` is the table's place."""
        return self.world.rows(sql)


def brought(outcomes: Sequence[PartitionOutcome]) -> list[str]:
    """The partitions whose rows were written."""
    return [one.key for one in outcomes if one.projected and one.projected.applied]


def copies(
    make_lake: MakeLake,
    world: World,
    home: Path,
    models: dict[str, ModelText] | None = None,
    trips: DatasetText = TRIPS,
    **settings: object,
) -> Copies:
    """By default with `daily` and `monthly`, both projected; may be called again, with other definitions."""
    usual = {"daily": projected(DAILY, world.name), "monthly": projected(MONTHLY, world.name)}
    write_models(home, usual if models is None else models)
    lake = make_lake({"trips": trips}, home=home, **settings)
    destination = world.destination(Store(f"{world.home}/propagator"))
    destination._pause = lambda _seconds: None
    return Copies(lake, world, destination)
