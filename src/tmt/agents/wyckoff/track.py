"""What is remembered of one instrument on one timeframe, and how a bar reads against it.

Prices are held as whole numbers of a tenth of the instrument's price quantum, in floats: differences are exact, so
data that are mirrored or shifted read the same to the last bit. The tenth leaves room for mid prices.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec

from tmt.agents.wyckoff.config import NormRules
from tmt.agents.wyckoff.trading_range import TradingRange
from tmt.domain.instrument import Instrument
from tmt.domain.order import Side
from tmt.market.bar import Bar

_HOUR_NS = 3_600_000_000_000


class Figures(msgspec.Struct, frozen=True, array_like=True):
    """A bar in units of its track; effort is as it would have been at an average hour of the day."""

    high: float
    low: float
    close: float
    effort: float


class Preliminary(msgspec.Struct, frozen=True, array_like=True):
    """A preliminary stop: the number of its bar, and the range that a climax soon after would open."""

    number: int
    range_id: str


class UsualEffort(msgspec.Struct, frozen=True, array_like=True):
    """Mean effort of a bar, and how many bars that rests on."""

    effort: float = 0.0
    bars: int = 0


class Track(msgspec.Struct, frozen=True, kw_only=True):
    """One instrument on one timeframe.

    Attributes:
        places: decimals of the unit that prices are counted in.
        bars: bars seen so far.
        window: the latest of them, oldest first.
        true_range, spread, effort, close: slow means.
        effort_deviation: mean distance of effort from its mean.
        day: usual effort of a bar at any time.
        hours: usual effort of a bar that starts in each hour of the UTC day.
        ranges: the live trading range of each direction ("buy" accumulation, "sell" distribution).
        preliminaries: the latest preliminary stop of each direction.
        signal_number: number of the bar of the latest signal; 0 before the first.
    """

    places: int
    bars: int = 0
    window: tuple[Figures, ...] = ()
    true_range: float = 0.0
    spread: float = 0.0
    effort: float = 0.0
    effort_deviation: float = 0.0
    close: float = 0.0
    day: UsualEffort = UsualEffort()
    hours: tuple[UsualEffort, ...] = (UsualEffort(),) * 24
    ranges: dict[str, TradingRange] = {}
    preliminaries: dict[str, Preliminary] = {}
    signal_number: int = 0

    def units(self, price: Decimal) -> float:
        """`price` in whole units."""
        return float(round(price.scaleb(self.places)))

    def price(self, units: float) -> Decimal:
        """Exact price of `units`, which is rounded to a whole number first."""
        return Decimal(round(units)).scaleb(-self.places)


class Reading(msgspec.Struct, frozen=True, array_like=True):
    """A bar as one direction sees it: for distribution prices are negated, so that every rule is written once.

    Attributes:
        sign: 1 for accumulation, -1 for distribution.
        number: counts the track's bars from 1.
        location: (close - low) / (high - low); 0.5 for a bar without spread.
        spread_ratio, effort_ratio: against the slow means of the bars before.
        effort_tells: whether effort varies enough to mean something; else `effort_ratio` is the spread's.
        atr: average true range of the bars before.
    """

    sign: int
    number: int
    high: float
    low: float
    close: float
    spread: float
    location: float
    spread_ratio: float
    effort_ratio: float
    effort_tells: bool
    atr: float


def places_of(instrument: Instrument) -> int:
    """Decimals of a tenth of the instrument's price quantum."""
    exponent = instrument.price_quantum.as_tuple().exponent
    assert isinstance(exponent, int)
    return 1 - exponent


def figures_of(track: Track, bar: Bar, rules: NormRules) -> Figures:
    """The bar in units of the track, its effort freed of the hour's habit once that hour was seen on enough days."""
    scale = 10**track.places
    effort = float(bar.effort)
    usual = track.hours[_hour(bar)]
    if usual.effort > 0 and usual.bars >= rules.hour_days_min * _bars_an_hour(bar):
        effort = effort * track.day.effort / usual.effort
    return Figures(
        float(round(float(bar.high) * scale)),
        float(round(float(bar.low) * scale)),
        float(round(float(bar.close) * scale)),
        effort,
    )


def read(track: Track, figures: Figures, side: Side, rules: NormRules) -> Reading:
    """How `figures`, the bar after all of the track's, looks to the direction `side`."""
    spread = figures.high - figures.low
    spread_ratio = spread / track.spread if track.spread > 0 else 1.0
    # Bars built from bars have a constant tick count, which says nothing.
    tells = track.effort > 0 and track.effort_deviation >= rules.effort_variation_min_share * track.effort
    effort_ratio = figures.effort / track.effort if tells else spread_ratio
    if side is Side.BUY:
        sign, high, low, close = 1, figures.high, figures.low, figures.close
    else:
        sign, high, low, close = -1, -figures.low, -figures.high, -figures.close
    location = (close - low) / spread if spread > 0 else 0.5
    number = track.bars + 1
    return Reading(
        sign, number, high, low, close, spread, location, spread_ratio, effort_ratio, tells, track.true_range
    )


def extend(track: Track, figures: Figures, bar: Bar, ranges: dict[str, TradingRange], rules: NormRules) -> Track:
    """The track one bar later."""
    bars = track.bars + 1
    spread = figures.high - figures.low
    true_range = spread
    if track.window:
        before = track.window[-1].close
        true_range = max(figures.high, before) - min(figures.low, before)
    slow = min(bars, rules.mean_bars)
    effort = track.effort + (figures.effort - track.effort) / slow
    raw, hour, memory_bars = float(bar.effort), _hour(bar), rules.hour_days * _bars_an_hour(bar)
    kept = track.window if len(track.window) < rules.window_bars else track.window[1:]
    return Track(
        places=track.places,
        bars=bars,
        window=(*kept, figures),
        true_range=track.true_range + (true_range - track.true_range) / min(bars, rules.true_range_bars),
        spread=track.spread + (spread - track.spread) / slow,
        effort=effort,
        effort_deviation=track.effort_deviation + (abs(figures.effort - effort) - track.effort_deviation) / slow,
        close=track.close + (figures.close - track.close) / slow,
        day=_after(track.day, raw, 24 * memory_bars),
        hours=(*track.hours[:hour], _after(track.hours[hour], raw, memory_bars), *track.hours[hour + 1 :]),
        ranges=ranges,
        preliminaries=track.preliminaries,
        signal_number=track.signal_number,
    )


def _after(usual: UsualEffort, effort: float, memory_bars: int) -> UsualEffort:
    bars = usual.bars + 1
    return UsualEffort(usual.effort + (effort - usual.effort) / min(bars, memory_bars), bars)


def _hour(bar: Bar) -> int:
    return bar.start_ns // _HOUR_NS % 24


def _bars_an_hour(bar: Bar) -> int:
    return max(1, _HOUR_NS // (bar.end_ns - bar.start_ns))
