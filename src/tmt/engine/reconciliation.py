"""Reconciliation: what the desk believes beside the venue's own record, at every session's start and every bar's end.

What differs in an order's life is put right by the venue's record: what the desk missed is said, as the report that it
should have heard, beside an `OrderReconciled` that names the repair. Whatever may have cost money (fills, positions,
the wrong account, instrument or side) is not guessed at: it is an `InvariantBroken`, which opens the system breaker.

It has no memory: the same messages give the same findings and repairs, whether the desk runs or recovers. At those
moments nothing is half said, because the venue speaks only at rows, arrivals and ends of orders.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, Final, Protocol

from tmt.agents.execution import UNKNOWN_CANCELLED, ExecutionState, TrackedOrder
from tmt.domain.money import ZERO
from tmt.domain.order import OrderState
from tmt.messages import (
    BarClosed,
    CancelSubmitted,
    InvariantBroken,
    Message,
    OrderCancelled,
    OrderReconciled,
    OrderRejected,
    OrderReplaced,
    SessionStarted,
)
from tmt.ports.venue import Venue, VenueListing, VenueOrder
from tmt.projections.portfolio import Portfolio
from tmt.watch import Watch

INVARIANT: Final = "O5"
FINDINGS_MAX: Final = 10
"""Differences said, and orders repaired, at one moment; what is left waits for the next."""

END_MISSED: Final = "end_missed"
REPLACE_MISSED: Final = "replace_missed"


class Tracker(Protocol):
    """The execution agent: where every order is, as the desk believes."""

    @property
    def state(self) -> ExecutionState: ...


class Reconciliation:
    """Compares working orders and positions, repairs what can be, and breaks an invariant over the rest.

    It is silent while a person has yet to lift a halt of the whole desk: nothing more can be halted, and what is still
    different then is said at the first bar after.
    """

    name: Final = "reconciliation"
    consumes: Final[tuple[type[Message], ...]] = (SessionStarted, BarClosed)
    produces: Final[tuple[type[Message], ...]] = (
        InvariantBroken,
        OrderReconciled,
        OrderCancelled,
        OrderRejected,
        OrderReplaced,
        CancelSubmitted,
    )

    def __init__(self, venue: Venue, tracker: Tracker, portfolio: Portfolio, watch: Watch) -> None:
        self._venue = venue
        self._tracker = tracker
        self._portfolio = portfolio
        self._watch = watch

    def handle(self, message: Message) -> list[Message]:
        """The differences at this moment, and the repairs, by client order id."""
        if "system/desk" in self._watch.state.by_person:
            return []
        believed, listing = self._tracker.state, self._venue.listing()
        found = [*order_differences(believed, listing), *position_differences(self._portfolio, listing)]
        broken = [
            InvariantBroken.caused_by(message, self.name, str(number), invariant=INVARIANT, detail=detail)
            for number, detail in enumerate(found[:FINDINGS_MAX])
        ]
        repairs = [
            said
            for client_order_id in to_repair(believed, listing)[:FINDINGS_MAX]
            for said in repair(
                message, self.name, client_order_id, believed.orders.get(client_order_id), listing.orders
            )
        ]
        return [*broken, *repairs]


def order_differences(believed: ExecutionState, listing: VenueListing) -> Iterator[str]:
    """A sentence for each order that is another's, or has filled otherwise, at the venue; by client order id.

    So is an exit of ours that works without having been accepted: cancelled, it would protect nothing.
    """
    for client_order_id in sorted(believed.orders.keys() & listing.orders.keys()):
        ours, theirs = believed.orders[client_order_id], listing.orders[client_order_id]
        if (ours.account, ours.instrument, ours.side) != (theirs.account, theirs.instrument, theirs.side):
            yield f"order {client_order_id} is a {theirs.side} of {theirs.instrument} for {theirs.account} at the venue"
        elif ours.filled != theirs.filled:
            yield (
                f"order {client_order_id}: {ours.filled} of {ours.quantity} filled in our books, "
                f"{theirs.filled} of {theirs.quantity} at the venue"
            )
    for client_order_id in sorted(listing.orders.keys() & believed.exits.keys()):
        yield f"exit {client_order_id} works at the venue, and our books wait for it"


def to_repair(believed: ExecutionState, listing: VenueListing) -> list[str]:
    """Client order ids of orders that work on one side only or differ in nothing but their quantity; sorted."""
    ours, theirs = believed.orders, listing.orders
    unknown = theirs.keys() - ours.keys() - believed.exits.keys() - set(believed.foreign)
    resized = {
        id_
        for id_ in ours.keys() & theirs.keys()
        if ours[id_].quantity != theirs[id_].quantity and _same_but_quantity(ours[id_], theirs[id_])
    }
    return sorted((ours.keys() - theirs.keys()) | unknown | resized)


def _same_but_quantity(ours: TrackedOrder, theirs: VenueOrder) -> bool:
    mine = (ours.account, ours.instrument, ours.side, ours.filled)
    return mine == (theirs.account, theirs.instrument, theirs.side, theirs.filled)


def repair(
    cause: Message,
    source: str,
    client_order_id: str,
    ours: TrackedOrder | None,
    listed: Mapping[str, VenueOrder],
) -> list[Message]:
    """What puts one order right, the account of it first."""
    theirs = listed.get(client_order_id)
    known = ours if ours is not None else theirs
    assert known is not None
    fields: dict[str, Any] = {
        "client_order_id": client_order_id,
        "order_id": "" if ours is None else ours.order_id,
        "account": known.account,
        "instrument": known.instrument,
    }
    key = (cause, source, client_order_id)
    if ours is None:
        detail = f"a {known.side} of {known.quantity} works at the venue, and not in our books"
        told: Message = CancelSubmitted.caused_by(*key, client_order_id=client_order_id, reason=UNKNOWN_CANCELLED)
        return [OrderReconciled.caused_by(*key, **fields, repair=UNKNOWN_CANCELLED, detail=detail), told]
    if theirs is not None:
        detail = f"of {ours.quantity} in our books, of {theirs.quantity} at the venue"
        told = OrderReplaced.caused_by(*key, **fields, quantity=theirs.quantity, limit_price=None)
        return [OrderReconciled.caused_by(*key, **fields, repair=REPLACE_MISSED, detail=detail), told]
    detail = f"{ours.state} with {ours.filled} of {ours.quantity} filled in our books, and not at the venue"
    if ours.state is OrderState.SUBMITTED:
        told = OrderRejected.caused_by(*key, **fields, reason=END_MISSED, detail=detail)
    else:
        told = OrderCancelled.caused_by(*key, **fields, reason=END_MISSED, filled=ours.filled)
    return [OrderReconciled.caused_by(*key, **fields, repair=END_MISSED, detail=detail), told]


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
