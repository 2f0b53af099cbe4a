"""The policy of `slice query` as grants of Lake Formation, for Athena and everything else that asks Glue."""

import json
import shlex

import click

from slice_platform.components.runtime import run_lake
from slice_platform.lake.catalog import identifier
from slice_platform.lake.classification import is_closed
from slice_platform.lake.lake import Lake
from slice_platform.lake.table_definition import TableDefinition

Grant = dict[str, object]


def print_grants(analyst: str, reader: str, style: str) -> None:
    with run_lake() as lake:
        made = [grant for table in _tables(lake) for grant in _of(lake, table, analyst, reader)]
    if style == "json":
        click.echo(json.dumps([{"Id": str(number), **grant} for number, grant in enumerate(made, 1)], indent=2))
        return
    for grant in made:
        click.echo(f"aws lakeformation grant-permissions --cli-input-json {shlex.quote(json.dumps(grant))}")


def _tables(lake: Lake) -> list[TableDefinition]:
    return [*lake.datasets.values(), *lake.business.values()]


def _of(lake: Lake, table: TableDefinition, analyst: str, reader: str) -> list[Grant]:
    database, name = identifier(lake, table)
    closed = sorted(column.name for column in table.columns if is_closed(column.classification))
    whole: Grant = {"Table": {"DatabaseName": database, "Name": name}}
    if not closed:
        return [_grant(role, whole) for role in (analyst, reader)]
    # Lake Formation leaves columns out and masks none: a query that names one is refused there.
    rest = {"ColumnWildcard": {"ExcludedColumnNames": closed}}
    some: Grant = {"TableWithColumns": {"DatabaseName": database, "Name": name, **rest}}
    return [_grant(analyst, some), _grant(reader, whole)]


def _grant(role: str, resource: Grant) -> Grant:
    return {
        "Principal": {"DataLakePrincipalIdentifier": role},
        "Resource": resource,
        "Permissions": ["SELECT"],
    }
