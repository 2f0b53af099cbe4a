"""Worlds of the propagator: each destination on a real server."""

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import psycopg
import pytest

from slice_platform.local.redshift_standin import prepare_schemas
from slice_platform.warehouse.drop_path import DESTINATIONS, DestinationName
from slice_platform_tests.postgres import Postgres
from slice_platform_tests.warehouse.worlds import DATABASE, World

_NUMBERS = count(1)


@pytest.fixture
def make_world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[DestinationName], World]]:
    """A world with an empty database; servers are started when the first test needs them."""
    with_places: list[str] = []

    def make(name: DestinationName) -> World:
        if name == "mysql":
            server = request.getfixturevalue("mariadb")
            server.recreate_database(DATABASE)
            return World(name, server.url, str(tmp_path))
        server = request.getfixturevalue("postgres")
        place = DATABASE if name == "postgres" else f"standin_{next(_NUMBERS)}"
        with_places.append(place)
        url = fresh_database(server, place)
        if name == "redshift":
            prepare_schemas(url, [DATABASE])
        return World(name, url, str(tmp_path))

    yield make
    for place in with_places:
        drop_database(request.getfixturevalue("postgres"), place)


@pytest.fixture(params=DESTINATIONS)
def world(request: pytest.FixtureRequest, make_world: Callable[[DestinationName], World]) -> World:
    """Each destination in turn."""
    return make_world(request.param)


def fresh_database(server: Postgres, name: str) -> str:
    """A database with nothing in it, and how libpq finds it."""
    drop_database(server, name)
    with psycopg.connect(f"host={server.folder} user=postgres dbname=postgres", autocommit=True) as connection:
        connection.execute(f'create database "{name}"'.encode())
    return f"postgresql://postgres@/{name}?host={server.folder}"


def drop_database(server: Postgres, name: str) -> None:
    with psycopg.connect(f"host={server.folder} user=postgres dbname=postgres", autocommit=True) as connection:
        connection.execute(f'drop database if exists "{name}" with (force)'.encode())
