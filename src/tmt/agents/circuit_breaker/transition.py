"""A change of a breaker's status that is due but not said yet."""

from __future__ import annotations

import msgspec

from tmt.agents.circuit_breaker.breakers import COOL_DOWN, RANKS, Breaker, Status
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


def outranks(trigger: str, breaker: Breaker) -> bool:
    """Whether a trigger changes what an account's breaker says."""
    standing = RANKS.get(breaker.trigger, 1) if breaker.status is Status.OPEN else 0
    return RANKS[trigger] > standing
