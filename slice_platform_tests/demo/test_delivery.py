"""The demo's mishaps in a real lake: each is met, and by the rule it was made for."""

import csv
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from slice_platform.demo.scenario import Delivery, Scenario, Totals, count
from slice_platform.demo.source import TableName
from slice_platform.lake.ingest import ingest
from slice_platform.lake.lake import Lake, open_lake
from slice_platform.settings import load_settings


@pytest.fixture
def lake(tmp_path: Path, datasets_dir: Path) -> Iterator[Lake]:
    settings = load_settings(home=tmp_path, defs_dir=datasets_dir, landing_tick_seconds=0.0)
    with open_lake(settings) as opened:
        yield opened


def deliver(lake: Lake, deliveries: Iterable[Delivery], names: Iterable[str]) -> None:
    wanted = set(names)
    chosen = [delivery for delivery in deliveries if delivery.path.name in wanted]
    assert {path.name for _, path in chosen} == wanted
    for dataset, path in chosen:
        lake.store.copy_in(str(path), f"landing/{dataset}/{path.name}")
    for dataset in {dataset for dataset, _ in chosen}:
        ingest(lake, dataset)


def totals(lake: Lake, dataset: TableName) -> Totals:
    return count(lake.ledger.list_files(dataset))


def test_every_bad_row_is_rejected_for_its_own_column(lake: Lake, scenario: Scenario, tmp_path: Path) -> None:
    deliver(lake, scenario.wave_1, {row.file for row in scenario.bad_rows})
    found = []
    for path in (tmp_path / "lake" / "quarantine").rglob("rejects.csv"):
        with path.open(newline="") as rejects:
            found += [(one["file"].split("/")[-1], one["line"], one["column"]) for one in csv.DictReader(rejects)]
    assert sorted(found) == sorted((row.file, str(row.line), row.column or "") for row in scenario.bad_rows)


def test_the_damaged_file_is_set_aside_alone(lake: Lake, scenario: Scenario) -> None:
    deliver(lake, scenario.wave_1, {scenario.damaged, scenario.delivered_twice})
    after = totals(lake, "flights")
    assert (after.files_published, after.files_quarantined) == (1, 1)
    assert after.rows_rejected == 0


def test_a_file_delivered_twice_is_known_by_its_bytes(lake: Lake, scenario: Scenario) -> None:
    deliver(lake, scenario.wave_1, {scenario.delivered_twice})
    before = totals(lake, "flights")
    deliver(lake, scenario.wave_2, {scenario.delivered_twice})
    after = totals(lake, "flights")
    assert after.files_repeated == 1
    assert (after.rows_read, after.rows_published) == (before.rows_read, before.rows_published)


def test_a_day_sent_under_two_names_is_known_by_its_keys(lake: Lake, scenario: Scenario) -> None:
    (first,) = [p.name for _, p in scenario.wave_1 if p.name.startswith(scenario.sent_again.split("-resent")[0])]
    deliver(lake, scenario.wave_1, {first})
    once = totals(lake, "flights")
    deliver(lake, scenario.wave_2, {scenario.sent_again})
    twice = totals(lake, "flights")
    assert twice.rows_published == once.rows_published
    assert twice.rows_duplicate == twice.rows_read - once.rows_read == once.rows_read


def test_the_whole_register_is_published(lake: Lake, scenario: Scenario) -> None:
    deliver(lake, scenario.wave_1, {"planes.csv"})
    assert totals(lake, "planes") == scenario.after_wave_2["planes"]
