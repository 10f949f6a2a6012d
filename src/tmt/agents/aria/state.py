"""What ARIA remembers: volatility by track, and the drawdown band in force by account."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from tmt.agents.aria.config import AriaConfig
from tmt.agents.aria.volatility import VolatilityTrack, advance
from tmt.messages import BarClosed, Message, OrderFilled
from tmt.projections.portfolio import Portfolio


class AriaState(msgspec.Struct, frozen=True, kw_only=True):
    """Tracks by "instrument/timeframe"; drawdown bands by account, an index into the configured bands.

    A band index equal to their number means that new risk is halted; an account that is absent is in the best band.
    """

    volatility: dict[str, VolatilityTrack] = {}
    drawdown_bands: dict[str, int] = {}


def track_key(instrument: str, timeframe: str) -> str:
    """Key of a volatility track."""
    return f"{instrument}/{timeframe}"


def band_in_force(band_before: int, drawdown: Decimal, config: AriaConfig) -> int:
    """Index of the drawdown band, given the one in force so far: worse at once, better only after recovery."""
    if band_before == 0 and drawdown <= config.drawdown_bands[0].drawdown_fraction_max:
        return 0
    maxima = [band.drawdown_fraction_max for band in config.drawdown_bands]
    worst = len(maxima)
    band = next((i for i, maximum in enumerate(maxima) if drawdown <= maximum), worst)
    if band >= band_before:
        return band
    restored = config.drawdown_restore_fraction
    return min(
        band_before, next((i for i, maximum in enumerate(maxima) if drawdown <= maximum * restored), band_before)
    )


def evolve(state: AriaState, message: Message, portfolio: Portfolio, config: AriaConfig) -> AriaState:
    """Follow closed bars and the accounts' drawdowns; any other message changes nothing."""
    match message:
        case BarClosed(bar=bar):
            key = track_key(bar.instrument, bar.timeframe)
            track = advance(state.volatility.get(key), bar, config.atr_bars, config.volatility_window_bars)
            bands = _bands(state.drawdown_bands, portfolio, config)
            return AriaState(volatility={**state.volatility, key: track}, drawdown_bands=bands)
        case OrderFilled():
            bands = _bands(state.drawdown_bands, portfolio, config)
            if bands is state.drawdown_bands:
                return state
            return AriaState(volatility=state.volatility, drawdown_bands=bands)
        case _:
            return state


def _bands(bands: dict[str, int], portfolio: Portfolio, config: AriaConfig) -> dict[str, int]:
    for account in portfolio.accounts:
        name = account.account_id
        drawdown = portfolio.drawdown_fraction(name)
        before = bands.get(name, 0)
        band = before if drawdown is None else band_in_force(before, drawdown, config)
        if band != before:
            bands = {**bands, name: band}
    return bands
