"""A change of a breaker's status that is due but not said yet."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from tmt.agents.circuit_breaker.breakers import COOL_DOWN, RANKS, Breaker, CircuitBreakerState, Status
from tmt.agents.circuit_breaker.conditions import Condition
from tmt.agents.circuit_breaker.config import CircuitBreakerConfig
from tmt.domain.money import ZERO, Exact


class Transition(msgspec.Struct, frozen=True, kw_only=True):
    """A breaker message to be said; fields as there."""

    status: Status
    tier: str
    scope: str
    trigger: str
    measured: Exact = ZERO
    limit: Exact = ZERO
    unit: str = "count"
    resumes_by: str = COOL_DOWN
    detail: str


def standing(breaker: Breaker, detail: str) -> Transition:
    """What the breaker says already, to be said again."""
    return Transition(
        status=breaker.status,
        tier=breaker.tier,
        scope=breaker.scope,
        trigger=breaker.trigger,
        measured=breaker.measured,
        limit=breaker.limit,
        unit=breaker.unit,
        resumes_by=breaker.resumes_by,
        detail=detail,
    )


def outranks(trigger: str, breaker: Breaker) -> bool:
    """Whether a trigger changes what an account's breaker says."""
    return breaker.status is not Status.OPEN or RANKS[trigger] > RANKS.get(breaker.trigger, 1)


def opening(
    state: CircuitBreakerState,
    key: str,
    trigger: str,
    measured: Exact,
    limit: Exact,
    unit: str,
    detail: str,
    *,
    resumes_by: str = COOL_DOWN,
) -> list[Transition]:
    """The transition that opens a breaker, or nothing where it is open by something that ranks higher."""
    breaker = state.breakers.get(key)
    is_open = breaker is not None and breaker.status is Status.OPEN
    if is_open and breaker is not None and RANKS.get(breaker.trigger, 1) > RANKS.get(trigger, 1):
        return []
    tier, scope = key.split("/", 1)
    return [
        Transition(
            status=Status.OPEN,
            tier=tier,
            scope=scope,
            trigger=trigger,
            measured=measured,
            limit=limit,
            unit=unit,
            resumes_by=resumes_by,
            detail=detail,
        )
    ]


def held_open(state: CircuitBreakerState, condition: Condition) -> list[Transition]:
    """What a condition that lasts does to its breaker now: open it, or let a closed one only shrink positions."""
    detail = f"{condition.trigger} of {condition.source or condition.key}: {condition.measured} {condition.unit}"
    breaker = state.breakers.get(condition.key)
    status = None if breaker is None else breaker.status
    if status is Status.OPEN and breaker is not None and breaker.trigger == condition.trigger:
        return []
    opened = opening(
        state, condition.key, condition.trigger, condition.measured, condition.limit, condition.unit, detail
    )
    if not condition.reduces or status is Status.HALF_OPEN:
        return opened
    if status in (Status.OPEN, Status.REDUCING):
        return []
    return [msgspec.structs.replace(each, status=Status.REDUCING) for each in opened]


def trials_passed(breaker: Breaker, config: CircuitBreakerConfig) -> Transition | None:
    """The transition that closes a half-open breaker after enough successes, or None."""
    needed = config.half_open.successes_to_close
    if breaker.status is not Status.HALF_OPEN or breaker.successes < needed:
        return None
    return Transition(
        status=Status.CLOSED,
        tier=breaker.tier,
        scope=breaker.scope,
        trigger="trials_passed",
        measured=Decimal(breaker.successes),
        limit=Decimal(needed),
        detail=f"{breaker.successes} test orders of {breaker.scope} in a row went well",
    )
