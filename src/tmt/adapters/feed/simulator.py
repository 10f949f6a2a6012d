"""The simulator as a feed."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tmt.domain.instrument import Instrument
from tmt.market.batch import MarketBatch
from tmt.market.quality import FeedQuality, InstrumentQuality
from tmt.market.simulator import Simulator, SimulatorConfig


class SimulatorFeed:
    """Made-up market data without end. See the `Feed` port.

    A feed that resumes far on folds the minutes before (about 0.2 s for a week) and draws only the rows it delivers.
    """

    simulated = True

    def __init__(self, config: SimulatorConfig, instruments: dict[str, Instrument], batch_rows: int) -> None:
        """Batches hold at most `batch_rows` rows.

        Raises:
            ValueError: when a market of `config` has no instrument, or one that is not simulated.
        """
        if batch_rows < 1:
            raise ValueError(f"batch_rows must be at least 1, was {batch_rows}")
        self._simulator = Simulator(config, instruments)
        self._batch_rows = batch_rows
        self.symbols: tuple[str, ...] = self._simulator.symbols
        self.sources: tuple[str, ...] = (
            f"simulator, seed {config.seed}, from {config.start}, SIMULATED: {', '.join(self.symbols)}",
        )
        self.bar_seconds = 0
        self.traded = self.symbols
        self.expected = tuple(instruments[symbol].session for symbol in self.symbols)
        self._rows = np.zeros(len(self.symbols), dtype=np.int64)
        self._trades = np.zeros(len(self.symbols), dtype=np.int64)

    @property
    def quality(self) -> FeedQuality:
        counts = zip(self.symbols, self._rows.tolist(), self._trades.tolist(), strict=True)
        return FeedQuality(
            instruments={
                symbol: InstrumentQuality(rows=rows, quotes=rows - trades, trades=trades)
                for symbol, rows, trades in counts
            }
        )

    def total_rows(self) -> int | None:
        return None

    def batches(self, from_sequence: int = 0, until_ns: int | None = None) -> Iterator[MarketBatch]:
        self._rows[:] = 0
        self._trades[:] = 0
        sequence = 0
        for minutes in self._simulator.blocks():
            if until_ns is not None and minutes.start_ns >= until_ns:
                return
            total = int(minutes.rows.sum())
            if sequence + total <= from_sequence:
                self._rows += minutes.rows.sum(axis=0)
                self._trades += minutes.trades.sum(axis=0)
            elif total:
                yield from self._cut(self._simulator.rows(minutes, sequence), from_sequence, until_ns)
            sequence += total

    def _cut(self, block: MarketBatch, from_sequence: int, until_ns: int | None) -> Iterator[MarketBatch]:
        start = max(0, from_sequence - block.first_sequence)
        stop = len(block) if until_ns is None else int(np.searchsorted(block.time_ns, until_ns))
        self._count(block.rows(0, min(start, stop)))
        for first in range(start, stop, self._batch_rows):
            batch = block.rows(first, min(first + self._batch_rows, stop))
            self._count(batch)
            yield batch

    def _count(self, batch: MarketBatch) -> None:
        markets = len(self.symbols)
        self._rows += np.bincount(batch.instrument, minlength=markets)
        self._trades += np.bincount(batch.instrument[batch.price > 0], minlength=markets)
