"""The anti-correlation gate's wiring."""

from __future__ import annotations

from tmt.agents.anti_correlation.config import AntiCorrelationConfig
from tmt.agents.anti_correlation.decide import decide
from tmt.agents.anti_correlation.publication import publish
from tmt.agents.anti_correlation.state import AntiCorrelationState, begins_anew, evolve
from tmt.agents.verdict import Deny, approval_fields, denied
from tmt.messages import (
    BarClosed,
    ConcentrationApproved,
    CopyTradingSeen,
    CorrelationsMeasured,
    Message,
    OrderDenied,
    OrderReleased,
    OrderSized,
)
from tmt.projections.portfolio import Portfolio


class AntiCorrelationAgent:
    """Keeps the accounts of one owner from being one bet, and says openly how they move together.

    It never delays an order, adds no noise and never tries to look uncorrelated.
    """

    name = "anti_correlation"
    consumes = (OrderSized, OrderReleased, BarClosed)
    answers = (OrderSized, BarClosed)
    produces = (ConcentrationApproved, OrderDenied, CorrelationsMeasured, CopyTradingSeen)

    def __init__(self, config: AntiCorrelationConfig, portfolio: Portfolio, config_hash: str) -> None:
        self.config = config
        self.portfolio = portfolio
        self.config_hash = config_hash
        self.state = AntiCorrelationState()

    def handle(self, message: Message) -> list[Message]:
        """Answer each `OrderSized` with exactly one `ConcentrationApproved` or `OrderDenied`.

        The first bar of a later end may be answered with `CorrelationsMeasured` and `CopyTradingSeen`, of what was
        known before it.
        """
        said: list[Message] = []
        match message:
            case OrderSized():
                return [self._judge(message)]
            case BarClosed() if begins_anew(self.state, message.bar, self.config):
                self.state, said = publish(self.state, message, self.name, self.portfolio, self.config)
            case _:
                pass
        self.state = evolve(self.state, message, self.config)
        return said

    def _judge(self, sized: OrderSized) -> Message:
        outcome = decide(self.state, sized, self.portfolio, self.config)
        if isinstance(outcome, Deny):
            return denied(sized, self.name, sized.order, outcome, self.config_hash)
        fields = approval_fields(outcome, sized.occurred_at_ns, self.config.approval_seconds, self.config_hash)
        return ConcentrationApproved.caused_by(sized, self.name, sized.order.order_id, **fields)
