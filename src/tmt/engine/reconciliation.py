"""Reconciliation: what the desk believes beside the venue's own record, at every session's start and every bar's end.

It has no memory: the same messages give the same findings, whether the desk runs or recovers. At those moments nothing
is half said, because the venue speaks only at rows, arrivals and ends of orders.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Final, Protocol

from tmt.agents.execution import ExecutionState
from tmt.domain.money import ZERO
from tmt.messages import BarClosed, InvariantBroken, Message, SessionStarted
from tmt.ports.venue import Venue, VenueListing
from tmt.projections.portfolio import Portfolio
from tmt.watch import Watch

INVARIANT: Final = "O5"
FINDINGS_MAX: Final = 10
"""Differences said at one moment; one is enough to halt the desk."""


class Tracker(Protocol):
    """The execution agent: where every order is, as the desk believes."""

    @property
    def state(self) -> ExecutionState: ...


class Reconciliation:
    """Compares working orders and positions; a difference is an `InvariantBroken`, which opens the system breaker.

    It is silent while a person has yet to lift a halt of the whole desk: nothing more can be halted, and what is still
    different then is said at the first bar after.
    """

    name: Final = "reconciliation"
    consumes: Final[tuple[type[Message], ...]] = (SessionStarted, BarClosed)
    produces: Final[tuple[type[Message], ...]] = (InvariantBroken,)

    def __init__(self, venue: Venue, tracker: Tracker, portfolio: Portfolio, watch: Watch) -> None:
        self._venue = venue
        self._tracker = tracker
        self._portfolio = portfolio
        self._watch = watch

    def handle(self, message: Message) -> list[Message]:
        """The differences at this moment."""
        if "system/desk" in self._watch.state.by_person:
            return []
        listing = self._venue.listing()
        found = [*order_differences(self._tracker.state, listing), *position_differences(self._portfolio, listing)]
        return [
            InvariantBroken.caused_by(message, self.name, str(number), invariant=INVARIANT, detail=detail)
            for number, detail in enumerate(found[:FINDINGS_MAX])
        ]


def order_differences(believed: ExecutionState, listing: VenueListing) -> Iterator[str]:
    """A sentence for each order that works on one side only, or differs; sorted by client order id."""
    for client_order_id in sorted({*believed.orders, *listing.orders}):
        ours, theirs = believed.orders.get(client_order_id), listing.orders.get(client_order_id)
        if theirs is None:
            yield f"order {client_order_id} works in our books, and not at the venue"
        elif ours is None:
            yield f"order {client_order_id} works at the venue, and not in our books"
        elif (ours.account, ours.instrument, ours.side) != (theirs.account, theirs.instrument, theirs.side):
            yield f"order {client_order_id} is a {theirs.side} of {theirs.instrument} for {theirs.account} at the venue"
        elif (ours.quantity, ours.filled) != (theirs.quantity, theirs.filled):
            yield (
                f"order {client_order_id}: {ours.filled} of {ours.quantity} filled in our books, "
                f"{theirs.filled} of {theirs.quantity} at the venue"
            )


def position_differences(portfolio: Portfolio, listing: VenueListing) -> Iterator[str]:
    """A sentence for each position that differs; sorted by account and instrument."""
    ours: dict[tuple[str, str], Decimal] = {
        (position.account, position.instrument): position.quantity
        for account in portfolio.accounts
        for position in portfolio.positions(account.account_id)
    }
    for key in sorted({*ours, *listing.positions}):
        held, recorded = ours.get(key, ZERO), listing.positions.get(key, ZERO)
        if held != recorded:
            account, instrument = key
            yield f"{account} holds {held} of {instrument} in our books, {recorded} at the venue"
