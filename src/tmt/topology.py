"""The map: the eight agents in the order in which an order meets them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from tmt import messages as m
from tmt.agents.anti_correlation import AntiCorrelationAgent, AntiCorrelationConfig
from tmt.agents.aria import AriaAgent, AriaConfig
from tmt.agents.circuit_breaker import CircuitBreakerAgent, CircuitBreakerConfig
from tmt.agents.compliance import ComplianceAgent, ComplianceConfig, RuleBook
from tmt.agents.execution import ExecutionAgent, ExecutionConfig
from tmt.agents.human_behavior import HumanBehaviorAgent, HumanBehaviorConfig
from tmt.agents.improvement import ImprovementAgent, ImprovementConfig
from tmt.agents.wyckoff import WyckoffAgent, WyckoffConfig
from tmt.projections.portfolio import Portfolio


@dataclass(frozen=True, slots=True)
class AgentParts:
    """What agents are built from."""

    sections: Mapping[str, Any]
    portfolio: Portfolio
    config_hash: str


class Place(NamedTuple):
    """One agent's place on the path.

    Attributes:
        takes: the message that carries an order or a view to it.
        gives: the message that carries it on.
        denies: whether it may refuse.
    """

    name: str
    title: str
    agent: Any
    takes: type[m.Message]
    gives: type[m.Message]
    denies: bool
    build: Callable[[AgentParts], Any]


def _gate(agent: Any, name: str) -> Callable[[AgentParts], Any]:
    return lambda parts: agent(parts.sections[name], parts.portfolio, parts.config_hash)


PATH: Final = (
    Place(
        "wyckoff",
        "Wyckoff analysis",
        WyckoffAgent,
        m.BarClosed,
        m.SignalRaised,
        False,
        lambda parts: WyckoffAgent(parts.sections["wyckoff"]),
    ),
    Place(
        "aria",
        "ARIA, adaptive risk",
        AriaAgent,
        m.SignalRaised,
        m.OrderSized,
        True,
        lambda parts: AriaAgent(parts.sections["aria"], parts.portfolio, parts.config_hash, parts.sections["news"]),
    ),
    Place(
        "anti_correlation",
        "Anti-correlation",
        AntiCorrelationAgent,
        m.OrderSized,
        m.ConcentrationApproved,
        True,
        _gate(AntiCorrelationAgent, "anti_correlation"),
    ),
    Place(
        "human_behavior",
        "Human behaviour",
        HumanBehaviorAgent,
        m.ConcentrationApproved,
        m.BehaviourApproved,
        True,
        _gate(HumanBehaviorAgent, "human_behavior"),
    ),
    Place(
        "compliance",
        "Compliance",
        ComplianceAgent,
        m.BehaviourApproved,
        m.ComplianceApproved,
        True,
        lambda parts: ComplianceAgent(
            parts.sections["compliance"],
            parts.portfolio,
            parts.config_hash,
            parts.sections["rule_books"],
            parts.sections["news"],
        ),
    ),
    Place(
        "circuit_breaker",
        "Circuit breaker",
        CircuitBreakerAgent,
        m.ComplianceApproved,
        m.OrderReleased,
        True,
        _gate(CircuitBreakerAgent, "circuit_breaker"),
    ),
    Place(
        "execution",
        "Execution",
        ExecutionAgent,
        m.OrderReleased,
        m.OrderSubmitted,
        True,
        _gate(ExecutionAgent, "execution"),
    ),
    Place(
        "improvement",
        "Continuous improvement",
        ImprovementAgent,
        m.PositionClosed,
        m.ParameterProposed,
        False,
        lambda parts: ImprovementAgent(parts.sections["improvement"], parts.sections["wyckoff"].signal.confidence_min),
    ),
)

AGENT_SECTIONS: Final[dict[str, Any]] = {
    "wyckoff": WyckoffConfig,
    "aria": AriaConfig,
    "anti_correlation": AntiCorrelationConfig,
    "human_behavior": HumanBehaviorConfig,
    "compliance": ComplianceConfig,
    "rule_books": dict[str, RuleBook],
    "circuit_breaker": CircuitBreakerConfig,
    "execution": ExecutionConfig,
    "improvement": ImprovementConfig,
}


def build_agents(parts: AgentParts) -> list[Any]:
    """The eight agents, in path order, which is also the order in which they hear a message."""
    return [place.build(parts) for place in PATH]


def diagram() -> str:
    """The path as a Mermaid flowchart."""
    lines = ["flowchart LR", "  feed([quotes and trades]) --> market[bars]"]
    before = "market"
    for place in PATH[:-1]:
        lines.append(f"  {before} -- {place.takes.__name__} --> {place.name}[{place.title}]")
        before = place.name
    lines.append(f"  execution -- {m.OrderSubmitted.__name__} --> venue([paper venue])")
    lines.append(f"  venue -- {m.OrderFilled.__name__} --> books[(portfolio and ledger)]")
    lines.append(f"  execution -- {m.PositionClosed.__name__} --> improvement[{PATH[-1].title}]")
    lines.append(f"  improvement -. {m.ParameterProposed.__name__} .-> person([a person])")
    lines += [
        f"  {place.name} -. {m.OrderDenied.__name__} .-> trail[(decision trail)]" for place in PATH if place.denies
    ]
    return "\n".join(lines) + "\n"


def message_table() -> str:
    """Who says and who hears each message, as a Markdown table. The runner, the portfolio and the watch hear all."""
    lines = ["| message | said by | heard by |", "|---|---|---|"]
    for kind in m.ALL:
        said = [place.name for place in PATH if kind in place.agent.produces] + _said_outside(kind)
        heard = [place.name for place in PATH if kind in place.agent.consumes] + _heard_outside(kind)
        lines.append(f"| `{kind.__name__}` | {', '.join(said)} | {', '.join(heard) or '–'} |")
    return "\n".join(lines) + "\n"


def _said_outside(kind: type[m.Message]) -> list[str]:
    if kind in m.MARKET:
        return ["timeline"]
    if kind in m.VENUE_EVENTS:
        return ["venue"]
    if kind in m.INPUTS:
        return ["outside"]
    return ["watch"] if kind is m.InvariantBroken else []


def _heard_outside(kind: type[m.Message]) -> list[str]:
    if kind in m.SUBMISSIONS:
        return ["venue"]
    return ["timeline"] if kind in (m.MarketDataReceived, m.TimeAdvanced, *m.SCHEDULES) else []
