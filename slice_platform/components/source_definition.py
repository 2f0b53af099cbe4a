"""A source and the dataset that takes its files, checked against each other before anything runs."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from slice_platform.lake.dataset import Dataset
from slice_platform.warehouse.source.offload import Offload, file_like
from slice_platform.warehouse.source.reading import Wanted
from slice_platform.warehouse.source.spec import SourceSpec, refuse_contradictions
from slice_platform.yaml_lines import Place, read_yaml


@dataclass(frozen=True)
class Source:
    """What is read, and the dataset that it goes into."""

    spec: SourceSpec
    dataset: Dataset

    @property
    def wanted(self) -> Wanted:
        return Wanted(self.spec.table, self.spec.query)

    @property
    def work(self) -> Offload:
        return Offload(self.dataset.name, self.wanted, self.spec.cursor, self.dataset.key)


def source_of(folder: Path, spec: SourceSpec, datasets: Mapping[str, Dataset]) -> Source:
    """The source that `folder`/defs.yaml describes, for one of the datasets.

    Raises:
        ContractError: its parts contradict each other or the dataset; the message names file, line and field.
    """
    written = read_yaml(folder / "defs.yaml")
    refuse_contradictions(written, spec)
    dataset = datasets.get(spec.dataset)
    if dataset is None:
        known = ", ".join(datasets) or "none"
        raise written.error(("attributes", "dataset"), f"no dataset is called {spec.dataset!r}; there are: {known}")
    for place, problem in _problems(spec, dataset):
        raise written.error(("attributes", *place), problem)
    return Source(spec, dataset)


def _problems(spec: SourceSpec, dataset: Dataset) -> list[tuple[Place, str]]:
    found: list[tuple[Place, str]] = []
    name = file_like(dataset.name, incremental=spec.cursor is not None)
    taken = dataset.file_spec(name)
    if taken is None or taken.format != "parquet" or taken.compression_of(name) != "none":
        found.append((("dataset",), f"{dataset.name!r} takes no file such as {name}: give it a pattern of Parquet"))
    if dataset.spec.sets is not None:
        found.append((("dataset",), f"{dataset.name!r} publishes files in sets, which a source does not make"))
    if dataset.spec.partition is not None and dataset.spec.partition.from_path is not None:
        found.append((("dataset",), f"{dataset.name!r} takes a column from the path, which files of a source lack"))
    if spec.cursor is not None and dataset.spec.mode != "merge":
        why = "a row comes again with every change, and in the overlap: only mode merge, with a key, keeps one of it"
        found.append((("cursor",), f"{dataset.name!r} has mode {dataset.spec.mode}; {why}"))
    if spec.retention is not None and dataset.contract.column(spec.retention.column) is None:
        problem = f"{spec.retention.column!r} is no column of {dataset.name!r}, so the lake cannot tell what expires"
        found.append((("retention", "column"), problem))
    return found
