"""Rows of market data written by hand, folded into bars by the real kernel and by a reference that shares nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np

from tmt.domain.instrument import AssetClass, Instrument
from tmt.domain.session import SessionHours
from tmt.market import kernel
from tmt.market.bar import Bar, Timeframe
from tmt.market.bars import Bars
from tmt.market.batch import COLUMNS, MarketBatch

SECOND_NS = 1_000_000_000
NEVER_NS = 2**63 - 1


class Row(NamedTuple):
    time_ns: int
    instrument: int
    bid: int
    ask: int
    price: int = 0
    size: int = 0


def make_instrument(symbol: str, zone: str = "UTC", starts: str = "00:00") -> Instrument:
    return Instrument(
        symbol=symbol,
        asset_class=AssetClass.FX,
        base_currency="",
        quote_currency="USD",
        tick_size=Decimal("0.01"),
        price_quantum=Decimal("0.01"),
        lot_size=Decimal("0.1"),
        point_value=Decimal(1),
        quantity_min=Decimal("0.1"),
        notional_min=Decimal(0),
        session=SessionHours(time_zone=zone, open=(), day_starts_at=starts),
    )


def batch_of(rows: list[Row], symbols: tuple[str, ...], first_sequence: int = 0) -> MarketBatch:
    values: dict[str, list[int]] = {name: [getattr(row, name, 0) for row in rows] for name, _ in COLUMNS}
    columns = {name: np.array(column, dtype=np.int64) for name, column in values.items()}
    return MarketBatch(symbols=symbols, first_sequence=first_sequence, **columns)


def fold(bars: Bars, batches: Iterable[MarketBatch], *, compiled: bool = True) -> list[Bar]:
    """Fold batches as the event-time loop does, without a venue; end with every bar that a last moment would close."""
    scan: Callable[..., int] = kernel.scan if compiled else kernel.plain_scan
    closed: list[Bar] = []
    for batch in batches:
        columns = tuple(getattr(batch, name) for name, _ in COLUMNS)
        row = 0
        while row < len(batch):
            row = scan(row, len(batch), bars.next_end_ns() or NEVER_NS, *columns, batch.first_sequence, bars.state)
            if row < len(batch):
                closed += close_until(bars, int(batch.time_ns[row]))
                bars.open(int(batch.instrument[row]), int(batch.time_ns[row]))
    return closed


def close_until(bars: Bars, time_ns: int) -> list[Bar]:
    closed = []
    while (end_ns := bars.next_end_ns()) is not None and end_ns <= time_ns:
        bar = bars.close_next()
        if bar is not None:
            closed.append(bar)
    return closed


def reference(
    rows: list[Row], instruments: tuple[Instrument, ...], timeframes: tuple[Timeframe, ...], from_trades: frozenset[str]
) -> list[Bar]:
    """Every bar of `rows`, by sorting each row into its interval; days by asking for the wall clock's own."""
    found = []
    for index, instrument in enumerate(instruments):
        mine = [row for row in rows if row.instrument == index]
        trades = instrument.symbol in from_trades
        for timeframe in timeframes:
            buckets: dict[tuple[int, int], list[Row]] = {}
            for row in mine:
                if row.price or not trades:
                    buckets.setdefault(interval(instrument, timeframe, row.time_ns), []).append(row)
            for (start_ns, end_ns), inside in buckets.items():
                last = [row for row in mine if row.time_ns < end_ns][-1]
                found.append(_bar(instrument, timeframe, start_ns, end_ns, inside, last, trades))
    return sorted(found, key=order)


def order(bar: Bar) -> tuple[int, str, int]:
    return bar.end_ns, bar.instrument, bar.timeframe.nanoseconds


def interval(instrument: Instrument, timeframe: Timeframe, time_ns: int) -> tuple[int, int]:
    zone, starts = ZoneInfo(instrument.session.time_zone), instrument.session.day_starts_at
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=time_ns // SECOND_NS)
    edges = sorted(
        int(datetime.fromisoformat(f"{moment.date() + timedelta(days=day)}T{starts}").replace(tzinfo=zone).timestamp())
        for day in range(-2, 4)
    )
    begin = max(edge for edge in edges if edge * SECOND_NS <= time_ns) * SECOND_NS
    end = min(edge for edge in edges if edge * SECOND_NS > time_ns) * SECOND_NS
    if timeframe is Timeframe.D1:
        return begin, end
    start = begin
    while start + timeframe.nanoseconds <= time_ns:
        start += timeframe.nanoseconds
    return start, min(start + timeframe.nanoseconds, end)


def _bar(
    instrument: Instrument, timeframe: Timeframe, start_ns: int, end_ns: int, inside: list[Row], last: Row, trades: bool
) -> Bar:
    cent = Decimal("0.01")
    values = [cent * row.price if trades else cent * (row.bid + row.ask) / 2 for row in inside]
    return Bar(
        instrument=instrument.symbol,
        timeframe=timeframe,
        start_ns=start_ns,
        end_ns=end_ns,
        open=values[0],
        high=max(values),
        low=min(values),
        close=values[-1],
        volume=Decimal("0.1") * sum(row.size for row in inside),
        tick_count=len(inside),
        bid=cent * last.bid,
        ask=cent * last.ask,
    )
