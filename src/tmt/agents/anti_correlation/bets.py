"""What accounts hold and work: by account and instrument, by instrument, and by currency."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Final

import msgspec

from tmt.agents.verdict import side_filled
from tmt.domain.account import Account
from tmt.domain.instrument import Instrument
from tmt.domain.money import ZERO, Exact
from tmt.domain.order import Order, Side
from tmt.projections.portfolio import Portfolio

_HALF: Final = Decimal("0.5")


class Bet(msgspec.Struct, frozen=True, kw_only=True):
    """One instrument, in signed units: positions, and working orders apart by side."""

    held: Exact = ZERO
    buying: Exact = ZERO
    selling: Exact = ZERO

    @property
    def net(self) -> Decimal:
        """The most that can be held either way, signed; as positions are where both are alike."""
        long, short = self.along(1), self.along(-1)
        return long if long > short or (long == short and self.held > ZERO) else -short

    @property
    def gross(self) -> Decimal:
        """The most that can be held either way."""
        return max(self.along(1), self.along(-1))

    def along(self, sign: int) -> Decimal:
        """Units in the direction of `sign`, with the working orders that add to it filled; see `side_filled`."""
        return side_filled(self.held * sign, self.buying if sign == 1 else -self.selling)

    def plus(self, other: Bet) -> Bet:
        """Both together."""
        return Bet(held=self.held + other.held, buying=self.buying + other.buying, selling=self.selling + other.selling)


def owned_by(portfolio: Portfolio, owner: str) -> list[Account]:
    """The accounts of one owner, in the order opened."""
    return [account for account in portfolio.accounts if account.owner == owner]


def open_lines(portfolio: Portfolio, accounts: Iterable[Account], order_id: str = "") -> dict[tuple[str, str], Bet]:
    """Bets by account and instrument, without the order called `order_id` and without orders that only reduce."""
    lines: dict[tuple[str, str], Bet] = {}
    for account in accounts:
        name = account.account_id
        for position in portfolio.positions(name):
            lines[name, position.instrument] = Bet(held=position.quantity)
        for working in portfolio.working(name):
            order = working.order
            if order.order_id == order_id or order.reduce_only:
                continue
            buys = order.side is Side.BUY
            added = Bet(buying=working.remaining) if buys else Bet(selling=-working.remaining)
            lines[name, order.instrument] = lines.get((name, order.instrument), Bet()).plus(added)
    return lines


def without_opposite(lines: dict[tuple[str, str], Bet], order: Order) -> dict[tuple[str, str], Bet]:
    """What an order is judged beside: what its account has against it may be gone before it fills."""
    own = order.account, order.instrument
    line = lines.get(own)
    if line is None:
        return lines
    if order.side is Side.BUY:
        along = Bet(held=max(ZERO, line.held), buying=line.buying)
    else:
        along = Bet(held=min(ZERO, line.held), selling=line.selling)
    return {**lines, own: along}


def by_instrument(lines: dict[tuple[str, str], Bet]) -> dict[str, Bet]:
    """The same, accounts netted."""
    bets: dict[str, Bet] = {}
    for (_, symbol), bet in lines.items():
        bets[symbol] = bets.get(symbol, Bet()).plus(bet)
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
    shared = any(first_legs[leg] == second_legs[leg] * direction for leg in first_legs if leg in second_legs)
    claims = not first.base_currency and not second.base_currency
    return shared or (claims and first.asset_class is second.asset_class and direction == 1)


def net_exposure(
    portfolio: Portfolio, lines: dict[tuple[str, str], Bet], leg: str, sign: int, currency: str
) -> Decimal | None:
    """Exposure of `lines` to one leg along `sign`, in `currency`; working orders count where they add.

    None when a mark or a rate is missing.
    """
    total = ZERO
    for (_, symbol), bet in lines.items():
        instrument = portfolio.instrument(symbol)
        if instrument is None:
            return None
        way = legs(instrument).get(leg, 0) * sign
        if way == 0:
            continue
        value = unit_value(portfolio, symbol, currency)
        if value is None:
            return None
        total += bet.along(way) * value
    return total


def gross_exposure(portfolio: Portfolio, lines: dict[tuple[str, str], Bet], currency: str) -> Decimal | None:
    """Worth of the most that each account can hold of each instrument, in `currency`; None as above."""
    total = ZERO
    for (_, symbol), bet in lines.items():
        value = unit_value(portfolio, symbol, currency)
        if value is None:
            return None
        total += bet.gross * value
    return total


def total_equity(portfolio: Portfolio, accounts: Iterable[Account], currency: str) -> Decimal | None:
    """Equity of `accounts` in `currency`; None when one cannot be valued."""
    total = ZERO
    for account in accounts:
        equity, rate = portfolio.equity(account.account_id), portfolio.rate(account.currency, currency)
        if equity is None or rate is None:
            return None
        total += equity * rate
    return total


def unit_value(portfolio: Portfolio, symbol: str, currency: str) -> Decimal | None:
    """Worth of one unit at the middle of the mark, in `currency`; None when a mark or a rate is missing."""
    instrument, mark = portfolio.instrument(symbol), portfolio.mark(symbol)
    rate = None if instrument is None else portfolio.rate(instrument.quote_currency, currency)
    if instrument is None or mark is None or rate is None:
        return None
    return (mark.bid + mark.ask) * _HALF * instrument.point_value * rate
