"""What a set is called, what completes it, and what a manifest may say."""

import json
from pathlib import Path
from typing import Any

import pytest

from slice_platform.lake.file_sets import ManifestEntry, ManifestProblem, SetSpec, read_manifest
from slice_platform_tests.refusals import defs_refused

SHA = "ab" * 32


@pytest.mark.parametrize(
    ("by", "path", "expected"),
    [
        (None, "2026-03/a.csv", "2026-03"),
        (None, "2026-03/state=CA/a.csv", "2026-03"),
        (None, "a.csv", "."),
        (r"(?P<set>\d{4}-\d{2})", "drop_2026-03_part1.csv", "2026-03"),
        (r"(?P<set>\d{4}-\d{2})", "readme.csv", None),
        (r"x(?P<set>\d*)", "x.csv", None),
    ],
)
def test_the_path_names_the_set(by: str | None, path: str, expected: str | None) -> None:
    assert SetSpec(by=by).set_of(path) == expected


@pytest.mark.parametrize(
    ("spec", "path", "expected"),
    [
        (SetSpec(), "2026-03/_SUCCESS", True),
        (SetSpec(), "2026-03/a.csv", False),
        (SetSpec(marker="*.done"), "2026-03.done", True),
        (SetSpec(marker="*.done"), "_SUCCESS", False),
        (SetSpec(manifest="lists/*.json"), "lists/a.json", True),
        (SetSpec(manifest="lists/*.json"), "2026-03/a.json", False),
    ],
)
def test_a_marker_or_manifest_is_told_by_its_name(spec: SetSpec, path: str, *, expected: bool) -> None:
    assert spec.is_control(path) is expected


@pytest.mark.parametrize(
    ("sets", "field", "says"),
    [
        ("{by: '('}", "attributes.sets.by", "not a regular expression"),
        ("{by: '(?P<month>x)'}", "attributes.sets.by", "expected one named group, (?P<set>...); got ['month']"),
        ("{marker: a, manifest: b}", "attributes.sets", "give one of the two"),
        ("{overdue_after_hours: 0}", "attributes.sets.overdue_after_hours", "greater than 0"),
        ("{complete: yes}", "attributes.sets.complete", "Extra inputs are not permitted"),
        ('{marker: "*.csv*"}', "attributes.sets.marker", "every file that '*.csv*' matches would complete a set"),
        ('{manifest: "*.json*"}', "attributes.sets.manifest", "every file that '*.jsonl*' matches"),
    ],
)
def test_a_mistake_about_sets_is_told_with_its_line(tmp_path: Path, sets: str, field: str, says: str) -> None:
    new = f"  mode: merge\n  sets: {sets}\n"
    defs_refused(tmp_path / "trips", "  mode: merge\n", new, field=field, says=says, at="  sets:")


def test_a_manifest_names_files_relative_to_its_folder() -> None:
    listed = {"created": "today", "files": ["a.csv", {"name": "sub/b.csv"}, {"file": "../other/c.csv"}]}
    manifest = read_manifest(json.dumps(listed).encode(), "2026-03/m.json")
    assert manifest.paths == {"2026-03/a.csv", "2026-03/sub/b.csv", "other/c.csv"}
    assert read_manifest(b'["a.csv"]', "m.json").paths == {"a.csv"}


@pytest.mark.parametrize(
    ("listed", "says"),
    [
        ({}, "expected a list of files"),
        ([], "with at least one file"),
        (5, "expected a list of files"),
        (["a.csv", "./a.csv"], "files[1]: '2026-03/a.csv' is named twice"),
        (["../../a.csv"], "'../../a.csv' lies outside the dataset's folder"),
        (["/a.csv"], "lies outside"),
        ([{"name": "a", "count": 3}], "files[0].count: Extra inputs are not permitted, got 3; known: name, size_bytes"),
        ([{"size_bytes": 3}], "files[0].name: Field required"),
        ([{"name": "a", "rows": -1}], "files[0].rows: Input should be greater than or equal to 0, got -1"),
        ([{"name": "a", "sha256": "abc"}], "files[0].sha256"),
        ([7], "files[0]: "),
    ],
)
def test_a_manifest_that_cannot_be_used_is_told_where(listed: Any, says: str) -> None:
    with pytest.raises(ManifestProblem) as caught:
        read_manifest(json.dumps(listed).encode(), "2026-03/m.json")
    assert says in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b"{", b"[" * 100_000, b"{}garbage"])
def test_bytes_that_are_no_json_are_a_problem_and_no_crash(content: bytes) -> None:
    with pytest.raises(ManifestProblem, match="not JSON"):
        read_manifest(content, "m.json")


def test_only_what_the_manifest_says_is_compared() -> None:
    said = ManifestEntry(name="a", size_bytes=3, sha256=SHA.upper(), rows=2)
    assert said.has_other_size(3) is None and said.has_other_content(SHA, 2) is None
    assert said.has_other_size(4) == "it has 4 bytes, the manifest says 3"
    assert said.has_other_content(SHA, 1) == "it has 1 rows, the manifest says 2"
    assert str(said.has_other_content("00", 2)).startswith("its sha256 is 00, the manifest says abab")
    silent = ManifestEntry(name="a")
    assert silent.has_other_size(4) is None and silent.has_other_content(None, 9) is None
