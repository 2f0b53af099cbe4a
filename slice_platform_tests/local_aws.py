"""The local AWS for tests: one server in each process of them, with fresh accounts for each test.

State belongs to the process, and `cloud.py` serves the same moto: no test may use `local_aws` and `cloud` at once.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from slice_platform.local.aws import LocalAws, running_local_aws


@contextmanager
def environment_of(local: LocalAws, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalAws]:
    """Within a test every SDK, and every process it starts, finds the local AWS."""
    with monkeypatch.context() as patched:
        for name, value in local.environment.items():
            patched.setenv(name, value)
        yield local


@pytest.fixture(scope="session")
def running_aws() -> Iterator[LocalAws]:
    """The server; its accounts are empty until `local_aws` or `empty_aws` asks for them."""
    with running_local_aws(seeded=False) as local:
        yield local


@pytest.fixture
def local_aws(running_aws: LocalAws, world_of_its_own: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalAws]:
    """The accounts as docs/local_aws.md tells them; the environment points to it."""
    running_aws.reset()
    with environment_of(running_aws, monkeypatch) as local:
        yield local


@pytest.fixture
def empty_aws(running_aws: LocalAws, world_of_its_own: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalAws]:
    """The same with nothing in the accounts."""
    running_aws.reset(seeded=False)
    with environment_of(running_aws, monkeypatch) as local:
        yield local
