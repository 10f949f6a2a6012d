"""When breakers open, reduce, are tried out and close again: what a message gives cause for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal

from tmt import messages as m
from tmt.agents.circuit_breaker.breakers import (
    COOL_DOWN,
    REINSTATED,
    Breaker,
    CircuitBreakerState,
    Status,
    profit_of,
    tried_by,
)
from tmt.agents.circuit_breaker.conditions import condition_of, silence
from tmt.agents.circuit_breaker.config import CircuitBreakerConfig
from tmt.agents.circuit_breaker.equity_limits import equity_recovered, equity_tripped
from tmt.agents.circuit_breaker.keys import SYSTEM, account_key, instrument_key, keys_of
from tmt.agents.circuit_breaker.persons import broken, missed, resumed, stopped
from tmt.agents.circuit_breaker.samples import moved, repeated, venue_answered, venues_late
from tmt.agents.circuit_breaker.transition import Transition, held_open, opening, standing, trials_passed
from tmt.domain.money import ONE, ZERO
from tmt.domain.session import NANOSECONDS_PER_SECOND, day_bounds_ns
from tmt.domain.stop import EVERYTHING, ScopeKind, StopScope
from tmt.projections.portfolio import Portfolio


def transitions_due(
    state: CircuitBreakerState, message: m.Message, portfolio: Portfolio, config: CircuitBreakerConfig
) -> list[Transition]:
    """What follows for the breakers from a message that `state` has folded already; at most one a breaker."""
    match message:
        case m.SessionStarted():
            symbols = [each.symbol for each in message.instruments]
            scopes = [
                EVERYTHING,
                *_named(ScopeKind.STRATEGY, config.strategies),
                *_named(ScopeKind.INSTRUMENT, symbols),
            ]
            return _begun(state, scopes)
        case m.AccountOpened():
            account = _named(ScopeKind.ACCOUNT, [message.account.account_id])
            return _begun(state, [*account, *_named(ScopeKind.VENUE, [message.account.venue])])
        case m.StopTrading():
            return stopped(state, message)
        case m.InvariantBroken():
            return broken(state, message)
        case m.ResumeTrading():
            return list(resumed(state, message, portfolio, config))
        case m.AgentReturned(agent="circuit_breaker"):
            return missed(state)
        case m.FeedGapFound():
            return _gapped(state, message)
        case m.PositionClosed():
            return list(_trade_closed(state, message, config))
        case m.BreakerTransition():
            return _reasserted(state, message)
        case m.VenueEvent() if not isinstance(message, m.OrderFilled):
            return venue_answered(state, message, portfolio, config)
        case m.BarClosed():
            keys = tuple(key for key, breaker in state.breakers.items() if _may_change(breaker, portfolio))
            said = [*moved(state, message.bar, config), *venues_late(state, config)]
        case m.ComplianceApproved():
            keys, said = keys_of(message.order, portfolio), repeated(state, message, portfolio, config)
        case m.OrderFilled():
            keys, said = (account_key(message.account),), venue_answered(state, message, portfolio, config)
        case _:
            return _held(state, message, portfolio, config)
    said_of = {f"{each.tier}/{each.scope}" for each in said}
    assessed = (_assess(state, key, portfolio, config) for key in keys if key not in said_of)
    return [*said, *(transition for transition in assessed if transition is not None)]


def _named(kind: ScopeKind, names: Iterable[str]) -> list[StopScope]:
    return [StopScope(kind=kind, name=name) for name in names]


def _begun(state: CircuitBreakerState, scopes: list[StopScope]) -> list[Transition]:
    return [_initialised(*scope.breaker.split("/", 1)) for scope in scopes if scope.breaker not in state.breakers]


def _initialised(tier: str, scope: str) -> Transition:
    detail = f"the {tier} breaker of {scope} begins closed"
    return Transition(status=Status.CLOSED, tier=tier, scope=scope, trigger="initialised", detail=detail)


# Conditions that last


def _held(
    state: CircuitBreakerState, message: m.Message, portfolio: Portfolio, config: CircuitBreakerConfig
) -> list[Transition]:
    if isinstance(message, m.AccountReinstated):
        return _reinstated(state, message)
    told = condition_of(message)
    if told is None:
        return []
    condition, lasts = told
    if lasts:
        return held_open(state, condition)
    assessed = _assess(state, condition.key, portfolio, config)
    return [] if assessed is None else [assessed]


def _reinstated(state: CircuitBreakerState, message: m.AccountReinstated) -> list[Transition]:
    breaker = state.breakers.get(account_key(message.account))
    if breaker is None or breaker.status is not Status.OPEN or breaker.trigger != "account_suspended":
        return []
    return [
        Transition(
            status=Status.HALF_OPEN,
            tier=breaker.tier,
            scope=breaker.scope,
            trigger=REINSTATED,
            measured=breaker.measured,
            limit=breaker.limit,
            unit=breaker.unit,
            detail=f"{message.account} is reinstated by {message.person or 'the turn of its day'}: {message.reason}",
        )
    ]


def _gapped(state: CircuitBreakerState, message: m.FeedGapFound) -> list[Transition]:
    key = instrument_key(message.instrument)
    if state.conditions_of(key):
        return []
    seconds = silence(message.from_ns, message.to_ns)
    detail = f"no data of {message.instrument} for {seconds} seconds"
    return opening(state, key, "feed_gap", seconds, ZERO, "seconds", detail)


def _reasserted(state: CircuitBreakerState, message: m.BreakerTransition) -> list[Transition]:
    """Say that a breaker is open when a message that came too late, or that a condition outlasts, says otherwise."""
    key = f"{message.tier}/{message.scope}"
    breaker = state.breakers[key]
    if isinstance(message, m.BreakerOpened):
        return []
    if breaker.status is not Status.OPEN:
        lasting = [held_open(state, condition) for condition in state.conditions_of(key)]
        opened = [each for some in lasting for each in some]
        # Of several, what opens counts before what reduces; the others still last.
        return sorted(opened, key=lambda each: each.status is Status.REDUCING)[:1]
    return [standing(breaker, f"{breaker.scope} stays open by {breaker.trigger}")]


# Outcomes of trades


def _trade_closed(
    state: CircuitBreakerState, trade: m.PositionClosed, config: CircuitBreakerConfig
) -> Iterator[Transition]:
    lost = profit_of(trade) < ZERO
    for key in tried_by(trade):
        breaker = state.breakers.get(key)
        if breaker is None or breaker.status is Status.OPEN:
            continue
        tier, scope, losses = breaker.tier, breaker.scope, breaker.losses_in_a_row
        if breaker.status is Status.HALF_OPEN and lost:
            detail = f"{scope} lost while it was on trial"
            yield Transition(
                status=Status.OPEN, tier=tier, scope=scope, trigger="trial_lost", measured=ONE, detail=detail
            )
        elif (passed := trials_passed(breaker, config)) is not None:
            yield passed
        elif lost and key not in (SYSTEM, instrument_key(trade.instrument)):
            limit = config.consecutive_losses_max(tier)
            if losses > limit:
                detail = f"{scope} lost {losses} times in a row, {limit} are borne"
                yield from opening(state, key, "consecutive_losses", Decimal(losses), Decimal(limit), "count", detail)


# Time and equity


def _may_change(breaker: Breaker, portfolio: Portfolio) -> bool:
    if breaker.status is not Status.CLOSED:
        return True
    return breaker.tier == "account" and bool(portfolio.positions(breaker.scope))


def _assess(
    state: CircuitBreakerState, key: str, portfolio: Portfolio, config: CircuitBreakerConfig
) -> Transition | None:
    breaker = state.breakers.get(key)
    if breaker is None:
        return None
    tripped = equity_tripped(breaker, portfolio, config) if breaker.tier == "account" else None
    if tripped is not None:
        return tripped
    cool_down_seconds: int = getattr(config.cool_down_seconds, breaker.tier)
    calm_since_ns = max(breaker.since_ns, breaker.calm_since_ns)
    if state.conditions_of(key) or portfolio.now_ns < calm_since_ns + cool_down_seconds * NANOSECONDS_PER_SECOND:
        return None
    if breaker.status is Status.OPEN and breaker.resumes_by == COOL_DOWN:
        return _cooled_down(breaker, portfolio, config)
    return equity_recovered(breaker, portfolio, config) if breaker.tier == "account" else None


def _cooled_down(breaker: Breaker, portfolio: Portfolio, config: CircuitBreakerConfig) -> Transition | None:
    if _day_lasts(breaker, portfolio):
        return None
    if breaker.tier == "account" and _unrelieved_daily_loss(breaker, portfolio, config):
        return None
    to_status = Status.CLOSED if breaker.trigger in ("stale_feed", "feed_gap") else Status.HALF_OPEN
    return Transition(
        status=to_status,
        tier=breaker.tier,
        scope=breaker.scope,
        trigger="cooled_down",
        measured=breaker.measured,
        limit=breaker.limit,
        unit=breaker.unit,
        detail=f"{breaker.trigger} of {breaker.scope} is over and its cool-down has passed",
    )


def _day_lasts(breaker: Breaker, portfolio: Portfolio) -> bool:
    """Whether a daily loss tripped, and the account's day in which it did is still the present one."""
    account = portfolio.account(breaker.scope)
    if account is None or breaker.trigger != "daily_loss":
        return False
    _, day_end_ns = day_bounds_ns(account.day(), breaker.since_ns)
    return portfolio.now_ns < day_end_ns


def _unrelieved_daily_loss(breaker: Breaker, portfolio: Portfolio, config: CircuitBreakerConfig) -> bool:
    daily = portfolio.daily_loss_fraction(breaker.scope)
    return daily is None or daily > config.daily_loss_fraction_max
