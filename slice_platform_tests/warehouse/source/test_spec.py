"""What a person writes of a source, and what is refused before anything runs."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from slice_platform.errors import ContractError
from slice_platform.warehouse.source.spec import SourceSpec, refuse_contradictions
from slice_platform.yaml_lines import read_yaml

ORDERS = {"dataset": "orders", "database": "shop", "table": "public.orders"}
CURSOR = {"column": "updated_at", "overlap": "15m"}
RETENTION = {"after": "60d", "column": "created_at"}


def checked(folder: Path, **attributes: Any) -> SourceSpec:
    given = {name: value for name, value in {**ORDERS, **attributes}.items() if value is not None}
    (folder / "defs.yaml").write_text(json.dumps({"type": "x", "attributes": given}, indent=1))
    spec = SourceSpec.model_validate(given)
    refuse_contradictions(read_yaml(folder / "defs.yaml"), spec)
    return spec


def test_times_are_written_as_people_do(tmp_path: Path) -> None:
    spec = checked(tmp_path, cursor=CURSOR, retention=RETENTION)
    assert spec.cursor is not None and spec.cursor.overlap == timedelta(minutes=15)
    assert spec.retention is not None and spec.retention.after == timedelta(days=60)
    by_number = checked(tmp_path, cursor={"column": "id", "overlap": 1000})
    assert by_number.cursor is not None and by_number.cursor.overlap == 1000


def test_without_a_url_it_is_a_server_of_the_platform(tmp_path: Path) -> None:
    assert checked(tmp_path).kind == "postgres"
    assert checked(tmp_path, server="mysql").kind == "mysql"
    assert checked(tmp_path, url_variable="SHOP_URL").kind is None


@pytest.mark.parametrize(
    ("attributes", "line", "says"),
    [
        ({"query": "select 1"}, 7, "either `table` or `query`"),
        ({"table": None}, 3, "either `table` or `query`"),
        ({"table": "a.b.c"}, 6, "write a `query`"),
        ({"table": None, "query": " ; "}, 6, "expected one SELECT"),
        ({"url_variable": "mysql://joe:secret@host"}, 7, "the URL itself, which holds a password, stays out"),
        ({"database": None}, 3, "name the `database`"),
        ({"retention": RETENTION}, 7, "would leave the lake with the next one: give a `cursor`"),
        ({"table": None, "query": "select 1", "cursor": CURSOR, "retention": RETENTION}, 11, "cannot be deleted"),
        ({"cursor": CURSOR, "retention": {**RETENTION, "after": "0d"}}, 12, "a time such as 60d"),
    ],
)
def test_what_does_not_go_together_is_told_with_its_line(
    tmp_path: Path, attributes: dict[str, Any], line: int, says: str
) -> None:
    with pytest.raises(ContractError, match=says) as told:
        checked(tmp_path, **attributes)
    assert f"defs.yaml:{line}: attributes" in str(told.value) and "secret" not in str(told.value)


@pytest.mark.parametrize(
    ("attributes", "says"),
    [
        ({"cursor": {"column": "x", "overlap": "soon"}}, "30s, 15m, 2h, 60d or 8w"),
        ({"cursor": {"column": "x", "overlap": -1}}, "30s, 15m, 2h, 60d or 8w"),
        ({"retention": {"column": "x", "after": 60}}, "30s, 15m, 2h, 60d or 8w"),
        ({"password": "x"}, "Extra inputs"),
        ({"server": "oracle"}, "'postgres' or 'mysql'"),
    ],
)
def test_what_no_source_has_is_refused(tmp_path: Path, attributes: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        checked(tmp_path, **attributes)
