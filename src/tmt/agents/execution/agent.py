"""Execution on its place in the path."""

from __future__ import annotations

from typing import Final

from tmt.agents.execution.config import ExecutionConfig
from tmt.agents.execution.decide import Cancel, ExecutionState, Illegal, Replace, Submit, decide, evolve
from tmt.agents.verdict import Deny, denied
from tmt.domain.identity import derive_id
from tmt.messages import (
    VENUE_EVENTS,
    AccountSuspended,
    BreakerOpened,
    CancelOrder,
    CancelSubmitted,
    InvariantBroken,
    Message,
    OrderDenied,
    OrderFilled,
    OrderReleased,
    OrderSubmitted,
    PositionClosed,
    ReplaceOrder,
    ReplaceSubmitted,
    StopTrading,
)
from tmt.projections.portfolio import Portfolio


class ExecutionAgent:
    """Sends what the breaker released, once; cancels entries when trading stops; says when a position is closed."""

    name: Final = "execution"
    consumes: Final = (
        OrderReleased,
        CancelOrder,
        ReplaceOrder,
        StopTrading,
        BreakerOpened,
        AccountSuspended,
        OrderSubmitted,
        CancelSubmitted,
        ReplaceSubmitted,
        *VENUE_EVENTS,
    )
    answers: Final = (
        OrderReleased,
        CancelOrder,
        ReplaceOrder,
        StopTrading,
        BreakerOpened,
        AccountSuspended,
        *VENUE_EVENTS,
    )
    produces: Final = (
        OrderSubmitted,
        CancelSubmitted,
        ReplaceSubmitted,
        OrderDenied,
        PositionClosed,
        InvariantBroken,
    )

    def __init__(self, config: ExecutionConfig, portfolio: Portfolio) -> None:
        self.state = ExecutionState()
        self._config = config
        self._portfolio = portfolio

    def handle(self, message: Message) -> list[Message]:
        said = self._say(message)
        self.state = evolve(self.state, message, self._config)
        if isinstance(message, OrderFilled):
            said += self._closed(message)
        return said

    def _say(self, message: Message) -> list[Message]:
        match decide(self.state, message, self._portfolio.now_ns):
            case Submit():
                assert isinstance(message, OrderReleased)
                return [_submission(message)]
            case Deny() as deny:
                assert isinstance(message, OrderReleased)
                return [denied(message, self.name, message.order, deny)]
            case Cancel(client_order_ids=ids, reason=reason):
                return [
                    CancelSubmitted.caused_by(message, self.name, id_, client_order_id=id_, reason=reason)
                    for id_ in ids
                ]
            case Replace(client_order_id=id_, quantity=quantity, limit_price=limit_price):
                return [
                    ReplaceSubmitted.caused_by(
                        message, self.name, id_, client_order_id=id_, quantity=quantity, limit_price=limit_price
                    )
                ]
            case Illegal(detail=detail):
                return [InvariantBroken.caused_by(message, self.name, self.name, invariant="O1", detail=detail)]
            case None:
                return []

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


def _submission(release: OrderReleased) -> OrderSubmitted:
    order = release.order
    stops, takes = order.stop_loss_price is not None, order.take_profit_price is not None
    return OrderSubmitted.caused_by(
        release,
        ExecutionAgent.name,
        client_order_id=derive_id(release.message_id, "client"),
        order=order,
        stop_loss_client_order_id=derive_id(release.message_id, "stop_loss") if stops else None,
        take_profit_client_order_id=derive_id(release.message_id, "take_profit") if takes else None,
    )
