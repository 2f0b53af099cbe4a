"""A header agreed with a supplier: every file has it to the letter, or is set aside with a readable difference."""

import json
from pathlib import Path
from typing import Any

import pytest

from slice_platform.lake.dataset import dataset_of
from slice_platform.lake.header_sample import AgreedHeader, difference
from slice_platform.lake.rejects import folder_of
from slice_platform.records import FileStatus
from slice_platform_tests.conftest import MakeLake
from slice_platform_tests.lake.feeds import ID, N, deliver, fate_of, feed
from slice_platform_tests.lake.test_reader_parquet import parquet
from slice_platform_tests.refusals import refused
from slice_platform_tests.samples import TRIPS, DatasetText, changed, drop

AGREED = ("id", "first_name", "Email", "phone_no", "city", "zip", "state")


def lines_of(*found: str, agreed: tuple[str, ...] = AGREED) -> list[str]:
    told = difference(AgreedHeader(agreed, "header_sample (header.csv)"), found)
    if told is None:
        return []
    head, *lines = told.splitlines()
    assert head == "the header differs from the agreed header_sample (header.csv):"
    return [line.strip() for line in lines]


def test_the_same_header_is_no_difference() -> None:
    assert lines_of(*AGREED) == []


@pytest.mark.parametrize(
    ("found", "lines"),
    [
        (("id", "first_name", "Email", "city", "zip", "state"), ["missing  phone_no (column 4)"]),
        ((*AGREED, "country"), ["extra    country (column 8)"]),
        (
            ("id", "first_name", "Email", "phone_number", "city", "zip", "state"),
            ["missing  phone_no (column 4)", "extra    phone_number (column 4), perhaps phone_no renamed"],
        ),
        (
            ("id", "first_name", "Email", "mobile", "city", "zip", "state"),
            ["missing  phone_no (column 4)", "extra    mobile (column 4), perhaps phone_no renamed"],
        ),
        (("id", "first_name", "email", *AGREED[3:]), ["case     email instead of Email"]),
        (("id", " first_name", *AGREED[2:]), ["spaces   ' first_name' instead of 'first_name'"]),
        (
            ("id", "first name", *AGREED[2:]),
            ["missing  first_name (column 2)", "extra    first name (column 2), perhaps first_name renamed"],
        ),
        (("id", "first_name", "Email", "phone_no", "zip", "state", "city"), ["order    city is column 7, agreed 5"]),
        (("state", *AGREED[:-1]), ["order    state is column 1, agreed 7"]),
        (("id", "Email", "phone_no", "city", "zip", "state"), ["missing  first_name (column 2)"]),
    ],
)  # fmt: skip
def test_each_difference_is_a_line_and_what_is_only_pushed_aside_is_none(
    found: tuple[str, ...], lines: list[str]
) -> None:
    assert lines_of(*found) == lines


def test_all_differences_are_told_at_once() -> None:
    assert lines_of("state", "id", "email", "first_name", "phone", "zip", "x") == [
        "missing  phone_no (column 4)",
        "missing  city (column 5)",
        "extra    phone (column 5), perhaps phone_no renamed",
        "extra    x (column 7), perhaps city renamed",
        "case     email instead of Email",
        "order    state is column 1, agreed 7",
        "order    first_name is column 4, agreed 2",
    ]


def test_letters_that_look_alike_are_told_apart() -> None:
    assert lines_of("caf\u0065\u0301", agreed=("caf\u00e9",)) == ["letters  'cafe\\u0301' instead of 'caf\\xe9'"]


def test_hundreds_of_differences_are_cut_short() -> None:
    found = lines_of(*(f"b{n}" for n in range(400)), agreed=tuple(f"{n}a" for n in range(400)))
    assert (len(found), found[-1]) == (41, "and 760 more")


def agreed_feed(sample: Any, *columns: dict[str, Any], **more: Any) -> dict[str, DatasetText]:
    files = [{"pattern": "*.csv*", "format": "csv", "header_sample": sample, **more}]
    return feed(*columns, files=files)


def test_a_csv_with_another_header_is_set_aside_with_the_difference(make_lake: MakeLake, tmp_path: Path) -> None:
    sample = tmp_path / "defs" / "feed" / "header.csv"
    sample.parent.mkdir(parents=True)
    sample.write_text("id,n,zeta\nnot,a,name\n")
    lake = make_lake(agreed_feed("header.csv"))
    assert fate_of(lake, "good.csv", b"id,n,zeta\na,1,x\n").rows == [("a", 1)]
    assert fate_of(lake, "good.csv.gz", b"").row.status is FileStatus.QUARANTINED
    fate = fate_of(lake, "bad.csv", b"n,id\n1,a\n")
    assert (fate.row.status, fate.rows) == (FileStatus.QUARANTINED, [])
    assert fate.row.error == (
        "schema: the header differs from the agreed header_sample (header.csv):\n"
        "  missing  zeta (column 3)\n"
        "  order    id is column 2, agreed 1"
    )
    with lake.store.open(f"{folder_of(fate.row)}/reason.json") as source:
        assert json.load(source)["reason_lines"] == fate.row.error.splitlines()


def test_parquet_is_held_to_it_too(make_lake: MakeLake) -> None:
    files = [{"pattern": "*.parquet", "format": "parquet", "header_sample": ["id", "n"]}]
    lake = make_lake(feed(files=files))
    assert fate_of(lake, "a.parquet", parquet({"id": ["a"], "n": [1]})).rows == [("a", 1)]
    fate = fate_of(lake, "b.parquet", parquet({"id": ["a"], "N": [1]}))
    assert "the agreed header_sample:\n  case     N instead of n" in str(fate.row.error)


def test_the_sample_is_read_as_the_files_are(make_lake: MakeLake, tmp_path: Path) -> None:
    sample = tmp_path / "defs" / "feed" / "header.csv"
    sample.parent.mkdir(parents=True)
    sample.write_bytes("id;'n;ö'".encode("utf-16"))
    lake = make_lake(agreed_feed("header.csv", ID, delimiter=";", quote="'", encoding="utf-16"))
    assert fate_of(lake, "a.csv", "id;'n;ö'\na;1\n".encode("utf-16")).rows == [("a",)]
    assert "missing  n;ö" in str(fate_of(lake, "b.csv", "id\na\n".encode("utf-16")).row.error)


def test_one_file_with_another_header_harms_no_other(make_lake: MakeLake) -> None:
    lake = make_lake(agreed_feed(["id", "n"]))
    deliver(lake, a_csv=b"id,n\na,1\n", b_csv=b"id\nb\n", c_csv=b"id,n\nc,1\n")
    assert [row.status for row in lake.ledger.list_files("feed")] == ["published", "quarantined", "published"]


def test_another_agreement_does_not_unmake_what_was_published(make_lake: MakeLake) -> None:
    """Older files have a pattern of their own; the first that matches counts."""
    deliver(make_lake(feed()), old_csv=b"n,id\n1,a\n")
    older = {"pattern": "old*", "format": "csv"}
    newer = {"pattern": "*.csv", "format": "csv", "header_sample": ["id", "n"]}
    lake = make_lake(feed(ID, N, files=[older, newer]))
    drop(lake, "feed/old2.csv", b"n,id\n1,b\n")
    deliver(lake, new_csv=b"n,id\n1,c\n")
    assert {row.name: row.status for row in lake.ledger.list_files("feed")} == {
        "old.csv": "published",
        "old2.csv": "published",
        "new.csv": "quarantined",
    }


@pytest.mark.parametrize(
    ("sample", "says"),
    [
        ("[id, distance]", "'started_at' is required by contract.yaml, and not in the agreed header"),
        ("[id, started_at, Fare]", "'Fare' is not 'fare' of contract.yaml: names count to the letter"),
        ("[id, started_at, id]", "'id' is there more than once"),
        ("[]", "expected the names of columns, found none"),
        ("[a, b]", "'id' is required by contract.yaml"),
        ("none.csv", "'none.csv' could not be read as the sample of a header beside defs.yaml"),
    ],
)
def test_an_agreement_that_contradicts_the_contract_is_refused_at_load(tmp_path: Path, sample: str, says: str) -> None:
    line = f"header_sample: {sample}"
    text = DatasetText(TRIPS.contract, changed(TRIPS.defs, "format: csv", f"format: csv\n      {line}"))
    refused(tmp_path / "trips", text, file="defs.yaml", at=line, field="attributes.files.1.header_sample", says=says)


def test_one_that_every_file_would_fail_is_refused_at_load(tmp_path: Path) -> None:
    line = "header_sample: [id, started_at, zeta]"
    said = changed(TRIPS.defs, "format: csv", f"format: csv\n      {line}")
    text = DatasetText(TRIPS.contract, changed(said, "mode: merge", "mode: merge\n  unknown_columns: reject"))
    says = "contract.yaml lacks 'zeta', and unknown_columns: reject refuses all such files"
    refused(tmp_path / "trips", text, file="defs.yaml", at=line, field="attributes.files.1.header_sample", says=says)


def test_json_lines_have_no_header(tmp_path: Path) -> None:
    line = "header_sample: [id]"
    text = DatasetText(TRIPS.contract, changed(TRIPS.defs, "format: jsonl", f"format: jsonl\n      {line}"))
    says = "JSON lines have no header"
    refused(tmp_path / "trips", text, file="defs.yaml", at=line, field="attributes.files.0.header_sample", says=says)


def test_a_column_from_the_path_need_not_be_in_the_header(tmp_path: Path) -> None:
    from_path = "grain: day\n    from_path: '(?P<year>\\d{4})/(?P<month>\\d\\d)/(?P<day>\\d\\d)/'"
    said = changed(TRIPS.defs, "format: csv", "format: csv\n      header_sample: [id, distance]")
    text = DatasetText(TRIPS.contract, changed(said, "grain: day", from_path))
    agreed = dataset_of(text.write(tmp_path / "trips")).agreed_header("2013/01/01/a.csv")
    assert agreed == AgreedHeader(("id", "distance"), "header_sample")
