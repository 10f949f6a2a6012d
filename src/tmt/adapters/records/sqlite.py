"""The records on SQLite: money is TEXT, exact, with the decimals it came with."""

from __future__ import annotations

import threading
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, get_args, get_type_hints

import apsw

from tmt.adapters.records import tables
from tmt.adapters.records.tables import TABLES, Query, Table
from tmt.errors import StoreUnavailable
from tmt.ports.records import Rows

_SCHEMA_VERSION: Final = 1
_INDEXES: Final = """
CREATE UNIQUE INDEX orders_by_number ON orders (number);
CREATE INDEX orders_by_account ON orders (account, number);
CREATE UNIQUE INDEX fills_by_number ON fills (number);
CREATE INDEX fills_by_order ON fills (client_order_id, number);
CREATE INDEX fills_by_account ON fills (account, number);
CREATE INDEX postings_by_account ON postings (account, number);
CREATE TABLE records (position INTEGER NOT NULL);
INSERT INTO records VALUES (0);
"""


class SqliteTables:
    """See `relational.Store`. May be used from several threads.

    A power cut may lose the newest rows together with their position, so the file is not synced at every commit.

    Args:
        path: the database file; its folder must exist. Rows of another layout are dropped: the log tells them anew.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        try:
            self._db = apsw.Connection(str(path))
            self._db.setbusytimeout(5000)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=NORMAL")
            self._prepare()
        except apsw.Error as error:
            raise self._unavailable("open", error) from error

    def _prepare(self) -> None:
        with self._db:
            if next(self._db.execute("PRAGMA user_version"))[0] == _SCHEMA_VERSION:
                return
            for table in TABLES:
                self._db.execute(f"DROP TABLE IF EXISTS {table.name}; {_create(table)}")
            self._db.execute(f"DROP TABLE IF EXISTS records; {_INDEXES} PRAGMA user_version={_SCHEMA_VERSION}")

    def position(self) -> int:
        """Log position that the rows stand at."""
        return int(self._rows("SELECT position FROM records", ())[0][0])

    def take(self, rows: Rows, position: int) -> None:
        """Take rows and the position in one transaction, unless they stand there already."""
        try:
            with self._lock, self._db:
                self._db.execute("UPDATE records SET position = ? WHERE position < ?", (position, position))
                if self._db.changes() == 0:
                    return
                for table, changed in tables.changed(rows):
                    values = [tuple(map(_plain, tables.values_of(row))) for row in changed]
                    self._db.executemany(table.upsert("?"), values)
        except apsw.Error as error:
            raise self._unavailable("write", error) from error

    def fetch(self, query: Query) -> list[tuple[Any, ...]]:
        """The rows that answer a question; money as text."""
        return self._rows(query.sql("?"), query.values)

    def _rows(self, query: str, values: tuple[int | str, ...]) -> list[tuple[Any, ...]]:
        try:
            with self._lock:
                return list(self._db.execute(query, values))
        except apsw.Error as error:
            raise self._unavailable("read", error) from error

    def close(self) -> None:
        """Release the store. Closing twice is allowed."""
        self._db.close()

    def _unavailable(self, verb: str, error: apsw.Error) -> StoreUnavailable:
        return StoreUnavailable("TMT-L013", f"cannot {verb} the records: {error}", where=str(self.path))


def _create(table: Table) -> str:
    hints = get_type_hints(table.kind)
    columns = [f"{name} {_column_type(hints[name])}" for name in table.columns]
    return f"CREATE TABLE {table.name} ({', '.join(columns)}, PRIMARY KEY ({', '.join(table.key)})) WITHOUT ROWID;"


def _column_type(hint: Any) -> str:
    kinds = get_args(hint) or (hint,)
    name = "INTEGER" if int in kinds else "TEXT"
    return name if type(None) in kinds else f"{name} NOT NULL"


def _plain(value: Any) -> Any:
    return format(value, "f") if isinstance(value, Decimal) else value
