import pytest

from slice_platform.lake.landing import dataset_of_key, look, path_below_dataset
from slice_platform_tests.conftest import MakeLake
from slice_platform_tests.samples import drop


def test_what_is_present_is_to_do_at_any_depth(make_lake: MakeLake) -> None:
    lake = make_lake()
    for path in ("trips/a.csv", "trips/2013/01/b.csv.gz"):
        drop(lake, path, b"")
    landing = look(lake)
    assert [entry.key for entry in landing.pending["trips"]] == [
        "landing/trips/2013/01/b.csv.gz",
        "landing/trips/a.csv",
    ]
    assert not landing.strays


@pytest.mark.parametrize(
    "path",
    ["trips/_SUCCESS", "trips/.hidden", "trips/a.tmp", "trips/a.part", "trips/_temporary/0/a.csv", "trips/.x/a.csv"],
)
def test_unfinished_and_hidden_names_are_left_alone(make_lake: MakeLake, path: str) -> None:
    lake = make_lake()
    drop(lake, path, b"")
    landing = look(lake)
    assert not landing.pending
    assert not landing.strays
    assert not landing.still_written


@pytest.mark.parametrize("path", ["trip/a.csv", "Trips/a.csv", "a.csv"])
def test_what_belongs_to_no_dataset_is_a_stray(make_lake: MakeLake, path: str) -> None:
    lake = make_lake()
    drop(lake, path, b"")
    landing = look(lake)
    assert [entry.key for entry in landing.strays] == [f"landing/{path}"]
    assert not landing.pending


@pytest.mark.directory("an object of S3 appears whole")
def test_a_file_that_was_just_written_waits_for_one_tick(make_lake: MakeLake) -> None:
    lake = make_lake(landing_tick_seconds=60)
    drop(lake, "trips/a.csv", b"")
    drop(lake, "unknown/a.csv", b"")
    landing = look(lake)
    assert [entry.key for entry in landing.still_written] == ["landing/trips/a.csv", "landing/unknown/a.csv"]
    assert not landing.pending
    assert not landing.strays


def test_a_look_below_one_dataset_sees_only_that(make_lake: MakeLake) -> None:
    lake = make_lake()
    for path in ("trips/a.csv", "trips2/a.csv", "a.csv"):
        drop(lake, path, b"")
    landing = look(lake, "trips")
    assert [entry.key for entry in landing.pending["trips"]] == ["landing/trips/a.csv"]
    assert not landing.strays


def test_an_empty_landing_has_nothing_to_do(make_lake: MakeLake) -> None:
    landing = look(make_lake(), "trips")
    assert not landing.pending


def test_keys_name_their_dataset_and_the_path_below_it() -> None:
    assert dataset_of_key("landing/trips/2013/a.csv") == "trips"
    assert path_below_dataset("landing/trips/2013/a.csv") == "2013/a.csv"
    assert dataset_of_key("landing/a.csv") is None
