"""What is concluded for every column of a sample: type, whether it may be empty, and what a person should look at."""

from dataclasses import dataclass, replace

from slice_platform.engine import run
from slice_platform.lake.sampling.leaf_types import Leaf, LeafType, type_of
from slice_platform.lake.sampling.names import personal
from slice_platform.lake.sampling.odcs_type import STRING, OdcsType
from slice_platform.lake.sampling.shape import Shape
from slice_platform.lake.sampling.texts import SampleTable, leaf_relations
from slice_platform.sql_text import literal, quoted

# Spellings of nothing that real files hold. One counts only where a column is narrower than text without it.
NULL_SPELLINGS = (
    "\\N",
    "NULL",
    "null",
    "NA",
    "N/A",
    "n/a",
    "#N/A",
    "NaN",
    "nan",
    "None",
    "none",
    "nil",
    "-",
    "--",
    "?",
    ".",
)
_SURE_SPELLINGS = ("\\N", "NULL")  # nobody writes these for a value
_MOST_ENUM, _ENUM_ROWS, _LONGEST_ENUM = 12, 100, 40
_EMAIL = r"[^@\s]+@[^@\s]+\.[^@\s]+"


@dataclass(frozen=True)
class ColumnGuess:
    """One column of the contract to be."""

    name: str
    type: OdcsType
    is_required: bool
    values: int  # that are there
    distinct: int
    notes: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()  # notes that a person should look at
    personal: str | None = None
    allowed: tuple[str, ...] = ()  # the few values that there are

    def widened(self, why: str) -> "ColumnGuess":
        """As text, which takes anything."""
        return replace(self, type=STRING, notes=(), doubts=(*self.doubts, why), allowed=())


def conclude(table: SampleTable) -> list[ColumnGuess]:
    """All columns, in the order of the sample."""
    rows = table.rows
    return [_column(table, name, shape, rows) for name, shape in table.shapes.items()]


def _column(table: SampleTable, name: str, shape: Shape, rows: int) -> ColumnGuess:
    leaves = leaf_relations(table, name)
    named = (*(step for place, _, _ in leaves for step in place if step != "*"), name)
    data = next((what for step in named if (what := personal(step))), None)
    text = quoted(name)
    values, distinct, there = run(
        table.connection,
        f"select count({text}), count(distinct {text}), count(nullif({text}, '')) from stage",
    )[0]
    emails = shape.hint in ("text", "words") and _is_email(table, name)
    data = data or ("an e-mail address" if emails else None)
    found = {
        place: type_of(Leaf(table.connection, place[-1] if place else name, leaf, relation, may_show=data is None))
        for place, leaf, relation in leaves
    }
    if shape.hint in ("object", "array"):
        run(table.connection, f"drop table if exists nested_{list(table.shapes).index(name)}")
    made = _assembled(shape, found)
    is_text = made == STRING
    # In CSV an empty field in quotes is the empty string of a text column, and nothing in every other.
    filled = values if is_text or table.format != "csv" else there
    return ColumnGuess(
        name=name,
        type=made,
        is_required=filled == rows,
        values=filled,
        distinct=distinct,
        notes=tuple(_placed(place, note) for place, leaf in found.items() for note in leaf.notes if leaf.is_sure),
        doubts=tuple(_placed(place, note) for place, leaf in found.items() for note in leaf.notes if not leaf.is_sure),
        personal=data,
        allowed=_allowed(table, name, distinct, values) if is_text and data is None and shape.hint != "opaque" else (),
    )


def _placed(place: tuple[str, ...], note: str) -> str:
    return f"{'.'.join(place).replace('.*', '[]').replace('*', '[]')}: {note}" if place else note


def _assembled(shape: Shape, found: dict[tuple[str, ...], LeafType], place: tuple[str, ...] = ()) -> OdcsType:
    if shape.hint == "object":
        return OdcsType("object", fields=tuple((n, _assembled(s, found, (*place, n))) for n, s in shape.fields))
    if shape.items is not None:
        return OdcsType("array", items=_assembled(shape.items, found, (*place, "*")))
    return found[place].type


def _is_email(table: SampleTable, name: str) -> bool:
    text = quoted(name)
    sample = f"select {text} as t from stage where {text} <> '' limit 200"
    return bool(run(table.connection, f"select bool_and(regexp_full_match(t, '{_EMAIL}')) from ({sample})")[0][0])


def _allowed(table: SampleTable, name: str, distinct: int, values: int) -> tuple[str, ...]:
    if not 2 <= distinct <= _MOST_ENUM or values < _ENUM_ROWS or values < distinct * 20:
        return ()
    text = quoted(name)
    found = [
        t for (t,) in run(table.connection, f"select distinct {text} as t from stage where t is not null order by t")
    ]
    return tuple(found) if all(0 < len(t) <= _LONGEST_ENUM and t.isprintable() for t in found) else ()


def null_spellings(table: SampleTable, columns: list[ColumnGuess]) -> dict[str, str]:
    """Spellings of nothing that the CSV files use, each with the reason to believe it.

    A column that is text for this spelling alone is the proof; where every column that holds it is text anyway, it
    may be a value.
    """
    texts = [column for column in columns if column.type == STRING and column.values and column.distinct]
    found: dict[str, str] = {}
    listed = ", ".join(literal(one) for one in NULL_SPELLINGS)
    for column in texts:
        text = quoted(column.name)
        held = [t for (t,) in run(table.connection, f"select distinct {text} from stage where {text} in ({listed})")]
        if not held:
            continue
        for spelling in sorted(set(held) & set(_SURE_SPELLINGS)):
            found.setdefault(spelling, f"nobody writes {spelling} for a value")
        rest = f"select {text} as t from stage where {text} not in ({listed})"
        if type_of(Leaf(table.connection, column.name, table.shapes[column.name], rest)).type != STRING:
            for spelling in sorted(held):
                found.setdefault(spelling, f"apart from it {column.name} is no text")
    return found
