"""A consumer header to measure with: 391 columns, few of them filled, as brokers of addresses sell them by the month.

The same number of rows gives the same bytes on every machine: every value is cut from an md5 of a number. A
household has two persons at one address; states have their share of the population (census of 2020). One row in a
hundred repeats a person with a later date, one in a thousand has an age that is no number.
Run as a program: `python -m benchmarks.consumers FOLDER ROWS`.
"""

import gzip
import json
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from itertools import accumulate
from math import ceil
from pathlib import Path
from zlib import crc32

import yaml

from benchmarks.program import THREADS, bare_duckdb

FILES = 4
COLUMNS = 391
# Thousands of residents; the 50 states and the District of Columbia.
STATES = {
    "CA": 39538, "TX": 29146, "FL": 21538, "NY": 20201, "PA": 13003, "IL": 12813, "OH": 11799, "GA": 10712,
    "NC": 10439, "MI": 10077, "NJ": 9289, "VA": 8631, "WA": 7705, "AZ": 7152, "MA": 7030, "TN": 6911, "IN": 6786,
    "MD": 6177, "MO": 6155, "WI": 5894, "CO": 5774, "MN": 5706, "SC": 5118, "AL": 5024, "LA": 4658, "KY": 4506,
    "OR": 4237, "OK": 3959, "CT": 3606, "UT": 3272, "IA": 3190, "NV": 3105, "AR": 3012, "MS": 2961, "KS": 2938,
    "NM": 2118, "NE": 1962, "ID": 1839, "WV": 1794, "HI": 1455, "NH": 1378, "ME": 1362, "RI": 1097, "MT": 1084,
    "DE": 990, "SD": 887, "ND": 779, "AK": 733, "DC": 690, "VT": 643, "WY": 577,
}  # fmt: skip
_FIRST_NAMES = [
    "JAMES", "MARY", "JOHN", "PATRICIA", "ROBERT", "JENNIFER", "MICHAEL", "LINDA", "WILLIAM", "ELIZABETH",
    "DAVID", "BARBARA", "RICHARD", "SUSAN", "JOSEPH", "JESSICA", "THOMAS", "SARAH", "CHARLES", "KAREN", "DANIEL",
    "NANCY", "MATTHEW", "LISA", "ANTHONY", "BETTY", "MARK", "MARGARET", "DONALD", "SANDRA", "STEVEN", "ASHLEY",
    "PAUL", "KIMBERLY", "ANDREW", "EMILY", "JOSHUA", "DONNA", "KENNETH", "MICHELLE", "KEVIN", "CAROL", "BRIAN",
    "AMANDA", "GEORGE", "MELISSA",
]  # fmt: skip
_SYLLABLES = [
    "AN", "BER", "COR", "DAL", "ELS", "FER", "GAR", "HOL", "IV", "JOR", "KEL", "LAN", "MOR", "NOR", "OLS", "PET",
    "QUIN", "ROS", "SAN", "TOR", "UL", "VAN", "WEL", "YOR", "ZIM",
]  # fmt: skip
_ENDINGS = ["SON", "MAN", "LEY", "TON", "EZ", "ER", "BERG", "FORD", "INI", "SKI", "S", "WOOD"]
_STREETS = [
    "MAIN", "OAK", "PINE", "MAPLE", "CEDAR", "ELM", "WASHINGTON", "LAKE", "HILL", "WALNUT", "SPRING", "NORTH",
    "RIDGE", "CHURCH", "WILLOW", "MILL", "SUNSET", "PARK", "JEFFERSON", "RIVER", "HIGHLAND", "JACKSON", "FOREST",
    "FRANKLIN", "MEADOW", "SYCAMORE", "CHESTNUT", "DOGWOOD", "LINCOLN", "HICKORY", "MAGNOLIA",
]  # fmt: skip


@dataclass(frozen=True)
class Consumers:
    """What was generated. `persons` counts the distinct ones of the good rows."""

    rows: int
    plain_bytes: int
    stored_bytes: int
    persons: int
    bad_rows: int
    persons_by_state: dict[str, int]


def ensure_consumers(folder: Path, rows: int) -> Consumers:
    """The files lie in `folder` as *.csv.gz; made anew unless they are there in full."""
    manifest = folder / "manifest.json"
    if not manifest.exists():
        made = _generate(folder, rows)
        manifest.write_text(json.dumps(asdict(made), indent=2) + "\n", encoding="utf-8")
    return Consumers(**json.loads(manifest.read_text(encoding="utf-8")))


def write_definition(defs: Path) -> None:
    """The dataset `consumers`, as its two YAML files below `defs`."""
    folder = defs / "consumers"
    folder.mkdir(parents=True, exist_ok=True)
    properties = [
        {
            "name": name,
            "logicalType": kind,
            **({"primaryKey": True} if name == "person_id" else {}),
            **({"required": True} if name in ("household_id", "state", "updated_on") else {}),
        }
        for name, kind, _ in columns()
    ]
    table = {"name": "consumers", "logicalType": "object", "properties": properties}
    head = {"apiVersion": "v3.1.0", "kind": "DataContract", "id": "consumers", "version": "1.0.0", "status": "active"}
    _write_yaml(folder / "contract.yaml", {**head, "schema": [table]})
    attributes = {
        "files": [{"pattern": "*.csv.gz", "format": "csv"}],
        "mode": "merge",
        "order_by": ["updated_on"],
        "cluster_by": ["state", "zip_code", "street_name", "house_number"],
    }
    component = "slice_platform.components.lake_dataset.LakeDataset"
    _write_yaml(folder / "defs.yaml", {"type": component, "attributes": attributes})


def columns() -> list[tuple[str, str, str]]:
    """Name, logical type and SQL of the text of each column; NULL is an empty field."""
    found = [*_person(), *_dates(10)]
    found += [(f"score_{n:02d}", "integer", _filled(f"s{n}", 30, f"({_bits(f's{n}')} >> 8) % 100")) for n in range(20)]
    found += [
        (
            f"segment_{n:02d}",
            "string",
            _filled(f"c{n}", 40, f"substr('ABCDEFGHKM', 1 + ({_bits(f'c{n}')} >> 8) % 10, 1)"),
        )
        for n in range(40)
    ]
    interests = COLUMNS - len(found)
    return found + [(f"interest_{n:03d}", "string", _filled(f"i{n}", 1 + n % 9, "'Y'")) for n in range(interests)]


def _person() -> list[tuple[str, str, str]]:
    text = {
        "household_id": "'H' || lpad(h::varchar, 10, '0')",
        "person_id": "'P' || lpad(p::varchar, 10, '0')",
        "address_id": "'A' || lpad(((hb >> 3) % 900000000)::varchar, 9, '0')",
        "first_name": _one_of(_FIRST_NAMES, "a % 97 * (a >> 8) % 4447"),
        "middle_initial": _filled("mi", 45, f"substr('ABCDEFGHJKLMNPRST', 1 + ({_bits('mi')} >> 8) % 17, 1)"),
        "last_name": " || ".join(
            _one_of(parts, f"hb >> {shift}") for parts, shift in ((_SYLLABLES, 4), (_SYLLABLES, 12), (_ENDINGS, 20))
        ),
        "gender": "['F', 'M'][1 + (a >> 12) % 2]",
        "birth_date": _filled("bd", 60, "(date '1930-01-01' + ((a >> 16) % 27000)::integer)::varchar"),
        "age": "case when is_bad then 'unknown' else (18 + (a >> 20) % 75)::varchar end",
        "house_number": "(1 + (hb >> 24) % 60 * 2 + street * 100)::varchar",
        "pre_direction": f"case when street % 4 = 0 then {_one_of(['N', 'S', 'E', 'W'], 'street // 4')} end",
        "street_name": _one_of(_STREETS, "zip * 7 + street * 13"),
        "street_suffix": _one_of(["ST", "AVE", "RD", "DR", "LN", "CT", "BLVD"], "zip + street"),
        "unit": _filled("un", 12, "('APT ' || (1 + (hb >> 36) % 40))"),
        "city": f"{_one_of(_SYLLABLES, 'zip // 9')} || {_one_of(_ENDINGS, 'zip // 9 // 25')} || 'VILLE'",
        "state": "state",
        "zip_code": "lpad((zip + 501)::varchar, 5, '0')",
        "zip4": "lpad((street * 40 + (hb >> 42) % 40)::varchar, 4, '0')",
        "county": f"{_one_of(_SYLLABLES, 'zip // 40')} || ' COUNTY'",
        "home_phone": _filled("ph", 35, "(2000000000 + (hb >> 5) % 7999999999)::varchar"),
        "wireless_phone": _filled("wp", 45, "(2000000000 + (a >> 5) % 7999999999)::varchar"),
        "email_hash": _filled("em", 10, "left(md5('mail ' || p), 16)"),
        "income_thousands": _filled("in", 70, "(20 + (hb >> 30) % 60 * 5)::varchar"),
        "home_value": _filled("hv", 40, "(80000 + (hb >> 34) % 200 * 5000)::varchar"),
        "updated_on": "(date '2026-02-01' + case when is_again then 20 else (a >> 40) % 20 end::integer)::varchar",
    }
    kinds = {"birth_date": "date", "age": "integer", "house_number": "integer", "updated_on": "date"}
    kinds |= dict.fromkeys(("income_thousands", "home_value"), "integer")
    return [(name, kinds.get(name, "string"), sql) for name, sql in text.items()]


def _dates(count: int) -> list[tuple[str, str, str]]:
    def day(n: int) -> str:
        return _filled(f"d{n}", 6, f"(date '2020-01-01' + (({_bits(f'd{n}')} >> 8) % 2200)::integer)::varchar")

    return [(f"event_date_{n:02d}", "date", day(n)) for n in range(count)]


def _bits(name: str) -> str:
    """Sixty pseudo-random bits of a person, others for each name: a multiplication, where md5 would take minutes."""
    factor = crc32(name.encode()) % 2**28 * 2 + 1
    return f"((((a >> 3) % 4294967291) * {factor}) >> 5)"


def _filled(name: str, percent: int, value: str) -> str:
    return f"case when {_bits(name)} % 100 < {percent} then {value} end"


def _one_of(values: list[str], number: str) -> str:
    listed = ", ".join(f"'{value}'" for value in values)
    return f"[{listed}][1 + ({number}) % {len(values)}]"


def _rows_sql(rows: int, file: int) -> str:
    """The rows of one of the files, in order: which person, and what all of its columns are cut from."""
    first, end = (ceil(number * rows / FILES) for number in (file, file + 1))
    shares = list(accumulate(STATES.values()))
    state = " ".join(f"when place < {share} then '{name}'" for name, share in zip(STATES, shares, strict=True))
    return f"""
        -- A postal code is a place of ten thousand residents.
        select *, case {state} end as state, place // 10 as zip
        from (
          select *, h // 4 % 20 as street, (hb >> 1) % {shares[-1]} as place
          from (
            select i, is_again, i % 1000 = 500 as is_bad, p, p // 2 as h,
              (md5_number_lower('person ' || p) >> 1)::bigint as a,
              (md5_number_upper('household ' || p // 2) >> 1)::bigint as hb
            from (
              select i, i % 100 = 99 as is_again,
                case when i % 100 = 99 then i - 1 - (i // 100) % 50 else i end as p
              from range({first}, {end}) numbers(i))))"""


def _generate(folder: Path, rows: int) -> Consumers:
    folder.mkdir(parents=True, exist_ok=True)
    connection = bare_duckdb()
    names = ",".join(name for name, _, _ in columns())
    line = "concat_ws(',', " + ", ".join(f"coalesce(({sql})::varchar, '')" for _, _, sql in columns()) + ")"

    def write(number: int) -> tuple[int, int]:
        path = folder / f"consumers-{number}.csv.gz"
        cursor = connection.cursor()
        # No name and no time in the header: the same rows are the same bytes.
        with path.open("wb") as raw, gzip.GzipFile("", "wb", 6, raw, mtime=0) as packed:
            plain = packed.write(f"{names}\n".encode())
            cursor.execute(f"select {line} from ({_rows_sql(rows, number)})")
            while lines := cursor.fetchmany(5_000):
                plain += packed.write("".join(f"{text}\n" for (text,) in lines).encode())
        return plain, path.stat().st_size

    with ThreadPoolExecutor(THREADS) as pool:
        written = list(pool.map(write, range(FILES)))
    every = " union all ".join(f"select p, state, is_bad from ({_rows_sql(rows, number)})" for number in range(FILES))
    connection.execute(f"create table row as {every}").fetchall()
    good = "select state, count(distinct p) from row where not is_bad group by 1 order by 2 desc, 1"
    by_state = dict(connection.execute(good).fetchall())
    (bad,) = connection.execute("select count(*) from row where is_bad").fetchall()[0]
    return Consumers(
        rows=rows,
        plain_bytes=sum(plain for plain, _ in written),
        stored_bytes=sum(stored for _, stored in written),
        persons=sum(by_state.values()),
        bad_rows=bad,
        persons_by_state=by_state,
    )


def _write_yaml(path: Path, content: dict[str, object]) -> None:
    path.write_text(yaml.safe_dump(content, sort_keys=False, width=120), encoding="utf-8")


if __name__ == "__main__":
    ensure_consumers(Path(sys.argv[1]), int(sys.argv[2]))
