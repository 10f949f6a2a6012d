"""Opens a book's series and records, and the service on them."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import NamedTuple

from litestar.types import ASGIApp

from tmt.access import Access
from tmt.adapters.postgres.database import Database
from tmt.adapters.records.postgres import PostgresTables
from tmt.adapters.records.relational import RelationalRecords
from tmt.adapters.records.sqlite import SqliteTables
from tmt.adapters.series.days import DAY_NS
from tmt.adapters.series.duckdb import DuckDbSeries
from tmt.adapters.series.timescale import TimescaleSeries
from tmt.ports.clock import Clock
from tmt.ports.event_log import EventLog
from tmt.ports.records import Records
from tmt.ports.series import Series
from tmt.projections.records import Projector
from tmt.storage_api.config import StorageConfig
from tmt.storage_api.sandbox import Sandbox
from tmt.storage_api.service import create_storage_api
from tmt.storage_api.writer import SeriesWriter
from tmt.web.config import WebConfig
from tmt.web.server import LOOPBACK_HOSTS, Server, serve


@contextmanager
def storage_api(
    *,
    log: EventLog,
    followed: EventLog,
    projected: EventLog,
    store: Path | Database,
    access: Access,
    clock: Clock,
    config: StorageConfig,
    web: WebConfig,
    host: str = LOOPBACK_HOSTS[0],
    tls: ssl.SSLContext | None = None,
) -> Iterator[Server]:
    """The series and records of one event log, written and served until the end of the block.

    Args:
        log: for the addresses to read; closed by the caller.
        followed: the same log opened once more, for the thread that writes the series; closed by the caller.
        projected: and once more, for the thread that writes the records; closed by the caller.
        store: a folder for DuckDB and SQLite, made when it is not there, or a migrated database; the database is
            closed at the end.
        access: who may read.
        clock: says when the copy that statements run on is old.
        config: port, and what is kept.
        web: bounds, and who may reach it.
        host: address to listen on.
        tls: for other machines than this.

    Raises:
        InputError: TMT-Q002 when the store holds the series of another log. Records of another log are told by
            `/ready`.
        StoreUnavailable: when the store cannot be used.
        AdapterUnavailable: when the port cannot be used.
    """
    with ExitStack() as stack:
        stores = _open(store, clock, config, stack)
        stores.series.prepare()
        app = create_storage_api(
            log=log,
            series=stores.series,
            writer=SeriesWriter(followed, stores.series, config.retain_days * DAY_NS),
            sandbox=stores.sandbox,
            records=stores.records,
            projector=Projector(projected, stores.records),
            access=access,
            config=web,
            tls=tls is not None,
        )
        with _serve(app, config.port, host, web, tls) as server:
            yield server


def _serve(app: ASGIApp, port: int, host: str, web: WebConfig, tls: ssl.SSLContext | None) -> Server:
    plain = web.plain_http_beyond_loopback
    return serve(app, port, host, name="storage API", limits=web.limits, tls=tls, plain_http_beyond_loopback=plain)


class _Stores(NamedTuple):
    series: Series
    records: Records
    sandbox: Sandbox | None


def _open(store: Path | Database, clock: Clock, config: StorageConfig, stack: ExitStack) -> _Stores:
    if isinstance(store, Database):
        series = stack.enter_context(closing(TimescaleSeries(store)))
        return _Stores(series, stack.enter_context(closing(RelationalRecords(PostgresTables(store)))), None)
    store.mkdir(mode=0o700, parents=True, exist_ok=True)
    on_file = DuckDbSeries(store / "series.duckdb", store / "archive", memory_max_mb=config.memory_max_mb)
    stack.enter_context(closing(on_file))
    records = stack.enter_context(closing(RelationalRecords(SqliteTables(store / "records.sqlite"))))
    return _Stores(on_file, records, stack.enter_context(closing(Sandbox(on_file, store / "copies", clock))))
