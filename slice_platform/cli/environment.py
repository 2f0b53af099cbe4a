"""Where Dagster finds its instance: dagster.yaml beside workspace.yaml, its state under SLICE_HOME."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

from slice_platform.errors import SettingsError
from slice_platform.settings import PACKAGE_DIR, load_settings


def project_dir() -> Path:
    """The folder with dagster.yaml and workspace.yaml: the one the package lies in, or this one.

    Raises:
        SettingsError: neither has them.
    """
    for folder in (PACKAGE_DIR.parent, Path.cwd()):
        if (folder / "dagster.yaml").exists() and (folder / "workspace.yaml").exists():
            return folder
    raise SettingsError(
        f"Neither {str(Path.cwd())!r} nor {str(PACKAGE_DIR.parent)!r} has dagster.yaml and workspace.yaml. "
        "Run slice from the project's folder."
    )


def prepare_environment(*, with_dagster: bool = True) -> None:
    """Every process started from here on sees the same lake and the same Dagster instance.

    A command `with_dagster` False runs on hosts that have no project and no instance, too.
    """
    home = load_settings().home_dir
    home.mkdir(parents=True, exist_ok=True)
    os.environ["SLICE_HOME"] = str(home)
    if with_dagster:
        os.environ.setdefault("DAGSTER_HOME", str(project_dir()))


def start_dagster(host: str, port: int, start_beside: Callable[[], str] | None = None) -> None:
    """Become `dagster dev`; it ends with Ctrl-C. What `start_beside` starts has to end by itself then."""
    folder = project_dir()
    os.chdir(folder)
    # dagster dev prints that dg dev replaces it; dg dev does not read workspace.yaml, which names the location.
    os.environ["PYTHONWARNINGS"] = "ignore"
    command = ["-m", "dagster", "dev", "-w", "workspace.yaml", "-h", host, "-p", str(port)]
    sys.stdout.write(f"The UI opens at http://{host}:{port} in about 15 seconds. Files: {load_settings().lake_root}\n")
    if start_beside is not None:
        sys.stdout.write(f"{start_beside()}\n")
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, *command])
