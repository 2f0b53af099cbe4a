"""Key, order and partition: what is asked for wins and is checked; else the sample and the names are asked."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from slice_platform.errors import PermanentError
from slice_platform_tests.lake.sampling.proposing import as_csv, as_jsonl, column, from_column, proposed

Rows = list[list[str]]


def hours(count: int, *, per_day: int = 24) -> list[str]:
    days, rest = divmod(count, per_day)
    at = [(day, n) for day in range(days + bool(rest)) for n in range(per_day)][:count]
    return [
        datetime(2024 + d // 360, d // 30 % 12 + 1, d % 28 + 1, n % 24, n % 60, tzinfo=UTC).isoformat() for d, n in at
    ]


def decided(folder: Path, names: str, rows: Rows, **request: Any) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
    draft = proposed(folder, ("s.csv", as_csv([names.split(), *rows])), **request).draft
    return draft.mode, draft.key.columns, draft.order_by


def test_the_column_that_is_named_after_the_dataset_is_the_key(tmp_path: Path) -> None:
    rows = [[f"c{n}", f"o{n}", str(n), f"2026-01-0{n}"] for n in range(1, 6)]
    assert decided(tmp_path, "customer_id order_id n updated_at", rows) == ("merge", ("order_id",), ("updated_at",))


@pytest.mark.parametrize("name", ["id", "uuid", "ID", "orderId", "order-key", "ordernr_number", "sku"])
def test_a_name_that_says_id_makes_a_key_even_of_few_rows(name: str, tmp_path: Path) -> None:
    assert decided(tmp_path, f"x {name}", [["a", "1"], ["a", "2"]])[1] == (name,)


def test_of_few_rows_nothing_but_a_name_makes_a_key(tmp_path: Path) -> None:
    assert decided(tmp_path, "status amount", [["open", "1"], ["paid", "2"]]) == ("append", (), ())


def test_few_columns_together_are_the_key_where_none_is_alone(tmp_path: Path) -> None:
    rows = [[place, f"2026-01-{day:02d}", str(day % 7), "x"] for place in ("EWR", "JFK", "LGA") for day in range(1, 29)]
    assert decided(tmp_path, "origin day temp note", rows)[1] == ("origin", "day")


def test_a_column_with_a_gap_is_no_key(tmp_path: Path) -> None:
    assert decided(tmp_path, "a id", [["x", "1"], ["x", ""], ["x", "3"]])[:2] == ("append", ())


def test_instants_that_are_spelled_differently_are_one_key(tmp_path: Path) -> None:
    """The text differs, the value does not: merge would hide one of the rows."""
    rows = [["x", f"2026-01-{n:02d}T10:00:00Z"] for n in range(1, 29)] * 2
    rows = [[a, t if i < 28 else t.replace("T10:00:00Z", "T12:00:00+02:00")] for i, (a, t) in enumerate(rows)]
    found = proposed(tmp_path, ("s.csv", as_csv([["a", "seen_at"], *rows])))
    assert found.draft.mode == "append" and found.proof.duplicates == 0


def test_the_key_that_is_asked_for_wins(tmp_path: Path) -> None:
    rows = [[str(n), f"e{n}"] for n in range(5)]
    assert decided(tmp_path, "id email", rows, key=("email",))[1] == ("email",)


def test_what_repeats_in_a_key_that_is_asked_for_is_told(tmp_path: Path) -> None:
    rows = [["A1", "1"], ["A1", "2"], ["A1", "3"], ["B2", "4"]]
    found = proposed(tmp_path, ("s.csv", as_csv([["code", "version"], *rows])), key=("code",))
    assert found.draft.key.why == "as asked; it repeats: 'A1' 3 times"
    assert (found.proof.duplicates, found.draft.order_by) == (2, ("version",))


@pytest.mark.parametrize(
    ("request_", "says"),
    [
        ({"key": ("b",)}, "1 of 2 rows have no value there"),
        ({"key": ("ID",)}, "no such column. It has: id"),
        ({"key": ("deep",)}, "it is an object"),
        ({"partition": "id"}, "it is integer, not a date or timestamp"),
        ({"partition": "day:week"}, "not 'week'"),
        ({"partition": "day:hour"}, "no hours"),
        ({"partition": "gap"}, "1 of 2 rows have no value there"),
        ({"rows": 0}, "expected 1 or more"),
    ],
)  # fmt: skip
def test_what_cannot_be_as_asked_is_refused(request_: dict[str, Any], says: str, tmp_path: Path) -> None:
    first = {"id": 1, "b": "x", "deep": {"a": 1}, "day": "2026-01-01", "gap": "2026-01-01"}
    second = {"id": 2, "b": None, "deep": {"a": 1}, "day": "2026-01-01"}
    with pytest.raises(PermanentError, match=says):
        proposed(tmp_path, ("s.jsonl", as_jsonl([first, second])), **request_)


def test_rows_are_divided_by_when_they_happened_not_by_when_they_changed(tmp_path: Path) -> None:
    rows = [[str(n), "2026-05-01", "2026-03-01", "1990-01-01"] for n in range(5)]
    found = proposed(tmp_path, ("s.csv", as_csv([["id", "updated_at", "ordered_on", "birth_date"], *rows])))
    assert found.draft.partition is not None and found.draft.partition.column == "ordered_on"
    assert f"{found.draft.partition.start:%Y-%m-%d}" == "2026-01-01"


@pytest.mark.parametrize(("per_day", "grain"), [(1, "year"), (60, "month"), (6000, "day")])
def test_the_more_rows_a_day_the_finer_the_partitions(per_day: int, grain: str, tmp_path: Path) -> None:
    found = proposed(tmp_path, ("s.csv", as_csv([["event_time"], *([t] for t in hours(per_day * 3, per_day=per_day))])))
    assert found.draft.partition is not None and found.draft.partition.grain == grain


@pytest.mark.parametrize(
    ("asked", "expected"), [("b:hour", ("b", "hour")), ("b", ("b", "year")), ("b:day", ("b", "day")), ("none", None)]
)
def test_the_partition_that_is_asked_for_wins(asked: str, expected: object, tmp_path: Path) -> None:
    rows = [["2026-01-01T00:00:00", "2025-02-01T00:00:00"]] * 3
    found = proposed(tmp_path, ("s.csv", as_csv([["event_time", "b"], *rows])), partition=asked).draft.partition
    assert (found and (found.column, found.grain)) == expected


def test_a_column_with_a_gap_divides_nothing(tmp_path: Path) -> None:
    found = proposed(tmp_path, ("s.csv", as_csv([["x", "event_time"], ["1", "2026-01-01"], ["2", ""]])))
    assert found.draft.partition is None


def test_a_spelling_of_nothing_counts_where_a_column_is_narrower_without_it(tmp_path: Path) -> None:
    rows = [["n", "region"], ["1", "NA"], ["NA", "EU"], ["3", "?"]]
    found = proposed(tmp_path, ("s.csv", as_csv(rows)))
    assert found.draft.files[0].null_values == ("NA",)
    assert column(found, "n").type.kind == "integer"
    assert "apart from it n is no text" in found.defs


def test_a_spelling_of_nothing_among_words_may_be_a_word(tmp_path: Path) -> None:
    found = proposed(tmp_path, ("s.csv", as_csv([["region", "id"], ["NA", "1"], ["EU", "2"]])))
    assert found.draft.files[0].null_values == () and column(found, "region").is_required


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("email", "x", "an e-mail address"), ("contact", "a@b.de", "an e-mail address"), ("ip_address", "x", "an IP"),
        ("first name", "x", "a person's name"), ("customerName", "x", "a person's name"), ("ssn", "1", "an identity"),
        ("phone", "1", "a phone number"), ("street", "x", "an address"),
    ],
)  # fmt: skip
def test_what_may_be_about_a_person_gets_a_classification_to_confirm(
    name: str, value: str, says: str, tmp_path: Path
) -> None:
    found = from_column(tmp_path, name, [value] * 3)
    assert found.personal is not None and found.personal.startswith(says)


def test_few_values_are_proposed_as_an_enum_but_not_enforced(tmp_path: Path) -> None:
    rows = [["status"], *([["open"], ["it's: paid"]] * 60)]
    found = proposed(tmp_path, ("s.csv", as_csv(rows)))
    assert '# enum: [{value: "it\'s: paid"}, {value: open}]  # guess: no other value in 120 rows' in found.contract
