"""What all accounts together hold and work, by instrument and by currency."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

import msgspec

from tmt.domain.instrument import Instrument
from tmt.domain.money import ONE, ZERO, Exact
from tmt.domain.order import Side
from tmt.projections.portfolio import Portfolio

_HALF: Final = Decimal("0.5")


class Bet(msgspec.Struct, frozen=True, kw_only=True):
    """One instrument over all accounts, in signed units: positions, and working orders apart by side."""

    held: Exact = ZERO
    buying: Exact = ZERO
    selling: Exact = ZERO

    @property
    def net(self) -> Decimal:
        """Positions with every working order filled."""
        return self.held + self.buying + self.selling


def open_bets(portfolio: Portfolio, order_id: str) -> dict[str, Bet]:
    """Bets by instrument, without the order called `order_id` and without orders that only reduce."""
    bets: dict[str, Bet] = {}
    for account in portfolio.accounts:
        for position in portfolio.positions(account.account_id):
            bet = bets.get(position.instrument, Bet())
            bets[position.instrument] = msgspec.structs.replace(bet, held=bet.held + position.quantity)
        for working in portfolio.working(account.account_id):
            order = working.order
            if order.order_id == order_id or order.reduce_only:
                continue
            bet = bets.get(order.instrument, Bet())
            if order.side is Side.BUY:
                bet = msgspec.structs.replace(bet, buying=bet.buying + working.remaining)
            else:
                bet = msgspec.structs.replace(bet, selling=bet.selling - working.remaining)
            bets[order.instrument] = bet
    return bets


def legs(instrument: Instrument) -> dict[str, int]:
    """What one unit is long (1) and short (-1) of: two currencies, or itself where it is a claim on no currency."""
    if not instrument.base_currency:
        return {instrument.symbol: 1}
    return {instrument.base_currency: 1, instrument.quote_currency: -1}


def alike(first: Instrument, second: Instrument, direction: int) -> bool:
    """Whether two instruments look like one bet before any data: a shared leg, or the same class, the same way.

    `direction` is 1 when both are held the same way round, -1 when one is bought and the other sold.
    """
    first_legs, second_legs = legs(first), legs(second)
    shared = any(first_legs[leg] * second_legs[leg] * direction > 0 for leg in first_legs if leg in second_legs)
    claims = not first.base_currency and not second.base_currency
    return shared or (claims and first.asset_class is second.asset_class and direction > 0)


def net_exposure(portfolio: Portfolio, bets: dict[str, Bet], leg: str, sign: int, currency: str) -> Decimal | None:
    """Exposure of all accounts to one leg along `sign`, in `currency`; working orders count where they add.

    None when a mark or a rate is missing.
    """
    total = ZERO
    for symbol, bet in bets.items():
        instrument = portfolio.instrument(symbol)
        if instrument is None:
            return None
        way = legs(instrument).get(leg, 0) * sign
        if way == 0:
            continue
        value = _unit_value(portfolio, instrument, currency)
        if value is None:
            return None
        adding = bet.buying if way > 0 else bet.selling
        total += (bet.held + adding) * way * value
    return total


def total_equity(portfolio: Portfolio, currency: str) -> Decimal | None:
    """Equity of all accounts in `currency`; None when one cannot be valued."""
    total = ZERO
    for account in portfolio.accounts:
        equity = portfolio.equity(account.account_id)
        rate = ONE if account.currency == currency else portfolio.rate(account.currency, currency)
        if equity is None or rate is None:
            return None
        total += equity * rate
    return total


def _unit_value(portfolio: Portfolio, instrument: Instrument, currency: str) -> Decimal | None:
    mark = portfolio.mark(instrument.symbol)
    rate = portfolio.rate(instrument.quote_currency, currency)
    if mark is None or rate is None:
        return None
    return (mark.bid + mark.ask) * _HALF * instrument.point_value * rate
