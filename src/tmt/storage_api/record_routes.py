"""The addresses of the records: orders, fills, positions, ledger postings and balances, page by page."""

from __future__ import annotations

import asyncio
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Final, TypeVar

import msgspec
from litestar import Response, get
from litestar.handlers import HTTPRouteHandler
from litestar.params import QueryParameter

from tmt.access import Operation
from tmt.domain.order import OrderState
from tmt.ports.records import FIRST, ROWS_MAX, BalanceRow, FillRow, Key, OrderRow, PositionRow, PostingRow, Records, Row
from tmt.projections.records import Projector
from tmt.storage_api.description import PAGES, Paged
from tmt.storage_api.formats import chosen, paged
from tmt.storage_api.record_tables import table_of
from tmt.storage_api.routes import NAME, AnyRequest, Asked
from tmt.web.keeper import demand, principal
from tmt.web.problem import Refused

Limit = Annotated[int, QueryParameter(ge=1, le=ROWS_MAX)]
Number = Annotated[
    str | None, QueryParameter(pattern=r"^[0-9]{1,18}(?!\n)$", description="The `next` of an earlier page.")
]
KeyText = Annotated[
    str | None, QueryParameter(pattern=r"^[A-Za-z0-9_-]{1,1000}(?!\n)$", description="The `next` of an earlier page.")
]
Filter = Annotated[str | None, QueryParameter(pattern=NAME)]
LedgerFilter = Annotated[
    str | None, QueryParameter(pattern=NAME, description="A ledger account, or all of an account: main/cash, or main.")
]
State = Annotated[OrderState | None, QueryParameter(name="state")]

RowType = TypeVar("RowType", bound=Row)
_PADDING: Final = "=="


class RecordsState(msgspec.Struct, frozen=True, kw_only=True):
    """The log's position up to which the records hold everything, and messages still to come."""

    position: int
    behind: int


def record_routes(records: Records, projector: Projector) -> list[HTTPRouteHandler]:
    """All addresses of the records."""

    @get("/api/v1/records", summary="How far orders, fills, positions, postings and balances are")
    async def state() -> RecordsState:
        position = await asyncio.to_thread(records.position)
        return RecordsState(position=position, behind=projector.behind)

    return [state, *_order_routes(records), *_position_routes(records), *_ledger_routes(records)]


def _order_routes(records: Records) -> list[HTTPRouteHandler]:
    @_paged("orders", "Orders at the venue, a bracket's exits included, in the order in which they were first heard of")
    async def orders(
        request: AnyRequest,
        account: Filter = None,
        instrument: Filter = None,
        in_state: State = None,
        limit: Limit = 100,
        cursor: Number = None,
        form: Asked = None,
    ) -> Response[Any]:
        accounts, after = await _accounts(request, account), int(cursor or 0)

        def ask() -> list[OrderRow]:
            return records.orders(accounts=accounts, instrument=instrument, state=in_state, after=after, limit=limit)

        return await _page(request, form, limit, OrderRow, ask, lambda row: str(row.number))

    @_paged("fills", "Fills, in the log's order")
    async def fills(
        request: AnyRequest,
        account: Filter = None,
        instrument: Filter = None,
        client_order_id: Filter = None,
        limit: Limit = 100,
        cursor: Number = None,
        form: Asked = None,
    ) -> Response[Any]:
        accounts, after = await _accounts(request, account), int(cursor or 0)

        def ask() -> list[FillRow]:
            return records.fills(
                accounts=accounts, instrument=instrument, client_order_id=client_order_id, after=after, limit=limit
            )

        return await _page(request, form, limit, FillRow, ask, lambda row: str(row.number))

    return [orders, fills]


def _position_routes(records: Records) -> list[HTTPRouteHandler]:
    @_paged("positions", "Positions that are not flat, by account and instrument")
    async def positions(
        request: AnyRequest,
        account: Filter = None,
        instrument: Filter = None,
        limit: Limit = 100,
        cursor: KeyText = None,
        form: Asked = None,
    ) -> Response[Any]:
        accounts, after = await _accounts(request, account), _key_of(cursor)

        def ask() -> list[PositionRow]:
            return records.positions(accounts=accounts, instrument=instrument, after=after, limit=limit)

        return await _page(request, form, limit, PositionRow, ask, lambda row: _text_of((row.account, row.instrument)))

    return [positions]


def _ledger_routes(records: Records) -> list[HTTPRouteHandler]:
    @_paged("postings", "Lines of the ledger's transactions, in the order posted")
    async def postings(
        request: AnyRequest,
        account: LedgerFilter = None,
        limit: Limit = 100,
        cursor: Number = None,
        form: Asked = None,
    ) -> Response[Any]:
        accounts, after = await _accounts(request, account), int(cursor or 0)

        def ask() -> list[PostingRow]:
            return records.postings(accounts=accounts, after=after, limit=limit)

        return await _page(request, form, limit, PostingRow, ask, lambda row: str(row.number))

    @_paged("balances", "Balances of ledger accounts, by account and unit")
    async def balances(
        request: AnyRequest,
        account: LedgerFilter = None,
        limit: Limit = 100,
        cursor: KeyText = None,
        form: Asked = None,
    ) -> Response[Any]:
        accounts, after = await _accounts(request, account), _key_of(cursor)

        def ask() -> list[BalanceRow]:
            return records.balances(accounts=accounts, after=after, limit=limit)

        return await _page(request, form, limit, BalanceRow, ask, lambda row: _text_of((row.account, row.unit)))

    return [postings, balances]


def _paged(name: str, summary: str) -> get:
    return get(f"/api/v1/{name}", summary=summary, operation_class=Paged, responses={200: PAGES[name]})


async def _accounts(request: AnyRequest, asked: str | None) -> Sequence[str] | None:
    """The accounts that an answer is about; None is all. A ledger account is its account's: "main/cash" main's."""
    if asked is None:
        return principal(request).accounts or None
    await demand(request, Operation.READ, asked.partition("/")[0])
    return (asked,)


async def _page(
    request: AnyRequest,
    form: Asked,
    limit: int,
    kind: type[RowType],
    ask: Callable[[], list[RowType]],
    cursor_of: Callable[[RowType], str],
) -> Response[Any]:
    chosen_form = chosen(form, request.headers.get("accept", ""))

    def answer() -> Response[Any]:
        rows = ask()
        following = cursor_of(rows[-1]) if len(rows) == limit else None
        return paged(table_of(kind, rows), following, chosen_form)

    return await asyncio.to_thread(answer)


def _text_of(key: Key) -> str:
    return urlsafe_b64encode(msgspec.json.encode(key)).decode().rstrip("=")


def _key_of(cursor: str | None) -> Key:
    if cursor is None:
        return FIRST
    try:
        first, second = msgspec.json.decode(urlsafe_b64decode(cursor + _PADDING), type=tuple[str, str])
        if "\x00" in first + second:
            raise ValueError("no name holds NUL")
    except (ValueError, msgspec.DecodeError) as error:
        raise Refused(400, "TMT-Q009", "a cursor is the `next` of an earlier page") from error
    return first, second
