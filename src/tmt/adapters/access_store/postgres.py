"""The access store on PostgreSQL, shared by the processes of a desk."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import psycopg
from psycopg.rows import TupleRow

from tmt.adapters.access_store.records import SqlRecords
from tmt.adapters.postgres import Database
from tmt.errors import StoreUnavailable
from tmt.ports.access_store import Value

_LOCK: Final = "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))"


class PostgresAccessStore:
    """See `ports.access_store.AccessStore`.

    Args:
        database: of the desk, migrated; the caller closes it.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    @contextmanager
    def changing(self, *topics: str) -> Iterator[SqlRecords]:
        """One transaction, durable when it is left; one at a time for each topic."""
        with self._telling("write"), self._database.transaction() as connection:
            for topic in sorted(set(topics)):  # in one order, so that two transactions never wait for each other
                connection.execute(_LOCK, (f"tmt access {self._database.schema} {topic}",))
            yield _records(connection)

    @contextmanager
    def reading(self) -> Iterator[SqlRecords]:
        """Committed records."""
        with self._telling("read"), self._database.connection() as connection:
            yield _records(connection)

    def close(self) -> None:
        """Nothing is this store's own: the database is closed by whoever opened it."""

    @contextmanager
    def _telling(self, verb: str) -> Iterator[None]:
        try:
            yield
        except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName) as error:
            what = "the database has not the tables that people and keys need"
            fix = "run `tmt database migrate`"
            raise StoreUnavailable("TMT-P004", what, where=self._database.where, fix=fix) from error
        except psycopg.Error as error:
            what = f"cannot {verb} the access store: {type(error).__name__} {error.sqlstate or ''}".rstrip()
            raise StoreUnavailable("TMT-A016", what, where=self._database.where, fix="look into its log") from error


def _records(connection: psycopg.Connection[TupleRow]) -> SqlRecords:
    def execute(query: str, values: Sequence[Value]) -> list[tuple[Any, ...]]:
        # The statements are those of `records`, made of the names of record types; values are never part of them.
        cursor = connection.execute(query.replace("?", "%s").encode(), tuple(values))
        return [] if cursor.description is None else cursor.fetchall()

    return SqlRecords(execute)
