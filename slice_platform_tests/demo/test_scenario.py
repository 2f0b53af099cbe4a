"""What the demo delivers, counted in the files themselves."""

import gzip
import hashlib
import zlib
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pytest

from slice_platform.demo.encoding import DEFECTS
from slice_platform.demo.scenario import Delivery, Scenario, prepare
from slice_platform.demo.source import SourceTable
from slice_platform.lake.dataset import load_datasets


def rows_in(delivery: Delivery) -> int:
    content = delivery.path.read_bytes()
    lines = (gzip.decompress(content) if delivery.path.suffix == ".gz" else content).splitlines()
    return len(lines) - (".csv" in delivery.path.name)


def digest(deliveries: Iterable[Delivery]) -> str:
    sha = hashlib.sha256()
    for dataset, path in deliveries:
        sha.update(f"{dataset} {path.name} ".encode() + path.read_bytes())
    return sha.hexdigest()


def test_the_same_seed_gives_the_same_files_in_the_same_order(scenario: Scenario, tmp_path: Path) -> None:
    again = prepare(tmp_path)
    assert digest(again.wave_1 + again.wave_2) == digest(scenario.wave_1 + scenario.wave_2)
    assert again.bad_rows == scenario.bad_rows


def test_the_first_wave_holds_the_rows_it_foretells(scenario: Scenario) -> None:
    counted: Counter[str] = Counter()
    for delivery in scenario.wave_1:
        if delivery.path.name != scenario.damaged:
            counted[delivery.dataset] += rows_in(delivery)
    assert counted == {name: totals.rows_read for name, totals in scenario.after_wave_1.items()}


def test_the_second_wave_adds_the_late_file_and_duplicates(scenario: Scenario) -> None:
    rows = {delivery.path.name: rows_in(delivery) for delivery in scenario.wave_2}
    before, after = scenario.after_wave_1["flights"], scenario.after_wave_2["flights"]
    assert after.rows_published - before.rows_published == rows[scenario.late]
    assert after.rows_duplicate == rows[scenario.sent_again]
    assert after.files_repeated == 1


def test_every_row_is_published_duplicate_or_rejected(scenario: Scenario) -> None:
    for totals in [*scenario.after_wave_1.values(), *scenario.after_wave_2.values()]:
        assert totals.rows_read == totals.rows_published + totals.rows_duplicate + totals.rows_rejected


def test_in_the_end_the_table_lacks_the_bad_rows_and_nothing_else(scenario: Scenario, flights: SourceTable) -> None:
    refused = scenario.refused("flights")
    assert scenario.after_wave_2["flights"].rows_published == len(flights.lines) - len(refused)
    assert len(refused) == len(set(refused)) == 25


def test_days_arrive_in_disorder(scenario: Scenario) -> None:
    names = [delivery.path.name for delivery in scenario.wave_1 if delivery.dataset == "flights"]
    assert len(set(names)) == len(names) == 365
    assert names != sorted(names)


def test_the_late_day_is_not_in_the_first_wave(scenario: Scenario) -> None:
    assert scenario.late not in {delivery.path.name for delivery in scenario.wave_1}
    assert scenario.late in {delivery.path.name for delivery in scenario.wave_2}


def test_a_file_is_delivered_twice_under_one_name(scenario: Scenario) -> None:
    (first,) = [delivery for delivery in scenario.wave_1 if delivery.path.name == scenario.delivered_twice]
    assert first in scenario.wave_2


def test_the_damaged_file_cannot_be_unpacked(scenario: Scenario) -> None:
    (damaged,) = [delivery for delivery in scenario.wave_1 if delivery.path.name == scenario.damaged]
    with pytest.raises((EOFError, zlib.error)):
        gzip.decompress(damaged.path.read_bytes())


def test_a_bad_row_stands_on_the_line_that_is_named(scenario: Scenario, flights: SourceTable) -> None:
    for bad in scenario.bad_rows:
        if bad.dataset == "flights":
            lines = gzip.decompress((scenario.folder / "flights" / bad.file).read_bytes()).decode().splitlines()
            values = {defect.what: defect.value for defect in DEFECTS if defect.value != "NA"}
            assert bad.column is None or values.get(bad.what, "") in lines[bad.line - 1]
            assert lines[bad.line - 1] != flights.lines[bad.source_row]


def test_no_file_has_more_bad_rows_than_its_dataset_tolerates(scenario: Scenario, datasets_dir: Path) -> None:
    tolerated = load_datasets(datasets_dir)["flights"].spec.tolerated_rejects
    bad = Counter((row.dataset, row.file) for row in scenario.bad_rows)
    for (dataset, file), count in bad.items():
        assert count < tolerated * rows_in(Delivery(dataset, scenario.folder / dataset / file))


def test_both_formats_have_bad_rows(scenario: Scenario) -> None:
    assert Counter(row.file.split(".", 1)[1] for row in scenario.bad_rows) == {"csv.gz": 16, "jsonl.gz": 10}


def test_every_file_matches_a_pattern_of_its_dataset(scenario: Scenario, datasets_dir: Path) -> None:
    datasets = load_datasets(datasets_dir)
    deliveries = scenario.wave_1 + scenario.wave_2
    assert all(datasets[dataset].file_spec(path.name) is not None for dataset, path in deliveries)
