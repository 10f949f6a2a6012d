"""The series in a DuckDB file. Days taken out by retention go to an archive of Parquet files, one a day and table."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Final

import duckdb
import pyarrow as pa

from tmt.adapters.series import queries
from tmt.adapters.series.archive import Archive
from tmt.adapters.series.days import DAY_NS
from tmt.adapters.series.errors import refuse_other_mark, unavailable
from tmt.market.bar import Timeframe
from tmt.ports.series import EXACT_TYPE, NULLABLE, QUANTILES_SCHEMA, RETAINED, SCHEMAS, Mark, Page, Window

_TYPES: Final = {pa.string(): "VARCHAR", pa.int64(): "BIGINT", EXACT_TYPE: "DECIMAL(38, 18)"}


class DuckDbSeries:
    """See `ports.series.Series`. One process at a time can have the file open.

    Args:
        path: the file; its folder must exist. Made when it is not there.
        archive: folder for the days that retention takes out; made when it is not there.
        memory_max_mb: what DuckDB may use for its buffers.
    """

    def __init__(self, path: Path, archive: Path, *, memory_max_mb: int = 512) -> None:
        self._path = path
        self._archive = Archive(archive)
        self._writing = Lock()
        try:
            self._db = duckdb.connect(
                str(path),
                config={
                    "memory_limit": f"{memory_max_mb}MB",
                    "threads": 2,
                    "temp_directory": str(path.with_name(path.name + ".tmp")),
                    "autoinstall_known_extensions": False,
                    "autoload_known_extensions": False,
                    "python_enable_replacements": False,
                },
            )
            self._db.execute("SET enable_external_access = false; SET lock_configuration = true")
        except duckdb.Error as error:
            raise unavailable(error, str(path)) from error

    @contextmanager
    def _session(self) -> Iterator[duckdb.DuckDBPyConnection]:
        try:
            with self._db.cursor() as session:
                yield session
        except duckdb.Error as error:
            raise unavailable(error, str(self._path)) from error

    def prepare(self) -> None:
        """Make what is missing of the store's tables."""
        with self._writing, self._session() as session:
            for table, schema in SCHEMAS.items():
                columns = ", ".join(
                    f"{field.name} {_TYPES[field.type]}{'' if field.name in NULLABLE else ' NOT NULL'}"
                    for field in schema
                )
                session.execute(f"CREATE TABLE IF NOT EXISTS {table} ({columns})")
            session.execute("CREATE TABLE IF NOT EXISTS marks (position BIGINT NOT NULL, message_id VARCHAR NOT NULL)")
            session.execute("INSERT INTO marks SELECT 0, '' WHERE NOT EXISTS (FROM marks)")

    def describe(self) -> str:
        """What it runs on, in a line."""
        return f"DuckDB {duckdb.__version__}, days taken out go to Parquet files"

    def mark(self) -> Mark:
        """How far the log has been taken in."""
        with self._session() as session:
            return _mark(session)

    def append(self, tables: Mapping[str, pa.Table], after: Mark, mark: Mark) -> bool:
        """Store rows and `mark` together, or nothing."""
        arriving = {name: rows.cast(SCHEMAS[name]) for name, rows in tables.items()}
        with self._writing, self._session() as session:
            session.begin()
            found = _mark(session)
            if found == mark:
                return False
            refuse_other_mark(found, after, mark, str(self._path))
            for name, rows in arriving.items():
                session.register("arriving", rows)
                session.execute(f"INSERT INTO {name} BY NAME SELECT * FROM arriving")  # noqa: S608
                session.unregister("arriving")
            session.execute("UPDATE marks SET position = ?, message_id = ?", list(mark))
            session.commit()
            return True

    def candles(self, instrument: str, timeframe: Timeframe, window: Window) -> Page:
        """Bars by their start."""
        if timeframe not in queries.AGGREGATED or self._rows(queries.has_bars(instrument, timeframe)).num_rows:
            return self._page("bars", {"instrument": instrument, "timeframe": str(timeframe)}, window)
        rows = self._rows(queries.aggregated_bars(instrument, timeframe, window))
        return queries.page_of("bars", rows.cast(SCHEMAS["bars"]), window)

    def quotes(self, instrument: str, window: Window) -> Page:
        """Rows of market data without a trade."""
        return self._page("quotes", {"instrument": instrument}, window)

    def trades(self, instrument: str, window: Window) -> Page:
        """Trades, with the best prices then in force."""
        return self._page("trades", {"instrument": instrument}, window)

    def equity(self, account: str, window: Window) -> Page:
        """A point wherever the account's equity changed."""
        return self._page("equity", {"account": account}, window)

    def metrics(self, name: str, window: Window) -> Page:
        """Values of one metric, whatever their labels."""
        return self._page("metrics", {"name": name}, window)

    def quantiles(self, name: str, from_ns: int, to_ns: int) -> pa.Table:
        """Quantiles of a metric by labels."""
        query = queries.quantiles(name, from_ns, to_ns, "quantile_disc(value, {share})")
        return self._rows(query).cast(QUANTILES_SCHEMA)

    def _page(self, table: str, where: Mapping[str, str], window: Window) -> Page:
        rows = self._rows(queries.rows_of(table, where, window))
        return queries.page_of(table, rows.cast(SCHEMAS[table]), window)

    def _rows(self, query: queries.Query) -> pa.Table:
        with self._session() as session:
            relation = session.sql(query.sql, params=list(query.values))
            assert relation is not None, "a SELECT gives a relation"
            return relation.to_arrow_table()

    def retain(self, older_than_ns: int) -> int:
        """Move whole days of `RETAINED` that were over by then into the archive; return how many, by table."""
        days = 0
        with self._writing:
            for table in RETAINED:
                for day in self._days_before(table, older_than_ns // DAY_NS):
                    self._move(table, day)
                    days += 1
        return days

    def _days_before(self, table: str, day: int) -> list[int]:
        query = f"SELECT DISTINCT time_ns // {DAY_NS} AS day FROM {table} WHERE time_ns < ? ORDER BY day"  # noqa: S608
        with self._session() as session:
            return [row[0] for row in session.execute(query, [day * DAY_NS]).fetchall()]

    def _move(self, table: str, day: int) -> None:
        # The file is whole before the rows go: a kill between the two writes the same file again.
        of_the_day = f"FROM {table} WHERE time_ns >= {day * DAY_NS} AND time_ns < {(day + 1) * DAY_NS}"
        with self._session() as session:
            rows = session.sql(f"{of_the_day} ORDER BY time_ns, sequence")
            self._archive.write(table, day, rows.to_arrow_reader())
            session.execute(f"DELETE {of_the_day}")

    def snapshot(self, folder: Path) -> Path:
        """Copy the file as it is between two writes into `folder`, for another process to open read-only."""
        with self._writing:
            for path in (self._path, self._path.with_name(self._path.name + ".wal")):
                if path.exists():
                    shutil.copyfile(path, folder / path.name)
        return folder / self._path.name

    def close(self) -> None:
        """Release the store. Closing twice is allowed."""
        self._db.close()


def _mark(session: duckdb.DuckDBPyConnection) -> Mark:
    found = session.execute("SELECT position, message_id FROM marks").fetchall()
    assert found, "prepare() comes first"
    return Mark(*found[0])
