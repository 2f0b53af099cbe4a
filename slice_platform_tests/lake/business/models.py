"""Business tables over the small dataset `trips`: two that are divided, one on top of them, one made whole."""

from dataclasses import dataclass
from pathlib import Path

from slice_platform.lake.business.build import Build
from slice_platform.lake.ingest import ingest
from slice_platform.lake.lake import Lake
from slice_platform.lake.query import query
from slice_platform_tests.samples import drop


@dataclass(frozen=True)
class ModelText:
    """The text of a business table's model.sql and defs.yaml."""

    sql: str
    defs: str

    def write(self, folder: Path) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "model.sql").write_text(self.sql, encoding="utf-8")
        (folder / "defs.yaml").write_text(self.defs, encoding="utf-8")
        return folder


_TYPE = "type: slice_platform.components.business_table.BusinessTable\n"
DAILY = ModelText(
    sql="""\
select started_at::date as day, count(*) as trips, sum(distance)::bigint as distance
from curated.trips
where started_at >= $partition_start and started_at < $partition_end
group by all
""",
    defs=_TYPE
    + """\
attributes:
  description: Trips of a day.
  partition: {column: day, grain: day, start: 2013-01-01}
  key: [day]
""",
)
MONTHLY = ModelText(
    sql="""\
select date_trunc('month', day)::date as month, sum(trips)::bigint as trips, count(*) as days
from business.daily
where day >= $partition_start and day < $partition_end
group by all
""",
    defs=_TYPE
    + """\
attributes:
  description: Trips of a month.
  partition: {column: month, grain: month, start: 2013-01-01}
  key: [month]
""",
)
WHOLE = ModelText(
    sql="select max(distance) as longest, count(*) as trips from curated.trips\n",
    defs=_TYPE + "attributes:\n  description: All trips there ever were.\n",
)
MODELS = {"daily": DAILY, "monthly": MONTHLY, "totals": WHOLE}


def write_models(home: Path, models: dict[str, ModelText] | None = None) -> None:
    """Put business tables beside the datasets of the lake at `home`, before it is opened."""
    for name, text in (MODELS if models is None else models).items():
        text.write(home / "defs" / "business" / name)


def trip(day: str, name: str, distance: int = 1) -> str:
    return f'{{"id": "{name}", "started_at": "{day}T12:00:00Z", "distance": {distance}, "fare": 1.5}}\n'


def land(lake: Lake, file: str, *trips: str) -> None:
    """Drop a file of trips and publish it."""
    drop(lake, f"trips/{file}", "".join(trips).encode())
    ingest(lake, "trips")


def built(builds: list[Build]) -> list[str]:
    return [one.key for done in builds for one in done.partitions]


def rows(lake: Lake, sql: str) -> list[tuple[object, ...]]:
    return [tuple(row.values()) for row in query(lake, sql).table.to_pylist()]
