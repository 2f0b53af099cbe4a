"""A sweep as rows: the whole of what is known, so that the last file of a day is the day."""

import json
from datetime import date, timedelta
from pathlib import Path

from slice_platform.ops.custodian.exceptions import PolicyException
from slice_platform.ops.custodian.rows import rows_of, write_rows
from slice_platform.ops.custodian.sweep import SweepReport
from slice_platform.store import Store
from slice_platform_tests.ops.custodian.reports import NOON, PUBLIC_IN_PROD, UNTAGGED_IN_PROD, look, report_of


def statuses(report: SweepReport) -> dict[tuple[str, str], str]:
    return {(str(row["policy"]), str(row["resource_id"])): str(row["status"]) for row in rows_of(report)}


def test_there_is_a_row_for_each_finding_and_one_for_each_look() -> None:
    report = report_of(look(PUBLIC_IN_PROD, "ab"), look(UNTAGGED_IN_PROD))
    assert statuses(report) == {
        ("public", "-"): "found", ("public", "a"): "open", ("public", "b"): "open", ("untagged", "-"): "clean",
    }  # fmt: skip


def test_a_day_on_which_nothing_was_found_has_its_rows() -> None:
    (row,) = rows_of(report_of(look(PUBLIC_IN_PROD)))
    assert (row["day"], row["status"], row["found"]) == ("2026-03-10", "clean", 0)
    assert row["seen_at"] == "2026-03-10T12:00:00.000000Z"


def test_what_could_not_be_looked_at_says_so_and_its_findings_stand() -> None:
    first = report_of(look(PUBLIC_IN_PROD, "a"))
    second = report_of(look(PUBLIC_IN_PROD, error="AccessDenied"), before=first, at=NOON + timedelta(days=1))
    failed, open_still = rows_of(second)
    assert (failed["status"], failed["error"], failed["found"]) == ("failed", "AccessDenied", 1)
    assert (open_still["status"], open_still["day"]) == ("open", "2026-03-11")
    assert open_still["seen_at"] == failed["seen_at"] == "2026-03-10T12:00:00.000000Z"


def test_the_file_of_a_sweep_of_one_policy_holds_the_others_as_well() -> None:
    first = report_of(look(PUBLIC_IN_PROD, "a"), look(UNTAGGED_IN_PROD, "b"))
    second = report_of(look(PUBLIC_IN_PROD), before=first, at=NOON + timedelta(hours=1))
    assert statuses(second) == {
        ("public", "-"): "clean", ("public", "a"): "closed", ("untagged", "-"): "found", ("untagged", "b"): "open",
    }  # fmt: skip


def test_what_was_closed_on_an_earlier_day_is_not_told_again() -> None:
    first = report_of(look(PUBLIC_IN_PROD, "a"))
    second = report_of(look(PUBLIC_IN_PROD), before=first, at=NOON + timedelta(days=1))
    third = report_of(look(PUBLIC_IN_PROD), before=second, at=NOON + timedelta(days=2))
    assert statuses(second)["public", "a"] == "closed"
    assert statuses(third) == {("public", "-"): "clean"}


def test_an_excepted_finding_names_its_owner_and_last_day() -> None:
    excuse = PolicyException(policy="public", resource="a", owner="web", until=date(2026, 4, 1), reason="a site")
    _, row = rows_of(report_of(look(PUBLIC_IN_PROD, "a"), exceptions=[excuse]))
    assert (row["status"], row["exception_owner"], row["exception_until"]) == ("excepted", "web", "2026-04-01")


def test_the_file_is_json_lines_named_after_its_sweep(tmp_path: Path) -> None:
    report = report_of(look(PUBLIC_IN_PROD, "ab"))
    key = write_rows(report, Store(str(tmp_path)), "landing/custodian_findings/")
    assert key == "landing/custodian_findings/sweep_20260310T120000.jsonl"
    assert [json.loads(line) for line in (tmp_path / key).read_text().splitlines()] == list(rows_of(report))
