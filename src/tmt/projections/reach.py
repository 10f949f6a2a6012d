"""What a stop's scope reaches of the books: which accounts' orders and positions belong to it."""

from __future__ import annotations

from tmt.domain.money import ZERO
from tmt.domain.order import OrderType
from tmt.domain.position import Position
from tmt.domain.stop import StopScope
from tmt.projections.portfolio import Portfolio


def venue_of(portfolio: Portfolio, account: str) -> str:
    """Where an account's orders go; empty when the account is not known."""
    known = portfolio.account(account)
    return "" if known is None else known.venue


def covers(scope: StopScope, portfolio: Portfolio, account: str, strategy: str, instrument: str) -> bool:
    """Whether an order with these belongs to the scope."""
    venue = venue_of(portfolio, account)
    return scope.covers(account=account, strategy=strategy, instrument=instrument, venue=venue)


def positions_in(scope: StopScope, portfolio: Portfolio) -> list[Position]:
    """Open positions in the scope, by account; a position is of the strategy that opened it."""
    return [
        position
        for account in portfolio.accounts
        for position in portfolio.positions(account.account_id)
        if covers(scope, portfolio, position.account, _strategy(portfolio, position), position.instrument)
    ]


def _strategy(portfolio: Portfolio, position: Position) -> str:
    trip = portfolio.trip(position.account, position.instrument)
    return "" if trip is None else trip.strategy


def is_closing(portfolio: Portfolio, position: Position) -> bool:
    """Whether an order works that closes the whole position at the market: what rests at a price may never fill."""
    return any(
        each.order.reduce_only
        and each.order.type is OrderType.MARKET
        and each.order.instrument == position.instrument
        and each.order.side.sign * position.quantity < ZERO
        and each.remaining >= abs(position.quantity)
        for each in portfolio.working(position.account)
    )
