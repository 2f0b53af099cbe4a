"""Folders for files on the way go with the process that opened them, however it ends."""

import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from slice_platform.engine import open_engine
from slice_platform.settings import load_settings
from slice_platform.spill import spill_folder

DIES = """
import os, signal, sys
from pathlib import Path
from slice_platform.spill import spill_folder
with spill_folder(Path(sys.argv[1])) as folder:
    (folder / "rows.csv").write_text("1")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_process_that_was_killed_left_goes_with_the_next_folder(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", DIES, str(tmp_path)], check=False)
    assert done.returncode == -signal.SIGKILL and len(list(tmp_path.iterdir())) == 1
    with spill_folder(tmp_path) as mine:
        assert list(tmp_path.iterdir()) == [mine]
    assert not list(tmp_path.iterdir())


def test_folders_in_use_stay(tmp_path: Path) -> None:
    with spill_folder(tmp_path) as first, spill_folder(tmp_path) as second:
        assert first.is_dir() and second.is_dir() and first != second


def test_many_open_and_close_at_once_and_none_loses_its_folder(tmp_path: Path) -> None:
    def use(number: int) -> bool:
        with spill_folder(tmp_path) as folder:
            (folder / "x").write_text(str(number))
            return (folder / "x").read_text() == str(number)

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(use, range(400)))
    assert not list(tmp_path.iterdir())


def test_what_others_put_there_stays(tmp_path: Path) -> None:
    (tmp_path / "sample-1").mkdir()
    (tmp_path / "unpacked").write_text("x")
    with spill_folder(tmp_path):
        pass
    assert {path.name for path in tmp_path.iterdir()} == {"sample-1", "unpacked"}


def test_an_engine_spills_into_such_a_folder(tmp_path: Path) -> None:
    settings = load_settings(home=tmp_path)
    with open_engine(settings) as engine:
        (folder,) = settings.spill_dir.iterdir()
        assert engine.execute("select current_setting('temp_directory')").fetchall() == [(str(folder),)]
    assert not list(settings.spill_dir.iterdir())
