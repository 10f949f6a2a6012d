"""Rows that other programs post while the desk runs, as a feed."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from threading import Lock
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tmt.domain.instrument import Instrument
from tmt.errors import AdapterUnavailable
from tmt.market.batch import COLUMNS, MarketBatch
from tmt.market.quality import FeedQuality, InstrumentQuality

BATCH_ROWS_MAX: Final = 65_536

Rows = NDArray[np.int64]
"""A column a row of `tmt.market.batch.COLUMNS`, a line for each of them."""

_TIME: Final = 0
_INSTRUMENT: Final = 1
_PRICE: Final = 6


class PostedFeed:
    """What is posted is handed out once, in the order of its event times. See the `Feed` port.

    Rows are numbered on from wherever a reading begins: those before are in the desk's event log, and nowhere else. A
    row that comes after rows of a later time were handed out counts at the time already reached; `quality` notes how
    many did.

    Args:
        instruments: rows may be posted for these.
        rows_waiting_max: rows that may wait to be handed out.
    """

    simulated = True
    bar_seconds = 0
    traded: tuple[str, ...] = ()

    def __init__(self, instruments: Sequence[Instrument], rows_waiting_max: int) -> None:
        self.symbols: tuple[str, ...] = tuple(each.symbol for each in instruments)
        self.sources: tuple[str, ...] = ("posted to the engine by other programs",)
        self.expected = tuple(each.session for each in instruments)
        self._rows_waiting_max = rows_waiting_max
        self._lock = Lock()
        self._waiting: deque[Rows] = deque()
        self._rows_waiting = 0
        self._held = np.empty((len(COLUMNS), 0), dtype=np.int64)
        self._reached_ns = 0
        self._late = 0
        self._counts = np.zeros((2, len(self.symbols)), dtype=np.int64)

    def offer(self, rows: Rows) -> None:
        """Leave rows, whose times need not be in order; all are taken, or none. For any thread.

        Raises:
            AdapterUnavailable: when too many rows wait (TMT-D014).
        """
        count = rows.shape[1]
        with self._lock:
            if self._rows_waiting + count > self._rows_waiting_max:
                what = f"{self._rows_waiting} posted rows wait for the desk, which takes no more than {count} beside"
                raise AdapterUnavailable("TMT-D014", what, fix="post slower, and these rows again in a moment")
            self._waiting.append(rows)
            self._rows_waiting += count

    @property
    def rows_waiting(self) -> int:
        """Rows not yet handed out."""
        return self._rows_waiting

    @property
    def quality(self) -> FeedQuality:
        rows, trades = self._counts.tolist()
        counts = zip(self.symbols, rows, trades, strict=True)
        return FeedQuality(
            instruments={
                symbol: InstrumentQuality(rows=total, quotes=total - traded, trades=traded)
                for symbol, total, traded in counts
            },
            notes=(f"{self._late} rows came late and count at the time that was reached",) if self._late else (),
        )

    def total_rows(self) -> int | None:
        return None

    def batches(self, from_sequence: int = 0, until_ns: int | None = None) -> Iterator[MarketBatch]:
        """What waits now and is due; a later call gives what came since."""
        rows = self._due(until_ns)
        for first in range(0, rows.shape[1], BATCH_ROWS_MAX):
            part = rows[:, first : first + BATCH_ROWS_MAX]
            named = {name: part[line] for line, (name, _) in enumerate(COLUMNS)}
            self._count(part)
            yield MarketBatch(symbols=self.symbols, first_sequence=from_sequence + first, **named)

    def _due(self, until_ns: int | None) -> Rows:
        with self._lock:
            blocks = [self._held, *self._waiting]
            self._waiting.clear()
        rows = np.concatenate(blocks, axis=1)
        late = rows[_TIME] < self._reached_ns
        self._late += int(np.count_nonzero(late[self._held.shape[1] :]))
        rows[_TIME, late] = self._reached_ns
        rows = np.ascontiguousarray(rows[:, np.argsort(rows[_TIME], kind="stable")])
        due = rows.shape[1] if until_ns is None else int(np.searchsorted(rows[_TIME], until_ns))
        self._held = rows[:, due:]
        self._reached_ns = max(self._reached_ns, until_ns or 0, int(rows[_TIME, due - 1]) if due else 0)
        with self._lock:
            self._rows_waiting -= due
        return rows[:, :due]

    def _count(self, rows: Rows) -> None:
        markets = len(self.symbols)
        self._counts[0] += np.bincount(rows[_INSTRUMENT], minlength=markets)
        self._counts[1] += np.bincount(rows[_INSTRUMENT][rows[_PRICE] > 0], minlength=markets)
