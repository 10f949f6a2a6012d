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
from tmt.domain.stop import ScopeKind, StopScope
from tmt.ports.door import Door, Taken
from tmt.projections.desk_reader import DeskReader
from tmt.projections.order_index import OrderRecord
from tmt.projections.portfolio import Portfolio
from tmt.web.keeper import demand, principal, requires, says
from tmt.web.problem import FieldProblem, Refused
from tmt.web.reinstating import reinstating_route
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
    return [*_placing(desk), *_changing(desk), *reading_routes(desk), *_halting(desk), reinstating_route(desk)]


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
            trail_offset=data.trail_offset,
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
        summary="Make a working order smaller, or move its limit or trigger to where it risks no more",
        guards=[requires(Operation.TRADE)],
    )
    async def replace(request: PersonsRequest, order_id: Named, data: JSONBody[Replacement]) -> Asked:
        who = principal(request)
        order = await desk.working(request, order_id)
        says(request, order_id, account=order.account)
        _refuse_more_risk(order, data)
        wish = (str(data.quantity), str(data.price), *(() if data.stop_price is None else (str(data.stop_price),)))
        key = (who.name, "replace", order.client_order_id, str(order.position), *wish)
        command = m.ReplaceOrder.root(
            who.name,
            0,
            *key,
            client_order_id=order.client_order_id,
            quantity=data.quantity,
            limit_price=data.price,
            stop_price=data.stop_price,
            person=who.name,
        )
        taken = await desk.ask(command)
        return Asked(order_id=order_id, asked="replace", repeated=taken.repeated, position=taken.position)

    return [cancel, replace]


def _refuse_more_risk(order: OrderRecord, wanted: Replacement) -> None:
    """A replacement passes no gate, so it may take away from what the gates approved, and add nothing.

    A limit that is reached later buys lower or sells higher: its stop, if there is one, comes nearer. So does a trigger
    that buys lower or sells higher, and a stop that closes then loses less. Notional must not grow either, which a sale
    at a higher price would make it do.
    """
    if wanted.quantity > order.quantity:
        raise _wrong("quantity", f"an order may only become smaller than {order.quantity}; place another for more")
    if wanted.quantity <= order.filled:
        raise _wrong("quantity", f"{order.filled} has filled already; cancel the order to keep no more")
    _refuse_worse_price("price", "limit", order, wanted, wanted.price, order.limit_price)
    _refuse_worse_price("stop_price", "trigger", order, wanted, wanted.stop_price, order.stop_price)


def _refuse_worse_price(
    field: str, called: str, order: OrderRecord, wanted: Replacement, price: Decimal | None, before: Decimal | None
) -> None:
    if price is None or price == before:
        return
    if before is None:
        raise _wrong(field, f"a {'market' if order.type is None else order.type} order has no {called} to move")
    if order.reduce_only and field == "price":
        return
    if order.stop_loss_price is not None and (price - order.stop_loss_price) * order.side.sign <= 0:
        raise _wrong(field, f"{price} lies beyond the order's own stop at {order.stop_loss_price}")
    if (price - before) * order.side.sign > 0:
        worse = "towards the market" if field == "price" else "away from the market"
        raise _wrong(field, f"a {order.side} may not move from {before} {worse}: it risks more")
    if not order.reduce_only and wanted.quantity * price > order.quantity * before:
        raise _wrong(field, "the order would be worth more than the gates approved; make it smaller as well")


def _halting(desk: TradedDesk) -> list[BaseRouteHandler]:
    @post(
        "/api/v1/emergency-stop",
        status_code=200,
        summary="Stop trading everywhere or in a scope, as far as the level goes",
        guards=[requires(Operation.STOP)],
        opt={"urgent": True, "once": False},
    )
    async def stop(request: PersonsRequest, data: JSONBody[Stop]) -> Commanded:
        who = principal(request)
        await _demand_scope(request, Operation.STOP, desk, data.scope)
        key = await _occasion(desk)
        says(request, data.scope.breaker, reason=data.reason, level=data.level)
        fields = {"person": who.name, "role": who.role, "reason": data.reason, "scope": data.scope}
        command = m.StopTrading.root(who.name, 0, who.name, key, data.scope.breaker, level=data.level, **fields)
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
        await _demand_scope(request, Operation.RESUME, desk, data.scope)
        key = await _occasion(desk)
        says(request, data.scope.breaker, reason=data.reason)
        fields = {"person": who.name, "role": who.role, "reason": data.reason, "scope": data.scope}
        command = m.ResumeTrading.root(who.name, 0, who.name, key, data.scope.breaker, **fields)
        return _commanded(await desk.ask(command), lifts=True)

    return [stop, resume]


async def _demand_scope(request: PersonsRequest, operation: Operation, desk: TradedDesk, scope: StopScope) -> None:
    """Whoever is limited to accounts halts and resumes those alone; and a scope must be one that the desk knows."""
    if scope.kind is ScopeKind.ACCOUNT:
        await demand(request, operation, scope.name)
    elif principal(request).accounts:
        raise Refused(403, "TMT-A007", "this would reach accounts that are not yours; give the scope of one account")
    if scope.kind is not ScopeKind.ALL and not await desk.read(lambda reader: reader.has_breaker(scope.breaker)):
        raise _wrong("scope", f"the desk has no {scope.kind} {scope.name!r}")


async def _occasion(desk: TradedDesk) -> str:
    """What tells one stop from the next: how far the desk has come. A stop is never a repetition of an older one."""
    return f"at {await desk.read(lambda reader: reader.position)}"


def _commanded(taken: Taken, *, lifts: bool = False) -> Commanded:
    said = [each for each in taken.answers if isinstance(each, m.BreakerTransition)]
    refused = [each for each in said if lifts and _stands(each, taken.message_id)]
    return Commanded(
        message_id=taken.message_id,
        position=taken.position,
        repeated=taken.repeated,
        breakers=tuple(f"{each.tier}/{each.scope}" for each in said if each not in refused),
        refused=tuple(each.detail for each in refused),
        cancelling=sum(isinstance(each, m.CancelSubmitted) for each in taken.answers),
    )


def _stands(turned: m.BreakerTransition, resume_id: str) -> bool:
    """Whether the breaker's whole answer to a resume is that it stays as it is."""
    return turned.causation_id == resume_id and isinstance(turned, m.BreakerOpened | m.BreakerReduced)


def _wrong(name: str, detail: str) -> Refused:
    return Refused(400, "", f"{name}: {detail}", errors=(FieldProblem(where=f"$.{name}", detail=detail),))
