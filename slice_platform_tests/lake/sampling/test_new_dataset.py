"""From a sample to a table with nothing written by hand: what is proposed loads, and takes every row of its sample."""

import gzip
import io
from dataclasses import replace
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as limits
from hypothesis import strategies as st

from slice_platform.errors import PermanentError
from slice_platform.lake.ingest import ingest
from slice_platform.lake.lake import LANDING, open_lake
from slice_platform.lake.sampling.heads import take_heads
from slice_platform.lake.sampling.new_dataset import Proposal, Request, propose, refuse_name, write
from slice_platform.lake.sampling.odcs_type import INTEGER
from slice_platform.lake.sampling.prove import prove
from slice_platform.lake.sampling.texts import PLACES, scratch_lake
from slice_platform.records import FileRow
from slice_platform_tests.lake.sampling.proposing import as_csv, as_jsonl, column, proposed, settings, spelling

EVENTS = [
    {
        "event_id": f"e{n:04d}",
        "occurred_at": f"2026-01-{n % 28 + 1:02d}T10:00:00Z",
        "user": {"id": n, "address": {"zip": f"{n:05d}", "geo": [1.5, n]}},
        "items": [{"sku": f"S{k}", "price": f"{k}.50", "tags": ["a"], "sold": "2026-01-01"} for k in range(n % 3)],
        "matrix": [[1, 2], [n]],
        "labels": {f"label {n * 7 % 60}": n},
        "either": n if n % 2 else {"a": n},
    }
    for n in range(60)
]


def published(folder: Path, found: Proposal) -> FileRow:
    """Write the proposal, drop its first sample, ingest."""
    known = settings(folder)
    write(known.defs_dir / found.draft.dataset, found)
    with open_lake(known) as lake:
        lake.store.copy_in(str(found.samples[0]), f"{LANDING}/{found.draft.dataset}/{found.samples[0].name}")
        ingest(lake, found.draft.dataset)
        (row,) = lake.ledger.list_files(found.draft.dataset)
    assert row.error is None
    return row


def test_nested_json_becomes_nested_columns_and_every_row_is_published(tmp_path: Path) -> None:
    found = proposed(tmp_path, ("e.jsonl.gz", gzip.compress(as_jsonl(EVENTS))), dataset="events")
    types = {one.name: str(one.type.logical) for one in found.draft.columns}
    assert types["user"] == "object<id: integer, address: object<zip: string, geo: array<number>>>"
    assert types["items"] == "array<object<sku: string, price: number(18,2), tags: array<string>, sold: date>>"
    assert types["matrix"] == "array<array<integer>>"
    assert (types["labels"], types["either"]) == ("string", "string")
    row = published(tmp_path, found)
    assert (row.rows_published, row.rows_rejected) == (60, 0)


def test_json_inside_of_csv_is_nested_too(tmp_path: Path) -> None:
    rows = [["id", "payload"], *([str(n), f'{{"a": {n}, "b": ["x"]}}'] for n in range(5))]
    found = proposed(tmp_path, ("a.csv", as_csv(rows)))
    assert str(column(found, "payload").type.logical) == "object<a: integer, b: array<string>>"
    assert published(tmp_path, found).rows_published == 5


def test_four_hundred_columns_are_one_contract_that_loads_and_publishes(tmp_path: Path) -> None:
    kinds = (
        "integer",
        "number decimal(18,2)",
        "date",
        "string",
        "boolean",
        "string",
        "timestamp timezone=true",
        "string",
    )
    names = [f"col_{n:03d}" for n in range(399)]

    def text(row: int, n: int) -> str:
        spelled = (
            str(row * n),
            f"{row}.{n % 100:02d}",
            f"2026-01-{row % 28 + 1:02d}",
            f"0{row}",
            ("true", "false")[row % 2],
        )
        return (*spelled, "", f"2026-01-01T00:00:{row % 60:02d}Z", f"w{row % 5}")[n % 8]

    rows = [[str(row), *(text(row, n) for n in range(399))] for row in range(100)]
    found = proposed(tmp_path, ("wide.csv.gz", gzip.compress(as_csv([["row_id", *names], *rows]))), dataset="wide")
    assert [spelling(one) for one in found.draft.columns[1:]] == [kinds[n % 8] for n in range(399)]
    assert found.draft.key.columns == ("row_id",)
    assert published(tmp_path, found).rows_published == 100


def test_parquet_keeps_the_types_it_has(tmp_path: Path) -> None:
    now = datetime(2026, 1, 1, 10, tzinfo=UTC)
    inner = pa.struct([("b", pa.decimal128(5, 1))])
    columns = {
        "id": (pa.uint32(), 1, "integer"), "big": (pa.uint64(), 2**64 - 1, "number decimal(20,0)"),
        "f": (pa.float64(), 1.5, "number"), "gaps": (pa.float64(), 5.0, "integer"), "b": (pa.bool_(), True, "boolean"),
        "dec": (pa.decimal128(9, 3), Decimal("1.250"), "number decimal(9,3)"),
        "d": (pa.date32(), date(2026, 1, 1), "date"),
        "t": (pa.time64("us"), time(10), "time"), "z": (pa.timestamp("us", "UTC"), now, "timestamp timezone=true"),
        "local": (pa.timestamp("ns"), datetime(2026, 1, 1, 10), "timestamp"),  # noqa: DTZ001  # it has no zone
        "midnight": (pa.timestamp("ms"), datetime(2026, 1, 1), "date"), "s": (pa.string(), "07", "string"),  # noqa: DTZ001
        "day_text": (pa.string(), "2026-01-01", "date"), "bytes": (pa.binary(), b"\x00x", "string"),
        "map": (pa.map_(pa.string(), pa.int64()), [("a", 1)], "string"),
        "deep": (pa.struct([("a", pa.list_(inner))]), {"a": [{"b": Decimal("1.5")}]}, "object"),
    }  # fmt: skip
    arrays = {name: pa.array([value, value], kind) for name, (kind, value, _) in columns.items()}
    target = io.BytesIO()
    pq.write_table(pa.table(arrays), target)
    found = proposed(tmp_path, ("a.parquet", target.getvalue()))
    assert {one.name: spelling(one) for one in found.draft.columns} == {n: e for n, (_, _, e) in columns.items()}
    assert str(column(found, "deep").type.logical) == "object<a: array<object<b: number(5,1)>>>"
    assert published(tmp_path, found).rows_published == 2


# Each example is a lake of its own and takes half a second: shrinking one would take minutes.
FEW = limits(
    max_examples=15, deadline=None, phases=(Phase.explicit, Phase.generate),
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)  # fmt: skip
_TEXTS = st.one_of(
    st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=8),
    st.sampled_from(["", "1", "-7", "0.50", "007", "1e5", "NA", "NULL", "\\N", "true", "No", "2026-01-01", "01/02/2026",
                     "2026-01-01T10:00:00Z", "10:00", "[1]", '{"a": 1}', "nan", "9" * 30, " 1", "null"]),
)  # fmt: skip
_NAMES = st.lists(
    st.text(st.characters(codec="utf-8", exclude_characters="\x00\ufeff"), min_size=1, max_size=6).filter(
        lambda n: n.strip()
    ),
    min_size=1,
    max_size=4,
    unique_by=str.lower,
)


@FEW
@given(st.data())
def test_whatever_a_json_table_holds_its_contract_takes_all_of_it(data: st.DataObject) -> None:
    names = data.draw(_NAMES)
    values = st.one_of(
        _TEXTS, st.none(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.booleans(),
        st.lists(st.integers(), max_size=2), st.dictionaries(st.sampled_from(["a", "b", "c d"]), _TEXTS, max_size=2),
    )  # fmt: skip
    record = st.fixed_dictionaries({"n": st.integers(0, 3)}, optional=dict.fromkeys(names, values))
    content = as_jsonl(data.draw(st.lists(record, min_size=1, max_size=6)))
    with TemporaryDirectory() as folder:
        row = published(Path(folder), proposed(Path(folder), ("a.jsonl", content)))
    assert (row.rows_rejected, row.rows_duplicate) == (0, 0)


@FEW
@given(st.data())
def test_whatever_a_csv_table_holds_its_contract_takes_what_the_parser_takes(data: st.DataObject) -> None:
    values = _TEXTS.filter(lambda text: not set("\r\n") & set(text))
    rows = data.draw(st.lists(st.lists(values, min_size=3, max_size=3), min_size=1, max_size=6))
    content = as_csv([["first", "second", "third_date"], *rows])
    with TemporaryDirectory() as folder:
        found = proposed(Path(folder), ("a.csv", content))
        row = published(Path(folder), found)
    assert (row.rows_read, row.rows_rejected, row.rows_duplicate) == (len(rows), 0, 0)


def test_a_guess_that_the_reader_contradicts_becomes_text_and_says_so(tmp_path: Path) -> None:
    """No known sample leads here; should one, the dataset is still right."""
    found = proposed(tmp_path, ("a.csv", b"id,n\n1,x\n2,3\n"))
    wrong = tuple(replace(one, type=INTEGER) if one.name == "n" else one for one in found.draft.columns)
    with scratch_lake(tmp_path / "scratch") as (lake, connection):
        heads = take_heads(list(found.samples), 100, Path(lake.store.path(PLACES)))
        draft, proof = prove(lake, connection, found.draft.with_columns(wrong), heads)
    assert [one.type.kind for one in draft.columns] == ["integer", "string"]
    assert "the reader rejects 1 values: 'x' is not integer" in draft.columns[1].doubts[-1]
    assert proof.rejected == 0


def test_several_samples_are_one_dataset(tmp_path: Path) -> None:
    first = ("in/a.csv", b"id,n\n1,5\n2,6\n")
    second = ("in/deep/b.csv.gz", gzip.compress(b"id,late\n3,0.5\n"))
    folder = tmp_path / "samples" / "in"
    for name, content in (first, second, ("in/_SUCCESS", b""), ("in/x.csv.tmp", b"1")):
        path = tmp_path / "samples" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    found = propose(settings(tmp_path), Request("orders", (folder,)))
    assert [spec.pattern for spec in found.draft.files] == ["*.csv", "*.csv.gz"]
    assert [one.name for one in found.draft.columns if one.is_required] == ["id"]
    assert found.proof.rows_read == 3 and found.draft.source == "3 rows of a.csv and 1 more"


@pytest.mark.parametrize(
    ("other", "says"),
    [(("b.jsonl", b'{"id": 1}\n'), "one format"), (("b.csv", b"id;n\n1;2\n"), "delimiter ',' and ';'")],
)
def test_samples_that_disagree_are_refused(other: tuple[str, bytes], says: str, tmp_path: Path) -> None:
    with pytest.raises(PermanentError, match=says):
        proposed(tmp_path, ("a.csv", b"id,n\n1,2\n"), other)


def test_a_large_sample_is_read_in_part_and_says_so(tmp_path: Path) -> None:
    rows = [["id", "text"], *([str(n), 'two\nlines, and a "quote"'] for n in range(50))]
    found = proposed(tmp_path, ("a.csv", as_csv(rows)), rows=10)
    assert found.proof.rows_read == 10
    assert found.contract.startswith("# Written from the first 10 rows of a.csv.")


def test_nothing_is_overwritten_and_nothing_left_behind(tmp_path: Path) -> None:
    found = proposed(tmp_path, ("a.csv", b"id,n\n1,2\n"))
    folder = tmp_path / "defs" / "orders"
    folder.mkdir(parents=True)
    (folder / "notes.txt").write_text("mine")
    with pytest.raises(PermanentError, match="nothing is overwritten"):
        write(folder, found)
    assert [path.name for path in folder.iterdir()] == ["notes.txt"]
    assert not list(tmp_path.glob(".new-dataset-*")) and not list((tmp_path / "home" / "spill").iterdir())


def test_a_folder_that_cannot_be_written_is_an_error_with_a_next_step(tmp_path: Path) -> None:
    found = proposed(tmp_path, ("a.csv", b"id,n\n1,2\n"))
    (tmp_path / "closed").write_text("a file, where a folder is needed")
    with pytest.raises(PermanentError, match="--print"):
        write(tmp_path / "closed" / "defs" / "orders", found)


@pytest.mark.parametrize(
    ("name", "says"), [("my-orders", "letters, digits"), ("_o", "underscore"), ("ORDERS", "defined"), ("", "letters")]
)
def test_a_name_that_no_dataset_can_have_is_refused(name: str, says: str, tmp_path: Path) -> None:
    write(tmp_path / "defs" / "orders", proposed(tmp_path, ("a.csv", b"id,n\n1,2\n")))
    with pytest.raises(PermanentError, match=says):
        refuse_name(settings(tmp_path), name)
