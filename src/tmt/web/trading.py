"""The trading routes, the same on the gateway and on the engine: orders, positions, accounts, stop and resume."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from litestar import delete, post, put
from litestar.handlers import BaseRouteHandler
from litestar.params import JSONBody

from tmt import messages as m
from tmt.access.roles import Operation, Principal
from tmt.domain.identity import derive_id
from tmt.ports.door import Door, Taken
from tmt.projections.desk_reader import DeskReader
from tmt.projections.order_index import OrderRecord
from tmt.projections.portfolio import Portfolio
from tmt.web.keeper import demand, principal, requires, says
from tmt.web.problem import FieldProblem, Refused
from tmt.web.trading_forms import (
    Asked,
    Commanded,
    NewOrder,
    OrderPlaced,
    Replacement,
    Resume,
    Stop,
)
from tmt.web.trading_reads import Named, PersonsRequest, TradedDesk, reading_routes

STRATEGY: Final = "manual"
"""What people's orders are tagged with."""


def trading_routes(door: Door, reader: DeskReader) -> list[BaseRouteHandler]:
    """Orders, positions, accounts, emergency stop and resume.

    Args:
        door: to the desk.
        reader: of the desk's log, from which everything but the answer to a command is read.
    """
    desk = TradedDesk(door, reader)
    return [*_placing(desk), *_changing(desk), *reading_routes(desk), *_halting(desk)]


def _placing(desk: TradedDesk) -> list[BaseRouteHandler]:
    @post(
        "/api/v1/orders",
        status_code=200,
        summary="Place an order",
        description="Denied by a gate: 400 with the gate, its reason, what was measured, and the limit.",
        guards=[requires(Operation.TRADE)],
    )
    async def place(request: PersonsRequest, data: JSONBody[NewOrder]) -> OrderPlaced:
        who = principal(request)
        account = await desk.read(lambda reader: _account(who, data, reader.portfolio))
        await demand(request, Operation.TRADE, account)
        command = m.OrderProposed.root(
            who.name,
            0,
            who.name,
            data.client_order_id,
            account=account,
            instrument=data.symbol,
            side=data.side,
            quantity=data.quantity,
            order_type=data.type,
            time_in_force=data.time_in_force,
            person=who.name,
            strategy=STRATEGY,
            limit_price=data.price,
            stop_price=data.stop_price,
            stop_loss_price=data.stop_loss_price,
            take_profit_price=data.take_profit_price,
            expire_at_ns=data.expire_at_ns,
            reduce_only=data.reduce_only,
            post_only=data.post_only,
        )
        order_id = derive_id(command.message_id, account)
        says(request, order_id, account=account, symbol=data.symbol, client_order_id=data.client_order_id)
        return _placed(data, account, order_id, await desk.ask(command))

    return [place]


def _account(who: Principal, order: NewOrder, portfolio: Portfolio) -> str:
    if portfolio.instrument(order.symbol) is None:
        raise _wrong("symbol", f"the desk trades no {order.symbol!r}")
    if order.account is not None:
        return order.account
    fitting = [
        each.account_id
        for each in portfolio.accounts
        if order.symbol in each.instruments and who.may(Operation.TRADE, each.account_id)
    ]
    if len(fitting) != 1:
        known = ", ".join(fitting) or "none"
        raise _wrong("account", f"name the account; of yours, those that trade {order.symbol}: {known}")
    return fitting[0]


def _placed(order: NewOrder, account: str, order_id: str, taken: Taken) -> OrderPlaced:
    quantity, status = order.quantity, "in_gates"
    for answer in taken.answers:
        match answer:
            case m.OrderDenied():
                raise _denied(answer, order)
            case m.GateApproval(order=approved):
                quantity = approved.quantity
            case m.OrderSubmitted():
                status = "submitted"
            case _:
                pass
    return OrderPlaced(
        order_id=order_id,
        client_order_id=order.client_order_id,
        account=account,
        symbol=order.symbol,
        side=order.side,
        type=order.type,
        quantity=quantity,
        quantity_wanted=order.quantity,
        status=status,
        repeated=taken.repeated,
        position=taken.position,
    )


def _denied(denial: m.OrderDenied, order: NewOrder) -> Refused:
    more = {
        "order_id": denial.order_id,
        "client_order_id": order.client_order_id,
        "gate": denial.gate,
        "reason": denial.reason,
        "measured": denial.measured,
        "limit": denial.limit,
        "unit": denial.unit,
    }
    return Refused(400, "TMT-E010", f"denied by {denial.gate}: {denial.detail}", more=more)


def _changing(desk: TradedDesk) -> list[BaseRouteHandler]:
    @delete(
        "/api/v1/orders/{order_id:str}",
        status_code=202,
        summary="Cancel a working order",
        guards=[requires(Operation.TRADE)],
    )
    async def cancel(request: PersonsRequest, order_id: Named) -> Asked:
        who = principal(request)
        order = await desk.working(request, order_id)
        # The same wish while nothing has changed is the same command.
        key = (who.name, "cancel", order.client_order_id, str(order.position))
        command = m.CancelOrder.root(who.name, 0, *key, client_order_id=order.client_order_id, person=who.name)
        says(request, order_id, account=order.account)
        taken = await desk.ask(command)
        return Asked(order_id=order_id, asked="cancel", repeated=taken.repeated, position=taken.position)

    @put(
        "/api/v1/orders/{order_id:str}",
        status_code=202,
        summary="Make a working order smaller, or move its limit to where it risks no more",
        guards=[requires(Operation.TRADE)],
    )
    async def replace(request: PersonsRequest, order_id: Named, data: JSONBody[Replacement]) -> Asked:
        who = principal(request)
        order = await desk.working(request, order_id)
        says(request, order_id, account=order.account)
        _refuse_more_risk(order, data.quantity, data.price)
        wish = (str(data.quantity), str(data.price))
        key = (who.name, "replace", order.client_order_id, str(order.position), *wish)
        command = m.ReplaceOrder.root(
            who.name,
            0,
            *key,
            client_order_id=order.client_order_id,
            quantity=data.quantity,
            limit_price=data.price,
            person=who.name,
        )
        taken = await desk.ask(command)
        return Asked(order_id=order_id, asked="replace", repeated=taken.repeated, position=taken.position)

    return [cancel, replace]


def _refuse_more_risk(order: OrderRecord, quantity: Decimal, price: Decimal | None) -> None:
    """A replacement passes no gate, so it may take away from what the gates approved, and add nothing.

    A limit that is reached later buys lower or sells higher: its stop, if there is one, comes nearer. Notional must
    not grow either, which a sale at a higher price would make it do.
    """
    if quantity > order.quantity:
        raise _wrong("quantity", f"an order may only become smaller than {order.quantity}; place another for more")
    if quantity <= order.filled:
        raise _wrong("quantity", f"{order.filled} has filled already; cancel the order to keep no more")
    if price is None or price == order.limit_price:
        return
    if order.limit_price is None:
        raise _wrong("price", f"a {'market' if order.type is None else order.type} order has no limit to move")
    if order.reduce_only:
        return
    if order.stop_loss_price is not None and (price - order.stop_loss_price) * order.side.sign <= 0:
        raise _wrong("price", f"{price} lies beyond the order's own stop at {order.stop_loss_price}")
    if (price - order.limit_price) * order.side.sign > 0:
        raise _wrong("price", f"a {order.side} may not move from {order.limit_price} towards the market: it risks more")
    if quantity * price > order.quantity * order.limit_price:
        raise _wrong("price", "the order would be worth more than the gates approved; make it smaller as well")


def _halting(desk: TradedDesk) -> list[BaseRouteHandler]:
    @post(
        "/api/v1/emergency-stop",
        status_code=200,
        summary="Stop all trading; on request, close every position",
        guards=[requires(Operation.STOP)],
        opt={"urgent": True, "once": False},
    )
    async def stop(request: PersonsRequest, data: JSONBody[Stop]) -> Commanded:
        who = principal(request)
        if data.level.flattens and who.accounts:
            raise Refused(403, "TMT-A007", "positions of every account would be closed; choose the level cancel")
        key = await _occasion(desk)
        says(request, "desk", reason=data.reason, level=data.level)
        command = m.StopTrading.root(
            who.name,
            0,
            who.name,
            key,
            person=who.name,
            role=who.role,
            reason=data.reason,
            level=data.level,
            scope=data.scope,
        )
        return _commanded(await desk.ask(command))

    @post(
        "/api/v1/resume",
        status_code=200,
        summary="Lift an emergency stop, and other halts that only a person may lift",
        guards=[requires(Operation.RESUME)],
        opt={"once": False},
    )
    async def resume(request: PersonsRequest, data: JSONBody[Resume]) -> Commanded:
        who = principal(request)
        key = await _occasion(desk)
        says(request, "desk", reason=data.reason)
        command = m.ResumeTrading.root(who.name, 0, who.name, key, person=who.name, role=who.role, reason=data.reason)
        return _commanded(await desk.ask(command))

    return [stop, resume]


async def _occasion(desk: TradedDesk) -> str:
    """What tells one stop from the next: how far the desk has come. A stop is never a repetition of an older one."""
    return f"at {await desk.read(lambda reader: reader.position)}"


def _commanded(taken: Taken) -> Commanded:
    turned = [each for each in taken.answers if isinstance(each, m.BreakerTransition)]
    return Commanded(
        message_id=taken.message_id,
        position=taken.position,
        repeated=taken.repeated,
        breakers=tuple(f"{each.tier}/{each.scope}" for each in turned),
    )


def _wrong(name: str, detail: str) -> Refused:
    return Refused(400, "", f"{name}: {detail}", errors=(FieldProblem(where=f"$.{name}", detail=detail),))
