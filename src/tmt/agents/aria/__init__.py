"""Adaptive risk: SignalRaised or OrderProposed -> OrderSized or OrderDenied."""

from tmt.agents.aria.agent import AriaAgent
from tmt.agents.aria.config import AriaConfig
from tmt.agents.aria.decide import decide
from tmt.agents.aria.state import AriaState, evolve

__all__ = ["AriaAgent", "AriaConfig", "AriaState", "decide", "evolve"]
