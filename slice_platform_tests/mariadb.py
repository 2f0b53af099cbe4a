"""A real MariaDB for the tests: started in a folder of its own, on a socket there, stopped at the end."""

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pymysql

from slice_platform_tests.tools import require_tool

_HURRY = ["--innodb-flush-log-at-trx-commit=2", "--innodb-doublewrite=0", "--innodb-buffer-pool-size=32M"]
_START_SECONDS = 30.0


@dataclass
class MariaDb:
    """A running server. It listens on a socket in its own folder, and on no network."""

    folder: Path
    options: tuple[str, ...] = ()
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def url(self) -> str:
        return f"mysql://root@localhost/?unix_socket={self.folder}/socket"

    def run(self, statement: str) -> None:
        with pymysql.connect(unix_socket=f"{self.folder}/socket", user="root") as connection:
            connection.cursor().execute(statement)

    def recreate_database(self, name: str) -> None:
        """A database with nothing in it."""
        self.run(f"drop database if exists `{name}`")
        self.run(f"create database `{name}`")

    def start(self) -> None:
        command = [require_tool("mariadbd"), "--no-defaults", f"--datadir={self.folder}/data", *_HURRY,
                   f"--socket={self.folder}/socket", "--skip-networking", f"--pid-file={self.folder}/pid",
                   "--local-infile=ON", *self.options]  # fmt: skip
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **_as_owner())
        ends = time.monotonic() + _START_SECONDS
        while not (self.folder / "socket").exists():  # it is there once connections are taken
            assert time.monotonic() < ends and self.process.poll() is None, "MariaDB did not start"
            time.sleep(0.02)
        self.run("select 1")

    def stop(self) -> None:
        assert self.process is not None
        self.process.terminate()
        self.process.wait(30)

    def kill(self) -> None:
        """As when the process is killed: what was committed is kept."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(30)
        (self.folder / "socket").unlink()


@contextmanager
def running_mariadb(*options: str) -> Iterator[MariaDb]:
    """Start a server, and stop it at the end. Without options it asks nobody for a password or for rights."""
    install = require_tool("mariadb-install-db")
    folder = Path(tempfile.mkdtemp(prefix="slice-maria-"))  # the path of a socket has to be short
    try:
        if os.geteuid() == 0:
            os.chown(folder, pwd.getpwnam("nobody").pw_uid, -1)
        places = ["--no-defaults", f"--datadir={folder}/data", "--auth-root-authentication-method=normal"]
        made = subprocess.run([install, *places], capture_output=True, cwd="/", check=False, **_as_owner())
        assert made.returncode == 0, made.stderr.decode() + made.stdout.decode()
        server = MariaDb(folder, options or ("--skip-grant-tables",))
        server.start()
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _as_owner() -> dict[str, Any]:
    return {"user": "nobody", "extra_groups": []} if os.geteuid() == 0 else {}
