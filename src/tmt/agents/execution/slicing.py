"""Parents worked slice by slice: what goes out when a slice is due, what ends a schedule, and what it has cost."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

import msgspec

from tmt.agents.execution.halting import ENTRIES_BARRED
from tmt.domain.identity import derive_id
from tmt.domain.money import ZERO, Exact, divide, floor_to
from tmt.domain.order import Order
from tmt.domain.schedule import Algorithm, Schedule
from tmt.domain.stop import StopScope
from tmt.market.bar import Timeframe
from tmt.messages import (
    AccountSuspended,
    BarClosed,
    BreakerOpened,
    BreakerReduced,
    CancelOrder,
    EntriesBarred,
    Message,
    OrderCancelled,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    OrderSubmitted,
    ScheduleEnded,
    ScheduleStarted,
    SliceDue,
    StopTrading,
)
from tmt.projections.portfolio import Portfolio
from tmt.projections.reach import covers

COSTS_REMEMBERED: Final = 20
"""Parents of one instrument that went out whole, whose mean cost is what immediate execution costs."""

COMPLETED: Final = "completed"
STOP_PASSED: Final = "stop_passed"
"""The market has reached the parent's own protective stop, or a slice was closed by its stop."""


class Parent(msgspec.Struct, frozen=True, kw_only=True):
    """A released order that is being worked.

    Attributes:
        slices_passed: how many slices went out or were passed over.
        sent: units of the slices that went out.
        working: client order ids of slices that have not ended.
        filled, paid: units filled, and Σ quantity × price of the fills.
        traded: units traded by others in bars closed since the last slice went out; POV alone asks for it.
        reason: why no more slices go out; empty while they do.
    """

    order: Order
    arrival_price: Exact
    slices_passed: int = 0
    sent: Exact = ZERO
    working: tuple[str, ...] = ()
    filled: Exact = ZERO
    paid: Exact = ZERO
    traded: Exact = ZERO
    reason: str = ""

    @property
    def schedule(self) -> Schedule:
        """Its slices."""
        assert self.order.schedule is not None, "a parent has a schedule"
        return self.order.schedule

    @property
    def left(self) -> Decimal:
        """Units that no slice has taken out yet."""
        return self.order.quantity - self.sent

    def slice_id(self, number: int) -> str:
        """Order id of a slice."""
        return derive_id(self.order.order_id, "slice", str(number))

    def has_slice(self, order_id: str) -> bool:
        """Whether an order is one of its slices that may have gone out."""
        return any(self.slice_id(number) == order_id for number in range(self.slices_passed))

    @property
    def is_over(self) -> bool:
        """Whether nothing more will come of it: no slice to go, and none at the venue."""
        no_more = self.reason != "" or self.left == ZERO or self.slices_passed >= len(self.schedule.slices)
        return no_more and not self.working


class Slicing(msgspec.Struct, frozen=True, kw_only=True):
    """What execution knows of parents.

    Attributes:
        parents: those under way, by order id.
        timeframes: of each instrument, the shortest whose bars have closed; their volumes do not overlap.
        immediate: shortfalls of the newest parents of each instrument that went out whole.
    """

    parents: dict[str, Parent] = {}
    timeframes: dict[str, Timeframe] = {}
    immediate: dict[str, tuple[Exact, ...]] = {}


def arrival_price(order: Order) -> Decimal:
    """The side of the quote that the order would have taken when it was sized, which is the instant of its release."""
    return order.quote.ask if order.side.sign > 0 else order.quote.bid


def slice_order(slicing: Slicing, due: SliceDue, portfolio: Portfolio) -> Order | None:
    """The order that goes out now, or None when the schedule has ended or this slice is too small for the venue.

    It never takes more than the slice, nor more than is left of what was released. Under POV it also takes no more than
    its share of what others have traded since the last one.
    """
    parent = slicing.parents.get(due.order_id)
    if parent is None or parent.reason or _stops(due, parent.order, portfolio):
        return None
    instrument = portfolio.instrument(parent.order.instrument)
    assert instrument is not None, "an order is for an instrument of the desk"
    quantity = min(parent.schedule.slices[due.number].quantity, parent.left)
    if parent.schedule.participation_fraction is not None:
        share = floor_to(parent.traded * parent.schedule.participation_fraction, instrument.lot_size)
        quantity = min(quantity, share)
    if (
        quantity < instrument.quantity_min
        or instrument.notional(quantity, arrival_price(parent.order)) < instrument.notional_min
    ):
        return None
    return msgspec.structs.replace(
        parent.order,
        order_id=parent.slice_id(due.number),
        parent_id=parent.order.order_id,
        quantity=quantity,
        schedule=None,
    )


def evolve_slicing(slicing: Slicing, message: Message, portfolio: Portfolio) -> Slicing:
    """What execution knows of parents after `message`; the same object when nothing changed."""
    match message:
        case BarClosed():
            return _traded(slicing, message)
        case ScheduleStarted():
            return _with(slicing, Parent(order=message.order, arrival_price=message.arrival_price))
        case ScheduleEnded():
            return _ended(slicing, message)
        case SliceDue():
            return _passed_over(slicing, message, portfolio)
        case OrderSubmitted():
            return _went_out(slicing, message)
        case OrderFilled() | OrderRejected() | OrderCancelled() | OrderExpired():
            return _followed(slicing, message)
        case _:
            return _stopped(slicing, message, portfolio)


def ended_by(before: Slicing, after: Slicing) -> list[Parent]:
    """Parents that are over now and were not before, in the order started."""
    over = [parent for parent in after.parents.values() if parent.is_over]
    return [each for each in over if not before.parents[each.order.order_id].is_over]


def schedule_ended(slicing: Slicing, parent: Parent, cause: Message, source: str) -> ScheduleEnded:
    """What there is to say of a parent that is over.

    Shortfall (Perold, "The implementation shortfall: paper versus reality", 1988) of what was filled, per unit and as a
    fraction of the arrival price, positive when worse for us. What stayed unfilled costs nothing here: `filled` tells.
    """
    order = parent.order
    average, shortfall = None, None
    if parent.filled > ZERO:
        average = divide(parent.paid, parent.filled)
        cost = (parent.paid - parent.arrival_price * parent.filled) * order.side.sign
        shortfall = divide(cost, parent.arrival_price * parent.filled)
    costs = slicing.immediate.get(order.instrument, ())
    return ScheduleEnded.caused_by(
        cause,
        source,
        order.order_id,
        order_id=order.order_id,
        account=order.account,
        instrument=order.instrument,
        algorithm=parent.schedule.algorithm,
        reason=parent.reason or COMPLETED,
        filled=parent.filled,
        arrival_price=parent.arrival_price,
        average_price=average,
        shortfall_fraction=shortfall,
        immediate_fraction=divide(sum(costs, ZERO), Decimal(len(costs))) if costs else None,
    )


def _stops(message: Message, order: Order, portfolio: Portfolio) -> str:
    """The reason for which `message` ends the schedule of `order`; empty when it does not."""
    match message:
        case StopTrading(scope=scope):
            return "stopped" if covers(scope, portfolio, order.account, order.strategy, order.instrument) else ""
        case BreakerOpened() | BreakerReduced():
            scope = StopScope.of_breaker(message.tier, message.scope)
            stands_between = covers(scope, portfolio, order.account, order.strategy, order.instrument)
            return "breaker" if stands_between or message.scope == f"feed:{order.instrument}" else ""
        case AccountSuspended():
            return "stopped" if message.account == order.account else ""
        case EntriesBarred():
            barred = (message.account, message.instrument) == (order.account, order.instrument)
            return ENTRIES_BARRED if barred and not order.reduce_only else ""
        case CancelOrder():
            return "cancelled" if message.client_order_id == order.order_id else ""
        case SliceDue():
            expires_ns = order.expire_at_ns
            if expires_ns is not None and message.occurred_at_ns >= expires_ns:
                return "expired"
            return STOP_PASSED if _would_stop_out(order, portfolio) else ""
        case _:
            return ""


def _would_stop_out(order: Order, portfolio: Portfolio) -> bool:
    """Whether the newest mark would trigger the order's protective stop, so that it could protect no further slice."""
    if order.stop_loss_price is None:
        return False
    mark = portfolio.mark(order.instrument) or order.quote
    best = mark.bid if order.side.sign > 0 else mark.ask
    return (best - order.stop_loss_price) * order.side.sign <= ZERO


def _with(slicing: Slicing, *parents: Parent) -> Slicing:
    changed = {parent.order.order_id: parent for parent in parents}
    return msgspec.structs.replace(slicing, parents={**slicing.parents, **changed})


def _stopped(slicing: Slicing, message: Message, portfolio: Portfolio) -> Slicing:
    stopped = [
        msgspec.structs.replace(parent, reason=reason)
        for parent in slicing.parents.values()
        if not parent.reason and (reason := _stops(message, parent.order, portfolio))
    ]
    return _with(slicing, *stopped) if stopped else slicing


def _passed_over(slicing: Slicing, due: SliceDue, portfolio: Portfolio) -> Slicing:
    parent = slicing.parents.get(due.order_id)
    # A slice that goes out is counted by its submission, which comes next.
    if parent is None or parent.reason or slice_order(slicing, due, portfolio) is not None:
        return slicing
    passed = msgspec.structs.replace(
        parent, slices_passed=parent.slices_passed + 1, reason=_stops(due, parent.order, portfolio)
    )
    return _with(slicing, passed)


def _went_out(slicing: Slicing, submitted: OrderSubmitted) -> Slicing:
    parent = slicing.parents.get(submitted.order.parent_id)
    if parent is None:
        return slicing
    return _with(
        slicing,
        msgspec.structs.replace(
            parent,
            slices_passed=parent.slices_passed + 1,
            sent=parent.sent + submitted.order.quantity,
            working=(*parent.working, submitted.client_order_id),
            traded=ZERO,
        ),
    )


def _followed(slicing: Slicing, event: OrderFilled | OrderRejected | OrderCancelled | OrderExpired) -> Slicing:
    id_ = event.client_order_id
    parent = next((each for each in slicing.parents.values() if id_ in each.working), None)
    if parent is None:
        return _stopped_out(slicing, event) if isinstance(event, OrderFilled) else slicing
    if isinstance(event, OrderFilled):
        parent = msgspec.structs.replace(
            parent, filled=parent.filled + event.quantity, paid=parent.paid + event.quantity * event.price
        )
    if isinstance(event, OrderRejected) and not parent.reason:
        # What the venue refuses once it would refuse again.
        parent = msgspec.structs.replace(parent, reason="stopped")
    if not isinstance(event, OrderFilled) or event.remaining == ZERO:
        parent = msgspec.structs.replace(parent, working=tuple(each for each in parent.working if each != id_))
    return _with(slicing, parent)


def _stopped_out(slicing: Slicing, fill: OrderFilled) -> Slicing:
    """Bars may be a minute old when the market has passed a stop; the exit of a slice, known by its entry, says so."""
    if fill.role != "stop_loss":
        return slicing
    parent = next((each for each in slicing.parents.values() if each.has_slice(fill.order_id)), None)
    if parent is None or parent.reason:
        return slicing
    return _with(slicing, msgspec.structs.replace(parent, reason=STOP_PASSED))


def _traded(slicing: Slicing, closed: BarClosed) -> Slicing:
    bar = closed.bar
    shortest = slicing.timeframes.get(bar.instrument)
    if shortest is None or bar.timeframe.nanoseconds < shortest.nanoseconds:
        timeframes = {**slicing.timeframes, bar.instrument: bar.timeframe}
        slicing = msgspec.structs.replace(slicing, timeframes=timeframes)
    elif bar.timeframe is not shortest:
        return slicing
    followers = [
        msgspec.structs.replace(parent, traded=parent.traded + bar.volume)
        for parent in slicing.parents.values()
        if parent.order.instrument == bar.instrument and parent.schedule.algorithm is Algorithm.POV
    ]
    return _with(slicing, *followers) if followers else slicing


def _ended(slicing: Slicing, ended: ScheduleEnded) -> Slicing:
    parent = slicing.parents.get(ended.order_id)
    if parent is None:
        return slicing
    parents = {id_: each for id_, each in slicing.parents.items() if id_ != ended.order_id}
    immediate = slicing.immediate
    if len(parent.schedule.slices) == 1 and ended.shortfall_fraction is not None:
        costs = (*immediate.get(ended.instrument, ()), ended.shortfall_fraction)[-COSTS_REMEMBERED:]
        immediate = {**immediate, ended.instrument: costs}
    return msgspec.structs.replace(slicing, parents=parents, immediate=immediate)
