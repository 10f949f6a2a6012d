"""The fold that the invariants look at, and the one who looks."""

from __future__ import annotations

from typing import Final

from tmt import messages as m
from tmt.domain.money import ZERO
from tmt.domain.order import TERMINAL_STATES, OrderState
from tmt.domain.stop import MAY_RESUME, StopLevel
from tmt.invariants import (
    EVENT_STATES,
    REGISTRY,
    STAGES,
    Books,
    Breach,
    Invariant,
    OrderRecord,
    VenueRecord,
    WatchState,
    state_after,
)

ENDED_ORDERS_MAX: Final = 10_000
"""Ended orders remembered, so that an approval or a fill after the end is noticed."""


UNKNOWN_CANCELLED: Final = "unknown_cancelled"

_LEVELS: Final = tuple(StopLevel)


class Watch:
    """Runs the checks and folds what they need.

    Args:
        books: the portfolio, which has folded each message before `see` gets it.
    """

    def __init__(self, books: Books) -> None:
        self.state = WatchState()
        self._books = books
        self._checks: dict[type[m.Message], list[Invariant]] = {}
        for rule in REGISTRY.values():
            for kind in rule.kinds:
                self._checks.setdefault(kind, []).append(rule)

    def see(self, message: m.Message) -> list[Breach]:
        """Check one message against the state before it, then fold it."""
        breaches = [
            Breach(rule.id, detail)
            for rule in self._checks.get(type(message), ())
            for detail in rule.check(self.state, message, self._books)
        ]
        self._fold(message)
        return breaches

    def check_everything(self) -> list[Breach]:
        """Run the full checks."""
        return [
            Breach(rule.id, detail)
            for rule in REGISTRY.values()
            if rule.cost == "full"
            for detail in rule.check(self.state, None, self._books)
        ]

    def _fold(self, message: m.Message) -> None:
        match message:
            case m.GateApproval(order=order):
                known = self.state.orders.get(order.order_id)
                self.state.orders[order.order_id] = OrderRecord(
                    account=order.account,
                    instrument=order.instrument,
                    side=order.side,
                    quantity=order.quantity,
                    stage=STAGES.index(type(message)),
                    approval_id=message.message_id,
                    expires_at_ns=message.expires_at_ns,
                    denied=known is not None and known.denied,
                    submitted=known is not None and known.submitted,
                    sent=ZERO if known is None else known.sent,
                )
            case m.OrderDenied():
                record = self.state.orders.get(message.order_id)
                if record is not None:
                    record.denied = True
            case m.ScheduleStarted() | m.SliceDue() | m.ScheduleEnded():
                self._fold_schedule(message)
            case m.OrderSubmitted():
                self._fold_submission(message)
            case m.VenueEvent():
                self._fold_event(message)
            case m.BreakerTransition():
                self._fold_breaker(message)
            case m.StopTrading() | m.ResumeTrading():
                self.state.stops = stops_after(self.state.stops, message)
            case _:
                pass

    def _fold_schedule(self, message: m.ScheduleStarted | m.SliceDue | m.ScheduleEnded) -> None:
        order_id = message.order.order_id if isinstance(message, m.ScheduleStarted) else message.order_id
        record = self.state.orders.get(order_id)
        if record is None:
            return
        if isinstance(message, m.ScheduleStarted):
            record.submitted = True
        record.slice_id = message.message_id if isinstance(message, m.SliceDue) and record.submitted else ""

    def _fold_submission(self, submit: m.OrderSubmitted) -> None:
        order = submit.order
        if (record := self.state.orders.get(order.order_id)) is not None:
            record.submitted = True
        if (released := self.state.orders.get(order.parent_id or order.order_id)) is not None:
            released.sent += order.quantity
            released.slice_id = ""
        ids = (submit.client_order_id, submit.stop_loss_client_order_id, submit.take_profit_client_order_id)
        for client_order_id in ids:
            if client_order_id is not None:
                self.state.venue[client_order_id] = VenueRecord(
                    order_id=order.order_id,
                    state=OrderState.SUBMITTED,
                    quantity=order.quantity,
                    entry_id="" if client_order_id == submit.client_order_id else submit.client_order_id,
                )
        self._forget()

    def _forget(self) -> None:
        orders, venue = self.state.orders, self.state.venue
        if len(orders) > 2 * ENDED_ORDERS_MAX:
            newest = set(list(orders)[-ENDED_ORDERS_MAX:])
            self.state.orders = {
                id_: record
                for id_, record in orders.items()
                if id_ in newest or not (record.denied or record.submitted)
            }
        if len(venue) > 2 * ENDED_ORDERS_MAX:
            newest = set(list(venue)[-ENDED_ORDERS_MAX:])
            self.state.venue = {
                id_: record for id_, record in venue.items() if id_ in newest or not _has_ended(record, venue)
            }

    def _fold_event(self, event: m.VenueEvent) -> None:
        record = self.state.venue.get(event.client_order_id)
        if isinstance(event, m.OrderReconciled) and event.repair == UNKNOWN_CANCELLED:
            self._adopt(event)
        if record is None:
            return
        if isinstance(event, m.OrderAccepted | m.OrderReplaced):
            record.quantity = event.quantity
        if isinstance(event, m.OrderAccepted) and event.role == "stop_loss":
            record.stop_price, record.sign = event.price, event.side.sign
        if isinstance(event, m.OrderReplaced) and record.stop_price is not None and event.stop_price is not None:
            record.stop_price = event.stop_price
        if isinstance(event, m.OrderFilled) and event.fill_id not in record.fill_ids:
            record.filled += event.quantity
            record.fill_ids.append(event.fill_id)
            key = f"{event.account}/{event.instrument}"
            self.state.units[key] = self.state.units.get(key, ZERO) + event.quantity * event.side.sign
        if isinstance(event, m.OrderFilled) or type(event) in EVENT_STATES:
            record.state = state_after(event)

    def _adopt(self, found: m.OrderReconciled) -> None:
        # It may end; a fill of it is a breach, for nothing of it is ours to fill.
        self.state.venue[found.client_order_id] = VenueRecord(
            order_id=found.order_id, entry_id="", state=OrderState.ACCEPTED, quantity=ZERO
        )

    def _fold_breaker(self, change: m.BreakerTransition) -> None:
        key = f"{change.tier}/{change.scope}"
        self.state.breakers[key] = {
            m.BreakerOpened: "open",
            m.BreakerReduced: "reducing",
            m.BreakerHalfOpened: "half_open",
            m.BreakerClosed: "closed",
        }[type(change)]
        if isinstance(change, m.BreakerHalfOpened | m.BreakerClosed):
            self.state.by_person = [scope for scope in self.state.by_person if scope != key]
        elif change.resumes_by == "person" and key not in self.state.by_person:
            self.state.by_person = sorted([*self.state.by_person, key])


def stops_after(stops: list[m.StopTrading], message: m.StopTrading | m.ResumeTrading) -> list[m.StopTrading]:
    """The emergency stops in force once somebody stopped again or resumed, oldest first.

    The newest of a scope speaks for it, beside those before it that go further: a lock is not softened by a pause.
    """
    if isinstance(message, m.ResumeTrading):
        return [stop for stop in stops if not _lifts(message, stop)]
    return [*(stop for stop in stops if stop.scope != message.scope or _goes_further(stop, message)), message]


def _goes_further(stop: m.StopTrading, newer: m.StopTrading) -> bool:
    return _LEVELS.index(stop.level) > _LEVELS.index(newer.level)


def _lifts(resume: m.ResumeTrading, stop: m.StopTrading) -> bool:
    may_lift = resume.role == "admin" or (resume.role in MAY_RESUME and stop.level is not StopLevel.LOCK)
    return may_lift and resume.scope.contains(stop.scope)


def _has_ended(record: VenueRecord, venue: dict[str, VenueRecord]) -> bool:
    """An exit that never worked ends with its entry."""
    entry = venue.get(record.entry_id)
    never_worked = record.state is OrderState.SUBMITTED and record.entry_id != ""
    return record.state in TERMINAL_STATES or (never_worked and (entry is None or entry.state in TERMINAL_STATES))
