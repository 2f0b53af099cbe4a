"""The models of this repository, in the SQL of the engines that read the same tables."""

from pathlib import Path
from typing import get_args

import pytest
from sqlglot import exp, parse_one

import slice_platform
from slice_platform.lake.business.translation import Dialect, translate
from slice_platform.lake.lake import load_tables

DEFS = Path(slice_platform.__file__).parent / "defs"
MODELS = sorted(path.parent.name for path in DEFS.rglob("model.sql"))


@pytest.mark.parametrize("dialect", get_args(Dialect))
@pytest.mark.parametrize("name", MODELS)
def test_every_model_can_be_taken_to_every_engine(name: str, dialect: Dialect) -> None:
    table = load_tables(DEFS).business[name]
    made = translate(table.bound, dialect)
    parsed = parse_one(made.sql, dialect=dialect)
    assert isinstance(parsed, exp.Query)
    assert parsed.named_selects == [one.name for one in table.bound.columns]


@pytest.mark.parametrize("name", MODELS)
def test_every_column_is_made_of_something_and_told_in_words(name: str) -> None:
    table = load_tables(DEFS).business[name]
    counted = {one.column for one in table.lineage.columns if not one.origins}
    assert table.lineage.is_certain and counted <= {"flights"}  # count(*) is made of no column
    assert all(len(one.description or "") > 10 for one in table.columns if one.name in table.spec.columns)
