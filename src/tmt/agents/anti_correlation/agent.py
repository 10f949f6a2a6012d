"""The anti-correlation gate's wiring."""

from __future__ import annotations

from tmt.agents.anti_correlation.config import AntiCorrelationConfig
from tmt.agents.anti_correlation.decide import decide, evolve
from tmt.agents.anti_correlation.returns import AntiCorrelationState
from tmt.agents.verdict import Deny, approval_fields, denied
from tmt.messages import BarClosed, ConcentrationApproved, Message, OrderDenied, OrderSized
from tmt.projections.portfolio import Portfolio


class AntiCorrelationAgent:
    """Keeps the owner's accounts from being one bet."""

    name = "anti_correlation"
    consumes = (OrderSized, BarClosed)
    answers = (OrderSized,)
    produces = (ConcentrationApproved, OrderDenied)

    def __init__(self, config: AntiCorrelationConfig, portfolio: Portfolio, config_hash: str) -> None:
        self.config = config
        self.portfolio = portfolio
        self.config_hash = config_hash
        self.state = AntiCorrelationState()

    def handle(self, message: Message) -> list[Message]:
        """Answer each `OrderSized` with exactly one `ConcentrationApproved` or `OrderDenied`."""
        match message:
            case OrderSized():
                return [self._judge(message)]
            case _:
                self.state = evolve(self.state, message, self.config)
                return []

    def _judge(self, sized: OrderSized) -> Message:
        outcome = decide(self.state, sized, self.portfolio, self.config)
        if isinstance(outcome, Deny):
            return denied(sized, self.name, sized.order, outcome)
        fields = approval_fields(outcome, sized.occurred_at_ns, self.config.approval_seconds, self.config_hash)
        return ConcentrationApproved.caused_by(sized, self.name, sized.order.order_id, **fields)
