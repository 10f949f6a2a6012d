"""Keys, "tier/scope", of the breakers that orders must pass."""

from __future__ import annotations

from typing import Final

from tmt.domain.order import Order
from tmt.domain.stop import EVERYTHING, ScopeKind, StopScope
from tmt.projections.portfolio import Portfolio
from tmt.projections.reach import venue_of

SYSTEM: Final = EVERYTHING.breaker


def account_key(account: str) -> str:
    """Key of an account's breaker."""
    return StopScope(kind=ScopeKind.ACCOUNT, name=account).breaker


def strategy_key(strategy: str) -> str:
    """Key of a strategy's breaker."""
    return StopScope(kind=ScopeKind.STRATEGY, name=strategy).breaker


def instrument_key(symbol: str) -> str:
    """Key of an instrument's breaker."""
    return StopScope(kind=ScopeKind.INSTRUMENT, name=symbol).breaker


def venue_key(venue: str) -> str:
    """Key of a venue's breaker."""
    return StopScope(kind=ScopeKind.VENUE, name=venue).breaker


def keys_of(order: Order, portfolio: Portfolio) -> tuple[str, ...]:
    """The breakers an order must pass, widest first."""
    venue = venue_of(portfolio, order.account)
    return (
        SYSTEM,
        venue_key(venue),
        account_key(order.account),
        strategy_key(order.strategy),
        instrument_key(order.instrument),
    )
