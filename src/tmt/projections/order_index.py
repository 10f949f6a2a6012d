"""Orders by id, from the first gate to their end: the newest are kept, whatever became of them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from decimal import Decimal
from typing import Final

import msgspec

from tmt import messages as m
from tmt.domain.money import ZERO, Exact, divide
from tmt.domain.order import Order, OrderState, OrderType, Side, TimeInForce

ORDERS_MAX: Final = 20_000
"""Orders kept; of more, the oldest that are over are forgotten first."""

IN_GATES: Final = "in_gates"
DENIED: Final = "denied"
OVER: Final = frozenset(
    {
        DENIED,
        *(state.value for state in (OrderState.FILLED, OrderState.CANCELLED, OrderState.REJECTED, OrderState.EXPIRED)),
    }
)


class OrderRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One order of one account, without the exits of its bracket.

    Attributes:
        client_order_id: at the venue; empty until it is submitted. An order that goes out in slices has its own id.
        trail_id: of the signal or proposal that it follows from.
        type, time_in_force: None when a gate denied a signal before an order was made of it.
        quantity, filled: in units of the instrument; average_price is None before the first fill.
        status: "in_gates", "denied", or a `tmt.domain.order.OrderState`.
        reason: why it was denied, rejected or cancelled; else empty.
        person: who proposed it; empty when a signal did.
        position: log position of its newest change.
    """

    order_id: str
    client_order_id: str
    trail_id: str
    account: str
    instrument: str
    side: Side
    type: OrderType | None
    time_in_force: TimeInForce | None
    quantity: Exact
    filled: Exact
    average_price: Exact | None
    limit_price: Exact | None
    stop_price: Exact | None
    stop_loss_price: Exact | None
    take_profit_price: Exact | None
    trail_offset: Exact | None
    reduce_only: bool
    post_only: bool
    strategy: str
    setup: str
    person: str
    status: str
    reason: str
    created_at_ns: int
    updated_at_ns: int
    position: int


class OrderIndex:
    """Folds messages, each once, in log order."""

    def __init__(self) -> None:
        self._orders: OrderedDict[str, OrderRecord] = OrderedDict()
        self._by_client_id: dict[str, str] = {}
        self._exits: dict[str, str] = {}
        self._exits_of: dict[str, tuple[str, ...]] = {}
        self._paid: dict[str, Decimal] = {}
        self._by_trail: dict[str, list[str]] = {}
        self._proposals: OrderedDict[str, m.OrderProposed] = OrderedDict()

    def get(self, named: str) -> OrderRecord | None:
        """An order by its id or its id at the venue."""
        return self._orders.get(named) or self._orders.get(self._by_client_id.get(named, ""))

    def account_of(self, client_order_id: str) -> str | None:
        """Whose order it is at the venue, exits included; None when unknown."""
        order_id = self._by_client_id.get(client_order_id) or self._exits.get(client_order_id, "")
        known = self._orders.get(order_id)
        return None if known is None else known.account

    def of_trail(self, trail_id: str) -> tuple[OrderRecord, ...]:
        """The orders that follow from a signal or proposal."""
        return tuple(self._orders[each] for each in self._by_trail.get(trail_id, ()) if each in self._orders)

    def newest_first(self) -> Iterator[OrderRecord]:
        """All that are kept."""
        return reversed(self._orders.values())

    def handle(self, message: m.Message, position: int) -> None:
        """Fold one message."""
        match message:
            case m.OrderProposed():
                self._proposals[message.message_id] = message
                if len(self._proposals) > ORDERS_MAX:
                    self._proposals.popitem(last=False)
            case m.GateApproval(order=order):
                status = OrderState.RELEASED.value if isinstance(message, m.OrderReleased) else IN_GATES
                self._put(self._from_order(order, message, position, status))
            case m.OrderDenied():
                self._deny(message, position)
            case m.OrderSubmitted():
                self._submit(message, position)
            case m.ScheduleStarted():
                self._start_slices(message, position)
            case m.ScheduleEnded():
                self._end_slices(message, position)
            case m.VenueEvent():
                self._follow(message, position)
            case _:
                pass

    def _from_order(self, order: Order, said: m.Message, position: int, status: str) -> OrderRecord:
        known = self._orders.get(order.order_id)
        proposal = self._proposals.get(said.correlation_id)
        return OrderRecord(
            order_id=order.order_id,
            client_order_id="",
            trail_id=said.correlation_id,
            account=order.account,
            instrument=order.instrument,
            side=order.side,
            type=order.type,
            time_in_force=order.time_in_force,
            quantity=order.quantity,
            filled=ZERO,
            average_price=None,
            limit_price=order.limit_price,
            stop_price=order.stop_price,
            stop_loss_price=order.stop_loss_price,
            take_profit_price=order.take_profit_price,
            trail_offset=order.trail_offset,
            reduce_only=order.reduce_only,
            post_only=order.post_only,
            strategy=order.strategy,
            setup=order.setup,
            person="" if proposal is None else proposal.person,
            status=status,
            reason="",
            created_at_ns=said.occurred_at_ns if known is None else known.created_at_ns,
            updated_at_ns=said.occurred_at_ns,
            position=position,
        )

    def _deny(self, denied: m.OrderDenied, position: int) -> None:
        known = self._orders.get(denied.order_id)
        if known is None:
            known = self._never_sized(denied, position)
        elif known.client_order_id:
            return
        self._change(known, denied, position, status=DENIED, reason=denied.reason, quantity=denied.quantity)

    def _never_sized(self, denied: m.OrderDenied, position: int) -> OrderRecord:
        proposal = self._proposals.get(denied.correlation_id)
        return OrderRecord(
            order_id=denied.order_id,
            client_order_id="",
            trail_id=denied.correlation_id,
            account=denied.account,
            instrument=denied.instrument,
            side=denied.side,
            type=None if proposal is None else proposal.order_type,
            time_in_force=None if proposal is None else proposal.time_in_force,
            quantity=denied.quantity,
            filled=ZERO,
            average_price=None,
            limit_price=None if proposal is None else proposal.limit_price,
            stop_price=None if proposal is None else proposal.stop_price,
            stop_loss_price=None if proposal is None else proposal.stop_loss_price,
            take_profit_price=None if proposal is None else proposal.take_profit_price,
            trail_offset=None if proposal is None else proposal.trail_offset,
            reduce_only=proposal is not None and proposal.reduce_only,
            post_only=proposal is not None and proposal.post_only,
            strategy="" if proposal is None else proposal.strategy,
            setup="",
            person="" if proposal is None else proposal.person,
            status=DENIED,
            reason=denied.reason,
            created_at_ns=denied.occurred_at_ns,
            updated_at_ns=denied.occurred_at_ns,
            position=position,
        )

    def _submit(self, message: m.OrderSubmitted, position: int) -> None:
        made = self._from_order(message.order, message, position, OrderState.SUBMITTED.value)
        self._put(msgspec.structs.replace(made, client_order_id=message.client_order_id))
        self._by_client_id[message.client_order_id] = made.order_id
        exits = (message.stop_loss_client_order_id, message.take_profit_client_order_id)
        self._exits_of[made.order_id] = tuple(each for each in exits if each is not None)
        self._exits.update(dict.fromkeys(self._exits_of[made.order_id], made.order_id))

    def _start_slices(self, started: m.ScheduleStarted, position: int) -> None:
        # The venue never hears of it: its own id is the one by which it can be cancelled.
        order_id = started.order.order_id
        made = self._from_order(started.order, started, position, OrderState.SUBMITTED.value)
        self._put(msgspec.structs.replace(made, client_order_id=order_id))
        self._by_client_id[order_id] = order_id

    def _end_slices(self, ended: m.ScheduleEnded, position: int) -> None:
        known = self._orders.get(ended.order_id)
        if known is None:
            return
        is_filled = ended.filled == known.quantity
        self._change(
            known,
            ended,
            position,
            status=(OrderState.FILLED if is_filled else OrderState.CANCELLED).value,
            reason="" if is_filled else ended.reason,
            filled=ended.filled,
            average_price=ended.average_price,
        )

    def _follow(self, event: m.VenueEvent, position: int) -> None:
        known = self._orders.get(self._by_client_id.get(event.client_order_id, ""))
        if known is None:
            return
        match event:
            case m.OrderAccepted():
                self._change(known, event, position, status=OrderState.ACCEPTED.value)
            case m.OrderTriggered():
                self._change(known, event, position, status=OrderState.TRIGGERED.value)
            case m.OrderReplaced():
                price = known.limit_price if event.limit_price is None else event.limit_price
                stop = known.stop_price if event.stop_price is None else event.stop_price
                self._change(known, event, position, quantity=event.quantity, limit_price=price, stop_price=stop)
            case m.OrderFilled():
                self._fill(known, event, position)
            case m.OrderRejected():
                self._change(known, event, position, status=OrderState.REJECTED.value, reason=event.reason)
            case m.OrderCancelled():
                self._change(known, event, position, status=OrderState.CANCELLED.value, reason=event.reason)
            case m.OrderExpired():
                self._change(known, event, position, status=OrderState.EXPIRED.value)
            case _:
                pass

    def _fill(self, known: OrderRecord, fill: m.OrderFilled, position: int) -> None:
        filled = known.filled + fill.quantity
        paid = self._paid.get(known.order_id, ZERO) + fill.quantity * fill.price
        self._paid[known.order_id] = paid
        state = OrderState.FILLED if fill.remaining == ZERO else OrderState.PARTIALLY_FILLED
        self._change(known, fill, position, status=state.value, filled=filled, average_price=divide(paid, filled))

    def _change(self, known: OrderRecord, said: m.Message, position: int, **changes: object) -> None:
        self._put(msgspec.structs.replace(known, updated_at_ns=said.occurred_at_ns, position=position, **changes))

    def _put(self, record: OrderRecord) -> None:
        is_new = record.order_id not in self._orders
        self._orders[record.order_id] = record
        if is_new:
            self._by_trail.setdefault(record.trail_id, []).append(record.order_id)
            self._forget_one_too_many()

    def _forget_one_too_many(self) -> None:
        if len(self._orders) <= ORDERS_MAX:
            return
        orders = self._orders.values()
        oldest = next((each for each in orders if each.status in OVER), next(iter(orders)))
        del self._orders[oldest.order_id]
        self._by_client_id.pop(oldest.client_order_id, None)
        siblings = self._by_trail[oldest.trail_id]
        siblings.remove(oldest.order_id)
        if not siblings:
            del self._by_trail[oldest.trail_id]
        self._paid.pop(oldest.order_id, None)
        for exit_id in self._exits_of.pop(oldest.order_id, ()):
            del self._exits[exit_id]
