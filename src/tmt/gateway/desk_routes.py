"""The desk as it stands: its snapshot, risk, breakers, agents, parameters and market."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, Final

import msgspec
from litestar import Request, Response, get
from litestar.handlers import BaseRouteHandler
from litestar.openapi import ResponseSpec
from litestar.params import QueryParameter

from tmt import messages as m
from tmt.agents.anti_correlation import Correlation
from tmt.domain.money import ZERO, Exact, divide
from tmt.domain.session import NANOSECONDS_PER_SECOND
from tmt.gateway.following import Following
from tmt.gateway.recent import Correlations, RecentBars
from tmt.gateway.visible import sees, visible_desk
from tmt.market.bar import Bar, Timeframe
from tmt.ports.clock import Clock
from tmt.projections.breaker_history import BreakerStanding, History, Turn, with_causes
from tmt.projections.correlations import CorrelationHistory
from tmt.projections.desk_reader import DeskReader, Told
from tmt.projections.desk_view import AgentLine, BreakerLine, DeskSnapshot, MarketLine
from tmt.projections.portfolio import Portfolio
from tmt.projections.sentences import sentence
from tmt.web.keeper import principal
from tmt.web.parameters import ITEMS, Before, InstrumentName, Limit, Page
from tmt.web.problem import Refused

RATIO_DECIMALS: Final = 6

BarLength = Annotated[Timeframe, QueryParameter(description="Length of the bars.")]


class AccountRisk(msgspec.Struct, frozen=True, kw_only=True):
    """One account, in its currency; None where a price or rate is missing.

    Attributes:
        gross_exposure: worth of all positions, longs and shorts added up.
        exposure_ratio: that over equity.
        unprotected: instruments held without a stop.
    """

    account: str
    currency: str
    equity: Exact | None
    day_start_equity: Exact | None
    peak_equity: Exact | None
    realised: Exact | None
    unrealised: Exact | None
    fees: Exact | None
    daily_loss_fraction: Exact | None
    drawdown_fraction: Exact | None
    gross_exposure: Exact | None
    exposure_ratio: Exact | None
    unprotected: tuple[str, ...]


class CorrelationsShown(msgspec.Struct, frozen=True, kw_only=True):
    """How instruments move together.

    Attributes:
        now: every pair as the gate judges an order by it, each shrunk by its own common bars alone.
        history: what the gate published, the newest first: matrices of instruments that trade at the same time.
    """

    now: tuple[Correlation, ...]
    history: tuple[m.CorrelationsMeasured, ...]


class Transition(msgspec.Struct, frozen=True, kw_only=True):
    """Something stopped, went on or was suspended; `text` says it in a sentence."""

    position: int
    time_ns: int
    type: str
    message_id: str
    text: str


class Breakers(msgspec.Struct, frozen=True, kw_only=True):
    """Every breaker that ever turned, as it stands, and the newest turns."""

    breakers: tuple[BreakerLine, ...]
    history: tuple[Transition, ...]


class ProposalLine(msgspec.Struct, frozen=True, kw_only=True):
    """A change of a parameter that the evidence supports; a person decides, by changing the configuration."""

    position: int
    proposal: m.ParameterProposed


def desk_routes(
    following: Following,
    bars: RecentBars,
    correlations: Correlations,
    history: CorrelationHistory,
    parameters: Mapping[str, msgspec.Struct],
    clock: Clock,
) -> list[BaseRouteHandler]:
    """`/api/v1/desk`, `/risk`, `/breakers`, `/agents`, `/parameters` and `/market`."""
    return [
        _desk(following, clock),
        *_risk(following, correlations, history),
        *_safety(following),
        *_learning(following, parameters),
        *_market(following, bars),
    ]


def _desk(following: Following, clock: Clock) -> BaseRouteHandler:
    @get(
        "/api/v1/desk",
        summary="The desk at its newest snapshot",
        description="Times are nanoseconds since 1970, UTC; exact numbers are text.",
        responses={
            200: ResponseSpec(
                DeskSnapshot,
                generate_examples=False,
                description="The snapshot; header Snapshot-Age-Seconds says when the desk last wrote anything.",
            )
        },
    )
    async def desk(request: Request[Any, Any, Any]) -> Response[DeskSnapshot]:
        reader = await following.present()
        with reader.lock:
            shown = visible_desk(principal(request), reader.snapshot(), reader)
            age_ns = max(0, clock.now_ns() - reader.recorded_at_ns)
        return Response(shown, headers={"Snapshot-Age-Seconds": f"{age_ns / NANOSECONDS_PER_SECOND:.3f}"})

    return desk


def _risk(following: Following, correlations: Correlations, history: CorrelationHistory) -> list[BaseRouteHandler]:
    @get("/api/v1/risk", summary="Equity, losses and exposure of every account")
    async def risk(request: Request[Any, Any, Any]) -> tuple[AccountRisk, ...]:
        reader = await following.present()
        who = principal(request)
        with reader.lock:
            names = [each.account_id for each in reader.portfolio.accounts]
            return tuple(_account_risk(reader.portfolio, each) for each in names if sees(who, each))

    @get("/api/v1/risk/correlations", summary="How instruments move together, as the gate measures it")
    async def matrix(limit: Limit = ITEMS) -> CorrelationsShown:
        reader = await following.present()
        with reader.lock:
            return CorrelationsShown(now=correlations.matrix(), history=history.newest(limit))

    return [risk, matrix]


def _account_risk(portfolio: Portfolio, name: str) -> AccountRisk:
    account = portfolio.account(name)
    assert account is not None
    equity, gross = portfolio.equity(name), _gross_exposure(portfolio, name)
    positions = portfolio.positions(name)
    return AccountRisk(
        account=name,
        currency=account.currency,
        equity=equity,
        day_start_equity=portfolio.day_start_equity(name),
        peak_equity=portfolio.peak_equity(name),
        realised=portfolio.realised(name),
        unrealised=portfolio.unrealised(name),
        fees=portfolio.fees(name),
        daily_loss_fraction=portfolio.daily_loss_fraction(name),
        drawdown_fraction=portfolio.drawdown_fraction(name),
        gross_exposure=gross,
        exposure_ratio=None if gross is None or not equity else divide(gross, equity, RATIO_DECIMALS),
        unprotected=tuple(
            each.instrument for each in positions if portfolio.protective_stop(name, each.instrument) is None
        ),
    )


def _gross_exposure(portfolio: Portfolio, name: str) -> Decimal | None:
    gross = ZERO
    for position in portfolio.positions(name):
        worth = portfolio.market_value(position)
        instrument = portfolio.instrument(position.instrument)
        known = worth is not None and instrument is not None
        converted = portfolio.convert(abs(worth), instrument.quote_currency, name) if known else None  # type: ignore[arg-type,union-attr]
        if converted is None:
            return None
        gross += converted
    return gross


def _safety(following: Following) -> list[BaseRouteHandler]:
    @get("/api/v1/breakers", summary="Breakers, and what stopped and went on lately")
    async def breakers(request: Request[Any, Any, Any], limit: Limit = ITEMS) -> Breakers:
        reader = await following.present()
        who = principal(request)
        with reader.lock:
            lines = visible_desk(who, reader.snapshot(), reader).breakers
            history = [each for each in reader.transitions(limit) if sees(who, each.account)]
        return Breakers(breakers=lines, history=tuple(map(_transition, history)))

    @get("/api/v1/breakers/history", summary="Every turn of the breakers with its cause and measure, and patterns")
    async def history(request: Request[Any, Any, Any], limit: Limit = ITEMS) -> History:
        reader = await following.present()
        who = principal(request)
        with reader.lock:
            told = reader.breakers
            lines, turns, patterns = told.breakers, told.turns, told.patterns()
        visible = [turn for turn in turns if sees(who, _account_of(turn))][:limit]
        return History(
            breakers=tuple(line for line in lines if sees(who, _account_of(line))),
            turns=tuple(
                turn if sees(who, reader.owner_of(turn.cause_id)) else msgspec.structs.replace(turn, cause="")
                for turn in with_causes(visible, reader.log)
            ),
            patterns=patterns if not who.accounts else (),
        )

    @get("/api/v1/agents", summary="The agents: what each has handled, and its newest decision")
    async def agents(request: Request[Any, Any, Any]) -> tuple[AgentLine, ...]:
        reader = await following.present()
        with reader.lock:
            return visible_desk(principal(request), reader.snapshot(), reader).agents

    return [breakers, history, agents]


def _account_of(line: Turn | BreakerStanding) -> str | None:
    return line.scope if line.tier == "account" else None


def _transition(told: Told) -> Transition:
    return Transition(
        position=told.position,
        time_ns=told.message.occurred_at_ns,
        type=type(told.message).__name__,
        message_id=told.message.message_id,
        text=sentence(told.message),
    )


def _learning(following: Following, parameters: Mapping[str, msgspec.Struct]) -> list[BaseRouteHandler]:
    described = {name: msgspec.to_builtins(section) for name, section in parameters.items()}

    @get("/api/v1/parameters", summary="The agents' parameters in force, by agent")
    async def in_force() -> dict[str, dict[str, Any]]:
        return described

    @get("/api/v1/parameters/proposals", summary="Changes that the evidence supports, the newest first")
    async def proposals(limit: Limit = ITEMS, before: Before = None) -> Page[ProposalLine]:
        reader = await following.present()
        lines = [
            ProposalLine(position=told.position, proposal=told.message)
            for told in reader.proposals(limit, before)
            if isinstance(told.message, m.ParameterProposed)
        ]
        return Page(items=tuple(lines), next=lines[-1].position if len(lines) == limit else None)

    @get("/api/v1/statistics", summary="Outcomes so far, by setup and instrument")
    async def statistics() -> tuple[m.StatisticsUpdated, ...]:
        return tuple((await following.present()).statistics())

    return [in_force, proposals, statistics]


def _market(following: Following, bars: RecentBars) -> list[BaseRouteHandler]:
    @get("/api/v1/market", summary="Every instrument: newest quote and bar, phases, staleness")
    async def market() -> tuple[MarketLine, ...]:
        return (await following.present()).snapshot().market

    @get("/api/v1/market/{instrument:str}/bars", summary="The newest bars, the oldest first")
    async def newest_bars(
        instrument: InstrumentName, timeframe: BarLength = Timeframe.M1, limit: Limit = ITEMS
    ) -> tuple[Bar, ...]:
        reader = await following.present()
        _refuse_unknown(reader, instrument)
        with reader.lock:
            return bars.newest(instrument, timeframe, limit)

    return [market, newest_bars]


def _refuse_unknown(reader: DeskReader, instrument: str) -> None:
    with reader.lock:
        known = reader.portfolio.instrument(instrument) is not None
    if not known:
        raise Refused(404, "", f"the desk trades no instrument {instrument}")
