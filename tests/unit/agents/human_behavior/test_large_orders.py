"""Which orders the gate slices, and what it shows of it."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from tests.unit.agents.desk import Desk, make_order
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
from tmt.domain.money import ZERO, decode_hook
from tmt.domain.order import Order, Side, TimeInForce
from tmt.domain.schedule import Algorithm
from tmt.market.bar import Timeframe

MINUTE_NS = 60 * 10**9


def with_volume(
    config: HumanBehaviorConfig = CONFIG, *, bars: int = 2, volume: str = "100000", desk: Desk | None = None
) -> Floor:
    """A floor where usually 100,000 units trade in a minute: 10,000 go out whole."""
    floor = Floor(config, desk)
    for _ in range(bars):
        closed = floor.desk.bar("EURUSD", "1.1", bid="1.0999", ask="1.1000")
        floor.hear(msgspec.structs.replace(closed, bar=msgspec.structs.replace(closed.bar, volume=Decimal(volume))))
    return floor


def approved(answer: m.Message) -> Order:
    assert isinstance(answer, m.BehaviourApproved), answer
    return answer.order


@pytest.mark.parametrize(("quantity", "slices"), [("9000", 0), ("10000", 0), ("11000", 2), ("20000", 2), ("21000", 3)])
def test_an_order_beyond_the_participation_is_sliced(quantity: str, slices: int) -> None:
    answer = with_volume().buy(quantity)
    order = approved(answer)
    assert (0 if order.schedule is None else len(order.schedule.slices)) == slices
    assert order.quantity == int(quantity)
    fraction = f"{Decimal(quantity) / 100_000:f}".rstrip("0")
    outcome = "warn" if slices else "pass"
    check = check_of(answer, "participation")
    assert shown(check) == (fraction, "0.1", "fraction", outcome, False)
    assert check.quantity_after == int(quantity)


def test_the_slices_sum_to_what_the_gate_has_left_of_the_order() -> None:
    floor = with_volume()
    floor.close("-100", risk="200")
    order = approved(floor.buy("40000"))  # one and a half times 200 USD at 0.0100 a unit
    assert order.schedule is not None
    assert order.quantity == order.schedule.quantity == 30000
    assert order.schedule.seed == order.order_id
    assert order.schedule.slices[0].due_ns == floor.desk.now_ns


def test_more_slices_than_allowed_are_not_made() -> None:
    schedule = approved(with_volume().buy("90000")).schedule
    assert schedule is not None
    assert [each.quantity for each in schedule.slices] == [22000, 23000, 22000, 23000]


@pytest.mark.parametrize(
    ("bars", "volume"), [(1, "100000"), (2, "0"), (0, "0")], ids=["too few bars", "no volume", "no bar"]
)
def test_where_the_usual_volume_is_unknown_the_order_goes_out_whole(bars: int, volume: str) -> None:
    answer = with_volume(bars=bars, volume=volume).buy("90000")
    assert approved(answer).schedule is None
    assert shown(check_of(answer, "participation")) == ("0", "0.1", "fraction", "pass", False)


def test_ticks_stand_for_volume_where_the_configuration_says_so() -> None:
    floor = with_volume(with_slicing("volume", lots_per_tick=Decimal(100)), volume="0")
    assert approved(floor.buy("10000")).schedule is None
    assert approved(floor.buy("11000")).schedule is not None


@pytest.mark.parametrize("time_in_force", [TimeInForce.GTC, TimeInForce.FOK], ids=["resting", "fill or kill"])
def test_an_order_that_cannot_be_cut_is_not(time_in_force: TimeInForce) -> None:
    floor = with_volume()
    order = floor.order("90000", limit="1.1" if time_in_force is TimeInForce.GTC else None)
    answer = floor.judge(msgspec.structs.replace(order, time_in_force=time_in_force))
    assert approved(answer).schedule is None
    assert shown(check_of(answer, "participation")) == ("0", "0.1", "fraction", "pass", False)


def test_a_closing_order_is_never_sliced() -> None:
    floor = with_volume()
    floor.desk.hold("EURUSD", Side.BUY, "90000", "1.1")
    closing = make_order("EURUSD", Side.SELL, "90000", QUOTE, reduce_only=True)
    assert approved(floor.judge(closing)).schedule is None


def test_an_order_too_small_for_two_slices_goes_out_whole_and_is_no_trial() -> None:
    answer = with_volume(volume="1").buy("1000")
    assert approved(answer).schedule is None
    assert shown(check_of(answer, "participation")) == ("1000", "0.1", "fraction", "warn", False)
    assert answer.checks[-1].rule == "human_behavior.participation"


def test_before_anything_is_known_slicing_is_shown_as_open() -> None:
    assert shown(check_of(with_volume().buy("20000"), "slicing")) == ("0", "0", "fraction", "pass", False)


def end(floor: Floor, order: Order, shortfall: str, reason: str = "completed") -> None:
    """Release a large order and end it."""
    floor.hear(floor.desk.approve(m.OrderReleased, order))
    assert order.schedule is not None
    floor.hear(
        floor.desk.say(
            m.ScheduleEnded,
            order_id=order.order_id,
            account=order.account,
            instrument=order.instrument,
            algorithm=order.schedule.algorithm,
            reason=reason,
            filled=order.quantity,
            arrival_price=Decimal("1.1"),
            average_price=Decimal("1.1"),
            shortfall_fraction=Decimal(shortfall),
            immediate_fraction=None,
        )
    )
    floor.desk.pass_seconds(2 * 3600)


def large(floor: Floor) -> m.BehaviourApproved:
    answer = floor.buy("20000")
    assert isinstance(answer, m.BehaviourApproved)
    return answer


def experienced(sliced: str, whole: str) -> Floor:
    """A floor that has seen two large orders of each kind."""
    floor = with_volume(with_limits("slicing", BUSY, trial=ALL_WHOLE))
    for _ in range(2):
        end(floor, approved(large(floor)), whole)
    floor.agent._config = BUSY
    for _ in range(2):
        end(floor, approved(large(floor)), sliced)
    return floor


BUSY = with_limits("entries", per_hour_max=99, per_day_max=99)
ALL_WHOLE = msgspec.structs.replace(CONFIG.slicing.trial, whole_fraction=Decimal(1))


def test_chance_may_send_a_large_order_out_whole_to_compare() -> None:
    floor = with_volume(with_limits("slicing", trial=ALL_WHOLE))
    order = approved(large(floor))
    assert order.schedule is not None
    assert [(each.due_ns, each.quantity) for each in order.schedule.slices] == [(floor.desk.now_ns, Decimal(20000))]


def test_where_it_pays_both_means_are_shown_and_slicing_goes_on() -> None:
    answer = large(experienced("0.001", "0.0015"))
    assert shown(check_of(answer, "slicing")) == ("0.001", "0.0014", "fraction", "pass", False)
    schedule = answer.order.schedule
    assert schedule is not None
    assert len(schedule.slices) == 2


def test_where_it_does_not_pay_it_is_off_for_a_while_and_then_tried_again() -> None:
    floor = experienced("0.001", "0.001")
    for left in ("2", "1"):
        answer = large(floor)
        assert shown(check_of(answer, "slicing")) == (left, "0", "count", "warn", False)
        schedule = answer.order.schedule
        assert schedule is not None
        assert len(schedule.slices) == 1
        end(floor, answer.order, "0.001")
    schedule = large(floor).order.schedule
    assert schedule is not None
    assert len(schedule.slices) == 2


def test_parents_are_forgotten_when_they_end_or_are_denied() -> None:
    floor = with_volume()
    order = approved(large(floor))
    floor.hear(floor.desk.approve(m.OrderReleased, order))
    assert floor.agent.state.parents == {order.order_id: 2}
    denial: dict[str, Any] = {"account": "alpha", "instrument": "EURUSD", "side": Side.BUY, "quantity": ZERO}
    told = {"gate": "execution", "reason": "r", "measured": ZERO, "limit": ZERO, "unit": "count", "detail": ""}
    floor.hear(floor.desk.say(m.OrderDenied, order_id=order.order_id, checks=(), config_hash="", **denial, **told))
    assert floor.agent.state.parents == {}
    floor.desk.pass_seconds(60)
    order = approved(large(floor))
    end(floor, order, "0.1")
    assert floor.agent.state.parents == {}
    assert floor.agent.state.evidence["EURUSD"].sliced == (Decimal("0.1"),)


def test_the_end_of_an_unknown_order_changes_nothing() -> None:
    floor = with_volume()
    order = approved(large(floor))
    end(floor, order, "0.1")
    before = floor.agent.state
    ended = floor.desk.say(
        m.ScheduleEnded,
        order_id="unknown",
        account="alpha",
        instrument="EURUSD",
        algorithm=Algorithm.TWAP,
        reason="completed",
        filled=ZERO,
        arrival_price=Decimal(1),
        average_price=None,
        shortfall_fraction=None,
        immediate_fraction=None,
    )
    floor.hear(ended)
    assert floor.agent.state is before


def test_what_it_knows_of_markets_and_large_orders_survives_a_snapshot() -> None:
    floor = experienced("0.001", "0.0015")
    floor.hear(floor.desk.approve(m.OrderReleased, approved(large(floor))))
    saved = msgspec.json.encode(floor.agent.state)
    assert msgspec.json.decode(saved, type=HumanBehaviorState, dec_hook=decode_hook) == floor.agent.state


def test_a_bar_of_a_longer_timeframe_changes_nothing() -> None:
    floor = with_volume()
    before = floor.agent.state
    floor.hear(floor.desk.bar("EURUSD", "1.1", timeframe=Timeframe.M5))
    assert floor.agent.state is before


def test_an_order_below_the_minimum_is_refused_before_it_is_sliced() -> None:
    floor = with_volume()
    floor.close("-1", risk="1")
    answer = floor.buy("20000")
    assert reason(answer) == "below_minimum_quantity"
    assert "participation" not in {check.rule.removeprefix("human_behavior.") for check in answer.checks}
