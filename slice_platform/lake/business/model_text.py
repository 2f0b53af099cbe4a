"""The text of a model.sql, and errors that point into it."""

from dataclasses import dataclass
from pathlib import Path

from slice_platform.errors import ContractError


@dataclass(frozen=True)
class ModelText:
    """What stands in model.sql. DuckDB counts in bytes of UTF-8, so places are counted in these."""

    path: Path
    sql: str

    def error(self, problem: str, at: int | None = None, *, line: int | None = None) -> ContractError:
        """An error at the byte `at`, or on `line`; without either it is about the whole of it."""
        where = line or (1 if at is None else self.line(at))
        return ContractError(f"{self.path}:{where}: model.sql: {problem}")

    def line(self, at: int) -> int:
        """The line, from 1, that the byte `at` stands on."""
        return self.sql.encode()[:at].count(b"\n") + 1
