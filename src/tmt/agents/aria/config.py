"""Configuration of ARIA."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise

import msgspec

from tmt.domain.money import ONE, ZERO, Exact, fraction, positive
from tmt.market.bar import Timeframe


class VolatilityBand(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Up to the percentile `percentile_max` in [0, 1], risk is multiplied by `factor`."""

    percentile_max: Exact
    factor: Exact

    def __post_init__(self) -> None:
        fraction("percentile_max", self.percentile_max)
        positive("factor", self.factor)


class DrawdownBand(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Up to a fall of `drawdown_fraction_max` from the peak, risk is multiplied by `factor`."""

    drawdown_fraction_max: Exact
    factor: Exact

    def __post_init__(self) -> None:
        fraction("drawdown_fraction_max", self.drawdown_fraction_max)
        fraction("factor", self.factor)


class AriaConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How ARIA sizes. Fractions and ratios are of the account's equity; every limit is inclusive.

    Attributes:
        risk_fraction: equity put at risk at the stop before any factor.
        risk_multiplier: the operator's own factor.
        atr_bars: periods of the average true range.
        volatility_window_bars: average true ranges remembered by instrument and timeframe.
        volatility_bars_min: bars needed before volatility counts; below, its factor is 1.
        volatility_bands: ascending; the last reaches percentile 1.
        proposal_timeframe: bars whose volatility counts for orders that people propose.
        drawdown_bands: ascending, factors falling; beyond the last, no new risk.
        drawdown_restore_fraction: a better band returns once the drawdown is at most this part of that band's maximum.
        positions_per_instrument_max: entries in one instrument, on either side, that an account may hold or work.
        risk_fraction_max: loss at the stop of one order.
        heat_fraction_max: loss if every stop were hit; what has no stop counts whole.
        position_notional_max: one instrument's worst-case position, in the account's currency.
        instrument_exposure_ratio_max: the same, over equity.
        currency_exposure_ratio_max: net exposure to one currency over equity, in the order's direction.
        gross_exposure_ratio_max: sum of all worst-case positions over equity.
        approval_seconds: life of an approval in event time.
    """

    risk_fraction: Exact
    risk_multiplier: Exact
    atr_bars: int
    volatility_window_bars: int
    volatility_bars_min: int
    volatility_bands: tuple[VolatilityBand, ...]
    proposal_timeframe: Timeframe
    drawdown_bands: tuple[DrawdownBand, ...]
    drawdown_restore_fraction: Exact
    positions_per_instrument_max: int
    risk_fraction_max: Exact
    heat_fraction_max: Exact
    position_notional_max: Exact
    instrument_exposure_ratio_max: Exact
    currency_exposure_ratio_max: Exact
    gross_exposure_ratio_max: Exact
    approval_seconds: int

    def __post_init__(self) -> None:
        for name in ("risk_fraction", "drawdown_restore_fraction", "risk_fraction_max", "heat_fraction_max"):
            fraction(name, getattr(self, name))
            positive(name, getattr(self, name))
        if self.risk_fraction > self.risk_fraction_max:
            raise ValueError(
                f"risk_fraction must be at most risk_fraction_max {self.risk_fraction_max}, was {self.risk_fraction}"
            )
        for name in ("risk_multiplier", "position_notional_max"):
            positive(name, getattr(self, name))
        for name in ("instrument_exposure_ratio_max", "currency_exposure_ratio_max", "gross_exposure_ratio_max"):
            positive(name, getattr(self, name))
        for name in ("atr_bars", "volatility_bars_min", "positions_per_instrument_max", "approval_seconds"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, was {getattr(self, name)}")
        if self.volatility_window_bars < self.volatility_bars_min:
            raise ValueError(
                f"volatility_window_bars must be at least volatility_bars_min {self.volatility_bars_min},"
                f" was {self.volatility_window_bars}"
            )
        _ascending("volatility_bands", [band.percentile_max for band in self.volatility_bands])
        if self.volatility_bands[-1].percentile_max != ONE:
            raise ValueError(f"volatility_bands must end at 1, was {self.volatility_bands[-1].percentile_max}")
        _ascending("drawdown_bands", [band.drawdown_fraction_max for band in self.drawdown_bands])
        _ascending("factors of drawdown_bands, negated,", [-band.factor for band in self.drawdown_bands])

    @property
    def drawdown_fraction_max(self) -> Decimal:
        """The drawdown beyond which no new risk is taken."""
        return self.drawdown_bands[-1].drawdown_fraction_max


def _ascending(name: str, values: list[Decimal]) -> None:
    if not values:
        raise ValueError(f"{name} must not be empty")
    for before, after in pairwise(values):
        if after - before <= ZERO:
            raise ValueError(f"{name} must rise, was {before} then {after}")
