"""Configuration of ARIA."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise
from typing import Final

import msgspec

from tmt.agents.aria.exit_config import ExitsConfig
from tmt.agents.aria.quantiles import TABULATED
from tmt.domain.instrument import AssetClass
from tmt.domain.money import ONE, ZERO, Exact, fraction, positive
from tmt.market.bar import Timeframe

TRADES_LEAST: Final = 10
"""Below, the quantile of Student's t would be too rough."""


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


class RegimeConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the market on a signal's timeframe is classified, and the factor on the risk in each regime, in [0, 1].

    Attributes:
        efficiency_bars: changes of the close that the efficiency ratio spans.
        trending_efficiency_min: the efficiency ratio, in [0, 1], from which the market trends; below, it ranges.
        turbulent_percentile_min: percentile of volatility from which the market is turbulent, whatever its direction.
        trending_factor: for an order along the trend.
        countertrend_factor: for one against it.
        ranging_factor: where nothing trends.
        turbulent_factor: on top of the factor for volatility.
        unknown_factor: while bars are too few to tell.
    """

    efficiency_bars: int
    trending_efficiency_min: Exact
    turbulent_percentile_min: Exact
    trending_factor: Exact
    countertrend_factor: Exact
    ranging_factor: Exact
    turbulent_factor: Exact
    unknown_factor: Exact

    def __post_init__(self) -> None:
        _at_least_one(self, "efficiency_bars")
        for name in ("trending_efficiency_min", "turbulent_percentile_min"):
            fraction(name, getattr(self, name))
        for name in ("trending", "countertrend", "ranging", "turbulent", "unknown"):
            fraction(f"{name}_factor", getattr(self, f"{name}_factor"))


class KellyConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When the realised edge of a setup bounds the risk, and by how much.

    Attributes:
        trades_min: round trips of the setup in the account from which its edge is known.
        confidence: one-sided, of the lower bound of the mean outcome.
        kelly_fraction: part of the full Kelly bet that is allowed, in (0, 1].
        kelly_floor_fraction: of the equity; what a setup without a proven edge may still risk; 0 refuses it.
    """

    trades_min: int
    confidence: Exact
    kelly_fraction: Exact
    kelly_floor_fraction: Exact

    def __post_init__(self) -> None:
        if self.trades_min < TRADES_LEAST:
            raise ValueError(f"trades_min must be at least {TRADES_LEAST}, was {self.trades_min}")
        _tabulated(self.confidence)
        for name in ("kelly_fraction", "kelly_floor_fraction"):
            fraction(name, getattr(self, name))
        positive("kelly_fraction", self.kelly_fraction)


class InitialMargin(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Initial margin by asset class, as a fraction of the notional."""

    fx: Exact
    equity: Exact
    crypto: Exact
    metal: Exact
    index: Exact

    def __post_init__(self) -> None:
        for asset_class in AssetClass:
            fraction(asset_class, self.of(asset_class))
            positive(asset_class, self.of(asset_class))

    def of(self, asset_class: AssetClass) -> Decimal:
        """The fraction of one asset class."""
        fraction_of_notional: Decimal = getattr(self, asset_class.value)
        return fraction_of_notional


class MarginConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Margin, and the margin level: equity over margin used, a ratio.

    Attributes:
        initial_margin_fractions: of the notional, by asset class.
        warn_level_min: below, the account is told.
        critical_level_min: below, no order may bring it.
        stop_out_level_min: below, positions are closed.
    """

    initial_margin_fractions: InitialMargin
    warn_level_min: Exact
    critical_level_min: Exact
    stop_out_level_min: Exact

    def __post_init__(self) -> None:
        positive("stop_out_level_min", self.stop_out_level_min)
        levels = [self.stop_out_level_min, self.critical_level_min, self.warn_level_min]
        _ascending("stop_out_level_min, critical_level_min and warn_level_min", levels)


class ValueAtRiskConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How an account's value at risk over the next bar is measured, and its limit.

    Attributes:
        timeframe: bars whose returns it rests on; the horizon is one of them.
        returns_max: newest common returns used.
        returns_min: fewer measure nothing.
        gap_hours_max: a bar after a longer silence has no return: data are missing, not a market's night.
        confidence: in (0, 1).
        ewma_decay: RiskMetrics' lambda, in (0, 1): the weight of a squared return against the one after it.
        value_at_risk_fraction_max: of the equity, by the EWMA method with the order added.
    """

    timeframe: Timeframe
    returns_max: int
    returns_min: int
    gap_hours_max: int
    confidence: Exact
    ewma_decay: Exact
    value_at_risk_fraction_max: Exact

    def __post_init__(self) -> None:
        _at_least_one(self, "returns_min", "gap_hours_max")
        if self.returns_max < self.returns_min:
            raise ValueError(f"returns_max must be at least returns_min {self.returns_min}, was {self.returns_max}")
        _tabulated(self.confidence)
        for name in ("ewma_decay", "value_at_risk_fraction_max"):
            fraction(name, getattr(self, name))
            positive(name, getattr(self, name))
        if self.ewma_decay == ONE:
            raise ValueError(f"ewma_decay must be below 1, was {self.ewma_decay}")

    @property
    def gap_ns_max(self) -> int:
        """`gap_hours_max` in nanoseconds."""
        return self.gap_hours_max * Timeframe.H1.nanoseconds


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
        exits: which exits are managed.
        regime, kelly, margin, value_at_risk: see their types.
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
    exits: ExitsConfig
    regime: RegimeConfig
    kelly: KellyConfig
    margin: MarginConfig
    value_at_risk: ValueAtRiskConfig

    def __post_init__(self) -> None:
        for name in ("risk_fraction", "drawdown_restore_fraction", "risk_fraction_max", "heat_fraction_max"):
            fraction(name, getattr(self, name))
            positive(name, getattr(self, name))
        for name in ("risk_multiplier", "position_notional_max"):
            positive(name, getattr(self, name))
        for name in ("instrument_exposure_ratio_max", "currency_exposure_ratio_max", "gross_exposure_ratio_max"):
            positive(name, getattr(self, name))
        _at_least_one(self, "atr_bars", "volatility_bars_min", "positions_per_instrument_max", "approval_seconds")
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


def _at_least_one(config: msgspec.Struct, *names: str) -> None:
    for name in names:
        if getattr(config, name) < 1:
            raise ValueError(f"{name} must be at least 1, was {getattr(config, name)}")


def _tabulated(confidence: Decimal) -> None:
    if confidence not in TABULATED:
        known = ", ".join(str(each) for each in TABULATED)
        raise ValueError(f"confidence must be one of {known}, was {confidence}")


def _ascending(name: str, values: list[Decimal]) -> None:
    if not values:
        raise ValueError(f"{name} must not be empty")
    for before, after in pairwise(values):
        if after - before <= ZERO:
            raise ValueError(f"{name} must rise, was {before} then {after}")
