"""What an account's equity does to its breaker. Limits are inclusive; a profit is a loss of 0 and trips nothing.

Equity that is not known changes nothing here: it denies every order already.
"""

from __future__ import annotations

from decimal import Decimal

from tmt.agents.circuit_breaker.breakers import COOL_DOWN, PERSON, Breaker, Status
from tmt.agents.circuit_breaker.config import CircuitBreakerConfig
from tmt.agents.circuit_breaker.transition import Transition, outranks
from tmt.projections.portfolio import Portfolio


def loss_fractions(account: str, portfolio: Portfolio) -> tuple[Decimal, Decimal] | None:
    """Daily loss and drawdown of an account; None unless both are known."""
    daily, drawdown = portfolio.daily_loss_fraction(account), portfolio.drawdown_fraction(account)
    return None if daily is None or drawdown is None else (daily, drawdown)


def shrink_limits(breaker: Breaker, config: CircuitBreakerConfig) -> tuple[Decimal, Decimal]:
    """Daily loss and drawdown, as fractions, beyond which the account may only shrink positions."""
    reduce_at = config.account.reduce_at_fraction
    drawdown = max(reduce_at * config.drawdown_fraction_max, breaker.accepted_drawdown_fraction)
    return reduce_at * config.daily_loss_fraction_max, drawdown


def equity_tripped(breaker: Breaker, portfolio: Portfolio, config: CircuitBreakerConfig) -> Transition | None:
    """The transition when a loss is beyond a limit, the gravest first."""
    fractions = loss_fractions(breaker.scope, portfolio)
    if fractions is None:
        return None
    daily, drawdown = fractions
    daily_max = config.daily_loss_fraction_max
    drawdown_max = max(config.drawdown_fraction_max, breaker.accepted_drawdown_fraction)
    if drawdown > drawdown_max and outranks("drawdown", breaker):
        return _beyond(breaker, Status.OPEN, "drawdown", drawdown, drawdown_max, PERSON)
    if daily > daily_max and outranks("daily_loss", breaker):
        return _beyond(breaker, Status.OPEN, "daily_loss", daily, daily_max, COOL_DOWN)
    if breaker.status is not Status.CLOSED:
        return None
    daily_shrink, drawdown_shrink = shrink_limits(breaker, config)
    if daily > daily_shrink:
        return _beyond(breaker, Status.REDUCING, "daily_loss", daily, daily_shrink, COOL_DOWN)
    if drawdown > drawdown_shrink:
        return _beyond(breaker, Status.REDUCING, "drawdown", drawdown, drawdown_shrink, COOL_DOWN)
    return None


def equity_recovered(breaker: Breaker, portfolio: Portfolio, config: CircuitBreakerConfig) -> Transition | None:
    """The transition when an account need not only shrink any more, or when a drawdown once accepted is over."""
    fractions = loss_fractions(breaker.scope, portfolio)
    if fractions is None:
        return None
    daily, drawdown = fractions
    daily_shrink, drawdown_shrink = shrink_limits(breaker, config)
    if breaker.status is Status.REDUCING and daily <= daily_shrink and drawdown <= drawdown_shrink:
        return _within(breaker, "recovered", max(daily, drawdown), max(daily_shrink, drawdown_shrink))
    shallow = config.account.reduce_at_fraction * config.drawdown_fraction_max
    if breaker.status is Status.CLOSED and _accepts(breaker, config) and drawdown <= shallow:
        return _within(breaker, "drawdown_recovered", drawdown, shallow)
    return None


def _accepts(breaker: Breaker, config: CircuitBreakerConfig) -> bool:
    """Whether a person accepted a drawdown at which the account would only shrink positions."""
    return breaker.accepted_drawdown_fraction > config.account.reduce_at_fraction * config.drawdown_fraction_max


def _beyond(
    breaker: Breaker, status: Status, trigger: str, measured: Decimal, limit: Decimal, resumes_by: str
) -> Transition:
    return Transition(
        status=status,
        tier=breaker.tier,
        scope=breaker.scope,
        trigger=trigger,
        measured=measured,
        limit=limit,
        unit="fraction",
        resumes_by=resumes_by,
        detail=f"the {trigger} of {breaker.scope} is a fraction of {measured}, beyond {limit}",
    )


def _within(breaker: Breaker, trigger: str, measured: Decimal, limit: Decimal) -> Transition:
    return Transition(
        status=Status.CLOSED,
        tier=breaker.tier,
        scope=breaker.scope,
        trigger=trigger,
        measured=measured,
        limit=limit,
        unit="fraction",
        detail=f"the losses of {breaker.scope} are back within {limit}",
    )
