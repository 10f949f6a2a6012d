"""Continuous improvement: PositionClosed -> StatisticsUpdated, and ParameterProposed when there is evidence."""

from tmt.agents.improvement.agent import ImprovementAgent
from tmt.agents.improvement.config import ImprovementConfig
from tmt.agents.improvement.decide import ImprovementState, decide, evolve

__all__ = ["ImprovementAgent", "ImprovementConfig", "ImprovementState", "decide", "evolve"]
