"""Whether the copies that a table's defs.yaml asks for fit the table."""

from collections.abc import Iterator, Sequence

from slice_platform.lake.classification import is_closed
from slice_platform.lake.projection_spec import ProjectionSpec
from slice_platform.lake.table_definition import TableDefinition, names_of
from slice_platform.yaml_lines import Place, YamlFile

_WAYS_OUT = "drop, mask, hash, or {allow: <why>}"


def check_projections(source: YamlFile, table: TableDefinition, specs: Sequence[ProjectionSpec]) -> None:
    """Return if each can be made of the table's columns, and lets no personal data through that nobody allowed.

    Raises:
        ContractError: one cannot, or does; the message names file, line and field.
    """
    for position, spec in enumerate(specs):
        place = ("attributes", "projections", position)
        for field, problem in (*_unknown(table, spec), *_unfit(table, spec), *_leaks(table, spec)):
            raise source.error((*place, *field), problem)
    named = [(spec.destination, spec.database, spec.table or table.name) for spec in specs]
    if twice := [position for position, one in enumerate(named) if one in named[:position]]:
        raise source.error(("attributes", "projections", twice[0]), f"{'.'.join(named[twice[0]])} is there twice")


def dropped(table: TableDefinition, spec: ProjectionSpec) -> frozenset[str]:
    """Columns (their names there) that do not go along, as they hold personal data."""
    rules = {there: rule for there, rule in _rules(table, spec).items() if rule == "drop"}
    return frozenset(rules)


def _rules(table: TableDefinition, spec: ProjectionSpec) -> dict[str, object]:
    """What becomes of each column that holds personal data, by its name there; None where nobody said."""
    renamed = spec.renamed(names_of(table))
    return {
        renamed[one.name]: spec.personal.get(renamed[one.name], one.personal)
        for one in table.columns
        if one.name in renamed and is_closed(one.classification)
    }


def _unknown(table: TableDefinition, spec: ProjectionSpec) -> Iterator[tuple[Place, str]]:
    known = names_of(table)
    for position, name in enumerate(spec.columns):
        if name not in known:
            at = name if isinstance(spec.columns, dict) else position
            yield ("columns", at), f"{name!r} is not a column of {table.tier}.{table.name}; it has {', '.join(known)}"
    there = set(spec.renamed(known).values()) - dropped(table, spec)
    keys = {"primary_key": spec.primary_key or (), "sort_key": spec.sort_key}
    keys |= {"dist_key": (spec.dist_key,) if spec.dist_key else (), "types": tuple(spec.types)}
    keys |= {"indexes": tuple(name for index in spec.indexes for name in index), "personal": tuple(spec.personal)}
    for field, names in keys.items():
        for name in names:
            if name not in there and not (field == "personal" and name in spec.renamed(known).values()):
                yield (field,), f"{name!r} is not a column of the projection; it has {', '.join(sorted(there))}"


def _unfit(table: TableDefinition, spec: ProjectionSpec) -> Iterator[tuple[Place, str]]:
    renamed, by = spec.renamed(names_of(table)), table.partition
    gone = dropped(table, spec)
    if by is not None and (by.column not in renamed or renamed[by.column] in gone):
        yield ("columns",), f"{by.column!r} must be among them: by it the rows of a partition are found again"
    if spec.primary_key is None and any(name not in renamed or renamed[name] in gone for name in table.key):
        problem = f"the key of the table, {', '.join(table.key)}, is not among them as a whole"
        yield ("columns",), f"{problem}; name another `primary_key`, or [] for none"
    has_key = bool(table.key if spec.primary_key is None else spec.primary_key)
    if spec.mode != "replace_partition" and not has_key:
        yield ("mode",), f"{spec.mode} needs a key, to know a row again: name a `primary_key`"
    if spec.destination == "redshift" and spec.indexes:
        yield ("indexes",), "Redshift has no indexes; it has `sort_key` and `dist_key`"


def _leaks(table: TableDefinition, spec: ProjectionSpec) -> Iterator[tuple[Place, str]]:
    classes = {one.name: one.classification for one in table.columns}
    here = {there: name for name, there in spec.renamed(names_of(table)).items()}
    rules = _rules(table, spec)
    for name, rule in rules.items():
        if rule is None:
            path = f"{name} <- {table.tier}.{table.name}.{here[name]}"
            yield ("personal",), f"{path} is {classes[here[name]]}; say under `personal: {name}:` {_WAYS_OUT}"
    for name in spec.personal:
        if name in here and name not in rules:
            yield ("personal", name), f"{name!r} holds no personal data; remove it here"
