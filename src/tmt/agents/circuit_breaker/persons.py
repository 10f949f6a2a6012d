"""What people and broken rules do to breakers: stop, lock, resume, halt."""

from __future__ import annotations

from collections.abc import Iterator

from tmt import messages as m
from tmt.agents.circuit_breaker.breakers import (
    MANUAL,
    MANUAL_LOCK,
    MANUAL_STOP,
    PERSON,
    RESUMED_BY_PERSON,
    Breaker,
    CircuitBreakerState,
    Status,
)
from tmt.agents.circuit_breaker.config import CircuitBreakerConfig
from tmt.agents.circuit_breaker.keys import SYSTEM
from tmt.agents.circuit_breaker.transition import Transition, opening, standing
from tmt.domain.money import ONE, ZERO
from tmt.domain.stop import StopLevel, StopScope
from tmt.projections.portfolio import Portfolio

ADMIN = "admin"
"""The role that alone lifts a lock."""


def stopped(state: CircuitBreakerState, stop: m.StopTrading) -> list[Transition]:
    """Open the breaker of the stop's scope, unless it is open by as much already."""
    trigger = MANUAL_LOCK if stop.level is StopLevel.LOCK else MANUAL_STOP
    breaker = state.breakers.get(stop.scope.breaker)
    if breaker is not None and breaker.status is Status.OPEN and breaker.trigger in (MANUAL_LOCK, trigger):
        return []
    detail = f"{stop.person}: {stop.reason}"
    return opening(state, stop.scope.breaker, trigger, ONE, ZERO, "count", detail, resumes_by=PERSON)


def broken(state: CircuitBreakerState, message: m.InvariantBroken) -> list[Transition]:
    """Halt the desk, once."""
    breaker = state.breakers.get(SYSTEM)
    if breaker is not None and breaker.status is Status.OPEN and breaker.trigger == "invariant_broken":
        return []
    detail = f"{message.invariant}: {message.detail}"
    return opening(state, SYSTEM, "invariant_broken", ONE, ZERO, "count", detail, resumes_by=PERSON)


def missed(state: CircuitBreakerState) -> list[Transition]:
    """Halt the desk after the breaker's own absence: nobody heard the transitions that were due meanwhile."""
    detail = "the circuit breaker did not answer for a while, and may have missed a reason to stop"
    return opening(state, SYSTEM, "agent_lost", ONE, ZERO, "count", detail, resumes_by=PERSON)


def resumed(
    state: CircuitBreakerState, resume: m.ResumeTrading, portfolio: Portfolio, config: CircuitBreakerConfig
) -> Iterator[Transition]:
    """Lift what only a person may lift in the scope: a stop ends at once, after anything else test orders come first.

    Who has not the role for it lifts nothing, and each breaker says so.
    """
    for breaker in state.breakers.values():
        # A flat account cannot earn its drawdown back, so a person also ends its reducing.
        reducing = breaker.status is Status.REDUCING and breaker.trigger == "drawdown"
        halted = breaker.status is Status.OPEN and breaker.resumes_by == PERSON
        if not (reducing or halted) or not resume.scope.contains(StopScope.of_breaker(breaker.tier, breaker.scope)):
            continue
        if _may_lift(breaker, resume, config):
            yield _lifted(breaker, resume, portfolio, config)
        else:
            yield _refused(breaker, resume)


def _may_lift(breaker: Breaker, resume: m.ResumeTrading, config: CircuitBreakerConfig) -> bool:
    needs_admin = breaker.trigger == MANUAL_LOCK
    return resume.role in config.resume_roles and (resume.role == ADMIN or not needs_admin)


def _lifted(
    breaker: Breaker, resume: m.ResumeTrading, portfolio: Portfolio, config: CircuitBreakerConfig
) -> Transition:
    measured, limit, unit = breaker.measured, breaker.limit, breaker.unit
    drawdown = portfolio.drawdown_fraction(breaker.scope) if breaker.tier == "account" else None
    if drawdown is not None and _accepts_drawdown(breaker):
        measured, limit, unit = drawdown, config.drawdown_fraction_max, "fraction"
    freely = breaker.trigger in MANUAL and not breaker.beneath
    return Transition(
        status=Status.CLOSED if freely else Status.HALF_OPEN,
        tier=breaker.tier,
        scope=breaker.scope,
        trigger=RESUMED_BY_PERSON,
        measured=measured,
        limit=limit,
        unit=unit,
        resumes_by=PERSON,
        detail=f"{resume.person}: {resume.reason}",
    )


def _accepts_drawdown(breaker: Breaker) -> bool:
    # Who lifts a stop does not say that the drawdown beneath it is acceptable, unless it had opened already.
    return breaker.trigger not in MANUAL or breaker.beneath == "drawdown"


def _refused(breaker: Breaker, resume: m.ResumeTrading) -> Transition:
    needed = f" after {breaker.trigger}" if breaker.trigger == MANUAL_LOCK else ""
    role = resume.role or "none"
    return standing(breaker, f"{resume.person} may not resume {breaker.scope}{needed} by the role {role}")
