"""Execution: OrderReleased -> OrderSubmitted; cancels and replaces; follows every order at the venue to its end."""

from tmt.agents.execution.agent import ExecutionAgent
from tmt.agents.execution.config import ExecutionConfig
from tmt.agents.execution.decide import UNKNOWN_CANCELLED, ExecutionState, decide, evolve
from tmt.agents.execution.tracking import TrackedOrder

__all__ = [
    "UNKNOWN_CANCELLED",
    "ExecutionAgent",
    "ExecutionConfig",
    "ExecutionState",
    "TrackedOrder",
    "decide",
    "evolve",
]
