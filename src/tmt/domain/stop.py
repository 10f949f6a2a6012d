"""Emergency stops: how far they go, and what they cover."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import msgspec


class StopLevel(StrEnum):
    """How far a stop goes; each level does what those before it do, and more.

    PAUSE releases nothing that could open or add. CANCEL also cancels every working order that could; exits that
    protect a position stay, for without them the stop would add risk. FLATTEN also closes every position. LOCK also
    takes an administrator to lift.
    """

    PAUSE = "pause"
    CANCEL = "cancel"
    FLATTEN = "flatten"
    LOCK = "lock"

    @property
    def cancels(self) -> bool:
        """Whether working orders are cancelled."""
        return self is not StopLevel.PAUSE

    @property
    def flattens(self) -> bool:
        """Whether positions are closed."""
        return self in (StopLevel.FLATTEN, StopLevel.LOCK)


class ScopeKind(StrEnum):
    """What a stop is limited to."""

    ALL = "all"
    ACCOUNT = "account"
    STRATEGY = "strategy"
    INSTRUMENT = "instrument"
    VENUE = "venue"


class StopScope(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One account, strategy, instrument or venue by its name; or everything, whose name is empty."""

    kind: ScopeKind = ScopeKind.ALL
    name: str = ""

    def __post_init__(self) -> None:
        if (self.kind is ScopeKind.ALL) != (self.name == ""):
            raise ValueError(f"a stop of {self.kind} was given the name {self.name!r}")

    def covers(self, *, account: str, strategy: str, instrument: str, venue: str) -> bool:
        """Whether an order or a position with these belongs to the scope."""
        named = {
            ScopeKind.ACCOUNT: account,
            ScopeKind.STRATEGY: strategy,
            ScopeKind.INSTRUMENT: instrument,
            ScopeKind.VENUE: venue,
        }
        return self.kind is ScopeKind.ALL or named[self.kind] == self.name

    def contains(self, other: StopScope) -> bool:
        """Whether this scope is the other one, or everything."""
        return self.kind is ScopeKind.ALL or self == other

    @property
    def breaker(self) -> str:
        """Key, "tier/scope", of the breaker that halts this scope."""
        return _BREAKERS[self.kind] + (self.name or "desk")

    @classmethod
    def of_breaker(cls, tier: str, scope: str) -> StopScope:
        """What the breaker of `tier` and `scope` halts."""
        key = f"{tier}/{scope}"
        for kind, prefix in _BREAKERS.items():
            if key.startswith(prefix):
                return cls(kind=kind, name="" if kind is ScopeKind.ALL else key.removeprefix(prefix))
        raise ValueError(f"no breaker is called {key!r}")


_BREAKERS: Final = {
    ScopeKind.ALL: "system/",
    ScopeKind.ACCOUNT: "account/",
    ScopeKind.INSTRUMENT: "agent/instrument:",
    ScopeKind.VENUE: "agent/venue:",
    ScopeKind.STRATEGY: "agent/",
}
"""Beginnings of breakers' keys; a strategy's is the beginning of two others, so it comes last."""

EVERYTHING: Final = StopScope()

MAY_RESUME: Final = frozenset(("risk", "admin"))
"""Roles that may lift a stop at all; a configuration may leave one out."""

CLOSING_ATTEMPTS_MAX: Final = 3
"""Orders that the desk proposes, one after another, to close one position for one stop, before it says it is open."""
