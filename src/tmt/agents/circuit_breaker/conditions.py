"""Conditions that keep a breaker from closing for as long as they last."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from tmt import messages as m
from tmt.agents.circuit_breaker.keys import SYSTEM, account_key, instrument_key, venue_key
from tmt.domain.money import ZERO, Exact


class Condition(msgspec.Struct, frozen=True, kw_only=True):
    """What keeps a breaker from closing for as long as it lasts: a stale feed, a lost venue, a suspension.

    Attributes:
        key: of the breaker.
        trigger: its name.
        source: tells conditions of one name and breaker apart; may be empty.
        reduces: whether positions may still be shrunk only, rather than nothing new be taken.
    """

    key: str
    trigger: str
    source: str
    measured: Exact
    limit: Exact
    unit: str
    reduces: bool = False

    def is_same(self, other: Condition) -> bool:
        """Whether the other one says how this one stands now."""
        return (self.key, self.trigger, self.source) == (other.key, other.trigger, other.source)


def condition_of(message: m.Message) -> tuple[Condition, bool] | None:
    """The condition that a message is about, and whether it lasts; None when it is about none."""
    key, trigger, source, reduces = "", "", "", False
    measured, limit, unit = ZERO, ZERO, "count"
    match message:
        case m.FeedStale() | m.FeedRecovered():
            key, trigger, unit, lasts = instrument_key(message.instrument), "stale_feed", "seconds", False
            if isinstance(message, m.FeedStale):
                measured, lasts = silence(message.last_ns, message.occurred_at_ns), True
                limit = silence(0, message.stale_after_ns)
        case m.ConditionReported():
            is_venue = message.condition == "venue_disconnected"
            key = venue_key(message.scope) if is_venue else SYSTEM
            trigger, source, lasts = message.condition, message.scope, not message.holds
            measured, limit, unit = message.measured, message.limit, message.unit
        case m.MarginLevelChanged():
            key, trigger, unit = account_key(message.account), "margin", "ratio"
            lasts, reduces = message.level in ("critical", "stop_out"), message.level == "critical"
            measured, limit = message.measured, message.limit
        case m.AccountSuspended():
            key, trigger, lasts = account_key(message.account), "account_suspended", True
            measured, limit, unit = message.measured, message.limit, message.unit
        case m.AccountReinstated():
            key, trigger, lasts = account_key(message.account), "account_suspended", False
        case _:
            return None
    condition = Condition(
        key=key, trigger=trigger, source=source, measured=measured, limit=limit, unit=unit, reduces=reduces
    )
    return condition, lasts


def silence(from_ns: int, to_ns: int) -> Decimal:
    """Seconds without data; 0 when the clock went back."""
    return Decimal(max(0, to_ns - from_ns)).scaleb(-9)
