"""The demo's contracts, held against the source they describe."""

from pathlib import Path

import pytest

from slice_platform.demo.files import MAX_WIND_MPH
from slice_platform.demo.source import TableName, read_table
from slice_platform.lake.dataset import load_datasets

TABLES: tuple[TableName, ...] = ("flights", "weather", "planes")


@pytest.mark.parametrize("name", TABLES)
def test_a_contract_names_the_columns_of_the_source_in_their_order(
    name: TableName, datasets_dir: Path, source: None
) -> None:
    assert load_datasets(datasets_dir)[name].contract.names == read_table(name).columns


@pytest.mark.parametrize("name", TABLES)
def test_a_key_is_unique_in_the_source(name: TableName, datasets_dir: Path, source: None) -> None:
    table = read_table(name)
    keys = list(zip(*(table.column(column) for column in load_datasets(datasets_dir)[name].key), strict=True))
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize("name", TABLES)
def test_a_contract_describes_the_table_and_every_column(name: TableName, datasets_dir: Path) -> None:
    contract = load_datasets(datasets_dir)[name].contract
    assert contract.description
    assert [column.name for column in contract.columns if not column.description] == []


@pytest.mark.parametrize("name", TABLES)
def test_an_owner_is_a_team_or_an_address(name: TableName, datasets_dir: Path) -> None:
    """Dagster refuses to load any other owner."""
    owners = load_datasets(datasets_dir)[name].spec.owners
    assert owners
    assert all(owner.startswith("team:") or "@" in owner for owner in owners)


def test_the_demo_foretells_the_wind_that_the_contract_refuses(datasets_dir: Path) -> None:
    wind = load_datasets(datasets_dir)["weather"].contract.column("wind_speed")
    assert wind is not None
    assert wind.rules.maximum == str(MAX_WIND_MPH)
