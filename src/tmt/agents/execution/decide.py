"""What to send to the venue, and where every order is in its life."""

from __future__ import annotations

from decimal import Decimal
from typing import Final, TypeAlias, TypeVar

import msgspec

from tmt.agents.execution.config import ExecutionConfig
from tmt.agents.verdict import Deny, Waterfall
from tmt.domain.money import ONE, ZERO, Exact
from tmt.domain.order import LEGAL_TRANSITIONS, TERMINAL_STATES, OrderState, Side
from tmt.messages import (
    AccountSuspended,
    BreakerOpened,
    CancelOrder,
    CancelRejected,
    CancelSubmitted,
    Message,
    OrderAccepted,
    OrderCancelled,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    OrderReleased,
    OrderReplaced,
    OrderSubmitted,
    OrderTriggered,
    ReplaceOrder,
    StopTrading,
    VenueEvent,
)

GATE: Final = "execution"
_BUCKETS: Final = 256

_STATE_AFTER: Final[dict[type[Message], OrderState]] = {
    OrderAccepted: OrderState.ACCEPTED,
    OrderTriggered: OrderState.TRIGGERED,
    OrderRejected: OrderState.REJECTED,
    OrderCancelled: OrderState.CANCELLED,
    OrderExpired: OrderState.EXPIRED,
}


class TrackedOrder(msgspec.Struct, frozen=True, kw_only=True):
    """One order that the venue was sent, by its client order id.

    Attributes:
        filled: units so far.
        exit_ids: client order ids of its bracket.
        cancelling: a cancel has been sent and not been refused.
    """

    order_id: str
    account: str
    instrument: str
    side: Side
    quantity: Exact
    reduce_only: bool
    exit_ids: tuple[str, ...]
    state: OrderState = OrderState.SUBMITTED
    filled: Exact = ZERO
    cancelling: bool = False


class ExecutionState(msgspec.Struct, frozen=True, kw_only=True):
    """What execution knows.

    Attributes:
        orders: working orders by client order id.
        ended: the last that ended.
        exits: exits that the venue has not accepted yet: client order id to order id.
        used: order ids of used releases, newest last, in buckets by the id's first two digits: a copy of the state
            then costs two small ones.
    """

    orders: dict[str, TrackedOrder] = {}
    ended: dict[str, TrackedOrder] = {}
    exits: dict[str, str] = {}
    used: dict[str, tuple[str, ...]] = {}


class Submit(msgspec.Struct, frozen=True):
    """Send the released order."""


class Cancel(msgspec.Struct, frozen=True):
    """Ask the venue to cancel."""

    client_order_ids: tuple[str, ...]
    reason: str


class Replace(msgspec.Struct, frozen=True):
    """Ask the venue to change an order."""

    client_order_id: str
    quantity: Exact
    limit_price: Exact | None


class Illegal(msgspec.Struct, frozen=True):
    """The venue said what cannot be; the state stays, but a fill counts."""

    detail: str


Outcome: TypeAlias = Submit | Deny | Cancel | Replace | Illegal | None


def decide(state: ExecutionState, message: Message, now_ns: int) -> Outcome:
    """What follows from `message` at event time `now_ns`, given what came before."""
    match message:
        case VenueEvent():
            return _illegal(state, message)
        case OrderReleased():
            return _submit(state, message, now_ns)
        case CancelOrder():
            return Cancel((message.client_order_id,), "person")
        case ReplaceOrder():
            return _replace(state, message)
        case StopTrading():
            return Cancel(_entries(state, None), "stop_trading")
        case BreakerOpened(tier="system"):
            return Cancel(_entries(state, None), "system_breaker")
        case BreakerOpened(tier="account"):
            return Cancel(_entries(state, message.scope), "account_breaker")
        case AccountSuspended():
            return Cancel(_entries(state, message.account), "account_suspended")
        case _:
            return None


def _submit(state: ExecutionState, release: OrderReleased, now_ns: int) -> Submit | Deny:
    order = release.order
    if order.order_id in state.used.get(order.order_id[:2], ()):
        return Waterfall(GATE, order.quantity).denies(
            "already_submitted", ONE, ZERO, "submissions", detail="a release is used once"
        )
    if now_ns > release.expires_at_ns:
        expired = Waterfall(GATE, order.quantity).denies_expired(release, now_ns)
        assert expired is not None
        return expired
    return Submit()


def _replace(state: ExecutionState, request: ReplaceOrder) -> Replace:
    # The venue answers for orders we do not know; of those we know, a replace never asks for more than was released.
    known = state.orders.get(request.client_order_id)
    quantity = request.quantity if known is None else min(request.quantity, known.quantity)
    return Replace(request.client_order_id, quantity, request.limit_price)


def _entries(state: ExecutionState, account: str | None) -> tuple[str, ...]:
    return tuple(
        client_order_id
        for client_order_id, order in state.orders.items()
        if not order.reduce_only and not order.cancelling and account in (None, order.account)
    )


def _illegal(state: ExecutionState, event: VenueEvent) -> Illegal | None:
    if isinstance(event, CancelRejected):
        return None
    id_ = event.client_order_id
    known = state.orders.get(id_)
    if known is None:
        ended = state.ended.get(id_)
        if ended is not None:
            return Illegal(f"{type(event).__name__} for order {id_} after it was {ended.state}")
        if isinstance(event, OrderAccepted) and id_ in state.exits:
            return None
        return Illegal(f"{type(event).__name__} for order {id_}, which was not submitted")
    after = _state_after(known, event)
    if not isinstance(event, OrderReplaced) and after not in LEGAL_TRANSITIONS[known.state]:
        return Illegal(f"order {id_} cannot go from {known.state} to {after}")
    if isinstance(event, OrderFilled) and known.filled + event.quantity > known.quantity:
        return Illegal(f"order {id_} of {known.quantity} is filled {known.filled + event.quantity}")
    return None


def _state_after(order: TrackedOrder, event: VenueEvent) -> OrderState:
    if isinstance(event, OrderFilled):
        return OrderState.FILLED if event.remaining == ZERO else OrderState.PARTIALLY_FILLED
    return _STATE_AFTER.get(type(event), order.state)


def evolve(state: ExecutionState, message: Message, config: ExecutionConfig) -> ExecutionState:
    """The state after `message`; the same object when it does not concern execution's orders."""
    match message:
        case CancelRejected():
            return _mark_cancelling(state, message.client_order_id, False)
        case VenueEvent():
            return _follow(state, message, config)
        case OrderSubmitted():
            return _submitted(state, message, config)
        case CancelSubmitted():
            return _mark_cancelling(state, message.client_order_id, True)
        case _:
            return state


def _submitted(state: ExecutionState, message: OrderSubmitted, config: ExecutionConfig) -> ExecutionState:
    order = message.order
    exit_ids = tuple(
        id_ for id_ in (message.stop_loss_client_order_id, message.take_profit_client_order_id) if id_ is not None
    )
    tracked = TrackedOrder(
        order_id=order.order_id,
        account=order.account,
        instrument=order.instrument,
        side=order.side,
        quantity=order.quantity,
        reduce_only=order.reduce_only,
        exit_ids=exit_ids,
    )
    exits = state.exits
    if exit_ids:
        exits = _bounded({**exits, **dict.fromkeys(exit_ids, order.order_id)}, config.ended_orders_max)
    bucket = order.order_id[:2]
    used = (*state.used.get(bucket, ()), order.order_id)[-(config.used_releases_max // _BUCKETS) :]
    return ExecutionState(
        orders={**state.orders, message.client_order_id: tracked},
        ended=state.ended,
        exits=exits,
        used={**state.used, bucket: used},
    )


def _mark_cancelling(state: ExecutionState, client_order_id: str, cancelling: bool) -> ExecutionState:
    known = state.orders.get(client_order_id)
    if known is None or known.cancelling is cancelling:
        return state
    marked = msgspec.structs.replace(known, cancelling=cancelling)
    return msgspec.structs.replace(state, orders={**state.orders, client_order_id: marked})


def _follow(state: ExecutionState, event: VenueEvent, config: ExecutionConfig) -> ExecutionState:
    id_ = event.client_order_id
    if _illegal(state, event) is not None:
        return _count_stray_fill(state, event)
    known = state.orders.get(id_)
    if known is None:
        assert isinstance(event, OrderAccepted)
        exits = {key: value for key, value in state.exits.items() if key != id_}
        accepted = {**state.orders, id_: _accepted_exit(event)}
        return msgspec.structs.replace(state, orders=accepted, exits=exits)
    moved = _moved(known, event)
    if moved.state not in TERMINAL_STATES:
        return msgspec.structs.replace(state, orders={**state.orders, id_: moved})
    orders = {key: value for key, value in state.orders.items() if key != id_}
    exits = state.exits
    if moved.filled == ZERO and moved.exit_ids:
        exits = {key: value for key, value in exits.items() if key not in moved.exit_ids}
    ended = _bounded({**state.ended, id_: moved}, config.ended_orders_max)
    return msgspec.structs.replace(state, orders=orders, exits=exits, ended=ended)


def _moved(order: TrackedOrder, event: VenueEvent) -> TrackedOrder:
    after = _state_after(order, event)
    match event:
        case OrderFilled():
            return msgspec.structs.replace(order, state=after, filled=order.filled + event.quantity)
        case OrderAccepted() | OrderReplaced():
            return msgspec.structs.replace(order, state=after, quantity=event.quantity)
        case _:
            return msgspec.structs.replace(order, state=after)


def _accepted_exit(event: OrderAccepted) -> TrackedOrder:
    return TrackedOrder(
        order_id=event.order_id,
        account=event.account,
        instrument=event.instrument,
        side=event.side,
        quantity=event.quantity,
        reduce_only=event.reduce_only,
        exit_ids=(),
        state=OrderState.ACCEPTED,
    )


def _count_stray_fill(state: ExecutionState, event: VenueEvent) -> ExecutionState:
    if not isinstance(event, OrderFilled):
        return state
    id_, quantity = event.client_order_id, event.quantity
    if id_ in state.orders:
        return msgspec.structs.replace(state, orders={**state.orders, id_: _with_fill(state.orders[id_], quantity)})
    if id_ in state.ended:
        return msgspec.structs.replace(state, ended={**state.ended, id_: _with_fill(state.ended[id_], quantity)})
    return state


def _with_fill(order: TrackedOrder, quantity: Decimal) -> TrackedOrder:
    return msgspec.structs.replace(order, filled=order.filled + quantity)


_Value = TypeVar("_Value")


def _bounded(remembered: dict[str, _Value], most: int) -> dict[str, _Value]:
    if len(remembered) <= most:
        return remembered
    return dict(list(remembered.items())[(len(remembered) + 1) // 2 :])
