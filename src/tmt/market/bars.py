"""Time bars of every instrument and timeframe, aligned to the instrument's trading day.

The kernel folds rows into the finest timeframe; longer bars are made of finished finer ones. A bar without a row does
not exist. Days of 23 and 25 hours end where the trading day ends.
"""

from __future__ import annotations

import heapq

import msgspec
import numpy as np
from numpy.typing import NDArray

from tmt.domain.instrument import Instrument
from tmt.domain.session import day_bounds_ns
from tmt.market import kernel
from tmt.market.bar import Bar, Timeframe


class OpenBar(msgspec.Struct, kw_only=True):
    """A bar under way: prices in half quanta, volume in lots; `ticks` is 0 until it holds something."""

    start_ns: int
    end_ns: int
    open: int = 0
    high: int = 0
    low: int = 0
    close: int = 0
    volume: int = 0
    ticks: int = 0


class BarsSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """State of `Bars`."""

    rows: list[list[int]]
    open_bars: list[tuple[int, int, OpenBar]]


class Bars:
    """Open bars of a fixed list of instruments.

    Attributes:
        state: the kernel's state, a row an instrument, also the newest quote of each.
    """

    def __init__(
        self, instruments: tuple[Instrument, ...], timeframes: tuple[Timeframe, ...], from_trades: frozenset[str]
    ) -> None:
        if not timeframes:
            raise ValueError("timeframes must name at least one")
        self.instruments = instruments
        self.timeframes = tuple(sorted(timeframes, key=lambda timeframe: timeframe.nanoseconds))
        finest = self.timeframes[0].nanoseconds
        for timeframe in self.timeframes:
            if timeframe.nanoseconds % finest:
                raise ValueError(f"timeframe {timeframe} must be a multiple of {self.timeframes[0]}")
        self.state: NDArray[np.int64] = kernel.new_state(len(instruments))
        for index, instrument in enumerate(instruments):
            self.state[index, kernel.FROM_TRADES] = instrument.symbol in from_trades
        self._open: dict[tuple[int, int], OpenBar] = {}
        self._ends: list[tuple[int, int, int]] = []
        self._days: dict[int, tuple[int, int]] = {}
        self._half_quanta = [instrument.price_quantum / 2 for instrument in instruments]

    def open(self, index: int, time_ns: int) -> None:
        """Open the bars that a row of instrument `index` at `time_ns` belongs to, where they are not open."""
        for length, timeframe in enumerate(self.timeframes):
            if (index, length) in self._open:
                continue
            start_ns, end_ns = self._bucket(index, timeframe, time_ns)
            self._open[index, length] = OpenBar(start_ns=start_ns, end_ns=end_ns)
            heapq.heappush(self._ends, (end_ns, index, length))
            if length == 0:
                self.state[index, kernel.BAR_END_NS] = end_ns
                self.state[index, kernel.TICKS] = 0
                self.state[index, kernel.VOLUME] = 0

    def next_end_ns(self) -> int | None:
        """When the next open bar ends."""
        return self._ends[0][0] if self._ends else None

    def close_next(self) -> Bar | None:
        """Close the bar that ends first, finer before longer; None when it held nothing."""
        _, index, length = heapq.heappop(self._ends)
        bar = self._open.pop((index, length))
        row = self.state[index]
        if length == 0:
            row[kernel.BAR_END_NS] = 0
            bar.open, bar.high, bar.low, bar.close = (int(row[column]) for column in range(kernel.OPEN, kernel.VOLUME))
            bar.volume, bar.ticks = int(row[kernel.VOLUME]), int(row[kernel.TICKS])
            if bar.ticks:
                self._merge(index, bar)
        return self._finished(index, length, bar) if bar.ticks else None

    def _merge(self, index: int, finest: OpenBar) -> None:
        for length in range(1, len(self.timeframes)):
            longer = self._open[index, length]
            if longer.ticks == 0:
                longer.open, longer.high, longer.low = finest.open, finest.high, finest.low
            longer.high = max(longer.high, finest.high)
            longer.low = min(longer.low, finest.low)
            longer.close = finest.close
            longer.volume += finest.volume
            longer.ticks += finest.ticks

    def _finished(self, index: int, length: int, bar: OpenBar) -> Bar:
        instrument = self.instruments[index]
        half = self._half_quanta[index]
        row = self.state[index]
        return Bar(
            instrument=instrument.symbol,
            timeframe=self.timeframes[length],
            start_ns=bar.start_ns,
            end_ns=bar.end_ns,
            open=half * bar.open,
            high=half * bar.high,
            low=half * bar.low,
            close=half * bar.close,
            volume=instrument.lot_size * bar.volume,
            tick_count=bar.ticks,
            bid=instrument.price_quantum * int(row[kernel.BID]),
            ask=instrument.price_quantum * int(row[kernel.ASK]),
        )

    def _bucket(self, index: int, timeframe: Timeframe, time_ns: int) -> tuple[int, int]:
        begin, end = self._days.get(index, (0, 0))
        if not begin <= time_ns < end:
            begin, end = self._days[index] = day_bounds_ns(self.instruments[index].session, time_ns)
        if timeframe is Timeframe.D1:
            return begin, end
        length = timeframe.nanoseconds
        start = begin + (time_ns - begin) // length * length
        return start, min(start + length, end)

    def snapshot(self) -> BarsSnapshot:
        """All state, for a store."""
        return BarsSnapshot(
            rows=self.state.tolist(),
            open_bars=[(index, length, bar) for (index, length), bar in sorted(self._open.items())],
        )

    def restore(self, saved: BarsSnapshot) -> None:
        """Become what `snapshot` saved."""
        self.state[:] = np.array(saved.rows, dtype=np.int64).reshape(self.state.shape)
        self._open = {(index, length): bar for index, length, bar in saved.open_bars}
        self._ends = [(bar.end_ns, index, length) for index, length, bar in saved.open_bars]
        heapq.heapify(self._ends)
