"""What people read after a sweep, and the table that goes along."""

import csv
import io
from dataclasses import replace
from datetime import date, timedelta

from slice_platform.ops.custodian.digest import digest_of
from slice_platform.ops.custodian.exceptions import PolicyException
from slice_platform_tests.ops.custodian.reports import NOON, PUBLIC_IN_PROD, UNTAGGED_IN_PROD, look, report_of

EXPIRED = PolicyException(policy="public", resource="c", owner="web", until=date(2026, 3, 1), reason="a site")


def test_new_fixed_and_still_open_are_told_in_this_order() -> None:
    first = report_of(look(PUBLIC_IN_PROD, "ab"))
    told = digest_of(report_of(look(PUBLIC_IN_PROD, "bc"), before=first, at=NOON + timedelta(days=1)))
    assert told.heading == "Cloud Custodian: 1 new, 1 fixed, 1 still open"
    assert told.text.splitlines() == [
        "New: 1 (1 high)",
        "  high public: c in prod (222222222222), global",
        "Fixed: 1 (1 high)",
        "  high public: a in prod (222222222222), global",
        "Still open: 1 (1 high)",
    ]


def test_a_sweep_that_found_nothing_is_not_worth_telling() -> None:
    assert not digest_of(report_of(look(PUBLIC_IN_PROD))).is_worth_telling


def test_a_flood_is_cut_and_the_table_has_all_of_it() -> None:
    told = digest_of(report_of(look(PUBLIC_IN_PROD, [f"{n:03}" for n in range(200)])))
    assert "  and 185 more, in the table" in told.text.splitlines()
    assert len(list(csv.DictReader(io.StringIO(told.table)))) == 200


def test_problems_and_expired_exceptions_are_told() -> None:
    failing = look(UNTAGGED_IN_PROD, error="AccessDenied")
    told = digest_of(report_of(look(PUBLIC_IN_PROD, "c"), failing, exceptions=[EXPIRED]), ["Security Hub said no"])
    assert told.heading.endswith("1 new, 0 fixed, 0 still open, 2 problems")
    assert "Expired exception, which hides nothing any more: public for c, by web until 2026-03-01" in told.text
    assert "Problem: prod was not looked at by untagged in global: AccessDenied" in told.text
    assert told.text.endswith("Problem: Security Hub said no")


def test_the_table_says_how_each_finding_stands_and_computes_nothing() -> None:
    excuse = replace_until(EXPIRED, date(2026, 4, 1))
    report = report_of(look(PUBLIC_IN_PROD, ["=HYPERLINK(1)", "c"]), exceptions=[excuse])
    formula, excepted = csv.DictReader(io.StringIO(digest_of(report).table))
    assert (formula["standing"], formula["resource_id"], formula["open_since"]) == (
        "new",
        "'=HYPERLINK(1)",
        "2026-03-10",
    )
    assert (excepted["standing"], excepted["exception_owner"], excepted["open_since"]) == ("excepted", "web", "")


def test_the_same_sweep_gives_the_same_digest() -> None:
    report = report_of(look(PUBLIC_IN_PROD, "ab"))
    assert digest_of(report) == digest_of(replace(report))


def replace_until(one: PolicyException, until: date) -> PolicyException:
    return one.model_copy(update={"until": until})
