"""How the parts of a desk are laid out over processes."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from tmt.domain.money import ZERO
from tmt.ports.agent_path import AgentPath
from tmt.remote import RemoteAgent
from tmt.topology import PATH, AgentParts, build_agents

BEHIND_MAX: Final = 100
"""Messages by which an agent may be behind the log and count as there again."""


@dataclass(frozen=True, slots=True)
class Arrangement:
    """How the parts of a desk are laid out; what is decided does not depend on it.

    Attributes:
        path: the way to agents in other processes; None when there are none.
        elsewhere: names of the agents that answer over `path`.
        lag_seconds_max: longest wait for an agent elsewhere that is no lag; 0 where there is none.
        oracle: market data go through plain Python, one row at a time.
    """

    path: AgentPath | None = None
    elsewhere: frozenset[str] = frozenset()
    oracle: bool = False
    lag_seconds_max: int = 0

    def owner(self) -> str:
        """Whose snapshots fit: those of the same agents in the same process."""
        if not self.elsewhere:
            return "desk"
        return "engine:" + "+".join(place.name for place in PATH if place.name not in self.elsewhere)

    def come_up(self, head: int) -> frozenset[str]:
        """Agents elsewhere that have come near the log's head."""
        path = self.path
        if path is None:
            return frozenset()
        near = max(1, head - BEHIND_MAX)
        return frozenset(name for name in self.elsewhere if path.answered_up_to(name) >= near)

    def lag(self) -> Decimal:
        """Seconds that the slowest answer took since this was last asked; 0 where all agents are here."""
        return ZERO if self.path is None else Decimal(f"{self.path.slowest_seconds():.3f}")

    def agents(self, parts: AgentParts) -> list[Any]:
        """The eight agents in path order, those elsewhere by their stand-ins."""
        if self.path is None:
            return build_agents(parts)
        path = self.path
        return [
            RemoteAgent(place.agent, path) if place.name in self.elsewhere else place.build(parts) for place in PATH
        ]
