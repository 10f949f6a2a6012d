"""The decision trail: from the market bar to the closed position, read back from the event log."""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set
from decimal import Decimal
from typing import Final, TypeAlias

import msgspec

from tmt import messages as m
from tmt.domain.money import ONE, ZERO, Exact, divide, floor_to
from tmt.domain.order import Side
from tmt.errors import InputError
from tmt.ports.event_log import EventLog, Recorded
from tmt.projections.causation import cause_of, causes_of, follows_every_gate
from tmt.projections.sentences import plain

CANDIDATES_MAX: Final = 10
"""Ids that an error names before it says "and more"."""

Report: TypeAlias = (
    m.OrderAccepted
    | m.OrderTriggered
    | m.OrderReplaced
    | m.OrderFilled
    | m.OrderRejected
    | m.OrderCancelled
    | m.OrderExpired
    | m.CancelRejected
)

_WITHOUT_UNIT: Final = ("fraction", "ratio", "count")
_HOLDING_IDS: Final = ("OrderSized", "OrderDenied", "OrderSubmitted", "OrderFilled")


class GateVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """What one gate said of one order.

    Attributes:
        gate: the agent's name.
        outcome: "approved" or "denied".
        checks: every rule applied, in order; each carries measured value, limit, unit and the quantity it left.
        quantity_after: in units of the instrument.
    """

    gate: str
    outcome: str
    message_id: str
    occurred_at_ns: int
    checks: tuple[m.Check, ...]
    quantity_after: Exact


class OrderTrail(msgspec.Struct, frozen=True, kw_only=True):
    """One account's order, from the first gate to the closed position.

    Attributes:
        state: "denied", or how far the order got, in words.
        flip: for a denial, the smallest change that its deciding rule would have let pass; else empty.
        slices: what was submitted of an order that went out in slices; else empty.
        reports: what the venue said, exits and slices included.
        shortfall: how the slices ended, and what they cost.
        r_multiple: profit after fees in multiples of the risk taken; None while open or without a stop.
        complete: every step names a cause that is in the log, back to the bar or proposal, no gate left out.
    """

    order_id: str
    account: str
    instrument: str
    side: Side
    state: str
    gates: tuple[GateVerdict, ...]
    denial: m.OrderDenied | None
    flip: str
    submission: m.OrderSubmitted | None
    slices: tuple[m.OrderSubmitted, ...]
    reports: tuple[Report, ...]
    shortfall: m.ScheduleEnded | None
    closed: m.PositionClosed | None
    r_multiple: Exact | None
    complete: bool


class Cause(msgspec.Struct, frozen=True, kw_only=True):
    """One link of the chain of causes."""

    message_id: str
    type: str
    source: str
    occurred_at_ns: int


class Trail(msgspec.Struct, frozen=True, kw_only=True):
    """Everything behind one id.

    Attributes:
        asked: the id or prefix as it was given; `id` is the whole of it.
        kind: what the id names: a message's type, or "order", "client order" or "fill".
        causes: from the root to what was asked for.
        events: the Wyckoff events of the signal's range, the oldest first.
        orders: of the order asked for alone, or one for each account of a signal.
        others: for one order of a signal, a line for each other account.
        exit: the exit that ARIA raised; it may only move stops, and then there is no order.
        complete: whether there is an order, unless none was wanted, and all of `orders` are complete.
    """

    asked: str
    id: str
    kind: str
    causes: tuple[Cause, ...]
    bar: m.BarClosed | None
    events: tuple[m.WyckoffEventSeen, ...]
    signal: m.SignalRaised | None
    proposal: m.OrderProposed | None
    exit: m.ExitRaised | None
    orders: tuple[OrderTrail, ...]
    others: tuple[str, ...]
    complete: bool


class _Named(msgspec.Struct, frozen=True):
    """The id of an order inside a message."""

    order_id: str = ""


class _Ids(msgspec.Struct, frozen=True):
    """Ids that live inside bodies."""

    order: _Named = _Named()
    order_id: str = ""
    client_order_id: str = ""
    stop_loss_client_order_id: str | None = None
    take_profit_client_order_id: str | None = None
    fill_id: str = ""

    def named(self) -> list[tuple[str, str]]:
        clients = (self.client_order_id, self.stop_loss_client_order_id, self.take_profit_client_order_id)
        return [
            ("order", self.order.order_id or self.order_id),
            *(("client order", each) for each in clients if each),
            ("fill", self.fill_id),
        ]


_IDS: Final = msgspec.json.Decoder(_Ids)


def why(log: EventLog, asked: str) -> Trail:
    """The trail of a message, order, client order or fill, by its id or the beginning of it.

    Raises:
        InputError: TMT-T001 when nothing has such an id, TMT-T002 when several have.
    """
    found_id, kind, recorded = _resolve(log, asked)
    anchor = m.decode(recorded.body)
    order_id = _order_of(anchor)
    causes = causes_of(log, anchor)
    opener = _opener(log, anchor) if isinstance(anchor, m.PositionClosed) else None
    origin = _origin(causes if opener is None else causes_of(log, opener))
    origins = _origins_after(log, anchor) if origin is None else [origin]
    signal = next((each for each in origins if isinstance(each, m.SignalRaised)), None)
    proposal = next((each for each in origins if isinstance(each, m.OrderProposed)), None)
    raised = next((each for each in origins if isinstance(each, m.ExitRaised)), None)
    orders = tuple(order for each in origins for order in orders_after(log, each))
    chosen = tuple(each for each in orders if order_id in ("", each.order_id, *(s.order.order_id for s in each.slices)))
    bars = (each for each in (anchor, *causes) if isinstance(each, m.BarClosed))
    moves_only = raised is not None and raised.quantity is None
    judged_at = raised if signal is None else signal
    bar = next(bars, None) if judged_at is None else cause_of(log, judged_at)
    return Trail(
        asked=asked,
        id=found_id,
        kind=kind,
        causes=tuple(
            Cause(
                message_id=each.message_id,
                type=type(each).__name__,
                source=each.source,
                occurred_at_ns=each.occurred_at_ns,
            )
            for each in causes
        ),
        bar=bar if isinstance(bar, m.BarClosed) else None,
        events=() if signal is None else _events_of(log, signal),
        signal=signal,
        proposal=proposal,
        exit=raised,
        orders=chosen,
        others=tuple(f"{each.account}: {each.state}" for each in orders if each not in chosen),
        complete=(bool(chosen) or moves_only) and all(each.complete for each in chosen),
    )


def orders_after(log: EventLog, origin: m.Message) -> tuple[OrderTrail, ...]:
    """The orders that follow from a signal, a proposal or an exit, one an account, in the order decided."""
    known = {origin.message_id}
    by_order: dict[str, list[m.Message]] = {}
    parent_of: dict[str, str] = {}
    for message in map(_decoded, log.correlated(origin.correlation_id)):
        if message.causation_id in known:
            known.add(message.message_id)
            order_id = _order_of(message)
            if isinstance(message, m.OrderSubmitted) and message.order.parent_id:
                parent_of[order_id] = message.order.parent_id
            if order_id:
                by_order.setdefault(parent_of.get(order_id, order_id), []).append(message)
    return tuple(
        _order_trail(log, order_id, said)
        for order_id, said in by_order.items()
        # A closing order's family also holds the end of the position that another order opened.
        if any(isinstance(each, m.GateApproval | m.OrderDenied) for each in said)
    )


def flip_of(denial: m.OrderDenied) -> str:
    """The smallest change that the deciding rule would have let pass, in words."""
    rule = next((check.rule for check in reversed(denial.checks) if check.outcome == "deny"), denial.reason)
    measured, limit = denial.measured, denial.limit
    unit = "" if denial.unit in _WITHOUT_UNIT else f" {denial.unit}"
    if denial.unit == "count" and (measured, limit) == (ZERO, ONE):
        return f"{rule} would have passed if this were not so: {denial.detail}"
    if denial.unit == "price" and "tick" in denial.reason and limit > ZERO:
        below = floor_to(measured, limit)
        return f"{rule} would have passed a price of {plain(below)} or {plain(below + limit)}, not {plain(measured)}"
    if measured > limit:
        less = f"{plain(measured - limit)}{unit} less"
        return f"{rule} would have passed at {plain(limit)}{unit} or below: {less} than the {plain(measured)} measured"
    if measured < limit:
        more = f"{plain(limit - measured)}{unit} more"
        return f"{rule} would have passed at {plain(limit)}{unit} or above: {more} than the {plain(measured)} measured"
    return f"{rule} stood at its limit of {plain(limit)}{unit} to the last digit told: the least step back would do"


def _resolve(log: EventLog, asked: str) -> tuple[str, str, Recorded]:
    if not asked:
        raise InputError("TMT-T001", "the id is empty", fix="give an id, or the beginning of one, from the log")
    messages = log.find(asked, CANDIDATES_MAX + 1)
    candidates = {each.message_id: (each.type, each) for each in messages}
    if asked not in candidates:
        wanted = asked.encode()
        for recorded in log.read(types=_HOLDING_IDS):
            if wanted in recorded.body:
                for kind, value in _IDS.decode(recorded.body).named():
                    if value.startswith(asked):
                        candidates.setdefault(value, (kind, recorded))
    if asked in candidates:
        return asked, *candidates[asked]
    if not candidates:
        raise InputError(
            "TMT-T001",
            f"nothing in the log has an id that begins with {asked!r}",
            fix="copy an id from `tmt replay --decisions FILE`, or check that this is the right book",
        )
    if len(candidates) > 1:
        named = [f"{value} ({kind})" for value, (kind, _) in sorted(candidates.items())[:CANDIDATES_MAX]]
        more = "" if len(candidates) <= CANDIDATES_MAX else " and more"
        raise InputError(
            "TMT-T002",
            f"several ids begin with {asked!r}: {', '.join(named)}{more}",
            fix="give more of its digits",
        )
    [(value, (kind, recorded))] = candidates.items()
    return value, kind, recorded


def _decoded(recorded: Recorded) -> m.Message:
    return m.decode(recorded.body)


def _order_of(message: m.Message) -> str:
    match message:
        case m.GateApproval() | m.OrderSubmitted() | m.ScheduleStarted():
            return message.order.order_id
        case m.OrderDenied() | m.VenueEvent() | m.PositionClosed() | m.ScheduleEnded():
            return message.order_id
        case _:
            return ""


def _origin(causes: Iterable[m.Message]) -> m.Message | None:
    origins = (each for each in causes if isinstance(each, m.SignalRaised | m.OrderProposed | m.ExitRaised))
    return next(origins, None)


def _origins_after(log: EventLog, anchor: m.Message) -> list[m.Message]:
    """The signal and the exits that a bar raised, or the proposals that an emergency stop made."""
    wanted = anchor.message_id.encode()
    origins = log.read(types=("SignalRaised", "OrderProposed", "ExitRaised"))
    decoded = [_decoded(each) for each in origins if wanted in each.body]
    return [each for each in decoded if each.causation_id == anchor.message_id]


def _opener(log: EventLog, closed: m.PositionClosed) -> m.Message | None:
    """What made the order, or the slice, that opened the position, which may not be the one that closed it."""
    wanted = closed.order_id.encode()
    for recorded in log.read(types=("OrderSized", "OrderSubmitted")):
        if wanted in recorded.body and _order_of(message := m.decode(recorded.body)) == closed.order_id:
            return message
    return None


def _events_of(log: EventLog, signal: m.SignalRaised) -> tuple[m.WyckoffEventSeen, ...]:
    wanted = signal.range_id.encode()
    events = []
    for recorded in log.read(types=("WyckoffEventSeen",)):
        if recorded.occurred_at_ns > signal.occurred_at_ns:
            break
        if wanted in recorded.body:
            event = m.decode(recorded.body)
            if isinstance(event, m.WyckoffEventSeen) and event.range_id == signal.range_id:
                events.append(event)
    return tuple(events)


def _order_trail(log: EventLog, order_id: str, said: list[m.Message]) -> OrderTrail:
    approvals = [each for each in said if isinstance(each, m.GateApproval)]
    denial = next((each for each in said if isinstance(each, m.OrderDenied)), None)
    submission = next((each for each in said if isinstance(each, m.OrderSubmitted | m.ScheduleStarted)), None)
    slices = tuple(each for each in said if isinstance(each, m.OrderSubmitted) and each.order.parent_id)
    reports = [each for each in said if isinstance(each, Report)]
    closed = next((each for each in said if isinstance(each, m.PositionClosed)), None)
    if closed is None and any(isinstance(each, m.OrderFilled) for each in reports):
        closed = _closed_by_another(log, {order_id, *(each.order.order_id for each in slices)})
        closing = None if closed is None else cause_of(log, closed)
        reports += [closing] if isinstance(closing, m.OrderFilled) and closing not in reports else []
    subject = denial if denial is not None else approvals[0].order if approvals else None
    gates = [_verdict(each.source, "approved", each, each.order.quantity) for each in approvals]
    if denial is not None:
        gates.append(_verdict(denial.gate, "denied", denial, denial.quantity))
    assert subject is not None, f"order {order_id} follows from a signal or proposal without a verdict"
    return OrderTrail(
        order_id=order_id,
        account=subject.account,
        instrument=subject.instrument,
        side=subject.side,
        state=_state(denial, submission, reports, closed),
        gates=tuple(gates),
        denial=denial,
        flip="" if denial is None else flip_of(denial),
        submission=submission if isinstance(submission, m.OrderSubmitted) else next(iter(slices), None),
        slices=slices,
        reports=tuple(reports),
        shortfall=next((each for each in said if isinstance(each, m.ScheduleEnded)), None),
        closed=closed,
        r_multiple=None if closed is None else r_multiple_of(closed),
        complete=all(follows_every_gate(causes_of(log, tip)) for tip in _tips(said, reports)),
    )


def r_multiple_of(closed: m.PositionClosed) -> Decimal | None:
    """Profit after fees over the amount at risk, at 4 decimals; None when nothing was at risk."""
    return divide(closed.realised - closed.fees, closed.risk_amount, 4) if closed.risk_amount > ZERO else None


def _verdict(gate: str, outcome: str, said: m.GateApproval | m.OrderDenied, quantity: Decimal) -> GateVerdict:
    return GateVerdict(
        gate=gate,
        outcome=outcome,
        message_id=said.message_id,
        occurred_at_ns=said.occurred_at_ns,
        checks=said.checks,
        quantity_after=quantity,
    )


def _closed_by_another(log: EventLog, order_ids: Set[str]) -> m.PositionClosed | None:
    for recorded in log.read(types=("PositionClosed",)):
        closed = m.decode(recorded.body)
        if isinstance(closed, m.PositionClosed) and closed.order_id in order_ids:
            return closed
    return None


def _state(
    denial: m.OrderDenied | None,
    submission: m.OrderSubmitted | m.ScheduleStarted | None,
    reports: Sequence[m.Message],
    closed: m.PositionClosed | None,
) -> str:
    if denial is not None:
        return f"denied by {denial.gate} ({denial.reason})"
    if submission is None:
        return "stopped between two gates"
    if closed is not None:
        return f"closed by {closed.closing_role}"
    if any(isinstance(each, m.OrderFilled) for each in reports):
        return "filled"
    ends = {m.OrderRejected: "rejected by the venue", m.OrderCancelled: "cancelled", m.OrderExpired: "expired"}
    return next((ends[type(each)] for each in reports if type(each) in ends), "working")


def _tips(said: Sequence[m.Message], reports: Sequence[m.Message]) -> Sequence[m.Message]:
    """The messages whose chains must be unbroken: every fill, or else the last word on the order."""
    fills = [each for each in reports if isinstance(each, m.OrderFilled)]
    if fills:
        return fills
    return [each for each in said if isinstance(each, m.GateApproval | m.OrderDenied | m.OrderSubmitted)][-1:]
