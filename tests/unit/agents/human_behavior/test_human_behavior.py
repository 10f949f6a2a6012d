"""The human behaviour gate as a whole: what it applies, what passes it, and what it remembers."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from tests.unit.agents.desk import make_order
from tests.unit.agents.human_behavior.floor import (
    CONFIG,
    QUOTE,
    Floor,
    check_of,
    reason,
    shown,
    with_limits,
    with_slicing,
)
from tmt import messages as m
from tmt.agents.human_behavior import HumanBehaviorConfig, HumanBehaviorState
from tmt.config import load
from tmt.domain.money import decode_hook
from tmt.domain.order import Side


@pytest.fixture
def floor() -> Floor:
    return Floor()


def test_a_calm_order_is_approved_with_every_rule_in_its_checks(floor: Floor) -> None:
    answer = floor.buy()
    assert isinstance(answer, m.BehaviourApproved)
    assert [check.rule.removeprefix("human_behavior.") for check in answer.checks] == [
        "approval_expired",
        "tagged",
        "duplicate",
        "trading_hours",
        "fatigue",
        "cool_down",
        "revenge",
        "entries_per_hour",
        "entries_per_day",
        "fat_finger_price",
        "fat_finger_quantity",
        "notional_echo",
        "size_after_loss",
        "averaging_down",
        "disposition",
        "participation",
    ]
    assert {check.outcome for check in answer.checks} == {"pass"}
    assert answer.order.quantity == 10000
    assert answer.expires_at_ns == answer.occurred_at_ns + 30 * 10**9


def test_reduce_only_releases_are_not_entries(floor: Floor) -> None:
    for _ in range(3):
        floor.release(reduce_only=True)
    assert reason(floor.buy()) == "approved"


def test_memory_is_bounded(floor: Floor) -> None:
    for _ in range(50):
        floor.release()
    habits = floor.agent.state.accounts["alpha"]
    assert (len(habits.entries_ns), len(habits.quantities["EURUSD"])) == (5, 4)


def test_a_closing_order_passes_on_tilt(floor: Floor) -> None:
    floor.desk.hold("EURUSD", Side.BUY, "10000", "1.1")
    floor.close("-100")
    floor.close("-100")
    closing = make_order("EURUSD", Side.SELL, "10000", QUOTE, reduce_only=True)
    answer = floor.judge(closing)
    assert reason(answer) == "approved"
    assert shown(check_of(answer, "closing")) == ("10000", "10000", "units", "pass", False)
    larger = make_order("EURUSD", Side.SELL, "11000", QUOTE, reduce_only=True, order_id="larger")
    assert reason(floor.judge(larger)) == "cool_down"


def test_unknown_accounts_and_instruments_are_refused(floor: Floor) -> None:
    assert reason(floor.judge(make_order("EURUSD", Side.BUY, "1000", QUOTE, account="ghost"))) == "unknown_account"
    assert reason(floor.judge(make_order("XXXYYY", Side.BUY, "1000", QUOTE, order_id="2"))) == "unknown_instrument"


@pytest.mark.parametrize(("seconds", "expected"), [(30, "approved"), (31, "approval_expired")])
def test_an_approval_may_be_used_up_to_its_expiry(floor: Floor, seconds: int, expected: str) -> None:
    approval = floor.desk.approve(m.ConcentrationApproved, make_order("EURUSD", Side.BUY, "1000", QUOTE), seconds=30)
    floor.desk.pass_seconds(seconds)
    floor.desk.mark("EURUSD", "1.0999", "1.1000")
    [answer] = floor.agent.handle(approval)
    assert reason(answer) == expected


def test_state_survives_a_snapshot(floor: Floor) -> None:
    floor.release()
    floor.close("-100", risk="100")
    saved = msgspec.json.encode(floor.agent.state)
    assert msgspec.json.decode(saved, type=HumanBehaviorState, dec_hook=decode_hook) == floor.agent.state


def test_messages_it_does_not_care_about_leave_the_same_state(floor: Floor) -> None:
    before = floor.agent.state
    release = floor.desk.approve(m.OrderReleased, floor.order(reduce_only=True))
    asked = floor.desk.approve(m.ConcentrationApproved, floor.order(reduce_only=True))
    floor.hear(release)
    floor.agent.handle(asked)
    assert floor.agent.state is before


def test_the_packaged_configuration_loads() -> None:
    loaded = load({"human_behavior": HumanBehaviorConfig}, directory=None, environment={})
    assert loaded.sections["human_behavior"].chasing.size_after_loss_ratio_max == Decimal("1.25")


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda: with_limits("cool_down", losses_in_a_row=0), "losses_in_a_row must be at least 1, was 0"),
        (lambda: with_limits("cool_down", pause_seconds=0), "pause_seconds"),
        (lambda: with_limits("cool_down", revenge_seconds=0), "revenge_seconds"),
        (lambda: with_limits("entries", per_hour_max=0), "per_hour_max"),
        (lambda: with_limits("entries", per_day_max=0), "per_day_max"),
        (lambda: with_limits("entries", per_hour_max=5, per_day_max=4), "per_day_max must be at least per_hour_max"),
        (lambda: with_limits("chasing", size_after_loss_ratio_max=Decimal(0)), "size_after_loss_ratio_max"),
        (lambda: with_limits("chasing", averaging_down_ratio_max=Decimal(0)), "averaging_down_ratio_max"),
        (lambda: with_limits("disposition", each_min=0), "each_min"),
        (lambda: with_limits("disposition", trades_remembered=3), "trades_remembered"),
        (lambda: with_limits("disposition", ratio_warn=Decimal(0)), "ratio_warn"),
        (lambda: with_limits("disposition", ratio_reduce=Decimal("1.99")), "ratio_reduce"),
        (lambda: with_limits("disposition", quantity_fraction=Decimal("1.01")), "quantity_fraction"),
        (lambda: with_limits("fat_finger", orders_min=0), "orders_min"),
        (lambda: with_limits("fat_finger", orders_remembered=2), "orders_remembered"),
        (lambda: with_limits("fat_finger", quantity_ratio_max=Decimal("0.99")), "quantity_ratio_max"),
        (lambda: with_limits("fat_finger", price_fraction_max=Decimal("1.1")), "price_fraction_max"),
        (lambda: with_limits("fat_finger", notional_ratio_max=Decimal(0)), "notional_ratio_max"),
        (lambda: with_limits("fat_finger", duplicate_seconds=0), "duplicate_seconds"),
        (lambda: with_limits("sessions", people_open=("noon",)), "noon"),
        (lambda: with_limits("sessions", strategies_open=("night",)), "night"),
        (lambda: with_limits("sessions", active_seconds_max=0), "active_seconds_max"),
        (lambda: with_limits("sessions", rest_seconds=0), "rest_seconds"),
        (lambda: with_limits("slicing", interval_seconds=0), "interval_seconds"),
        (lambda: with_limits("slicing", participation_fraction_max=Decimal(0)), "participation_fraction_max"),
        (lambda: with_limits("slicing", participation_fraction_max=Decimal("1.1")), "participation_fraction_max"),
        (lambda: with_limits("slicing", slices_max=1), "slices_max must be at least 2, was 1"),
        (lambda: with_limits("slicing", time_variation_fraction=Decimal(1)), "time_variation_fraction"),
        (lambda: with_limits("slicing", time_variation_fraction=Decimal("-0.1")), "time_variation_fraction"),
        (lambda: with_limits("slicing", size_variation_fraction=Decimal(1)), "size_variation_fraction"),
        (lambda: with_slicing("volume", bars_min=0), "bars_min"),
        (lambda: with_slicing("volume", bars_remembered=1), "bars_remembered"),
        (lambda: with_slicing("volume", lots_per_tick=Decimal(-1)), "lots_per_tick"),
        (lambda: with_slicing("volume", profile_minutes=0), "profile_minutes"),
        (lambda: with_slicing("volume", profile_minutes=7), "profile_minutes must divide 1440, was 7"),
        (lambda: with_slicing("trial", whole_fraction=Decimal("1.1")), "whole_fraction"),
        (lambda: with_slicing("trial", parents_min=0), "parents_min"),
        (lambda: with_slicing("trial", parents_remembered=1), "parents_remembered"),
        (lambda: with_slicing("trial", saving_fraction_min=Decimal(-1)), "saving_fraction_min"),
        (lambda: with_slicing("trial", retry_after_parents=0), "retry_after_parents"),
        (lambda: msgspec.structs.replace(CONFIG, approval_seconds=0), "approval_seconds"),
    ],
)
def test_a_senseless_limit_is_refused_by_name(make: Any, named: str) -> None:
    with pytest.raises(ValueError, match=named):
        make()


def test_the_least_sensible_limits_are_taken() -> None:
    with_limits("cool_down", losses_in_a_row=1, pause_seconds=1, revenge_seconds=1)
    with_limits("entries", per_hour_max=1, per_day_max=1)
    with_limits("disposition", each_min=1, trades_remembered=2, ratio_reduce=Decimal(2))
    with_limits("fat_finger", orders_min=1, orders_remembered=1, quantity_ratio_max=Decimal(1), duplicate_seconds=1)
    with_limits("sessions", active_seconds_max=1, rest_seconds=1)
    with_limits("slicing", interval_seconds=1, participation_fraction_max=Decimal(1), slices_max=2)
    with_slicing("volume", bars_min=1, bars_remembered=1, profile_minutes=1440)
    with_slicing("trial", whole_fraction=Decimal(1), parents_min=1, parents_remembered=1, retry_after_parents=1)
    msgspec.structs.replace(CONFIG, approval_seconds=1)
