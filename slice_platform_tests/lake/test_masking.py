"""Who asks as an analyst sees no personal data, by whatever way the query asks for it."""

import pytest

from slice_platform.lake.ingest import ingest
from slice_platform.lake.lake import Lake
from slice_platform.lake.query import query
from slice_platform_tests.conftest import MakeLake
from slice_platform_tests.lake.feeds import ID, N, feed
from slice_platform_tests.samples import drop

MAIL = {"name": "mail", "logicalType": "string", "classification": "confidential"}
AGE = {"name": "age", "logicalType": "integer", "classification": "restricted"}


@pytest.fixture
def lake(make_lake: MakeLake) -> Lake:
    made = make_lake(feed(ID, N, MAIL, AGE))
    drop(made, "feed/a.jsonl", b'{"id": "1", "n": 1, "mail": "ada@x.org", "age": 987654}\n{"id": "2", "n": 2}\n')
    ingest(made, "feed")
    return made


def asked(lake: Lake, sql: str, role: str = "analyst") -> list[tuple[object, ...]]:
    return [tuple(row.values()) for row in query(lake, sql, role).table.to_pylist()]  # type: ignore[arg-type]


def test_an_analyst_sees_masks_and_a_reader_the_values(lake: Lake) -> None:
    sql = "select mail, age, n from curated.feed order by n"
    assert asked(lake, sql) == [("***", None, 1), ("***", None, 2)]
    assert asked(lake, sql, "pii_reader") == [("ada@x.org", 987654, 1), (None, None, 2)]
    assert [tuple(row.values()) for row in query(lake, sql).table.to_pylist()] == asked(lake, sql)


@pytest.mark.parametrize(
    "sql",
    [
        "select * from feed",
        "select f from curated.feed f",
        "select to_json(f) from curated.feed f",
        "select mail from raw.feed",
        "select upper(mail) || age from raw.feed",
        "with f as (from curated.feed) select list(mail), max(age) from f",
        "select id from curated.feed where mail = 'ada@x.org'",
        "select id from curated.feed where age = 987654",
        "summarize curated.feed",
    ],
)
def test_no_query_of_an_analyst_gets_at_a_value(lake: Lake, sql: str) -> None:
    told = str(asked(lake, sql))
    assert "ada" not in told.lower() and "987654" not in told


def test_what_a_filter_on_a_mask_opens_tells_nothing(lake: Lake) -> None:
    """Were files left out by the values behind the mask, their number would say whose mail is there."""
    costs = {query(lake, f"select id from feed where mail = '{who}'").cost.files_opened for who in ("ada@x.org", "a")}
    assert len(costs) == 1
    assert len(asked(lake, "select id from feed where mail = '***'")) == 2
