"""Durable rows a second through every store, beside a plain loop that stores the same rows.

`python -m benchmarks.stores [--seconds N] [--quick]`, from the root of the checkout, prints method, versions and
tables, and writes them to `benchmarks/results/`. PostgreSQL is started for it.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, Final, NamedTuple

import apsw

from benchmarks.machine import Others
from benchmarks.report import Report
from benchmarks.store_loops import (
    Loop,
    duckdb_series,
    plainly,
    postgres_logs,
    postgres_records,
    postgres_series,
    sqlite_logs,
    sqlite_records,
    sync_loop,
)
from tests.servers.postgres import PostgresServer
from tmt.adapters.event_log.postgres import PostgresEventLog
from tmt.adapters.event_log.sqlite import SqliteEventLog
from tmt.adapters.postgres.database import Database
from tmt.adapters.records.postgres import PostgresTables
from tmt.adapters.records.relational import RelationalRecords
from tmt.adapters.records.sqlite import SqliteTables
from tmt.adapters.series.duckdb import DuckDbSeries
from tmt.adapters.series.timescale import TimescaleSeries
from tmt.ports.records import FillRow
from tmt.ports.series import Window

LOG_BATCHES: Final = (1, 100, 1000)
SERIES_BATCHES: Final = (1000, 10_000)
SECONDS: Final = 2.0
ROUNDS: Final = 3
READ_ROWS: Final = 20_000

METHOD: Final = """\
Rows of a batch are stored together and are durable before the next batch begins: SQLite with WAL and synchronous=FULL
(the records: NORMAL, since they are made anew from the log), PostgreSQL with fsync and synchronous_commit on. Each
store and its plain loop take turns of equal time; the figure is the median of the rounds, the ratio the median of the
ratios of neighbouring rounds. A plain loop has tables of the same columns and indexes, and nothing else: no hash chain,
no epoch of a writer, no note of the log's end, no mark. "sync" is a 4 kB write and fdatasync to the same disk, again
and again: as many durable batches a second are there to be had. CPU is this process's, without the database server's.
An event's body has 500 bytes. Reading: everything that was written by one writer, once."""


class Spell(NamedTuple):
    """Rows stored in a spell, and what it cost."""

    rows: int
    wall_seconds: float
    cpu_seconds: float


def spell(loop: Loop, batch: int, seconds: float) -> Spell:
    """Store batches for some time, one at least."""
    began, cpu, rows = time.perf_counter(), time.process_time(), 0
    while not rows or time.perf_counter() - began < seconds:
        loop.store(batch)
        rows += batch
    return Spell(rows, time.perf_counter() - began, time.process_time() - cpu)


def compare(ours: Loop, plain: Loop, batch: int, seconds: float, rounds: int) -> dict[str, Any]:
    """One line: rows a second of ours and of the plain loop, in turns."""
    pairs = [(spell(ours, batch, seconds), spell(plain, batch, seconds)) for _ in range(rounds)]
    rates = [(mine.rows / mine.wall_seconds, other.rows / other.wall_seconds) for mine, other in pairs]
    return {
        "path": ours.name,
        "rows a batch": batch,
        "rows/s": median(mine for mine, _ in rates),
        "batches/s": median(mine for mine, _ in rates) / batch,
        "beside": plain.name,
        "its rows/s": median(other for _, other in rates),
        "ratio": median(mine / other for mine, other in rates),
        "CPU µs a row": median(mine.cpu_seconds / mine.rows for mine, _ in pairs) * 1e6,
    }


def writing(
    folder: Path, server: PostgresServer, seconds: float, rounds: int, stack: ExitStack
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """(a line for each way to write, a line for each way to read what was written)."""
    dsn = server.address.create_database("stores")
    database = stack.enter_context(closing(Database(dsn, "tmt")))
    database.migrate()
    sync = sync_loop(folder, stack)
    once = [spell(sync, 1, seconds) for _ in range(rounds)]
    rate = median(each.rows / each.wall_seconds for each in once)
    lines = [{**dict.fromkeys(_COLUMNS), "path": "sync", "rows a batch": 1, "rows/s": rate, "batches/s": rate}]
    in_duckdb, *duckdb_loops = duckdb_series(folder, stack)
    in_postgres, *postgres_loops = postgres_series(database, dsn, stack)
    for batches, (ours, plain) in (
        (LOG_BATCHES, sqlite_logs(folder, stack)),
        (LOG_BATCHES, postgres_logs(database, dsn, stack)),
        (LOG_BATCHES, sqlite_records(folder, stack)),
        (LOG_BATCHES, postgres_records(database, dsn, stack)),
        (SERIES_BATCHES, duckdb_loops),
        (SERIES_BATCHES, postgres_loops),
    ):
        for batch in batches:
            lines.append(compare(ours, plain, batch, seconds / len(batches), rounds))
            print(f"{ours.name}, {batch} rows a batch", file=sys.stderr)
    return lines, list(reading(folder, database, dsn, {"DuckDB": in_duckdb, "PostgreSQL": in_postgres}))


_COLUMNS: Final = ("path", "rows a batch", "rows/s", "batches/s", "beside", "its rows/s", "ratio", "CPU µs a row")


def reading(
    folder: Path, database: Database, dsn: str, series: dict[str, DuckDbSeries | TimescaleSeries]
) -> Iterator[dict[str, Any]]:
    """Rows a second read: logs whole, records and series by pages of the longest kind."""
    with closing(SqliteEventLog(folder / "events.sqlite", read_only=True)) as log:
        yield read_line("event log, SQLite", lambda: sum(1 for _ in itertools.islice(log.read(), READ_ROWS)))
        with closing(apsw.Connection(str(folder / "plain.sqlite"))) as db:
            query = f"SELECT * FROM events ORDER BY position LIMIT {READ_ROWS}"
            yield read_line("apsw SELECT", lambda: len(list(db.execute(query))))
    with closing(PostgresEventLog(database, writer=False, source="benchmark")) as log:
        yield read_line("event log, PostgreSQL", lambda: sum(1 for _ in itertools.islice(log.read(), READ_ROWS)))
    with closing(plainly(dsn)) as connection:
        query = f"SELECT * FROM plain_events ORDER BY position LIMIT {READ_ROWS}"
        yield read_line(
            "psycopg SELECT, binary", lambda: len(connection.execute(query.encode(), binary=True).fetchall())
        )
    with closing(RelationalRecords(SqliteTables(folder / "records.sqlite"))) as records:
        yield read_line("records, SQLite, pages of 1,000", lambda: len(pages_of(records)))
    with closing(RelationalRecords(PostgresTables(database))) as records:
        yield read_line("records, PostgreSQL, pages of 1,000", lambda: len(pages_of(records)))
    for name, store in series.items():
        yield read_line(f"series, {name}, a page of 10,000", partial(page_rows, store))


def page_rows(series: DuckDbSeries | TimescaleSeries) -> int:
    return int(series.quotes("EURUSD", Window(limit=10_000)).rows.num_rows)


def pages_of(records: RelationalRecords) -> list[FillRow]:
    """The first `READ_ROWS` fills, page by page."""
    found: list[FillRow] = []
    while len(found) < READ_ROWS and (page := records.fills(after=found[-1].number if found else 0, limit=1000)):
        found += page
    return found


def read_line(name: str, read: Callable[[], int]) -> dict[str, Any]:
    rates, rows = [], 0
    for _ in range(ROUNDS):
        began = time.perf_counter()
        rows = read()
        rates.append(rows / (time.perf_counter() - began))
    return {"read": name, "rows": rows, "rows/s": median(rates)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of each path and round")
    parser.add_argument("--quick", action="store_true", help="little of everything; nothing is written")
    given = parser.parse_args()
    seconds, rounds = (0.3, 1) if given.quick else (given.seconds, ROUNDS)
    report = Report("stores", "Stores", METHOD, ["tmt-trading", "apsw", "psycopg", "duckdb", "pyarrow"])
    report.about(postgres=PostgresServer.version(), sqlite=apsw.sqlite_lib_version())
    with ExitStack() as stack, Others() as others:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True)))
        server = stack.enter_context(PostgresServer(folder / "postgres"))
        written, read = writing(folder, server, seconds, rounds, stack)
    report.add("Writing", written)
    report.add("Reading", read)
    report.note(f"Others used {others.share:.0%} of the machine's processors during the run.")
    if not given.quick:
        report.write()


if __name__ == "__main__":
    main()
