"""The questions asked of a series, in the SQL that DuckDB and PostgreSQL share; `?` stands for a value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

import pyarrow as pa

from tmt.market.bar import Timeframe
from tmt.ports.series import LIMIT_MAX, QUANTILES, SCHEMAS, TIME_NS_MAX, Key, Page, Window

AGGREGATED: Final = (Timeframe.M5, Timeframe.M15, Timeframe.M30, Timeframe.H1, Timeframe.H4, Timeframe.D1)
"""Timeframes that 1m bars can be aggregated to."""


class Query(NamedTuple):
    """A statement and the values of its `?`, in order."""

    sql: str
    values: tuple[int | str, ...]


def rows_of(table: str, where: Mapping[str, str], window: Window, source: str = "") -> Query:
    """One page of a table, or of a relation with its columns, and one row more when another page follows."""
    return _page(source or table, table, where, window)


def has_bars(instrument: str, timeframe: Timeframe) -> Query:
    """A row when the desk itself makes bars of this timeframe."""
    return Query("SELECT 1 FROM bars WHERE instrument = ? AND timeframe = ? LIMIT 1", (instrument, str(timeframe)))


def aggregated_bars(instrument: str, timeframe: Timeframe, window: Window) -> Query:
    """One page of bars aggregated from 1m bars, and one row more when another page follows."""
    first, behind = window.from_ns, window.to_ns
    if window.after is not None:
        first, behind = (first, window.after.time_ns) if window.newest_first else (window.after.time_ns, behind)
    bounds = (instrument, first, min(behind + timeframe.nanoseconds, TIME_NS_MAX))
    start = f"start_ns - start_ns % {timeframe.nanoseconds}"
    made = aggregate(timeframe, start, "AND instrument = ? AND start_ns >= ? AND start_ns < ?")
    page = _page(f"({made}) AS made", "bars", {}, window)
    return Query(page.sql, (*bounds, *page.values))


def aggregate(timeframe: Timeframe, start: str, more: str = "") -> str:
    """SELECT of longer bars made of 1m bars.

    Args:
        timeframe: of the longer bars.
        start: expression for the start of the bar that a 1m bar belongs to.
        more: conditions, each beginning with AND.
    """
    return f"""SELECT instrument, '{timeframe}' AS timeframe, {start} AS start_ns, max(end_ns) AS end_ns,
        (array_agg(open ORDER BY start_ns))[1] AS open, max(high) AS high, min(low) AS low,
        (array_agg(close ORDER BY start_ns DESC))[1] AS close, sum(volume) AS volume,
        CAST(sum(tick_count) AS BIGINT) AS tick_count, (array_agg(bid ORDER BY start_ns DESC))[1] AS bid,
        (array_agg(ask ORDER BY start_ns DESC))[1] AS ask
        FROM bars WHERE timeframe = '1m' {more} GROUP BY instrument, {start}"""  # noqa: S608


def quantiles(name: str, from_ns: int, to_ns: int, quantile: str) -> Query:
    """Quantiles of one metric by labels; `quantile` is the store's expression with `{share}` in it."""
    shares = ", ".join(f"{quantile.format(share=share)} AS {title}" for title, share in QUANTILES.items())
    return Query(
        f"""SELECT labels, count(*) AS count, {shares}, max(value) AS max FROM metrics
        WHERE name = ? AND time_ns >= ? AND time_ns < ? GROUP BY labels ORDER BY labels LIMIT {LIMIT_MAX}""",  # noqa: S608
        (name, from_ns, to_ns),
    )


def page_of(table: str, rows: pa.Table, window: Window) -> Page:
    """The page that a query's rows make."""
    if rows.num_rows <= window.limit:
        return Page(rows, None)
    last = rows.slice(window.limit - 1, 1).to_pylist()[0]
    keys = [last[column] for column in _order(table)]
    return Page(rows.slice(0, window.limit), Key(keys[0], keys[1] if len(keys) > 1 else 0))


def _page(source: str, table: str, where: Mapping[str, str], window: Window) -> Query:
    order = _order(table)
    conditions = [*(f"{column} = ?" for column in where), f"{order[0]} >= ?", f"{order[0]} < ?"]
    values: list[int | str] = [*where.values(), window.from_ns, window.to_ns]
    if window.after is not None:
        conditions.append(f"({', '.join(order)}) {'<' if window.newest_first else '>'} ({', '.join('?' * len(order))})")
        values += window.after[: len(order)]
    direction = "DESC" if window.newest_first else "ASC"
    sql = (
        f"SELECT {', '.join(SCHEMAS[table].names)} FROM {source} WHERE {' AND '.join(conditions)} "  # noqa: S608
        f"ORDER BY {', '.join(f'{column} {direction}' for column in order)} LIMIT {window.limit + 1}"
    )
    return Query(sql, tuple(values))


def _order(table: str) -> tuple[str, ...]:
    return ("start_ns",) if table == "bars" else ("time_ns", "sequence")
