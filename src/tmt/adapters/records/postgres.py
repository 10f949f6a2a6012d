"""The records on PostgreSQL: money is NUMERIC, exact, with the decimals it came with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from psycopg.rows import TupleRow

from tmt.adapters.postgres.database import Connection, Database
from tmt.adapters.records import tables
from tmt.adapters.records.tables import Query
from tmt.ports.records import Rows

_ADVANCE: Final = "UPDATE records SET position = %(to)s WHERE position < %(to)s"


class PostgresTables:
    """See `relational.Store`. Everything may be done twice, so it is tried again while the server is down.

    Args:
        database: migrated; stays the caller's, to be closed after the store.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        database.require_current()

    def position(self) -> int:
        """Log position that the rows stand at."""
        return int(self._rows("SELECT position FROM records")[0][0])

    def take(self, rows: Rows, position: int) -> None:
        """Take rows and the position in one transaction, unless they stand there already."""

        def store(connection: Connection) -> None:
            with connection.transaction(), connection.cursor() as cursor:
                if cursor.execute(_ADVANCE, {"to": position}).rowcount == 0:
                    return
                for table, changed in tables.changed(rows):
                    cursor.executemany(table.upsert("%s"), [tables.values_of(row) for row in changed])

        self._database.retrying(store)

    def fetch(self, query: Query) -> list[TupleRow]:
        """The rows that answer a question; money as Decimal."""
        return self._rows(query.sql("%s"), query.values)

    def _rows(self, query: str, values: Sequence[Any] = ()) -> list[TupleRow]:
        return self._database.retrying(lambda connection: connection.execute(query, values).fetchall())

    def close(self) -> None:
        """Nothing of its own to release. Closing twice is allowed."""
