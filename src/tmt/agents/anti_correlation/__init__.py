"""Concentration gate: OrderSized -> ConcentrationApproved or OrderDenied."""

from tmt.agents.anti_correlation.agent import AntiCorrelationAgent
from tmt.agents.anti_correlation.config import AntiCorrelationConfig
from tmt.agents.anti_correlation.decide import decide, evolve
from tmt.agents.anti_correlation.returns import AntiCorrelationState, Correlation, correlation_matrix

__all__ = [
    "AntiCorrelationAgent",
    "AntiCorrelationConfig",
    "AntiCorrelationState",
    "Correlation",
    "correlation_matrix",
    "decide",
    "evolve",
]
