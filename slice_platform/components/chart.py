"""A small chart of a business table as an inline PNG, for its page."""

import base64
import io
from collections.abc import Sequence

import duckdb

from slice_platform.engine import run
from slice_platform.lake.business.definition import BusinessTable
from slice_platform.lake.business.spec import ChartSpec
from slice_platform.lake.classification import is_closed
from slice_platform.lake.layout import existing_rows
from slice_platform.sql_text import quoted

_MOST_POINTS = 400  # of one line
_INCHES = (7.0, 2.8)
_DPI = 110
Points = list[tuple[object, float]]


def chart_markdown(connection: duckdb.DuckDBPyConnection, table: BusinessTable, paths: Sequence[str]) -> str | None:
    """An image in Markdown, or None where there is nothing to draw. Nothing closed is drawn."""
    chart = table.spec.chart
    assert chart is not None
    closed = {one.name for one in table.columns if is_closed(one.classification)}
    if closed & {chart.x, chart.y, chart.by}:
        return None
    series = _series(connection, chart, existing_rows(table, paths))
    if not series:
        return None
    title = chart.title or f"{chart.y} by {chart.x}"
    return f"![{title}](data:image/png;base64,{base64.b64encode(_drawn(chart, title, series)).decode()})"


def _series(connection: duckdb.DuckDBPyConnection, chart: ChartSpec, rows: str) -> dict[str, Points]:
    """The points of each line or, under one name, of the bars; the greatest by their mean first."""
    x, y = quoted(chart.x), quoted(chart.y)
    if chart.kind == "bar":
        found = run(
            connection,
            f"select {x}, avg({y})::double as mean from {rows} where {y} is not null group by 1 "
            f"order by mean desc, 1 limit {chart.most}",
        )
        return {chart.y: [(str(at), value) for at, value in found]} if found else {}
    by = f"{quoted(chart.by)}::varchar" if chart.by else "''"
    found = run(
        connection,
        f"with points as (select {by} as line, {x} as place, avg({y})::double as value from {rows} "
        f"where {x} is not null and {y} is not null group by all), "
        f"lines as (select line from points group by 1 order by avg(value) desc, 1 limit {chart.most}) "
        f"select line, place, value from points semi join lines using (line) "
        f"qualify row_number() over (partition by line order by place desc) <= {_MOST_POINTS} order by line, place",
    )
    series: dict[str, Points] = {}
    for line, at, value in found:
        series.setdefault(line, []).append((at, value))
    return series


def _drawn(chart: ChartSpec, title: str, series: dict[str, Points]) -> bytes:
    from matplotlib.figure import Figure  # noqa: PLC0415 -- loading definitions must not wait for it

    figure = Figure(figsize=_INCHES, dpi=_DPI, layout="constrained")
    axes = figure.subplots()
    for line, points in series.items():
        places, values = [at for at, _ in points], [value for _, value in points]
        if chart.kind == "bar":
            axes.bar(places, values, color="#3a6ea5")  # type: ignore[arg-type]  # texts are places too
        else:
            axes.plot(places, values, linewidth=1.2, label=line, marker="." if len(points) < 3 else None)  # type: ignore[arg-type]  # dates are
    axes.set_title(title, fontsize=10)
    axes.tick_params(labelsize=8)
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    if chart.by and chart.kind == "line":
        figure.legend(loc="outside right upper", fontsize=7, frameon=False)
    if chart.kind == "line":
        figure.autofmt_xdate()
    image = io.BytesIO()
    figure.savefig(image, format="png", metadata={"Software": None})
    return image.getvalue()
