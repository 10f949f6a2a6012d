"""The event-time loop: rows of market data, ends of bars, arrivals at the venue and staleness, each in its order.

What happens at one instant happens in this order: bars end, feeds grow stale, the venue acts, then the row is seen.
The result depends on the rows alone, never on how they were cut into batches or how often time was advanced.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from tmt.domain.session import SessionHours
from tmt.market import kernel
from tmt.market.bars import Bars, BarsSnapshot
from tmt.market.batch import COLUMNS, MarketBatch
from tmt.messages import BarClosed, FeedGapFound, FeedRecovered, FeedStale, Message
from tmt.ports.venue import MatchingVenue, TouchQuote

NEVER_NS = 2**63 - 1


class BarTouch:
    """The newest quote of each instrument, as the loop has seen it."""

    def __init__(self, bars: Bars) -> None:
        self._bars = bars
        self._index = {instrument.symbol: index for index, instrument in enumerate(bars.instruments)}

    def quote(self, symbol: str) -> TouchQuote | None:
        """Newest row of `symbol`, or None before the first."""
        index = self._index.get(symbol)
        if index is None:
            return None
        row = self._bars.state[index].tolist()
        return None if row[kernel.SEQUENCE] < 0 else TouchQuote(*row[: kernel.ASK_SIZE + 1])


class TimelineSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """State of a `Timeline`."""

    bars: BarsSnapshot
    now_ns: int
    stale_at_ns: list[int]


class Timeline:
    """Moves event time forward and says what happens.

    Args:
        bars: the open bars; their state is the kernel's.
        venue: the paper venue.
        expected: when rows are expected, by instrument.
        stale_after_ns: silence, while rows are expected, after which an instrument's feed is stale.
        emit: takes each message at once, and everything that follows from it.
        one_row_at_a_time: the oracle: every row goes through plain Python, bounds or not.
    """

    def __init__(
        self,
        bars: Bars,
        venue: MatchingVenue,
        expected: Sequence[SessionHours],
        stale_after_ns: int,
        emit: Callable[[Message], None],
        *,
        one_row_at_a_time: bool = False,
    ) -> None:
        self._bars = bars
        self._venue = venue
        self._expected = tuple(expected)
        self._stale_after_ns = stale_after_ns
        self._emit = emit
        self._oracle = one_row_at_a_time
        self._symbols = [instrument.symbol for instrument in bars.instruments]
        self._stale_at_ns = [NEVER_NS] * len(self._symbols)
        self.now_ns = 0

    def advance(self, time_ns: int) -> None:
        """Let everything happen that is due at or before `time_ns`. A time already passed changes nothing."""
        while (due_ns := self._next_due_ns()) <= time_ns:
            self._act(due_ns)
        self.now_ns = max(self.now_ns, time_ns)

    def is_due(self, time_ns: int) -> bool:
        """Whether something is due at or before `time_ns`."""
        return self._next_due_ns() <= time_ns

    def consume(self, batch: MarketBatch) -> None:
        """See every row of `batch`, and let everything happen that is due before each."""
        columns = tuple(getattr(batch, name) for name, _ in COLUMNS)
        if batch.symbols != tuple(self._symbols):
            raise ValueError(f"a batch of {batch.symbols} does not fit a desk of {tuple(self._symbols)}")
        row, rows = 0, len(batch)
        while row < rows:
            if not self._oracle:
                due_ns = self._next_due_ns()
                row = kernel.scan(row, rows, due_ns, *columns, batch.first_sequence, self._bars.state)
            if row < rows:
                self._attend(row, batch, columns)
                row += 1
        if rows:
            self.now_ns = max(self.now_ns, int(batch.time_ns[-1]))

    def _attend(self, row: int, batch: MarketBatch, columns: tuple[NDArray[np.int64], ...]) -> None:
        values = [int(column[row]) for column in columns]
        time_ns, index = values[0], values[1]
        self.advance(time_ns)
        state = self._bars.state[index]
        if state[kernel.SEQUENCE] < 0:
            self._stale_at_ns[index] = time_ns + self._stale_after_ns
        if state[kernel.STALE]:
            self._recover(index, time_ns)
        if time_ns >= state[kernel.BAR_END_NS]:
            self._bars.open(index, time_ns)
        fold: Callable[..., None] = kernel.plain_fold_row if self._oracle else kernel.fold_row
        fold(row, *columns, batch.first_sequence, self._bars.state)
        symbol = self._symbols[index]
        self._say(self._venue.on_row(symbol, batch.first_sequence + row, time_ns, *values[2:]))

    def _say(self, messages: list[Message]) -> None:
        for message in messages:
            self._emit(message)
        self.refresh_bounds()

    def refresh_bounds(self) -> None:
        """Take over the bounds of symbols whose working orders changed."""
        for symbol in self._venue.dirty_symbols():
            if symbol in self._symbols:
                low, high = self._venue.bounds(symbol)
                state = self._bars.state[self._symbols.index(symbol)]
                state[kernel.LOW_BOUND], state[kernel.HIGH_BOUND] = low, high

    def _next_due_ns(self) -> int:
        bar_end = self._bars.next_end_ns()
        venue_due = self._venue.next_due_ns()
        return min(
            NEVER_NS if bar_end is None else bar_end,
            NEVER_NS if venue_due is None else venue_due,
            *self._stale_at_ns,
        )

    def _act(self, due_ns: int) -> None:
        self.now_ns = max(self.now_ns, due_ns)
        if self._bars.next_end_ns() == due_ns:
            bar = self._bars.close_next()
            if bar is not None:
                key = (bar.instrument, bar.timeframe, str(bar.end_ns))
                self._emit(BarClosed.root("market", due_ns, *key, bar=bar))
                self.refresh_bounds()
        elif due_ns in self._stale_at_ns:
            self._check_stale(self._stale_at_ns.index(due_ns), due_ns)
        else:
            self._say(self._venue.on_time(due_ns))

    def _check_stale(self, index: int, due_ns: int) -> None:
        last_ns = int(self._bars.state[index, kernel.TIME_NS])
        if last_ns + self._stale_after_ns > due_ns:
            self._stale_at_ns[index] = last_ns + self._stale_after_ns
            return
        hours = self._expected[index]
        if not (hours.is_open(due_ns) and hours.is_open(due_ns - self._stale_after_ns)):
            self._stale_at_ns[index] = due_ns + self._stale_after_ns
            return
        self._stale_at_ns[index] = NEVER_NS
        self._bars.state[index, kernel.STALE] = 1
        symbol = self._symbols[index]
        self._emit(FeedStale.root("market", due_ns, symbol, str(last_ns), instrument=symbol, last_ns=last_ns))
        self.refresh_bounds()

    def _recover(self, index: int, time_ns: int) -> None:
        state = self._bars.state[index]
        symbol, last_ns = self._symbols[index], int(state[kernel.TIME_NS])
        state[kernel.STALE] = 0
        self._stale_at_ns[index] = time_ns + self._stale_after_ns
        key = (symbol, str(last_ns), str(time_ns))
        gap = FeedGapFound.root("market", time_ns, *key, instrument=symbol, from_ns=last_ns, to_ns=time_ns)
        self._say([gap, FeedRecovered.caused_by(gap, "market", instrument=symbol)])

    def snapshot(self) -> TimelineSnapshot:
        """All state, for a store."""
        return TimelineSnapshot(bars=self._bars.snapshot(), now_ns=self.now_ns, stale_at_ns=list(self._stale_at_ns))

    def restore(self, saved: TimelineSnapshot) -> None:
        """Become what `snapshot` saved."""
        self._bars.restore(saved.bars)
        self.now_ns = saved.now_ns
        self._stale_at_ns = list(saved.stale_at_ns)
        for symbol in self._symbols:
            low, high = self._venue.bounds(symbol)
            state = self._bars.state[self._symbols.index(symbol)]
            state[kernel.LOW_BOUND], state[kernel.HIGH_BOUND] = low, high
