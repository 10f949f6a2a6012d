"""What the gates share: the waterfall of checks, denials, and what counts as closing."""

from decimal import Decimal

import pytest

from tests.unit.agents.desk import BTCUSD, EURUSD, START_NS, Desk, make_order, make_quote
from tmt import messages as m
from tmt.agents.verdict import (
    Approve,
    Deny,
    Waterfall,
    approval_fields,
    closable_quantity,
    denied,
    opening_quantity,
    shrinks_position,
)
from tmt.domain.money import ONE, ZERO
from tmt.domain.order import Side
from tmt.domain.session import NANOSECONDS_PER_SECOND

QUOTE = make_quote("1.10")
LOT = Decimal(1000)


def test_a_cap_at_the_quantity_passes_and_a_unit_less_reduces_to_whole_lots() -> None:
    waterfall = Waterfall("gate", Decimal(5000))
    waterfall.caps("rule", ONE, ONE, "ratio", quantity_max=Decimal(5000), lot_size=LOT)
    waterfall.caps("rule", ONE, ONE, "ratio", quantity_max=Decimal(4999), lot_size=LOT)
    assert [(check.outcome, check.quantity_after) for check in waterfall.checks] == [
        ("pass", Decimal(5000)),
        ("reduce", Decimal(4000)),
    ]
    assert waterfall.checks[0].rule == "gate.rule"


def test_a_cap_below_zero_leaves_nothing() -> None:
    waterfall = Waterfall("gate", Decimal(5000))
    waterfall.caps("rule", ONE, ONE, "ratio", quantity_max=Decimal(-1), lot_size=LOT)
    assert waterfall.quantity == ZERO


def test_a_denial_carries_the_whole_waterfall_and_the_rule_that_decided() -> None:
    waterfall = Waterfall("gate", Decimal(5000))
    waterfall.passes("first", ZERO, ONE, "ratio")
    deny = waterfall.denies("second", Decimal(2), ONE, "ratio", detail="too much")
    assert (deny.reason, deny.rule) == ("second", "gate.second")
    assert [check.outcome for check in deny.checks] == ["pass", "deny"]
    message = denied(QUOTE_CAUSE, "gate", make_order("EURUSD", Side.BUY, "5000", QUOTE), deny, "hash")
    assert (message.gate, message.reason, message.measured, message.limit) == ("gate", "second", Decimal(2), ONE)
    assert message.order_id == "order"
    assert m.decode(m.encode(message)) == message


def test_measures_beyond_all_bounds_are_shown_at_the_bound() -> None:
    waterfall = Waterfall("gate", ONE)
    waterfall.passes("rule", Decimal(10) ** 30, -(Decimal(10) ** 30), "ratio")
    assert waterfall.checks[0].measured == -waterfall.checks[0].limit == Decimal(10) ** 18


@pytest.mark.parametrize(("late_ns", "expired"), [(-1, False), (0, False), (1, True)])
def test_an_approval_is_good_up_to_its_expiry(late_ns: int, expired: bool) -> None:
    desk = Desk()
    approval = desk.approve(m.OrderSized, make_order("EURUSD", Side.BUY, "5000", QUOTE), seconds=30)
    deny = Waterfall("gate", ONE).denies_expired(approval, approval.expires_at_ns + late_ns)
    assert (deny is not None) is expired
    assert deny is None or deny.reason == "approval_expired"


@pytest.mark.parametrize(("quantity", "reason"), [("1000", None), ("999", "below_minimum_quantity")])
def test_the_smallest_quantity_is_enough(quantity: str, reason: str | None) -> None:
    deny = Waterfall("gate", Decimal(quantity)).denies_too_small(EURUSD, Decimal("1.1"))
    assert (None if deny is None else deny.reason) == reason


@pytest.mark.parametrize(("quantity", "reason"), [("0.0010", None), ("0.0009", "below_minimum_notional")])
def test_the_smallest_notional_is_enough(quantity: str, reason: str | None) -> None:
    deny = Waterfall("gate", Decimal(quantity)).denies_too_small(BTCUSD, Decimal(10000))
    assert (None if deny is None else deny.reason) == reason


def test_an_approval_never_carries_more_than_came_in() -> None:
    order = make_order("EURUSD", Side.BUY, "5000", QUOTE)
    waterfall = Waterfall("gate", Decimal(6000))
    with pytest.raises(AssertionError):
        waterfall.approves(order)


def test_an_approval_lives_for_the_configured_seconds() -> None:
    approve = Waterfall("gate", Decimal(5000)).approves(make_order("EURUSD", Side.BUY, "5000", QUOTE))
    assert isinstance(approve, Approve)
    fields = approval_fields(approve, START_NS, 30, "hash")
    assert fields["expires_at_ns"] == START_NS + 30 * NANOSECONDS_PER_SECOND


@pytest.mark.parametrize(
    ("side", "quantity", "reduce_only", "shrinks"),
    [
        (Side.SELL, "4000", True, True),
        (Side.SELL, "5000", True, True),
        (Side.SELL, "6000", True, False),
        (Side.BUY, "1000", True, False),
        (Side.SELL, "1000", False, False),
    ],
)
def test_a_reduce_only_order_up_to_the_position_shrinks_it(
    side: Side, quantity: str, reduce_only: bool, shrinks: bool
) -> None:
    desk = Desk()
    desk.hold("EURUSD", Side.BUY, "5000", "1.10")
    order = make_order("EURUSD", side, quantity, QUOTE, reduce_only=reduce_only)
    assert shrinks_position(order, desk.portfolio) is shrinks


def test_nothing_shrinks_a_flat_position() -> None:
    order = make_order("EURUSD", Side.SELL, "1000", QUOTE, reduce_only=True)
    assert not shrinks_position(order, Desk().portfolio)


@pytest.mark.parametrize(("quantity", "opening"), [("4000", "0"), ("5000", "0"), ("7000", "2000")])
def test_only_what_is_beyond_the_position_opens(quantity: str, opening: str) -> None:
    desk = Desk()
    desk.hold("EURUSD", Side.BUY, "5000", "1.10")
    order = make_order("EURUSD", Side.SELL, quantity, QUOTE)
    desk.approve(m.OrderSized, order)
    assert opening_quantity(order, desk.portfolio) == Decimal(opening)


def test_another_working_order_on_the_same_side_closes_first() -> None:
    desk = Desk()
    desk.hold("EURUSD", Side.BUY, "5000", "1.10")
    desk.approve(m.OrderSized, make_order("EURUSD", Side.SELL, "3000", QUOTE, order_id="other"))
    assert closable_quantity(desk.portfolio, "alpha", "EURUSD", Side.SELL) == Decimal(2000)
    assert closable_quantity(desk.portfolio, "alpha", "EURUSD", Side.SELL, "other") == Decimal(5000)
    assert closable_quantity(desk.portfolio, "alpha", "EURUSD", Side.BUY) == ZERO


def test_what_is_missing_is_refused() -> None:
    deny = Waterfall("gate", ONE).denies_missing("no_mark", "no price known")
    assert isinstance(deny, Deny)
    assert (deny.reason, deny.measured, deny.limit, deny.unit) == ("no_mark", ZERO, ONE, "count")


QUOTE_CAUSE = Desk().started
