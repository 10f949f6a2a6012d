"""May the order go out: do all its breakers admit it, and is the equity behind it known and fresh?"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from tmt import messages as m
from tmt.agents.circuit_breaker.breakers import Breaker, CircuitBreakerState, Status, evolve
from tmt.agents.circuit_breaker.config import CircuitBreakerConfig
from tmt.agents.circuit_breaker.equity_limits import loss_fractions, shrink_limits
from tmt.agents.circuit_breaker.keys import account_key, keys_of
from tmt.agents.verdict import Approve, Deny, Waterfall, shrinks_position
from tmt.domain.money import ZERO
from tmt.domain.order import Order
from tmt.domain.stop import ScopeKind, StopScope
from tmt.projections.portfolio import Portfolio

__all__ = ["decide", "evolve"]


def decide(
    state: CircuitBreakerState, approval: m.ComplianceApproved, portfolio: Portfolio, config: CircuitBreakerConfig
) -> Approve | Deny:
    """Judge one order, by a state that has folded every transition due. Orders that only shrink the position pass."""
    order = approval.order
    waterfall = Waterfall("circuit_breaker", order.quantity)
    expired = waterfall.denies_expired(approval, portfolio.now_ns)
    if expired is not None:
        return expired
    if shrinks_position(order, portfolio):
        held = abs(portfolio.position(order.account, order.instrument).quantity)
        waterfall.passes("closing", order.quantity, held, "units")
        return waterfall.approves(order)
    for key in keys_of(order, portfolio):
        denial = _admit(key, state.breakers.get(key), waterfall, config)
        if denial is not None:
            return denial
    denial = _fresh(order, waterfall, portfolio, config)
    if denial is not None:
        return denial
    return _within_limits(state, order, waterfall, portfolio, config) or waterfall.approves(order)


def _admit(key: str, breaker: Breaker | None, waterfall: Waterfall, config: CircuitBreakerConfig) -> Deny | None:
    tier, scope = key.split("/", 1)
    kind = StopScope.of_breaker(tier, scope).kind
    rule = tier if kind is ScopeKind.ALL else str(kind)
    if breaker is None:
        detail = f"the {tier} breaker of {scope} has no state, which counts as open"
        return waterfall.denies(rule, ZERO, Decimal(1), "count", detail=detail, reason="breaker_state_missing")
    if breaker.status in (Status.OPEN, Status.REDUCING):
        detail = (
            f"the {tier} breaker of {scope} is {breaker.status} by {breaker.trigger}: "
            f"{breaker.measured} against {breaker.limit} {breaker.unit}, resumes by {breaker.resumes_by}"
        )
        reason = f"breaker_{breaker.status}"
        return waterfall.denies(rule, breaker.measured, breaker.limit, breaker.unit, detail=detail, reason=reason)
    if breaker.status is Status.HALF_OPEN:
        outstanding, limit = Decimal(len(breaker.trials) + 1), Decimal(config.half_open.test_orders_max)
        if outstanding > limit:
            detail = f"the {tier} breaker of {scope} is half-open and its test orders are still outstanding"
            return waterfall.denies(rule, outstanding, limit, "count", detail=detail, reason="breaker_half_open")
        waterfall.passes(rule, outstanding, limit, "count")
        return None
    waterfall.passes(rule, ZERO, ZERO, "count")
    return None


def _fresh(order: Order, waterfall: Waterfall, portfolio: Portfolio, config: CircuitBreakerConfig) -> Deny | None:
    """Marks of closed markets cannot be newer than the close, so they may be older than the limit."""
    oldest, stalest = 0, order.instrument
    for symbol in (order.instrument, *_held_and_trading(order, portfolio)):
        mark = portfolio.mark(symbol)
        if mark is None:
            return waterfall.denies_missing("no_mark", f"no quote of {symbol} is known")
        age_ns = portfolio.now_ns - mark.time_ns
        if age_ns > oldest:
            oldest, stalest = age_ns, symbol
    measured, limit = Decimal(oldest).scaleb(-9), Decimal(config.mark_age_seconds_max)
    if measured > limit:
        detail = f"the newest quote of {stalest} is {measured} seconds old"
        return waterfall.denies("mark_age", measured, limit, "seconds", detail=detail, reason="stale_mark")
    waterfall.passes("mark_age", measured, limit, "seconds")
    return None


def _held_and_trading(order: Order, portfolio: Portfolio) -> Iterator[str]:
    for position in portfolio.positions(order.account):
        instrument = portfolio.instrument(position.instrument)
        if instrument is None or instrument.session.is_open(portfolio.now_ns):
            yield position.instrument


def _within_limits(
    state: CircuitBreakerState,
    order: Order,
    waterfall: Waterfall,
    portfolio: Portfolio,
    config: CircuitBreakerConfig,
) -> Deny | None:
    """Shown for every order; they refuse only while half-open, for a closed breaker would be reducing already."""
    account = order.account
    fractions, equity = loss_fractions(account, portfolio), portfolio.equity(account)
    if fractions is None or equity is None or equity <= ZERO:
        return waterfall.denies_missing("no_equity", f"the equity of {account} is {equity}")
    daily, drawdown = fractions
    daily_max, drawdown_max = shrink_limits(state.breakers[account_key(account)], config)
    for rule, measured, limit in (("daily_loss", daily, daily_max), ("drawdown", drawdown, drawdown_max)):
        if measured > limit:
            detail = f"the {rule} of {account} is a fraction of {measured}"
            return waterfall.denies(rule, measured, limit, "fraction", detail=detail)
        waterfall.passes(rule, measured, limit, "fraction")
    return None
