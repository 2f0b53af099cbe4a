"""Device events to measure with: the same number of rows gives the same bytes, on every machine.

Every value is cut from an md5 of the event's number, so nothing depends on the random numbers of a library.
One row in twenty repeats an earlier event, half of these with a newer time; one in a hundred is bad.
Run as a program: `python -m benchmarks.events FOLDER ROWS`.
"""

import gzip
import json
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from math import ceil
from pathlib import Path
from typing import Literal, TypeAlias, get_args

from benchmarks.program import THREADS, bare_duckdb

FileFormat: TypeAlias = Literal["jsonl", "csv"]
FORMATS: tuple[FileFormat, ...] = get_args(FileFormat)
FILES = 8
DAYS = 10
EVENT_COLUMNS = {  # of the CSV, and the type DuckDB has for each
    "event_id": "VARCHAR",
    "user_id": "VARCHAR",
    "event_time": "TIMESTAMPTZ",
    "platform": "VARCHAR",
    "amount": "DECIMAL(12,2)",
    "session_seconds": "BIGINT",
    "battery_percent": "BIGINT",
    "is_foreground": "BOOLEAN",
    "payload": "VARCHAR",
}
PAYLOAD_SHAPE = (
    '{"screen":"VARCHAR","app_version":"VARCHAR","network":{"kind":"VARCHAR","rtt_ms":"BIGINT"},"tags":["VARCHAR"]}'
)

# What is wrong with a bad row. Readers without rejects keep those of which the key and the time can be read.
BAD_KINDS = ("cut", "no_key", "bad_time", "no_user", "bad_amount", "bad_battery", "bad_rtt")
UNREADABLE = frozenset({"cut", "no_key", "bad_time"})


@dataclass(frozen=True)
class Events:
    """What was generated. `keys` counts the distinct events of the rows that are good, and of each bad kind besides."""

    rows: int
    plain_bytes: dict[FileFormat, int]
    stored_bytes: dict[FileFormat, int]
    rows_by_kind: dict[str, int]
    keys_without_bad: int
    keys_with_soft: int  # and of the rows whose fault spoils one value, not the key or the time
    keys_with_soft_but_amount: int  # and without those whose amount is no number


def ensure_events(folder: Path, rows: int, formats: tuple[FileFormat, ...] = FORMATS) -> Events:
    """The files lie in `folder`/jsonl and `folder`/csv; made anew unless they are there in full."""
    manifest = folder / "manifest.json"
    if not manifest.exists():
        made = _generate(folder, rows, formats)
        manifest.write_text(json.dumps(asdict(made), indent=2) + "\n", encoding="utf-8")
    return read_events(folder)


def read_events(folder: Path) -> Events:
    return Events(**json.loads((folder / "manifest.json").read_text(encoding="utf-8")))


def files_of(folder: Path, file_format: FileFormat) -> list[Path]:
    return sorted((folder / file_format).glob(f"*.{file_format}.gz"))


def _generate(folder: Path, rows: int, formats: tuple[FileFormat, ...]) -> Events:
    connection = bare_duckdb()

    def write(place: tuple[FileFormat, int]) -> tuple[FileFormat, int, int]:
        file_format, number = place
        path = folder / file_format / f"events-{number}.{file_format}.gz"
        path.parent.mkdir(parents=True, exist_ok=True)
        cursor = connection.cursor()
        plain = 0
        # No name and no time in the header: the same rows are the same bytes.
        with path.open("wb") as raw, gzip.GzipFile("", "wb", 6, raw, mtime=0) as packed:
            if file_format == "csv":
                plain += packed.write(f"{','.join(EVENT_COLUMNS)}\n".encode())
            # Rows are made as they are written, never held: there may be more of them than memory takes.
            cursor.execute(f"select {_LINE[file_format]} from ({_rows_sql(rows, number)})")
            while lines := cursor.fetchmany(20_000):
                plain += packed.write("".join(f"{line}\n" for (line,) in lines).encode())
        return file_format, plain, path.stat().st_size

    with ThreadPoolExecutor(THREADS) as pool:
        written = list(pool.map(write, [(one, number) for one in formats for number in range(FILES)]))
    every = " union all ".join(f"select e, kind from ({_rows_sql(rows, number)})" for number in range(FILES))
    connection.execute(f"create table row as {every}").fetchall()

    def keys(*left_out: str) -> int:
        kinds = ", ".join(repr(kind) for kind in BAD_KINDS if kind not in left_out)
        sql = f"select count(distinct e) from row where kind = 'good' or kind in ({kinds or 'null'})"
        (count,) = connection.execute(sql).fetchall()[0]
        return int(count)

    kinds = connection.execute("select kind, count(*) from row group by kind order by kind").fetchall()
    return Events(
        rows=rows,
        plain_bytes={one: sum(plain for of, plain, _ in written if of == one) for one in formats},
        stored_bytes={one: sum(stored for of, _, stored in written if of == one) for one in formats},
        rows_by_kind=dict(kinds),
        keys_without_bad=keys(*BAD_KINDS),
        keys_with_soft=keys(*UNREADABLE),
        keys_with_soft_but_amount=keys(*UNREADABLE, "bad_amount"),
    )


def _rows_sql(rows: int, file: int) -> str:
    """The lines of one of the files, in order: `i` its place, `e` the number of its event, its values as JSON text."""
    first, end = (ceil(number * rows / FILES) for number in (file, file + 1))
    kinds = ", ".join(f"'{kind}'" for kind in BAD_KINDS)
    return f"""
        with numbered as (
          select i, i % 20 = 19 as is_again,
            -- Row 20k+19 repeats one of the rows before it that repeat nothing themselves.
            case when i % 20 = 19
              then md5_number_lower('again ' || i) % (i // 20 + 1) * 20 + md5_number_upper('again ' || i) % 19
              else i end::bigint as e,
            case when i % 100 = 37 then [{kinds}][1 + i // 100 % {len(BAD_KINDS)}] else 'good' end as kind
          from range({first}, {end}) numbers(i)),
        drawn as (
          select *, (md5_number_lower('event ' || e) >> 1)::bigint as a,
            (md5_number_upper('event ' || e) >> 1)::bigint as b,
            case when is_again and i // 20 % 2 = 0 then 1 + i % 600 else 0 end as seconds_later
          from numbered)
        select i, e, kind,
          case when kind <> 'no_key' then cast(md5('id ' || e) as uuid)::varchar end as event_id,
          case when kind <> 'no_user' then cast(md5('user ' || (a % 100000)) as uuid)::varchar end as user_id,
          case when kind = 'bad_time' then 'yesterday' else strftime(
            timestamp '2026-03-01' + to_milliseconds((b % {DAYS * 86_400_000})::bigint) + to_seconds(seconds_later),
            '%Y-%m-%dT%H:%M:%S.%gZ') end as event_time,
          ['android', 'ios', 'web'][1 + (a >> 20) % 3] as platform,
          case when kind = 'bad_amount' then 'abc' when (a >> 24) % 5 < 2
            then (((b >> 32) % 200000 + seconds_later)::decimal(12, 2) / 100)::decimal(12, 2)::varchar end as amount,
          (a >> 28) % 3600 as session_seconds,
          case when kind = 'bad_battery' then 130 else (a >> 40) % 101 end as battery_percent,
          ((a >> 48) % 4 > 0)::varchar as is_foreground,
          '{{"screen":"' || ['home', 'search', 'cart', 'checkout', 'profile', 'settings', 'help', 'offers']
            [1 + (a >> 50) % 8] || '","app_version":"4.' || (a >> 53) % 12 || '.' || (a >> 57) % 6
            || '","network":{{"kind":"' || ['wifi', '4g', '5g'][1 + (b >> 50) % 3] || '","rtt_ms":'
            || case when kind = 'bad_rtt' then '"slow"' else (5 + (b >> 52) % 400)::varchar end
            || '}},"tags":[' || ['', '"trial"', '"beta","eu"', '"push","promo","returning"'][1 + (a >> 59) % 4] || ']}}'
            as payload
        from drawn"""


_CUT = "case when kind = 'cut' then left({0}, 60) else {0} end"
_LINE: dict[FileFormat, str] = {
    "jsonl": _CUT.format(
        """('{"event_id":' || coalesce('"' || event_id || '"', 'null') || ',"user_id":'
        || coalesce('"' || user_id || '"', 'null') || ',"event_time":"' || event_time || '","platform":"' || platform
        || '","amount":' || case when kind = 'bad_amount' then '"abc"' else coalesce(amount, 'null') end
        || ',"session_seconds":' || session_seconds || ',"battery_percent":' || battery_percent
        || ',"is_foreground":' || is_foreground || ',"payload":' || payload || '}')"""
    ),
    "csv": _CUT.format(
        """(concat_ws(',', coalesce(event_id, ''), coalesce(user_id, ''), event_time, platform, coalesce(amount, ''),
        session_seconds, battery_percent, is_foreground, '"' || replace(payload, '"', '""') || '"'))"""
    ),
}

if __name__ == "__main__":
    ensure_events(Path(sys.argv[1]), int(sys.argv[2]))
