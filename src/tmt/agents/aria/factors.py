"""The factors on the risk of an order: what was measured, and what it multiplies the risk by."""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

from tmt.agents.aria.config import AriaConfig
from tmt.agents.aria.limits import Case
from tmt.agents.aria.regime import Reading, Regime, classify
from tmt.agents.aria.volatility import VolatilityTrack, percentile
from tmt.domain.money import ONE


class Factor(NamedTuple):
    """One factor; its fields before `factor`, and `at_least`, are those of a check."""

    rule: str
    measured: Decimal
    limit: Decimal
    unit: str
    factor: Decimal
    at_least: bool = False


def factors(track: VolatilityTrack | None, case: Case, config: AriaConfig) -> tuple[Factor, ...]:
    """All factors on an order, in the order applied; `track` is of its instrument on its timeframe."""
    drawdown = config.drawdown_bands[case.drawdown_band]
    return (
        _volatility(track, config),
        Factor("drawdown", case.drawdown, drawdown.drawdown_fraction_max, "fraction", drawdown.factor),
        _regime(classify(track, config), case.order.side.sign, config),
        Factor("risk_multiplier", config.risk_multiplier, ONE, "ratio", config.risk_multiplier),
    )


def _volatility(track: VolatilityTrack | None, config: AriaConfig) -> Factor:
    bars = 0 if track is None else len(track.ranges_pico)
    if track is None or bars < config.volatility_bars_min:
        return Factor("volatility_bars", Decimal(bars), Decimal(config.volatility_bars_min), "count", ONE, True)
    measured = percentile(track)
    band = next(band for band in config.volatility_bands if measured <= band.percentile_max)
    return Factor("volatility", measured, band.percentile_max, "fraction", band.factor)


def _regime(reading: Reading, sign: int, config: AriaConfig) -> Factor:
    name = str(reading.regime)
    if reading.direction == -sign:
        name = "countertrend"
    factor: Decimal = getattr(config.regime, f"{name}_factor")
    at_least = reading.regime is not Regime.RANGING
    return Factor(f"regime_{name}", reading.measured, reading.limit, reading.unit, factor, at_least)
