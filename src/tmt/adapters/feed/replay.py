"""A feed that reads recordings of one instrument, checks their rows and numbers them.

A row stamped ahead of the two rows after it is an error of its clock: it is dropped, lest all rows after it be late.
Each row waits for the two that follow in its recording; at the recording's end the start of the next stands for them.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import zip_longest
from typing import Final

import msgspec
import numpy as np

from tmt.adapters.feed.config import FeedsConfig
from tmt.adapters.feed.recording import Block, Recording, half_spread_quanta
from tmt.domain.instrument import Instrument
from tmt.domain.session import NANOSECONDS_PER_SECOND, SessionHours
from tmt.errors import InputError
from tmt.market.batch import MarketBatch
from tmt.market.quality import Column, FeedQuality, Inspector, JumpLimits, Mask, RawRows, stamped_ahead

_TIME_NS: Final = np.iinfo(np.int64)


class ReplayFeed:
    """Recordings, one after the other. See the `Feed` port."""

    simulated = False

    def __init__(
        self, recordings: Sequence[Recording], instrument: Instrument, config: FeedsConfig, batch_rows: int
    ) -> None:
        """Batches hold at most `batch_rows` rows."""
        if batch_rows < 1:
            raise ValueError(f"batch_rows must be at least 1, was {batch_rows}")
        self.symbols: tuple[str, ...] = (instrument.symbol,)
        self._recordings = sorted(recordings, key=lambda recording: (recording.first_ns, recording.name))
        self.sources: tuple[str, ...] = tuple(recording.source for recording in self._recordings)
        self._instrument = instrument
        self._config = config
        self._batch_rows = batch_rows
        gap_seconds_max = config.gap_seconds_max.get(instrument.symbol, config.gap_seconds_max["default"])
        self._gap_ns_max = gap_seconds_max * NANOSECONDS_PER_SECOND
        gap_hours = config.gap_hours.get(instrument.symbol)
        session = instrument.session
        self._hours = session if gap_hours is None else msgspec.structs.replace(session, open=gap_hours)
        self._inspector = self._new_inspector()
        self._notes: list[str] = []
        self._quote_in_force = self._no_quote()

    @property
    def bar_seconds(self) -> int:
        return self._nature[0]

    @property
    def traded(self) -> tuple[str, ...]:
        return self.symbols if self._nature[1] else ()

    @property
    def expected(self) -> tuple[SessionHours, ...]:
        return (self._hours,)

    @cached_property
    def _nature(self) -> tuple[int, bool]:
        # Recordings of one instrument are of one nature, so the first block tells it.
        for recording in self._recordings:
            for block in recording.read():
                if len(block.rows):
                    return block.period_ns // NANOSECONDS_PER_SECOND, bool((block.rows.price > 0).any())
        return 0, False

    @property
    def quality(self) -> FeedQuality:
        return FeedQuality(instruments={self._instrument.symbol: self._inspector.quality}, notes=tuple(self._notes))

    def total_rows(self) -> int | None:
        return sum(recording.rows for recording in self._recordings)

    def batches(self, from_sequence: int = 0, until_ns: int | None = None) -> Iterator[MarketBatch]:
        self._inspector = self._new_inspector()
        self._notes = []
        sequence = 0
        for raw in self._raw_rows(until_ns):
            rows = self._inspector.inspect(raw)
            if len(rows) == 0:
                continue
            batch = _batch(self.symbols, sequence, self._quote_in_force.filled(rows))
            sequence += len(batch)
            if sequence > from_sequence:
                yield batch.rows(max(0, from_sequence - batch.first_sequence), len(batch))
        if sequence == 0 and until_ns is None:
            raise InputError(
                "TMT-D007",
                f"no row of {self._instrument.symbol} can be delivered",
                where=", ".join(recording.name for recording in self._recordings[:3]),
                fix="See the feed's quality report for what was dropped.",
            )

    def _raw_rows(self, until_ns: int | None) -> Iterator[RawRows]:
        stamps = _StampCheck(self._inspector.counts)
        for recording, following in zip_longest(self._recordings, self._recordings[1:]):
            if until_ns is not None and recording.first_ns >= until_ns:
                return
            self._quote_in_force = self._no_quote()
            end_ns = _TIME_NS.max if following is None else following.first_ns
            for in_time in self._in_time(recording, stamps, end_ns):
                rows = in_time
                if until_ns is not None:
                    beyond = np.flatnonzero(rows.time_ns >= until_ns)
                    rows = rows.pick(slice(0, int(beyond[0]) if len(beyond) else None))
                for start in range(0, len(rows), self._batch_rows):
                    yield rows.pick(slice(start, start + self._batch_rows))
                if len(rows) < len(in_time):
                    return

    def _in_time(self, recording: Recording, stamps: _StampCheck, end_ns: int) -> Iterator[RawRows]:
        for block in recording.read():
            self._refuse_foreign_grid(block, recording.name)
            self._inspector.gap_ns_max = max(self._gap_ns_max, block.period_ns)
            self._inspector.counts.update(block.counts)
            self._notes.extend(block.notes)
            yield stamps.judged(block.rows)
        yield from stamps.rest(end_ns)

    def _refuse_foreign_grid(self, block: Block, name: str) -> None:
        if len(block.rows) == 0:
            return
        off_rows = int(block.rows.off_grid.sum())
        if off_rows > self._config.off_grid_fraction_max * len(block.rows):
            raise InputError(
                "TMT-D010",
                f"{off_rows} of {len(block.rows)} prices are not multiples of {self._instrument.price_quantum}",
                where=name,
                fix=f"Check that the file is of {self._instrument.symbol}, and its price_quantum in instruments.yml.",
            )

    def _no_quote(self) -> _QuoteInForce:
        return _QuoteInForce(half_spread_quanta(self._instrument, self._config.synthetic_spread_ticks))

    def _new_inspector(self) -> Inspector:
        config = self._config
        fraction_max = config.jump_fraction_max.get(self._instrument.symbol, config.jump_fraction_max["default"])
        # Not the bars' length: what a price was an hour ago says little of what it may be.
        jumps = JumpLimits(fraction_max, config.jump_rows_to_confirm, self._gap_ns_max)
        return Inspector(self._hours, self._gap_ns_max, config.gaps_kept_max, jumps)


class _StampCheck:
    """Drops rows that are stamped ahead; the last two of a block wait for the next block to be judged."""

    def __init__(self, counts: Counter[str]) -> None:
        """What is dropped is counted in `counts`."""
        self._counts = counts
        self._before_ns = int(_TIME_NS.min)
        self._held: RawRows | None = None

    def judged(self, block: RawRows) -> RawRows:
        """The rows of the blocks so far that were not returned yet, but for the last two."""
        rows = block if self._held is None else self._held.followed_by(block)
        self._held = rows.pick(slice(-2, None))
        return self._kept(rows.pick(slice(None, -2)), rows.time_ns)

    def rest(self, end_ns: int) -> Iterator[RawRows]:
        """The last rows of a recording, if it has any; what comes after starts at `end_ns`."""
        if self._held is not None:
            held, self._held = self._held, None
            yield self._kept(held, np.append(held.time_ns, (end_ns, end_ns)))

    def _kept(self, rows: RawRows, time_ns: Column) -> RawRows:
        ahead = stamped_ahead(time_ns, self._before_ns)
        if len(rows):
            self._before_ns = int(rows.time_ns[-1])
        self._counts["out_of_order"] += int(ahead.sum())
        return rows.pick(~ahead) if ahead.any() else rows


class _QuoteInForce:
    """Gives each trade that knows no quote the last one before it, or, before the first, one made up around it."""

    def __init__(self, half_spread: int) -> None:
        self._half_spread = half_spread
        self._last: RawRows | None = None

    def filled(self, rows: RawRows) -> RawRows:
        known = rows.bid > 0
        if not known.all():
            rows = self._carried(rows, known)
        if self._last is not None or known.any():
            self._last = rows.pick(slice(-1, None))
        return rows

    def _carried(self, rows: RawRows, known: Mask) -> RawRows:
        source = np.maximum.accumulate(np.where(known, np.arange(len(rows)), -1))
        before = source < 0
        zero = np.zeros(len(rows), dtype=np.int64)

        def fill(name: str, made_up: Column) -> Column:
            first = made_up if self._last is None else getattr(self._last, name)
            return np.where(before, first, getattr(rows, name)[source])

        return dataclasses.replace(
            rows,
            bid=fill("bid", rows.price - self._half_spread),
            ask=fill("ask", rows.price + self._half_spread),
            bid_size=fill("bid_size", zero),
            ask_size=fill("ask_size", zero),
        )


def _batch(symbols: tuple[str, ...], first_sequence: int, rows: RawRows) -> MarketBatch:
    return MarketBatch(
        symbols=symbols,
        first_sequence=first_sequence,
        time_ns=rows.time_ns,
        instrument=np.zeros(len(rows), dtype=np.int64),
        bid=rows.bid,
        ask=rows.ask,
        bid_size=rows.bid_size,
        ask_size=rows.ask_size,
        price=rows.price,
        size=rows.size,
        aggressor=rows.aggressor,
    )
