"""Whether a service lives, and whether it and what it needs are ready."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Final

import msgspec
from litestar import Response, get
from litestar.handlers import HTTPRouteHandler
from litestar.openapi import ResponseSpec

from tmt.errors import TmtError
from tmt.observability.logs import logger
from tmt.observability.metrics import CONTENT_TYPE, Metrics

PROBE_SECONDS_MAX: Final = 2.0
"""What a probe gets to answer in."""

_LOG: Final = logger(__name__)


class Probe(msgspec.Struct, frozen=True, kw_only=True):
    """What one look at one dependency found.

    Attributes:
        ok: whether the service can do its work as far as this goes.
        detail: a few words, without secrets.
        age_seconds: age of the newest sign of life, where there is one.
    """

    ok: bool
    detail: str = ""
    age_seconds: float | None = None


Probing = Callable[[], Probe]
"""Looks at one dependency now, in a thread. An error means that it is not well."""


class Life(msgspec.Struct, frozen=True, kw_only=True):
    """The service answers."""

    service: str
    status: str = "live"


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """One dependency by name."""

    name: str
    ok: bool
    detail: str
    age_seconds: float | None


class Readiness(msgspec.Struct, frozen=True, kw_only=True):
    """`status` is "ready" when every probe is ok, else "not ready"."""

    service: str
    status: str
    probes: tuple[Found, ...]


def health_routes(
    service: str, probes: Mapping[str, Probing], metrics: Metrics, *, metrics_open_on_loopback: bool
) -> list[HTTPRouteHandler]:
    """`/health`, `/ready` and `/metrics`."""

    @get("/health", summary="Does the service answer?", opt={"anonymous": True})
    async def health() -> Life:
        return Life(service=service)

    @get(
        "/ready",
        summary="Can the service and what it needs do their work?",
        responses={503: ResponseSpec(Readiness, generate_examples=False, description="Something is not well.")},
        opt={"anonymous": True},
    )
    async def ready() -> Response[Readiness]:
        found = await asyncio.gather(*(_look(name, probe) for name, probe in probes.items()))
        well = all(each.ok for each in found)
        answer = Readiness(service=service, status="ready" if well else "not ready", probes=tuple(found))
        return Response(answer, status_code=200 if well else 503)

    metrics_opt = {"anonymous_on_loopback": True} if metrics_open_on_loopback else {}

    @get("/metrics", summary="Metrics for Prometheus", media_type="text/plain", opt=metrics_opt)
    async def metrics_text() -> Response[str]:
        return Response(metrics.text().decode(), media_type=CONTENT_TYPE)

    return [health, ready, metrics_text]


async def _look(name: str, probe: Probing) -> Found:
    try:
        async with asyncio.timeout(PROBE_SECONDS_MAX):
            found = await asyncio.to_thread(probe)
    except TimeoutError:
        found = Probe(ok=False, detail=f"no answer within {PROBE_SECONDS_MAX:g} seconds")
    except TmtError as error:
        found = Probe(ok=False, detail=f"{error.code}: tmt explain {error.code}")
    except Exception as error:  # noqa: BLE001 - whatever a look raises, the dependency is not well
        _LOG.error("a probe failed", probe=name, exc_info=error)
        found = Probe(ok=False, detail="the probe failed")
    return Found(name=name, ok=found.ok, detail=found.detail, age_seconds=found.age_seconds)
