"""The storage API's addresses."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from threading import Lock
from typing import Annotated, Any, Final, NamedTuple

import msgspec
import pyarrow as pa
from litestar import Request, Response, get, post
from litestar.di import NamedDependency, Provide
from litestar.handlers import HTTPRouteHandler
from litestar.openapi import ResponseSpec
from litestar.params import FromQuery, JSONBody, QueryParameter

from tmt import messages as m
from tmt.access import Operation, Principal
from tmt.market.bar import Timeframe
from tmt.ports.event_log import EventLog, Recorded
from tmt.ports.series import LIMIT_MAX, STAGE_DURATION, TIME_NS_MAX, Key, Page, Series, Window
from tmt.projections.audience import account_of
from tmt.storage_api.description import ANSWER, PAGES, InEveryFormat, Paged
from tmt.storage_api.formats import Format, chosen, paged, tabled
from tmt.storage_api.sandbox import STATEMENT_BYTES_MAX, Sandbox
from tmt.storage_api.writer import SeriesWriter
from tmt.web.keeper import demand, principal, says
from tmt.web.problem import Problem, Refused

DECISIONS_MAX: Final = 1000
"""Rows of the longest page of decisions."""

SCANNED_MAX: Final = 20_000
"""Log entries looked at for one page of decisions; a page may be short, or empty, and still have a next."""

_DECISIONS: Final = tuple(sorted(kind.__name__ for kind in m.DECISIONS))
_DECISION_SCHEMA: Final = pa.schema(
    [
        *((name, pa.int64()) for name in ("position", "recorded_at_ns", "occurred_at_ns")),
        *((name, pa.string()) for name in ("type", "message_id", "correlation_id", "account", "message")),
    ]
)

NAME: Final = r"^[^\x00-\x1f\x7f]{1,100}(?!\n)$"
"""What a name may be: `$` alone would let a line's end follow."""

AnyRequest = Request[Any, Any, Any]
Name = Annotated[str, QueryParameter(pattern=NAME)]
TimeNs = Annotated[int, QueryParameter(ge=0, le=TIME_NS_MAX, description="Event time in nanoseconds since 1970, UTC.")]
Limit = Annotated[int, QueryParameter(ge=1, le=LIMIT_MAX)]
Asked = Annotated[Format | None, QueryParameter(name="format", description="Goes before the Accept header.")]
Cursor = Annotated[
    str | None, QueryParameter(pattern=r"^[0-9]{1,19}-[0-9]{1,19}(?!\n)$", description="The `next` of an earlier page.")
]
Order = Annotated[str, QueryParameter(enum=["oldest_first", "newest_first"])]


class Statement(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One SELECT in DuckDB's SQL over the tables quotes, trades, bars, equity and metrics."""

    statement: Annotated[str, msgspec.Meta(min_length=1, max_length=STATEMENT_BYTES_MAX)]


class SeriesState(msgspec.Struct, frozen=True, kw_only=True):
    """What the series runs on, the log's position up to which it holds everything, and messages still to come."""

    runs_on: str
    position: int
    behind: int


class Store(NamedTuple):
    """What the addresses answer from.

    Attributes:
        log: read under `reading` alone: a connection is not for two threads at once.
        sandbox: None where statements cannot be taken.
    """

    log: EventLog
    reading: Lock
    series: Series
    writer: SeriesWriter
    sandbox: Sandbox | None


def window_asked_for(
    from_ns: TimeNs = 0,
    to_ns: TimeNs = TIME_NS_MAX,
    limit: Limit = 1000,
    cursor: Cursor = None,
    order: Order = "oldest_first",
) -> Window:
    """Which rows a page is to hold: `from_ns` ≤ time < `to_ns`."""
    if order not in ("oldest_first", "newest_first"):
        raise Refused(400, "TMT-Q009", f"order is oldest_first or newest_first, was {order!r}")
    try:
        after = None if cursor is None else Key.parse(cursor)
        return Window(from_ns=from_ns, to_ns=to_ns, limit=limit, after=after, newest_first=order == "newest_first")
    except ValueError as error:
        raise Refused(400, "TMT-Q009", str(error)) from error


def routes(store: Store) -> list[HTTPRouteHandler]:
    """All addresses."""
    return [*_market_routes(store.series), *_measurement_routes(store.series), *_log_routes(store), _sql_route(store)]


def _market_routes(series: Series) -> list[HTTPRouteHandler]:
    @_paged("/api/v1/candles", "candles", "Bars of one instrument and timeframe")
    async def candles(
        request: AnyRequest,
        window: NamedDependency[Window],
        instrument: Name,
        timeframe: FromQuery[Timeframe],
        form: Asked = None,
    ) -> Response[Any]:
        return await _page(request, form, lambda: series.candles(instrument, timeframe, window))

    @_paged("/api/v1/quotes", "quotes", "Best prices of one instrument")
    async def quotes(
        request: AnyRequest, window: NamedDependency[Window], instrument: Name, form: Asked = None
    ) -> Response[Any]:
        return await _page(request, form, lambda: series.quotes(instrument, window))

    @_paged("/api/v1/trades", "trades", "Trades of one instrument in the market")
    async def trades(
        request: AnyRequest, window: NamedDependency[Window], instrument: Name, form: Asked = None
    ) -> Response[Any]:
        return await _page(request, form, lambda: series.trades(instrument, window))

    return [candles, quotes, trades]


def _measurement_routes(series: Series) -> list[HTTPRouteHandler]:
    @_paged("/api/v1/equity", "equity", "Equity of one account over time")
    async def equity(
        request: AnyRequest, window: NamedDependency[Window], account: Name, form: Asked = None
    ) -> Response[Any]:
        await demand(request, Operation.READ, account)
        return await _page(request, form, lambda: series.equity(account, window))

    @_paged("/api/v1/metrics", "metrics", "Values of one metric over time")
    async def metrics(
        request: AnyRequest, window: NamedDependency[Window], name: Name, form: Asked = None
    ) -> Response[Any]:
        return await _page(request, form, lambda: series.metrics(name, window))

    @get(
        "/api/v1/latency",
        summary="Quantiles of a duration, in seconds, by stage",
        operation_class=Paged,
        responses={200: PAGES["latency"]},
    )
    async def latency(
        request: AnyRequest,
        name: Name = STAGE_DURATION,
        from_ns: TimeNs = 0,
        to_ns: TimeNs = TIME_NS_MAX,
        form: Asked = None,
    ) -> Response[Any]:
        return await _page(request, form, lambda: Page(series.quantiles(name, from_ns, to_ns), None))

    return [equity, metrics, latency]


def _log_routes(store: Store) -> list[HTTPRouteHandler]:
    @get(
        "/api/v1/decisions",
        summary="Signals, verdicts of gates, breakers, submissions and the venue's answers, in the log's order",
        operation_class=Paged,
        responses={200: PAGES["decisions"]},
    )
    async def decisions(
        request: AnyRequest,
        limit: Annotated[int, QueryParameter(ge=1, le=DECISIONS_MAX)] = 100,
        cursor: Annotated[str | None, QueryParameter(pattern=r"^[0-9]{1,18}(?!\n)$")] = None,
        correlation_id: Annotated[str | None, QueryParameter(pattern=NAME)] = None,
        form: Asked = None,
    ) -> Response[Any]:
        chosen_form = chosen(form, request.headers.get("accept", ""))
        after = int(cursor or 0)
        who = principal(request)
        rows, following = await asyncio.to_thread(_decisions, store, who, after, limit, correlation_id)
        return await asyncio.to_thread(paged, rows, following, chosen_form, ("message",))

    @get("/api/v1/series", summary="What the series runs on, and how far it is")
    async def state() -> SeriesState:
        return await asyncio.to_thread(_state, store)

    return [decisions, state]


def _sql_route(store: Store) -> HTTPRouteHandler:
    @post(
        "/api/v1/sql",
        status_code=200,
        summary="Rows of one SELECT, on a copy of the series that is at most a few seconds old",
        operation_class=InEveryFormat,
        responses={
            200: ANSWER,
            501: ResponseSpec(
                Problem,
                generate_examples=False,
                media_type="application/problem+json",
                description="The store takes no statements.",
            ),
        },
    )
    async def sql(request: AnyRequest, data: JSONBody[Statement], form: Asked = None) -> Response[Any]:
        says(request, "series", statement=data.statement[:500])
        if principal(request).accounts:
            raise Refused(403, "TMT-Q010", "statements see every account, and whoever asks may see only some")
        if store.sandbox is None:
            raise Refused(501, "TMT-Q011", "statements are taken only where the series is in DuckDB")
        rows = await asyncio.to_thread(store.sandbox.run, data.statement)
        return await asyncio.to_thread(tabled, rows, chosen(form, request.headers.get("accept", "")))

    return sql


def _paged(path: str, name: str, summary: str) -> get:
    return get(
        path,
        summary=summary,
        operation_class=Paged,
        responses={200: PAGES[name]},
        dependencies={"window": Provide(window_asked_for, sync_to_thread=False)},
    )


async def _page(request: AnyRequest, form: Format | None, ask: Callable[[], Page]) -> Response[Any]:
    chosen_form = chosen(form, request.headers.get("accept", ""))

    def answer() -> Response[Any]:
        page = ask()
        return paged(page.rows, None if page.next is None else str(page.next), chosen_form)

    return await asyncio.to_thread(answer)


def _state(store: Store) -> SeriesState:
    mark = store.series.mark()
    return SeriesState(runs_on=store.series.describe(), position=mark.position, behind=store.writer.behind)


def _decisions(
    store: Store, who: Principal, after: int, limit: int, correlation_id: str | None
) -> tuple[pa.Table, str | None]:
    with store.reading:
        found, following = _scan(store.log, who, after, limit, correlation_id)
    columns = zip(*found, strict=True) if found else [()] * len(_DECISION_SCHEMA)
    arrays = [pa.array(each, field.type) for each, field in zip(columns, _DECISION_SCHEMA, strict=True)]
    return pa.table(arrays, _DECISION_SCHEMA), following


def _scan(
    log: EventLog, who: Principal, after: int, limit: int, correlation_id: str | None
) -> tuple[list[tuple[Any, ...]], str | None]:
    found: list[tuple[Any, ...]] = []
    last = after
    for scanned, recorded in enumerate(_entries(log, after, correlation_id)):
        if len(found) == limit or scanned == SCANNED_MAX:
            return found, str(last)
        last = recorded.position
        account = account_of(m.decode(recorded.body), lambda _: None)
        if account is None or who.may(Operation.READ, account):
            found.append(_row(recorded, account))
    return found, None


def _entries(log: EventLog, after: int, correlation_id: str | None) -> Iterator[Recorded]:
    if correlation_id is None:
        return log.read(after=after, types=_DECISIONS)
    return (each for each in log.correlated(correlation_id) if each.position > after and each.type in _DECISIONS)


def _row(recorded: Recorded, account: str | None) -> tuple[Any, ...]:
    position, recorded_at_ns, message_id, correlation_id, kind, occurred_at_ns, body = recorded
    return position, recorded_at_ns, occurred_at_ns, kind, message_id, correlation_id, account, body.decode()
