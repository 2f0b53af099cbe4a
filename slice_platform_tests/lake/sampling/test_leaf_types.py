"""Types concluded from CSV text: as narrow as the reader agrees to, and never at the cost of a value."""

from pathlib import Path

import pytest

from slice_platform_tests.lake.sampling.proposing import as_jsonl, column, from_column, proposed, spelling

ZONED = "timestamp timezone=true"
CASES = {
    "integer": (["1", "-20", ""], "integer"),
    "number": (["1", "2.5", "1e3"], "number"),
    "cents": (["1.00", "19.90", "-3.25"], "number decimal(18,2)"),
    "not_cents": (["1.0", "19.905", "3.2"], "number"),
    "boolean": (["true", "False", ""], "boolean"),
    "yes_no": (["yes", "no", "no"], "boolean"),
    "north": (["N", "N", "N"], "string"),
    "zero_one": (["0", "1", "1"], "integer"),
    "zip": (["02139", "10115"], "string"),
    "phone_by_name": (["2025550101", "2025550102"], "string"),
    "international": (["+4930123", "+4930124"], "string"),
    "beyond_64_bits": (["9223372036854775808", "1"], "number decimal(38,0)"),
    "beyond_all_numbers": (["1" * 45, "1"], "string"),
    "date": (["2026-03-01", ""], "date"),
    "no_such_day": (["2026-02-30", "2026-03-01", "2026-03-02"], "string"),
    "german_date": (["01.03.2026", "28.02.2026"], "date format=dd.MM.yyyy"),
    "american_date": (["03/01/2026", "02/28/2026"], "date format=MM/dd/yyyy"),
    "british_date": (["01/03/2026", "28/02/2026"], "date format=dd/MM/yyyy"),
    "short_date": (["1.3.2026", "28.2.2026"], "date format=d.M.yyyy"),
    "month_name": (["1 Mar 2026", "28 Feb 2026"], "date format=d MMM yyyy"),
    "eight_digit_date": (["20260301", "20260228"], "date format=yyyyMMdd"),
    "eight_digits": (["20260301", "20260228"], "integer"),
    "local": (["2026-03-01 10:00:00", "2026-03-01T10:00"], "timestamp"),
    "instant": (["2026-03-01T10:00:00Z", "2026-03-01T10:00:00.5+02:00"], ZONED),
    "mixed_zones": (["2026-03-01T10:00:00Z", "2026-03-01T10:00:00"], ZONED),
    "american_time": (["02/28/2026 10:00:00 PM", "03/01/2026 01:30:00 AM"], "timestamp format=MM/dd/yyyy hh:mm:ss a"),
    "apache": (["01/Mar/2026:10:00:00 +0100"], "timestamp format=dd/MMM/yyyy:HH:mm:ss XX timezone=true"),
    "clock": (["10:00", "23:59:59"], "time"),
    "words": (["a", "b"], "string"),
    "european": (["19,90", "3,50"], "string"),
    "dollars": (["$19.90", "$3.50"], "string"),
    "infinity": (["1.5", "inf"], "string"),
    "padded": ([" 1", "2"], "string"),
    "nothing": (["", ""], "string"),
}


@pytest.mark.parametrize("name", CASES)
def test_a_csv_column_becomes(name: str, tmp_path: Path) -> None:
    values, expected = CASES[name]
    assert spelling(from_column(tmp_path, name, values)) == expected


def test_a_date_that_two_formats_read_differently_stays_text_until_someone_says_which(tmp_path: Path) -> None:
    guess = from_column(tmp_path, "sold", ["03/04/2026", "05/06/2026"])
    assert spelling(guess) == "string"
    assert "dd/MM/yyyy or MM/dd/yyyy" in guess.doubts[0]


def test_what_keeps_a_column_from_being_narrower_is_told(tmp_path: Path) -> None:
    guess = from_column(tmp_path, "count", [*map(str, range(99)), "soon"])
    assert spelling(guess) == "string"
    assert guess.doubts == ("text, because 1 of 100 values, such as 'soon', are no integer",)


def test_a_value_that_comes_late_counts_as_much_as_the_first(tmp_path: Path) -> None:
    assert spelling(from_column(tmp_path, "n", [*map(str, range(3000)), "x1"])) == "string"
    assert spelling(from_column(tmp_path, "n", [*map(str, range(3000)), "0.5"])) == "number"


def test_the_leading_zero_is_shown_but_not_of_a_person(tmp_path: Path) -> None:
    assert "such as '02139'" in from_column(tmp_path, "zip", ["02139"]).notes[0]
    assert "02139" not in str(from_column(tmp_path, "card number", ["02139"]).notes)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1, "integer"), (1.5, "number"), (True, "boolean"), (2**64, "number decimal(38,0)"), (1500.0, "number"),
        ("17", "string"), ("19.90", "number decimal(18,2)"), ("2026-03-01", "date"), ("true", "boolean"),
        ("2026-03-01T10:00:00Z", ZONED), ("", "string"), ("02139", "string"), ({}, "string"), ([], "string"),
        (None, "string"),
    ],
)  # fmt: skip
def test_a_json_value_becomes(value: object, expected: str, tmp_path: Path) -> None:
    found = proposed(tmp_path, ("s.jsonl", as_jsonl([{"row_id": n, "x": value} for n in range(3)])))
    assert spelling(column(found, "x")) == expected
    assert found.proof.rejected == 0
