"""Programs that some tests need: missing ones skip a test on a laptop and fail it in CI."""

import os
import shutil

import pytest


def require_tool(name: str) -> str:
    """The full path of a program. Without it the test is skipped, visibly; with `CI` set it fails."""
    if found := shutil.which(name):
        return found
    why = f"needs the program {name!r}, which is not on the PATH"
    if os.environ.get("CI"):
        pytest.fail(f"{why}: .ci/run has to install it")
    pytest.skip(why)
