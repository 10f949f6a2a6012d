"""What ARIA remembers: how markets moved, what setups gained, and how accounts stand."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from tmt.agents.aria import returns
from tmt.agents.aria.config import AriaConfig
from tmt.agents.aria.exits import ExitTrack
from tmt.agents.aria.kelly import Edge, edge_key
from tmt.agents.aria.margin import NORMAL, margin_level
from tmt.agents.aria.returns import ReturnSeries
from tmt.agents.aria.volatility import VolatilityTrack, advance
from tmt.domain.money import ZERO
from tmt.market.bar import Bar
from tmt.messages import BarClosed, Message, OrderFilled, PositionClosed
from tmt.projections.portfolio import Portfolio


class AriaState(msgspec.Struct, frozen=True, kw_only=True):
    """Tracks by "instrument/timeframe", exits by "account/instrument"; drawdown bands by account, an index into them.

    A band index equal to their number means that new risk is halted; an account that is absent is in the best band.

    Attributes:
        returns: by instrument, on the timeframe of the value at risk.
        edges: outcomes by "account/strategy/setup".
        margin_levels: names by account; absent is normal.
    """

    volatility: dict[str, VolatilityTrack] = {}
    drawdown_bands: dict[str, int] = {}
    exits: dict[str, ExitTrack] = {}
    returns: dict[str, ReturnSeries] = {}
    edges: dict[str, Edge] = {}
    margin_levels: dict[str, str] = {}


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
    """Follow closed bars, round trips, and how the accounts stand; any other message changes nothing."""
    match message:
        case BarClosed(bar=bar):
            holders = [
                account.account_id
                for account in portfolio.accounts
                if portfolio.position(account.account_id, bar.instrument).quantity != ZERO
            ]
            return _with_standing(_with_bar(state, bar, config), holders, portfolio, config)
        case OrderFilled(account=account):
            return _with_standing(state, [account], portfolio, config)
        case PositionClosed():
            key = edge_key(message.account, message.strategy, message.setup)
            edges = {**state.edges, key: state.edges.get(key, Edge()).after(message)}
            return msgspec.structs.replace(state, edges=edges)
        case _:
            return state


def _with_bar(state: AriaState, bar: Bar, config: AriaConfig) -> AriaState:
    key = track_key(bar.instrument, bar.timeframe)
    closes_max = config.regime.efficiency_bars + 1
    track = advance(state.volatility.get(key), bar, config.atr_bars, config.volatility_window_bars, closes_max)
    series = state.returns
    if bar.timeframe is config.value_at_risk.timeframe:
        known, gap_ns_max = series.get(bar.instrument), config.value_at_risk.gap_ns_max
        series = {**series, bar.instrument: returns.advance(known, bar, config.value_at_risk.returns_max, gap_ns_max)}
    return msgspec.structs.replace(state, volatility={**state.volatility, key: track}, returns=series)


def _with_standing(state: AriaState, accounts: list[str], portfolio: Portfolio, config: AriaConfig) -> AriaState:
    """The drawdown bands of all accounts, and the margin levels of `accounts`, as they are now."""
    bands, levels = _bands(state.drawdown_bands, portfolio, config), state.margin_levels
    for account in accounts:
        level = margin_level(portfolio, account, config.margin)
        if level is not None and level.name != levels.get(account, NORMAL):
            levels = {**levels, account: level.name}
    if bands is state.drawdown_bands and levels is state.margin_levels:
        return state
    return msgspec.structs.replace(state, drawdown_bands=bands, margin_levels=levels)


def _bands(bands: dict[str, int], portfolio: Portfolio, config: AriaConfig) -> dict[str, int]:
    for account in portfolio.accounts:
        name = account.account_id
        drawdown = portfolio.drawdown_fraction(name)
        before = bands.get(name, 0)
        band = before if drawdown is None else band_in_force(before, drawdown, config)
        if band != before:
            bands = {**bands, name: band}
    return bands
