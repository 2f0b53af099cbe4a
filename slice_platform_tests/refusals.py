"""What a refused contract.yaml or defs.yaml must say: file, line and field, and then what is wrong."""

from pathlib import Path

import pytest

from slice_platform.errors import ContractError
from slice_platform.lake.dataset import dataset_of
from slice_platform_tests.samples import TRIPS, DatasetText, changed, line_of


def refused(folder: Path, text: DatasetText, *, file: str, at: str, field: str, says: str) -> None:
    """Assert that the dataset is refused, pointing at the line of the passage `at` and at `field`."""
    text.write(folder)
    source = text.contract if file == "contract.yaml" else text.defs
    with pytest.raises(ContractError) as caught:
        dataset_of(folder)
    where = f"{folder / file}:{line_of(source, at)}: {field}: "
    assert str(caught.value).startswith(where), f"expected {where!r} at the start of {str(caught.value)!r}"
    assert says in str(caught.value)[len(where) :]


def contract_refused(folder: Path, old: str, new: str, *, field: str, says: str, at: str | None = None) -> None:
    """Change one passage of the contract of `trips` and assert that it is refused, by default at the changed line."""
    text = DatasetText(changed(TRIPS.contract, old, new), TRIPS.defs)
    refused(folder, text, file="contract.yaml", at=at or new, field=field, says=says)


def defs_refused(folder: Path, old: str, new: str, *, field: str, says: str, at: str | None = None) -> None:
    """Change one passage of the defs.yaml of `trips` and assert that it is refused, by default at the changed line."""
    text = DatasetText(TRIPS.contract, changed(TRIPS.defs, old, new))
    refused(folder, text, file="defs.yaml", at=at or new, field=field, says=says)
