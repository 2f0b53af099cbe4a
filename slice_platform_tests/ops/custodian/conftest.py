"""Accounts on the loopback with things planted in them, and whoever sweeps them."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

import pytest

from slice_platform.aws import AwsAccess
from slice_platform.ops.custodian.runner import CustodianProcess
from slice_platform.ops.custodian.state import open_state
from slice_platform.ops.custodian.sweep import Sweeper
from slice_platform.ops.journal import open_journal
from slice_platform.settings import load_settings
from slice_platform_tests.cloud import CREDENTIALS
from slice_platform_tests.ops.custodian.aws_accounts import Accounts, running_accounts
from slice_platform_tests.ops.custodian.paper import PaperCustodian
from slice_platform_tests.tools import require_package


@pytest.fixture(scope="module")
def accounts() -> Iterator[Accounts]:
    """Served for a whole module: to ask c7n takes seconds."""
    require_package("c7n", "custodian")
    with running_accounts() as started:
        yield started


@pytest.fixture
def credentials(monkeypatch: pytest.MonkeyPatch, world_of_its_own: None) -> None:
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def custodian(accounts: Accounts, credentials: None) -> CustodianProcess:
    """The real one. Where moto cannot answer it is not asked again."""
    return CustodianProcess(AwsAccess(endpoint_url=accounts.url, attempts=1), timeout_seconds=60)


class SweeperOf(Protocol):
    """Sweepers that share one memory."""

    def __call__(self, custodian: PaperCustodian | CustodianProcess) -> Sweeper: ...


@pytest.fixture
def sweeper_of(tmp_path: Path) -> Iterator[SweeperOf]:
    require_package("c7n", "custodian")
    settings = load_settings(home=tmp_path, lock_timeout_seconds=0)
    with ExitStack() as opened:
        state, journal = opened.enter_context(open_state(settings)), opened.enter_context(open_journal(settings))
        yield lambda custodian: Sweeper(custodian, state, journal)
