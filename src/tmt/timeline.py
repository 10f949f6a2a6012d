"""The event-time loop: rows of market data, ends of bars, arrivals at the venue and staleness, each in its order.

What happens at one instant happens in this order: bars end, feeds grow stale, slices are due, the venue acts, then the
row is seen. So a slice knows the bar that ends with it, and goes out before anything else reaches the venue.
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
from tmt.messages import (
    BarClosed,
    FeedGapFound,
    FeedRecovered,
    FeedStale,
    Message,
    ScheduleEnded,
    ScheduleStarted,
    SliceDue,
)
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


class SliceAlarm(msgspec.Struct, frozen=True, kw_only=True):
    """The next slice of a parent that is being worked: its `number`, and what began it."""

    started: ScheduleStarted
    number: int = 0

    @property
    def due_ns(self) -> int:
        """When it rings: never before the schedule has started; `NEVER_NS` after the last slice."""
        schedule = self.started.order.schedule
        if schedule is None or self.number >= len(schedule.slices):
            return NEVER_NS
        return max(schedule.slices[self.number].due_ns, self.started.occurred_at_ns)

    def ring(self, due_ns: int) -> SliceDue:
        """What it says."""
        order = self.started.order
        return SliceDue.caused_by(
            self.started,
            "market",
            str(self.number),
            occurred_at_ns=due_ns,
            order_id=order.order_id,
            account=order.account,
            number=self.number,
        )


class TimelineSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """State of a `Timeline`."""

    bars: BarsSnapshot
    now_ns: int
    stale_at_ns: list[int]
    alarms: list[SliceAlarm] = []


class Timeline:
    """Moves event time forward and says what happens. Hears of schedules, to say when their slices are due.

    Args:
        bars: the open bars; their state is the kernel's.
        venue: the paper venue.
        expected: when rows are expected, by instrument.
        stale_after_ns: silence, while rows are expected, after which an instrument's feed is stale.
        emit: takes each message at once, and everything that follows from it.
        one_row_at_a_time: the oracle: every row goes through plain Python, bounds or not.
    """

    consumes: tuple[type[Message], ...] = (ScheduleStarted, ScheduleEnded)

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
        self._alarms: dict[str, SliceAlarm] = {}
        self._slice_due_ns = NEVER_NS
        self.now_ns = 0

    def handle(self, message: Message) -> list[Message]:
        """Set or clear the alarm of a parent order; answers nothing."""
        match message:
            case ScheduleStarted():
                self._alarms[message.order.order_id] = SliceAlarm(started=message)
            case ScheduleEnded():
                self._alarms.pop(message.order_id, None)
            case _:
                raise AssertionError(f"the timeline does not take {type(message).__name__}")
        self._wind_alarms()
        return []

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
            self._slice_due_ns,
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
        elif self._slice_due_ns == due_ns:
            self._ring(due_ns)
        else:
            self._say(self._venue.on_time(due_ns))

    def _ring(self, due_ns: int) -> None:
        # Of several that are due at once, the parent that started first comes first.
        order_id = next(id_ for id_, alarm in self._alarms.items() if alarm.due_ns == due_ns)
        alarm = self._alarms[order_id]
        self._alarms[order_id] = SliceAlarm(started=alarm.started, number=alarm.number + 1)
        self._wind_alarms()
        self._emit(alarm.ring(due_ns))
        self.refresh_bounds()

    def _wind_alarms(self) -> None:
        self._slice_due_ns = min((alarm.due_ns for alarm in self._alarms.values()), default=NEVER_NS)

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
        fields = {"instrument": symbol, "last_ns": last_ns, "stale_after_ns": self._stale_after_ns}
        self._emit(FeedStale.root("market", due_ns, symbol, str(last_ns), **fields))
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
        return TimelineSnapshot(
            bars=self._bars.snapshot(),
            now_ns=self.now_ns,
            stale_at_ns=list(self._stale_at_ns),
            alarms=list(self._alarms.values()),
        )

    def restore(self, saved: TimelineSnapshot) -> None:
        """Become what `snapshot` saved."""
        self._bars.restore(saved.bars)
        self.now_ns = saved.now_ns
        self._stale_at_ns = list(saved.stale_at_ns)
        self._alarms = {alarm.started.order.order_id: alarm for alarm in saved.alarms}
        self._wind_alarms()
        for symbol in self._symbols:
            low, high = self._venue.bounds(symbol)
            state = self._bars.state[self._symbols.index(symbol)]
            state[kernel.LOW_BOUND], state[kernel.HIGH_BOUND] = low, high
