"""Does the human behaviour gate stop tilt, overtrading, loss chasing and slips of the hand, exactly at its limits?"""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from tests.unit.agents.desk import BTCUSD, CONFIG_HASH, Desk, make_instrument, make_order, make_quote
from tmt import messages as m
from tmt.agents.human_behavior import HumanBehaviorAgent, HumanBehaviorConfig
from tmt.agents.human_behavior.config import CoolDown, EntryRate, FatFinger
from tmt.agents.human_behavior.decide import HumanBehaviorState
from tmt.config import load
from tmt.domain.money import decode_hook
from tmt.domain.order import Order, Side

CONFIG = HumanBehaviorConfig(
    approval_seconds=30,
    cool_down=CoolDown(losses_in_a_row=2, pause_seconds=600),
    entries=EntryRate(per_hour_max=3, per_day_max=5),
    size_after_loss_ratio_max=Decimal("1.5"),
    fat_finger=FatFinger(
        orders_remembered=4, orders_min=3, quantity_ratio_max=Decimal(10), price_fraction_max=Decimal("0.05")
    ),
)
QUOTE = make_quote("1.0999", "1.1000")


class Floor:
    def __init__(self, config: HumanBehaviorConfig = CONFIG, desk: Desk | None = None) -> None:
        self.desk = Desk() if desk is None else desk
        self.agent = HumanBehaviorAgent(config, self.desk.portfolio, CONFIG_HASH)
        self.desk.mark("EURUSD", "1.0999", "1.1000")
        self.orders = 0

    def judge(self, order: Order) -> m.BehaviourApproved | m.OrderDenied:
        [answer] = self.agent.handle(self.desk.approve(m.ConcentrationApproved, order))
        self.desk.tell(answer)
        assert isinstance(answer, m.BehaviourApproved | m.OrderDenied)
        return answer

    def buy(self, quantity: str = "10000", **fields: Any) -> m.BehaviourApproved | m.OrderDenied:
        self.orders += 1
        return self.judge(
            make_order(
                "EURUSD",
                Side.BUY,
                quantity,
                QUOTE,
                order_id=f"order-{self.orders}",
                **{"stop_loss": "1.0900", **fields},
            )
        )

    def release(self, quantity: str = "10000", **fields: Any) -> None:
        self.orders += 1
        order = make_order("EURUSD", Side.BUY, quantity, QUOTE, order_id=f"order-{self.orders}", **fields)
        self.agent.handle(self.desk.approve(m.OrderReleased, order))

    def close(self, realised: str, **fields: Any) -> None:
        self.agent.handle(self.desk.close_trip(realised=realised, **fields))


@pytest.fixture
def floor() -> Floor:
    return Floor()


def reason(answer: m.Message) -> str:
    return answer.reason if isinstance(answer, m.OrderDenied) else "approved"


def test_a_calm_order_is_approved_with_every_rule_in_its_checks(floor: Floor) -> None:
    answer = floor.buy()
    assert isinstance(answer, m.BehaviourApproved)
    assert [check.rule.removeprefix("human_behavior.") for check in answer.checks] == [
        "approval_expired",
        "cool_down",
        "entries_per_hour",
        "entries_per_day",
        "fat_finger_price",
        "fat_finger_quantity",
        "size_after_loss",
    ]
    assert answer.order.quantity == 10000
    assert answer.expires_at_ns == answer.occurred_at_ns + 30 * 10**9


@pytest.mark.parametrize(("seconds", "expected"), [(599, "cool_down"), (600, "approved"), (601, "approved")])
def test_after_two_losses_the_next_order_waits_the_whole_pause(floor: Floor, seconds: int, expected: str) -> None:
    floor.close("-100")
    floor.close("-100")
    floor.desk.pass_seconds(seconds)
    assert reason(floor.buy()) == expected


def test_one_loss_starts_no_pause(floor: Floor) -> None:
    floor.close("-100")
    assert reason(floor.buy()) == "approved"


def test_a_win_resets_the_run_and_a_trade_that_made_nothing_does_not(floor: Floor) -> None:
    floor.close("-100")
    floor.close("0")
    floor.close("-100")
    assert reason(floor.buy()) == "cool_down"
    floor.close("1")
    assert reason(floor.buy()) == "approved"


def test_fees_turn_a_small_profit_into_a_loss(floor: Floor) -> None:
    floor.close("5", fees=Decimal(6))
    floor.close("5", fees=Decimal(6))
    assert reason(floor.buy()) == "cool_down"


def test_another_accounts_losses_do_not_pause_this_one(floor: Floor) -> None:
    floor.close("-100", account="beta")
    floor.close("-100", account="beta")
    assert reason(floor.buy()) == "approved"


@pytest.mark.parametrize(("seconds", "expected"), [(3599, "entries_per_hour"), (3600, "approved")])
def test_an_entry_counts_for_less_than_an_hour(floor: Floor, seconds: int, expected: str) -> None:
    for _ in range(3):
        floor.release()
    floor.desk.pass_seconds(seconds)
    assert reason(floor.buy()) == expected


def test_the_third_entry_of_three_allowed_in_an_hour_passes(floor: Floor) -> None:
    floor.release()
    floor.release()
    assert reason(floor.buy()) == "approved"


def test_the_day_has_its_own_limit_and_turns_over(floor: Floor) -> None:
    floor.desk.pass_seconds(2 * 3600)  # the next day begins 1 h 46 min 40 s after the desk starts
    for _ in range(4):
        floor.release()
        floor.desk.pass_seconds(1800)
    assert reason(floor.buy()) == "approved"
    floor.release()
    floor.desk.pass_seconds(3600)
    assert reason(floor.buy()) == "entries_per_day"
    floor.desk.pass_seconds(24 * 3600)
    assert reason(floor.buy()) == "approved"


def test_reduce_only_releases_are_not_entries(floor: Floor) -> None:
    for _ in range(3):
        floor.release(reduce_only=True)
    assert reason(floor.buy()) == "approved"


@pytest.mark.parametrize(("quantity", "expected"), [("100000", "approved"), ("101000", "fat_finger_quantity")])
def test_ten_times_the_median_quantity_passes_and_a_lot_more_does_not(quantity: str, expected: str) -> None:
    config = msgspec.structs.replace(CONFIG, entries=EntryRate(per_hour_max=9, per_day_max=9))
    floor = Floor(config)
    for usual in ("1000", "10000", "10000", "90000"):
        floor.release(usual)
    assert reason(floor.buy(quantity)) == expected


def test_the_median_of_an_even_number_lies_between_the_middle_two() -> None:
    config = msgspec.structs.replace(CONFIG, entries=EntryRate(per_hour_max=9, per_day_max=9))
    floor = Floor(config)
    for usual in ("1000", "1000", "2000", "2000"):
        floor.release(usual)
    assert reason(floor.buy("15000")) == "approved"
    assert reason(floor.buy("16000")) == "fat_finger_quantity"


def test_quantities_are_not_compared_before_there_are_enough(floor: Floor) -> None:
    floor.release("1000")
    floor.release("1000")
    assert reason(floor.buy("900000")) == "approved"


def test_memory_is_bounded(floor: Floor) -> None:
    for _ in range(50):
        floor.release()
    habits = floor.agent.state.accounts["alpha"]
    assert (len(habits.entries_ns), len(habits.quantities["EURUSD"])) == (5, 4)


@pytest.mark.parametrize(("limit", "expected"), [("1.0450", "approved"), ("1.0449", "fat_finger_price")])
def test_a_limit_price_may_be_exactly_the_fraction_away(floor: Floor, limit: str, expected: str) -> None:
    assert reason(floor.buy(limit=limit, stop_loss="1.0400")) == expected


def test_without_a_quote_the_order_is_refused(floor: Floor) -> None:
    order = make_order("GBPUSD", Side.BUY, "1000", make_quote("1.25"), stop_loss="1.24")
    assert reason(floor.judge(order)) == "no_mark"


@pytest.mark.parametrize(("quantity", "left"), [("15000", 15000), ("16000", 15000), ("40000", 15000)])
def test_after_a_loss_risk_is_cut_to_the_ratio_of_the_losing_trades(floor: Floor, quantity: str, left: int) -> None:
    floor.close("-100", risk="100")  # 10,000 units with a stop 0.0100 away risk 100 as well
    answer = floor.buy(quantity)
    assert isinstance(answer, m.BehaviourApproved)
    assert answer.order.quantity == left
    assert answer.checks[-1].outcome == ("pass" if quantity == "15000" else "reduce")


def test_the_first_loss_of_a_run_is_the_measure_so_the_ratio_cannot_compound() -> None:
    floor = Floor(msgspec.structs.replace(CONFIG, cool_down=CoolDown(losses_in_a_row=9, pause_seconds=1)))
    floor.close("-100", risk="100")
    floor.close("-150", risk="150")
    answer = floor.buy("20000")
    assert isinstance(answer, m.BehaviourApproved)
    assert answer.order.quantity == 15000


def test_a_small_partial_fill_is_measured_by_the_order_it_was_part_of(floor: Floor) -> None:
    floor.release("10000")
    trip = floor.desk.close_trip(realised="-10", risk="10", quantity=Decimal(1000))
    floor.agent.handle(msgspec.structs.replace(trip, order_id="order-1"))
    answer = floor.buy("20000")
    assert isinstance(answer, m.BehaviourApproved)
    assert answer.order.quantity == 15000


def test_without_stops_notionals_are_compared(floor: Floor) -> None:
    floor.close("-100", risk="0", quantity=Decimal(10000))
    answer = floor.buy("20000", stop_loss=None)
    assert isinstance(answer, m.BehaviourApproved)
    assert answer.order.quantity == 15000


def test_what_is_left_below_the_smallest_order_is_refused(floor: Floor) -> None:
    floor.close("-1", risk="1")
    assert reason(floor.buy()) == "below_minimum_quantity"


def test_a_loss_in_a_currency_without_a_rate_is_refused(floor: Floor) -> None:
    floor.close("-100", risk="100", symbol="USDJPY", currency="JPY")
    assert reason(floor.buy()) == "no_conversion_rate"


def test_a_closing_order_passes_on_tilt(floor: Floor) -> None:
    floor.desk.hold("EURUSD", Side.BUY, "10000", "1.1")
    floor.close("-100")
    floor.close("-100")
    closing = make_order("EURUSD", Side.SELL, "10000", QUOTE, reduce_only=True)
    assert reason(floor.judge(closing)) == "approved"
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
    assert floor.agent.handle(floor.desk.mark("EURUSD", "1.2")) == []
    assert floor.agent.state is before


def test_the_packaged_configuration_loads() -> None:
    loaded = load({"human_behavior": HumanBehaviorConfig}, directory=None, environment={})
    assert loaded.sections["human_behavior"].size_after_loss_ratio_max == Decimal("1.25")


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda: CoolDown(losses_in_a_row=0, pause_seconds=1), "losses_in_a_row"),
        (lambda: EntryRate(per_hour_max=5, per_day_max=4), "per_day_max"),
        (lambda: msgspec.structs.replace(CONFIG.fat_finger, orders_remembered=2), "orders_remembered"),
        (lambda: msgspec.structs.replace(CONFIG.fat_finger, price_fraction_max=Decimal("1.1")), "price_fraction_max"),
        (lambda: msgspec.structs.replace(CONFIG, size_after_loss_ratio_max=Decimal(0)), "size_after_loss_ratio_max"),
    ],
)
def test_a_senseless_limit_is_refused_by_name(make: Any, named: str) -> None:
    with pytest.raises(ValueError, match=named):
        make()


def test_other_lot_sizes_are_rounded_down_to() -> None:
    fine = make_instrument("EURUSD", "EUR", "USD", lot_size="7")
    floor = Floor(desk=Desk(instruments=(fine, BTCUSD)))
    floor.close("-1", risk="10")
    answer = floor.buy("7000")
    assert isinstance(answer, m.BehaviourApproved)
    assert answer.order.quantity == 1498  # 15 USD at 0.0100 a unit is 1,500 units, 214 lots of 7
