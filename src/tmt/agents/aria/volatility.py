"""Average true range by instrument and timeframe, where the newest stands among those before it, and last closes.

Source: J. Welles Wilder, New Concepts in Technical Trading Systems (1978): true range and its smoothed average.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

import msgspec

from tmt.domain.money import divide
from tmt.market.bar import Bar

_PICO: Final = 12


class VolatilityTrack(msgspec.Struct, frozen=True, array_like=True):
    """One instrument on one timeframe. Prices are whole numbers of 10**-12, which keeps a bar's cost low.

    Attributes:
        bars: bars seen.
        close_pico: last close.
        range_pico: mean true range so far; Wilder's average once there are `atr_bars`.
        ranges_pico: the average after each of the last bars, oldest first, from the `atr_bars`-th bar on.
        closes_pico: the last closes, oldest first.
    """

    bars: int
    close_pico: int
    range_pico: int
    ranges_pico: tuple[int, ...]
    closes_pico: tuple[int, ...] = ()


def advance(
    track: VolatilityTrack | None, bar: Bar, atr_bars: int, window_bars: int, closes_max: int
) -> VolatilityTrack:
    """The track with one more bar; None is the track before its first."""
    high, low, close = _pico(bar.high), _pico(bar.low), _pico(bar.close)
    if track is None:
        return VolatilityTrack(1, close, high - low, (high - low,) if atr_bars == 1 else (), (close,))
    true_range = max(high, track.close_pico) - min(low, track.close_pico)
    bars = track.bars + 1
    periods = min(bars, atr_bars)
    average = (track.range_pico * (periods - 1) + true_range) // periods
    ranges = (*track.ranges_pico, average)[-window_bars:] if bars >= atr_bars else ()
    closes = (*track.closes_pico, close)[-closes_max:]
    return VolatilityTrack(bars, close, average, ranges, closes)


def percentile(track: VolatilityTrack) -> Decimal:
    """Share of the remembered averages below the newest, equals counted half; 0.5 in a market that never changes."""
    newest = track.ranges_pico[-1]
    below = sum(1 for value in track.ranges_pico if value < newest)
    equal = sum(1 for value in track.ranges_pico if value == newest)
    return divide(Decimal(2 * below + equal), Decimal(2 * len(track.ranges_pico)), places=6)


def _pico(price: Decimal) -> int:
    return int(price.scaleb(_PICO))
