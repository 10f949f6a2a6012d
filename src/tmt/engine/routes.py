"""What the engine's service has beside the trading routes: commands of other services, market data in and out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import msgspec
from litestar import Request, Response, WebSocket, post, websocket
from litestar.handlers import BaseRouteHandler
from litestar.openapi import ResponseSpec
from litestar.openapi.spec import OpenAPIMediaType, OpenAPIType, RequestBody, Schema
from litestar.openapi.spec import Operation as Described
from litestar.params import JSONBody

from tmt import messages as m
from tmt.access import Access, Operation
from tmt.adapters.feed.posted import PostedFeed
from tmt.engine.config import EngineConfig
from tmt.engine.ingestion import ROWS_MAX, Grid
from tmt.engine.quotes import QuoteBoard, Subscription
from tmt.errors import AdapterUnavailable, InputError
from tmt.ports.clock import Clock
from tmt.ports.door import Door
from tmt.web.body import NUMBER_TEXT
from tmt.web.config import Limits
from tmt.web.keeper import requires
from tmt.web.problem import RETRY_SECONDS, FieldProblem, Refused
from tmt.web.sockets import attend

Command: TypeAlias = (
    m.OrderProposed | m.CancelOrder | m.ReplaceOrder | m.StopTrading | m.ResumeTrading | m.ReinstateAccount
)


class CommandTaken(msgspec.Struct, frozen=True, kw_only=True):
    """See `tmt.ports.door.Taken`; `answers` are messages of the event log."""

    message_id: str
    position: int
    repeated: bool
    answers: tuple[dict[str, Any], ...]


class RowsTaken(msgspec.Struct, frozen=True, kw_only=True):
    """Rows of the request, and rows that wait for the desk, those included."""

    accepted: int
    waiting: int


def command_route(door: Door) -> BaseRouteHandler:
    """`POST /api/v1/commands`: the gateway's door, when it runs in another process. Its sender audits."""

    @post(
        "/api/v1/commands",
        status_code=200,
        summary="Hand the desk a command, once for each message id",
        guards=[requires(Operation.COMMAND)],
        responses={200: ResponseSpec(CommandTaken, generate_examples=False, description="What became of it.")},
        opt={"audited": False, "urgent": True},
    )
    async def commands(data: JSONBody[Command]) -> Response[bytes]:
        return Response(msgspec.json.encode(await door.submit(data)), media_type="application/json")

    return commands


def ingestion_route(feed: PostedFeed | None, grid: Grid, config: EngineConfig, clock: Clock) -> BaseRouteHandler:
    """`POST /api/v1/market_data`, for load tests. Rows are taken, and run by the desk some milliseconds later.

    Args:
        feed: None when the desk runs on another one.
        grid: of the desk's instruments.
        config: whether it is enabled.
        clock: what is present.
    """

    @post(
        "/api/v1/market_data",
        status_code=202,
        summary="Post quotes and trades: one row or a list of them",
        guards=[requires(Operation.INGEST)],
        operation_class=_PostsRows,
        opt={"audited": False},
    )
    async def market_data(request: Request[Any, Any, Any]) -> RowsTaken:
        if not config.load_testing_enabled:
            raise Refused(403, "TMT-E006", "market data may be posted only where load testing is enabled")
        if feed is None:
            raise Refused(403, "TMT-E008", "this desk runs on a feed of its own, and takes no posted market data")
        if request.content_type[0] != "application/json":
            raise Refused(415, "", "the body must be JSON, with Content-Type: application/json")
        try:
            rows = grid.rows(await request.body(), clock.now_ns())
            feed.offer(rows)
        except InputError as error:
            problem = FieldProblem(where=error.where, detail=error.what)
            raise Refused(400, error.code, error.what, errors=(problem,)) from error
        except AdapterUnavailable as error:
            raise Refused(503, error.code, error.what, {"Retry-After": str(RETRY_SECONDS)}) from error
        return RowsTaken(accepted=rows.shape[1], waiting=feed.rows_waiting)

    return market_data


def quotes_socket(board: QuoteBoard, access: Access, limits: Limits) -> BaseRouteHandler:
    """`WS /ws/market_data`."""

    @websocket("/ws/market_data")
    async def quotes(socket: WebSocket[Any, Any, Any]) -> None:
        await attend(socket, access, limits, Subscription, board.join)

    return quotes


_NUMBER: Final = Schema(
    one_of=[
        Schema(type=OpenAPIType.NUMBER, minimum=0, maximum=10**15),
        Schema(type=OpenAPIType.STRING, pattern=NUMBER_TEXT.replace("-?", "")),
    ]
)
_ROW: Final = Schema(
    type=OpenAPIType.OBJECT,
    required=["symbol", "bid", "ask", "timestamp"],
    additional_properties=False,
    properties={
        "symbol": Schema(type=OpenAPIType.STRING, description="An instrument that the desk trades."),
        "bid": _NUMBER,
        "ask": _NUMBER,
        "price": _NUMBER,
        "volume": _NUMBER,
        "timestamp": Schema(
            one_of=[Schema(type=OpenAPIType.STRING), Schema(type=OpenAPIType.NUMBER)],
            description="ISO 8601, without a zone UTC; or seconds, milli-, micro- or nanoseconds since 1970.",
        ),
    },
)


@dataclass
class _PostsRows(Described):
    def __post_init__(self) -> None:
        rows = Schema(type=OpenAPIType.ARRAY, items=_ROW, min_items=1, max_items=ROWS_MAX)
        self.request_body = RequestBody(
            required=True, content={"application/json": OpenAPIMediaType(schema=Schema(one_of=[_ROW, rows]))}
        )
