"""All business tables below a folder of definitions, each bound against the tables it reads."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any, Literal, TypeVar

from open_data_contract_standard.model import DataQuality, ServiceLevelAgreementProperty
from pydantic import BaseModel, ValidationError

from slice_platform.errors import ContractError
from slice_platform.lake.business.agreeing import check_agreement
from slice_platform.lake.business.binding import bind
from slice_platform.lake.business.definition import COMPONENT, MODEL_FILE, BusinessTable
from slice_platform.lake.business.lineage import Lineage, lineage_of
from slice_platform.lake.business.model_tree import dependencies
from slice_platform.lake.business.personal import Treated, TreatedColumn, leak_message, treat
from slice_platform.lake.business.spec import BusinessSpec
from slice_platform.lake.business.tables import Origin, SourceColumn, SourceTable
from slice_platform.lake.classification import is_closed
from slice_platform.lake.contract import Column
from slice_platform.lake.dataset import Dataset
from slice_platform.lake.labels import check_labels
from slice_platform.lake.personal_rule import PersonalRule
from slice_platform.lake.quality import QualityRule, read_quality
from slice_platform.lake.service_levels import read_freshness
from slice_platform.lake.table_definition import TableDefinition
from slice_platform.lake.types import LogicalType
from slice_platform.lake.value_rules import ValueRules
from slice_platform.yaml_lines import Place, YamlFile, read_yaml

_Model = TypeVar("_Model", bound=BaseModel)
_NAME = re.compile(r"[A-Za-z0-9_]+")


@dataclass(frozen=True)
class _Draft:
    """A folder as it was read, before its SQL is bound."""

    name: str
    source: YamlFile
    spec: BusinessSpec
    model: Path
    sql: str
    reads: tuple[str, ...]


def load_business(defs_dir: Path, datasets: Mapping[str, Dataset]) -> dict[str, BusinessTable]:
    """Every folder with a model.sql, by name.

    Raises:
        ContractError: one is wrong, or two contradict each other; the message names file and line.
    """
    drafts = {draft.name.lower(): draft for draft in _drafts(defs_dir, datasets)}
    known = {f"curated.{name}": source_table(dataset) for name, dataset in datasets.items()}
    known |= {f"business.{draft.name}": SourceTable("business", draft.name, ()) for draft in drafts.values()}
    found: dict[str, BusinessTable] = {}
    for draft in _in_order(drafts):
        found[draft.name] = _bound(draft, datasets, known)
        known[f"business.{draft.name}"] = source_table(found[draft.name])
    return dict(sorted(found.items()))


def source_table(table: TableDefinition) -> SourceTable:
    """A table as models see it: without the columns of the platform."""
    columns = tuple(SourceColumn(one.name, one.type, one.classification) for one in table.columns)
    return SourceTable(table.tier, table.name, columns)


def _drafts(defs_dir: Path, datasets: Mapping[str, Dataset]) -> Iterator[_Draft]:
    taken = {name.lower(): dataset.folder for name, dataset in datasets.items()}
    for model in sorted(defs_dir.rglob(MODEL_FILE)):
        draft = _draft(model)
        if twin := taken.get(draft.name.lower()):
            problem = f"a table called {draft.name!r} is defined in {twin} too; names are told apart in no other way"
            raise draft.source.error(("attributes",), f"{problem}: rename one of the folders")
        taken[draft.name.lower()] = model.parent
        yield draft


def _draft(model: Path) -> _Draft:
    source, name = read_yaml(model.parent / "defs.yaml"), model.parent.name
    content = source.content if isinstance(source.content, dict) else {}
    if content.get("type") != COMPONENT:
        raise source.error(("type",), f"beside {MODEL_FILE} expected {COMPONENT!r}, got {content.get('type')!r}")
    if not _NAME.fullmatch(name):
        raise source.error((), f"{name!r}: name the folder with letters, digits and underscores")
    try:
        spec = BusinessSpec.model_validate(content.get("attributes") or {})
    except ValidationError as error:
        raise _invalid(source, ("attributes",), content.get("attributes") or {}, error) from error
    try:
        sql = model.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise source.error((), f"{model} could not be read as UTF-8 text: {error}") from error
    check_labels(source, spec.owners, spec.tags)
    return _Draft(name, source, spec, model, sql, dependencies(model, sql))


def _in_order(drafts: Mapping[str, _Draft]) -> Iterator[_Draft]:
    """Each after the business tables that it reads."""
    sorter: TopologicalSorter[str] = TopologicalSorter()
    for name, draft in drafts.items():
        read = (one.lower().removeprefix("business.") for one in draft.reads if one.startswith("business."))
        sorter.add(name, *(one for one in read if one in drafts))
    try:
        yield from [drafts[name] for name in sorter.static_order()]
    except CycleError as error:
        ring = [drafts[name] for name in error.args[1]]
        shown = " reads ".join(draft.name for draft in reversed(ring))
        raise ring[0].source.error((), f"the models read each other in a ring: {shown}") from error


def _bound(draft: _Draft, datasets: Mapping[str, Dataset], known: Mapping[str, SourceTable]) -> BusinessTable:
    bound = bind(draft.model, draft.sql, known)
    lineage = lineage_of(bound)
    rules = {**_agreed(lineage, datasets), **draft.spec.personal}
    treated = treat(bound, lineage, rules)
    _refuse_leaks(draft, treated)
    columns = tuple(_column(draft, one) for one in treated.columns)
    types = {column.name: column.type for column in columns}
    table = BusinessTable(
        name=draft.name,
        folder=draft.model.parent,
        spec=draft.spec,
        bound=bound,
        lineage=lineage,
        treated=treated,
        columns=columns,
        quality=_quality(draft, types),
        freshness=read_freshness(
            draft.source,
            _parsed(draft, "freshness", ServiceLevelAgreementProperty, draft.spec.freshness),
            table=draft.name,
            under=("attributes", "freshness"),
        ),
    )
    check_agreement(draft.source, table)
    return table


def _agreed(lineage: Lineage, datasets: Mapping[str, Dataset]) -> dict[str, PersonalRule]:
    """What the contracts say of personal data, where all that a column is made of agree and the model says nothing."""
    agreed: dict[str, PersonalRule] = {}
    for made in lineage.columns:
        rules = [rule for origin in sorted(made.origins) if (rule := _rule_of(origin, datasets)) != "open"]
        if rules and rules[0] is not None and all(rule == rules[0] for rule in rules):
            agreed[made.column] = rules[0]
    return agreed


def _rule_of(origin: Origin, datasets: Mapping[str, Dataset]) -> PersonalRule | Literal["open"] | None:
    """What a contract says of a column; None where it says nothing, or the column is of a business table."""
    dataset = datasets.get(origin.table.removeprefix("curated."))
    column = dataset.contract.column(origin.column) if dataset else None
    if column is None:
        return None
    return column.personal if is_closed(column.classification) else "open"


def _refuse_leaks(draft: _Draft, treated: Treated) -> None:
    place: Place = ("attributes", "personal")
    if treated.is_clean:
        return
    if treated.leaks:
        raise draft.source.error(place, leak_message(treated))
    for needless in treated.needless:
        raise draft.source.error((*place, needless.column), needless.problem)
    if treated.nothing_left:
        raise draft.source.error(place, treated.nothing_left.problem)


def _column(draft: _Draft, made: TreatedColumn) -> Column:
    return Column(
        name=made.name,
        type=made.type,
        required=False,
        unique=False,
        primary_key_position=None,
        rules=ValueRules(),
        description=draft.spec.columns.get(made.name),
        classification=made.classification,
    )


def _quality(draft: _Draft, types: Mapping[str, LogicalType]) -> tuple[QualityRule, ...]:
    rules = _parsed(draft, "checks", DataQuality, draft.spec.checks)
    found = read_quality(draft.source, rules, column=None, types=types, place=("attributes",), field="checks")
    names = [rule.name for rule in found]
    for position, name in enumerate(names):
        if name in names[:position]:
            problem = f"two checks are called {name!r}; give one another `name`"
            raise draft.source.error(("attributes", "checks", position), problem)
    return tuple(found)


def _parsed(draft: _Draft, field: str, model: type[_Model], items: Iterable[dict[str, Any]]) -> list[_Model]:
    """Items of a list, each with no key that the standard does not know there."""
    parsed = []
    for position, item in enumerate(items):
        place: Place = ("attributes", field, position)
        known = {one.alias or name for name, one in model.model_fields.items()}
        for key in item:
            if key not in known:
                raise draft.source.error((*place, str(key)), f"{key!r} is not known here; known: {', '.join(known)}")
        try:
            parsed.append(model.model_validate(item))
        except ValidationError as error:
            raise _invalid(draft.source, place, item, error) from error
    return parsed


def _invalid(source: YamlFile, place: Place, content: object, error: ValidationError) -> ContractError:
    """The most exact of its problems, where a person finds it: pydantic names alternatives as if they stood there."""
    problem = max(error.errors(), key=lambda one: len(one["loc"]))
    path, node = list(place), content
    for step in problem["loc"]:
        is_there = step in node if isinstance(node, dict) else isinstance(node, list) and step in range(len(node))
        if is_there:
            path.append(step)
            node = node[step]  # type: ignore[index]  # it is one of the two
    if problem["type"] == "missing":
        return source.error((*path, problem["loc"][-1]), "it is missing")
    return source.error(tuple(path), f"{problem['msg']}, got {problem['input']!r}")
