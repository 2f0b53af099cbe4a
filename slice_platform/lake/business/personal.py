"""Personal data on its way into a business table: nothing closed gets there unless a rule says how."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from slice_platform.lake.business.binding import BoundModel, OutputColumn
from slice_platform.lake.business.lineage import Lineage
from slice_platform.lake.business.tables import Origin
from slice_platform.lake.classification import is_closed
from slice_platform.lake.personal_rule import Allow, PersonalRule
from slice_platform.lake.types import LogicalType

_WAYS_OUT = (
    "Give each of these columns a rule: `drop` (the column goes), `mask` (it stays, and its values go), `hash` (equal "
    "values stay equal, under a secret key), or `allow: <reason>` (it stays as it is, and keeps its class)."
)

Treatment: TypeAlias = Literal["mask", "hash", "allow"]


@dataclass(frozen=True)
class TreatedColumn:
    """A column of the business table. `treatment` is what was done to it, None where there was no need."""

    name: str
    type: LogicalType  # what is written
    classification: str | None = None
    treatment: Treatment | None = None
    computed_type: LogicalType | None = None  # what the model makes; None where that is what is written

    @property
    def model_type(self) -> LogicalType:
        return self.computed_type or self.type


@dataclass(frozen=True)
class Leak:
    """A column that is made of closed ones, and no rule says what becomes of it. `paths` has one for each of these."""

    column: str
    paths: tuple[str, ...]
    classification: str


@dataclass(frozen=True)
class NeedlessRule:
    """A rule for a column that is not there, or that nothing closed reaches; it would only seem to protect."""

    column: str
    problem: str


@dataclass(frozen=True)
class NothingLeft:
    """Every column is dropped."""

    problem: str = "every column is dropped, so nothing is left of the table; keep one, or remove the table"


@dataclass(frozen=True)
class Treated:
    """The columns after the rules. Where there are problems, no table may be made of them."""

    columns: tuple[TreatedColumn, ...]
    leaks: tuple[Leak, ...] = ()
    needless: tuple[NeedlessRule, ...] = ()
    nothing_left: NothingLeft | None = None
    is_certain: bool = True

    @property
    def is_clean(self) -> bool:
        return not (self.leaks or self.needless or self.nothing_left)

    @property
    def needs_key(self) -> bool:
        """Whether a column is hashed, so that the variables of `hash_variables` must be set."""
        return any(column.treatment == "hash" for column in self.columns)


def treat(model: BoundModel, lineage: Lineage, rules: Mapping[str, PersonalRule]) -> Treated:
    """What the rules, by output column, make of the model's columns; what is wrong with them is in the answer."""
    classes = classes_of(model)
    closed = {
        found.column: {origin: path for origin, path in found.paths.items() if is_closed(classes[origin])}
        for found in lineage.columns
    }
    kept = [c for c in model.columns if not (closed[c.name] and rules.get(c.name) == "drop")]
    columns = tuple(_treated(c, joined(classes[o] for o in closed[c.name]), rules.get(c.name)) for c in kept)
    leaks = tuple(
        Leak(c.name, tuple(closed[c.name].values()), joined(classes[o] for o in closed[c.name]) or "")
        for c in model.columns
        if closed[c.name] and c.name not in rules
    )
    needless = tuple(_needless(name, list(closed)) for name in rules if not closed.get(name))
    return Treated(columns, leaks, needless, None if kept else NothingLeft(), lineage.is_certain)


def classes_of(model: BoundModel) -> dict[Origin, str | None]:
    """The class of every column of every table that the model reads."""
    return {
        Origin(table.full_name, column.name): column.classification
        for table in model.tables
        for column in table.columns
    }


def joined(classifications: Iterable[str | None]) -> str | None:
    """The class of what is made of columns of these: the closed ones, sorted, with a plus between them."""
    parts = {part for found in classifications if found is not None and is_closed(found) for part in found.split("+")}
    return "+".join(sorted(parts)) or None


def leak_message(treated: Treated) -> str:
    """Every leak with its way, name by name, and what can be done."""
    lines = [f"  {leak.column!r} ({leak.classification}): {'; '.join(leak.paths)}" for leak in treated.leaks]
    unsure = (
        ""
        if treated.is_certain
        else "\nWhere the columns of this SQL come from cannot be told for sure, so each counts as made of all that it "
        "reads; written more simply, it can."
    )
    return "\n".join(["closed columns reach the business table, and no rule says how:", *lines, _WAYS_OUT]) + unsure


def _treated(column: OutputColumn, classification: str | None, rule: PersonalRule | None) -> TreatedColumn:
    if classification is None:
        return TreatedColumn(column.name, column.type)
    match rule:
        case "mask":
            return TreatedColumn(column.name, column.type, treatment="mask")
        case "hash":
            return TreatedColumn(column.name, LogicalType("string"), treatment="hash", computed_type=column.type)
        case Allow():
            return TreatedColumn(column.name, column.type, classification, "allow")
        case _:  # a leak
            return TreatedColumn(column.name, column.type, classification)


def _needless(name: str, columns: list[str]) -> NeedlessRule:
    if name not in columns:
        return NeedlessRule(name, f"there is a rule for {name!r}, which is no column here: {', '.join(columns)}")
    return NeedlessRule(name, f"there is a rule for {name!r}, and nothing closed reaches that column; remove the rule")
