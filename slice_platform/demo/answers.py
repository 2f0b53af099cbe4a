"""Four questions to the demo's tables, and the answers that pandas finds in the source without the lake."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd
import pyarrow as pa

from slice_platform.demo.scenario import Scenario
from slice_platform.demo.source import TableName, read_frame

TOLERANCE = 1e-9


@dataclass(frozen=True)
class Truth:
    """The rows of the source that the tables must hold: all but those that were delivered bad."""

    flights: pd.DataFrame
    weather: pd.DataFrame
    planes: pd.DataFrame


@dataclass(frozen=True)
class Question:
    """A question in words and in SQL, and what the answer shows.

    `compute` finds the same answer in the truth, with the SQL's columns in the SQL's order.
    """

    title: str
    insight: str
    sql: str
    compute: Callable[[Truth], pd.DataFrame]


def load_truth(scenario: Scenario) -> Truth:
    """Read the source and leave out what the scenario spoiled. It holds once both waves are published.

    Raises:
        PermanentError: the package with the source's data is not installed.
    """

    def read(table: TableName) -> pd.DataFrame:
        return read_frame(table).drop(index=scenario.refused(table))

    return Truth(read("flights"), read("weather"), read("planes"))


def difference(expected: pd.DataFrame, found: pa.Table) -> str | None:
    """Where an answer departs from the expected one, in words; None where they agree.

    Whole numbers and texts must be equal, fractions to 1e-9. The order of rows counts.
    """
    if list(expected.columns) != found.column_names:
        return f"expected the columns {list(expected.columns)}, found {found.column_names}"
    if len(expected) != found.num_rows:
        return f"expected {len(expected)} rows, found {found.num_rows}"
    for name in found.column_names:
        pairs = zip(expected[name].tolist(), found[name].to_pylist(), strict=True)
        for row, (one, other) in enumerate(pairs, start=1):
            if not _agree(one, other):
                return f"row {row}, column {name}: expected {one!r}, found {other!r}"
    return None


def _agree(one: object, other: object) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=TOLERANCE, abs_tol=TOLERANCE)
    return one == other


def _late_carriers(truth: Truth) -> pd.DataFrame:
    departed = truth.flights.dropna(subset=["dep_delay"])
    delays = departed.groupby("carrier")["dep_delay"]
    answer = pd.DataFrame(
        {
            "departures": delays.count(),
            "median_delay": delays.median(),
            "over_an_hour_late": delays.agg(lambda delay: int((delay > 60).sum())).astype("int64"),
        }
    ).reset_index()
    frequent = answer[answer["departures"] >= 5000]
    return frequent.sort_values(["median_delay", "carrier"], ascending=[False, True]).head(5)


def _delays_by_visibility(truth: Truth) -> pd.DataFrame:
    joined = truth.flights.merge(truth.weather[["origin", "time_hour", "visib"]], on=["origin", "time_hour"])
    names = ["under 1 mile", "1 to 5 miles", "5 to 10 miles", "10 miles or more"]
    bands = pd.cut(joined["visib"], [-1, 1, 5, 10, math.inf], right=False, labels=names).astype(str)
    groups = joined.groupby(bands.rename("visibility"))
    answer = pd.DataFrame(
        {
            "flights": groups.size(),
            "cancelled": groups["dep_time"].agg(lambda times: int(times.isna().sum())).astype("int64"),
            "mean_delay": groups["dep_delay"].mean(),
        }
    )
    return answer.loc[names].reset_index()


def _old_planes(truth: Truth) -> pd.DataFrame:
    old = truth.planes[truth.planes["year"] < 1980].rename(columns={"year": "built"})
    departed = truth.flights.dropna(subset=["dep_time"])[["tailnum", "distance"]]
    keys = ["tailnum", "built", "manufacturer", "model", "seats"]
    flown = departed.merge(old[keys].astype({"built": "int64"}), on="tailnum").groupby(keys)["distance"]
    answer = flown.agg(flights="count", miles_a_flight="mean").reset_index()
    return answer.sort_values(["flights", "tailnum"], ascending=[False, True]).head(5)


def _punctual_carriers(truth: Truth) -> pd.DataFrame:
    is_on_time = (truth.flights["arr_delay"] < 15).rename("on_time")
    groups = is_on_time.groupby(truth.flights["carrier"])
    answer = pd.DataFrame({"flights": groups.size(), "on_time": groups.sum().astype("int64")})
    answer["percent"] = 100.0 * answer["on_time"] / answer["flights"]
    frequent = answer[answer["flights"] >= 10_000].reset_index()
    return frequent.sort_values("percent", ascending=False).head(5)


QUESTIONS = (
    Question(
        "Which of the large airlines is the latest to leave?",
        "Southwest (WN) is the only one whose median flight leaves late.",
        """\
select carrier,
       count(dep_delay) as departures,
       median(dep_delay) as median_delay,
       count_if(dep_delay > 60) as over_an_hour_late
from curated.flights
group by carrier
having count(dep_delay) >= 5000
order by median_delay desc, carrier
limit 5""",
        _late_carriers,
    ),
    Question(
        "What does fog do to departures?",
        "Below a mile of visibility a flight is nearly three times as late, and five times as often cancelled.",
        """\
select case when visib < 1 then 'under 1 mile'
            when visib < 5 then '1 to 5 miles'
            when visib < 10 then '5 to 10 miles'
            else '10 miles or more' end as visibility,
       count(*) as flights,
       count(*) - count(dep_time) as cancelled,
       avg(dep_delay) as mean_delay
from curated.flights
join curated.weather using (origin, time_hour)
group by visibility
order by min(visib)""",
        _delays_by_visibility,
    ),
    Question(
        "Which planes built before 1980 fly most?",
        "A two-seater of 1959 does not fly 1000 miles fifty times: tail numbers are given out again.",
        """\
select tailnum,
       planes.year as built,
       manufacturer,
       model,
       seats,
       count(*) as flights,
       avg(distance) as miles_a_flight
from curated.flights
join curated.planes using (tailnum)
where planes.year < 1980 and dep_time is not null
group by all
order by flights desc, tailnum
limit 5""",
        _old_planes,
    ),
    Question(
        "Which of the large airlines arrives on time?",
        "Four flights of five at Delta (DL). The answer comes from a business table.",
        """\
select carrier,
       sum(flights)::bigint as flights,
       sum(on_time)::bigint as on_time,
       100.0::double * sum(on_time) / sum(flights) as percent
from business.carrier_punctuality
group by carrier
having sum(flights) >= 10000
order by percent desc
limit 5""",
        _punctual_carriers,
    ),
)
