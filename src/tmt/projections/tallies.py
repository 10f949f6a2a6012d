"""Counts of what happened since the log began."""

from __future__ import annotations

from collections import Counter
from typing import Final

from tmt import messages as m
from tmt.domain.money import ZERO

_OUTCOMES: Final[dict[type[m.Message], str]] = {
    m.OrderSubmitted: "submitted",
    m.OrderDenied: "denied",
    m.OrderRejected: "rejected",
    m.OrderCancelled: "cancelled",
    m.OrderExpired: "expired",
}


class Tallies:
    """Folds messages, each once.

    Attributes:
        outcomes: orders submitted, denied, filled, rejected, cancelled, expired; exits of brackets are orders too.
        denials: by gate and reason.
        activations: breakers opened, by tier.
        fills, gaps, proposals: executions, silences of open markets, changes of parameters proposed.
    """

    def __init__(self) -> None:
        self.outcomes: Counter[str] = Counter()
        self.denials: Counter[tuple[str, str]] = Counter()
        self.activations: Counter[str] = Counter()
        self.fills = 0
        self.gaps = 0
        self.proposals = 0

    def handle(self, message: m.Message) -> None:
        """Fold one message."""
        outcome = _OUTCOMES.get(type(message))
        if outcome is not None:
            self.outcomes[outcome] += 1
        match message:
            case m.OrderDenied():
                self.denials[message.gate, message.reason] += 1
            case m.OrderFilled():
                self.fills += 1
                self.outcomes["filled"] += message.remaining == ZERO
            case m.BreakerOpened():
                self.activations[message.tier] += 1
            case m.FeedGapFound():
                self.gaps += 1
            case m.ParameterProposed():
                self.proposals += 1
            case _:
                pass
