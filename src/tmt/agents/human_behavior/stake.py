"""What an account has at stake beside the order under judgement: all that it holds and works."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from tmt.agents.human_behavior.case import Case
from tmt.agents.verdict import Deny
from tmt.domain.money import ZERO
from tmt.domain.order import Order
from tmt.domain.position import Position
from tmt.projections.portfolio import Portfolio


def distance(order: Order, by_risk: bool) -> Decimal:
    """What a unit of an order stakes, in price units: the way to its stop, or its price without one."""
    price = order.entry_price
    return abs(price - order.stop_loss_price) if by_risk and order.stop_loss_price is not None else price


def at_stake(case: Case, by_risk: bool) -> Decimal | Deny:
    """Lost, in the account's currency, if all else filled and were stopped out; unless `by_risk`, its notional.

    Counted at the prices of entry, to the stops of now: a stop at the mean price or better stakes nothing.
    """
    total = ZERO
    for symbol, amount in _stakes(case, by_risk):
        instrument = case.portfolio.instrument(symbol)
        if instrument is None:
            return case.waterfall.denies_missing("unknown_instrument", f"{symbol!r} is not an instrument of this desk")
        rate = case.portfolio.rate(instrument.quote_currency, case.account.currency)
        if rate is None:
            return case.no_rate(instrument.quote_currency)
        total += amount * instrument.point_value * rate
    return total


def _stakes(case: Case, by_risk: bool) -> Iterator[tuple[str, Decimal]]:
    """Instruments, and units times price units staked in each."""
    order, portfolio = case.order, case.portfolio
    for position in portfolio.positions(order.account):
        yield position.instrument, _held(position, portfolio, by_risk)
    for working in portfolio.working(order.account):
        other = working.order
        if other.order_id != order.order_id and not other.reduce_only:
            yield other.instrument, working.remaining * distance(other, by_risk)


def _held(position: Position, portfolio: Portfolio, by_risk: bool) -> Decimal:
    stop = portfolio.protective_stop(position.account, position.instrument) if by_risk else None
    return abs(position.cost) if stop is None else max(ZERO, position.cost - stop * position.quantity)
