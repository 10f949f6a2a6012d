"""The engine's service: commands, market data, and the trading routes, beside the desk's loop."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec
from litestar.handlers import BaseRouteHandler
from litestar.types import ASGIApp

from tmt.access import Access
from tmt.adapters.feed.posted import PostedFeed
from tmt.domain.instrument import Instrument
from tmt.domain.session import NANOSECONDS_PER_SECOND
from tmt.engine.config import EngineConfig
from tmt.engine.desk_loop import DeskLoop
from tmt.engine.ingestion import Grid
from tmt.engine.quotes import QuoteBoard
from tmt.engine.routes import command_route, ingestion_route, quotes_socket
from tmt.errors import TmtError
from tmt.observability.metrics import Metrics
from tmt.ports.clock import Clock
from tmt.ports.door import Door
from tmt.web.config import WebConfig
from tmt.web.health import Probe, Probing
from tmt.web.service import Lifespan, create_service


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineParts:
    """What the engine's service is made of.

    Attributes:
        loop: the desk's; for readiness.
        door: to that loop.
        board: the newest quotes, fed by that loop.
        feed: takes posted rows; None when the desk runs on another feed.
        instruments: the desk's, in the order of its feed's symbols.
        trading: the trading routes.
        probes: what else the service needs, such as its log.
        lifespan: what lives as long as the service, such as a follower of the log.
    """

    loop: DeskLoop
    door: Door
    board: QuoteBoard
    feed: PostedFeed | None
    instruments: Sequence[Instrument]
    trading: Sequence[BaseRouteHandler]
    probes: Mapping[str, Probing]
    lifespan: Sequence[Lifespan] = ()


def create_engine(
    parts: EngineParts,
    access: Access,
    config: EngineConfig,
    web: WebConfig,
    clock: Clock,
    metrics: Metrics,
    *,
    tls: bool = False,
) -> ASGIApp:
    """The application on port 9001."""
    limits = msgspec.structs.replace(
        web.limits, body_bytes_max=max(web.limits.body_bytes_max, config.posted_body_bytes_max)
    )
    return create_service(
        "engine",
        [
            command_route(parts.door),
            ingestion_route(parts.feed, Grid(parts.instruments), config, clock),
            quotes_socket(parts.board, access, limits),
            *parts.trading,
        ],
        access=access,
        probes={**loop_probes(parts.loop, clock, config.turn_seconds_max), **parts.probes},
        config=msgspec.structs.replace(web, limits=limits),
        metrics=metrics,
        title="TMT trading engine",
        tls=tls,
        lifespan=parts.lifespan,
    )


def loop_probes(loop: DeskLoop, clock: Clock, seconds_max: float) -> dict[str, Probing]:
    """Whether the desk turns, and how old the newest message that it processed is."""

    def age_seconds(at_ns: int) -> float | None:
        return round(max(0, clock.now_ns() - at_ns) / NANOSECONDS_PER_SECOND, 3) if at_ns else None

    def desk() -> Probe:
        age = age_seconds(loop.turned_at_ns)
        failure = loop.failure
        if failure is not None:
            code = failure.code if isinstance(failure, TmtError) else "an error that nobody foresaw"
            return Probe(ok=False, detail=f"the desk has stopped: {code}", age_seconds=age)
        if age is None:
            return Probe(ok=False, detail="the desk is starting")
        return Probe(ok=age < seconds_max, detail="turns" if age < seconds_max else "has not turned", age_seconds=age)

    def messages() -> Probe:
        return Probe(ok=loop.failure is None, detail="newest processed", age_seconds=age_seconds(loop.stepped_at_ns))

    return {"desk": desk, "messages": messages}
