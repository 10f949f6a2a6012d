"""ARIA's wiring."""

from __future__ import annotations

from tmt.agents.aria.config import AriaConfig
from tmt.agents.aria.decide import decide
from tmt.agents.aria.intent import Intent, from_proposal, from_signal
from tmt.agents.aria.state import AriaState, evolve
from tmt.agents.verdict import Deny, Waterfall, approval_fields, denied
from tmt.domain.money import ZERO
from tmt.messages import BarClosed, Message, OrderDenied, OrderFilled, OrderProposed, OrderSized, SignalRaised
from tmt.projections.portfolio import Portfolio


class AriaAgent:
    """Sizes a signal for every account that trades its instrument, and a person's order for its account."""

    name = "aria"
    consumes = (SignalRaised, OrderProposed, BarClosed, OrderFilled)
    answers = (SignalRaised, OrderProposed)
    produces = (OrderSized, OrderDenied)

    def __init__(self, config: AriaConfig, portfolio: Portfolio, config_hash: str) -> None:
        self.config = config
        self.portfolio = portfolio
        self.config_hash = config_hash
        self.state = AriaState()

    def handle(self, message: Message) -> list[Message]:
        """Answer each order with exactly one `OrderSized` or `OrderDenied`."""
        match message:
            case SignalRaised():
                return self._size_signal(message)
            case OrderProposed():
                quote = self.portfolio.mark(message.instrument)
                return [self._size(message, from_proposal(message, quote, self.config.proposal_timeframe))]
            case _:
                self.state = evolve(self.state, message, self.portfolio, self.config)
                return []

    def _size_signal(self, signal: SignalRaised) -> list[Message]:
        owners = [a.account_id for a in self.portfolio.accounts if signal.instrument in a.instruments]
        if owners:
            return [self._size(signal, from_signal(signal, account)) for account in owners]
        deny = Waterfall(self.name, ZERO).denies_missing("no_account", f"no account trades {signal.instrument}")
        return [denied(signal, self.name, from_signal(signal, account=""), deny)]

    def _size(self, cause: Message, intent: Intent) -> Message:
        outcome = decide(self.state, intent, self.portfolio, self.config)
        if isinstance(outcome, Deny):
            return denied(cause, self.name, intent, outcome)
        fields = approval_fields(outcome, cause.occurred_at_ns, self.config.approval_seconds, self.config_hash)
        return OrderSized.caused_by(cause, self.name, intent.account, **fields)
