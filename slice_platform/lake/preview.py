"""A few rows of a partition for an asset's page. Classified columns are not shown: the UI is open to many."""

from slice_platform.lake.dataset import Dataset
from slice_platform.lake.engine import engine, run
from slice_platform.lake.lake import Lake
from slice_platform.lake.layout import existing_rows
from slice_platform.lake.table import data_files, load_table
from slice_platform.lake.types import quoted

HIDDEN = "(classified)"
_OPEN_CLASSES = (None, "public", "internal")
_MOST_CHARACTERS = 60


def preview(lake: Lake, dataset: Dataset, partition_key: str, rows: int) -> str:
    """The first rows of one partition in the table's order, as a Markdown table."""
    table = load_table(lake, dataset)
    files = data_files(table, dataset.partition) if table else []
    paths = [file.path for file in files if file.partition_key == partition_key][:1]
    if not paths:
        return "no rows"
    columns = [
        f"left({quoted(c.name)}::varchar, {_MOST_CHARACTERS})" if c.classification in _OPEN_CLASSES else f"'{HIDDEN}'"
        for c in dataset.contract.columns
    ]
    with engine(lake) as connection:
        found = run(connection, f"select {', '.join(columns)} from {existing_rows(dataset, paths)} limit {rows}")
    head = [dataset.contract.names, ["---"] * len(columns)]
    return "\n".join("| " + " | ".join(_cell(value) for value in row) + " |" for row in [*head, *found])


def _cell(value: object) -> str:
    return "" if value is None else str(value).replace("|", "\\|").replace("\n", " ")
