"""Event time tied to wall time: which rows are due by now."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from tmt.market.batch import MarketBatch


class Pace:
    """Hands out a feed's rows as their time comes, however the feed cuts its batches.

    Args:
        batches: the rows.
        event_start_ns: event time at wall time `wall_start_ns`.
        wall_start_ns: wall time, of any clock that does not jump.
        speed: seconds of event time in a second of wall time.

    Attributes:
        ended: the feed has no more rows.
    """

    def __init__(
        self, batches: Iterator[MarketBatch], *, event_start_ns: int, wall_start_ns: int, speed: float
    ) -> None:
        self._batches = batches
        self._event_start_ns = event_start_ns
        self._wall_start_ns = wall_start_ns
        self._speed = speed
        self._rest: MarketBatch | None = None
        self.ended = False

    def due_ns(self, wall_ns: int) -> int:
        """Event time at wall time `wall_ns`."""
        return self._event_start_ns + int((wall_ns - self._wall_start_ns) * self._speed)

    def rows_before(self, due_ns: int) -> MarketBatch | None:
        """The next rows whose event time is below `due_ns`, at most one batch; None when none is due."""
        if self._rest is None:
            self._rest = next(self._batches, None)
            if self._rest is None:
                self.ended = True
                return None
        batch = self._rest
        due = int(np.searchsorted(batch.time_ns, due_ns))
        if due == 0:
            return None
        self._rest = batch.rows(due, len(batch)) if due < len(batch) else None
        return batch.rows(0, due)


class Arrivals:
    """Hands out rows as they come from outside; event time is the wall's, a little behind.

    Args:
        batches: what waits now of the rows before an event time; called anew for each look.
        delay_ns: how far event time is behind the wall, so that rows of several senders find their order.
    """

    ended = False

    def __init__(self, batches: Callable[[int], Iterator[MarketBatch]], delay_ns: int) -> None:
        self._batches = batches
        self._delay_ns = delay_ns
        self._rest: Iterator[MarketBatch] = iter(())

    def due_ns(self, wall_ns: int) -> int:
        """Event time at wall time `wall_ns`."""
        return wall_ns - self._delay_ns

    def rows_before(self, due_ns: int) -> MarketBatch | None:
        """The next rows whose event time is below `due_ns`; None when none is there."""
        batch = next(self._rest, None)
        if batch is None:
            self._rest = self._batches(due_ns)
            batch = next(self._rest, None)
        return batch
