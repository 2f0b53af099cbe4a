"""What of DuckDB's SQL means the same in another engine, as sqlglot writes it there.

A list of what is known to differ would never be complete: sqlglot passes on what it does not know. So this is a list
of what is known to be the same, and everything else is refused.
"""

from collections.abc import Callable, Iterator, Mapping

from sqlglot import exp

_QUERY = (
    exp.Select, exp.From, exp.Where, exp.Group, exp.Having, exp.Order, exp.Ordered, exp.Limit, exp.Join, exp.Table,
    exp.TableAlias, exp.Subquery, exp.With, exp.CTE, exp.Union, exp.Intersect, exp.Except, exp.Distinct, exp.Qualify,
    exp.Window, exp.WindowSpec, exp.Filter, exp.Star, exp.Tuple, exp.Alias, exp.Identifier, exp.Column, exp.Placeholder,
)  # fmt: skip
_VALUES = (
    exp.Literal, exp.Boolean, exp.Null, exp.Paren, exp.And, exp.Or, exp.Not, exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT,
    exp.LTE, exp.Is, exp.In, exp.Between, exp.Exists, exp.Like, exp.Add, exp.Sub, exp.Mul, exp.Div, exp.Mod, exp.Neg,
    exp.Case, exp.If, exp.Coalesce, exp.Nullif, exp.Cast, exp.DataType, exp.DataTypeParam, exp.Var, exp.Interval,
)  # fmt: skip
_RANKS = (exp.RowNumber, exp.Rank, exp.DenseRank, exp.Lag, exp.Lead)
_FUNCTIONS = (
    exp.Count, exp.Sum, exp.Min, exp.Max, exp.Avg, *_RANKS, exp.Upper, exp.Lower, exp.Trim, exp.Length, exp.DPipe,
    exp.Abs, exp.Round, exp.Floor, exp.Ceil, exp.Extract, exp.TimestampTrunc, exp.DateTrunc,
)  # fmt: skip
_KNOWN: tuple[type[exp.Expr], ...] = (*_QUERY, *_VALUES, *_FUNCTIONS)
_TYPES = ("VARCHAR", "TEXT", "BIGINT", "INT", "DOUBLE", "DECIMAL", "BOOLEAN", "DATE", "TIMESTAMP", "TIMESTAMPTZ")
_MOMENTS = ("TIMESTAMP", "TIMESTAMPTZ")
_PARTS = ("YEAR", "MONTH", "DAY", "HOUR", "MINUTE")
_UNITS = ("YEAR", "QUARTER", "MONTH", "WEEK", "DAY", "HOUR", "MINUTE")
_JOINS = ("", "INNER", "OUTER", "CROSS")


def unportable(query: exp.Expr, dialect: str) -> Iterator[str]:
    """What in the query may mean something else in that dialect, in words; the query has its types annotated."""
    for node in query.walk():
        if not isinstance(node, _KNOWN):
            yield f"{_called(node)} is not known to mean the same there"
        for kind, judged in _JUDGES.items():
            if isinstance(node, kind) and (problem := judged(node, dialect)):
                yield problem


def doubtful(query: exp.Expr) -> Iterator[str]:
    """What is the same for most values and not for all; the query has its types annotated."""
    for node in query.find_all(exp.Cast):
        if not _casts_alike(node):
            yield f"{node.sql('duckdb')}: what is cast, and to what, differs from engine to engine"
    for division in query.find_all(exp.Div, exp.Mod):
        divisor = division.args["expression"].unnest()
        if not (isinstance(divisor, exp.Literal) and divisor.name.strip("0.")):
            yield f"{division.sql('duckdb')}: a division by zero is NULL, infinity or an error, depending on the engine"


def _casts_alike(node: exp.Cast) -> bool:
    """Not texts to values ('1.5' as an integer, '2026' as a date), not digits cut off, not numbers spelled out."""
    inner, wanted = node.this, node.to
    if isinstance(inner, exp.Literal):
        return True  # written by hand, and looked at
    if wanted.is_type(*exp.DataType.TEXT_TYPES):
        return bool(inner.is_type(*exp.DataType.TEXT_TYPES, *exp.DataType.INTEGER_TYPES, exp.DType.DATE))
    if wanted.is_type(*exp.DataType.INTEGER_TYPES):
        return bool(inner.is_type(*exp.DataType.INTEGER_TYPES))
    return bool(inner.is_type(*exp.DataType.NUMERIC_TYPES, *exp.DataType.TEMPORAL_TYPES, exp.DType.BOOLEAN))


def _called(node: exp.Expr) -> str:
    if isinstance(node, exp.Anonymous):
        return f"the function {node.name.lower()}()"
    if isinstance(node, exp.Func):
        return f"the function {node.sql_name().lower()}()"
    return f"`{node.sql('duckdb')}`"


def _group(node: exp.Expr, _dialect: str) -> str | None:
    return "GROUP BY ALL: name the columns" if node.args.get("all") else None


def _join(node: exp.Expr, _dialect: str) -> str | None:
    kind, method = str(node.args.get("kind") or "").upper(), str(node.args.get("method") or "").upper()
    return f"a join of type {f'{method} {kind}'.strip()}" if method or kind not in _JOINS else None


def _set_operation(node: exp.Expr, _dialect: str) -> str | None:
    if node.args.get("by_name"):
        return "BY NAME: list the columns in the same order on both sides"
    is_bag = not isinstance(node, exp.Union) and not node.args.get("distinct")
    return f"{node.key.upper()} ALL" if is_bag else None


def _recursion(node: exp.Expr, _dialect: str) -> str | None:
    return "WITH RECURSIVE" if node.args.get("recursive") else None


def _star(node: exp.Expr, _dialect: str) -> str | None:
    return None if isinstance(node.parent, exp.Count) else f"`{node.sql('duckdb')}`: name the columns"


def _data_type(node: exp.Expr, _dialect: str) -> str | None:
    is_known = not node.args.get("nested") and node.this.value in _TYPES if isinstance(node, exp.DataType) else True
    return None if is_known else f"the type {node.sql('duckdb')}"


def _like(node: exp.Expr, _dialect: str) -> str | None:
    pattern = node.args["expression"]
    is_plain = isinstance(pattern, exp.Literal) and "\\" not in pattern.name
    return None if is_plain else f"`{node.sql('duckdb')}`: a backslash in the pattern escapes in some engines"


def _arithmetic(node: exp.Expr, _dialect: str) -> str | None:
    left, right = node.args["this"], node.args["expression"]
    temporal = [side for side in (left, right) if side.is_type(*exp.DataType.TEMPORAL_TYPES)]
    shifts = left.is_type(*_MOMENTS) and isinstance(right, exp.Interval)
    return f"`{node.sql('duckdb')}`: the type of the difference" if temporal and not shifts else None


def _division(node: exp.Expr, _dialect: str) -> str | None:
    sides = (node.args["this"], node.args["expression"])
    is_exact = any(side.is_type(exp.DType.DECIMAL) for side in sides)
    needs = is_exact and not any(side.is_type(exp.DType.DOUBLE) for side in sides)
    return f"`{node.sql('duckdb')}`: how many digits a quotient of decimals has; write `::double`" if needs else None


def _truncation(node: exp.Expr, _dialect: str) -> str | None:
    unit = node.args["unit"].name.upper()
    if unit not in _UNITS or not node.this.is_type(*_MOMENTS):
        return f"`{node.sql('duckdb')}`: the same everywhere are timestamps cut to {', '.join(_UNITS)}"
    return None


def _distinct(node: exp.Expr, _dialect: str) -> str | None:
    return "DISTINCT ON: write QUALIFY row_number() OVER (...) = 1" if node.args.get("on") else None


def _extract(node: exp.Expr, _dialect: str) -> str | None:
    part = node.this.name.upper()
    return None if part in _PARTS else f"extract({part.lower()} ...); the same everywhere are {', '.join(_PARTS)}"


def _average(node: exp.Expr, dialect: str) -> str | None:
    is_double = node.this.is_type(exp.DType.DOUBLE)
    needs = dialect == "redshift" and not is_double
    return f"`{node.sql('duckdb')}`: it cuts digits off there; write avg(...::double)" if needs else None


def _filter(_node: exp.Expr, dialect: str) -> str | None:
    return "FILTER (WHERE ...): write CASE WHEN inside the function" if dialect == "redshift" else None


def _window(node: exp.Expr, dialect: str) -> str | None:
    needs = dialect == "redshift" and node.args.get("order") and not node.args.get("spec")
    if needs and not isinstance(node.this, _RANKS):
        return f"`{node.sql('duckdb')}`: it asks for a frame there, e.g. ROWS UNBOUNDED PRECEDING"
    return None


_JUDGES: Mapping[type[exp.Expr], Callable[[exp.Expr, str], str | None]] = {
    exp.Group: _group,
    exp.Join: _join,
    exp.SetOperation: _set_operation,
    exp.With: _recursion,
    exp.Star: _star,
    exp.DataType: _data_type,
    exp.Like: _like,
    exp.Add: _arithmetic,
    exp.Sub: _arithmetic,
    exp.Div: _division,
    exp.TimestampTrunc: _truncation,
    exp.DateTrunc: _truncation,
    exp.Distinct: _distinct,
    exp.Extract: _extract,
    exp.Avg: _average,
    exp.Filter: _filter,
    exp.Window: _window,
}
