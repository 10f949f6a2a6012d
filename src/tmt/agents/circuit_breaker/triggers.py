"""When breakers open, reduce, are tried out and close again: what a message gives cause for."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from tmt import messages as m
from tmt.agents.circuit_breaker.breakers import (
    COOL_DOWN,
    PERSON,
    RESUMED_BY_PERSON,
    SYSTEM,
    Breaker,
    CircuitBreakerState,
    Status,
    account_key,
    feed_key,
    keys_of,
    profit_of,
    strategy_key,
)
from tmt.agents.circuit_breaker.config import CircuitBreakerConfig
from tmt.agents.circuit_breaker.equity_limits import equity_recovered, equity_tripped
from tmt.agents.circuit_breaker.transition import Transition, outranks
from tmt.domain.money import ONE, ZERO
from tmt.domain.session import NANOSECONDS_PER_SECOND, day_bounds_ns
from tmt.projections.portfolio import Portfolio


def transitions_due(
    state: CircuitBreakerState, message: m.Message, portfolio: Portfolio, config: CircuitBreakerConfig
) -> list[Transition]:
    """What follows for the breakers from a message that `state` has folded already; at most one a breaker."""
    match message:
        case m.SessionStarted():
            feeds = (f"feed:{instrument.symbol}" for instrument in message.instruments)
            scopes = [("system", "desk"), *(("agent", scope) for scope in (*config.strategies, *feeds))]
            return [_initialised(*scope) for scope in scopes if "/".join(scope) not in state.breakers]
        case m.AccountOpened():
            account = message.account.account_id
            return [] if account_key(account) in state.breakers else [_initialised("account", account)]
        case m.StopTrading() | m.InvariantBroken():
            return _halted(state, message)
        case m.ResumeTrading():
            return list(_resumed(state, message, portfolio, config))
        case m.AccountSuspended():
            return _suspended(state, message)
        case m.FeedStale() | m.FeedGapFound():
            return _feed_failed(state, message)
        case m.PositionClosed():
            return list(_trade_closed(state, message, config))
        case m.BreakerTransition():
            return _reasserted(state, message)
        case m.FeedRecovered():
            keys: tuple[str, ...] = (feed_key(message.instrument),)
        case m.OrderFilled():
            keys = (account_key(message.account),)
        case m.ComplianceApproved():
            keys = keys_of(message.order)
        case m.BarClosed():
            keys = tuple(key for key, breaker in state.breakers.items() if _may_change(breaker, portfolio))
        case _:
            keys = ()
    assessed = (_assess(state, key, portfolio, config) for key in keys)
    return [transition for transition in assessed if transition is not None]


def _initialised(tier: str, scope: str) -> Transition:
    detail = f"the {tier} breaker of {scope} begins closed"
    return Transition(status=Status.CLOSED, tier=tier, scope=scope, trigger="initialised", detail=detail)


# People and broken rules


def _halted(state: CircuitBreakerState, message: m.StopTrading | m.InvariantBroken) -> list[Transition]:
    breaker = state.breakers.get(SYSTEM)
    halted = breaker is not None and breaker.status is Status.OPEN and breaker.resumes_by == PERSON
    if isinstance(message, m.StopTrading):
        trigger, detail = "manual_stop", f"{message.person}: {message.reason}"
        said = halted
    else:
        trigger, detail = "invariant_broken", f"{message.invariant}: {message.detail}"
        said = halted and breaker is not None and breaker.trigger == trigger
    if said:
        return []
    return [
        Transition(
            status=Status.OPEN,
            tier="system",
            scope="desk",
            trigger=trigger,
            measured=ONE,
            resumes_by=PERSON,
            detail=detail,
        )
    ]


def _resumed(
    state: CircuitBreakerState, message: m.ResumeTrading, portfolio: Portfolio, config: CircuitBreakerConfig
) -> Iterator[Transition]:
    """A manual stop ends at once; after anything else that only a person may lift, test orders come first."""
    detail = f"{message.person}: {message.reason}"
    for breaker in state.breakers.values():
        by_person = breaker.resumes_by == PERSON or breaker.trigger == "account_suspended"
        # A flat account cannot earn its drawdown back, so a person also ends its reducing.
        reducing = breaker.status is Status.REDUCING and breaker.trigger == "drawdown"
        if not reducing and (breaker.status is not Status.OPEN or not by_person):
            continue
        measured, limit, unit = breaker.measured, breaker.limit, breaker.unit
        drawdown = portfolio.drawdown_fraction(breaker.scope) if breaker.tier == "account" else None
        if drawdown is not None:
            measured, limit, unit = drawdown, config.drawdown_fraction_max, "fraction"
        yield Transition(
            status=Status.CLOSED if breaker.trigger == "manual_stop" else Status.HALF_OPEN,
            tier=breaker.tier,
            scope=breaker.scope,
            trigger=RESUMED_BY_PERSON,
            measured=measured,
            limit=limit,
            unit=unit,
            resumes_by=PERSON,
            detail=detail,
        )


def _suspended(state: CircuitBreakerState, message: m.AccountSuspended) -> list[Transition]:
    breaker = state.breakers.get(account_key(message.account))
    if breaker is not None and not outranks("account_suspended", breaker):
        return []
    return [
        Transition(
            status=Status.OPEN,
            tier="account",
            scope=message.account,
            trigger="account_suspended",
            measured=message.measured,
            limit=message.limit,
            unit=message.unit,
            detail=f"compliance suspended {message.account} by its rule {message.rule}",
        )
    ]


def _feed_failed(state: CircuitBreakerState, message: m.FeedStale | m.FeedGapFound) -> list[Transition]:
    key, symbol = feed_key(message.instrument), message.instrument
    breaker = state.breakers.get(key)
    if isinstance(message, m.FeedStale):
        trigger, silent_ns = "stale_feed", message.occurred_at_ns - message.last_ns
    else:
        trigger, silent_ns = "feed_gap", message.to_ns - message.from_ns
    if breaker is not None and breaker.status is Status.OPEN and symbol in state.stale_feeds and trigger == "feed_gap":
        return []
    silence = Decimal(max(0, silent_ns)).scaleb(-9)
    return [
        Transition(
            status=Status.OPEN,
            tier="agent",
            scope=f"feed:{symbol}",
            trigger=trigger,
            measured=silence,
            unit="seconds",
            detail=f"no data of {symbol} for {silence} seconds",
        )
    ]


def _reasserted(state: CircuitBreakerState, message: m.BreakerTransition) -> list[Transition]:
    """Say again that a breaker is open when a message that came too late says otherwise, for all who fold the log."""
    breaker = state.breakers[f"{message.tier}/{message.scope}"]
    if breaker.status is not Status.OPEN or isinstance(message, m.BreakerOpened):
        return []
    return [
        Transition(
            status=Status.OPEN,
            tier=breaker.tier,
            scope=breaker.scope,
            trigger=breaker.trigger,
            measured=breaker.measured,
            limit=breaker.limit,
            unit=breaker.unit,
            resumes_by=breaker.resumes_by,
            detail=f"{breaker.scope} stays open by {breaker.trigger}",
        )
    ]


# Outcomes of trades


def _trade_closed(
    state: CircuitBreakerState, trade: m.PositionClosed, config: CircuitBreakerConfig
) -> Iterator[Transition]:
    lost = profit_of(trade) < ZERO
    for key in (SYSTEM, account_key(trade.account), strategy_key(trade.strategy)):
        breaker = state.breakers.get(key)
        if breaker is None or breaker.status is Status.OPEN:
            continue
        tier, scope, losses = breaker.tier, breaker.scope, breaker.losses_in_a_row
        if breaker.status is Status.HALF_OPEN and lost:
            detail = f"{scope} lost while it was on trial"
            yield Transition(
                status=Status.OPEN, tier=tier, scope=scope, trigger="trial_lost", measured=ONE, detail=detail
            )
        elif breaker.status is Status.HALF_OPEN and breaker.successes >= config.half_open.successes_to_close:
            wins, needed = Decimal(breaker.successes), Decimal(config.half_open.successes_to_close)
            detail = f"{scope} closed {wins} positions without a loss while it was on trial"
            yield Transition(
                status=Status.CLOSED,
                tier=tier,
                scope=scope,
                trigger="trials_passed",
                measured=wins,
                limit=needed,
                detail=detail,
            )
        elif lost and tier != "system" and losses > config.consecutive_losses_max(tier):
            limit = Decimal(config.consecutive_losses_max(tier))
            yield Transition(
                status=Status.OPEN,
                tier=tier,
                scope=scope,
                trigger="consecutive_losses",
                measured=Decimal(losses),
                limit=limit,
                detail=f"{scope} lost {losses} times in a row, {limit} are borne",
            )


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
    if portfolio.now_ns < breaker.since_ns + cool_down_seconds * NANOSECONDS_PER_SECOND:
        return None
    if breaker.status is Status.OPEN and breaker.resumes_by == COOL_DOWN:
        return _cooled_down(state, breaker, portfolio, config)
    return equity_recovered(breaker, portfolio, config) if breaker.tier == "account" else None


def _cooled_down(
    state: CircuitBreakerState, breaker: Breaker, portfolio: Portfolio, config: CircuitBreakerConfig
) -> Transition | None:
    if breaker.scope.removeprefix("feed:") in state.stale_feeds or _day_lasts(breaker, portfolio):
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
    """Whether what tripped is judged by the account's day, and that day is still the present one."""
    account = portfolio.account(breaker.scope)
    if account is None or breaker.trigger not in ("daily_loss", "account_suspended"):
        return False
    _, day_end_ns = day_bounds_ns(account.day(), breaker.since_ns)
    return portfolio.now_ns < day_end_ns


def _unrelieved_daily_loss(breaker: Breaker, portfolio: Portfolio, config: CircuitBreakerConfig) -> bool:
    daily = portfolio.daily_loss_fraction(breaker.scope)
    return daily is None or daily > config.daily_loss_fraction_max
