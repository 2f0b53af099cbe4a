"""A MariaDB that asks for rights and for TLS: what docs/propagator.md grants is enough, and no less is asked of it."""

import re
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from slice_platform.errors import AccessRefused, DestinationUnavailable, SettingsError
from slice_platform.warehouse.drop_path import Task
from slice_platform.warehouse.mysql import MySqlDestination
from slice_platform.warehouse.outcome import Done
from slice_platform_tests.mariadb import MariaDb, running_mariadb
from slice_platform_tests.tools import require_tool
from slice_platform_tests.warehouse.worlds import DATABASE, World

DOCS = Path(__file__).parents[2] / "docs" / "propagator.md"
_SELF_SIGNED = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj"]


@pytest.fixture(scope="module")
def certificate() -> Iterator[Path]:
    """Of a server called localhost, which vouches for itself; its key lies beside it."""
    with tempfile.TemporaryDirectory(prefix="slice-tls-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # the server runs as nobody
        command = [require_tool("openssl"), *_SELF_SIGNED, "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
        files = ["-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem")]
        subprocess.run([*command, *files], check=True, capture_output=True)
        (folder / "key.pem").chmod(0o644)
        yield folder / "cert.pem"


@pytest.fixture(scope="module")
def strict(certificate: Path) -> Iterator[MariaDb]:
    """A server with the documented user, who has to come encrypted, and with nothing else that a user could do."""
    key = certificate.with_name("key.pem")
    with running_mariadb(f"--ssl-cert={certificate}", f"--ssl-key={key}") as server:
        server.recreate_database(DATABASE)
        for statement in documented():
            server.run(statement.replace("'...'", "'secret'").replace("analytics", DATABASE))
        server.run("ALTER USER slice_propagator REQUIRE SSL")
        server.run("DELETE FROM mysql.global_priv WHERE user = ''")  # who is nobody would come first
        server.run("FLUSH PRIVILEGES")
        yield server


def documented() -> list[str]:
    text = DOCS.read_text(encoding="utf-8")
    return re.findall(r"^(?:CREATE USER \w+ IDENTIFIED|GRANT .+ ON analytics\.\*) .+;$", text, re.MULTILINE)


def test_the_documented_grants_are_enough_over_tls(strict: MariaDb, certificate: Path, tmp_path: Path) -> None:
    world = World("mysql", url(strict, f"&ssl_ca={certificate}"), str(tmp_path))
    world.create({"id": "INTEGER", "name": "VARCHAR(50)", "x": "DATE"}, ["id"], table="first")
    world.work_off("first")
    key = {"columns": ["id"], "table": "first", "references": ["id"]}
    world.create({"id": "INTEGER", "name": "VARCHAR(50)", "x": "DATE"}, ["id"], foreign_key=[key])
    world.drop(Task.ALTER, "b.json", {"operation_type": "add", "column_specification": {"y": "DATE"}})
    world.drop(Task.ALTER, "c.json", {"operation_type": "drop", "column_specification": ["x"]})
    world.drop(Task.LOAD, "d.csv", "id\n1\n", table="first")
    world.drop(Task.LOAD, "d.csv", "id\n1\n")
    world.drop(Task.UPSERT, "e.csv", "id,y\n1,2026-01-01\n")
    assert [type(one) for one in (*world.work_off("first"), *world.work_off())] == [Done] * 6


def test_who_is_not_the_server_of_the_certificate_gets_no_password(
    strict: MariaDb, certificate: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other.pem"
    command = [require_tool("openssl"), *_SELF_SIGNED, "/CN=localhost", "-keyout", "/dev/null", "-out", str(other)]
    subprocess.run(command, check=True, capture_output=True)
    world = World("mysql", url(strict, f"&ssl_ca={other}"), str(tmp_path))
    with pytest.raises(DestinationUnavailable, match="certificate"):
        MySqlDestination(world.url, pause=lambda _seconds: None).known_table(world.table())


def test_a_file_of_tls_that_is_not_there_is_an_error_of_the_setting() -> None:
    with pytest.raises(SettingsError, match=r"SLICE_MYSQL_URL names with ssl_ca the file '/nowhere.pem'"):
        MySqlDestination("mysql://host/?ssl_ca=/nowhere.pem")


def test_a_user_without_rights_is_refused(strict: MariaDb, tmp_path: Path) -> None:
    strict.run("CREATE USER nobody_here IDENTIFIED BY 'secret'")
    world = World("mysql", url(strict, "").replace("slice_propagator", "nobody_here"), str(tmp_path))
    with pytest.raises(AccessRefused, match="docs/propagator.md"):
        MySqlDestination(world.url).known_table(world.table())


def url(server: MariaDb, more: str) -> str:
    return f"mysql://slice_propagator:secret@localhost/?unix_socket={server.folder}/socket{more}"
