"""What the benchmark of the stores stores: a loop through the desk's own store, and a plain one beside it."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from decimal import Decimal
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final, NamedTuple

import apsw
import duckdb
import psycopg
import pyarrow as pa

from tmt.adapters.event_log.postgres import PostgresEventLog
from tmt.adapters.event_log.sqlite import SqliteEventLog
from tmt.adapters.postgres.database import Database
from tmt.adapters.records.postgres import PostgresTables
from tmt.adapters.records.relational import RelationalRecords
from tmt.adapters.records.sqlite import SqliteTables
from tmt.adapters.records.tables import BY_KIND, values_of
from tmt.adapters.series.duckdb import DuckDbSeries
from tmt.adapters.series.timescale import TimescaleSeries
from tmt.domain.order import Side
from tmt.ports.event_log import Entry
from tmt.ports.records import FillRow, Rows
from tmt.ports.series import SCHEMAS, Mark

BODY_BYTES: Final = 500
T0_NS: Final = 1_767_571_200_000_000_000


class Loop(NamedTuple):
    """Something to be stored again and again: `store` takes a batch of so many rows."""

    name: str
    store: Callable[[int], None]


def entries(numbers: Iterator[int], count: int) -> list[Entry]:
    """New events, each with an id of its own."""
    body = b"x" * BODY_BYTES
    made = []
    for number in itertools.islice(numbers, count):
        message_id = blake2b(number.to_bytes(8, "big"), digest_size=16).hexdigest()
        made.append(Entry(message_id, message_id, "OrderFilled", T0_NS + number, body))
    return made


def fills(numbers: Iterator[int], count: int) -> tuple[FillRow, ...]:
    return tuple(
        FillRow(
            position=number,
            number=number,
            fill_id=f"fill-{number}",
            client_order_id=f"order-{number}",
            order_id=f"id-{number}",
            account="paper-usd",
            instrument="EURUSD",
            side=Side.BUY,
            quantity=Decimal(1000),
            price=Decimal("1.12345"),
            fee=Decimal("0.02"),
            fee_currency="USD",
            role="entry",
            liquidity="taker",
            slippage=Decimal("0.00001"),
            filled_at_ns=T0_NS + number,
        )
        for number in itertools.islice(numbers, count)
    )


def quotes(numbers: Iterator[int], count: int) -> pa.Table:
    schema = SCHEMAS["quotes"]
    taken = list(itertools.islice(numbers, count))
    exact = {"bid": Decimal("1.12345"), "ask": Decimal("1.12347"), "bid_size": Decimal(1000), "ask_size": Decimal(1000)}
    columns: dict[str, Sequence[object]] = {
        "instrument": ["EURUSD"] * count,
        "time_ns": [T0_NS + number * 1_000_000 for number in taken],
        "sequence": taken,
        **{name: [value] * count for name, value in exact.items()},
    }
    return pa.table([pa.array(columns[field.name], field.type) for field in schema], schema=schema)


PLAIN_LOG: Final = """
CREATE TABLE events (position INTEGER PRIMARY KEY, recorded_at_ns INTEGER NOT NULL, message_id TEXT NOT NULL UNIQUE,
  correlation_id TEXT NOT NULL, type TEXT NOT NULL, occurred_at_ns INTEGER NOT NULL, body BLOB NOT NULL);
CREATE INDEX by_correlation ON events (correlation_id, position);
CREATE INDEX by_type ON events (type, position);
"""


def plain_rows(numbers: Iterator[int], positions: Iterator[int], count: int) -> list[tuple[Any, ...]]:
    return [(next(positions), T0_NS, *entry) for entry in entries(numbers, count)]


def plainly(dsn: str) -> psycopg.Connection:
    """A connection that finds plain tables, which are not in the desk's schema."""
    return psycopg.connect(dsn, autocommit=True, options="-c search_path=public")


def sqlite_logs(folder: Path, stack: ExitStack) -> tuple[Loop, Loop]:
    log = stack.enter_context(closing(SqliteEventLog(folder / "events.sqlite")))
    db = stack.enter_context(closing(apsw.Connection(str(folder / "plain.sqlite"))))
    for statement in (
        "PRAGMA journal_mode=WAL",
        "PRAGMA synchronous=FULL",
        "PRAGMA wal_autocheckpoint=4000",
        PLAIN_LOG,
    ):
        db.execute(statement)
    numbers, others, positions = itertools.count(1), itertools.count(1), itertools.count(1)

    def plain(count: int) -> None:
        with db:
            db.executemany("INSERT INTO events VALUES (?,?,?,?,?,?,?)", plain_rows(others, positions, count))

    def store(count: int) -> None:
        log.append(entries(numbers, count), T0_NS)

    return Loop("event log, SQLite", store), Loop("apsw executemany", plain)


def postgres_logs(database: Database, dsn: str, stack: ExitStack) -> tuple[Loop, Loop]:
    log = stack.enter_context(closing(PostgresEventLog(database, writer=True, source="benchmark")))
    connection = stack.enter_context(closing(plainly(dsn)))
    connection.execute("CREATE TABLE plain_events (LIKE tmt.events INCLUDING INDEXES)")
    connection.execute("ALTER TABLE plain_events DROP COLUMN chain")
    numbers, others, positions = itertools.count(1), itertools.count(1), itertools.count(1)

    def plain(count: int) -> None:
        with connection.transaction(), connection.cursor() as cursor:
            rows = plain_rows(others, positions, count)
            cursor.executemany("INSERT INTO plain_events VALUES (%s,%s,%s,%s,%s,%s,%s)", rows)

    def store(count: int) -> None:
        log.append(entries(numbers, count), T0_NS)

    return Loop("event log, PostgreSQL", store), Loop("psycopg executemany", plain)


def record_loops(
    records: RelationalRecords, plain: Callable[[str, list[tuple[Any, ...]]], None], names: tuple[str, str], mark: str
) -> tuple[Loop, Loop]:
    table = BY_KIND[FillRow]
    upsert = table.upsert(mark)
    numbers, others = itertools.count(1), itertools.count(1)

    def store(count: int) -> None:
        rows = fills(numbers, count)
        records.apply(Rows(fills=rows), rows[-1].position)

    def store_plainly(count: int) -> None:
        plain(upsert, [values_of(row) for row in fills(others, count)])

    return Loop(names[0], store), Loop(names[1], store_plainly)


def sqlite_records(folder: Path, stack: ExitStack) -> tuple[Loop, Loop]:
    records = stack.enter_context(closing(RelationalRecords(SqliteTables(folder / "records.sqlite"))))
    stack.enter_context(closing(RelationalRecords(SqliteTables(folder / "plain-records.sqlite"))))  # makes the tables
    db = stack.enter_context(closing(apsw.Connection(str(folder / "plain-records.sqlite"))))
    db.execute("PRAGMA synchronous=NORMAL")

    def plain(upsert: str, rows: list[tuple[Any, ...]]) -> None:
        with db:
            db.executemany(upsert, [[str(each) if isinstance(each, Decimal) else each for each in row] for row in rows])

    return record_loops(records, plain, ("records (fills), SQLite", "apsw executemany"), "?")


def postgres_records(database: Database, dsn: str, stack: ExitStack) -> tuple[Loop, Loop]:
    records = stack.enter_context(closing(RelationalRecords(PostgresTables(database))))
    connection = stack.enter_context(closing(plainly(dsn)))
    connection.execute("CREATE TABLE fills (LIKE tmt.fills INCLUDING INDEXES)")

    def plain(upsert: str, rows: list[tuple[Any, ...]]) -> None:
        with connection.transaction(), connection.cursor() as cursor:
            cursor.executemany(upsert, rows)

    return record_loops(records, plain, ("records (fills), PostgreSQL", "psycopg executemany"), "%s")


def series_loop(series: DuckDbSeries | TimescaleSeries, name: str) -> Loop:
    numbers, marks = itertools.count(1), itertools.count(1)

    def store(count: int) -> None:
        position = next(marks)
        series.append({"quotes": quotes(numbers, count)}, mark_at(position - 1), mark_at(position))

    return Loop(name, store)


def mark_at(position: int) -> Mark:
    return Mark(position, f"message-{position}" if position else "")


def duckdb_series(folder: Path, stack: ExitStack) -> tuple[DuckDbSeries, Loop, Loop]:
    series = stack.enter_context(closing(DuckDbSeries(folder / "series.duckdb", folder / "archive")))
    series.prepare()
    db = stack.enter_context(closing(duckdb.connect(str(folder / "plain.duckdb"))))
    exact = ", ".join(f"{name} DECIMAL(38, 18)" for name in ("bid", "ask", "bid_size", "ask_size"))
    db.execute(f"CREATE TABLE quotes (instrument VARCHAR, time_ns BIGINT, sequence BIGINT, {exact})")
    numbers = itertools.count(1)

    def plain(count: int) -> None:
        db.register("arriving", quotes(numbers, count))
        db.execute("INSERT INTO quotes SELECT * FROM arriving")

    return series, series_loop(series, "series (quotes), DuckDB"), Loop("DuckDB, Arrow", plain)


def postgres_series(database: Database, dsn: str, stack: ExitStack) -> tuple[TimescaleSeries, Loop, Loop]:
    series = TimescaleSeries(database)
    series.prepare()
    connection = stack.enter_context(closing(plainly(dsn)))
    exact = ", ".join(f"{name} numeric(38, 18)" for name in ("bid", "ask", "bid_size", "ask_size"))
    connection.execute(f"CREATE TABLE plain_quotes (instrument text, time_ns bigint, sequence bigint, {exact})")
    connection.execute("CREATE INDEX ON plain_quotes (instrument, time_ns, sequence)")
    numbers = itertools.count(1)

    def plain(count: int) -> None:
        rows = zip(*(column.to_pylist() for column in quotes(numbers, count).columns), strict=True)
        with connection.cursor() as cursor, cursor.copy("COPY plain_quotes FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)

    return series, series_loop(series, "series (quotes), PostgreSQL COPY"), Loop("psycopg COPY, row by row", plain)


def sync_loop(folder: Path, stack: ExitStack) -> Loop:
    file = os.open(folder / "sync", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    stack.callback(os.close, file)

    def store(count: int) -> None:
        for _ in range(count):
            os.write(file, b"x" * 4096)
            os.fdatasync(file)

    return Loop("sync", store)
