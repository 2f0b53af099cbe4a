"""How a table follows its contract: which changes it takes, and which it refuses with what to do.

Changes are taken over in the commit of the first rows that need them: a crash leaves neither, and a reader never
sees one without the other. What the rows of a table were published under is kept in its properties.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import pairwise

from pyiceberg import types as ice
from pyiceberg.schema import Schema
from pyiceberg.table import Table, Transaction
from pyiceberg.table.update.schema import UpdateSchema

from slice_platform.errors import ContractError
from slice_platform.lake.classification import is_closed
from slice_platform.lake.table_definition import TableDefinition, names_of
from slice_platform.lake.table_schema import divided_by, logical_type, partition_spec_of, schema_of
from slice_platform.yaml_lines import Place, read_yaml

_REQUIRED, CLOSED = "slice.required", "slice.closed"
_COLUMNS: Place = ("schema", 0, "properties")


@dataclass(frozen=True)
class _Problem:
    """One thing that a table cannot follow, and where it stands in the dataset's YAML."""

    place: Place
    says: str
    file: str = "contract.yaml"


def terms(dataset: TableDefinition) -> dict[str, str]:
    """Table properties: what decides which rows enter the table, beyond its columns, and which of these are closed."""
    closed = sorted(column.name for column in dataset.columns if is_closed(column.classification))
    return {**dataset.terms, _REQUIRED: json.dumps(_required(dataset)), CLOSED: json.dumps(closed)}


def refuse_contradictions(table: Table, dataset: TableDefinition, *, anew: bool = False) -> None:
    """Return if the table can follow the contract. One without rows follows nearly anything.

    It can gain optional columns, at any place and inside objects; decimals can gain digits before the point; what
    was required may become optional; rules on values, descriptions and the order of columns may change. With
    `anew` every row is to be replaced: then only the partition must be what it was.

    Raises:
        ContractError: a column left the contract or became narrower, another type or required; or mode, key,
            order_by or partition are others. The message names file, line and field of each, and the ways out.
    """
    lasting = list(_of_division(table, dataset))
    if anew or _is_empty(table):
        found = lasting
    else:
        rows = [*_of_columns(table, dataset), *_of_requirements(table, dataset), *_of_terms(table, dataset)]
        found = [*rows, *lasting]
    if not found:
        return
    folder = dataset.folder
    told = "\n".join(f"  {read_yaml(folder / one.file).error(one.place, one.says)}" for one in found)
    again = f"make the whole table again from raw with `slice rebuild {dataset.name}`, or "
    raise ContractError(
        f"The table {dataset.tier}.{dataset.name} cannot follow its contract; nothing was changed:\n{told}\n"
        f"Restore what it was, or {'' if lasting else again}give the dataset another name."
    )


def can_follow(table: Table, dataset: TableDefinition) -> bool:
    """Whether rows may be added under the definition as it is now, without making every row anew."""
    rows = (*_of_columns(table, dataset), *_of_requirements(table, dataset), *_of_terms(table, dataset))
    return _is_empty(table) or not rows


def adopt(transaction: Transaction, table: Table, dataset: TableDefinition, *, anew: bool = False) -> None:
    """Stage in the transaction what the contract changed; nothing where nothing changed.

    `anew` is for a transaction that replaces every row of the table: then it takes any change.
    """
    anew = anew or _is_empty(table)
    if _is_current(table, dataset):
        return
    wanted, by = schema_of(dataset), divided_by(table.spec(), table.schema())
    divide = anew and by != divided_by(partition_spec_of(dataset, wanted), wanted)
    if divide:
        with transaction.update_spec() as spec:
            for part in table.spec().fields:
                spec.remove_field(part.name)
    with transaction.update_schema(allow_incompatible_changes=anew) as schema:
        _adopt_fields(schema, (), table.schema().fields, wanted.fields)
    if divide:
        with transaction.update_spec() as spec:
            for part in partition_spec_of(dataset, wanted).fields:
                spec.add_field(str(wanted.find_column_name(part.source_id)), part.transform, part.name)
    transaction.set_properties(terms(dataset))


def adopted_schema(table: Table, dataset: TableDefinition, *, anew: bool = False) -> Schema:
    """The schema that the table will have, with the field ids that `adopt` will give: for writing its data files."""
    transaction = table.transaction()  # never committed
    adopt(transaction, table, dataset, anew=anew)
    return transaction.table_metadata.schema()


def _is_empty(table: Table) -> bool:
    snapshot = table.current_snapshot()
    counted = snapshot.summary["total-data-files"] if snapshot and snapshot.summary else None
    return not int(counted or 0)


def _is_current(table: Table, dataset: TableDefinition) -> bool:
    wanted, found = schema_of(dataset), table.schema()
    has_terms = all(table.properties.get(name) == value for name, value in terms(dataset).items())
    is_divided = divided_by(table.spec(), found) == divided_by(partition_spec_of(dataset, wanted), wanted)
    return has_terms and is_divided and _shape(found.fields) == _shape(wanted.fields)


def _shape(fields: Iterable[ice.NestedField]) -> list[tuple[str, str, str | None]]:
    """Everything of the fields but their ids, which differ between a contract and its table."""
    return [(field.name, str(logical_type(field.field_type)), field.doc) for field in fields]


def _required(dataset: TableDefinition) -> list[str]:
    """A row whose partition cannot be told is rejected, too."""
    by = dataset.partition.column if dataset.partition else None
    return sorted(c.name for c in dataset.columns if c.required or c.name == by)


def _of_columns(table: Table, dataset: TableDefinition) -> Iterator[_Problem]:
    wanted, found = schema_of(dataset), table.schema()
    for gone in _gone((), found.fields, wanted.fields):
        yield _Problem(_COLUMNS, f"{gone}; the table holds it")
    there = {field.name: field for field in found.fields}
    for at, name in enumerate(names_of(dataset)):
        if name in there:
            field = wanted.find_field(name)
            for says in _differences((name,), there[name].field_type, field.field_type):
                yield _Problem((*_COLUMNS, at), says)


def _gone(path: tuple[str, ...], found: Iterable[ice.NestedField], wanted: Iterable[ice.NestedField]) -> Iterator[str]:
    there, expected = {field.name: field for field in found}, {field.name: field for field in wanted}
    new = {name: _word(field.field_type) for name, field in expected.items() if name not in there}
    for name in [name for name in there if name not in expected]:
        kind = _word(there[name].field_type)
        alike = [other for other, of in new.items() if of == kind]
        near = get_close_matches(name, alike, n=1, cutoff=0.5) or (alike if len(alike) == 1 else [])
        hint = f", perhaps renamed to {'.'.join((*path, near[0]))!r}" if near else ""
        yield f"{'.'.join((*path, name))!r} ({kind}) left the contract{hint}"


def _differences(path: tuple[str, ...], found: ice.IcebergType, wanted: ice.IcebergType) -> Iterator[str]:
    """What keeps a column of one type from becoming one of another."""
    if isinstance(found, ice.StructType) and isinstance(wanted, ice.StructType):
        yield from _gone(path, found.fields, wanted.fields)
        there = {field.name: field.field_type for field in found.fields}
        for field in wanted.fields:
            if field.name in there:
                yield from _differences((*path, field.name), there[field.name], field.field_type)
    elif isinstance(found, ice.ListType) and isinstance(wanted, ice.ListType):
        yield from _differences((*path, "element"), found.element_type, wanted.element_type)
    elif isinstance(found, ice.DecimalType) and isinstance(wanted, ice.DecimalType) and found.scale == wanted.scale:
        if wanted.precision < found.precision:
            yield f"{'.'.join(path)!r} is {_word(wanted)}, narrower than the {_word(found)} that the table holds"
    elif _word(found) != _word(wanted):
        yield f"{'.'.join(path)!r} is {_word(wanted)}, but the table holds {_word(found)}"


def _of_requirements(table: Table, dataset: TableDefinition) -> Iterator[_Problem]:
    there = {field.name for field in table.schema().fields}
    kept = json.loads(table.properties.get(_REQUIRED, json.dumps(_required(dataset))))
    for at, name in enumerate(names_of(dataset)):
        if name in _required(dataset) and (name not in there or name not in kept):
            says = (
                f"{name!r} is newly required, and rows of the table may lack it; leave it optional, with a `quality` "
                "rule nullValues mustBe 0 for the files to come"
            )
            yield _Problem((*_COLUMNS, at, "required"), says)


def _of_terms(table: Table, dataset: TableDefinition) -> Iterator[_Problem]:
    now, file = terms(dataset), "defs.yaml"
    for name in dataset.terms:
        kept = table.properties.get(name, now[name])  # a table of an earlier release does not tell
        if kept != now[name]:
            field = name.removeprefix("slice.").replace("-", "_")
            says = f"{now[name]} now, but the rows of the table were chosen by {kept}"
            yield _Problem(("attributes", field), says, file)


def _of_division(table: Table, dataset: TableDefinition) -> Iterator[_Problem]:
    """What stays once anything was committed: earlier snapshots, the ledger and the UI know the table's partitions."""
    if table.current_snapshot() is None:
        return
    schema = schema_of(dataset)
    by, found = divided_by(partition_spec_of(dataset, schema), schema), divided_by(table.spec(), table.schema())
    if by != found:
        says = f"says {by}, but the table is divided by {found}, which has to stay"
        yield _Problem(("attributes", "partition"), says, "defs.yaml")
        return
    wanted = {field.name: _word(field.field_type) for field in schema.fields}
    for part in table.spec().fields:
        source = table.schema().find_field(part.source_id)
        if wanted.get(source.name) != _word(source.field_type):
            says = f"the table is divided by {source.name!r} ({_word(source.field_type)}), which has to stay as it is"
            # A business table has its columns from its SQL; what divides it is named in its defs.yaml.
            by_model = dataset.tier == "business"
            yield _Problem(("attributes", "partition"), says, "defs.yaml") if by_model else _Problem(_COLUMNS, says)


def _adopt_fields(
    update: UpdateSchema, path: tuple[str, ...], found: Iterable[ice.NestedField], wanted: Iterable[ice.NestedField]
) -> None:
    there, order = {field.name: field for field in found}, [field.name for field in wanted]
    kept = []
    for name, field in there.items():
        new = next((one for one in wanted if one.name == name), None)
        if new is None or any(_differences((), field.field_type, new.field_type)):
            update.delete_column((*path, name))
        else:
            kept.append(name)
            _adopt_type(update, (*path, name), field, new)
    added = [field for field in wanted if field.name not in kept]
    for field in added:
        update.add_column((*path, field.name), field.field_type, doc=field.doc)
    is_reused = any(
        field.name in there for field in added
    )  # pyiceberg would move the column that goes; the next commit
    if not is_reused and [*kept, *(field.name for field in added)] != order:
        update.move_first((*path, order[0]))
        for before, name in pairwise(order):
            update.move_after((*path, name), (*path, before))


def _adopt_type(update: UpdateSchema, path: tuple[str, ...], found: ice.NestedField, wanted: ice.NestedField) -> None:
    old, new = found.field_type, wanted.field_type
    if found.doc != wanted.doc:
        update.update_column(path, doc=wanted.doc or "")
    if isinstance(old, ice.StructType) and isinstance(new, ice.StructType):
        _adopt_fields(update, path, old.fields, new.fields)
    elif isinstance(old, ice.ListType) and isinstance(new, ice.ListType):
        _adopt_type(update, (*path, "element"), old.element_field, new.element_field)
    elif old != new:
        update.update_column(path, field_type=new)


def _word(kind: ice.IcebergType) -> str:
    return str(logical_type(kind))
