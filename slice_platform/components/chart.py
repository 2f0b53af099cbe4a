"""A small chart of a business table as an inline PNG, for its page."""

import base64
import io
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import duckdb

from slice_platform.engine import run
from slice_platform.lake.business.definition import BusinessTable
from slice_platform.lake.business.spec import ChartSpec
from slice_platform.lake.classification import is_closed
from slice_platform.lake.layout import existing_rows
from slice_platform.sql_text import quoted

MOST_POINTS = 400  # of one line
_INCHES = (7.0, 2.8)
_DPI = 110
_MOST_CHARACTERS = 24
_NUMBERS = ("INT", "DOUBLE", "FLOAT", "DECIMAL")
_ALT = str.maketrans({"[": "(", "]": ")", "\\": "/", "\n": " "})  # these would end the text of an image in Markdown
Points = list[tuple[object, float]]


def chart_markdown(connection: duckdb.DuckDBPyConnection, table: BusinessTable, paths: Sequence[str]) -> str | None:
    """An image in Markdown, or None where there is nothing to draw. Nothing closed is drawn."""
    chart = table.spec.chart
    assert chart is not None
    closed = {one.name for one in table.columns if is_closed(one.classification)}
    if closed & {chart.x, chart.y, chart.by}:
        return None
    return drawn(connection, chart, existing_rows(table, paths))


def drawn(connection: duckdb.DuckDBPyConnection, chart: ChartSpec, rows: str) -> str | None:
    """The same of any relation that has the columns; values that have no place on a chart are left out."""
    series = _series(connection, chart, rows)
    if not series:
        return None
    title = chart.title or f"{chart.y} by {chart.x}"
    return f"![{title.translate(_ALT)}](data:image/png;base64,{base64.b64encode(_png(chart, title, series)).decode()})"


@dataclass(frozen=True)
class _Axis:
    """How the values of a column become places on the axis, and which have one."""

    place: str
    condition: str


def _axis(connection: duckdb.DuckDBPyConnection, column: str, rows: str) -> _Axis:
    ((kind,),) = run(connection, f"select coalesce(any_value(typeof({column})), '') from {rows}")
    if kind == "DATE" or kind.startswith("TIMESTAMP"):
        moment = f"({column} at time zone 'UTC')" if kind.endswith("ZONE") else f"{column}::timestamp"
        # 9999-12-31 and infinity say that there is no date; beside them no other would be seen.
        return _Axis(moment, f"isfinite({column}) and year({column}) between 1000 and 9000")
    if any(name in kind for name in _NUMBERS):
        return _Axis(f"{column}::double", f"isfinite({column}::double)")
    return _Axis(f"{column}::varchar", f"{column} is not null")


def _series(connection: duckdb.DuckDBPyConnection, chart: ChartSpec, rows: str) -> dict[str, Points]:
    """The points of each line or, under one name, of the bars; the greatest by their mean first."""
    x, y = quoted(chart.x), quoted(chart.y)
    there = f"(select * from {rows} where {y} is not null and isfinite({y}::double))"
    if chart.kind == "bar":
        found = run(
            connection,
            f"select {x}::varchar, avg({y}::double) as mean from {there} where {x} is not null group by 1 "
            f"order by mean desc, 1 limit {chart.most}",
        )
        return {chart.y: [(str(at), value) for at, value in found]} if found else {}
    by, axis = f"{quoted(chart.by)}::varchar" if chart.by else "''", _axis(connection, x, rows)
    found = run(
        connection,
        f"with points as (select {by} as line, {axis.place} as place, avg({y}::double) as value from {there} "
        f"where {axis.condition} group by all), "
        f"lines as (select line from points group by 1 order by avg(value) desc, 1 limit {chart.most}) "
        f"select line, place, value from points semi join lines using (line) "
        f"qualify row_number() over (partition by line order by place desc) <= {MOST_POINTS} order by line, place",
    )
    series: dict[str, Points] = {}
    for line, at, value in found:
        series.setdefault(line, []).append((at, value))
    return series


def _png(chart: ChartSpec, title: str, series: dict[str, Points]) -> bytes:
    import matplotlib as mpl  # noqa: PLC0415 -- loading definitions must not wait for it
    from matplotlib.figure import Figure  # noqa: PLC0415 -- the same

    # A dollar is a dollar, in names too; a sign that no font has is drawn as a box.
    with mpl.rc_context({"text.parse_math": False}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure = Figure(figsize=_INCHES, dpi=_DPI, layout="constrained")
        axes = figure.subplots()
        lines = []
        for points in series.values():
            places, values = [at for at, _ in points], [value for _, value in points]
            if chart.kind == "bar":
                axes.bar(range(len(points)), values, color="#3a6ea5")
                axes.set_xticks(range(len(points)), [_cut(str(place)) for place in places])
            else:
                lines += axes.plot(places, values, linewidth=1.2, marker="." if len(points) < 3 else None)  # type: ignore[arg-type]  # dates are places too
        axes.set_title(title, fontsize=10)
        axes.tick_params(labelsize=8)
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
        figure.autofmt_xdate()
        if chart.by and lines:
            names = [_cut(name) for name in series]
            figure.legend(lines, names, loc="outside right upper", fontsize=7, frameon=False)
        image = io.BytesIO()
        figure.savefig(image, format="png", metadata={"Software": None})
        return image.getvalue()


def _cut(name: str) -> str:
    return name if len(name) <= _MOST_CHARACTERS else f"{name[:_MOST_CHARACTERS]}..."
