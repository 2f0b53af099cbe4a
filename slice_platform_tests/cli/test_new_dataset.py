"""`slice new-dataset` as a newcomer meets it: one command, and the file he has is a table."""

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from slice_platform.cli.main import PERMANENT, main
from slice_platform.settings import PACKAGE_DIR

Slice = Callable[..., Result]
SHOP = (
    "order_id,ordered_at,amount,status,email,changed_at\n"
    "A1,2026-03-01T10:00:00Z,19.90,open,a@b.de,2026-03-01T10:00:00Z\n"
    "A2,2026-03-01T11:00:00Z,5.00,paid,,2026-03-02T08:00:00Z\n"
)


@pytest.fixture
def slice_(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Slice:
    """Run `slice` with no datasets, a fresh home and shop.csv in the current folder."""
    monkeypatch.setenv("SLICE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("SLICE_DEFS_DIR", str(tmp_path / "package" / "defs"))
    monkeypatch.setenv("SLICE_LANDING_TICK_SECONDS", "0")
    monkeypatch.setenv("DAGSTER_HOME", str(PACKAGE_DIR.parent))
    (tmp_path / "shop.csv").write_text(SHOP)
    return lambda *arguments: CliRunner().invoke(main, list(arguments))


def test_one_command_makes_a_dataset_that_takes_the_file(slice_: Slice, tmp_path: Path) -> None:
    done = slice_("new-dataset", "orders", "--sample", "shop.csv")
    assert done.exit_code == 0, done.output
    assert sorted(p.name for p in (tmp_path / "package" / "defs" / "orders").iterdir()) == [
        "contract.yaml",
        "defs.yaml",
    ]
    dropped = slice_("drop", "orders", "shop.csv")
    assert "1 file in landing/orders/" in dropped.output, dropped.output


def test_it_tells_what_it_read_what_it_guessed_and_what_to_type_next(slice_: Slice) -> None:
    shown = slice_("new-dataset", "orders", "--sample", "shop.csv").output
    for words in (
        "orders: 2 rows of shop.csv, read as csv: utf-8, commas",
        "6 columns: 3 string, 2 timestamp, 1 decimal",
        "key        order_id  (guess: complete and different in all 2 rows)",
        "order_by   changed_at  (guess: of rows with one key the greatest stays)",
        "partition  ordered_at by year from 2026-01-01  (guess: about 2 rows a day)",
        "email: may be about persons",
        "Tried: the reader takes 2 of 2 rows into 1 partition, 0 rejected.",
        "slice drop orders shop.csv",
        "slice ingest orders",
    ):
        assert words in shown, shown


def test_printing_writes_nothing(slice_: Slice, tmp_path: Path) -> None:
    done = slice_(
        "new-dataset", "orders", "--sample", "shop.csv", "--print", "--key", "order_id,email", "--partition", "none"
    )
    assert done.exit_code == PERMANENT and "1 of 2 rows have no value there" in done.stderr
    done = slice_("new-dataset", "orders", "--sample", "shop.csv", "--print", "--partition", "ordered_at:day")
    assert "# --- orders/contract.yaml" in done.stdout and "grain: day\n" in done.stdout
    assert "Tried: the reader takes" in done.stderr and "Tried" not in done.stdout
    assert not (tmp_path / "package" / "defs").exists()


def test_a_dataset_that_is_there_is_never_touched(slice_: Slice, tmp_path: Path) -> None:
    slice_("new-dataset", "orders", "--sample", "shop.csv")
    before = (tmp_path / "package" / "defs" / "orders" / "contract.yaml").stat()
    done = slice_("new-dataset", "Orders", "--sample", "shop.csv")
    assert done.exit_code == PERMANENT and "nothing is overwritten" in done.stderr
    assert (tmp_path / "package" / "defs" / "orders" / "contract.yaml").stat() == before


def test_hundreds_of_columns_are_told_on_one_screen(slice_: Slice, tmp_path: Path) -> None:
    names = [f"c{n}" for n in range(200)]
    (tmp_path / "wide.csv").write_text(",".join(names) + "\n" + ",".join(["03/04/2026"] * 200) + "\n")
    shown = slice_("new-dataset", "wide", "--sample", "wide.csv").output
    assert len(shown.splitlines()) < 35 and "... and 188 more, in the comments of contract.yaml" in shown
