"""A service: handlers behind the doorkeeper, with everything that every service has."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING

from litestar import Litestar, Response, get
from litestar.handlers import BaseRouteHandler, HTTPRouteHandler
from litestar.middleware import DefineMiddleware
from litestar.types import ASGIApp

from tmt.domain.money import Exact, decode_hook
from tmt.observability.metrics import Metrics
from tmt.web.body import ExactRequest
from tmt.web.config import WebConfig
from tmt.web.doorkeeper import Doorkeeper
from tmt.web.health import Probing, health_routes
from tmt.web.keeper import Keeper
from tmt.web.openapi import describe
from tmt.web.problem import answer_problem

if TYPE_CHECKING:
    from tmt.access import Access

Lifespan = Callable[[Litestar], AbstractAsyncContextManager[None]]
"""What lives as long as the service, such as a follower of the log."""


def create_service(
    name: str,
    handlers: Sequence[BaseRouteHandler],
    *,
    access: Access | None,
    probes: Mapping[str, Probing],
    config: WebConfig,
    metrics: Metrics,
    title: str,
    tls: bool = False,
    lifespan: Sequence[Lifespan] = (),
) -> ASGIApp:
    """The application of one service.

    Args:
        name: such as "gateway"; in metrics, errors and `/health`.
        handlers: its routes. Each is for those who may READ, unless it says more with `requires`, or less with
            `opt={"anonymous": True}`.
        access: who may do what; None for a service that only says whether it is well.
        probes: what it needs, by name.
        config: its bounds, and who may reach it.
        metrics: its own.
        title: of its description.
        tls: whether it is reached over TLS.
        lifespan: entered when it starts, left when it stops.
    """
    own = health_routes(name, probes, metrics, metrics_open_on_loopback=config.metrics_open_on_loopback)
    app = Litestar(
        [*own, _description((*own, *handlers), title, with_access=access is not None), *handlers],
        exception_handlers={Exception: answer_problem},
        lifespan=list(lifespan),
        logging_config=None,
        middleware=[] if access is None else [DefineMiddleware(Keeper, access=access)],
        openapi_config=None,
        request_class=ExactRequest,
        type_decoders=[(lambda wanted: wanted is Exact, decode_hook)],
    )
    return Doorkeeper(
        app,
        limits=config.limits,
        metrics=metrics,
        hosts=config.allowed_hosts,
        origins=config.allowed_origins,
        urgent=_urgent_paths(app),
        tls=tls,
    )


def _description(handlers: Sequence[BaseRouteHandler], title: str, *, with_access: bool) -> HTTPRouteHandler:
    described = [each for each in handlers if isinstance(each, HTTPRouteHandler) and each.include_in_schema]
    description = describe(described, title, with_access=with_access)

    @get("/openapi.json", opt={"anonymous": True}, include_in_schema=False)
    async def openapi() -> Response[bytes]:
        return Response(description, media_type="application/vnd.oai.openapi+json")

    return openapi


def _urgent_paths(app: Litestar) -> list[str]:
    return [
        route.path
        for route in app.routes
        if any(handler.opt.get("urgent") for handler in getattr(route, "route_handlers", ()))
    ]
