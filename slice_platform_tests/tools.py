"""Programs and packages that some tests need: missing ones skip a test on a laptop and fail it in CI."""

import os
import shutil
from importlib.util import find_spec
from typing import NoReturn

import pytest


def require_tool(name: str) -> str:
    """The full path of a program. Without it the test is skipped, visibly; with `CI` set it fails."""
    found = shutil.which(name)
    if not found:
        _miss(f"needs the program {name!r}, which is not on the PATH")
    return found


def require_package(name: str, extra: str) -> None:
    """As `require_tool`, for a package that comes with an extra which `make test` does not install."""
    if find_spec(name) is None:
        _miss(f"needs the package {name!r} of the extra {extra!r}")


def _miss(why: str) -> NoReturn:
    if os.environ.get("CI"):
        pytest.fail(f"{why}: .ci/run has to install it")
    pytest.skip(why)
