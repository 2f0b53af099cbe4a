"""The local AWS for tests: one server in each process of them, with fresh accounts for each test.

State belongs to the process, and `cloud.py` serves the same moto: no test may use `local_aws` and `cloud` at once.
"""

from collections.abc import Iterator

import pytest

from slice_platform.local.aws import LocalAws, running_local_aws


@pytest.fixture(scope="session")
def running_aws() -> Iterator[LocalAws]:
    """The server; its accounts are empty until `local_aws` or `empty_aws` asks for them."""
    with running_local_aws(seeded=False) as local:
        yield local


@pytest.fixture
def empty_aws(running_aws: LocalAws, world_of_its_own: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalAws]:
    """Nothing lies in the accounts. Every SDK, and every process that the test starts, finds them."""
    for name, value in running_aws.environment.items():
        monkeypatch.setenv(name, value)
    running_aws.reset(seeded=False)
    yield running_aws
    running_aws.reset(seeded=False)  # `cloud` may be next


@pytest.fixture
def local_aws(empty_aws: LocalAws) -> LocalAws:
    """The same with the accounts as docs/local_aws.md tells them."""
    empty_aws.reset()
    return empty_aws
