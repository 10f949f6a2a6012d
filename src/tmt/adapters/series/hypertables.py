"""How a series lies in PostgreSQL with TimescaleDB: hypertables, compression, continuous aggregates.

All of the SQL that only TimescaleDB understands is here. Times are whole numbers, so "now" is the newest bar.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

import pyarrow as pa

from tmt.adapters.postgres.database import Connection
from tmt.adapters.series import queries
from tmt.adapters.series.days import DAY_NS
from tmt.market.bar import Timeframe

COMPRESSED_AFTER_NS: Final = 7 * DAY_NS
_CHUNKS: Final = {  # table: (time, chunk, compressed by, ordered by)
    "quotes": ("time_ns", DAY_NS, "instrument", "time_ns, sequence"),
    "trades": ("time_ns", DAY_NS, "instrument", "time_ns, sequence"),
    "metrics": ("time_ns", DAY_NS, "name", "time_ns, sequence"),
    "bars": ("start_ns", 30 * DAY_NS, "instrument, timeframe", "start_ns"),
}


class Hypertables:
    """Chunks of a day for what retention shortens, of thirty days for bars; longer bars are kept up to date."""

    table_suffix = ""

    def __init__(self, schema: str, version: str) -> None:
        self._schema = schema
        self._version = version

    def describe(self) -> str:
        """What it is, for `Series.describe`."""
        return f"TimescaleDB {self._version} hypertables"

    def prepare(self, connection: Connection) -> None:
        """Turn the plain tables into hypertables with their policies."""
        for statement in statements(self._schema):
            connection.execute(statement.encode())

    def make_room(self, connection: Connection, tables: Mapping[str, pa.Table]) -> None:
        """Chunks make themselves."""

    def retain(self, connection: Connection, table: str, day: int) -> int:
        """Drop a table's chunks that end by the beginning of `day`; return how many."""
        query = "SELECT count(*) FROM drop_chunks(%s::regclass, older_than => %s::bigint)"
        row = connection.execute(query, (table, day * DAY_NS)).fetchone()
        return 0 if row is None else int(row[0])

    def bars_made_of(self, timeframe: Timeframe) -> str | None:
        """The relation that holds bars of this timeframe."""
        return _aggregate(timeframe)


def statements(schema: str) -> Iterator[str]:
    """Everything that `Hypertables.prepare` runs, in order; doing it twice changes nothing."""
    yield f"""CREATE OR REPLACE FUNCTION newest_ns() RETURNS bigint LANGUAGE sql STABLE
        AS 'SELECT coalesce(max(start_ns), 0) FROM {schema}.bars'"""  # noqa: S608
    for table, (time, chunk_ns, by, ordered) in _CHUNKS.items():
        yield f"SELECT create_hypertable('{table}', by_range('{time}', {chunk_ns}::bigint), if_not_exists => true)"
        yield f"SELECT set_integer_now_func('{table}', 'newest_ns', replace_if_exists => true)"
        yield (
            f"ALTER TABLE {table} SET (timescaledb.compress, timescaledb.compress_segmentby = '{by}', "
            f"timescaledb.compress_orderby = '{ordered}')"
        )
        yield f"SELECT add_compression_policy('{table}', {COMPRESSED_AFTER_NS}::bigint, if_not_exists => true)"
    for timeframe in queries.AGGREGATED:
        view, width = _aggregate(timeframe), timeframe.nanoseconds
        select = queries.aggregate(timeframe, f"time_bucket({width}::bigint, start_ns)")
        yield (
            f"CREATE MATERIALIZED VIEW IF NOT EXISTS {view} WITH (timescaledb.continuous, "
            f"timescaledb.materialized_only = false) AS {select} WITH NO DATA"
        )
        yield (
            f"SELECT add_continuous_aggregate_policy('{view}', start_offset => NULL, "
            f"end_offset => {width}::bigint, schedule_interval => INTERVAL '1 minute', if_not_exists => true)"
        )


def _aggregate(timeframe: Timeframe) -> str:
    return f"bars_{timeframe}"
