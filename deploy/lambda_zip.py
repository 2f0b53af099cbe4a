"""Packs the Lambda function slice-slack-notifier: `make lambda`, or `python deploy/lambda_zip.py [--output FILE]`.

The zip holds notify/ with what it imports, and the packages of requirements/lambda.lock; boto3 is in AWS's runtime.
It is for the Python and the processor that it is packed with. The same sources give the same bytes.
"""

import argparse
import ast
import re
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from importlib.metadata import distribution
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
PACKAGE = "slice_platform"
ENTRY = f"{PACKAGE}.notify.lambda_handler"
_LEFT_OUT = {"__pycache__", "tests", "testing", "bin"}
_MOMENT = (1980, 1, 1, 0, 0, 0)


def main() -> None:
    parser = argparse.ArgumentParser(description="Pack the Lambda function slice-slack-notifier.")
    parser.add_argument("--output", type=Path, default=ROOT / "dist" / "slice-slack-notifier.zip")
    output: Path = parser.parse_args().output
    with tempfile.TemporaryDirectory() as folder:
        _install(Path(folder))
        for module in sorted(modules_of(ENTRY)):
            source = path_of(module)
            target = Path(folder) / source.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
        output.parent.mkdir(parents=True, exist_ok=True)
        _pack(Path(folder), output)
    print(f"{output}: {output.stat().st_size / 1_000_000:.1f} MB; handler {ENTRY}.handler")


def modules_of(entry: str) -> set[str]:
    """The modules of ours that one imports, directly or not, whenever that is, with the packages they lie in."""
    found: set[str] = set()
    todo = [entry]
    while todo:
        name = todo.pop()
        if name in found:
            continue
        found.add(name)
        todo += [*_imports(path_of(name)), *([name.rpartition(".")[0]] if "." in name else [])]
    return found


def path_of(module: str) -> Path:
    base = ROOT.joinpath(*module.split("."))
    return base / "__init__.py" if base.is_dir() else base.with_suffix(".py")


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == PACKAGE:
            yield node.module or ""


def _install(folder: Path) -> None:
    """The packages of the lock, as they are installed here from a lock with the same hashes."""
    lock = (ROOT / "requirements" / "lambda.lock").read_text(encoding="utf-8")
    for line in re.findall(r"^[\w.-]+.*==.*$", lock, re.MULTILINE):
        wanted = Requirement(line.rstrip("\\ "))
        if wanted.marker is not None and not wanted.marker.evaluate():
            continue
        found = distribution(wanted.name)
        if found.version not in wanted.specifier:
            sys.exit(f"{wanted.name} {found.version} is installed; requirements/lambda.lock wants {wanted.specifier}.")
        for file in found.files or ():
            if ".." not in file.parts:  # programs lie outside
                target = folder / file
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(str(file.locate()), target)


def _pack(folder: Path, output: Path) -> None:
    with zipfile.ZipFile(output, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as packed:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and not _LEFT_OUT & set(path.relative_to(folder).parts):
                entry = zipfile.ZipInfo(str(path.relative_to(folder)), _MOMENT)
                entry.external_attr = 0o644 << 16
                entry.compress_type = zipfile.ZIP_DEFLATED
                packed.writestr(entry, path.read_bytes())


if __name__ == "__main__":
    main()
