"""The upkeep as a whole: the table is the same afterwards, only smaller, and a second one finds nothing."""

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from slice_platform.lake.table import load_table
from slice_platform.lake.upkeep.upkeep import upkeep
from slice_platform_tests.conftest import MakeLake
from slice_platform_tests.lake.feeds import assert_accounted, deliver, lines, merged, table_of
from slice_platform_tests.lake.test_publish import of_snapshots, stored
from slice_platform_tests.lake.upkeep.tables import HOUR, NOW, fill, objects, snapshot_ids


def test_a_second_upkeep_finds_nothing_to_do(make_lake: MakeLake) -> None:
    lake = make_lake(merged())
    fill(lake, 6)
    done = upkeep(lake, "feed", NOW + 200 * HOUR)
    assert (done.compacted.files_before, done.expired_snapshots > 0) == (12, True)
    before = objects(lake)
    again = upkeep(lake, "feed", NOW + 200 * HOUR)
    assert (again.compacted.commits, again.expired_snapshots, again.removed.objects) == (0, 0, ())
    assert objects(lake) == before


def test_a_dataset_without_a_table_needs_no_upkeep(make_lake: MakeLake) -> None:
    lake = make_lake(merged())
    done = upkeep(lake, "feed")
    assert (done.compacted.commits, done.expired_snapshots, done.removed.objects) == (0, 0, ())


def test_metadata_stays_small_under_many_commits(make_lake: MakeLake) -> None:
    lake = make_lake(merged())
    for number in range(30):  # half of them overwrite: each leaves a manifest that tells only of deleted files
        deliver(lake, **{f"f{number}_jsonl": lines((f"k{number // 2}", number, 1))})
    table = load_table(lake, lake.dataset("feed"))
    assert table
    snapshot = table.current_snapshot()
    assert snapshot and len(snapshot.manifests(table.io)) < 20
    upkeep(lake, "feed", NOW + 200 * HOUR)
    assert len(snapshot_ids(lake)) <= 4
    assert len(table_of(lake)) == 15
    assert stored(lake) == of_snapshots(lake)


@settings(
    max_examples=6,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    phases=[Phase.explicit, Phase.generate],  # an example is a lake of its own; to make it small takes minutes
)
@given(data=st.data())
def test_upkeep_at_any_moment_changes_no_row(
    make_lake: MakeLake, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    lake = make_lake(merged(), home=tmp_path_factory.mktemp("lake"), compact_min_files=2)
    expected: dict[str, tuple[int, int]] = {}
    for number in range(8):
        row = st.tuples(st.sampled_from("abcdef"), st.just(number), st.integers(1, 2))
        rows = data.draw(st.lists(row, min_size=1, max_size=4))
        deliver(lake, **{f"f{number}_jsonl": lines(*rows)})
        expected |= {key: (n, day) for key, n, day in rows}
        if data.draw(st.booleans(), label="upkeep"):
            upkeep(lake, "feed", NOW + data.draw(st.sampled_from([0, 2, 30, 200])) * HOUR)
            assert {key: (n, day) for key, n, day in table_of(lake)} == expected
    assert {key: (n, day) for key, n, day in table_of(lake)} == expected
    assert_accounted(lake)
