"""The SQL of MySQL 8 and MariaDB: a `database=` is a database.

Text is compared byte by byte: 'a' and 'A' are two keys.
"""

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

from slice_platform.warehouse.column_type import ColumnType, Kind
from slice_platform.warehouse.dialect import SHORT_WAIT_SECONDS, Dialect
from slice_platform.warehouse.drop_path import TableRef
from slice_platform.warehouse.mysql_index import BYTES_OF_CHARACTER
from slice_platform.warehouse.refusal import FileRefused, Finding, refuse
from slice_platform.warehouse.table_spec import Column, TableSpec

MOST_COLUMNS = 1_017  # of InnoDB
MOST_SCALE = 30
MOST_INLINE = 255  # bytes of a text that is a VARCHAR; longer ones, and those of wide tables, are TEXT
# Of a row, where each VARCHAR takes its most: it has 65 535. Of a page, which text leaves for a pointer if it is long
# or TEXT: it has 8 126. What is left is for other columns, and for those that are added.
_MOST_ROW_BYTES, _MOST_PAGE_BYTES, _MOST_BOUND_BYTES, _BYTES_OF_POINTER = 60_000, 6_000, 255, 40
_NAMES = {Kind.REAL: "FLOAT", Kind.DOUBLE: "DOUBLE", Kind.SUPER: "JSON", Kind.BOOLEAN: "TINYINT(1)"}


class MySqlDialect(Dialect):
    """`collation` compares bytes and pads nothing: its name differs between MySQL and MariaDB."""

    ledger_types = MappingProxyType(
        {
            "id": "VARCHAR(32) PRIMARY KEY",
            "text": "VARCHAR(1024) NOT NULL",
            "number": "BIGINT NOT NULL",
            "document": "MEDIUMTEXT",
            "document_number": "BIGINT",
            "moment": "DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6)",
        }
    )

    def __init__(self, collation: str = "utf8mb4_0900_bin") -> None:
        self.collation = collation

    def quoted(self, name: str) -> str:
        return "`" + name.replace("`", "``") + "`"

    def in_database(self, database: str, name: str) -> str:
        return f"{self.quoted(database)}.{self.quoted(name)}"

    def type_of(self, kind: ColumnType) -> str:
        """Moments are DATETIME: TIMESTAMP of MySQL ends in 2038. Those with a zone are in UTC."""
        match kind.kind:
            case Kind.TIMESTAMP | Kind.TIMESTAMPTZ:
                return "DATETIME(6)"
            case Kind.CHAR | Kind.VARCHAR if (kind.length or 0) <= MOST_INLINE:
                return f"VARCHAR({kind.length})"
            case Kind.CHAR | Kind.VARCHAR:
                return "TEXT"
            case _:
                return _NAMES.get(kind.kind, str(kind))

    def lock(self, ref: TableRef) -> str:  # noqa: ARG002 -- its name is bound
        """A lock of the session, by a name of at most 64 characters; 1 is the answer when it is held."""
        return "SELECT GET_LOCK(%s, %s)"

    def create_table(self, ref: TableRef, spec: TableSpec) -> tuple[str, ...]:
        """The table.

        Raises:
            FileRefused: MySQL has no such table.
        """
        if len(spec.columns) > MOST_COLUMNS:
            raise refuse(f"The table has {len(spec.columns)} columns; MySQL's InnoDB takes {MOST_COLUMNS}.")
        self._check(spec.columns)
        return super().create_table(ref, spec)

    def add_columns(self, ref: TableRef, columns: Sequence[Column], beside: Sequence[Column] = ()) -> tuple[str, ...]:
        self._check(columns)
        return super().add_columns(ref, columns, beside)

    def short_waits(self) -> tuple[str, ...]:
        return (f"SET lock_wait_timeout = {SHORT_WAIT_SECONDS}",)

    def _create_book(self, book: str, columns: Mapping[str, str]) -> tuple[str, ...]:
        (statement,) = super()._create_book(book, columns)
        return (f"{statement} ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE {self.collation}",)

    def create_stage(self, columns: Sequence[Column], key: Sequence[str] = ()) -> str:
        """Of just the types of the table, with a collation that agrees with it.

        Without its key each row of the table would be looked for among all that are staged; made later it would commit.
        """
        kinds = zip(columns, self._types(columns, indexed=frozenset(key)), strict=True)
        lines = [f"{self.quoted(column.name)} {kind}{' NOT NULL' * (column.name in key)}" for column, kind in kinds]
        lines += [f"PRIMARY KEY ({self.listed(key)})"] if key else []
        body = ", ".join(lines)
        return f"CREATE TEMPORARY TABLE {self.stage} ({body}) CHARACTER SET utf8mb4 COLLATE {self.collation}"

    def merge(self, ref: TableRef, key: tuple[str, ...], columns: tuple[Column, ...]) -> str:
        names = self.listed(column.name for column in columns)
        changed = [column.name for column in columns if column.name not in key] or [key[0]]
        sets = ", ".join(f"{self.quoted(name)} = {self.stage}.{self.quoted(name)}" for name in changed)
        return (
            f"INSERT INTO {self.table(ref)} ({names}) SELECT {names} FROM {self.stage}\nON DUPLICATE KEY UPDATE {sets}"
        )

    def load_data(self, pipe: str, target: str, columns: tuple[Column, ...]) -> str:
        """Rows from a file of this machine, which may be a pipe. Values are quoted, NULL is not.

        Nothing escapes anything, and lines end with a line feed that is sent as one: two characters would end none
        where the server takes no backslashes.
        """
        names = self.listed(column.name for column in columns)
        return (
            f"LOAD DATA LOCAL INFILE '{pipe}' INTO TABLE {target} CHARACTER SET utf8mb4\n"
            "FIELDS TERMINATED BY ',' ENCLOSED BY '\"' ESCAPED BY '' LINES TERMINATED BY '\n' " + f"({names})"
        )

    def columns_of(self) -> str:
        """By database and table."""
        return (
            "SELECT column_name, column_type FROM information_schema.columns\n"
            "WHERE table_schema = %s AND table_name = %s ORDER BY ordinal_position"
        )

    def key_of(self) -> str:
        """By database and table: the columns of its primary key."""
        return (
            "SELECT column_name FROM information_schema.statistics\n"
            "WHERE table_schema = %s AND table_name = %s AND index_name = 'PRIMARY'"
        )

    def has_ledger(self) -> str:
        table = "table_schema = %s AND table_name = '_slice_load_ledger'"
        return f"SELECT count(*) FROM information_schema.tables WHERE {table}"

    def catalog_type(self, kind: ColumnType) -> str:
        """As `canonical` makes it of what the catalog says."""
        return canonical(self.type_of(kind))

    def _table_options(self, spec: TableSpec) -> str:  # noqa: ARG002 -- as the base has it
        return f" ENGINE=InnoDB ROW_FORMAT=DYNAMIC CHARACTER SET utf8mb4 COLLATE {self.collation}"

    def _alter(self, ref: TableRef, changes: Sequence[str]) -> tuple[str, ...]:
        """One statement, as MySQL commits each by itself: all columns change or none."""
        return (f"ALTER TABLE {self.table(ref)} {', '.join(changes)}",) if changes else ()

    def _types(
        self, columns: Sequence[Column], *, indexed: frozenset[str] = frozenset(), beside: Sequence[Column] = ()
    ) -> list[str]:
        """A column of a key is indexed, which TEXT cannot be as a whole; in a wide table other text is TEXT."""
        is_wide = _is_wide([column.type for column in (*beside, *columns)])
        kinds = []
        for column in columns:
            length, kind = column.type.length, self.type_of(column.type)
            if length is not None and column.name in indexed:
                kind = f"VARCHAR({length})"
            elif length is not None and is_wide and length * BYTES_OF_CHARACTER > _BYTES_OF_POINTER:
                kind = "TEXT"
            kinds.append(kind)
        return kinds

    def _check(self, columns: Iterable[Column]) -> None:
        found = [
            Finding(
                f"has more than {MOST_SCALE} digits behind the point, which MySQL does not take", column=column.name
            )
            for column in columns
            if (column.type.scale or 0) > MOST_SCALE
        ]
        if found:
            raise FileRefused(*found)


def _is_wide(kinds: Iterable[ColumnType]) -> bool:
    """Whether texts that lie in the row would leave too little of it."""
    texts = [kind.length * BYTES_OF_CHARACTER for kind in kinds if kind.length is not None]
    in_row = [length for length in texts if length <= MOST_INLINE * BYTES_OF_CHARACTER]
    in_page = [length if length <= _MOST_BOUND_BYTES else _BYTES_OF_POINTER for length in texts]
    return sum(in_row) > _MOST_ROW_BYTES or sum(in_page) > _MOST_PAGE_BYTES


_INTEGERS: Mapping[str, str] = MappingProxyType({"integer": "int", "bigint": "bigint", "smallint": "smallint"})


def canonical(spelled: str) -> str:
    """A type of the catalog without what MySQL and MariaDB spell differently."""
    text = spelled.lower()
    name = text.partition("(")[0]
    if name in ("varchar", "text"):  # which of them it is depends on the other columns
        return "text"
    if name in ("int", "integer", "bigint", "smallint"):
        return _INTEGERS.get(name, name)
    return "json" if name == "longtext" else text
