"""The usual volume of each instrument: over its newest bars, and by time of day."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

import msgspec

from tmt.agents.human_behavior.config import UsualVolume
from tmt.domain.instrument import Instrument
from tmt.domain.money import ZERO, Exact, divide
from tmt.domain.session import NANOSECONDS_PER_SECOND
from tmt.market.bar import Bar, Timeframe

SLOT_BARS_MAX: Final = 10_000
"""Bars that a time of day counts; then both halves of its fraction are halved, so that the newer weigh more."""

MINUTE_NS: Final = 60 * NANOSECONDS_PER_SECOND
DAY_NS: Final = 24 * 60 * MINUTE_NS


class Traded(msgspec.Struct, frozen=True, array_like=True):
    """What traded: units, and rows of market data, over a number of bars."""

    units: Exact
    ticks: int
    bars: int = 1

    def plus(self, other: Traded) -> Traded:
        """Both together."""
        return Traded(self.units + other.units, self.ticks + other.ticks, self.bars + other.bars)


class Volumes(msgspec.Struct, frozen=True, kw_only=True):
    """What is remembered of one instrument.

    Attributes:
        timeframe: the shortest whose bars have closed; others are passed over.
        recent: newest bars, oldest first.
        slots: all bars by time of day: minutes since midnight UTC, as text.
    """

    timeframe: Timeframe
    recent: tuple[Traded, ...] = ()
    slots: dict[str, Traded] = {}


def remember_bar(known: Volumes | None, bar: Bar, config: UsualVolume) -> Volumes:
    """The memory after a closed bar; the same object when the bar is of a longer timeframe."""
    if known is None or bar.timeframe.nanoseconds < known.timeframe.nanoseconds:
        known = Volumes(timeframe=bar.timeframe)
    elif bar.timeframe is not known.timeframe:
        return known
    traded = Traded(bar.volume, bar.tick_count)
    key = _slot(bar.start_ns, config)
    slot = known.slots.get(key)
    grown = traded if slot is None else _halved(slot).plus(traded)
    return Volumes(
        timeframe=known.timeframe,
        recent=(*known.recent, traded)[-config.bars_remembered :],
        slots={**known.slots, key: grown},
    )


def usual_volume(known: Volumes | None, instrument: Instrument, seconds: int, config: UsualVolume) -> Decimal | None:
    """Units that usually trade in `seconds`, at 8 decimals; None when too little is known."""
    if known is None or len(known.recent) < config.bars_min:
        return None
    total = known.recent[0]
    for each in known.recent[1:]:
        total = total.plus(each)
    units = total.units
    if units == ZERO:
        units = total.ticks * config.lots_per_tick * instrument.lot_size
    if units == ZERO:
        return None
    return divide(units * (seconds * NANOSECONDS_PER_SECOND), Decimal(total.bars * known.timeframe.nanoseconds), 8)


def time_of_day_volume(known: Volumes, time_ns: int, config: UsualVolume) -> Decimal | None:
    """Mean volume of a bar at this time of day, or its mean tick count where no volume is known; None before the first.

    Comparable with other times of day of the same instrument only.
    """
    slot = known.slots.get(_slot(time_ns, config))
    if slot is None:
        return None
    has_volumes = any(each.units > ZERO for each in known.slots.values())
    return divide(slot.units if has_volumes else Decimal(slot.ticks), Decimal(slot.bars), 8)


def _slot(time_ns: int, config: UsualVolume) -> str:
    minute = time_ns % DAY_NS // MINUTE_NS
    return str(minute - minute % config.profile_minutes)


def _halved(slot: Traded) -> Traded:
    if slot.bars < SLOT_BARS_MAX:
        return slot
    return Traded(divide(slot.units, Decimal(2), 8), slot.ticks // 2, slot.bars // 2)
