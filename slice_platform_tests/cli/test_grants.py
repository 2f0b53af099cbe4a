"""`slice grants` prints the policy of `slice query` for Lake Formation; `slice query --role` follows it."""

import json
import shlex
from pathlib import Path

import pytest

from slice_platform.lake.ingest import ingest
from slice_platform.lake.lake import load_tables, open_lake
from slice_platform.settings import load_settings
from slice_platform_tests.cli.conftest import Slice
from slice_platform_tests.samples import TRIPS, DatasetText, changed

SECRET = DatasetText(
    changed(TRIPS.contract, "name: fare\n", "name: fare\n        classification: restricted\n"), TRIPS.defs
)
LINE = '{"id": "a", "started_at": "2013-01-01T10:00:00Z", "distance": 1, "fare": 1.5}\n'


@pytest.fixture
def secret(slice_: Slice, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Slice:
    """`slice` over a lake with one dataset, of which one column is restricted."""
    SECRET.write(tmp_path / "defs" / "trips")
    monkeypatch.setenv("SLICE_DEFS_DIR", str(tmp_path / "defs"))
    return slice_


def grants_of(slice_: Slice, *options: str) -> list[dict[str, object]]:
    done = slice_("grants", "--format", "json", *options)
    assert done.exit_code == 0, done.output
    found: list[dict[str, object]] = json.loads(done.stdout)
    return found


def test_an_open_table_is_granted_whole_to_both(slice_: Slice) -> None:
    found = [one for one in grants_of(slice_) if "carrier_punctuality" in json.dumps(one)]
    assert [list(one["Resource"]) for one in found] == [["Table"], ["Table"]]  # type: ignore[call-overload]
    assert [one["Permissions"] for one in found] == [["SELECT"], ["SELECT"]]
    assert '"DatabaseName": "business"' in json.dumps(found[0])


def test_every_table_has_a_grant_for_both_and_each_its_own_id(slice_: Slice) -> None:
    found = grants_of(slice_)
    tables = load_tables(load_settings().defs_dir)
    twice = 2 * (len(tables.datasets) + len(tables.business))
    assert [one["Id"] for one in found] == [str(n) for n in range(1, twice + 1)]


def test_analysts_do_not_see_a_restricted_column_and_readers_do(secret: Slice) -> None:
    analyst, reader = grants_of(secret, "--analyst", "arn:analyst", "--reader", "arn:reader")
    assert analyst["Principal"] == {"DataLakePrincipalIdentifier": "arn:analyst"}
    assert analyst["Resource"] == {
        "TableWithColumns": {
            "DatabaseName": "curated", "Name": "trips", "ColumnWildcard": {"ExcludedColumnNames": ["fare"]},
        }
    }  # fmt: skip
    assert reader["Principal"] == {"DataLakePrincipalIdentifier": "arn:reader"}
    assert reader["Resource"] == {"Table": {"DatabaseName": "curated", "Name": "trips"}}


def test_the_command_line_carries_the_same_as_the_json(secret: Slice) -> None:
    lines = secret("grants").stdout.splitlines()
    words = [shlex.split(line) for line in lines]
    assert [one[:4] for one in words] == [["aws", "lakeformation", "grant-permissions", "--cli-input-json"]] * 2
    expected = [{name: value for name, value in one.items() if name != "Id"} for one in grants_of(secret)]
    assert [json.loads(one[4]) for one in words] == expected


def test_the_role_of_a_query_says_what_is_seen(secret: Slice, tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(LINE)
    assert secret("drop", "trips", str(tmp_path / "a.jsonl")).exit_code == 0
    with open_lake(load_settings()) as lake:
        ingest(lake, "trips")
    sql = "select id, fare from curated.trips"
    whole = secret("query", "--role", "pii_reader", "--format", "json", sql)
    masked = secret("query", "--role", "analyst", "--format", "json", sql)
    assert float(json.loads(whole.stdout)["fare"]) == 1.5
    assert "1.5" not in masked.stdout and json.loads(masked.stdout)["id"] == "a"


def test_a_role_that_is_none_is_refused(slice_: Slice) -> None:
    done = slice_("query", "--role", "admin", "select 1 as one")
    assert done.exit_code != 0 and "'admin' is not one of" in done.stderr and "pii_reader" in done.stderr
