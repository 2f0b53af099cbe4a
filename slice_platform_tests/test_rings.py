"""The rings of the architecture: imports point inwards, and only the edge knows Dagster."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "slice_platform"
RINGS = (
    ("settings", "errors"),
    (
        "sql_text",
        "spill",
        "engine",
        "aws",
        "store",
        "s3",
        "s3_files",
        "records",
        "ledger",
        "ledger_tables",
        "ledger_booking",
        "metadata_db",
        "yaml_lines",
    ),
    ("lake", "warehouse", "notify", "ops", "local"),
    ("components", "run_history", "projections"),
    ("defs",),
    ("definitions",),
    ("demo", "cli"),
)
SUBJECTS = ("lake", "warehouse", "notify", "ops", "local")
EDGE = ("components", "run_history", "defs", "definitions", "cli")
RING_OF = {part: ring for ring, parts in enumerate(RINGS) for part in parts}
MODULES = sorted(PACKAGE.rglob("*.py"))


def part_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports_of(path: Path) -> Iterator[str]:
    """Every module that the file imports anywhere, dotted; `from package import name` counts as both."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def own_parts(path: Path) -> set[str]:
    """The parts of slice_platform that the file imports."""
    found = (name.split(".") for name in imports_of(path))
    return {steps[1] for steps in found if steps[0] == "slice_platform" and len(steps) > 1} & RING_OF.keys()


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_inwards(path: Path) -> None:
    if (part := part_of(path)) == "__init__":
        assert not own_parts(path)
        return
    outwards = {other for other in own_parts(path) if RING_OF[other] > RING_OF[part]}
    assert not outwards, f"{part} lies inside of {sorted(outwards)} and must not know it"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_subjects_do_not_know_each_other(path: Path) -> None:
    part = part_of(path)
    others = own_parts(path) & set(SUBJECTS) - {part}
    assert part not in SUBJECTS or not others, f"{part} imports {sorted(others)}: let the edge bring them together"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_only_the_edge_knows_dagster(path: Path) -> None:
    frameworks = {name for name in imports_of(path) if name.startswith("dagster")}
    assert part_of(path) in EDGE or not frameworks, f"the core is a library without Dagster, but imports {frameworks}"


@pytest.mark.parametrize("path", [p for p in MODULES if part_of(p) in {"components", "defs"}], ids=str)
def test_components_keep_real_annotations(path: Path) -> None:
    """Dagster reads the annotation of `context`; as text it refuses it."""
    assert "__future__.annotations" not in set(imports_of(path))


def test_every_part_has_its_ring() -> None:
    parts = {part_of(path) for path in MODULES} - {"__init__"}
    assert parts <= RING_OF.keys(), f"give {sorted(parts - RING_OF.keys())} a place in RINGS"
