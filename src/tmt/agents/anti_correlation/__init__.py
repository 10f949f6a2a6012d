"""Concentration gate: OrderSized -> ConcentrationApproved or OrderDenied."""

from tmt.agents.anti_correlation.agent import AntiCorrelationAgent
from tmt.agents.anti_correlation.config import AntiCorrelationConfig
from tmt.agents.anti_correlation.covariance import Correlation, correlation_matrix
from tmt.agents.anti_correlation.decide import decide
from tmt.agents.anti_correlation.state import AntiCorrelationState, evolve

__all__ = [
    "AntiCorrelationAgent",
    "AntiCorrelationConfig",
    "AntiCorrelationState",
    "Correlation",
    "correlation_matrix",
    "decide",
    "evolve",
]
