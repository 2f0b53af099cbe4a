"""Which version of a file holds, whoever asks and how often."""

from itertools import permutations

from slice_platform.ops.pulse.agreement import Agreed, agree
from slice_platform.ops.pulse.monitor_file import MonitorFile, read_monitors
from slice_platform_tests.ops.pulse.monitors import BROKEN, http


def files(**texts: str) -> dict[str, MonitorFile]:
    return {f"{name}.yml": read_monitors(f"{name}.yml", text.encode()) for name, text in texts.items()}


def holding(found: Agreed) -> dict[str, list[str]]:
    return {name: [monitor.id for monitor in one.monitors] for name, one in found.files.items()}


def test_of_two_files_with_one_id_the_later_name_loses_and_both_are_named() -> None:
    found = agree(files(b=http("x"), a=http("y") + http("x")), {})
    assert holding(found) == {"a.yml": ["y", "x"]}
    assert [str(one) for one in found.problems] == [
        "b.yml:2: id: 'x' is also that of a.yml:6, which keeps it: ids are unique over all files"
    ]


def test_who_has_an_id_keeps_it_whatever_the_names_are() -> None:
    there = files(b=http("x"))
    found = agree(files(a=http("x"), b=http("x")), there)
    assert holding(found) == {"b.yml": ["x"]} and [one.file for one in found.problems] == ["a.yml"]


def test_a_broken_file_holds_in_its_last_good_version_and_its_ids_stay_taken() -> None:
    there = files(a=http("x"), b=http("y"))
    found = agree(files(a=BROKEN, b=http("x"), c=http("z")), there)
    assert holding(found) == {"a.yml": ["x"], "b.yml": ["y"], "c.yml": ["z"]} and found.kept == {"a.yml", "b.yml"}
    assert [(one.file, one.field) for one in found.problems] == [("a.yml", "the file"), ("b.yml", "id")]


def test_an_id_may_move_from_a_file_to_another_at_once() -> None:
    there = files(a=http("x"), b=http("y"))
    assert holding(agree(files(a=http("y"), b=http("x")), there)) == {"a.yml": ["y"], "b.yml": ["x"]}
    assert holding(agree(files(b=http("x")), there)) == {"b.yml": ["x"]}


def test_the_order_in_which_files_are_found_decides_nothing() -> None:
    given = files(a=http("x"), b=http("x"), c=http("x") + http("w"), d=BROKEN)
    there = files(d=http("w"))
    found = [agree(dict(order), there) for order in permutations(given.items())]
    assert len({(tuple(one.files), one.problems) for one in found}) == 1
