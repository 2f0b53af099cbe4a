"""Removal of what nothing refers to: exactly that, only when it is old, and nothing when in doubt."""

import os
import uuid
from datetime import timedelta
from fnmatch import fnmatch
from pathlib import Path

import pytest

from slice_platform.errors import UpkeepRefused
from slice_platform.lake.lake import Lake
from slice_platform.lake.upkeep.compaction import compact
from slice_platform.lake.upkeep.expiry import expire
from slice_platform.lake.upkeep.orphans import find_orphans, remove_abandoned_spill, remove_orphans
from slice_platform.lake.upkeep.upkeep import plan_upkeep, upkeep
from slice_platform_tests.conftest import MakeLake
from slice_platform_tests.lake.feeds import assert_accounted, merged, paths, table_of
from slice_platform_tests.lake.test_publish import of_snapshots, stored
from slice_platform_tests.lake.upkeep.tables import HOUR, NOW, fill, objects

LATER = NOW + 25 * HOUR
BATCH = uuid.UUID(int=7).hex
ORPHANS = (
    f"curated/feed/data/{BATCH}/00000-0.parquet",
    f"curated/feed/data/{BATCH}/{'tmp'}_00000-1.parquet",
    f"curated/feed/metadata/{uuid.UUID(int=8)}-m0.avro",
    f"curated/feed/metadata/00099-{uuid.UUID(int=9)}.metadata.json",
    f"curated/feed/metadata/.{BATCH}.tmp",
)


def plant(lake: Lake, *keys: str) -> None:
    for key in keys:
        lake.store.write(key, b"PAR1")


def removed(lake: Lake) -> set[str]:
    return {one.key for one in remove_orphans(lake, lake.dataset("feed"), LATER).objects}


def test_what_nothing_refers_to_is_removed_once_it_is_old(make_lake: MakeLake) -> None:
    lake = make_lake(merged())
    fill(lake, 3)
    needed, rows = objects(lake), table_of(lake)
    plant(lake, *ORPHANS)
    assert remove_orphans(lake, lake.dataset("feed"), NOW + 23 * HOUR).objects == ()
    assert removed(lake) == set(ORPHANS)
    assert (objects(lake), table_of(lake)) == (needed, rows)
    assert not Path(lake.settings.lake_root, "curated/feed/data", BATCH).exists()


def test_a_dry_run_lists_and_deletes_nothing(make_lake: MakeLake) -> None:
    lake = make_lake(merged())
    fill(lake, 6)
    plant(lake, *ORPHANS)
    before = objects(lake)
    plan = plan_upkeep(lake, "feed", LATER)
    assert {one.key for one in plan.orphans.objects} == set(ORPHANS)
    assert (plan.expired_snapshots, [one.vanishing for one in plan.small_files]) == (3, [5, 5])
    assert objects(lake) == before


def test_other_tiers_other_tables_and_names_that_are_not_ours_are_left(make_lake: MakeLake) -> None:
    lake = make_lake(merged())
    fill(lake, 1)
    plant(
        lake, "raw/feed/x.parquet", f"quarantine/feed/data/{BATCH}/x.parquet", "landing/feed/x.avro",
        f"curated/feed2/data/{BATCH}/x.parquet", "curated/feed/README.md", "curated/feed/data/mine.parquet",
    )  # fmt: skip
    assert removed(lake) == set()


def test_files_of_a_batch_that_is_open_are_left(make_lake: MakeLake) -> None:
    lake = make_lake(merged())
    fill(lake, 1)
    lake.ledger.open_batch(BATCH, "feed")
    plant(lake, *ORPHANS)
    assert not {one.key for one in find_orphans(lake, lake.dataset("feed"), LATER).objects} & set(ORPHANS[:2])


def test_what_became_needed_between_the_two_looks_is_left(make_lake: MakeLake, monkeypatch: pytest.MonkeyPatch) -> None:
    lake = make_lake(merged())
    fill(lake, 1)
    plant(lake, *ORPHANS)
    exclusive = lake.ledger.exclusive

    def overtaken(dataset: str) -> object:
        monkeypatch.undo()
        # a name that was forgotten so far is referred to by the time the dataset is held
        monkeypatch.setattr("slice_platform.lake.upkeep.references.References.of", lambda *_: {ORPHANS[0]})
        return exclusive(dataset)

    monkeypatch.setattr(lake.ledger, "exclusive", overtaken)
    assert removed(lake) == set(ORPHANS[1:])


def test_files_that_only_expired_snapshots_had_are_removed(make_lake: MakeLake) -> None:
    lake = make_lake(merged())
    fill(lake, 8)
    compact(lake, lake.dataset("feed"))
    replaced = stored(lake) - set(paths(lake))
    assert len(replaced) == 16 and removed(lake) == set()
    fill(lake, 2, first=8)  # so that the compacted ones are the newest three snapshots
    expire(lake, lake.dataset("feed"), LATER)
    gone = removed(lake)
    assert {lake.store.path(key) for key in gone if key.endswith(".parquet")} == replaced
    assert stored(lake) == of_snapshots(lake) == set(paths(lake))
    assert len(table_of(lake)) == 20
    assert_accounted(lake)


@pytest.mark.parametrize("kind", ["*-m0.avro", "snap-*.avro"])
@pytest.mark.parametrize("harm", ["cut", "gone"])
def test_metadata_that_cannot_be_read_stops_it(make_lake: MakeLake, kind: str, harm: str) -> None:
    lake = make_lake(merged())
    fill(lake, 2)
    plant(lake, *ORPHANS)
    before = stored(lake)
    for key in (one.key for one in lake.store.list("curated/feed/metadata")):
        if fnmatch(key.rsplit("/", 1)[-1], kind) and key not in ORPHANS:
            with lake.store.open(key) as stream:
                beginning = stream.read(40)
            lake.store.remove(key) if harm == "gone" else lake.store.write(key, beginning)
    with pytest.raises(UpkeepRefused, match="cannot be read.*Nothing was deleted"):
        removed(lake)
    assert stored(lake) == before


@pytest.mark.directory("two catalogs are two SQLite files")
def test_a_table_that_the_catalog_forgot_is_left_whole(make_lake: MakeLake, tmp_path: Path) -> None:
    lake = make_lake(merged())
    fill(lake, 2)
    before = objects(lake)
    other = make_lake(merged(), catalog_url=f"sqlite:///{tmp_path / 'other.db'}")
    with pytest.raises(UpkeepRefused, match="the catalog knows no table"):
        upkeep(other, "feed", LATER)
    assert objects(lake) == before


@pytest.mark.directory("a folder is moved")
def test_a_table_whose_files_lie_elsewhere_is_left_whole(make_lake: MakeLake, tmp_path: Path) -> None:
    fill(make_lake(merged()), 2)
    moved = tmp_path / "moved"
    (tmp_path / "lake").rename(moved)
    (tmp_path / "lake").symlink_to(moved)  # so that the old paths still open
    lake = make_lake(merged(), lake_uri=str(moved))
    with pytest.raises(UpkeepRefused, match="does not lie below"):
        removed(lake)


def test_a_data_file_that_is_missing_stops_it(make_lake: MakeLake) -> None:
    lake = make_lake(merged())
    fill(lake, 2)
    plant(lake, *ORPHANS)
    lake.store.remove(min(paths(lake)).removeprefix(lake.store.path("")))
    with pytest.raises(UpkeepRefused, match="its folder does not list"):
        removed(lake)


def test_abandoned_spill_is_removed_and_what_is_in_use_is_not(make_lake: MakeLake) -> None:
    lake = make_lake(merged())
    spill = lake.settings.spill_dir
    for name in ("dead", "alive"):
        (spill / name).mkdir(parents=True)
        (spill / name / "duckdb_temp_0.tmp").write_bytes(b"x")
    (spill / "unpacked").write_bytes(b"x")
    old = (NOW - timedelta(hours=25)).timestamp()
    for path in (spill / "dead" / "duckdb_temp_0.tmp", spill / "dead", spill / "alive", spill / "unpacked"):
        os.utime(path, (old, old))
    assert remove_abandoned_spill(lake, NOW) == ["dead", "unpacked"]
    assert [path.name for path in spill.iterdir()] == ["alive"]
