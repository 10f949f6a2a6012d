"""The gateway: the desk's page, REST API and stream, for people and programs who say who they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec
from litestar.types import ASGIApp

from tmt.access import Access
from tmt.agents.anti_correlation import AntiCorrelationConfig
from tmt.gateway.audit_routes import audit_routes
from tmt.gateway.conduct_routes import conduct_route
from tmt.gateway.decision_routes import decision_routes
from tmt.gateway.desk_routes import desk_routes
from tmt.gateway.following import Following
from tmt.gateway.page_files import page_routes
from tmt.gateway.people_routes import people_routes
from tmt.gateway.recent import Correlations, RecentBars
from tmt.gateway.session_routes import session_routes
from tmt.gateway.stream import Hub, stream_route
from tmt.market.quality import FeedQuality
from tmt.observability.desk_metrics import DeskMetrics
from tmt.observability.metrics import Metrics
from tmt.ports.clock import Clock
from tmt.ports.door import Door
from tmt.ports.event_log import EventLog
from tmt.projections.correlations import CorrelationHistory
from tmt.projections.desk_reader import DeskReader
from tmt.projections.desk_view import AgentPlace
from tmt.web.config import WebConfig
from tmt.web.health import Probe, Probing
from tmt.web.service import create_service
from tmt.web.trading import trading_routes


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayParts:
    """What the gateway is made of.

    Attributes:
        log: of the desk, for reading only, and for this service alone.
        door: to the desk.
        access: who may do what.
        agents: in path order.
        parameters: the agents' configuration by agent; to be shown.
        probes: what else the service needs, such as the engine behind the door.
        quality: of the feed, where this process knows it.
    """

    log: EventLog
    door: Door
    access: Access
    agents: Sequence[AgentPlace]
    parameters: Mapping[str, msgspec.Struct]
    probes: Mapping[str, Probing] = field(default_factory=dict)
    quality: Callable[[], FeedQuality] = FeedQuality


def create_gateway(
    parts: GatewayParts, config: WebConfig, clock: Clock, metrics: Metrics, *, tls: bool = False
) -> ASGIApp:
    """The application on port 8000."""
    correlation_config = parts.parameters["anti_correlation"]
    assert isinstance(correlation_config, AntiCorrelationConfig)
    bars, correlations, history = RecentBars(), Correlations(correlation_config), CorrelationHistory()
    reader = DeskReader(parts.log, parts.agents, (bars, correlations, history), parts.quality)
    following = Following(reader, clock)
    hub = Hub(following, clock)
    metrics.registry.register(DeskMetrics(reader))
    return create_service(
        "gateway",
        [
            *page_routes(),
            *session_routes(parts.access),
            *people_routes(parts.access),
            *audit_routes(parts.access),
            conduct_route(following),
            *desk_routes(following, bars, correlations, history, parts.parameters, clock),
            *decision_routes(following),
            *trading_routes(parts.door, reader),
            stream_route(hub, parts.access, config.limits),
        ],
        access=parts.access,
        probes={"log": following.probe, "people": lambda: _people(parts.access), **parts.probes},
        config=config,
        metrics=metrics,
        title="TMT desk",
        tls=tls,
        lifespan=[hub.lifespan, following.lifespan],
    )


def _people(access: Access) -> Probe:
    access.people.list(limit=1)
    return Probe(ok=True, detail="the store of people answers")
