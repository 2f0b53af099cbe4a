"""Whatever fails at whichever call of AWS: who comes after brings the account to its end, and never builds twice."""

import random

import pytest

from slice_platform.errors import ReleaseFailed, SliceError
from slice_platform.ops.ami.releases import ReleaseState
from slice_platform_tests.crashes import SimulatedCrash
from slice_platform_tests.forked import killed
from slice_platform_tests.ops.ami.aws_faults import Fault, Faults, faulty
from slice_platform_tests.ops.ami.planted import COMMIT, Shop
from slice_platform_tests.ops.ami.walker import Walker

FAULTS: tuple[Fault, ...] = ("throttled", "refused", "timed out", "answer lost", "killed before", "killed after")
LEAST_CALLS = 40  # that a release makes, of ours alone
MOST_ATTEMPTS = 200
KILLS = 12


def attempt(shop: Shop, commit: str, faults: Faults) -> bool:
    """One release that meets a fault, or none is left for it; whether it ended without any error."""
    faults.begin()
    with faulty(shop.account.access, faults):
        try:
            shop.release(commit)
        except (SliceError, SimulatedCrash):
            return False
    return True


def commits_until_none_is_met(shop: Shop, faults: Faults) -> list[str]:
    """One commit after the other is released, each as often as it takes, until one meets no fault any more."""
    commits, met = [f"{1:040d}"], 0
    for _ in range(MOST_ATTEMPTS):
        if attempt(shop, commits[-1], faults):
            if len(faults.met) == met:
                return commits
            met = len(faults.met)
            commits.append(f"{len(commits) + 1:040d}")
    pytest.fail(f"{MOST_ATTEMPTS} releases did not succeed: {shop.known(commits[-1])}, {sorted(faults.met)}")


@pytest.mark.parametrize("fault", FAULTS)
def test_a_release_that_meets_a_fault_at_each_of_its_calls_succeeds_in_the_end(shop: Shop, fault: Fault) -> None:
    faults = Faults(fault)
    commits = commits_until_none_is_met(shop, faults)
    assert len(faults.met) >= LEAST_CALLS
    assert shop.known(commits[-1]).state is ReleaseState.DONE
    (image,) = shop.images(commit=commits[-1])
    assert shop.running() == {image["ImageId"]}
    Walker(shop.local).prove(most_images=3)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_rollback_that_meets_a_fault_at_each_of_its_calls_succeeds_in_the_end(shop: Shop, fault: Fault) -> None:
    before, faults = shop.running(), Faults(fault)
    shop.have_refresh("fail-at-50")
    with pytest.raises(ReleaseFailed):
        shop.release()
    assert shop.known().state is ReleaseState.ROLLING_BACK
    shop.have_refresh("succeed")
    while shop.known().state is ReleaseState.ROLLING_BACK:
        assert len(faults.met) < MOST_ATTEMPTS
        attempt(shop, COMMIT, faults)
    assert shop.known().state is ReleaseState.ROLLED_BACK
    assert faults.met
    assert shop.running() == before
    Walker(shop.local).prove()


def _release(shop: Shop) -> None:
    shop.release()


def test_a_release_that_is_killed_again_and_again_succeeds_in_the_end(shop: Shop) -> None:
    """With kill -9, at any moment: in the middle of packer's work, of a test, of a refresh."""
    chosen = random.Random(20261125)
    deaths = sum(killed(lambda: _release(shop), chosen.random() * 1.2) for _ in range(KILLS))
    assert deaths
    shop.release()
    assert shop.known().state is ReleaseState.DONE
    (image,) = shop.images(commit=COMMIT)
    assert shop.running() == {image["ImageId"]}
    Walker(shop.local).prove(most_images=3)
