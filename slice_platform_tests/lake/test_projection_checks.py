"""Copies that a defs.yaml asks for: what cannot be made, or would let personal data through, is told with its place."""

from collections.abc import Callable
from pathlib import Path

import pytest

from slice_platform.errors import ContractError
from slice_platform.lake.dataset import dataset_of
from slice_platform.lake.lake import load_tables
from slice_platform.lake.projection_checks import dropped
from slice_platform.projections.projection import Projection, all_projections, pick_projections, projections_of
from slice_platform_tests.lake.business.models import DAILY, ModelText
from slice_platform_tests.samples import TRIPS, DatasetText, changed, line_of

RIDERS = DatasetText(
    TRIPS.contract
    + """\
      - {name: rider, logicalType: string, classification: confidential}
      - {name: place, logicalType: object, properties: [{name: city, logicalType: string}]}
""",
    TRIPS.defs,
)
HIDDEN = "personal: {rider: mask}"


def one(more: str, destination: str = "postgres") -> str:
    """A projection that is all right but for what `more` says."""
    return f"    - {{destination: {destination}, database: shop{more and ', '}{more}}}\n"


def projections(home: Path, items: str) -> tuple[Projection, ...]:
    folder = DatasetText(RIDERS.contract, f"{RIDERS.defs}  projections:\n{items}").write(home / "curated" / "trips")
    return projections_of(dataset_of(folder))


def refused(home: Path, items: str, *, at: str, field: str, says: str) -> None:
    with pytest.raises(ContractError) as caught:
        projections(home, items)
    line = line_of(f"{RIDERS.defs}  projections:\n{items}", at)
    where = f"{home}/curated/trips/defs.yaml:{line}: attributes.projections.{field}: "
    assert str(caught.value).startswith(where), f"expected {where!r} at the start of {str(caught.value)!r}"
    assert says in str(caught.value)[len(where) :]


@pytest.mark.parametrize(
    ("more", "field", "says"),
    [
        ("columns: [id, started_at, nowhere]", "0.columns.2", "'nowhere' is not a column of curated.trips; it has id"),
        ("columns: {id: id, started_at: at, nowhere: n}", "0.columns.nowhere", "'nowhere' is not a column of"),
        ("columns: [id, distance]", "0.columns", "'started_at' must be among them"),
        ("columns: [started_at, distance]", "0.columns", "the key of the table, id, is not among them as a whole"),
        ("columns: {id: x, started_at: x}", "0", "columns names 'x' twice"),
        (f"{HIDDEN}, primary_key: [nowhere]", "0.primary_key", "'nowhere' is not a column of the projection; it has"),
        (f"{HIDDEN}, indexes: [[nowhere]]", "0.indexes", "'nowhere' is not a column of the projection"),
        (f"{HIDDEN}, types: {{nowhere: BIGINT}}", "0.types", "'nowhere' is not a column of the projection"),
        ("personal: {rider: mask, nowhere: mask}", "0.personal", "'nowhere' is not a column of the projection"),
        ("personal: {rider: drop}, indexes: [[rider]]", "0.indexes", "'rider' is not a column of the projection"),
        (f"{HIDDEN}, mode: upsert, primary_key: []", "0.mode", "upsert needs a key, to know a row again"),
        (f"{HIDDEN}, mode: append, primary_key: []", "0.mode", "append needs a key, to know a row again"),
        (f"{HIDDEN}, types: {{distance: TEXTUAL}}", "0", "distance"),
        (f"{HIDDEN}, indexes: [[place]]", "0", "a document is in no index"),
        (f"{HIDDEN}, table: 'a b'", "0", "a b"),
        ("", "0.personal", "rider <- curated.trips.rider is confidential; say under `personal: rider:` drop, mask"),
        ("columns: {id: id, started_at: at, rider: who}", "0.personal", "who <- curated.trips.rider is confidential"),
        ("personal: {rider: mask, fare: mask}", "0.personal.fare", "'fare' holds no personal data; remove it here"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_told(tmp_path: Path, more: str, field: str, says: str) -> None:
    refused(tmp_path, one(more), at="    - {", field=field, says=says)


def test_redshift_has_no_indexes_and_others_have_no_keys_of_its_own(tmp_path: Path) -> None:
    items = one(f"{HIDDEN}, indexes: [[fare]]", "redshift")
    refused(tmp_path, items, at="    - {", field="0.indexes", says="Redshift has no indexes; it has `sort_key`")


def test_the_second_of_two_is_told_by_its_own_line(tmp_path: Path) -> None:
    items = one(HIDDEN) + one(f"{HIDDEN}, primary_key: [nowhere]", "mysql")
    refused(tmp_path, items, at="    - {destination: mysql", field="1.primary_key", says="'nowhere'")


def test_one_table_cannot_be_made_twice(tmp_path: Path) -> None:
    items = one(HIDDEN) + one(f"{HIDDEN}, table: trips")
    with pytest.raises(ContractError, match=r"attributes\.projections\.1: postgres\.shop\.trips is there twice"):
        projections(tmp_path, items)


def test_two_copies_that_would_be_one_asset_are_told_with_the_way_out(tmp_path: Path) -> None:
    """Of two tables, or in two databases: both are called rds.trips."""
    folder = tmp_path / "curated" / "trips"
    DatasetText(RIDERS.contract, f"{RIDERS.defs}  projections:\n{one(HIDDEN)}{one(HIDDEN, 'mysql')}").write(folder)
    with pytest.raises(ContractError, match=r"rds\.trips is projected from curated\.trips too; give one .*`table:`"):
        all_projections(load_tables(tmp_path))


def test_two_tables_may_not_be_projected_into_one(tmp_path: Path) -> None:
    RIDERS.write(tmp_path / "curated" / "trips")
    for name in ("daily", "weekly"):
        text = ModelText(DAILY.sql, f"{DAILY.defs}  projections:\n{one('table: days')}")
        text.write(tmp_path / "business" / name)
    with pytest.raises(ContractError, match=r"weekly/defs\.yaml:7: .*rds\.days is projected from business\.daily too"):
        all_projections(load_tables(tmp_path))


def test_a_projection_of_a_business_table_is_checked_as_one_of_a_dataset(tmp_path: Path) -> None:
    RIDERS.write(tmp_path / "curated" / "trips")
    bad = one("primary_key: [nowhere]")
    ModelText(DAILY.sql, f"{DAILY.defs}  projections:\n{bad}").write(tmp_path / "business" / "daily")
    with pytest.raises(ContractError, match=r"daily/defs\.yaml:7: attributes\.projections\.0\.primary_key: 'nowhere'"):
        load_tables(tmp_path)


# --- what a projection comes to


@pytest.mark.parametrize(
    ("more", "key", "mode"),
    [
        ("", ("id",), "upsert"),  # a row may move to an earlier day, where the key is enforced
        ("mode: append", ("id",), "append"),
        ("primary_key: []", (), "replace_partition"),
        ("primary_key: [id, started_at]", ("id", "started_at"), "replace_partition"),
    ],
)
def test_a_key_decides_how_rows_can_come(tmp_path: Path, more: str, key: tuple[str, ...], mode: str) -> None:
    (found,) = projections(tmp_path, one(f"{HIDDEN}{more and ', '}{more}"))
    assert found.table.spec.primary_key == key
    assert found.table.mode == mode


def test_redshift_enforces_no_key(tmp_path: Path) -> None:
    (found,) = projections(tmp_path, one(HIDDEN, "redshift"))
    assert (found.table.spec.primary_key, found.table.mode) == (("id",), "replace_partition")


def test_the_key_of_a_table_that_keeps_it_per_partition_has_the_partition(tmp_path: Path) -> None:
    RIDERS.write(tmp_path / "curated" / "trips")
    sql = changed(DAILY.sql, "sum(distance)::bigint as distance", "distance")
    defs = changed(DAILY.defs, "key: [day]", "key: [distance]") + f"  projections:\n{one('')}"
    ModelText(sql, defs).write(tmp_path / "business" / "daily")
    (found,) = all_projections(load_tables(tmp_path))
    assert found.primary_key == ("distance", "day")
    assert found.mode == "replace_partition"


def test_columns_that_are_dropped_do_not_go_along(tmp_path: Path) -> None:
    (found,) = projections(tmp_path, one("columns: {id: id, started_at: at, rider: who}, personal: {who: drop}"))
    assert list(found.columns) == ["id", "at"]
    assert dropped(found.source, found.spec) == {"who"}
    assert found.partition_column == "at"


@pytest.mark.parametrize(
    "more", ["table: rides", "personal: {rider: hash}", "types: {fare: 'DECIMAL(12,2)'}", "mode: append"]
)
def test_another_definition_has_another_fingerprint(tmp_path: Path, more: str) -> None:
    items = one(more) if "rider" in more else one(f"{HIDDEN}, {more}")
    (before,), (after,) = projections(tmp_path, one(HIDDEN)), projections(tmp_path, items)
    assert before.fingerprint != after.fingerprint
    assert projections(tmp_path, one(HIDDEN))[0].fingerprint == before.fingerprint


@pytest.mark.parametrize("name", ["trips", "curated.trips", "rides", "rds.rides"])
def test_a_projection_is_found_by_either_of_its_names(
    make_lake: Callable[..., object], tmp_path: Path, name: str
) -> None:
    text = DatasetText(RIDERS.contract, f"{RIDERS.defs}  projections:\n{one(f'{HIDDEN}, table: rides')}")
    lake = make_lake({"trips": text})
    (found,) = pick_projections(lake, name)  # type: ignore[arg-type]  # it is one
    assert found.qualified == "rds.rides"
