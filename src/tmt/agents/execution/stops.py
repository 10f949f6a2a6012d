"""What a change may not do: take a protective stop away or move it, make an entry dearer, or put it behind its stop."""

from __future__ import annotations

from decimal import Decimal

from tmt.agents.execution.tracking import TrackedOrder
from tmt.messages import ExitRaised, ReplaceSubmitted
from tmt.projections.portfolio import Portfolio


def moved_stops(raised: ExitRaised, portfolio: Portfolio, source: str) -> list[ReplaceSubmitted]:
    """A replace for each working stop of the position that stands further from the market than `raised` wants."""
    wanted = raised.stop_price
    if wanted is None:
        return []
    return [
        ReplaceSubmitted.caused_by(
            raised,
            source,
            stop.client_order_id,
            client_order_id=stop.client_order_id,
            quantity=stop.quantity,
            limit_price=None,
            stop_price=wanted,
        )
        for stop in portfolio.exits(raised.account, raised.instrument)
        if stop.role == "stop_loss" and stop.side is raised.side and is_nearer(wanted, stop.price, stop.side.sign)
    ]


def moves_away(asked: ReplaceSubmitted, portfolio: Portfolio) -> bool:
    """Whether a replace would move a protective stop away from the market, or have it protect less of the position."""
    stop, wanted = portfolio.protective_exit(asked.client_order_id), asked.stop_price
    if stop is None:
        return False
    return asked.quantity < stop.quantity or (wanted is not None and is_nearer(stop.price, wanted, stop.side.sign))


def is_dearer(asked: ReplaceSubmitted, order: TrackedOrder | None) -> bool:
    """Whether a replace would let an order that may open trade at a worse price than its gates have judged."""
    if order is None or order.reduce_only:
        return False
    pairs = ((asked.limit_price, order.limit_price), (asked.stop_price, order.stop_price))
    return any(
        wanted is not None and released is not None and (wanted - released) * order.side.sign > 0
        for wanted, released in pairs
    )


def is_behind_stop(asked: ReplaceSubmitted, order: TrackedOrder | None) -> bool:
    """Whether a replace would let an order fill where its own protective stop protects nothing."""
    if order is None or order.reduce_only or order.stop_loss_price is None:
        return False
    stop, sign = order.stop_loss_price, order.side.sign
    return any(price is not None and (price - stop) * sign <= 0 for price in (asked.limit_price, asked.stop_price))


def is_nearer(price: Decimal, than: Decimal, sign: int) -> bool:
    """Whether a stop at `price` is nearer to the market than one at `than`; `sign` is 1 for a stop that buys."""
    return (than - price) * sign > 0
