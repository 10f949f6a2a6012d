"""Execution: OrderReleased -> OrderSubmitted; cancels and replaces; follows every order at the venue to its end."""

from tmt.agents.execution.agent import ExecutionAgent
from tmt.agents.execution.config import ExecutionConfig
from tmt.agents.execution.decide import ExecutionState, decide, evolve

__all__ = ["ExecutionAgent", "ExecutionConfig", "ExecutionState", "decide", "evolve"]
