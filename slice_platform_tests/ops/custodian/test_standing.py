"""What is new, fixed and still open from sweep to sweep; what was not looked at is none of them."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta

from slice_platform.ops.custodian.exceptions import Exceptions, PolicyException
from slice_platform.ops.custodian.findings import Finding, FindingKey, Look, Scope
from slice_platform.ops.custodian.policies import Severity
from slice_platform.ops.custodian.standing import Diff, Standing, Status, compared

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
DAY = timedelta(days=1)
SCOPE = Scope("public", "222222222222", "global")
NONE = Exceptions((), NOON.date())


def look(*buckets: str, error: str | None = None, scope: Scope = SCOPE) -> Look:
    found = tuple(
        Finding(FindingKey(*scope, bucket), "prod", Severity.HIGH, "aws.s3", bucket, None, "{}", "{}")
        for bucket in buckets
    )
    return Look(scope, "prod", Severity.HIGH, "aws.s3", found, error)


def after(before: Diff, one: Look, at: datetime, exceptions: Exceptions = NONE) -> Diff:
    return compared(before.all(), [one], {SCOPE}, exceptions, at)


def names(standings: Iterable[Standing]) -> list[str]:
    return [one.key.resource_id for one in standings]


def excused(until: date) -> Exceptions:
    one = PolicyException(policy="public", resource="a", owner="ann", until=until, reason="a web site")
    return Exceptions((one,), NOON.date())


def test_two_sweeps_are_told_apart_by_new_fixed_and_still_open() -> None:
    first = after(Diff(), look("a", "b"), NOON)
    assert (names(first.new), first.fixed, first.still_open) == (["a", "b"], (), ())
    second = after(first, look("b", "c"), NOON + DAY)
    assert (names(second.new), names(second.fixed), names(second.still_open)) == (["c"], ["a"], ["b"])
    (fixed,), (open_still,) = second.fixed, second.still_open
    assert (fixed.status, fixed.opened_at, fixed.closed_at) == (Status.CLOSED, NOON, NOON + DAY)
    assert (open_still.opened_at, open_still.seen_at) == (NOON, NOON + DAY)


def test_what_could_not_be_looked_at_does_not_look_fixed() -> None:
    first = after(Diff(), look("a"), NOON)
    second = after(first, look(error="AccessDenied"), NOON + DAY)
    assert (names(second.not_looked_at), second.fixed) == (["a"], ())
    third = after(second, look("a"), NOON + 2 * DAY)
    assert names(third.still_open) == ["a"] and third.still_open[0].opened_at == NOON


def test_a_sweep_of_another_policy_leaves_it_as_it_stood() -> None:
    first = after(Diff(), look("a"), NOON)
    other = Scope("untagged", "222222222222", "global")
    second = compared(first.all(), [look(scope=other)], {SCOPE, other}, NONE, NOON + DAY)
    assert names(second.not_looked_at) == ["a"]


def test_findings_of_a_policy_that_was_taken_out_are_closed() -> None:
    first = after(Diff(), look("a"), NOON)
    second = compared(first.all(), [], set(), NONE, NOON + DAY)
    assert names(second.fixed) == ["a"]


def test_what_comes_back_another_day_is_new_and_on_the_same_day_was_never_gone() -> None:
    first = after(Diff(), look("a"), NOON - DAY)
    gone = after(first, look(), NOON)
    (same_day,) = after(gone, look("a"), NOON + timedelta(hours=1)).new
    assert (same_day.opened_at, same_day.closed_at) == (NOON - DAY, None)
    (next_day,) = after(gone, look("a"), NOON + DAY).new
    assert (next_day.opened_at, next_day.closed_at) == (NOON + DAY, None)


def test_an_exception_takes_a_finding_out_and_gives_it_back_when_it_has_expired() -> None:
    first = after(Diff(), look("a"), NOON)
    second = after(first, look("a"), NOON + DAY, excused(until=NOON.date()))
    (excepted,) = second.excepted
    assert (second.still_open, second.fixed) == ((), ())
    assert (excepted.exception_owner, excepted.closed_at) == ("ann", NOON + DAY)
    third = after(second, look("a"), NOON + 2 * DAY, excused(until=NOON.date() - DAY))
    (back,) = third.new
    assert (back.opened_at, back.closed_at, back.exception_owner) == (NOON + 2 * DAY, None, None)


def test_a_finding_that_was_excepted_from_the_first_was_never_open() -> None:
    first = after(Diff(), look("a"), NOON, excused(until=NOON.date()))
    assert first.excepted[0].opened_at is None and first.new == ()
    second = after(first, look(), NOON + DAY)
    assert second.fixed[0].status is Status.CLOSED and second.fixed[0].closed_at is None


def test_closed_findings_are_kept_for_a_week() -> None:
    closed = after(after(Diff(), look("a"), NOON), look(), NOON)
    assert names(after(closed, look(), NOON + 6 * DAY).closed_before) == ["a"]
    assert list(after(closed, look(), NOON + 7 * DAY).all()) == []


def test_open_of_today_is_open_of_yesterday_and_opened_less_closed() -> None:
    """What the business table counts by: whatever happens on a day, the three agree."""
    days = [["a", "b"], ["b"], ["a", "b", "c"], [], ["c"], ["a", "c"]]
    stands, open_before = Diff(), 0
    for number, buckets in enumerate(days):
        at = NOON + number * DAY
        for seen in (buckets, [*buckets, "flapping"], buckets):  # three sweeps a day
            stands = after(stands, look(*seen), at)
        known = [one for one in stands.all() if one.since.date() == at.date() or one.status is not Status.CLOSED]
        opened = sum(one.opened_at is not None and one.opened_at.date() == at.date() for one in known)
        closed = sum(one.closed_at is not None and one.closed_at.date() == at.date() for one in known)
        open_now = sum(one.status is Status.OPEN for one in known)
        assert open_now == len(buckets) == open_before + opened - closed
        open_before = open_now
