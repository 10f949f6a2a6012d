"""What people read to trade: orders, positions, accounts; and the desk as the trading routes see it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Annotated, Any, Final, TypeAlias, TypeVar

from litestar import Request, get
from litestar.handlers import BaseRouteHandler
from litestar.params import Parameter

from tmt import messages as m
from tmt.access.roles import Operation, Principal
from tmt.domain.identity import derive_id
from tmt.errors import InputError
from tmt.ports.door import Door, Taken
from tmt.projections.desk_reader import DeskReader
from tmt.projections.order_index import OVER, OrderRecord
from tmt.projections.portfolio import Portfolio
from tmt.web.keeper import demand, principal
from tmt.web.problem import Refused
from tmt.web.trading_forms import Accounts, AccountView, OrderPage, OrderView, Positions, PositionView

ORDERS_MAX: Final = 200
"""Orders on one page."""

_OTHER_COMMAND: Final = "TMT-E005"

T = TypeVar("T")
PersonsRequest: TypeAlias = Request[Any, Any, Any]
Filter = Annotated[str | None, Parameter(max_length=64)]
PageLength = Annotated[int, Parameter(ge=1, le=ORDERS_MAX)]
Named = Annotated[str, Parameter(min_length=1, max_length=64)]


class TradedDesk:
    """The desk as the routes see it: what is asked of it goes through the door, what is read comes from its log."""

    def __init__(self, door: Door, reader: DeskReader) -> None:
        self._door = door
        self._reader = reader

    async def ask(self, command: m.Message) -> Taken:
        try:
            return await self._door.submit(command)
        except InputError as error:
            if error.code == _OTHER_COMMAND:
                raise Refused(
                    409, error.code, "the client_order_id was used for another order; choose a new one"
                ) from error
            raise

    async def read(self, look: Callable[[DeskReader], T]) -> T:
        """What `look` sees of the desk's newest state; in a thread, since it may read the log."""

        def looked() -> T:
            self._reader.catch_up()
            with self._reader.lock:
                return look(self._reader)

        return await asyncio.to_thread(looked)

    async def order(self, who: Principal, order_id: str) -> OrderRecord:
        """An order by its id, or 404 when there is none that `who` may see."""
        found = await self.read(lambda reader: reader.orders.get(order_id))
        if found is None or found.order_id != order_id or not who.may(Operation.READ, found.account):
            raise Refused(404, "", "there is no such order")
        return found

    async def working(self, request: PersonsRequest, order_id: str) -> OrderRecord:
        """An order that the venue has and whoever asks may change."""
        found = await self.order(principal(request), order_id)
        await demand(request, Operation.TRADE, found.account)
        if found.status in OVER:
            raise Refused(409, "TMT-E011", f"the order is {found.status} already")
        if not found.client_order_id:
            raise Refused(409, "TMT-E011", "the order is still in the gates; ask again in a moment")
        return found


def reading_routes(desk: TradedDesk) -> list[BaseRouteHandler]:
    """Orders, positions and accounts."""
    return [*_of_orders(desk), *_of_accounts(desk)]


def _of_orders(desk: TradedDesk) -> list[BaseRouteHandler]:
    @get("/api/v1/orders", summary="Orders, the newest first")
    async def orders(
        request: PersonsRequest,
        account: Filter = None,
        symbol: Filter = None,
        status: Filter = None,
        client_order_id: Annotated[Filter, Parameter(description="One that whoever asks has sent.")] = None,
        after: Filter = None,
        limit: PageLength = 50,
    ) -> OrderPage:
        who = principal(request)
        sent = None if client_order_id is None else derive_id(m.OrderProposed.__name__, who.name, client_order_id)

        def wanted(order: OrderRecord) -> bool:
            return (
                who.may(Operation.READ, order.account)
                and account in (None, order.account)
                and symbol in (None, order.instrument)
                and status in (None, order.status)
                and sent in (None, order.trail_id)
            )

        found = await desk.read(lambda reader: reader.select_orders(wanted, limit + 1, after or ""))
        page = found[:limit]
        return OrderPage(
            orders=tuple(OrderView.of(each) for each in page), next=page[-1].order_id if len(found) > limit else None
        )

    @get("/api/v1/orders/{order_id:str}", summary="One order")
    async def order(request: PersonsRequest, order_id: Named) -> OrderView:
        return OrderView.of(await desk.order(principal(request), order_id))

    return [orders, order]


def _of_accounts(desk: TradedDesk) -> list[BaseRouteHandler]:
    @get("/api/v1/positions", summary="Open positions")
    async def positions(request: PersonsRequest, account: Filter = None, symbol: Filter = None) -> Positions:
        who = principal(request)

        def look(reader: DeskReader) -> Positions:
            held = tuple(
                PositionView.of(position, reader.portfolio)
                for each in _accounts_of(who, reader.portfolio)
                if account in (None, each)
                for position in reader.portfolio.positions(each)
                if symbol in (None, position.instrument)
            )
            return Positions(time_ns=reader.portfolio.now_ns, positions=held)

        return await desk.read(look)

    @get("/api/v1/accounts", summary="Accounts")
    async def accounts(request: PersonsRequest) -> Accounts:
        who = principal(request)

        def look(reader: DeskReader) -> Accounts:
            shown = tuple(AccountView.of(each, reader.portfolio) for each in _accounts_of(who, reader.portfolio))
            return Accounts(time_ns=reader.portfolio.now_ns, accounts=shown)

        return await desk.read(look)

    @get("/api/v1/accounts/{account:str}", summary="One account")
    async def account(request: PersonsRequest, account: Named) -> AccountView:
        who = principal(request)

        def look(reader: DeskReader) -> AccountView:
            if account not in _accounts_of(who, reader.portfolio):
                raise Refused(404, "", "there is no such account")
            return AccountView.of(account, reader.portfolio)

        return await desk.read(look)

    return [positions, accounts, account]


def _accounts_of(who: Principal, portfolio: Portfolio) -> list[str]:
    return [each.account_id for each in portfolio.accounts if who.may(Operation.READ, each.account_id)]
