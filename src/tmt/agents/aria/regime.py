"""The market's regime on one timeframe, from closed bars alone: trending, ranging or turbulent.

Source of the efficiency ratio: Perry J. Kaufman, Smarter Trading (1995).
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from itertools import pairwise

import msgspec

from tmt.agents.aria.config import AriaConfig
from tmt.agents.aria.volatility import VolatilityTrack, percentile
from tmt.domain.money import ZERO, Exact, divide


class Regime(StrEnum):
    """What the market does."""

    TRENDING = "trending"
    RANGING = "ranging"
    TURBULENT = "turbulent"
    UNKNOWN = "unknown"


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """A regime and what it was told by.

    Attributes:
        measured, limit: both in `unit`; only a ranging market lies below its limit.
        direction: of the trend: 1 up, -1 down, 0 when nothing trends.
    """

    regime: Regime
    measured: Exact
    limit: Exact
    unit: str
    direction: int


def classify(track: VolatilityTrack | None, config: AriaConfig) -> Reading:
    """The regime after the newest bar: turbulent if volatility says so, else by the efficiency of the closes."""
    ranges = 0 if track is None else len(track.ranges_pico)
    if track is None or ranges < config.volatility_bars_min:
        return _unknown(ranges, config.volatility_bars_min)
    closes, span = track.closes_pico, config.regime.efficiency_bars + 1
    if len(closes) < span:
        return _unknown(len(closes), span)
    volatility, turbulent = percentile(track), config.regime.turbulent_percentile_min
    if volatility >= turbulent:
        return Reading(regime=Regime.TURBULENT, measured=volatility, limit=turbulent, unit="fraction", direction=0)
    measured, limit = efficiency(closes[-span:]), config.regime.trending_efficiency_min
    if measured < limit:
        return Reading(regime=Regime.RANGING, measured=measured, limit=limit, unit="ratio", direction=0)
    direction = (closes[-1] > closes[-span]) - (closes[-1] < closes[-span])
    return Reading(regime=Regime.TRENDING, measured=measured, limit=limit, unit="ratio", direction=direction)


def efficiency(closes: tuple[int, ...]) -> Decimal:
    """Net change over the sum of all changes, unsigned, in [0, 1]; 0 where nothing moves. Needs two closes."""
    path = sum(abs(after - before) for before, after in pairwise(closes))
    if path == 0:
        return ZERO
    return divide(Decimal(abs(closes[-1] - closes[0])), Decimal(path), places=6)


def _unknown(bars: int, bars_min: int) -> Reading:
    return Reading(regime=Regime.UNKNOWN, measured=Decimal(bars), limit=Decimal(bars_min), unit="count", direction=0)
