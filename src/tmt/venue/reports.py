"""Execution reports: what the venue says about an order, in exact prices and quantities."""

from __future__ import annotations

from typing import Any, Final

from tmt.domain.identity import derive_id
from tmt.domain.money import ZERO
from tmt.domain.order import Quote
from tmt.messages import (
    CancelRejected,
    CancelSubmitted,
    OrderAccepted,
    OrderCancelled,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    OrderReplaced,
    OrderSubmitted,
    OrderTriggered,
    ReplaceSubmitted,
)
from tmt.ports.venue import TouchQuote
from tmt.venue.admission import Listing
from tmt.venue.fees import fee_before_rounding, fee_due
from tmt.venue.orders import EndedOrder, WorkingOrder

VENUE: Final = "paper"


def accepted(order: WorkingOrder, listing: Listing, time_ns: int) -> OrderAccepted:
    """The order works."""
    instrument = listing.instrument
    quanta = order.stop_quanta if order.limit_quanta is None else order.limit_quanta
    return OrderAccepted(
        **_header(order, "OrderAccepted", time_ns),
        side=order.side,
        quantity=instrument.quantity_of(order.quantity_lots),
        order_type=order.type,
        price=None if quanta is None else instrument.price_of(quanta),
        reduce_only=order.reduce_only,
        role=order.role,
    )


def triggered(order: WorkingOrder, listing: Listing, time_ns: int) -> OrderTriggered:
    """The stop was reached."""
    assert order.stop_quanta is not None
    price = listing.instrument.price_of(order.stop_quanta)
    return OrderTriggered(**_header(order, "OrderTriggered", time_ns), trigger_price=price)


def replaced(order: WorkingOrder, listing: Listing, time_ns: int) -> OrderReplaced:
    """The order's quantity or price is another now."""
    instrument = listing.instrument
    return OrderReplaced(
        **_header(order, "OrderReplaced", time_ns),
        quantity=instrument.quantity_of(order.quantity_lots),
        limit_price=None if order.limit_quanta is None else instrument.price_of(order.limit_quanta),
        stop_price=None if order.stop_quanta is None else instrument.price_of(order.stop_quanta),
    )


def filled(
    order: WorkingOrder, listing: Listing, time_ns: int, quote: TouchQuote, lots: int, quanta: int, maker: bool
) -> OrderFilled:
    """`lots` of the order, already counted as filled, traded at `quanta`; charges the order its fee."""
    instrument = listing.instrument
    price = instrument.price_of(quanta)
    quantity = instrument.quantity_of(lots)
    notional = instrument.notional(quantity, price)
    order.fee_incurred += fee_before_rounding(listing.fees, notional, quantity, maker)
    fee = fee_due(listing.fees, order.fee_incurred, order.fee_charged, listing.fee_decimals)
    order.fee_charged += fee
    return OrderFilled(
        **_header(order, "OrderFilled", time_ns),
        fill_id=derive_id(order.client_order_id, "fill", str(order.reports)),
        side=order.side,
        quantity=quantity,
        price=price,
        fee=fee,
        fee_currency=instrument.quote_currency,
        remaining=instrument.quantity_of(order.remaining_lots),
        role=order.role,
        liquidity="maker" if maker else "taker",
        slippage=(price - order.reference_price) * order.sign + ZERO,  # a sum is never -0
        quote=Quote(bid=instrument.price_of(quote.bid), ask=instrument.price_of(quote.ask), time_ns=quote.time_ns),
        setup=order.setup,
        strategy=order.strategy,
    )


def cancelled(order: WorkingOrder, listing: Listing, time_ns: int, reason: str) -> OrderCancelled:
    """The order ends."""
    return OrderCancelled(
        **_header(order, "OrderCancelled", time_ns),
        reason=reason,
        filled=listing.instrument.quantity_of(order.filled_lots),
    )


def expired(order: WorkingOrder, listing: Listing, time_ns: int) -> OrderExpired:
    """The order ends by its time in force."""
    return OrderExpired(
        **_header(order, "OrderExpired", time_ns), filled=listing.instrument.quantity_of(order.filled_lots)
    )


def rejected(submitted: OrderSubmitted, time_ns: int, reason: str, detail: str) -> OrderRejected:
    """The order is refused on arrival."""
    order = submitted.order
    return OrderRejected.caused_by(
        submitted,
        VENUE,
        occurred_at_ns=time_ns,
        client_order_id=submitted.client_order_id,
        order_id=order.order_id,
        account=order.account,
        instrument=order.instrument,
        reason=reason,
        detail=detail,
    )


def cancel_rejected(
    request: CancelSubmitted | ReplaceSubmitted, order: WorkingOrder | EndedOrder | None, time_ns: int, reason: str
) -> CancelRejected:
    """A cancel or a replace is refused; names of an order that the venue does not know are empty."""
    return CancelRejected.caused_by(
        request,
        VENUE,
        occurred_at_ns=time_ns,
        client_order_id=request.client_order_id,
        order_id="" if order is None else order.order_id,
        account="" if order is None else order.account,
        instrument="" if order is None else order.symbol,
        reason=reason,
    )


def _header(order: WorkingOrder, kind: str, time_ns: int) -> dict[str, Any]:
    order.reports += 1
    return {
        "message_id": derive_id(order.message_id, kind, order.client_order_id, str(order.reports)),
        "correlation_id": order.correlation_id,
        "causation_id": order.message_id,
        "occurred_at_ns": time_ns,
        "source": VENUE,
        "client_order_id": order.client_order_id,
        "order_id": order.order_id,
        "account": order.account,
        "instrument": order.symbol,
    }
