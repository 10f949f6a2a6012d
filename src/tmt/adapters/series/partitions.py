"""How a series lies in PostgreSQL without TimescaleDB: a native partition a day, made ahead, dropped when over."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

from tmt.adapters.postgres.database import Connection
from tmt.adapters.series.days import DAY_NS, date_of, day_of
from tmt.market.bar import Timeframe
from tmt.ports.series import RETAINED

_CHILDREN = """SELECT child.relname FROM pg_inherits JOIN pg_class child ON child.oid = inhrelid
    WHERE inhparent = %s::regclass ORDER BY 1"""


class Partitions:
    """Partitions are named after table and day, such as quotes_20140512."""

    table_suffix = "PARTITION BY RANGE (time_ns)"

    def describe(self) -> str:
        """What it is, for `Series.describe`."""
        return "native partitions, without TimescaleDB"

    def prepare(self, connection: Connection) -> None:
        """Partitions are made when it is known of which days."""

    def make_room(self, connection: Connection, tables: Mapping[str, pa.Table]) -> None:
        """Make the partitions of the rows to come, and of the day after them."""
        for table in RETAINED:
            if table not in tables or not tables[table].num_rows:
                continue
            days = pc.unique(pc.divide(tables[table]["time_ns"], DAY_NS)).to_pylist()
            known = set(self._days(connection, table))
            for day in sorted({*days, max(days) + 1} - known):
                bounds = f"FROM ({day * DAY_NS}) TO ({(day + 1) * DAY_NS})"
                connection.execute(
                    f"CREATE TABLE {_name(table, day)} PARTITION OF {table} FOR VALUES {bounds}".encode()
                )

    def retain(self, connection: Connection, table: str, day: int) -> int:
        """Drop a table's partitions that end by the beginning of `day`; return how many held rows."""
        over = [_name(table, each) for each in self._days(connection, table) if each < day]
        held = 0
        for partition in over:
            row = connection.execute(f"SELECT EXISTS (SELECT 1 FROM {partition})".encode()).fetchone()  # noqa: S608
            held += row is not None and bool(row[0])
            connection.execute(f"DROP TABLE {partition}".encode())
        return held

    def bars_made_of(self, timeframe: Timeframe) -> str | None:
        """None: longer bars are aggregated when asked for."""
        return None

    def _days(self, connection: Connection, table: str) -> list[int]:
        names = connection.execute(_CHILDREN, (table,)).fetchall()
        return [day_of(name.removeprefix(f"{table}_")) for (name,) in names]


def _name(table: str, day: int) -> str:
    return f"{table}_{date_of(day):%Y%m%d}"
