"""Of models made at random: an output column changes only when a source column changes that it is made of."""

from collections import Counter
from collections.abc import Mapping

import duckdb
from hypothesis import HealthCheck, given, settings

from slice_platform.lake.business.lineage import lineage_of
from slice_platform.lake.business.tables import Origin
from slice_platform_tests.lake.business.random_models import TABLES, models
from slice_platform_tests.lake.business.sources import bound, fill

_ROWS: dict[str, list[tuple[str, ...]]] = {
    "curated.a": [("3", "7"), ("8", "2"), ("6", "6")],
    "curated.b": [("1", "9"), ("4", "4")],
}


def columns_of(sql: str, rows: Mapping[str, list[tuple[str, ...]]]) -> dict[str, Counter[object]]:
    """The values of every output column, without their order."""
    with duckdb.connect(config={"threads": 1}) as connection:
        fill(connection, {name: f"values {', '.join(map(str, found))}" for name, found in rows.items()}, TABLES)
        relation = connection.sql(sql)
        names, found = relation.columns, relation.fetchall()
        return {name: Counter(row[position] for row in found) for position, name in enumerate(names)}


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(models())
def test_a_column_changes_only_with_what_it_is_made_of(sql: str) -> None:
    lineage = lineage_of(bound(sql, TABLES))
    before = columns_of(sql, _ROWS)
    for table, rows in _ROWS.items():
        for position, column in enumerate(TABLES[table].columns):
            other = [(*row[:position], f"{9 - int(row[position])}-", *row[position + 1 :]) for row in rows]
            after = columns_of(sql, {**_ROWS, table: other})
            changed = {name for name in before if before[name] != after[name]}
            made_of_it = {c.column for c in lineage.columns if Origin(table, column.name) in c.origins}
            assert changed <= made_of_it, (table, column.name)
    assert lineage.is_certain
