"""The human behaviour gate on its place in the path."""

from __future__ import annotations

from tmt.agents.human_behavior.config import HumanBehaviorConfig
from tmt.agents.human_behavior.decide import decide
from tmt.agents.human_behavior.habits import HumanBehaviorState, evolve
from tmt.agents.verdict import Approve, Deny, approval_fields, denied
from tmt.messages import (
    BarClosed,
    BehaviourApproved,
    ConcentrationApproved,
    Message,
    OrderDenied,
    OrderProposed,
    OrderReleased,
    OrderSubmitted,
    PositionClosed,
    ScheduleEnded,
)
from tmt.projections.portfolio import Portfolio


class HumanBehaviorAgent:
    """Refuses or shrinks what a trader on tilt would do, whoever proposed it; slices what is large for its market."""

    name = "human_behavior"
    consumes = (
        OrderProposed,
        BarClosed,
        ConcentrationApproved,
        OrderReleased,
        OrderDenied,
        OrderSubmitted,
        PositionClosed,
        ScheduleEnded,
    )
    answers = (ConcentrationApproved,)
    produces = (BehaviourApproved, OrderDenied)

    def __init__(self, config: HumanBehaviorConfig, portfolio: Portfolio, config_hash: str) -> None:
        self.state = HumanBehaviorState()
        self._config = config
        self._portfolio = portfolio
        self._config_hash = config_hash

    def handle(self, message: Message) -> list[Message]:
        self.state = evolve(self.state, message, self._config)
        return [self._judge(message)] if isinstance(message, ConcentrationApproved) else []

    def _judge(self, approval: ConcentrationApproved) -> Message:
        match decide(self.state, approval, self._portfolio, self._config):
            case Approve() as approve:
                fields = approval_fields(
                    approve, approval.occurred_at_ns, self._config.approval_seconds, self._config_hash
                )
                return BehaviourApproved.caused_by(approval, self.name, approve.order.order_id, **fields)
            case Deny() as deny:
                return denied(approval, self.name, approval.order, deny, self._config_hash)
