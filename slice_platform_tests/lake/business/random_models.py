"""Models made at random, all of whose rows there are whatever the values: no filters, no joins by value, no limits.

So when the values of one source column change, only what is made of it may change.
"""

from dataclasses import dataclass

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from slice_platform.lake.business.tables import SourceColumn, SourceTable
from slice_platform.lake.types import LogicalType

TEXT = LogicalType("string")
TABLES = {
    f"curated.{name}": SourceTable("curated", name, tuple(SourceColumn(column, TEXT) for column in columns))
    for name, columns in {"a": ("x", "y"), "b": ("x", "z")}.items()
}


@dataclass(frozen=True)
class Relation:
    """Something to select from, and its columns, all of them texts."""

    sql: str
    columns: tuple[str, ...]


def models() -> st.SearchStrategy[str]:
    """A SELECT over curated.a and curated.b."""
    return relations(3).map(lambda made: made.sql)


def relations(depth: int) -> st.SearchStrategy[Relation]:
    plain = st.sampled_from([Relation(f"select * from {name}", t) for name, t in _TABLE_COLUMNS.items()])
    if depth == 0:
        return plain
    below = relations(depth - 1)
    return st.one_of(
        plain, _projected(below), _with(below), _united(below), _side_by_side(below), _counted(below), _starred(below)
    )


_TABLE_COLUMNS = {name: tuple(column.name for column in table.columns) for name, table in TABLES.items()}


def expressions(columns: tuple[str, ...], qualifier: str = "r") -> st.SearchStrategy[str]:
    column = st.sampled_from([f"{qualifier}.{name}" for name in columns])
    return st.builds(
        str.format,
        st.sampled_from(
            [
                "{0}", "upper({0})", "{0} || {1}", "case when {0} > '5' then {1} else {2} end", "{{'k': {0}}}.k",
                "list_transform([{0}], lambda v: v || {1})[1]", "max({0}) over (partition by {1} order by {2}, {0})",
                "(select max(b.z) from curated.b b)", "(select max(b.z || {0}) from curated.b b)", "'constant'",
                "(select max(q.z) from (select x || {0} as z from curated.a) q)",
                "exists (select 1 from curated.b b where b.x > {0})::varchar",
                "({0} in (select z from curated.b))::varchar",
                "array(select b.x || {0} from curated.b b order by all)::varchar", "coalesce({0}, {1})",
                "(with w as (select {0} as v) select max(w.v || b.z) from w, curated.b b)",
            ]
        ),
        column,
        column,
        column,
    )  # fmt: skip


@st.composite
def _projected(draw: DrawFn, below: st.SearchStrategy[Relation]) -> Relation:
    inner = draw(below)
    names = draw(st.permutations(["x", "y", "z", "u", "v"]))[: draw(st.integers(1, 4))]
    made = [f"{draw(expressions(inner.columns))} as {name}" for name in names]
    if "select" not in made[0] and draw(st.booleans()):
        names, made = [*names, "w"], [*made, f"{names[0]} || '!' as w"]  # an alias used again, or a column of that name
    return Relation(f"select {', '.join(made)} from ({inner.sql}) r", tuple(names))


@st.composite
def _with(draw: DrawFn, below: st.SearchStrategy[Relation]) -> Relation:
    first, second = draw(below), draw(below)
    name = draw(st.sampled_from(["a", "w"]))
    pairs = f"select p.{first.columns[0]} as p, q.{second.columns[-1]} as q from {name} p, ({second.sql}) q"
    return Relation(f"with {name} as ({first.sql}) {pairs}", ("p", "q"))


@st.composite
def _united(draw: DrawFn, below: st.SearchStrategy[Relation]) -> Relation:
    left, right = draw(below), draw(below)
    if draw(st.booleans()):
        names = tuple(dict.fromkeys([*left.columns, *right.columns]))
        return Relation(f"({left.sql}) union all by name ({right.sql})", names)
    width = min(len(left.columns), len(right.columns))
    sides = [f"(select {', '.join(side.columns[:width])} from ({side.sql}))" for side in (left, right)]
    return Relation(" union all ".join(sides), left.columns[:width])


@st.composite
def _side_by_side(draw: DrawFn, below: st.SearchStrategy[Relation]) -> Relation:
    left = draw(below)
    made = draw(expressions(left.columns, "l"))
    first, last = left.columns[0], left.columns[-1]
    other = draw(st.sampled_from([f"unnest([{made}, l.{last}]) u(v)", f"lateral (select {made} as v) u"]))
    return Relation(f"select l.{first} as m, u.v as n from ({left.sql}) l, {other}", ("m", "n"))


@st.composite
def _counted(draw: DrawFn, below: st.SearchStrategy[Relation]) -> Relation:
    inner = draw(below)
    one, other = (draw(st.sampled_from(inner.columns)) for _ in range(2))
    form = draw(
        st.sampled_from(
            [
                "max({0})",
                "count(*) filter ({1} > '5')",
                "string_agg({0}, ',' order by {1}, {0})",
                "count(distinct {0})",
                "arg_max({0}, {1} || {0})",
            ]
        )
    )
    return Relation(
        f"select {form.format(one, other)}::varchar as s, count(*)::varchar as n from ({inner.sql})", ("s", "n")
    )


@st.composite
def _starred(draw: DrawFn, below: st.SearchStrategy[Relation]) -> Relation:
    inner = draw(below)
    name = draw(st.sampled_from(inner.columns))
    replaced = f"select * replace ({draw(expressions(inner.columns))} as {name}) from ({inner.sql}) r"
    if len(inner.columns) > 1 and draw(st.booleans()):
        return Relation(f"select * exclude ({name}) from ({replaced})", tuple(c for c in inner.columns if c != name))
    return Relation(f"select columns(*) from ({replaced})", inner.columns)
