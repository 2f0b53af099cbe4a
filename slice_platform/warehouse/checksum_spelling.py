"""How four engines spell what a checksum is made of: each method gives SQL of the same text or number on all of them.

Numbers with a point of their own place are the hard case: no two engines write them alike. They are multiplied by a
power of two, which is exact, so that at least 30 bits stand before the point, and what stands there is written.
"""

from collections.abc import Iterable, Sequence

_BITS_BEHIND = 30  # that each number has before its point, once it is scaled
_BAND_BITS = 32  # numbers of so many powers of two are scaled alike: 30 + 32 bits fit BIGINT
_FIRST_BAND = -12  # from 2**-12 to 2**20 lies what is usual, and is tried first
_EXPONENTS = {True: (-126, 127), False: (-1022, 1023)}  # of REAL and of DOUBLE PRECISION; smaller ones do not pass
_MOST_POWER = 1000  # of one factor: 2**1024 is none


class Spelling:
    """As Postgres has it. Moments are ISO text without zeros at their end: its own way, which costs least."""

    text_type = "TEXT"
    big_type = "BIGINT"

    def text(self, sql: str) -> str:
        return f"CAST({sql} AS {self.text_type})"

    def joined(self, pieces: Sequence[str]) -> str:
        return pieces[0] if len(pieces) == 1 else f"({' || '.join(pieces)})"

    def row(self, pieces: Sequence[str]) -> str:
        """All of them with a semicolon between each two; none is NULL."""
        return f"CONCAT_WS(';', {', '.join(pieces)})"

    def md5(self, sql: str) -> str:
        return f"MD5({sql})"

    def number(self, md5: str, digits: int) -> str:
        """The first hexadecimal digits as a number."""
        return f"CAST(CAST('x' || {md5} AS BIT({4 * digits})) AS BIGINT)"  # which cuts the rest

    def octets(self, sql: str) -> str:
        return f"OCTET_LENGTH({sql})"

    def blank_free(self, sql: str) -> str:
        """Text without blanks at its end."""
        return f"RTRIM({self.text(sql)}, ' ')"

    def day(self, sql: str) -> str:
        return self.text(sql)

    def moment(self, sql: str) -> str:
        return self.text(sql)

    def in_utc(self, sql: str) -> str:
        return f"({sql} AT TIME ZONE 'UTC')"

    def double(self, sql: str) -> str:
        return f"CAST({sql} AS DOUBLE PRECISION)"

    def power(self, of_two: int) -> str:
        """A power of two, exactly."""
        return f"CAST('{2.0**of_two:.17e}' AS DOUBLE PRECISION)"

    def scaled(self, sql: str, *, is_real: bool) -> str:
        """Text of a number that has a point: what stands before it once it is scaled, and by which band it was."""
        value = self.double(sql) if is_real else sql
        cases = [f"WHEN {value} = 0 THEN '0'"]
        for band in _bands(is_real=is_real):
            first = _FIRST_BAND + band * _BAND_BITS
            factors = " * ".join(self.power(one) for one in _factors(_BITS_BEHIND - first))
            whole = self.text(f"CAST(FLOOR({value} * {factors}) AS {self.big_type})")
            fits = self._lies_in(f"ABS({value})", first, first + _BAND_BITS, is_real=is_real)
            marked = self.joined([whole, f"'b{band}'"])
            cases.append(f"WHEN {fits} THEN {marked}")
        return f"CASE {' '.join(cases)} END"

    def _lies_in(self, size: str, first: int, last: int, *, is_real: bool) -> str:
        """From 2**first up to 2**last; what no number reaches is not asked for."""
        lowest, highest = _EXPONENTS[is_real]
        bounds = [f"{size} >= {self.power(first)}"] if first > lowest else []
        bounds += [f"{size} < {self.power(last)}"] if last <= highest else []
        return " AND ".join(bounds)


class DuckDbSpelling(Spelling):
    text_type = "VARCHAR"

    def number(self, md5: str, digits: int) -> str:
        return f"CAST('0x' || SUBSTRING({md5}, 1, {digits}) AS BIGINT)"

    def octets(self, sql: str) -> str:
        return f"STRLEN({sql})"

    def in_utc(self, sql: str) -> str:
        return f"timezone('UTC', {sql})"


class MySqlSpelling(Spelling):
    text_type, big_type = "CHAR", "SIGNED"

    def joined(self, pieces: Sequence[str]) -> str:
        return pieces[0] if len(pieces) == 1 else f"CONCAT({', '.join(pieces)})"

    def number(self, md5: str, digits: int) -> str:
        return f"CAST(CONV(SUBSTRING({md5}, 1, {digits}), 16, 10) AS UNSIGNED)"

    def octets(self, sql: str) -> str:
        return f"LENGTH({sql})"

    def blank_free(self, sql: str) -> str:
        return f"TRIM(TRAILING ' ' FROM {sql})"

    def moment(self, sql: str) -> str:
        return f"TRIM(TRAILING '.' FROM TRIM(TRAILING '0' FROM {self.text(sql)}))"

    def in_utc(self, sql: str) -> str:
        return sql  # as it is kept

    def double(self, sql: str) -> str:
        return f"({sql} * 1e0)"

    def power(self, of_two: int) -> str:
        return f"{2.0**of_two:.17e}"


class RedshiftSpelling(Spelling):
    text_type = "VARCHAR(64)"  # VARCHAR alone would cut

    def row(self, pieces: Sequence[str]) -> str:
        return " || ';' || ".join(pieces)

    def number(self, md5: str, digits: int) -> str:
        return f"STRTOL(SUBSTRING({md5}, 1, {digits}), 16)"

    def blank_free(self, sql: str) -> str:
        return f"RTRIM({sql})"

    def day(self, sql: str) -> str:
        return f"TO_CHAR({sql}, 'YYYY-MM-DD')"

    def moment(self, sql: str) -> str:
        return f"RTRIM(RTRIM(TO_CHAR({sql}, 'YYYY-MM-DD HH24:MI:SS.US'), '0'), '.')"


def _bands(*, is_real: bool) -> Iterable[int]:
    """Their numbers, those of usual numbers first."""
    lowest, highest = _EXPONENTS[is_real]
    first, last = (lowest - _FIRST_BAND) // _BAND_BITS, (highest - _FIRST_BAND) // _BAND_BITS
    return sorted(range(first, last + 1), key=abs)


def _factors(power: int) -> Iterable[int]:
    return (power,) if power <= _MOST_POWER else (_MOST_POWER, power - _MOST_POWER)
