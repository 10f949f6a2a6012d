"""Wyckoff analysis: BarClosed -> WyckoffEventSeen, PhaseChanged, SignalRaised."""

from tmt.agents.wyckoff.agent import WyckoffAgent
from tmt.agents.wyckoff.config import WyckoffConfig
from tmt.agents.wyckoff.decide import decide, evolve

__all__ = ["WyckoffAgent", "WyckoffConfig", "decide", "evolve"]
