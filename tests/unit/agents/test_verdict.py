"""What the gates share: the waterfall of checks, denials, and what counts as closing."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from tests.unit.agents.desk import BTCUSD, EURUSD, START_NS, Desk, make_account, make_order, make_quote
from tmt import messages as m
from tmt.agents.verdict import (
    Approve,
    Deny,
    Waterfall,
    approval_fields,
    denied,
    shrinks_position,
    side_filled,
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


@pytest.mark.parametrize(
    ("held", "ordered", "most"),
    [(5, 0, 5), (-5, 0, -5), (0, 0, 0), (5, 3, 8), (-5, 3, 3), (-5, 6, 6), (0, 3, 3)],
)
def test_an_order_nets_against_no_position(held: int, ordered: int, most: int) -> None:
    assert side_filled(Decimal(held), Decimal(ordered)) == most


def test_nothing_shrinks_a_flat_position() -> None:
    order = make_order("EURUSD", Side.SELL, "1000", QUOTE, reduce_only=True)
    assert not shrinks_position(order, Desk().portfolio)


def test_what_is_missing_is_refused() -> None:
    deny = Waterfall("gate", ONE).denies_missing("no_mark", "no price known")
    assert isinstance(deny, Deny)
    assert (deny.reason, deny.measured, deny.limit, deny.unit) == ("no_mark", ZERO, ONE, "count")


def make_waterfall() -> Waterfall:
    return Waterfall("gate", Decimal(5000))


MEASURED, LIMIT = Decimal("1.2500004"), Decimal("1.3000006")


def make_check(outcome: str, quantity_after: str = "5000", **changes: Any) -> m.Check:
    fields: dict[str, Any] = {
        "rule": "gate.rule",
        "measured": Decimal("1.25"),
        "limit": Decimal("1.300001"),
        "unit": "ratio",
        "outcome": outcome,
        "quantity_after": Decimal(quantity_after),
        "at_least": False,
    }
    return m.Check(**{**fields, **changes})


@pytest.mark.parametrize("at_least", [None, False, True])
@pytest.mark.parametrize(
    ("kind", "more", "expected"),
    [
        ("warns", {}, make_check("warn")),
        ("denies", {"detail": "too much"}, make_check("deny")),
        ("caps", {"quantity_max": Decimal("4999.9"), "lot_size": LOT}, make_check("reduce", "4000")),
        ("caps", {"quantity_max": ONE, "lot_size": ONE}, make_check("reduce", "1")),
        ("caps", {"quantity_max": Decimal("0.9"), "lot_size": ONE}, make_check("reduce", "0")),
        ("resizes", {"quantity": Decimal(4999)}, make_check("reduce", "4999")),
    ],
)
def test_each_rule_leaves_a_whole_check(
    kind: str, more: dict[str, Any], expected: m.Check, at_least: bool | None
) -> None:
    waterfall = make_waterfall()
    bound = {} if at_least is None else {"at_least": at_least}
    getattr(waterfall, kind)("rule", MEASURED, LIMIT, "ratio", **more, **bound)
    assert waterfall.checks == (msgspec.structs.replace(expected, at_least=bool(at_least)),)
    assert waterfall.quantity == expected.quantity_after


@pytest.mark.parametrize(
    ("kind", "more"),
    [
        ("passes", {}),
        ("caps", {"quantity_max": Decimal(5000), "lot_size": LOT}),
        ("resizes", {"quantity": Decimal(5000)}),
        ("resizes", {"quantity": Decimal(5001)}),
    ],
)
@pytest.mark.parametrize(
    ("measured", "at_least", "outcome"),
    [
        ("0.9", False, "pass"),
        ("1", False, "pass"),
        ("1.1", False, "warn"),
        ("0.9", True, "warn"),
        ("1", True, "pass"),
        ("1.1", True, "pass"),
    ],
)
def test_what_goes_on_uncut_passes_or_warns_by_its_numbers(
    measured: str, at_least: bool, outcome: str, kind: str, more: dict[str, Any]
) -> None:
    waterfall = make_waterfall()
    getattr(waterfall, kind)("rule", Decimal(measured), ONE, "ratio", at_least=at_least, **more)
    [check] = waterfall.checks
    expected = make_check(outcome, str(more.get("quantity", 5000)))
    assert check == msgspec.structs.replace(expected, measured=Decimal(measured), limit=ONE, at_least=at_least)
    assert waterfall.quantity == check.quantity_after


def test_a_denial_says_what_its_check_says_and_may_have_a_reason_of_its_own() -> None:
    waterfall = make_waterfall()
    deny = waterfall.denies("rule", MEASURED, LIMIT, "ratio", detail="words", reason="why", at_least=True)
    check = make_check("deny", at_least=True)
    assert deny == Deny(
        reason="why",
        rule="gate.rule",
        measured=check.measured,
        limit=check.limit,
        unit="ratio",
        detail="words",
        quantity=Decimal(5000),
        checks=(check,),
    )
    assert make_waterfall().denies("rule", ZERO, ONE, "ratio", detail="").reason == "rule"
    assert make_waterfall().denies("rule", ZERO, ONE, "ratio", detail="", reason="").reason == ""


def test_something_missing_is_none_of_one_found() -> None:
    deny = make_waterfall().denies_missing("no_mark", "no price known")
    check = make_check("deny", rule="gate.no_mark", measured=ZERO, limit=ONE, unit="count", at_least=True)
    assert (deny.rule, deny.detail, deny.checks) == ("gate.no_mark", "no price known", (check,))


@pytest.mark.parametrize(("age", "outcome"), [(29, "pass"), (30, "pass"), (31, "deny")])
def test_the_age_of_an_approval_is_measured_in_seconds(age: int, outcome: str) -> None:
    desk = Desk()
    approval = desk.approve(m.OrderSized, make_order("EURUSD", Side.BUY, "5000", QUOTE), seconds=30)
    waterfall = make_waterfall()
    deny = waterfall.denies_expired(approval, approval.occurred_at_ns + age * NANOSECONDS_PER_SECOND)
    expected = make_check(
        outcome, rule="gate.approval_expired", measured=Decimal(age), limit=Decimal(30), unit="seconds"
    )
    assert waterfall.checks == (expected,)
    if outcome == "pass":
        assert deny is None
        return
    assert deny is not None
    assert (deny.reason, deny.checks) == ("approval_expired", (expected,))
    assert "expiry" in deny.detail


def test_an_age_is_exact_to_the_microsecond() -> None:
    desk = Desk()
    approval = desk.approve(m.OrderSized, make_order("EURUSD", Side.BUY, "5000", QUOTE), seconds=30)
    waterfall = make_waterfall()
    waterfall.denies_expired(approval, approval.occurred_at_ns + 1_500_001_000)
    assert waterfall.checks[0].measured == Decimal("1.500001")


def test_what_is_too_small_says_by_how_much() -> None:
    waterfall = Waterfall("gate", Decimal(999))
    deny = waterfall.denies_too_small(EURUSD, ONE)
    assert deny is not None
    assert deny.checks == (
        make_check(
            "deny", "999", rule="gate.below_minimum_quantity", measured=Decimal(999), limit=LOT, unit="units",
            at_least=True,
        ),
    )  # fmt: skip
    assert "below the smallest order of EURUSD" in deny.detail
    waterfall = Waterfall("gate", Decimal("0.0009"))
    deny = waterfall.denies_too_small(BTCUSD, Decimal(10000))
    assert deny is not None
    assert deny.checks == (
        make_check(
            "deny", "0.0009", rule="gate.below_minimum_notional", measured=Decimal(9), limit=Decimal(10), unit="USD",
            at_least=True,
        ),
    )  # fmt: skip
    assert "below the smallest order of BTCUSD" in deny.detail


def test_what_is_large_enough_leaves_no_check() -> None:
    waterfall = Waterfall("gate", Decimal("0.001"))
    assert waterfall.denies_too_small(BTCUSD, Decimal(10000)) is None
    assert waterfall.checks == ()


@pytest.mark.parametrize(("left", "good"), [("0", False), ("1", True), ("4999", True), ("5000", True), ("5001", False)])
def test_an_approval_carries_what_is_left(left: str, good: bool) -> None:
    order = make_order("EURUSD", Side.BUY, "5000", QUOTE)
    waterfall = Waterfall("gate", Decimal(left))
    waterfall.passes("rule", ZERO, ONE, "ratio")
    if not good:
        with pytest.raises(AssertionError):
            waterfall.approves(order)
        return
    approve = waterfall.approves(order)
    assert approve == Approve(order=msgspec.structs.replace(order, quantity=Decimal(left)), checks=waterfall.checks)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (Decimal(10) ** 18, "1000000000000000000"),
        (Decimal(10) ** 18 + 1, "1000000000000000000"),
        (-(Decimal(10) ** 18) - 1, "-1000000000000000000"),
        (Decimal("0.0000005"), "0.000000"),
        (Decimal("0.0000015"), "0.000002"),
        (Decimal("-0.0000006"), "-0.000001"),
        (Decimal(10) ** 17 + Decimal("0.5"), "100000000000000000.5"),
    ],
)
def test_what_a_check_shows_is_on_its_grid(value: Decimal, shown: str) -> None:
    waterfall = make_waterfall()
    waterfall.passes("rule", value, value, "ratio")
    [check] = waterfall.checks
    assert check.measured == check.limit == Decimal(shown)
    assert check.measured.as_tuple().exponent == -6


def test_the_message_of_a_denial_names_order_rule_and_book() -> None:
    waterfall = Waterfall("gate", Decimal(4000))
    deny = waterfall.denies("rule", MEASURED, LIMIT, "ratio", detail="words", reason="why")
    order = make_order("EURUSD", Side.SELL, "5000", QUOTE, account="beta", order_id="its")
    said = denied(QUOTE_CAUSE, "gate", order, deny, "hash", book="strict", version=3)
    assert said == m.OrderDenied.caused_by(
        QUOTE_CAUSE,
        "gate",
        "its",
        order_id="its",
        account="beta",
        instrument="EURUSD",
        side=Side.SELL,
        quantity=Decimal(4000),
        gate="gate",
        reason="why",
        measured=deny.measured,
        limit=deny.limit,
        unit="ratio",
        detail="words",
        checks=deny.checks,
        config_hash="hash",
        rule_book="strict",
        rule_book_version=3,
    )
    plain = denied(QUOTE_CAUSE, "gate", order, deny, "hash")
    assert (plain.rule_book, plain.rule_book_version) == ("", 0)


def test_the_fields_of_an_approval() -> None:
    waterfall = make_waterfall()
    waterfall.passes("rule", ZERO, ONE, "ratio")
    approve = waterfall.approves(make_order("EURUSD", Side.BUY, "5000", QUOTE))
    assert approval_fields(approve, 5, 2, "hash") == {
        "order": approve.order,
        "checks": approve.checks,
        "expires_at_ns": 2_000_000_005,
        "config_hash": "hash",
    }


def test_a_short_position_shrinks_by_buying() -> None:
    desk = Desk(make_account(), make_account("beta"))
    desk.hold("EURUSD", Side.SELL, "5000", "1.10")
    for side, account, shrinks in ((Side.BUY, "alpha", True), (Side.SELL, "alpha", False), (Side.BUY, "beta", False)):
        order = make_order("EURUSD", side, "5000", QUOTE, account=account, reduce_only=True)
        assert shrinks_position(order, desk.portfolio) is shrinks


QUOTE_CAUSE = Desk().started


def test_what_is_too_small_names_the_rule_that_cut_it_last() -> None:
    waterfall = Waterfall("gate", Decimal(5000))
    for rule, most in (("first", "2000"), ("second", "0"), ("third", "9000")):
        waterfall.caps(rule, ONE, ONE, "ratio", quantity_max=Decimal(most), lot_size=EURUSD.lot_size)
    deny = waterfall.denies_too_small(EURUSD, ONE)
    assert deny is not None
    assert deny.detail == "0 is below the smallest order of EURUSD: gate.second left no more"
