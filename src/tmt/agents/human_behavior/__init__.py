"""Human behaviour gate: ConcentrationApproved -> BehaviourApproved or OrderDenied."""

from tmt.agents.human_behavior.agent import HumanBehaviorAgent
from tmt.agents.human_behavior.config import HumanBehaviorConfig
from tmt.agents.human_behavior.decide import decide, evolve

__all__ = ["HumanBehaviorAgent", "HumanBehaviorConfig", "decide", "evolve"]
