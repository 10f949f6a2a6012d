"""The series in PostgreSQL, with TimescaleDB where the database has it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final, Protocol

import psycopg
import pyarrow as pa

from tmt.adapters.postgres.database import Connection, Database, first_line
from tmt.adapters.series import queries
from tmt.adapters.series.days import DAY_NS
from tmt.adapters.series.errors import refuse_other_mark, unavailable
from tmt.adapters.series.hypertables import Hypertables
from tmt.adapters.series.partitions import Partitions
from tmt.adapters.series.text import csv_text
from tmt.market.bar import Timeframe
from tmt.ports.series import EXACT_TYPE, NULLABLE, QUANTILES_SCHEMA, RETAINED, SCHEMAS, Mark, Page, Window

_TYPES: Final = {pa.string(): 'text COLLATE "C"', pa.int64(): "bigint", EXACT_TYPE: "numeric(38, 18)"}
_INDEXES: Final = {
    "quotes": "instrument, time_ns, sequence",
    "trades": "instrument, time_ns, sequence",
    "bars": "instrument, timeframe, start_ns",
    "equity": "account, time_ns, sequence",
    "metrics": "name, time_ns, sequence",
}
_QUANTILE: Final = "percentile_disc({share}) WITHIN GROUP (ORDER BY value)"
_PREPARING: Final = 7_166_431_908_712_260  # an advisory lock of our own: two that start at once prepare in turn


class Layout(Protocol):
    """How the tables that grow for ever are cut by time."""

    table_suffix: str

    def describe(self) -> str:
        """What it is, for `Series.describe`."""

    def prepare(self, connection: Connection) -> None:
        """Whatever is to be done once the tables are there."""

    def make_room(self, connection: Connection, tables: Mapping[str, pa.Table]) -> None:
        """See that rows of `tables` have a place."""

    def retain(self, connection: Connection, table: str, day: int) -> int:
        """Drop what ended by the beginning of `day`, counted from 1970-01-01; return how many days."""

    def bars_made_of(self, timeframe: Timeframe) -> str | None:
        """A relation that holds bars of a timeframe made of 1m bars; None when there is none."""


class TimescaleSeries:
    """See `ports.series.Series`. Needs no migration: `prepare` makes everything.

    Args:
        database: where all tables live; closed with the series.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._found: Layout | None = None

    @contextmanager
    def _connection(self) -> Iterator[Connection]:
        try:
            with self._database.connection() as connection:
                yield connection
        except psycopg.Error as error:
            raise unavailable(first_line(error), self._database.where) from error

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        try:
            with self._database.transaction() as connection:
                yield connection
        except psycopg.Error as error:
            raise unavailable(first_line(error), self._database.where) from error

    def _layout(self, connection: Connection) -> Layout:
        if self._found is None:
            query = "SELECT extversion FROM pg_extension WHERE extname = 'timescaledb'"
            row = connection.execute(query).fetchone()
            self._found = Partitions() if row is None else Hypertables(self._database.schema, row[0])
        return self._found

    def prepare(self) -> None:
        """Make what is missing of the store's tables."""
        with self._transaction() as connection:
            connection.execute("SELECT pg_advisory_xact_lock(%s)", (_PREPARING,))
            row = connection.execute("SELECT to_regclass('marks')").fetchone()
            if row is not None and row[0] is not None:
                return
            layout = self._layout(connection)
            connection.execute(f"CREATE SCHEMA IF NOT EXISTS {self._database.schema}".encode())
            for table, schema in SCHEMAS.items():
                columns = ", ".join(
                    f"{field.name} {_TYPES[field.type]}{'' if field.name in NULLABLE else ' NOT NULL'}"
                    for field in schema
                )
                suffix = layout.table_suffix if table in RETAINED else ""
                connection.execute(f"CREATE TABLE {table} ({columns}) {suffix}".encode())
                connection.execute(f"CREATE INDEX {table}_pages ON {table} ({_INDEXES[table]})".encode())
            layout.prepare(connection)
            connection.execute("CREATE TABLE marks (position bigint NOT NULL, message_id text NOT NULL)")
            connection.execute("INSERT INTO marks VALUES (0, '')")

    def describe(self) -> str:
        """What it runs on, in a line."""
        with self._connection() as connection:
            version = connection.info.server_version
            return f"PostgreSQL {version // 10_000}.{version % 10_000}: {self._layout(connection).describe()}"

    def mark(self) -> Mark:
        """How far the log has been taken in."""
        with self._connection() as connection:
            return _mark(connection)

    def append(self, tables: Mapping[str, pa.Table], after: Mark, mark: Mark) -> bool:
        """Store rows and `mark` together, or nothing."""
        arriving = {name: rows.cast(SCHEMAS[name]) for name, rows in tables.items()}
        with self._transaction() as connection:
            found = _mark(connection, "FOR UPDATE")
            if found == mark:
                return False
            refuse_other_mark(found, after, mark, self._database.where)
            self._layout(connection).make_room(connection, arriving)
            for name, rows in arriving.items():
                _copy(connection, name, rows)
            connection.execute("UPDATE marks SET position = %s, message_id = %s", mark)
            return True

    def candles(self, instrument: str, timeframe: Timeframe, window: Window) -> Page:
        """Bars by their start."""
        where = {"instrument": instrument, "timeframe": str(timeframe)}
        if timeframe not in queries.AGGREGATED or self._rows(queries.has_bars(instrument, timeframe)):
            return self._page(queries.rows_of("bars", where, window), "bars", window)
        with self._connection() as connection:
            made = self._layout(connection).bars_made_of(timeframe)
        if made is None:
            return self._page(queries.aggregated_bars(instrument, timeframe, window), "bars", window)
        return self._page(queries.rows_of("bars", where, window, made), "bars", window)

    def quotes(self, instrument: str, window: Window) -> Page:
        """Rows of market data without a trade."""
        return self._page(queries.rows_of("quotes", {"instrument": instrument}, window), "quotes", window)

    def trades(self, instrument: str, window: Window) -> Page:
        """Trades, with the best prices then in force."""
        return self._page(queries.rows_of("trades", {"instrument": instrument}, window), "trades", window)

    def equity(self, account: str, window: Window) -> Page:
        """A point wherever the account's equity changed."""
        return self._page(queries.rows_of("equity", {"account": account}, window), "equity", window)

    def metrics(self, name: str, window: Window) -> Page:
        """Values of one metric, whatever their labels."""
        return self._page(queries.rows_of("metrics", {"name": name}, window), "metrics", window)

    def quantiles(self, name: str, from_ns: int, to_ns: int) -> pa.Table:
        """Quantiles of a metric by labels."""
        return _table(QUANTILES_SCHEMA, self._rows(queries.quantiles(name, from_ns, to_ns, _QUANTILE)))

    def _page(self, query: queries.Query, table: str, window: Window) -> Page:
        return queries.page_of(table, _table(SCHEMAS[table], self._rows(query)), window)

    def _rows(self, query: queries.Query) -> list[tuple[object, ...]]:
        statement = query.sql.replace("%", "%%").replace("?", "%s")
        with self._connection() as connection:
            return connection.execute(statement.encode(), query.values).fetchall()

    def retain(self, older_than_ns: int) -> int:
        """Drop whole days of `RETAINED` that were over by then; return how many, by table."""
        with self._transaction() as connection:
            _mark(connection, "FOR UPDATE")
            layout = self._layout(connection)
            return sum(layout.retain(connection, table, older_than_ns // DAY_NS) for table in RETAINED)

    def close(self) -> None:
        """Release the store. Closing twice is allowed."""
        self._database.close()


def _mark(connection: Connection, lock: str = "") -> Mark:
    row = connection.execute(f"SELECT position, message_id FROM marks {lock}".encode()).fetchone()  # noqa: S608
    assert row is not None, "prepare() comes first"
    return Mark(*row)


def _copy(connection: Connection, table: str, rows: pa.Table) -> None:
    columns = ", ".join(rows.column_names)
    with connection.cursor() as cursor, cursor.copy(f"COPY {table} ({columns}) FROM STDIN (FORMAT csv)".encode()) as to:
        to.write(csv_text(rows, header=False))


def _table(schema: pa.Schema, rows: list[tuple[object, ...]]) -> pa.Table:
    columns = zip(*rows, strict=True) if rows else [()] * len(schema)
    return pa.table([pa.array(each, field.type) for each, field in zip(columns, schema, strict=True)], schema)
