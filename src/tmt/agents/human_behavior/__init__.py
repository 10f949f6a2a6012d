"""Human behaviour gate: ConcentrationApproved -> BehaviourApproved or OrderDenied."""

from tmt.agents.human_behavior.agent import HumanBehaviorAgent
from tmt.agents.human_behavior.config import HumanBehaviorConfig
from tmt.agents.human_behavior.decide import decide
from tmt.agents.human_behavior.habits import HumanBehaviorState, evolve

__all__ = ["HumanBehaviorAgent", "HumanBehaviorConfig", "HumanBehaviorState", "decide", "evolve"]
