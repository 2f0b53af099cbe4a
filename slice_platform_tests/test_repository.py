"""What the files around the code promise."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
LOCKS = sorted((ROOT / "requirements").glob("*.lock"))
CODE = [
    path
    for folder in ("slice_platform", "slice_platform_tests", "benchmarks")
    for path in (ROOT / folder).rglob("*.py")
]
LONGEST_FILE_LINES = 400
# Where this copy lies, and homes. /tmp and /usr are everywhere.
MACHINE_PATHS = re.compile(rf"(?<![\w.:/~-])(?:{re.escape(str(ROOT))}|/(?:home|Users|root)/[\w.-]+)")


def documents() -> list[Path]:
    return [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]


def kept_files() -> list[Path]:
    """All files that belong to the repository: tracked, or new and not ignored."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    if listed.returncode != 0:
        pytest.skip("not a git repository")
    return [path for name in listed.stdout.decode().split("\0") if name and (path := ROOT / name).is_file()]


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_lock_files_name_no_package_index(lock: Path) -> None:
    text = lock.read_text()
    assert "://" not in text
    assert "--hash=sha256:" in text
    assert not re.search(r"^--(?:extra-)?index-url|^--find-links", text, re.MULTILINE)


@pytest.mark.parametrize(
    ("lock", "extras"),
    [
        ("dev.lock", ("local", "demo", "aws", "dev")),
        ("aws.lock", ("aws",)),
        ("custodian.lock", ("aws", "custodian")),
        ("spark.lock", ("spark",)),
        ("bench.lock", ("bench",)),
    ],
)
def test_lock_files_keep_up_with_what_is_required(lock: str, extras: tuple[str, ...]) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *(one for extra in extras for one in project["optional-dependencies"][extra])]
    found = re.findall(r"^([\w.-]+)(?:\[[^]]*\])?==([^\s;]+)", (ROOT / "requirements" / lock).read_text(), re.MULTILINE)
    locked = {canonicalize_name(name): version for name, version in found}
    for requirement in map(Requirement, wanted):
        version = locked.get(canonicalize_name(requirement.name))
        assert version, f"{lock} lacks {requirement}: run make lock"
        assert version in requirement.specifier, f"{lock} has {version} of {requirement}: run make lock"


def test_extras_are_locked_to_the_versions_of_development() -> None:
    pinned = {
        lock.name: set(re.findall(r"^([\w.-]+)(?:\[[^]]*\])?==(\S+)", lock.read_text(), re.MULTILINE)) for lock in LOCKS
    }
    development = dict(pinned["dev.lock"])
    for name in ("aws.lock", "custodian.lock", "spark.lock", "bench.lock"):
        other = {(package, version) for package, version in pinned[name] if package in development}
        assert other <= pinned["dev.lock"], f"{name} and dev.lock cannot be installed together"


def test_no_file_names_a_place_on_one_machine() -> None:
    for path in kept_files():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        if found := MACHINE_PATHS.search(text):
            pytest.fail(f"{path.relative_to(ROOT)}:{text.count(chr(10), 0, found.start()) + 1}: {found[0]}")


def test_every_make_target_in_the_documents_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for document in documents():
        named = set(re.findall(r"(?:`|^)make ([a-z]+)", document.read_text(encoding="utf-8"), re.MULTILINE))
        assert named <= targets, f"{document.name} names {sorted(named - targets)}"


def test_make_help_lists_every_target() -> None:
    text = (ROOT / "Makefile").read_text()
    phony = set(re.search(r"^\.PHONY: (.*)$", text, re.MULTILINE)[1].split())  # type: ignore[index]
    assert phony == set(re.findall(r"^([a-z-]+):.*## ", text, re.MULTILINE))


@pytest.mark.parametrize("path", CODE, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_stay_short_enough_to_be_read(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) < LONGEST_FILE_LINES, "split it: one idea per file"
