"""What `slice upkeep` runs and prints."""

from collections.abc import Iterable

import dagster as dg
from rich.console import Console
from rich.filesize import decimal
from rich.text import Text

from slice_platform.cli.runs import run_job
from slice_platform.cli.tables import grid
from slice_platform.components.upkeep import UPKEEP_PREFIX
from slice_platform.lake.lake import Lake
from slice_platform.lake.upkeep.upkeep import plan_upkeep

_FIGURES = ("files_before", "files_after", "snapshots_expired", "objects_removed", "bytes_removed")


def upkeep_all(names: Iterable[str], console: Console) -> None:
    """Run `upkeep_<dataset>` for each, one after the other, and print what each did.

    Raises:
        PermanentError: a run failed; the message names it and says where to look.
    """
    from slice_platform.definitions import defs  # loads every folder below defs/

    definitions = defs()
    heads = ("small files", "became", "snapshots expired", "objects removed", "bytes removed")
    table = grid("Upkeep", "dataset", *heads, right=heads)
    with dg.DagsterInstance.get() as instance:
        for name in names:
            run_job(definitions, instance, f"{UPKEEP_PREFIX}{name}", console)
            table.add_row(name, *_figures(instance, name))
    console.print(table)


def show_plan(lake: Lake, names: Iterable[str], console: Console) -> None:
    """What an upkeep would do now, object by object; nothing is written or deleted."""
    for name in names:
        plan = plan_upkeep(lake, name)
        console.print(Text(name, "bold"))
        for one in plan.small_files:
            console.print(
                Text(
                    f"  {one.partition_key}: {len(one.files)} files of {decimal(one.size_bytes)}, {one.vanishing} fewer"
                )
            )
        console.print(f"  {plan.expired_snapshots} snapshots would expire; files that only they need go afterwards")
        for orphan in plan.orphans.objects:
            console.print(Text(f"  would delete {orphan.text}, {decimal(orphan.size_bytes)}"))


def _figures(instance: dg.DagsterInstance, name: str) -> list[str]:
    (record,) = instance.fetch_observations(dg.AssetKey(["curated", name]), limit=1).records
    observation = record.asset_observation
    assert observation is not None
    return [f"{observation.metadata[key].value:,}" for key in _FIGURES]
