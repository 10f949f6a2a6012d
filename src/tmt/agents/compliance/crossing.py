"""Which orders could trade with one another."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Final

import msgspec

from tmt.domain.money import ZERO, Exact
from tmt.domain.order import Order, OrderType, Quote, Side, TimeInForce
from tmt.projections.portfolio import Portfolio

_UNTRIGGERED: Final = (OrderType.STOP, OrderType.STOP_LIMIT, OrderType.TRAILING_STOP)
_AT_ONCE: Final = (TimeInForce.IOC, TimeInForce.FOK)


class Offer(msgspec.Struct, frozen=True):
    """An order as the other side sees it: the worst price it takes (None: any), and whether it waits in the book."""

    side: Side
    price: Exact | None
    rests: bool

    def crosses(self, other: Offer) -> bool:
        """Whether the two are on opposite sides, at or through one another, and one of them rests."""
        if self.side is other.side or not (self.rests or other.rests):
            return False
        if self.price is None or other.price is None:
            return True
        return (self.price - other.price) * self.side.sign >= ZERO


def crossed_quantity(order: Order, owner: str, mark: Quote, portfolio: Portfolio) -> Decimal:
    """Units of the owner's other orders in the instrument, in all accounts, that `order` could trade with."""
    offer = _offer(order, mark)
    if offer is None:
        return ZERO
    return sum((units for units, other in _offers(order, owner, mark, portfolio) if offer.crosses(other)), ZERO)


def _offers(order: Order, owner: str, mark: Quote, portfolio: Portfolio) -> Iterator[tuple[Decimal, Offer]]:
    own = {account.account_id for account in portfolio.accounts if account.owner == owner}
    for working in portfolio.working():
        other = working.order
        if other.instrument == order.instrument and other.account in own and other.order_id != order.order_id:
            offer = _offer(other, mark) if other.schedule is None else _slices(other)
            if offer is not None:
                yield working.remaining, offer
    for target in portfolio.exits(None, order.instrument):
        if target.role == "take_profit" and target.account in own:
            yield target.quantity, Offer(target.side, target.price, rests=True)


def _slices(parent: Order) -> Offer:
    """What a parent has still to send. At the market its slices take the best price there is when each is due."""
    return Offer(parent.side, parent.limit_price, rests=False)


def _offer(order: Order, mark: Quote) -> Offer | None:
    if order.type in _UNTRIGGERED:
        return None
    if order.limit_price is None:
        return Offer(order.side, mark.ask if order.side is Side.BUY else mark.bid, rests=False)
    return Offer(order.side, order.limit_price, rests=order.time_in_force not in _AT_ONCE)
