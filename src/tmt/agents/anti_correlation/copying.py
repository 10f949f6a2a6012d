"""Unintended copy-trading: like entries of two accounts, close in time, that no common signal explains."""

from __future__ import annotations

from decimal import Decimal
from typing import Final, NamedTuple

import msgspec

from tmt.agents.anti_correlation.config import AntiCorrelationConfig
from tmt.domain.money import ZERO, divide
from tmt.domain.order import Side
from tmt.domain.session import NANOSECONDS_PER_SECOND
from tmt.messages import OrderReleased

EVIDENCE_MAX: Final = 20
"""Order ids that a report names, the newest."""

SHARE_DECIMALS: Final = 4


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """An order that opens, when it was released. `trail_id` is the signal or proposal that it came from."""

    time_ns: int
    instrument: str
    side: Side
    trail_id: str
    order_id: str

    @classmethod
    def released(cls, by: OrderReleased) -> Entry:
        """The entry that a release lets out."""
        return cls(by.occurred_at_ns, by.order.instrument, by.order.side, by.correlation_id, by.order.order_id)

    def like(self, other: Entry, window_ns: int) -> bool:
        """Whether the two do the same at nearly the same time."""
        same = (self.instrument, self.side) == (other.instrument, other.side)
        return same and abs(self.time_ns - other.time_ns) <= window_ns


class Likeness(NamedTuple):
    """How far two accounts trade alike: the larger of their shares of copied entries, and the order ids of those."""

    share: Decimal
    evidence: tuple[str, ...]


def likeness(first: tuple[Entry, ...], second: tuple[Entry, ...], config: AntiCorrelationConfig) -> Likeness:
    """Of the entries of two accounts; an account with fewer than `copy_entries_min` has no share.

    Entries of one signal in both accounts are meant: the desk sizes a signal for every account. They are left out.
    """
    window_ns = config.copy_window_seconds * NANOSECONDS_PER_SECOND
    own_first, own_second = _unshared(first, second), _unshared(second, first)
    copied = [
        [each for each in mine if any(each.like(other, window_ns) for other in theirs)]
        for mine, theirs in ((own_first, own_second), (own_second, own_first))
    ]
    shares = [
        divide(Decimal(len(alike)), Decimal(len(entries)), SHARE_DECIMALS)
        for alike, entries in zip(copied, (first, second), strict=True)
        if len(entries) >= config.copy_entries_min
    ]
    in_time = sorted((*copied[0], *copied[1]), key=lambda each: (each.time_ns, each.order_id))
    return Likeness(max(shares, default=ZERO), tuple(each.order_id for each in in_time[-EVIDENCE_MAX:]))


def _unshared(mine: tuple[Entry, ...], theirs: tuple[Entry, ...]) -> list[Entry]:
    trails = {each.trail_id for each in theirs}
    return [each for each in mine if each.trail_id not in trails]
