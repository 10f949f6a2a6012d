"""Orders as the log tells them: each through its gates, to the venue and to the closed position."""

from __future__ import annotations

from collections.abc import Sequence, Set
from decimal import Decimal
from typing import Final, TypeAlias

import msgspec

from tmt import messages as m
from tmt.domain.money import ONE, ZERO, Exact, divide, floor_to
from tmt.domain.order import Side
from tmt.ports.event_log import EventLog
from tmt.projections.causation import cause_of, causes_of, follows_every_gate
from tmt.projections.sentences import plain

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


class GateVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """What one gate said of one order.

    Attributes:
        gate: the agent's name.
        outcome: "approved" or "denied".
        checks: every rule applied, in order; each carries measured value, limit, unit and the quantity it left.
        quantity_after: in units of the instrument.
        config_hash: of the configuration that decided.
        rule_book, rule_book_version: of compliance; empty and 0 for the others.
    """

    gate: str
    outcome: str
    message_id: str
    occurred_at_ns: int
    checks: tuple[m.Check, ...]
    quantity_after: Exact
    config_hash: str
    rule_book: str
    rule_book_version: int


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


def order_of(message: m.Message) -> str:
    """Id of the order whose step a message is; empty when it is none."""
    match message:
        case m.GateApproval() | m.OrderSubmitted() | m.ScheduleStarted():
            return message.order.order_id
        case m.OrderDenied() | m.VenueEvent() | m.PositionClosed() | m.SliceDue() | m.ScheduleEnded():
            return message.order_id
        case _:
            return ""


def orders_after(log: EventLog, origin: m.Message) -> tuple[OrderTrail, ...]:
    """The orders that follow from a signal, a proposal or an exit, one an account, in the order decided."""
    known = {origin.message_id}
    by_order: dict[str, list[m.Message]] = {}
    parent_of: dict[str, str] = {}
    for message in (m.decode(each.body) for each in log.correlated(origin.correlation_id)):
        if message.causation_id in known:
            known.add(message.message_id)
            order_id = order_of(message)
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


def r_multiple_of(closed: m.PositionClosed) -> Decimal | None:
    """Profit after fees over the amount at risk, at 4 decimals; None when nothing was at risk."""
    return divide(closed.realised - closed.fees, closed.risk_amount, 4) if closed.risk_amount > ZERO else None


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


def _verdict(gate: str, outcome: str, said: m.GateApproval | m.OrderDenied, quantity: Decimal) -> GateVerdict:
    book = (
        (said.rule_book, said.rule_book_version) if isinstance(said, m.ComplianceApproved | m.OrderDenied) else ("", 0)
    )
    return GateVerdict(
        gate=gate,
        outcome=outcome,
        message_id=said.message_id,
        occurred_at_ns=said.occurred_at_ns,
        checks=said.checks,
        quantity_after=quantity,
        config_hash=said.config_hash,
        rule_book=book[0],
        rule_book_version=book[1],
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
