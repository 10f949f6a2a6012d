"""Rates between currencies, from the mid prices of the instruments that are currency pairs."""

from __future__ import annotations

from decimal import Decimal

from tmt.domain.money import ONE, divide, round_half_even
from tmt.projections.portfolio_state import PortfolioState


def rate(state: PortfolioState, source: str, target: str) -> Decimal | None:
    """Units of `target` for one unit of `source`: from mid marks, directly, inverted, or by one step between."""
    direct = _pair_rate(state, source, target)
    if direct is not None:
        return direct
    for between in sorted({instrument.quote_currency for instrument in state.instruments.values()}):
        first, second = _pair_rate(state, source, between), _pair_rate(state, between, target)
        if first is not None and second is not None:
            return round_half_even(first * second, 12)
    return None


def _pair_rate(state: PortfolioState, source: str, target: str) -> Decimal | None:
    if source == target:
        return ONE
    for symbol, instrument in state.instruments.items():
        pair = (instrument.base_currency, instrument.quote_currency)
        mark = state.marks.get(symbol)
        if mark is None or pair not in ((source, target), (target, source)):
            continue
        mid = divide(mark.bid + mark.ask, Decimal(2))
        return mid if pair == (source, target) else divide(ONE, mid)
    return None
