"""Which staged rows enter the table, and which rows there they replace.

Of several rows with one key the one that is greatest in (order_by, file id, row number) wins. That order
is a property of the files, never of the run, so any order of processing gives the same table. Only data
files that hold a replaced row are rewritten.
"""

from dataclasses import dataclass
from datetime import date

import duckdb
from pyiceberg.expressions import AlwaysTrue, And, BooleanExpression, GreaterThanOrEqual, LessThanOrEqual

from slice_platform.engine import run
from slice_platform.lake.dataset import Dataset
from slice_platform.lake.layout import existing_rows
from slice_platform.lake.partitions import WHOLE_TABLE
from slice_platform.lake.table import DataFile
from slice_platform.sql_text import literal, quoted

_MANY_FILES = 32


@dataclass(frozen=True)
class Leaving:
    """Source files whose rows leave the table, and the data files that may hold such rows."""

    file_ids: frozenset[int] = frozenset()
    held: tuple[DataFile, ...] = ()


NOBODY = Leaving()


@dataclass(frozen=True)
class MergePlan:
    """What is to be written. Duplicates are already out of the stage; `superseded` is a table all cursors see."""

    remove: tuple[DataFile, ...]
    partitions: tuple[str, ...]  # that get new files, or lose some
    duplicates: dict[tuple[str, int], int]  # staged rows that lost, by partition and file
    superseded: dict[int, int]  # rows of the table that lost or were withdrawn, by file
    rebuilt: frozenset[str] = frozenset()  # partitions of which nothing old is kept
    hidden: tuple[tuple[int, int], ...] = ()  # (a, b): a row of file a lost against one of file b

    @property
    def kept_rows(self) -> int:
        """Old rows that are written again."""
        return sum(file.rows for files in self.rewritten.values() for file in files) - sum(self.superseded.values())

    @property
    def rewritten(self) -> dict[str, list[DataFile]]:
        """For each partition to write, the files of which rows are kept."""
        found: dict[str, list[DataFile]] = {key: [] for key in self.partitions}
        for file in self.remove:
            if file.partition_key not in self.rebuilt:
                found[file.partition_key].append(file)
        return found


def key_bounds(connection: duckdb.DuckDBPyConnection, dataset: Dataset) -> BooleanExpression:
    """A filter that keeps every data file in which a row may meet a staged row with its key."""
    found: BooleanExpression = AlwaysTrue()
    if dataset.spec.mode != "merge":
        return found
    for name in dataset.key:
        column = dataset.contract.column(name)
        if column is None or column.type.kind not in ("string", "integer", "date", "timestamp"):
            continue
        bounds = f"select min({quoted(name)}), max({quoted(name)}) from stage where _errors is null"
        low, high = (v.isoformat() if isinstance(v, date) else v for v in run(connection, bounds)[0])
        if low is not None:
            found = And(found, And(GreaterThanOrEqual(term=name, value=low), LessThanOrEqual(term=name, value=high)))
    return found


def plan_merge(
    connection: duckdb.DuckDBPyConnection,
    dataset: Dataset,
    existing: list[DataFile],
    rebuilt: frozenset[str] = frozenset(),
    withdrawn: Leaving = NOBODY,
) -> MergePlan:
    """Decide between staged rows and the rows of the `existing` data files.

    Partitions in `rebuilt` are replaced whole by what is staged, rows of the `withdrawn` files leave the table.
    Afterwards the stage's good rows are exactly those that enter the table.
    """
    run(connection, "create or replace table loser (_file_id BIGINT, _row BIGINT, _partition VARCHAR, _by BIGINT)")
    run(connection, "create or replace table superseded (_path VARCHAR, _pos BIGINT, _file_id BIGINT, _by BIGINT)")
    replaced = [file for file in existing if file.partition_key in rebuilt]
    rivals = [file for file in existing if file.partition_key not in rebuilt]
    _withdraw(connection, dataset, withdrawn)
    if dataset.spec.mode == "replace":
        _lose_to_latest_file(connection, dataset, _in_staged_partitions(connection, rivals))
    if dataset.key and dataset.spec.mode != "append":
        _lose_within_batch(connection, dataset)
    if dataset.spec.mode == "merge":
        _lose_between_batch_and_table(connection, dataset, rivals)
    hidden = run(
        connection,
        "select distinct _file_id, _by from (select _file_id, _by from loser union all select _file_id, _by from "
        "superseded) where _file_id <> _by order by all",
    )
    duplicates = _counted(connection, "select _partition, _file_id, count(*) from loser group by all")
    run(connection, "delete from stage using loser where stage._file_id = loser._file_id and stage._row = loser._row")
    superseded = dict(run(connection, "select _file_id, count(*) from superseded group by 1"))
    paths = {path for (path,) in run(connection, "select distinct _path from superseded")}
    remove = (*replaced, *(file for file in rivals if file.path in paths))
    staged = {key for (key,) in run(connection, "select distinct _partition from stage where _errors is null")}
    touched = sorted(staged | {file.partition_key for file in remove})
    return MergePlan(remove, tuple(touched), duplicates, superseded, rebuilt, tuple(hidden))


def _withdraw(connection: duckdb.DuckDBPyConnection, dataset: Dataset, leaving: Leaving) -> None:
    if leaving.held:
        rows = existing_rows(dataset, [file.path for file in leaving.held], numbered=True)
        ids = ", ".join(map(str, sorted(leaving.file_ids)))
        gone = f"select _path, _pos, _file_id, null from {rows} where _file_id in ({ids})"
        run(connection, f"insert into superseded {gone}")


def _lose_within_batch(connection: duckdb.DuckDBPyConnection, dataset: Dataset) -> None:
    key = ", ".join(quoted(name) for name in dataset.key)
    if dataset.spec.mode == "replace":  # partitions are replaced one by one, so a key is one only within its own
        key += ", _partition"
    order = ", ".join(f"{quoted(name)} desc nulls last" for name in dataset.spec.order_by)
    best_first = f"{order}, _file_id desc, _row desc" if order else "_file_id desc, _row desc"
    good = (
        "(select * from stage where _errors is null and (_file_id, _row) not in (select (_file_id, _row) from loser))"
    )
    if dataset.spec.mode == "merge":
        good = "(select * from stage where _errors is null)"
    # Counting keys is much cheaper than ranking all rows; only keys that occur twice are ranked.
    run(connection, f"create or replace temp table twice as select {key} from {good} group by all having count(*) > 1")
    run(
        connection,
        f"""insert into loser select _file_id, _row, _partition, best from (
              select _file_id, _row, _partition, row_number() over ranked as place,
                first_value(_file_id) over ranked as best
              from {good} semi join twice using ({key})
              window ranked as (partition by {key} order by {best_first})) where place > 1""",
    )


def _lose_between_batch_and_table(
    connection: duckdb.DuckDBPyConnection, dataset: Dataset, rivals: list[DataFile]
) -> None:
    key = ", ".join(quoted(name) for name in dataset.key)
    if not (meeting := _meeting(connection, dataset, rivals)):
        return
    run(
        connection,
        f"""create or replace temp table met as
            select old._path, old._pos, old._file_id as old_file, new._file_id, new._row, new._partition,
              {_wins(dataset)} as wins
            from {existing_rows(dataset, meeting, numbered=True)} old
            anti join superseded using (_path, _pos)
            join (select * from stage anti join loser using (_file_id, _row) where _errors is null) new
              using ({key})""",
    )
    run(connection, "insert into loser select _file_id, _row, _partition, old_file from met where not wins")
    run(connection, "insert into superseded select _path, _pos, old_file, _file_id from met where wins")


def _meeting(connection: duckdb.DuckDBPyConnection, dataset: Dataset, rivals: list[DataFile]) -> list[str]:
    """The data files with a key of the batch. Of many files the keys are read first, and of most files only these."""
    paths = [file.path for file in rivals]
    if len(paths) < _MANY_FILES:
        return paths
    key = ", ".join(quoted(name) for name in dataset.key)
    staged = f"(select {key} from stage where _errors is null)"
    old = existing_rows(dataset, paths, numbered=True)
    found = run(connection, f"select distinct _path from {old} semi join {staged} using ({key}) order by 1")
    return [path for (path,) in found]


def _wins(dataset: Dataset) -> str:
    """Whether the new row is greater than the old one; NULL is the smallest value there is."""
    cases = "".join(
        f"when new.{name} is distinct from old.{name} then coalesce(new.{name} > old.{name}, old.{name} is null) "
        for name in map(quoted, dataset.spec.order_by)
    )
    last = "(new._file_id > old._file_id or (new._file_id = old._file_id and new._row > old._row))"
    return f"case {cases}else {last} end" if cases else last


def _in_staged_partitions(connection: duckdb.DuckDBPyConnection, rivals: list[DataFile]) -> list[DataFile]:
    staged = {key for (key,) in run(connection, "select distinct _partition from stage where _errors is null")}
    return [file for file in rivals if file.partition_key in staged]


def _lose_to_latest_file(connection: duckdb.DuckDBPyConnection, dataset: Dataset, rivals: list[DataFile]) -> None:
    """Mode replace: a partition holds the rows of the latest file that has any for it."""
    key = dataset.partition.key_sql if dataset.partition else literal(WHOLE_TABLE)
    old = "select null::varchar as _path, null::bigint as _pos, null::bigint as _file_id, null::varchar as part limit 0"
    if rivals:
        rows = existing_rows(dataset, [file.path for file in rivals], numbered=True)
        old = f"select _path, _pos, _file_id, {key} as part from {rows} anti join superseded using (_path, _pos)"
    run(connection, f"create or replace temp table old as {old}")
    run(
        connection,
        """create or replace temp table latest as select part, max(_file_id) as _file_id from (
             select part, _file_id from old union all select _partition, _file_id from stage where _errors is null)
           group by part""",
    )
    run(
        connection,
        """insert into loser select s._file_id, s._row, s._partition, l._file_id
           from stage s join latest l on s._partition = l.part
           where s._errors is null and s._file_id <> l._file_id""",
    )
    run(
        connection,
        """insert into superseded select o._path, o._pos, o._file_id, l._file_id from old o join latest l using (part)
           where o._file_id <> l._file_id""",
    )


def _counted(connection: duckdb.DuckDBPyConnection, sql: str) -> dict[tuple[str, int], int]:
    return {(key, file_id): count for key, file_id, count in run(connection, sql)}
