"""The commands about business tables and their copies in databases: refresh, project, sql, grants."""

import click


@click.command()
@click.argument("tables", nargs=-1)
def refresh(tables: tuple[str, ...]) -> None:
    """Bring business TABLES and all projections up to date, or all of them: only what is behind is made.

    The sensor of the UI does the same by itself.
    """
    from slice_platform.cli.refreshing import refresh_tables
    from slice_platform.cli.tables import terminal

    refresh_tables(tables, terminal())


@click.command()
@click.argument("table")
@click.option("--partitions", metavar="A..B", help="Only these partitions, both ends included, or one; default all.")
def project(table: str, partitions: str | None) -> None:
    """Bring TABLE into its databases again as the lake has it, whoever changed it there, and compare both sides.

    TABLE is a dataset or business table, or the name of one of its projections, such as rds.carrier_punctuality.

    slice project carrier_punctuality --partitions 2013-06-01..2013-06-30
    """
    from slice_platform.cli.refreshing import project_table
    from slice_platform.cli.tables import terminal

    project_table(table, partitions, terminal())


@click.command()
@click.argument("table")
@click.option("--dialect", type=click.Choice(["duckdb", "athena", "redshift", "spark"]), default="duckdb")
@click.option("--partition", metavar="KEY", help="With the moments of this partition in place of the parameters.")
def sql(table: str, dialect: str, partition: str | None) -> None:
    """Print the SQL of business TABLE, translated to the dialect of another engine."""
    from slice_platform.cli.refreshing import print_sql

    print_sql(table, dialect, partition)


@click.command()
@click.option("--analyst", default="arn:aws:iam::123456789012:role/analyst", show_default=True, help="ARN of the role.")
@click.option("--reader", default="arn:aws:iam::123456789012:role/pii-reader", show_default=True, help="The same.")
@click.option("--format", "style", type=click.Choice(["cli", "json"]), default="cli")
def grants(analyst: str, reader: str, style: str) -> None:
    """Print who may see which column as grants of AWS Lake Formation: analysts no personal data, readers all.

    Nothing is granted: the output is commands of the AWS CLI, or JSON for BatchGrantPermissions.
    """
    from slice_platform.cli.grants import print_grants

    print_grants(analyst, reader, style)


COMMANDS = (refresh, project, sql, grants)
