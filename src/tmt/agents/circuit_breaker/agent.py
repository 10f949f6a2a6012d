"""The circuit breaker on its place in the path."""

from __future__ import annotations

from typing import Final

from tmt import messages as m
from tmt.agents.circuit_breaker.breakers import CircuitBreakerState, Status, evolve
from tmt.agents.circuit_breaker.config import CircuitBreakerConfig
from tmt.agents.circuit_breaker.decide import decide
from tmt.agents.circuit_breaker.transition import Transition
from tmt.agents.circuit_breaker.triggers import transitions_due
from tmt.agents.verdict import Approve, Deny, approval_fields, denied
from tmt.projections.portfolio import Portfolio

SAID: Final[dict[Status, type[m.BreakerTransition]]] = {
    Status.CLOSED: m.BreakerClosed,
    Status.REDUCING: m.BreakerReduced,
    Status.OPEN: m.BreakerOpened,
    Status.HALF_OPEN: m.BreakerHalfOpened,
}


class CircuitBreakerAgent:
    """Stops trading by scope, tries it out, and releases orders while every scope admits them.

    A transition goes into the log before the decision that rests on it, and takes effect when it comes back from there.
    """

    name = "circuit_breaker"
    consumes = (
        m.SessionStarted,
        m.AccountOpened,
        m.StopTrading,
        m.ResumeTrading,
        m.AgentReturned,
        m.ConditionReported,
        m.MarginLevelChanged,
        m.BarClosed,
        m.FeedGapFound,
        m.FeedStale,
        m.FeedRecovered,
        m.ComplianceApproved,
        m.OrderReleased,
        m.OrderDenied,
        *m.BREAKER,
        m.AccountSuspended,
        m.AccountReinstated,
        m.InvariantBroken,
        m.OrderSubmitted,
        m.ScheduleEnded,
        *m.VENUE_EVENTS,
        m.PositionClosed,
    )
    answers = (
        m.SessionStarted,
        m.AccountOpened,
        m.StopTrading,
        m.ResumeTrading,
        m.AgentReturned,
        m.ConditionReported,
        m.MarginLevelChanged,
        m.BarClosed,
        m.FeedGapFound,
        m.FeedStale,
        m.FeedRecovered,
        m.ComplianceApproved,
        *m.BREAKER,
        m.AccountSuspended,
        m.AccountReinstated,
        m.InvariantBroken,
        *m.VENUE_EVENTS,
        m.PositionClosed,
    )
    produces = (m.OrderReleased, m.OrderDenied, *m.BREAKER)

    def __init__(self, config: CircuitBreakerConfig, portfolio: Portfolio, config_hash: str) -> None:
        self.state = CircuitBreakerState()
        self._config = config
        self._portfolio = portfolio
        self._config_hash = config_hash

    def handle(self, message: m.Message) -> list[m.Message]:
        self.state = evolve(self.state, message, self._portfolio, self._config)
        due = transitions_due(self.state, message, self._portfolio, self._config)
        said = [self._say(message, transition) for transition in due]
        if not isinstance(message, m.ComplianceApproved):
            return [*said]
        state = self.state
        for transition in said:
            state = evolve(state, transition, self._portfolio, self._config)
        return [*said, self._judge(state, message)]

    def _judge(self, state: CircuitBreakerState, approval: m.ComplianceApproved) -> m.Message:
        match decide(state, approval, self._portfolio, self._config):
            case Approve() as approve:
                fields = approval_fields(
                    approve, approval.occurred_at_ns, self._config.approval_seconds, self._config_hash
                )
                return m.OrderReleased.caused_by(approval, self.name, approve.order.order_id, **fields)
            case Deny() as deny:
                return denied(approval, self.name, approval.order, deny, self._config_hash)

    def _say(self, cause: m.Message, transition: Transition) -> m.BreakerTransition:
        fields = {name: getattr(transition, name) for name in Transition.__struct_fields__ if name != "status"}
        kind = SAID[transition.status]
        return kind.caused_by(cause, self.name, transition.tier, transition.scope, **fields)
