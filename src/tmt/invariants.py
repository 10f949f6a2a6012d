"""What must always hold, as pure checks over an independent fold of the log.

Each check has an id, a sentence, and a cost: "message" checks run on every message, "full" checks recompute everything
and run at every start. Their fold (`watch.py`) shares nothing with the agents whose work it checks, but for the
portfolio whose books it recomputes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any, Final, NamedTuple, Protocol

import msgspec

from tmt import messages as m
from tmt.domain import ledger
from tmt.domain.account import Account
from tmt.domain.instrument import Instrument
from tmt.domain.money import ZERO, Exact, is_multiple
from tmt.domain.order import LEGAL_TRANSITIONS, OrderState, Side
from tmt.domain.position import Position

STAGES: Final = m.APPROVALS
EVENT_STATES: Final[dict[type[m.Message], OrderState]] = {
    m.OrderAccepted: OrderState.ACCEPTED,
    m.OrderTriggered: OrderState.TRIGGERED,
    m.OrderRejected: OrderState.REJECTED,
    m.OrderCancelled: OrderState.CANCELLED,
    m.OrderExpired: OrderState.EXPIRED,
}


class Books(Protocol):
    """What the checks recompute."""

    ledger: ledger.Ledger

    @property
    def accounts(self) -> list[Account]:
        """All accounts."""

    def instrument(self, symbol: str) -> Instrument | None:
        """One instrument."""

    def position(self, account: str, symbol: str) -> Position:
        """Net position."""

    def positions(self, account: str) -> list[Position]:
        """Open positions of one account."""

    def exact_profit(self, account: str, currency: str) -> tuple[Decimal, Decimal]:
        """In one currency, exact: (realised − fees, cash and fees and positions at cost − deposits)."""


class Breach(NamedTuple):
    """One rule that does not hold."""

    invariant: str
    detail: str

    def fields(self) -> dict[str, Any]:
        """As fields of `InvariantBroken`."""
        return {"invariant": self.invariant, "detail": self.detail}


class OrderRecord(msgspec.Struct, kw_only=True):
    """One order on its way through the gates.

    Attributes:
        submitted: whether its release is used up: it went out whole, or its schedule started.
        slice_id: message id of the newest `SliceDue` of its schedule, which its next slice must follow from; empty when
            none is to go out: before the first, after each slice, and after the end.
        sent: units that went out, whole or in slices.
    """

    account: str
    instrument: str
    side: Side
    quantity: Exact
    stage: int
    approval_id: str
    expires_at_ns: int
    denied: bool = False
    submitted: bool = False
    slice_id: str = ""
    sent: Exact = ZERO


class VenueRecord(msgspec.Struct, kw_only=True):
    """One order at the venue. `entry_id` is empty but for the exits of a bracket.

    Attributes:
        stop_price, sign: of a protective stop that works; `sign` is 1 when it buys. None and 0 for all others.
    """

    order_id: str
    entry_id: str
    state: OrderState
    quantity: Exact
    filled: Exact = ZERO
    fill_ids: list[str] = []
    stop_price: Exact | None = None
    sign: int = 0


class WatchState(msgspec.Struct, kw_only=True):
    """The fold. Breakers are keyed "tier/scope"; units "account/symbol"; `stops` are those that nobody has lifted."""

    orders: dict[str, OrderRecord] = {}
    venue: dict[str, VenueRecord] = {}
    breakers: dict[str, str] = {}
    by_person: list[str] = []
    stops: list[m.StopTrading] = []
    units: dict[str, Exact] = {}
    now_ns: int = 0


Check = Callable[[WatchState, Any, Books], Iterator[str]]


class Invariant(NamedTuple):
    """One rule: `check` yields a sentence for each way in which it does not hold."""

    id: str
    sentence: str
    cost: str
    kinds: tuple[type[m.Message], ...]
    check: Check


REGISTRY: Final[dict[str, Invariant]] = {}


def invariant(id_: str, sentence: str, *kinds: type[m.Message]) -> Callable[[Check], Check]:
    """Register a check; without kinds it is a full check."""

    def register(check: Check) -> Check:
        REGISTRY[id_] = Invariant(id_, sentence, "message" if kinds else "full", kinds, check)
        return check

    return register


# Money


@invariant("M2", "over all ledger accounts, every unit sums to zero")
def _units_sum_to_zero(state: WatchState, message: Any, books: Books) -> Iterator[str]:
    totals: dict[str, Decimal] = {}
    for _, unit, amount in books.ledger.balances():
        totals[unit] = totals.get(unit, ZERO) + amount
    for unit, total in totals.items():
        if total != ZERO:
            yield f"all accounts together hold {total} {unit}"


@invariant("M3", "units in the ledger are the positions")
def _ledger_units_are_positions(state: WatchState, message: Any, books: Books) -> Iterator[str]:
    for account in books.accounts:
        name = account.account_id
        for unit in books.ledger.units_of(f"{name}/units"):
            booked, held = books.ledger.balance(f"{name}/units", unit), books.position(name, unit).quantity
            if booked != held:
                yield f"the ledger has {booked} {unit} for {name}, the position is {held}"


@invariant("M5", "a position is the sum of its fills, and realised + unrealised − fees is what equity gained")
def _profit_reconciles(state: WatchState, message: Any, books: Books) -> Iterator[str]:
    for key, units in state.units.items():
        account, _, symbol = key.partition("/")
        held = books.position(account, symbol).quantity
        if held != units:
            yield f"{key}: fills sum to {units}, the position is {held}"
    for account_ in books.accounts:
        name = account_.account_id
        for currency in sorted({*books.ledger.units_of(f"{name}/cash"), *books.ledger.units_of(f"{name}/fees")}):
            explained, gained = books.exact_profit(name, currency)
            if explained != gained:
                yield f"{name}: profit explains {explained} {currency}, equity gained {gained}"


@invariant("M6", "prices and quantities of fills lie on the instrument's grids", m.OrderFilled)
def _fills_on_grid(state: WatchState, fill: m.OrderFilled, books: Books) -> Iterator[str]:
    instrument = books.instrument(fill.instrument)
    if instrument is None:
        yield f"a fill in {fill.instrument}, which is unknown"
        return
    if not is_multiple(fill.price, instrument.price_quantum):
        yield f"fill {fill.fill_id} at {fill.price} is off the grid of {instrument.price_quantum}"
    if not is_multiple(fill.quantity, instrument.lot_size):
        yield f"fill {fill.fill_id} of {fill.quantity} is off the lot of {instrument.lot_size}"


@invariant("M7", "each fill is booked once", m.OrderFilled)
def _fill_once(state: WatchState, fill: m.OrderFilled, books: Books) -> Iterator[str]:
    record = state.venue.get(fill.client_order_id)
    if record is not None and fill.fill_id in record.fill_ids:
        yield f"fill {fill.fill_id} came twice"


# Orders


@invariant("O1", "an order's state moves only along the table of legal transitions", *EVENT_STATES, m.OrderFilled)
def _legal_transition(state: WatchState, event: Any, books: Books) -> Iterator[str]:
    record = state.venue.get(event.client_order_id)
    after = state_after(event)
    if record is None:
        yield f"{after} of an order {event.client_order_id} that was never submitted"
    elif after not in LEGAL_TRANSITIONS[record.state]:
        yield f"order {event.client_order_id} went from {record.state} to {after}"


@invariant("O2", "filled never exceeds the quantity, and remaining is the rest", m.OrderFilled)
def _not_overfilled(state: WatchState, fill: m.OrderFilled, books: Books) -> Iterator[str]:
    record = state.venue.get(fill.client_order_id)
    if record is not None and record.quantity - record.filled - fill.quantity != fill.remaining:
        yield (
            f"order {fill.client_order_id} of {record.quantity} with {record.filled} filled took {fill.quantity} more"
            f" and says {fill.remaining} remain"
        )


@invariant("O3", "a release is submitted once, under one id", m.OrderSubmitted, m.ScheduleStarted)
def _submitted_once(state: WatchState, submit: m.OrderSubmitted | m.ScheduleStarted, books: Books) -> Iterator[str]:
    record = state.orders.get(submit.order.order_id)
    if record is not None and record.submitted:
        yield f"order {submit.order.order_id} was submitted twice"
    if isinstance(submit, m.OrderSubmitted) and submit.client_order_id in state.venue:
        yield f"client order id {submit.client_order_id} was used before"


@invariant(
    "O4",
    "a submission is what was released: same account, instrument, side, no more quantity, all slices together",
    m.OrderSubmitted,
    m.ScheduleStarted,
)
def _as_released(state: WatchState, submit: m.OrderSubmitted | m.ScheduleStarted, books: Books) -> Iterator[str]:
    order = submit.order
    record = state.orders.get(order.parent_id or order.order_id)
    if record is None:
        return
    if (order.account, order.instrument, order.side) != (record.account, record.instrument, record.side):
        yield f"order {order.order_id} changed its account, instrument or side on the way"
    released = record.quantity - record.sent if order.parent_id else record.quantity
    if order.quantity > released:
        yield f"order {order.order_id} of {order.quantity} exceeds the {released} released"


@invariant("O9", "a protective stop only moves nearer to the market", m.ReplaceSubmitted, m.OrderReplaced)
def _stop_only_nearer(state: WatchState, change: m.ReplaceSubmitted | m.OrderReplaced, books: Books) -> Iterator[str]:
    record = state.venue.get(change.client_order_id)
    if record is None or record.stop_price is None or change.stop_price is None:
        return
    if (change.stop_price - record.stop_price) * record.sign > ZERO:
        yield f"the stop {change.client_order_id} moved away from {record.stop_price} to {change.stop_price}"


# Approvals


@invariant(
    "A1", "every submission has the whole chain of approvals behind it", *STAGES, m.OrderSubmitted, m.ScheduleStarted
)
def _whole_chain(state: WatchState, message: Any, books: Books) -> Iterator[str]:
    if message.order.parent_id:
        parent = state.orders.get(message.order.parent_id)
        if parent is None or not parent.slice_id or message.causation_id != parent.slice_id:
            yield f"order {message.order.order_id} is no slice that was due of a released order"
        return
    record = state.orders.get(message.order.order_id)
    if isinstance(message, m.OrderSubmitted | m.ScheduleStarted):
        if record is None or record.stage != len(STAGES) - 1 or message.causation_id != record.approval_id:
            yield f"order {message.order.order_id} was submitted without its release"
        return
    stage = STAGES.index(type(message))
    if stage == 0:
        if record is not None:
            yield f"order {message.order.order_id} was sized twice"
    elif record is None or record.stage != stage - 1 or message.causation_id != record.approval_id:
        yield f"{type(message).__name__} of order {message.order.order_id} does not follow from the gate before it"


@invariant("A2", "quantity never grows on the path; account, instrument and side stay", *STAGES)
def _never_grows(state: WatchState, approval: m.GateApproval, books: Books) -> Iterator[str]:
    record, order = state.orders.get(approval.order.order_id), approval.order
    if record is None:
        return
    if order.quantity > record.quantity:
        yield f"order {order.order_id} grew from {record.quantity} to {order.quantity}"
    if (order.account, order.instrument, order.side) != (record.account, record.instrument, record.side):
        yield f"order {order.order_id} changed its account, instrument or side"


@invariant("A3", "an approval is used before it expires", *STAGES, m.OrderSubmitted, m.ScheduleStarted)
def _not_expired(state: WatchState, message: Any, books: Books) -> Iterator[str]:
    record = state.orders.get(message.order.order_id)
    if record is not None and message.occurred_at_ns > record.expires_at_ns:
        yield f"the approval of order {message.order.order_id} was used after it expired"


@invariant("A6", "a denial is final", *STAGES, m.OrderSubmitted, m.ScheduleStarted)
def _denial_is_final(state: WatchState, message: Any, books: Books) -> Iterator[str]:
    record = state.orders.get(message.order.parent_id or message.order.order_id)
    if record is not None and record.denied:
        yield f"{type(message).__name__} of order {message.order.order_id} after its denial"


# Breaker


@invariant(
    "B1",
    "while a breaker is open or reducing, only orders that shrink a position are released, and no slices go out",
    m.OrderReleased,
    m.OrderSubmitted,
)
def _open_breaker_admits_nothing(
    state: WatchState, release: m.OrderReleased | m.OrderSubmitted, books: Books
) -> Iterator[str]:
    order = release.order
    if isinstance(release, m.OrderSubmitted) and not order.parent_id:
        return
    held = books.position(order.account, order.instrument).quantity
    if held * order.side.sign < ZERO and order.quantity <= abs(held):
        return
    venue = _venue_of(books, order.account)
    scopes = (
        "system/desk",
        f"account/{order.account}",
        f"agent/{order.strategy}",
        f"agent/instrument:{order.instrument}",
        f"agent/venue:{venue}",
    )
    for scope in scopes:
        found = state.breakers.get(scope, "missing" if scope.startswith(("system", "account")) else "closed")
        if found in ("open", "reducing", "missing"):
            yield f"order {order.order_id} was released while breaker {scope} was {found}"


@invariant(
    "B6", "after an emergency stop nothing that opens is released in its scope until it is lifted", m.OrderReleased
)
def _stop_holds(state: WatchState, release: m.OrderReleased, books: Books) -> Iterator[str]:
    order = release.order
    held = books.position(order.account, order.instrument).quantity
    if held * order.side.sign < ZERO and order.quantity <= abs(held):
        return
    venue = _venue_of(books, order.account)
    for stop in state.stops:
        if stop.scope.covers(account=order.account, strategy=order.strategy, instrument=order.instrument, venue=venue):
            yield f"order {order.order_id} was released after the stop of {stop.scope.breaker} by {stop.person}"


def _venue_of(books: Books, account: str) -> str:
    return next((each.venue for each in books.accounts if each.account_id == account), "")


@invariant("B4", "what only a person may lift is lifted by a person", m.BreakerHalfOpened, m.BreakerClosed)
def _person_lifts(state: WatchState, change: m.BreakerTransition, books: Books) -> Iterator[str]:
    key = f"{change.tier}/{change.scope}"
    if key in state.by_person and change.resumes_by != "person":
        yield f"breaker {key} left its open state by {change.trigger}, though only a person may lift it"


# Log


@invariant(
    "L9", "every answer names a cause other than itself", *m.GATES, *m.SUBMISSIONS, *m.SCHEDULES, *m.VENUE_EVENTS
)
def _has_cause(state: WatchState, message: m.Message, books: Books) -> Iterator[str]:
    if not message.causation_id or message.causation_id == message.message_id:
        yield f"{type(message).__name__} {message.message_id} has no cause"


def state_after(event: m.Message) -> OrderState:
    """State of an order once the venue has said `event`."""
    if isinstance(event, m.OrderFilled):
        return OrderState.FILLED if event.remaining == ZERO else OrderState.PARTIALLY_FILLED
    return EVENT_STATES[type(event)]
