"""Execution on its place in the path."""

from __future__ import annotations

from typing import Final

import msgspec

from tmt.agents.execution.config import ExecutionConfig
from tmt.agents.execution.decide import Cancel, ExecutionState, Illegal, Replace, Submit, decide, evolve
from tmt.agents.execution.halting import (
    ENTRIES_BARRED,
    barred_entries,
    cancelling,
    completed,
    entries_in,
    evolve_halts,
    is_complete,
)
from tmt.agents.execution.rate import counted, paced, refused_change
from tmt.agents.execution.slicing import arrival_price, ended_by, evolve_slicing, schedule_ended, slice_order
from tmt.agents.execution.stops import is_behind_stop, is_dearer, moved_stops, moves_away
from tmt.agents.verdict import Deny, denied
from tmt.domain.identity import derive_id
from tmt.domain.order import Order
from tmt.messages import (
    VENUE_EVENTS,
    AccountSuspended,
    BarClosed,
    BreakerOpened,
    BreakerReduced,
    CancelOrder,
    CancelRejected,
    CancelSubmitted,
    EntriesBarred,
    ExitRaised,
    InvariantBroken,
    Message,
    OrderDenied,
    OrderFilled,
    OrderProposed,
    OrderReconciled,
    OrderReleased,
    OrderSubmitted,
    PositionClosed,
    ReplaceOrder,
    ReplaceSubmitted,
    ResumeTrading,
    ScheduleEnded,
    ScheduleStarted,
    SliceDue,
    StopCompleted,
    StopTrading,
    VenueEvent,
)
from tmt.projections.portfolio import Portfolio


class ExecutionAgent:
    """Sends what the breaker released, once; cancels entries when trading stops; says when a position is closed."""

    name: Final = "execution"
    consumes: Final = (
        OrderReleased,
        ExitRaised,
        CancelOrder,
        ReplaceOrder,
        StopTrading,
        ResumeTrading,
        OrderProposed,
        OrderDenied,
        BreakerOpened,
        BreakerReduced,
        AccountSuspended,
        EntriesBarred,
        SliceDue,
        BarClosed,
        ScheduleStarted,
        ScheduleEnded,
        OrderSubmitted,
        CancelSubmitted,
        ReplaceSubmitted,
        *VENUE_EVENTS,
        OrderReconciled,
    )
    answers: Final = (
        OrderReleased,
        ExitRaised,
        CancelOrder,
        ReplaceOrder,
        StopTrading,
        OrderDenied,
        BreakerOpened,
        BreakerReduced,
        AccountSuspended,
        EntriesBarred,
        SliceDue,
        *VENUE_EVENTS,
    )
    produces: Final = (
        OrderSubmitted,
        CancelSubmitted,
        ReplaceSubmitted,
        ScheduleStarted,
        ScheduleEnded,
        OrderDenied,
        CancelRejected,
        PositionClosed,
        StopCompleted,
        InvariantBroken,
    )

    def __init__(self, config: ExecutionConfig, portfolio: Portfolio, config_hash: str) -> None:
        self.state = ExecutionState()
        self._config = config
        self._portfolio = portfolio
        self._config_hash = config_hash

    def handle(self, message: Message) -> list[Message]:
        said = self._paced(message, self._slice(message) if isinstance(message, SliceDue) else self._say(message))
        before = self.state
        self.state = self._evolve(message)
        if isinstance(message, OrderFilled):
            said += self._closed(message)
        said += [
            schedule_ended(self.state.slicing, parent, message, self.name)
            for parent in ended_by(before.slicing, self.state.slicing)
        ]
        if self.state.halts and isinstance(message, StopTrading | VenueEvent | OrderDenied):
            said += self._complete(message)
        return said

    def _complete(self, message: Message) -> list[Message]:
        """Say which emergency stops are complete, and follow them no more."""
        done = [halt for halt in self.state.halts if is_complete(halt, self._portfolio)]
        left = tuple(halt for halt in self.state.halts if halt not in done)
        self.state = msgspec.structs.replace(self.state, halts=left)
        return [completed(halt, message, self._portfolio, self.name) for halt in done]

    def _evolve(self, message: Message) -> ExecutionState:
        state = evolve(self.state, message, self._config)
        full_at_ns = counted(state.full_at_ns, message, self._config)
        if full_at_ns != state.full_at_ns:
            state = msgspec.structs.replace(state, full_at_ns=full_at_ns)
        slicing = evolve_slicing(state.slicing, message, self._portfolio)
        state = state if slicing is state.slicing else msgspec.structs.replace(state, slicing=slicing)
        halts = evolve_halts(state.halts, message, state.orders, state.ended, self._portfolio)
        return state if halts is state.halts else msgspec.structs.replace(state, halts=halts)

    def _paced(self, cause: Message, said: list[Message]) -> list[Message]:
        state = self.state
        return paced(said, cause, state.full_at_ns, state.orders, self._portfolio, self._config, self._config_hash)

    def _slice(self, due: SliceDue) -> list[Message]:
        order = slice_order(self.state.slicing, due, self._portfolio)
        return [] if order is None else [_submission(due, order)]

    def _say(self, message: Message) -> list[Message]:
        if isinstance(message, ExitRaised):
            return [*moved_stops(message, self._portfolio, self.name)]
        if isinstance(message, EntriesBarred):
            return self._cancel(message, barred_entries(message, self.state.orders), ENTRIES_BARRED)
        if (found := cancelling(message)) is not None:
            scope, reason = found
            return self._cancel(message, entries_in(scope, self.state.orders, self._portfolio), reason)
        match decide(self.state, message, self._portfolio.now_ns):
            case Submit():
                assert isinstance(message, OrderReleased)
                return [_start(message)]
            case Deny() as deny:
                assert isinstance(message, OrderReleased)
                return [denied(message, self.name, message.order, deny, self._config_hash)]
            case Cancel(client_order_ids=ids, reason=reason):
                return [self._person_cancels(message, id_, reason) for id_ in ids]
            case Replace() as replace:
                return [self._replace(message, replace)]
            case Illegal(detail=detail):
                return [InvariantBroken.caused_by(message, self.name, self.name, invariant="O1", detail=detail)]
            case None:
                return []

    def _replace(self, message: Message, replace: Replace) -> Message:
        id_, orders = replace.client_order_id, self.state.orders
        asked = ReplaceSubmitted.caused_by(message, self.name, id_, **msgspec.structs.asdict(replace))
        if moves_away(asked, self._portfolio):
            return refused_change(asked, message, "stop_moves_away", orders)
        if is_dearer(asked, orders.get(id_)):
            return refused_change(asked, message, "dearer_than_released", orders)
        if is_behind_stop(asked, orders.get(id_)):
            return refused_change(asked, message, "stop_not_protective", orders)
        return asked

    def _person_cancels(self, message: Message, id_: str, reason: str) -> Message:
        asked, orders = (
            CancelSubmitted.caused_by(message, self.name, id_, client_order_id=id_, reason=reason),
            self.state.orders,
        )
        if self._portfolio.protective_exit(id_) is not None:
            return refused_change(asked, message, "stop_moves_away", orders)
        return asked

    def _cancel(self, message: Message, entries: tuple[str, ...], reason: str) -> list[Message]:
        """Ask for the cancels that have not been asked for yet."""
        orders = self.state.orders
        return [
            CancelSubmitted.caused_by(message, self.name, id_, client_order_id=id_, reason=reason)
            for id_ in entries
            if not orders[id_].cancelling
        ]

    def _closed(self, fill: OrderFilled) -> list[Message]:
        trip = self._portfolio.closed_trip(fill.account, fill.instrument)
        if trip is None or trip.closing_fill_id != fill.fill_id:
            return []
        closed = PositionClosed.caused_by(
            fill,
            self.name,
            order_id=trip.order_id,
            account=fill.account,
            instrument=fill.instrument,
            setup=trip.setup,
            strategy=trip.strategy,
            side=trip.side,
            quantity=trip.quantity,
            opened_at_ns=trip.opened_at_ns,
            realised=trip.realised,
            fees=trip.fees,
            currency=trip.currency,
            risk_amount=trip.risk_amount,
            closing_role=trip.closing_role,
        )
        return [closed]


def _start(release: OrderReleased) -> Message:
    order = release.order
    if order.schedule is None:
        return _submission(release, order)
    return ScheduleStarted.caused_by(
        release, ExecutionAgent.name, order.order_id, order=order, arrival_price=arrival_price(order)
    )


def _submission(cause: OrderReleased | SliceDue, order: Order) -> OrderSubmitted:
    stops, takes = order.stop_loss_price is not None, order.take_profit_price is not None
    return OrderSubmitted.caused_by(
        cause,
        ExecutionAgent.name,
        client_order_id=derive_id(cause.message_id, "client"),
        order=order,
        stop_loss_client_order_id=derive_id(cause.message_id, "stop_loss") if stops else None,
        take_profit_client_order_id=derive_id(cause.message_id, "take_profit") if takes else None,
    )
