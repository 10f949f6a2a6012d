"""What to send to the venue, and where every order is in its life."""

from __future__ import annotations

from typing import Final, TypeAlias, TypeVar

import msgspec

from tmt.agents.execution.config import ExecutionConfig
from tmt.agents.execution.halting import Halt
from tmt.agents.execution.slicing import Slicing
from tmt.agents.execution.tracking import TrackedOrder
from tmt.agents.verdict import Deny, Waterfall
from tmt.domain.money import ONE, ZERO, Exact
from tmt.domain.order import LEGAL_TRANSITIONS, TERMINAL_STATES, OrderState
from tmt.messages import (
    CancelOrder,
    CancelRejected,
    CancelSubmitted,
    Message,
    OrderAccepted,
    OrderCancelled,
    OrderExpired,
    OrderFilled,
    OrderReconciled,
    OrderRejected,
    OrderReleased,
    OrderReplaced,
    OrderSubmitted,
    OrderTriggered,
    ReplaceOrder,
    ScheduleStarted,
    VenueEvent,
)

GATE: Final = "execution"
UNKNOWN_CANCELLED: Final = "unknown_cancelled"
"""The repair of an order that works at the venue and that we did not send."""

_BUCKETS: Final = 256

_STATE_AFTER: Final[dict[type[Message], OrderState]] = {
    OrderAccepted: OrderState.ACCEPTED,
    OrderTriggered: OrderState.TRIGGERED,
    OrderRejected: OrderState.REJECTED,
    OrderCancelled: OrderState.CANCELLED,
    OrderExpired: OrderState.EXPIRED,
}


class ExecutionState(msgspec.Struct, frozen=True, kw_only=True):
    """What execution knows.

    Attributes:
        orders: working orders by client order id.
        ended: the last that ended.
        exits: exits that the venue has not accepted yet: client order id to order id.
        used: order ids of used releases, newest last, in buckets by the id's first two digits: a copy of the state
            then costs two small ones.
        foreign: client order ids of orders that work at the venue without us, and that it has been asked to cancel.
        full_at_ns: when the bucket of messages is full again; see `rate`.
        slicing: parents that are worked slice by slice.
        halts: emergency stops that are under way.
    """

    orders: dict[str, TrackedOrder] = {}
    ended: dict[str, TrackedOrder] = {}
    exits: dict[str, str] = {}
    used: dict[str, tuple[str, ...]] = {}
    foreign: tuple[str, ...] = ()
    full_at_ns: int = 0
    slicing: Slicing = Slicing()
    halts: tuple[Halt, ...] = ()


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
    stop_price: Exact | None


class Illegal(msgspec.Struct, frozen=True):
    """The venue said what cannot be; the state stays, but a fill counts."""

    detail: str


Outcome: TypeAlias = Submit | Deny | Cancel | Replace | Illegal | None


def decide(state: ExecutionState, message: Message, now_ns: int) -> Outcome:
    """What follows from `message` at event time `now_ns`, given what came before."""
    match message:
        case OrderReconciled():
            return None
        case VenueEvent():
            return _illegal(state, message)
        case OrderReleased():
            return _submit(state, message, now_ns)
        case CancelOrder():
            parent = state.slicing.parents.get(message.client_order_id)
            return Cancel((message.client_order_id,) if parent is None else parent.working, "person")
        case ReplaceOrder():
            return _replace(state, message)
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
    return Replace(request.client_order_id, quantity, request.limit_price, request.stop_price)


def _illegal(state: ExecutionState, event: VenueEvent) -> Illegal | None:
    if isinstance(event, CancelRejected):
        return None
    id_ = event.client_order_id
    if id_ in state.foreign and not isinstance(event, OrderFilled):
        return None
    known = state.orders.get(id_)
    if isinstance(event, OrderFilled) and _has_fill(known or state.ended.get(id_), event):
        return Illegal(f"fill {event.fill_id} of order {id_} came twice")
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
        case OrderReconciled() if message.repair == UNKNOWN_CANCELLED:
            return msgspec.structs.replace(state, foreign=(*state.foreign, message.client_order_id))
        case OrderReconciled():
            return state
        case VenueEvent() if message.client_order_id in state.foreign:
            return _part_with(state, message)
        case CancelRejected():
            return _mark_cancelling(state, message.client_order_id, False)
        case VenueEvent():
            return _follow(state, message, config)
        case ScheduleStarted():
            return _use(state, message.order.order_id, config)
        case OrderSubmitted():
            return _use(_submitted(state, message, config), message.order.order_id, config)
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
        strategy=order.strategy,
        limit_price=order.limit_price,
        stop_price=order.stop_price,
        stop_loss_price=order.stop_loss_price,
    )
    exits = state.exits
    if exit_ids:
        exits = _bounded({**exits, **dict.fromkeys(exit_ids, order.order_id)}, config.ended_orders_max)
    return msgspec.structs.replace(state, orders={**state.orders, message.client_order_id: tracked}, exits=exits)


def _use(state: ExecutionState, order_id: str, config: ExecutionConfig) -> ExecutionState:
    bucket = order_id[:2]
    used = (*state.used.get(bucket, ()), order_id)[-(config.used_releases_max // _BUCKETS) :]
    return msgspec.structs.replace(state, used={**state.used, bucket: used})


def _mark_cancelling(state: ExecutionState, client_order_id: str, cancelling: bool) -> ExecutionState:
    known = state.orders.get(client_order_id)
    if known is None or known.cancelling is cancelling:
        return state
    marked = msgspec.structs.replace(known, cancelling=cancelling)
    return msgspec.structs.replace(state, orders={**state.orders, client_order_id: marked})


def _part_with(state: ExecutionState, event: VenueEvent) -> ExecutionState:
    """A foreign order has ended; a refused cancel says so too, and if it works on, it will be found again."""
    if not isinstance(event, OrderCancelled | OrderExpired | OrderRejected | CancelRejected):
        return state
    left = tuple(id_ for id_ in state.foreign if id_ != event.client_order_id)
    return msgspec.structs.replace(state, foreign=left)


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
            return msgspec.structs.replace(_with_fill(order, event), state=after)
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
    id_ = event.client_order_id
    if id_ in state.orders:
        return msgspec.structs.replace(state, orders={**state.orders, id_: _with_fill(state.orders[id_], event)})
    if id_ in state.ended:
        return msgspec.structs.replace(state, ended={**state.ended, id_: _with_fill(state.ended[id_], event)})
    return state


def _has_fill(order: TrackedOrder | None, fill: OrderFilled) -> bool:
    return order is not None and fill.fill_id in order.fill_ids


def _with_fill(order: TrackedOrder, fill: OrderFilled) -> TrackedOrder:
    if _has_fill(order, fill):
        return order
    return msgspec.structs.replace(order, filled=order.filled + fill.quantity, fill_ids=(*order.fill_ids, fill.fill_id))


_Value = TypeVar("_Value")


def _bounded(remembered: dict[str, _Value], most: int) -> dict[str, _Value]:
    if len(remembered) <= most:
        return remembered
    return dict(list(remembered.items())[(len(remembered) + 1) // 2 :])
