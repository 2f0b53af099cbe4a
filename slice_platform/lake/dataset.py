"""A dataset is a folder: contract.yaml says what it is, defs.yaml what the platform does with it."""

import hashlib
import json
import re
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from slice_platform.errors import UnknownDataset
from slice_platform.lake.contract import Column, Contract, load_contract
from slice_platform.lake.file_sets import SetSpec
from slice_platform.lake.header_sample import AgreedHeader, SampleFormat, read_agreed_header, refuse_other_contract
from slice_platform.lake.labels import check_labels
from slice_platform.lake.partition_spec import PartitionSpec, check_partition
from slice_platform.lake.partitions import PartitionBy
from slice_platform.lake.projection_checks import check_projections
from slice_platform.lake.projection_spec import ProjectionSpec
from slice_platform.lake.table_definition import Tier
from slice_platform.lake.types import LogicalType
from slice_platform.yaml_lines import YamlFile, read_yaml

COMPONENT = "slice_platform.components.lake_dataset.LakeDataset"
OWN_COLUMNS = (
    ("_file_id", LogicalType("integer")),
    ("_row", LogicalType("integer")),
    ("_ingested_at", LogicalType("timestamp", has_zone=True)),
)


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class FileSpec(_Model):
    """Which files of a dataset are read, and how."""

    pattern: str = Field(description="Glob on the file's name, or on its path below the dataset when it has a slash.")
    format: Literal["jsonl", "csv", "parquet"]
    compression: Literal["auto", "none", "gz", "zst"] = Field(
        default="auto", description="auto: by the ending .gz or .zst"
    )
    delimiter: str = Field(default=",", min_length=1, max_length=1, description="csv: between fields")
    quote: str = Field(default='"', min_length=1, max_length=1, description="csv: around fields; doubled inside them")
    encoding: Literal["utf-8", "utf-16", "latin-1"] = Field(default="utf-8", description="csv: how the text is encoded")
    null_values: tuple[str, ...] = Field(
        default=(), description="csv: unquoted fields that mean NULL, besides the empty one"
    )
    header_sample: str | tuple[str, ...] | None = Field(
        default=None,
        description="csv, parquet: the agreed column names, or a file beside defs.yaml that begins with them",
    )

    @model_validator(mode="after")
    def _fields_can_be_told_apart(self) -> Self:
        """DuckDB would refuse every file, with a message about files."""
        if self.delimiter == self.quote or {self.delimiter, self.quote} & set("\r\n\0"):
            raise ValueError("delimiter and quote must differ, and neither ends a line")
        if odd := [null for null in self.null_values if self.delimiter in null or self.quote in null]:
            raise ValueError(f"a null value holds neither delimiter nor quote, but {odd[0]!r} does")
        return self

    @property
    def codec(self) -> str:
        """Python's name of the encoding; a byte order mark is no text."""
        return "utf-8-sig" if self.encoding == "utf-8" else self.encoding

    def matches(self, path: str) -> bool:
        return fnmatchcase(path if "/" in self.pattern else path.rsplit("/", 1)[-1], self.pattern)

    def compression_of(self, name: str) -> Literal["none", "gz", "zst"]:
        if self.compression != "auto":
            return self.compression
        return "gz" if name.endswith(".gz") else "zst" if name.endswith((".zst", ".zstd")) else "none"


class DatasetSpec(_Model):
    """What the platform does with a dataset (`attributes` of its defs.yaml)."""

    files: Annotated[tuple[FileSpec, ...], Field(min_length=1)]
    mode: Literal["merge", "append", "replace"]
    key: tuple[str, ...] = Field(default=(), description="Columns that name a row; default the contract's primary key.")
    order_by: tuple[str, ...] = Field(
        default=(), description="Of rows with one key the greatest wins; then the latest file."
    )
    partition: PartitionSpec | None = None
    cluster_by: tuple[str, ...] = Field(
        default=(), description="How rows are sorted inside a partition; default the key."
    )
    tolerated_rejects: float = Field(
        default=0.05, ge=0, le=1, description="Share of bad rows above which a file is refused."
    )
    unknown_columns: Literal["report", "reject"] = Field(
        default="report", description="Whether a file with columns or keys beyond the contract is published or refused."
    )
    sets: SetSpec | None = Field(default=None, description="How files that belong together are published together.")
    projections: tuple[ProjectionSpec, ...] = Field(default=(), description="Copies in databases, kept in step.")
    owners: tuple[str, ...] = ()
    tags: dict[str, str] = Field(default_factory=dict)


@dataclass(frozen=True)
class Dataset:
    """A contract and its handling, checked against each other."""

    name: str
    contract: Contract
    spec: DatasetSpec
    headers: tuple[AgreedHeader | None, ...] = ()  # one for each of spec.files

    @property
    def tier(self) -> Tier:
        return "curated"

    @property
    def ledger_key(self) -> str:
        return self.name

    @property
    def folder(self) -> Path:
        return self.contract.path.parent

    @property
    def columns(self) -> tuple[Column, ...]:
        return self.contract.columns

    @property
    def owners(self) -> tuple[str, ...]:
        return self.spec.owners

    @property
    def projections(self) -> tuple[ProjectionSpec, ...]:
        return self.spec.projections

    @property
    def own_columns(self) -> tuple[tuple[str, LogicalType], ...]:
        return OWN_COLUMNS

    @cached_property
    def terms(self) -> dict[str, str]:
        """Table properties: what decides which rows enter the table, beyond its columns."""
        decides = self.key and self.spec.mode != "append"
        return {
            "slice.mode": self.spec.mode,
            "slice.key": json.dumps(sorted(self.key)),
            "slice.order-by": json.dumps(self.spec.order_by if decides else []),
        }

    @cached_property
    def key(self) -> tuple[str, ...]:
        return self.spec.key or self.contract.key

    @cached_property
    def cluster_by(self) -> tuple[str, ...]:
        return self.spec.cluster_by or self.key

    @cached_property
    def partition(self) -> PartitionBy | None:
        spec = self.spec.partition
        if spec is None or spec.grain == "none":
            return None
        column = self.contract.column(spec.column)
        assert column is not None  # checked by `dataset_of`
        return PartitionBy(spec.column, spec.grain, spec.start, column.type, spec.end)

    def file_spec(self, path: str) -> FileSpec | None:
        """How to read the file at `path` below the dataset's landing folder, or None if nothing matches."""
        return next((spec for spec in self.spec.files if spec.matches(path)), None)

    def agreed_header(self, path: str) -> AgreedHeader | None:
        """What was agreed for the header of the file at `path`, if anything was."""
        described = zip(self.spec.files, self.headers, strict=False)
        return next((agreed for spec, agreed in described if spec.matches(path)), None)

    def reading_of(self, spec: FileSpec) -> str:
        """A fingerprint of all that decides how files of the spec are read; the same from release to release."""
        columns = [
            (c.name, str(c.type), c.type.format, c.required, sorted((k, str(v)) for k, v in vars(c.rules).items() if v))
            for c in self.contract.columns
        ]
        division = self.spec.partition.model_dump_json(exclude_defaults=True) if self.spec.partition else ""
        rests_on = [repr(columns), spec.model_dump_json(exclude_defaults=True), division]
        return hashlib.sha256("\n".join(rests_on).encode()).hexdigest()[:16]

    def is_from_path(self, column: Column) -> bool:
        spec = self.spec.partition
        return spec is not None and spec.from_path is not None and spec.column == column.name

    def path_value(self, path: str) -> str | None:
        """The partition column's value as the path states it, ISO 8601; None where the path does not match."""
        spec = self.spec.partition
        found = re.search(spec.from_path, path) if spec and spec.from_path else None
        if found is None:
            return None
        parts = found.groupdict()
        day = f"{parts['year']}-{parts.get('month') or '01'}-{parts.get('day') or '01'}"
        column = self.contract.column(spec.column) if spec else None
        if column and column.type.kind == "date":
            return day
        return f"{day}T{parts.get('hour') or '00'}:00:00" + ("Z" if column and column.type.has_zone else "")


def dataset_of(folder: Path, spec: DatasetSpec | None = None) -> Dataset:
    """The dataset described by `folder`/contract.yaml and defs.yaml.

    Raises:
        ContractError: either file is wrong, or they contradict each other; the message names file, line, field.
    """
    contract = load_contract(folder / "contract.yaml")
    source = read_yaml(folder / "defs.yaml")
    spec = spec or _read_spec(source)
    dataset = Dataset(contract.dataset, _without_key_rule(contract, spec.key or contract.key), spec)
    _check_names(source, dataset)
    check_labels(source, dataset.spec.owners, dataset.spec.tags)
    if dataset.spec.partition is not None:
        types = {column.name: column.type for column in contract.columns}
        check_partition(source, dataset.spec.partition, types, elsewhere="contract.yaml")
    _check_sets(source, dataset.spec)
    check_projections(source, dataset, dataset.spec.projections)
    headers = tuple(_agreed_header(source, dataset, position) for position in range(len(dataset.spec.files)))
    dataset = replace(dataset, headers=headers)
    if dataset.spec.mode == "merge" and not dataset.key:
        raise source.error(
            ("attributes", "mode"), "merge needs a key: give `key: [..]` here or primaryKey in contract.yaml"
        )
    if dataset.spec.mode == "replace" and dataset.partition is None:
        raise source.error(("attributes", "mode"), "replace needs a `partition`, which each file then replaces")
    return dataset


def load_datasets(defs_dir: Path) -> dict[str, Dataset]:
    """All datasets below `defs_dir`, by name.

    Raises:
        ContractError: one of them is wrong, or two share a name or differ only in its case.
    """
    found: dict[str, Dataset] = {}
    for path in sorted(defs_dir.rglob("contract.yaml")):
        dataset = dataset_of(path.parent)
        if twin := found.get(dataset.name.lower()):
            problem = f"dataset {twin.name!r} is defined in {twin.contract.path} too; rename one of the folders"
            hint = "" if twin.name == dataset.name else " (case does not tell names apart)"
            raise read_yaml(path).error(("schema", 0, "name"), problem + hint)
        found[dataset.name.lower()] = dataset
    return {dataset.name: dataset for dataset in found.values()}


def pick(datasets: dict[str, Dataset], name: str) -> Dataset:
    if name not in datasets:
        raise UnknownDataset(f"No dataset is called {name!r}; there are: {', '.join(sorted(datasets)) or 'none'}.")
    return datasets[name]


def _read_spec(source: YamlFile) -> DatasetSpec:
    content = source.content if isinstance(source.content, dict) else {}
    if content.get("type") != COMPONENT:
        raise source.error(("type",), f"expected {COMPONENT!r}, got {content.get('type')!r}")
    try:
        return DatasetSpec.model_validate(content.get("attributes") or {})
    except ValidationError as error:
        first = error.errors()[0]
        raise source.error(("attributes", *first["loc"]), f"{first['msg']}, got {first['input']!r}") from error


def _check_names(source: YamlFile, dataset: Dataset) -> None:
    for field in ("key", "order_by", "cluster_by"):
        for position, name in enumerate(getattr(dataset.spec, field)):
            column = dataset.contract.column(name)
            place = ("attributes", field, position)
            if column is None:
                known = ", ".join(dataset.contract.names)
                raise source.error(place, f"{name!r} is not a column of contract.yaml; columns: {known}")
            if column.type.is_nested:
                raise source.error(place, f"{name!r} is of type {column.type}, which has no order")
            if field == "key" and not column.required:
                raise source.error(place, f"{name!r} must be `required: true` in contract.yaml to be part of the key")


def _without_key_rule(contract: Contract, key: tuple[str, ...]) -> Contract:
    """Whether the key occurs twice is the mode's affair: `unique` on the column that is the key adds nothing."""
    return replace(contract, quality=tuple(rule for rule in contract.quality if (rule.unique_column,) != key))


def _agreed_header(source: YamlFile, dataset: Dataset, position: int) -> AgreedHeader | None:
    file, by = dataset.spec.files[position], dataset.spec.partition
    if file.header_sample is None:
        return None
    place = ("attributes", "files", position, "header_sample")
    if file.format == "jsonl":
        raise source.error(place, "JSON lines have no header; it has an effect on csv and parquet")
    agreed = read_agreed_header(source, place, file.header_sample, SampleFormat(file.delimiter, file.quote, file.codec))
    elsewhere = by.column if by and by.from_path else None
    may_be_more = dataset.spec.unknown_columns == "report"
    refuse_other_contract(source, place, agreed, dataset.contract, elsewhere=elsewhere, may_be_more=may_be_more)
    return agreed


def _check_sets(source: YamlFile, spec: DatasetSpec) -> None:
    """A marker or manifest holds no rows: a pattern that is all of their kind would find no file."""
    for file in spec.files if spec.sets else ():
        if spec.sets and fnmatchcase(file.pattern, spec.sets.control):
            problem = f"every file that {file.pattern!r} matches would complete a set, and none would have rows"
            raise source.error(("attributes", "sets", "manifest" if spec.sets.manifest else "marker"), problem)
