"""Venue: what execution sends, and what comes back."""

from __future__ import annotations

from tmt.domain.money import Exact, checked, not_negative, positive
from tmt.domain.order import Order, OrderType, Quote, Side
from tmt.domain.schedule import Algorithm
from tmt.messages.message import Message


class OrderSubmitted(Message, frozen=True, kw_only=True):
    """Execution sends an order. The bracket's two exits carry ids of their own from the start."""

    client_order_id: str
    order: Order
    stop_loss_client_order_id: str | None
    take_profit_client_order_id: str | None


class CancelSubmitted(Message, frozen=True, kw_only=True):
    """Execution asks the venue to cancel."""

    client_order_id: str
    reason: str


class ReplaceSubmitted(Message, frozen=True, kw_only=True):
    """Execution asks the venue to change quantity or price; None leaves a price as it is."""

    client_order_id: str
    quantity: Exact
    limit_price: Exact | None
    stop_price: Exact | None = None


class ScheduleStarted(Message, frozen=True, kw_only=True):
    """Execution begins to work a released parent order slice by slice, each an order of its own with `parent_id`."""

    order: Order
    arrival_price: Exact


class ScheduleEnded(Message, frozen=True, kw_only=True):
    """No more slices of a parent will go out, and those that did have ended.

    Attributes:
        reason: "completed", "stopped", "breaker", "cancelled", "entries_barred", "expired", "stop_passed".
        arrival_price: the side of the quote that the parent would have taken at its release.
        average_price: of its fills; None when nothing filled.
        shortfall_fraction: implementation shortfall of the fills against the arrival price, positive when worse.
        immediate_fraction: what immediate execution would have cost by the same measure; None when it is not known.
    """

    order_id: str
    account: str
    instrument: str
    algorithm: Algorithm
    reason: str
    filled: Exact
    arrival_price: Exact
    average_price: Exact | None
    shortfall_fraction: Exact | None
    immediate_fraction: Exact | None


class VenueEvent(Message, frozen=True, kw_only=True):
    """What the venue's answers share."""

    client_order_id: str
    order_id: str
    account: str
    instrument: str


class OrderAccepted(VenueEvent, frozen=True, kw_only=True):
    """The order works at the venue. Exits of a bracket are accepted when their entry fills.

    Attributes:
        price: its limit, or else the price of its stop.
        role: as in `OrderFilled`.
    """

    side: Side
    quantity: Exact
    order_type: OrderType
    price: Exact | None
    reduce_only: bool
    role: str


class OrderTriggered(VenueEvent, frozen=True, kw_only=True):
    """A stop was reached."""

    trigger_price: Exact


class OrderReplaced(VenueEvent, frozen=True, kw_only=True):
    """The venue changed the order."""

    quantity: Exact
    limit_price: Exact | None
    stop_price: Exact | None = None


class OrderFilled(VenueEvent, frozen=True, kw_only=True):
    """One execution of an order or of a part of it.

    Attributes:
        remaining: what is still open of the order after this fill.
        quote: best prices when it filled.
        role: "entry", "stop_loss", "take_profit" or "close".
        liquidity: "maker" or "taker".
        slippage: signed price difference from the order's reference price, against us when positive.
    """

    fill_id: str
    side: Side
    quantity: Exact
    price: Exact
    fee: Exact
    fee_currency: str
    remaining: Exact
    role: str
    liquidity: str
    slippage: Exact
    quote: Quote
    setup: str
    strategy: str

    def __post_init__(self) -> None:
        super().__post_init__()
        positive("quantity", self.quantity)
        positive("price", self.price)
        checked("fee", self.fee)
        not_negative("remaining", self.remaining)


class OrderRejected(VenueEvent, frozen=True, kw_only=True):
    """The venue refuses the order."""

    reason: str
    detail: str


class OrderCancelled(VenueEvent, frozen=True, kw_only=True):
    """The order ends on request, or because its sibling in the bracket filled."""

    reason: str
    filled: Exact


class OrderExpired(VenueEvent, frozen=True, kw_only=True):
    """The order ends by its time in force."""

    filled: Exact


class CancelRejected(VenueEvent, frozen=True, kw_only=True):
    """The venue refuses a cancel or a replace."""

    reason: str


class OrderReconciled(VenueEvent, frozen=True, kw_only=True):
    """Our books differed from the venue's record of an order, and were put right by it.

    Attributes:
        repair: "end_missed", "replace_missed", "unknown_cancelled".
        detail: what we believed and what the venue said.
    """

    repair: str
    detail: str
