"""A small dataset, as the two files of its folder, and the few verbs with which tests change and feed it."""

from dataclasses import dataclass
from pathlib import Path

from slice_platform.lake.lake import LANDING, Lake
from slice_platform.store import StoredObject


@dataclass(frozen=True)
class DatasetText:
    """The text of a dataset's contract.yaml and defs.yaml."""

    contract: str
    defs: str

    def write(self, folder: Path) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "contract.yaml").write_text(self.contract, encoding="utf-8")
        (folder / "defs.yaml").write_text(self.defs, encoding="utf-8")
        return folder


TRIPS = DatasetText(
    contract="""\
apiVersion: v3.1.0
kind: DataContract
id: trips
version: 1.0.0
status: active
schema:
  - name: trips
    description: One row per trip.
    properties:
      - name: id
        logicalType: string
        primaryKey: true
      - name: started_at
        logicalType: timestamp
        logicalTypeOptions: {timezone: true}
        required: true
      - name: distance
        logicalType: integer
        logicalTypeOptions: {minimum: 0}
      - name: fare
        logicalType: number
        logicalTypeOptions: {precision: 10, scale: 2}
""",
    defs="""\
type: slice_platform.components.lake_dataset.LakeDataset
attributes:
  files:
    - pattern: "*.jsonl*"
      format: jsonl
    - pattern: "*.csv*"
      format: csv
  mode: merge
  order_by: [started_at]
  partition:
    column: started_at
    grain: day
    start: 2013-01-01
""",
)


def changed(text: str, old: str, new: str) -> str:
    """`text` with one passage replaced; fails where the passage is not there exactly once."""
    assert text.count(old) == 1, f"{old!r} occurs {text.count(old)} times"
    return text.replace(old, new)


def line_of(text: str, passage: str) -> int:
    """The line on which `passage` begins, from 1."""
    return text.count("\n", 0, text.index(passage)) + 1


def drop(lake: Lake, path: str, content: bytes) -> StoredObject:
    """Put a file into landing, as a producer would; `path` begins with the dataset's folder."""
    lake.store.write(f"{LANDING}/{path}", content)
    entry = lake.store.stat(f"{LANDING}/{path}")
    assert entry is not None
    return entry
