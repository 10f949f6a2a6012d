"""What is wrong with market data: the checks, the policy for each finding, the running count.

Dropped and counted: off-grid, suspicious and non-positive prices, crossed quotes, rows whose time is below one
already seen or that are stamped ahead of the rows after them, quotes equal to the row before them, jumps of the price
that no further row confirms. Kept and counted: locked quotes, gaps, equal trades without an id (one order that meets
several resting orders prints equal trades within a millisecond).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, fields
from decimal import Decimal
from itertools import takewhile
from typing import Final, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from tmt.domain.session import SessionHours

Column = NDArray[np.int64]
Mask = NDArray[np.bool_]
Level = TypeVar("Level", int, Column)

DROPPED: Final = (
    "malformed",
    "off_grid",
    "suspicious",
    "non_positive",
    "crossed",
    "inconsistent_bars",
    "out_of_order",
    "duplicates",
    "jumps",
)
_MILLION: Final = 1_000_000
_PRICE_QUANTA_MAX: Final = 2**60


class Gap(msgspec.Struct, frozen=True):
    """Open session time without a row, in nanoseconds UTC."""

    from_ns: int
    to_ns: int

    @property
    def length_ns(self) -> int:
        return self.to_ns - self.from_ns


class InstrumentQuality(msgspec.Struct, frozen=True, kw_only=True):
    """Counts for one instrument.

    Attributes:
        rows: delivered, of which `quotes` and `trades`.
        malformed: dropped: a field that is no number, where the configuration drops instead of refusing.
        off_grid: dropped: a price between two price quanta.
        suspicious: dropped: marked so by the vendor.
        non_positive: dropped: a price of zero.
        crossed: dropped: bid above ask.
        inconsistent_bars: dropped: bars whose open or close lies outside low and high.
        out_of_order: dropped: time below that of a row before, or above those of the two rows after.
        duplicates: dropped: a quote equal to the row before it in every field, or a trade id seen before.
        jumps: dropped: a price far from that of the last good row, not yet confirmed by the rows after it.
        locked: kept: bid equal to ask.
        repeated_trades: kept: a trade without id equal to the row before it in every field.
        off_grid_sizes: kept: a size between two lots, floored.
        clock_switches: kept: local times that a change of the clock skips or repeats.
        trade_ids_missing: by the vendor's own numbering.
        disconnects: told by the recorder.
        other_instruments: rows of the file that belong to other instruments.
        depth_messages: of the tape, not used.
        gaps: stretches without a row longer than the limit while the session was open.
        longest_gap, first_gaps: which those were; `first_gaps` is bounded.
    """

    rows: int = 0
    quotes: int = 0
    trades: int = 0
    malformed: int = 0
    off_grid: int = 0
    suspicious: int = 0
    non_positive: int = 0
    crossed: int = 0
    inconsistent_bars: int = 0
    out_of_order: int = 0
    duplicates: int = 0
    jumps: int = 0
    locked: int = 0
    repeated_trades: int = 0
    off_grid_sizes: int = 0
    clock_switches: int = 0
    trade_ids_missing: int = 0
    disconnects: int = 0
    other_instruments: int = 0
    depth_messages: int = 0
    gaps: int = 0
    longest_gap: Gap | None = None
    first_gaps: tuple[Gap, ...] = ()

    @property
    def dropped(self) -> int:
        """Rows (bars, for `inconsistent_bars`) that were not delivered."""
        return sum(getattr(self, name) for name in DROPPED)


class FeedQuality(msgspec.Struct, frozen=True, kw_only=True):
    """Running totals over what a feed has delivered.

    Attributes:
        instruments: by symbol.
        notes: a line for each thing no count says, such as the skew of the exchange's clock.
    """

    instruments: dict[str, InstrumentQuality] = {}
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RawRows:
    """Rows of one instrument as a reader gives them: prices in quanta, sizes in lots, not yet checked.

    `bid` and `ask` are 0 in a trade row that does not know the quote in force. `off_grid` and `suspicious` mark rows
    to drop.
    """

    time_ns: Column
    bid: Column
    ask: Column
    bid_size: Column
    ask_size: Column
    price: Column
    size: Column
    aggressor: Column
    is_trade: Mask
    off_grid: Mask
    suspicious: Mask

    def __len__(self) -> int:
        return len(self.time_ns)

    def pick(self, selection: Mask | slice | NDArray[np.intp]) -> RawRows:
        """The rows that `selection` names."""
        return RawRows(*(getattr(self, field.name)[selection] for field in fields(self)))

    def followed_by(self, other: RawRows) -> RawRows:
        """These rows, then those."""
        return RawRows(
            *(np.concatenate((getattr(self, field.name), getattr(other, field.name))) for field in fields(self))
        )

    def merged_with(self, other: RawRows) -> RawRows:
        """Both in time order; at equal times these rows come first."""
        together = self.followed_by(other)
        return together.pick(np.argsort(together.time_ns, kind="stable"))


def stamped_ahead(time_ns: Column, before_ns: int) -> Mask:
    """Which rows are stamped ahead of the two after them, which go on from the row before; not told of the last two.

    `before_ns` is the time of the row before the first.
    """
    row, first, second = time_ns[:-2], time_ns[1:-1], time_ns[2:]
    before = np.concatenate(([before_ns], time_ns))[: len(row)]
    return (np.maximum(first, second) < row) & (np.minimum(first, second) >= before)


@dataclass(frozen=True, slots=True)
class JumpLimits:
    """When a price is taken for an error rather than for a move of the market.

    Attributes:
        fraction_max: in (0, 1], whole millionths; how far a bid, ask or trade may lie from the last good row's mid.
        rows_to_confirm: at least 1; that many rows in a row within the fraction of one another are a new level.
        reference_ns_max: an older last good row says nothing, so any level passes.
    """

    fraction_max: Decimal
    rows_to_confirm: int
    reference_ns_max: int


class JumpFilter:
    """Drops jumps of one instrument's price; judges by rows before only, and borders of blocks change nothing.

    The level of a row is its mid, or its price where it knows no quote. A row passes when all its prices lie within
    the fraction of the last good row's level, or when that row is too old; the row that confirms a new level passes
    and is the last good one from then on. A quote wider than twice the fraction never confirms one.
    """

    def __init__(self, limits: JumpLimits) -> None:
        self._limits = limits
        self._millionths = int(limits.fraction_max * _MILLION)
        self._good_ns = 0
        self._good_level: int | None = None
        self._run: list[int] = []

    def passing(self, rows: RawRows) -> Mask:
        """Which of `rows`, at least one and in time order, are good; their prices are positive."""
        low, high, level = _doubled_prices(rows)
        first_level = int(level[0]) if self._good_level is None else self._good_level
        first_ns = int(rows.time_ns[0]) if self._good_level is None else self._good_ns
        before = np.concatenate(([first_level], level[:-1]))
        age = np.diff(np.concatenate(([first_ns], rows.time_ns)))
        slack = self._slack(before)
        beyond = (age <= self._limits.reference_ns_max) & ((low < before - slack) | (high > before + slack))
        if self._good_level is None:
            beyond[0] = False
        passed = np.ones(len(rows), dtype=bool)
        good = 0
        # A row is judged by the one before it as long as that one is good; from the first that is not, one by one.
        for suspect in np.flatnonzero(beyond).tolist():
            if suspect < good:
                continue
            if suspect > good:
                self._accept(int(rows.time_ns[suspect - 1]), int(level[suspect - 1]))
            for index in range(suspect, len(rows)):
                good = index + 1
                passed[index] = self._judge(*(int(column[index]) for column in (rows.time_ns, low, high, level)))
                if passed[index]:
                    break
        if good < len(rows):
            self._accept(int(rows.time_ns[-1]), int(level[-1]))
        return passed

    def _judge(self, time_ns: int, low: int, high: int, level: int) -> bool:
        def near(reference: int) -> bool:
            slack = self._slack(reference)
            return reference - slack <= low and high <= reference + slack

        old = time_ns - self._good_ns > self._limits.reference_ns_max
        if self._good_level is None or old or near(self._good_level):
            self._accept(time_ns, level)
            return True
        self._run = [*reversed(list(takewhile(near, reversed(self._run)))), level]
        if len(self._run) < self._limits.rows_to_confirm:
            return False
        self._accept(time_ns, level)
        return True

    def _accept(self, time_ns: int, level: int) -> None:
        self._good_ns, self._good_level = time_ns, level
        self._run = []

    def _slack(self, level: Level) -> Level:
        # The floor of level * fraction, in parts that cannot overflow.
        return level // _MILLION * self._millionths + level % _MILLION * self._millionths // _MILLION


def _doubled_prices(rows: RawRows) -> tuple[Column, Column, Column]:
    # Doubled, so that a mid between two quanta is whole; cut where the doubling would overflow.
    quoted = rows.bid > 0
    bid = np.minimum(np.where(quoted, rows.bid, rows.price), _PRICE_QUANTA_MAX)
    ask = np.minimum(np.where(quoted, rows.ask, rows.price), _PRICE_QUANTA_MAX)
    price = np.minimum(np.where(rows.is_trade, rows.price, bid), _PRICE_QUANTA_MAX)
    return 2 * np.minimum(bid, price), 2 * np.maximum(ask, price), bid + ask


class Inspector:
    """Checks the rows of one instrument, block after block; block borders change nothing.

    Attributes:
        counts: findings so far, by the names of `InstrumentQuality`.
    """

    def __init__(self, hours: SessionHours, gap_ns_max: int, gaps_kept_max: int, jumps: JumpLimits) -> None:
        """Gaps are longer than `gap_ns_max` within `hours`; the first `gaps_kept_max` of them are kept with times."""
        self.counts: Counter[str] = Counter()
        self.gap_ns_max = gap_ns_max
        self._jumps = JumpFilter(jumps)
        self._hours = hours
        self._gaps_kept_max = gaps_kept_max
        self._first_gaps: list[Gap] = []
        self._longest_gap: Gap | None = None
        self._seen: RawRows | None = None
        self._last_ns: int | None = None

    @property
    def quality(self) -> InstrumentQuality:
        return InstrumentQuality(
            **{name: self.counts[name] for name in InstrumentQuality.__struct_fields__ if name in self.counts},
            longest_gap=self._longest_gap,
            first_gaps=tuple(self._first_gaps),
        )

    def inspect(self, raw: RawRows) -> RawRows:
        """The rows to deliver, in time order."""
        rows = self._drop_bad_prices(raw)
        rows = self._drop_out_of_order(rows)
        rows = self._drop_duplicates(rows)
        if len(rows) == 0:
            return rows
        self._seen = rows.pick(slice(-1, None))
        rows = self._drop_jumps(rows)
        if len(rows) == 0:
            return rows
        self._find_gaps(rows)
        self._last_ns = int(rows.time_ns[-1])
        trades = int(rows.is_trade.sum())
        self.counts["rows"] += len(rows)
        self.counts["trades"] += trades
        self.counts["quotes"] += len(rows) - trades
        self.counts["locked"] += int(((rows.bid == rows.ask) & ~rows.is_trade).sum())
        return rows

    def _drop_bad_prices(self, rows: RawRows) -> RawRows:
        quoted = (rows.bid != 0) | (rows.ask != 0) | ~rows.is_trade
        non_positive = np.where(rows.is_trade, rows.price <= 0, False) | (quoted & ((rows.bid <= 0) | (rows.ask <= 0)))
        findings = (
            ("off_grid", rows.off_grid),
            ("suspicious", rows.suspicious),
            ("non_positive", non_positive),
            ("crossed", quoted & (rows.bid > rows.ask)),
        )
        kept = np.ones(len(rows), dtype=bool)
        for name, found in findings:
            self.counts[name] += int((kept & found).sum())
            kept &= ~found
        return rows if kept.all() else rows.pick(kept)

    def _drop_out_of_order(self, rows: RawRows) -> RawRows:
        if len(rows) == 0:
            return rows
        before = int(rows.time_ns[0]) if self._seen is None else int(self._seen.time_ns[0])
        latest = np.maximum.accumulate(np.concatenate(([before], rows.time_ns)))[:-1]
        late = rows.time_ns < latest
        self.counts["out_of_order"] += int(late.sum())
        return rows.pick(~late) if late.any() else rows

    def _drop_duplicates(self, rows: RawRows) -> RawRows:
        if len(rows) == 0:
            return rows
        equal = np.ones(len(rows), dtype=bool)
        for field in fields(rows):
            column = getattr(rows, field.name)
            equal[1:] &= column[1:] == column[:-1]
            equal[0] &= self._seen is not None and bool(column[0] == getattr(self._seen, field.name)[0])
        repeated = equal & rows.is_trade
        duplicates = equal & ~rows.is_trade
        self.counts["repeated_trades"] += int(repeated.sum())
        self.counts["duplicates"] += int(duplicates.sum())
        return rows.pick(~duplicates) if duplicates.any() else rows

    def _drop_jumps(self, rows: RawRows) -> RawRows:
        passed = self._jumps.passing(rows)
        if passed.all():
            return rows
        self.counts["jumps"] += int((~passed).sum())
        return rows.pick(passed)

    def _find_gaps(self, rows: RawRows) -> None:
        before = rows.time_ns[0] if self._last_ns is None else self._last_ns
        times = np.concatenate(([before], rows.time_ns))
        for index in np.flatnonzero(np.diff(times) > self.gap_ns_max).tolist():
            for start, end in self._hours.stretches(int(times[index]), int(times[index + 1])):
                if end - start > self.gap_ns_max:
                    self._note_gap(Gap(start, end))

    def _note_gap(self, gap: Gap) -> None:
        self.counts["gaps"] += 1
        if len(self._first_gaps) < self._gaps_kept_max:
            self._first_gaps.append(gap)
        if self._longest_gap is None or gap.length_ns > self._longest_gap.length_ns:
            self._longest_gap = gap
