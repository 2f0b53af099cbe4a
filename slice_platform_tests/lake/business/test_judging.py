"""The checks of a business table: what fails them is told so that a person can mend it."""

import re
from pathlib import Path

import pytest

from slice_platform.errors import SettingsError
from slice_platform.lake.business.build import Build, refresh
from slice_platform.lake.business.judging import check_names
from slice_platform.lake.lake import Lake
from slice_platform_tests.conftest import MakeLake
from slice_platform_tests.lake.business.models import DAILY, ModelText, land, trip, write_models
from slice_platform_tests.samples import TRIPS, DatasetText, changed

WHERE = "from curated.trips where started_at >= $partition_start and started_at < $partition_end"
RIDERS = DatasetText(
    TRIPS.contract + "      - {name: rider, logicalType: string, classification: confidential}\n", TRIPS.defs
)


def refreshed(
    make_lake: MakeLake, home: Path, sql: str, *, key: str = "[id]", more: str = "", **settings: object
) -> Build:
    """What became of 2013-01-05, which has the trips a and b; both are of one rider."""
    write_models(home, {"daily": ModelText(f"{sql}\n", changed(DAILY.defs, "key: [day]", f"key: {key}") + more)})
    lake = make_lake({"trips": RIDERS}, home=home, **settings)
    ann = ', "rider": "annabella"}'
    land(lake, "a.jsonl", *(trip("2013-01-05", name, 3).replace("}", ann) for name in ("a", "b")))
    (done,) = refresh(lake, lake.business["daily"])
    return done


def refusal(done: Build) -> str:
    (one,) = done.partitions
    assert one.refusal is not None
    return one.refusal


def test_what_passes_is_told_check_by_check(make_lake: MakeLake, tmp_path: Path) -> None:
    checks = "  checks: [{name: some, metric: rowCount, mustBeGreaterThan: 5, severity: warning}]\n"
    done = refreshed(make_lake, tmp_path, f"select id, started_at::date as day {WHERE}", more=checks)
    (one,) = done.partitions
    assert [(verdict.check, verdict.passed) for verdict in one.verdicts] == [
        ("model_runs", True),
        ("rows_in_partition", True),
        ("unique_key", True),
        ("some", False),
    ]
    assert one.refusal is None  # it only warns
    assert one.rows == 2


@pytest.mark.parametrize(
    ("day", "says"),
    [
        ("date '2013-01-06'", "2 rows are not of partition 2013-01-05: day is '2013-01-06'. Let model.sql select by"),
        ("null::date", "2 rows are not of partition 2013-01-05: day is NULL"),
    ],
)
def test_rows_of_another_partition_are_refused(make_lake: MakeLake, tmp_path: Path, day: str, says: str) -> None:
    """They would be there twice, or stay for ever."""
    assert says in refusal(refreshed(make_lake, tmp_path, f"select id, {day} as day {WHERE}"))


def test_a_key_that_is_there_twice_is_told_with_its_values(make_lake: MakeLake, tmp_path: Path) -> None:
    done = refreshed(make_lake, tmp_path, f"select distance, started_at::date as day {WHERE}", key="[distance, day]")
    assert "distance, day occurs more than once: (3, 2013-01-05) 2 times. Group or deduplicate" in refusal(done)


def test_a_row_without_its_key_is_refused(make_lake: MakeLake, tmp_path: Path) -> None:
    sql = f"select nullif(id, 'a') as id, started_at::date as day {WHERE}"
    assert "1 rows have no id. Leave them out" in refusal(refreshed(make_lake, tmp_path, sql))


def test_a_key_of_personal_data_is_told_without_its_values(make_lake: MakeLake, tmp_path: Path) -> None:
    sql, allowed = f"select rider, started_at::date as day {WHERE}", "  personal: {rider: {allow: they are billed}}\n"
    told = refusal(refreshed(make_lake, tmp_path, sql, key="[rider]", more=allowed))
    assert "rider occurs more than once" in told
    assert "annabella" not in told


def test_a_model_that_fails_on_the_data_is_told_with_its_partition_and_changes_nothing(
    make_lake: MakeLake, tmp_path: Path
) -> None:
    told = refusal(refreshed(make_lake, tmp_path, f"select id::integer as id, started_at::date as day {WHERE}"))
    assert re.search(r"(?s)model_runs: .*partition 2013-01-05: .*model\.sql fails on the data.*try_cast", told)


def test_a_model_that_fails_on_personal_data_is_told_without_it(make_lake: MakeLake, tmp_path: Path) -> None:
    sql, hashed = f"select rider::integer as id, started_at::date as day {WHERE}", "  personal: {id: hash}\n"
    told = refusal(refreshed(make_lake, tmp_path, sql, key="[]", more=hashed, personal_hash_key="k" * 64))
    assert "annabella" not in told and "is kept back" in told


def test_a_hash_without_a_key_is_told_with_what_to_do(make_lake: MakeLake, tmp_path: Path) -> None:
    sql, hashed = f"select rider, id, started_at::date as day {WHERE}", "  personal: {rider: hash}\n"
    with pytest.raises(SettingsError, match=r"SLICE_PERSONAL_HASH_KEY is not set\. Make a key once"):
        refreshed(make_lake, tmp_path, sql, more=hashed)


def test_the_checks_are_known_before_they_run(make_lake: MakeLake, tmp_path: Path) -> None:
    write_models(tmp_path)
    lake: Lake = make_lake()
    assert [name for name, *_ in check_names(lake.business["daily"])] == [
        "model_runs",
        "rows_in_partition",
        "unique_key",
    ]
    assert [name for name, *_ in check_names(lake.business["totals"])] == ["model_runs"]
