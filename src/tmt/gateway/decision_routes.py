"""Decisions and their reasons: signals, trails, verdicts of the gates, and why nothing was done."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Annotated, Any, Literal, TypeAlias

import msgspec
from litestar import Request, get
from litestar.handlers import BaseRouteHandler
from litestar.params import QueryParameter

from tmt import messages as m
from tmt.domain.order import Side
from tmt.domain.session import NANOSECONDS_PER_SECOND
from tmt.gateway.following import Following
from tmt.gateway.visible import sees, visible_trail, visible_why_not
from tmt.projections.desk_reader import DeskReader, Told, Verdict
from tmt.projections.trail import Trail, why
from tmt.projections.why_not import WhyNot, why_not
from tmt.web.keeper import principal
from tmt.web.parameters import ITEMS, AccountFilter, Before, InstrumentFilter, Limit, MessageId, Page
from tmt.web.problem import FieldProblem, Refused

GATES: TypeAlias = Literal["aria", "anti_correlation", "human_behavior", "compliance", "circuit_breaker", "execution"]

Gate = Annotated[GATES | None, QueryParameter(description="Of one gate.")]
Outcome = Annotated[Literal["approved", "denied"] | None, QueryParameter(description="Only these.")]
When = Annotated[
    str, QueryParameter(min_length=10, max_length=40, description="ISO 8601, such as 2026-05-07T12:00Z; else UTC.")
]
Instrument = Annotated[str, QueryParameter(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]{0,31}(?!\n)$")]


class SignalLine(msgspec.Struct, frozen=True, kw_only=True):
    """A signal and its log position."""

    position: int
    signal: m.SignalRaised


class OrderOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one account's order."""

    order_id: str
    account: str
    status: str
    reason: str


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """A signal, a person's proposal, or an exit that ARIA raised, and what became of it.

    Attributes:
        trail_id: for `/api/v1/decisions/{trail_id}`.
        origin: "signal", "proposal" or "exit".
        by: the setup of a signal, the person, or the rule of an exit.
    """

    position: int
    trail_id: str
    time_ns: int
    origin: str
    by: str
    instrument: str
    side: Side
    orders: tuple[OrderOutcome, ...]


def decision_routes(following: Following) -> list[BaseRouteHandler]:
    """`/api/v1/signals`, `/decisions`, `/why-not` and `/verdicts`."""
    return [*_origins(following), *_reasons(following), _verdicts(following)]


def _origins(following: Following) -> list[BaseRouteHandler]:
    @get("/api/v1/signals", summary="Signals, the newest first")
    async def signals(limit: Limit = ITEMS, before: Before = None) -> Page[SignalLine]:
        reader = await following.present()
        lines = [
            SignalLine(position=told.position, signal=told.message)
            for told in reader.origins(limit, before, signals_only=True)
            if isinstance(told.message, m.SignalRaised)
        ]
        return Page(items=tuple(lines), next=lines[-1].position if len(lines) == limit else None)

    @get("/api/v1/decisions", summary="What was decided, the newest first")
    async def decisions(request: Request[Any, Any, Any], limit: Limit = ITEMS, before: Before = None) -> Page[Decision]:
        reader = await following.present()
        who = principal(request)
        found = reader.origins(limit, before)
        lines = [_decision(reader, told) for told in found if sees(who, told.account)]
        shown = tuple(
            msgspec.structs.replace(line, orders=tuple(each for each in line.orders if sees(who, each.account)))
            for line in lines
        )
        return Page(items=shown, next=found[-1].position if len(found) == limit else None)

    return [signals, decisions]


def _decision(reader: DeskReader, told: Told) -> Decision:
    origin = told.message
    assert isinstance(origin, m.SignalRaised | m.OrderProposed | m.ExitRaised)
    kind, by = _origin(origin)
    return Decision(
        position=told.position,
        trail_id=origin.message_id,
        time_ns=origin.occurred_at_ns,
        origin=kind,
        by=by,
        instrument=origin.instrument,
        side=origin.side,
        orders=tuple(
            OrderOutcome(order_id=each.order_id, account=each.account, status=each.status, reason=each.reason)
            for each in reader.orders_of_trail(origin.message_id)
        ),
    )


def _origin(origin: m.SignalRaised | m.OrderProposed | m.ExitRaised) -> tuple[str, str]:
    match origin:
        case m.SignalRaised():
            return "signal", origin.setup
        case m.OrderProposed():
            return "proposal", origin.person
        case m.ExitRaised():
            return "exit", origin.rule


def _reasons(following: Following) -> list[BaseRouteHandler]:
    @get("/api/v1/decisions/{named:str}", summary="Why? From the bar through every gate, by any id or its beginning")
    async def decision(named: MessageId, request: Request[Any, Any, Any]) -> Trail:
        reader = await following.present()
        found = visible_trail(principal(request), await asyncio.to_thread(why, reader.log, named))
        if found is None:
            raise Refused(404, "TMT-T001", "nothing has this id")
        return found

    @get("/api/v1/why-not", summary="Why was there no trade then?")
    async def why_no_trade(instrument: Instrument, time: When, request: Request[Any, Any, Any]) -> WhyNot:
        unknown = sorted({*request.query_params} - {"instrument", "time"})
        if unknown:
            errors = tuple(FieldProblem(where=f"query: {name}", detail="is not known") for name in unknown)
            raise Refused(400, "", f"no such parameter: {', '.join(unknown)}", errors=errors)
        reader = await following.present()
        time_ns = _time_ns(time)
        return visible_why_not(principal(request), await asyncio.to_thread(why_not, reader.log, instrument, time_ns))

    return [decision, why_no_trade]


def _time_ns(text: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
        seconds = (moment if moment.tzinfo is not None else datetime.fromisoformat(f"{text}+00:00")).timestamp()
    except (ValueError, OverflowError) as error:
        problem = FieldProblem(where="query: time", detail="not a time as ISO 8601 has it")
        raise Refused(400, "", f"{problem.where}: {problem.detail}", errors=(problem,)) from error
    return int(seconds) * NANOSECONDS_PER_SECOND


def _verdicts(following: Following) -> BaseRouteHandler:
    @get("/api/v1/verdicts", summary="What the gates said, the newest first, with every rule, measure and limit")
    async def verdicts(
        request: Request[Any, Any, Any],
        limit: Limit = ITEMS,
        before: Before = None,
        gate: Gate = None,
        outcome: Outcome = None,
        account: AccountFilter = None,
        instrument: InstrumentFilter = None,
    ) -> Page[Verdict]:
        reader = await following.present()
        who = principal(request)

        def wanted(verdict: Verdict) -> bool:
            return (
                sees(who, verdict.account)
                and outcome in (None, verdict.outcome)
                and account in (None, verdict.account)
                and instrument in (None, verdict.instrument)
            )

        found = reader.verdicts(wanted, limit, gate, before)
        return Page(items=tuple(found), next=found[-1].position if len(found) == limit else None)

    return verdicts
