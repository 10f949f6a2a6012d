"""The storage API as a service: the writers' threads, the readers' addresses, and whether all are well."""

from __future__ import annotations

from threading import Lock

from litestar.types import ASGIApp

from tmt.access import Access
from tmt.observability.metrics import Metrics
from tmt.ports.event_log import EventLog
from tmt.ports.records import Records
from tmt.ports.series import Series
from tmt.projections.records import Projector
from tmt.storage_api.following import Following
from tmt.storage_api.record_routes import record_routes
from tmt.storage_api.routes import Store, routes
from tmt.storage_api.sandbox import Sandbox
from tmt.storage_api.writer import SeriesWriter
from tmt.web.config import WebConfig
from tmt.web.health import Probe
from tmt.web.service import create_service


def create_storage_api(
    *,
    log: EventLog,
    series: Series,
    writer: SeriesWriter,
    sandbox: Sandbox | None,
    records: Records,
    projector: Projector,
    access: Access,
    config: WebConfig,
    tls: bool = False,
) -> ASGIApp:
    """The service, to be given to `tmt.web.server.serve`; while it is served it writes the series and the records.

    Args:
        log: for reading; another object than the writers', which belong to their threads.
        series: what is read, and what `writer` writes; closed by the caller, after the service.
        writer: runs in a thread of its own from when the service starts until it stops.
        sandbox: runs statements; None where the series cannot be copied, and then statements are refused (501).
        records: what is read, and what `projector` writes; closed by the caller, after the service.
        projector: runs like `writer`.
        access: who may read.
        config: bounds, and who may reach it.
        tls: whether it is reached over TLS.
    """
    into_series, into_records = Following("the series", writer), Following("the records", projector)
    return create_service(
        "storage-api",
        [*routes(Store(log, Lock(), series, writer, sandbox)), *record_routes(records, projector)],
        access=access,
        probes={
            "series": lambda: _look_at(series),
            "writer": into_series.look,
            "records": into_records.look,
        },
        config=config,
        metrics=Metrics("storage-api"),
        title="TMT storage API",
        tls=tls,
        lifespan=[into_series.live, into_records.live],
    )


def _look_at(series: Series) -> Probe:
    return Probe(ok=True, detail=f"{series.describe()}, at position {series.mark().position}")
