"""An independent judge of a lake: it reads raw, ledger, quarantine and table by itself and proves the promises.

Nothing of the platform is imported: files are parsed by Python's own json and csv, the ledger is read as the
database it is, the table by pyiceberg alone.
"""

import csv
import gzip
import hashlib
import io
import json
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import sqlalchemy as sa
from pyiceberg.catalog import load_catalog
from pyiceberg.table import Table

Good: TypeAlias = dict[int, tuple[str, int | None, str]]  # number of the record -> (id, n, day)
Row: TypeAlias = tuple[int, int | None, str]  # file, n, day
Rows: TypeAlias = dict[str, Row]  # by id
TOLERATED = 0.5


@dataclass(frozen=True)
class Read:
    """A file as the judge reads it; None where it cannot be read as a whole."""

    rows: int
    good: Good


@dataclass
class Delivered:
    """What producers put into landing, whatever became of it: the sha256 of every content, by name."""

    contents: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def note(self, name: str, content: bytes) -> None:
        self.contents[name].append(hashlib.sha256(content).hexdigest())


@dataclass(frozen=True)
class Judge:
    """Judges the dataset `feed` of (id, n, day) below `home`: key id, greatest n wins, n is at least `least`.

    With `was_mended` the contract was another before: what no replay touches was judged by that one.
    """

    home: Path
    least: int = 0
    was_mended: bool = False

    # --- what is there

    def versions(self) -> list[dict[str, Any]]:
        return self._ledger("select * from files order by id")

    def table(self) -> Table | None:
        catalog = load_catalog("slice", type="sql", uri=f"sqlite:///{self.home / 'catalog.db'}")
        return catalog.load_table(("curated", "feed")) if catalog.table_exists(("curated", "feed")) else None

    def rows(self, snapshot_id: int | None = None) -> Rows:
        table = self.table()
        found = table.scan(snapshot_id=snapshot_id).to_arrow().to_pylist() if table else []
        rows = {r["id"]: (r["_file_id"], r["n"], r["day"].isoformat()) for r in found}
        assert len(rows) == len(found), f"a key is in the table twice, snapshot {snapshot_id}"
        return rows

    def raw(self, version: dict[str, Any]) -> bytes:
        return (self.home / "lake" / str(version["raw_key"])).read_bytes()

    def rejected_lines(self, version: dict[str, Any]) -> set[str]:
        path = self.home / "lake" / "quarantine" / "feed" / f"{version['id']:08d}" / "rejects.csv"
        if not path.exists():
            return set()
        return {row["line"] for row in csv.DictReader(io.StringIO(path.read_text(), newline=""))}

    def _ledger(self, statement: str) -> list[dict[str, Any]]:
        engine = sa.create_engine(f"sqlite:///{self.home / 'ledger.db'}")
        with engine.connect() as connection:
            found = [dict(row) for row in connection.execute(sa.text(statement)).mappings()]
        engine.dispose()
        return found

    # --- how it should be

    def read(self, version: dict[str, Any]) -> Read | None:
        content = self.raw(version)
        try:
            plain = gzip.decompress(content) if version["source_key"].endswith(".gz") else content
            text = plain.decode() if ".csv" in version["source_key"] else ""
        except (OSError, EOFError, UnicodeDecodeError):
            return None
        if ".csv" in version["source_key"]:
            return self._judged(list(csv.DictReader(io.StringIO(text, newline="")))) if "id,n,day" in text else None
        return self._judged([_json(line) for line in plain.split(b"\n") if line.strip()]) if plain else None

    def _judged(self, records: Sequence[Any]) -> Read:
        good = {number: row for number, one in enumerate(records, 1) if (row := self._good(one)) is not None}
        return Read(len(records), good)

    def _good(self, record: Any) -> tuple[str, int | None, str] | None:
        if not isinstance(record, dict) or not record.get("id"):
            return None
        n, day = record.get("n"), str(record.get("day"))
        if n not in (None, "") and not re.fullmatch(r"-?\d+", str(n)):
            return None
        number = None if n in (None, "") else int(str(n))
        is_day = re.fullmatch(r"2026-01-\d\d", day)
        return None if not is_day or (number is not None and number < self.least) else (record["id"], number, day)

    def acceptable(self, read: Read | None) -> bool:
        return read is not None and read.rows - len(read.good) <= TOLERATED * read.rows

    # --- the promises

    def prove(self, delivered: Delivered) -> None:
        """Raises AssertionError, naming the promise and the file, where one does not hold. Nothing is pending."""
        versions = self.versions()
        reads = {one["id"]: self.read(one) for one in versions if one["status"] != "repeated"}
        self.prove_kept(versions, delivered)
        live = self.prove_versions(versions, reads)
        self.prove_accounts(versions, reads)
        self.prove_table(live, reads)
        self.prove_snapshots(reads)
        self.prove_nothing_left_over()

    def prove_kept(self, versions: list[dict[str, Any]], delivered: Delivered) -> None:
        """1 and 5: raw has every content that was ever delivered, byte for byte, and landing is empty."""
        assert [p for p in (self.home / "lake" / "landing").rglob("*") if p.is_file()] == []
        kept = defaultdict(set)
        for one in versions:
            digest = hashlib.sha256(self.raw(one)).hexdigest()
            assert digest == one["sha256"], f"pristine: {one}"
            kept[one["source_key"]].add(digest)
        for name, digests in delivered.contents.items():
            # A content that another overwrote in landing before anybody looked never arrived.
            assert digests[-1] in kept[f"landing/feed/{name}"], f"nothing lost: {name}"

    def prove_versions(self, versions: list[dict[str, Any]], reads: dict[int, Read | None]) -> list[dict[str, Any]]:
        """6 and 7: of each name the latest acceptable version counts; what cannot be read is alone set aside."""
        latest: dict[str, dict[str, Any]] = {}
        for one in versions:
            if one["status"] != "repeated" and self.acceptable(reads[one["id"]]):
                latest[one["source_key"]] = one
        for one in versions:
            expected = self._status(one, latest.get(one["source_key"]))
            assert one["status"] in expected, f"corrected files win: {one}, expected {expected}"
            if one["status"] == "quarantined":
                assert one["error"]
                reason = self.home / "lake" / "quarantine" / "feed" / f"{one['id']:08d}" / "reason.json"
                assert json.loads(reason.read_text())["reason"] == one["error"]
        return [one for one in versions if one["status"] == "published"]

    def _status(self, one: dict[str, Any], latest: dict[str, Any] | None) -> tuple[str, ...]:
        if one["status"] == "repeated":
            return ("repeated",)
        if latest is None or one["id"] > latest["id"]:
            return ("quarantined", "retracted")
        if one["id"] == latest["id"]:
            return ("published", "retracted")
        return ("superseded", "retracted")

    def prove_accounts(self, versions: list[dict[str, Any]], reads: dict[int, Read | None]) -> None:
        """2 and 5: rows read = published + duplicates + rejects, each counted here once more."""
        in_table = Counter(file_id for file_id, _, _ in self.rows().values())
        for one in versions:
            counts = [one[f"rows_{what}"] for what in ("read", "published", "duplicate", "rejected")]
            assert counts[0] == sum(counts[1:]), f"accounted: {one}"
            assert counts[1] == in_table.pop(one["id"], 0), f"published is what the table holds: {one}"
            read = reads.get(one["id"])
            if read is not None and one["status"] in (
                ("published",) if self.was_mended else ("published", "superseded")
            ):
                bad = read.rows - len(read.good)
                # Of a file that was refused as a whole, and whose successor was not, every row is a reject.
                rejected = bad if self.acceptable(read) else read.rows
                assert (counts[0], counts[3]) == (read.rows, rejected), f"counted otherwise: {one}"
                assert len(self.rejected_lines(one)) == bad, f"rejects are in quarantine: {one}"
        assert not in_table, f"rows of no known file: {in_table}"

    def prove_table(self, live: list[dict[str, Any]], reads: dict[int, Read | None]) -> None:
        """3: the table is a function of the live versions alone."""
        assert self.rows() == self.winners({one["id"]: reads[one["id"]] for one in live})

    def winners(self, reads: dict[int, Read | None]) -> Rows:
        best: dict[str, tuple[Any, Row]] = {}
        for file_id, read in reads.items():
            for number, (key, n, day) in (read.good if read else {}).items():
                rank = (n is not None, n or 0, file_id, number)
                if key not in best or rank > best[key][0]:
                    best[key] = (rank, (file_id, n, day))
        return {key: row for key, (_, row) in best.items()}

    def prove_snapshots(self, reads: dict[int, Read | None]) -> None:
        """4: every snapshot that a reader could see shows each file whole: a missing row lost against a visible one."""
        table = self.table()
        snapshots = table.metadata.snapshots if table else []
        for snapshot in snapshots[-1:] if self.was_mended else snapshots:
            seen = self.rows(snapshot.snapshot_id)
            shown = {file_id: reads[file_id] for file_id, _, _ in seen.values()}
            assert self.winners(shown).items() <= seen.items(), f"half a file in {snapshot.snapshot_id}"

    def prove_nothing_left_over(self) -> None:
        """No open batch, no file that no snapshot has, no rejects that wait, no half-written file."""
        assert self._ledger("select id from batches where state = 'open'") == []
        table = self.table()
        known = set()
        for snapshot in table.metadata.snapshots if table else []:
            tasks = table.scan(snapshot_id=snapshot.snapshot_id).plan_files() if table else []
            known |= {task.file.file_path.removeprefix("file://") for task in tasks}
        data = self.home / "lake" / "curated" / "feed" / "data"
        assert {str(path) for path in data.rglob("*.parquet")} <= known
        files = [path for path in (self.home / "lake").rglob("*") if path.is_file()]
        left_over = [str(path) for path in files if path.name.endswith(".tmp") or "_waiting" in path.parts]
        assert left_over == [], left_over


def _json(line: bytes) -> Any:
    try:
        return json.loads(line.decode())
    except ValueError:
        return None
