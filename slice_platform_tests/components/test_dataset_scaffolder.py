"""`dg scaffold defs` makes a dataset from a sample, in a project of its own, and its definitions load."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from slice_platform.settings import PACKAGE_DIR

COMPONENT = "slice_platform.components.lake_dataset.LakeDataset"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project without its datasets, and shop.csv beside it."""
    folder = tmp_path_factory.mktemp("project")
    shutil.copytree(PACKAGE_DIR, folder / "slice_platform", ignore=shutil.ignore_patterns("__pycache__"))
    for one in (folder / "slice_platform" / "defs").iterdir():
        if one.is_dir():
            shutil.rmtree(one)
    shutil.copy(PACKAGE_DIR.parent / "pyproject.toml", folder)
    (folder / "shop.csv").write_text("order_id,ordered_at\nA1,2026-03-01T10:00:00Z\n")
    return folder


def dg(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    known = {k: v for k, v in os.environ.items() if not k.startswith(("SLICE_", "DAGSTER_"))}
    known |= {
        "PYTHONPATH": str(project),
        "SLICE_HOME": str(project / "home"),
        "DAGSTER_HOME": "",
        "PYTHONWARNINGS": "ignore",
    }
    known.pop("DAGSTER_HOME")
    program = Path(sys.executable).with_name("dg")
    return subprocess.run(
        [str(program), *arguments], cwd=project, env=known, capture_output=True, text=True, timeout=180, check=False
    )


def test_a_sample_becomes_a_dataset_whose_definitions_load(project: Path) -> None:
    done = dg(project, "scaffold", "defs", COMPONENT, "orders", "--sample", "shop.csv", "--partition", "ordered_at:day")
    assert done.returncode == 0, done.stdout + done.stderr
    made = project / "slice_platform" / "defs" / "orders"
    assert sorted(path.name for path in made.iterdir()) == ["contract.yaml", "defs.yaml"]
    assert "grain: day\n" in (made / "defs.yaml").read_text()
    listed = dg(project, "list", "defs", "--json")
    assert "curated/orders" in listed.stdout and "ingest_orders" in listed.stdout, listed.stdout + listed.stderr


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ((), "Give --sample FILE"),
        (("--sample", "nowhere.csv"), "no such file"),
        (("--sample", "shop.csv", "--key", "nothing"), "no such column"),
        (("--sample", "shop.csv", "--format", "python"), "two YAML files"),
    ],
)
def test_what_cannot_be_scaffolded_is_a_sentence_and_leaves_no_folder(
    project: Path, options: tuple[str, ...], says: str
) -> None:
    done = dg(project, "scaffold", "defs", COMPONENT, "broken", *options)
    assert done.returncode != 0
    assert says in " ".join(done.stderr.split()) and "Traceback" not in done.stderr, done.stdout + done.stderr
    assert not (project / "slice_platform" / "defs" / "broken").exists()
