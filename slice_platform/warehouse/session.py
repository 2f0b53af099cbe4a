"""One transaction of one database, as all destinations see it."""

from abc import ABC, abstractmethod
from typing import Any, TypeAlias

Value: TypeAlias = str | int | None


class Session(ABC):
    """Runs statements in one transaction and remembers them. Values are bound to `%s`, never written into the text."""

    def __init__(self) -> None:
        self.statements: list[str] = []

    def run(self, statement: str, *values: Value) -> int:
        """Run it; how many rows it changed, where the database tells (else -1)."""
        self.statements.append(statement)
        return self._run(statement, values)

    def rows(self, statement: str, *values: Value) -> list[tuple[Any, ...]]:
        """Run a query; all its rows."""
        self.statements.append(statement)
        return self._rows(statement, values)

    def count(self, statement: str, *values: Value) -> int:
        """Run a query of one number."""
        return int(self.rows(statement, *values)[0][0])

    @abstractmethod
    def _run(self, statement: str, values: tuple[Value, ...]) -> int: ...

    @abstractmethod
    def _rows(self, statement: str, values: tuple[Value, ...]) -> list[tuple[Any, ...]]: ...
