"""What a gate says of an order, and the waterfall of rules behind it. Shared by the five gates; not an agent.

All limits are inclusive: a measured value equal to its limit passes, anything beyond it does not.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final, Protocol

import msgspec

from tmt.domain.instrument import Instrument
from tmt.domain.money import MAGNITUDE_MAX, ONE, ROUNDING, ZERO, Exact, floor_to
from tmt.domain.order import Order, Side
from tmt.domain.session import NANOSECONDS_PER_SECOND
from tmt.messages import Check, GateApproval, Message, OrderDenied
from tmt.projections.portfolio import Portfolio

MEASURE_STEP: Final = Decimal("0.000001")
"""Grid of `measured` and `limit` in a check; a rule compares before it rounds. Magnitudes stop at 10**18."""


class Approve(msgspec.Struct, frozen=True, kw_only=True):
    """The gate lets `order` pass, with the quantity that its rules left."""

    order: Order
    checks: tuple[Check, ...]


class Deny(msgspec.Struct, frozen=True, kw_only=True):
    """The gate refuses; fields as in `OrderDenied`. `rule` is the id of the rule that decided."""

    reason: str
    rule: str
    measured: Exact
    limit: Exact
    unit: str
    detail: str
    quantity: Exact
    checks: tuple[Check, ...]


class Waterfall:
    """The rules applied to one order so far and the quantity they leave; lives within one `decide`.

    Args:
        gate: the agent's name; every rule's id is "<gate>.<rule>".
        quantity: what the order asks for.
    """

    def __init__(self, gate: str, quantity: Decimal) -> None:
        self.gate = gate
        self.quantity = quantity
        self._checks: list[Check] = []

    @property
    def checks(self) -> tuple[Check, ...]:
        """Every rule applied so far, in order."""
        return tuple(self._checks)

    def passes(self, rule: str, measured: Decimal, limit: Decimal, unit: str, *, at_least: bool = False) -> None:
        """The rule lets the order go on: "pass" when what is measured keeps the limit, else "warn".

        `at_least` says that the limit is a lower bound, here and below.
        """
        keeps = measured >= limit if at_least else measured <= limit
        self._record(rule, measured, limit, unit, "pass" if keeps else "warn", at_least)

    def warns(self, rule: str, measured: Decimal, limit: Decimal, unit: str, *, at_least: bool = False) -> None:
        """The rule lets the order go on, and what is measured is worth a word even where it keeps the limit."""
        self._record(rule, measured, limit, unit, "warn", at_least)

    def caps(
        self,
        rule: str,
        measured: Decimal,
        limit: Decimal,
        unit: str,
        *,
        quantity_max: Decimal,
        lot_size: Decimal,
        at_least: bool = False,
    ) -> None:
        """The rule allows `quantity_max` at most: it lets an order go on that keeps it, else "reduce" to whole lots."""
        if self.quantity <= quantity_max:
            self.passes(rule, measured, limit, unit, at_least=at_least)
            return
        self.quantity = floor_to(max(ZERO, quantity_max), lot_size)
        self._record(rule, measured, limit, unit, "reduce", at_least)

    def resizes(
        self, rule: str, measured: Decimal, limit: Decimal, unit: str, *, quantity: Decimal, at_least: bool = False
    ) -> None:
        """The rule sets the quantity, which only the gate that sizes may raise: "reduce" when it falls."""
        falls, self.quantity = quantity < self.quantity, quantity
        if falls:
            self._record(rule, measured, limit, unit, "reduce", at_least)
        else:
            self.passes(rule, measured, limit, unit, at_least=at_least)

    def denies(
        self,
        rule: str,
        measured: Decimal,
        limit: Decimal,
        unit: str,
        *,
        detail: str,
        reason: str | None = None,
        at_least: bool = False,
    ) -> Deny:
        """The rule refuses the order. `reason` is the rule's own name unless given."""
        self._record(rule, measured, limit, unit, "deny", at_least)
        last = self._checks[-1]
        return Deny(
            reason=rule if reason is None else reason,
            rule=last.rule,
            measured=last.measured,
            limit=last.limit,
            unit=unit,
            detail=detail,
            quantity=self.quantity,
            checks=self.checks,
        )

    def denies_missing(self, reason: str, detail: str) -> Deny:
        """Something that the gate needs is not known: 0 of 1 found."""
        return self.denies(reason, ZERO, ONE, "count", detail=detail, at_least=True)

    def denies_expired(self, approval: GateApproval, now_ns: int) -> Deny | None:
        """Refuse an approval used after its `expires_at_ns`; None when it is still good. Measured: its age."""
        age = _seconds(now_ns - approval.occurred_at_ns)
        limit = _seconds(approval.expires_at_ns - approval.occurred_at_ns)
        if now_ns <= approval.expires_at_ns:
            self.passes("approval_expired", age, limit, "seconds")
            return None
        detail = "the approval was used after its expiry"
        return self.denies("approval_expired", age, limit, "seconds", detail=detail)

    def denies_too_small(self, instrument: Instrument, price: Decimal) -> Deny | None:
        """Refuse what is left when it is below the instrument's smallest quantity or notional, else None."""
        too_small = f"is below the smallest order of {instrument.symbol}{self._cut_by()}"
        if self.quantity < instrument.quantity_min:
            detail = f"{self.quantity} {too_small}"
            limit = instrument.quantity_min
            return self.denies("below_minimum_quantity", self.quantity, limit, "units", detail=detail, at_least=True)
        notional, limit = instrument.notional(self.quantity, price), instrument.notional_min
        if notional < limit:
            detail = f"{notional} {instrument.quote_currency} {too_small}"
            return self.denies(
                "below_minimum_notional", notional, limit, instrument.quote_currency, detail=detail, at_least=True
            )
        return None

    def _cut_by(self) -> str:
        cuts = [check.rule for check in self._checks if check.outcome == "reduce"]
        return f": {cuts[-1]} left no more" if cuts else ""

    def approves(self, order: Order) -> Approve:
        """Let the order pass with the quantity left, which must not be above what it came with."""
        assert ZERO < self.quantity <= order.quantity, (self.quantity, order.quantity)
        if self.quantity != order.quantity:
            order = msgspec.structs.replace(order, quantity=self.quantity)
        return Approve(order=order, checks=self.checks)

    def _record(self, rule: str, measured: Decimal, limit: Decimal, unit: str, outcome: str, at_least: bool) -> None:
        self._checks.append(
            Check(
                rule=f"{self.gate}.{rule}",
                measured=_shown(measured),
                limit=_shown(limit),
                unit=unit,
                outcome=outcome,
                quantity_after=self.quantity,
                at_least=at_least,
            )
        )


class Subject(Protocol):
    """What a denial names of an order; `Order` fits, and so does what ARIA has not sized yet."""

    @property
    def order_id(self) -> str: ...
    @property
    def account(self) -> str: ...
    @property
    def instrument(self) -> str: ...
    @property
    def side(self) -> Side: ...


def denied(
    cause: Message, gate: str, subject: Subject, deny: Deny, config_hash: str, *, book: str = "", version: int = 0
) -> OrderDenied:
    """The message that carries a denial. `book` and `version` are of the rule book that was applied, if any."""
    return OrderDenied.caused_by(
        cause,
        gate,
        subject.order_id,
        order_id=subject.order_id,
        account=subject.account,
        instrument=subject.instrument,
        side=subject.side,
        quantity=deny.quantity,
        gate=gate,
        reason=deny.reason,
        measured=deny.measured,
        limit=deny.limit,
        unit=deny.unit,
        detail=deny.detail,
        checks=deny.checks,
        config_hash=config_hash,
        rule_book=book,
        rule_book_version=version,
    )


def approval_fields(approve: Approve, occurred_at_ns: int, approval_seconds: int, config_hash: str) -> dict[str, Any]:
    """Fields of a `GateApproval` message that says `approve` at `occurred_at_ns`."""
    return {
        "order": approve.order,
        "checks": approve.checks,
        "expires_at_ns": occurred_at_ns + approval_seconds * NANOSECONDS_PER_SECOND,
        "config_hash": config_hash,
    }


def shrinks_position(order: Order, portfolio: Portfolio) -> bool:
    """Whether a reduce-only order is against the account's position and not larger: it passes every gate.

    An order that is not reduce-only may outlive the position and open a new one: it is judged as one that opens, whole.
    """
    held = portfolio.position(order.account, order.instrument).quantity
    return order.reduce_only and held * order.side.sign < ZERO and order.quantity <= abs(held)


def side_filled(held: Decimal, ordered: Decimal) -> Decimal:
    """The most on one side of an instrument, once what is ordered there has filled.

    Orders net against no position, whose own exits may close it first; where nothing is ordered, it counts as it is.

    Args:
        held: along that side; negative when it is held against it.
        ordered: units, or worth, at least 0.
    """
    return max(ZERO, held) + ordered if ordered else held


def _shown(value: Decimal) -> Decimal:
    if abs(value) > MAGNITUDE_MAX:
        value = MAGNITUDE_MAX if value > ZERO else -MAGNITUDE_MAX
    return value.quantize(MEASURE_STEP, context=ROUNDING)


def _seconds(nanoseconds: int) -> Decimal:
    return Decimal(nanoseconds).scaleb(-9)
