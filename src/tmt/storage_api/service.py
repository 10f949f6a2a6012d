"""The storage API as a service: the writer's thread, the readers' addresses, and whether both are well."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from threading import Event, Lock, Thread
from typing import Final

from litestar import Litestar
from litestar.types import ASGIApp

from tmt.access import Access
from tmt.observability.metrics import Metrics
from tmt.ports.event_log import EventLog
from tmt.ports.series import Series
from tmt.storage_api.routes import Store, routes
from tmt.storage_api.sandbox import Sandbox
from tmt.storage_api.writer import SeriesWriter
from tmt.web.config import WebConfig
from tmt.web.health import Probe
from tmt.web.service import create_service

BEHIND_MAX: Final = 10_000
"""Messages that the series may be behind the log before the service says that it is not ready."""


def create_storage_api(
    *,
    log: EventLog,
    series: Series,
    writer: SeriesWriter,
    sandbox: Sandbox | None,
    access: Access,
    config: WebConfig,
    tls: bool = False,
) -> ASGIApp:
    """The service, to be given to `tmt.web.server.serve`; while it is served it writes the series.

    Args:
        log: for reading; another object than the writer's, which belongs to the writer's thread.
        series: what is read, and what `writer` writes; closed by the caller, after the service.
        writer: runs in a thread of its own from when the service starts until it stops.
        sandbox: runs statements; None where the series cannot be copied, and then statements are refused (501).
        access: who may read.
        config: bounds, and who may reach it.
        tls: whether it is reached over TLS.
    """
    following = _Following(writer)
    return create_service(
        "storage-api",
        routes(Store(log, Lock(), series, writer, sandbox)),
        access=access,
        probes={"series": lambda: _look_at(series), "writer": following.look},
        config=config,
        metrics=Metrics("storage-api"),
        title="TMT storage API",
        tls=tls,
        lifespan=[following.live],
    )


class _Following:
    """The writer's thread."""

    def __init__(self, writer: SeriesWriter) -> None:
        self._writer = writer
        self._stop = Event()
        self._thread = Thread(target=writer.run, args=[self._stop], name="series writer", daemon=True)

    @asynccontextmanager
    async def live(self, _: Litestar) -> AsyncIterator[None]:
        self._thread.start()
        try:
            yield
        finally:
            self._stop.set()
            await asyncio.to_thread(self._thread.join)

    def look(self) -> Probe:
        writer = self._writer
        if writer.failure is not None:
            return Probe(ok=False, detail=f"{writer.failure.code}: tmt explain {writer.failure.code}")
        if not self._thread.is_alive():
            return Probe(ok=False, detail="the writer has ended")
        return Probe(ok=writer.behind <= BEHIND_MAX, detail=f"{writer.behind} messages behind the log")


def _look_at(series: Series) -> Probe:
    return Probe(ok=True, detail=f"{series.describe()}, at position {series.mark().position}")
