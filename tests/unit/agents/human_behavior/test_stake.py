"""In a run of losses all that is at stake counts, so that a martingale does not pass in several orders.

A loss of 100 USD at risk allows 150 in all: 15,000 EURUSD with a stop 0.0100 away.
"""

from typing import Any

import msgspec
import pytest

from tests.unit.agents.desk import EURUSD, GBPUSD, Desk, make_account, make_order, make_quote
from tests.unit.agents.human_behavior.floor import Floor, check_of, reason, shown
from tmt import messages as m
from tmt.domain.order import Order, Side

OTHER = make_quote("1.2500")


def other(quantity: str, symbol: str = "GBPUSD", side: Side = Side.BUY, **fields: Any) -> Order:
    """An order under way beside the one that is judged, at 1.2500 unless it is of EURUSD."""
    quote = make_quote("1.1000") if symbol == "EURUSD" else OTHER
    return make_order(symbol, side, quantity, quote, **{"order_id": f"other-{quantity}", **fields})


def lost(floor: Floor, risk: str = "100", **fields: Any) -> Floor:
    floor.close("-100", risk=risk, **fields)
    floor.desk.mark("EURUSD", "1.0999", "1.1000")
    return floor


@pytest.fixture
def floor() -> Floor:
    return lost(Floor())


def left(floor: Floor, quantity: str = "40000", **fields: Any) -> int:
    answer = floor.buy(quantity, **fields)
    assert isinstance(answer, m.BehaviourApproved)
    return int(answer.order.quantity)


AT_THE_LIMIT = [("4000", "1.4", 4000), ("5000", "1.5", 5000), ("6000", "1.6", 5000)]


@pytest.mark.parametrize(("quantity", "ratio", "allowed"), AT_THE_LIMIT)
def test_what_is_held_counts_up_to_the_ratio(floor: Floor, quantity: str, ratio: str, allowed: int) -> None:
    floor.desk.hold("EURUSD", Side.BUY, "10000", "1.1000", stop="1.0900")
    answer = floor.buy(quantity)
    assert isinstance(answer, m.BehaviourApproved)
    assert answer.order.quantity == allowed
    outcome = "pass" if ratio <= "1.5" else "reduce"
    assert shown(check_of(answer, "size_after_loss")) == (ratio, "1.5", "ratio", outcome, False)


@pytest.mark.parametrize(("quantity", "ratio", "allowed"), AT_THE_LIMIT)
def test_what_works_counts_up_to_the_ratio(floor: Floor, quantity: str, ratio: str, allowed: int) -> None:
    floor.desk.approve(m.OrderReleased, other("10000", "EURUSD", stop_loss="1.0900"))
    answer = floor.buy(quantity)
    assert isinstance(answer, m.BehaviourApproved)
    assert answer.order.quantity == allowed
    assert check_of(answer, "size_after_loss").measured.normalize().to_eng_string() == ratio


def test_orders_one_after_another_stake_no_more_than_one(floor: Floor) -> None:
    assert [left(floor, quantity) for quantity in ("9000", "8000")] == [9000, 6000]
    assert reason(floor.buy("7000")) == "below_minimum_quantity"


@pytest.mark.parametrize(("side", "stop"), [(Side.BUY, "1.2400"), (Side.SELL, "1.2600")])
def test_positions_of_either_side_in_other_instruments_count(floor: Floor, side: Side, stop: str) -> None:
    floor.desk.hold("GBPUSD", side, "10000", "1.2500", stop=stop)
    assert left(floor) == 5000


@pytest.mark.parametrize(
    ("stop", "allowed"), [("1.2499", 14000), ("1.2500", 15000), ("1.2501", 15000), ("1.2600", 15000)]
)
def test_a_stop_at_the_price_of_entry_or_better_stakes_nothing_and_earns_nothing(
    floor: Floor, stop: str, allowed: int
) -> None:
    floor.desk.hold("GBPUSD", Side.BUY, "10000", "1.2500", stop=stop)
    assert left(floor) == allowed


def test_a_position_without_a_stop_stakes_all_that_it_cost(floor: Floor) -> None:
    floor.desk.hold("GBPUSD", Side.SELL, "40", "1.2500")  # 50 USD
    assert left(floor) == 10000


def test_an_order_under_way_without_a_stop_stakes_its_notional(floor: Floor) -> None:
    floor.desk.approve(m.OrderReleased, other("40"))
    assert left(floor) == 10000


def test_notionals_are_added_where_the_loss_had_no_stop() -> None:
    floor = lost(Floor(), "0", quantity=10000 * EURUSD.point_value)  # 11,000 USD: 16,500 in all
    floor.desk.hold("GBPUSD", Side.BUY, "4000", "1.2500", stop="1.2400")
    floor.desk.approve(m.OrderReleased, other("2000", stop_loss="1.2400"))
    assert left(floor) == 8000  # 9,000 USD are left, 1.1 each


def test_nothing_is_left_where_more_than_all_is_staked(floor: Floor) -> None:
    floor.desk.hold("GBPUSD", Side.BUY, "20000", "1.2500", stop="1.2400")
    assert reason(floor.buy("1000")) == "below_minimum_quantity"


def test_a_position_against_the_order_is_staked_too(floor: Floor) -> None:
    floor.desk.hold("EURUSD", Side.SELL, "10000", "1.1000", stop="1.1100")
    assert left(floor) == 5000


def test_an_order_under_way_counts_whole(floor: Floor) -> None:
    floor.desk.hold("GBPUSD", Side.BUY, "10000", "1.2500", stop="1.2500")
    floor.desk.approve(m.OrderReleased, other("4000", side=Side.SELL, stop_loss="1.2600"))
    assert left(floor) == 11000


def test_an_order_that_only_reduces_stakes_nothing(floor: Floor) -> None:
    floor.desk.hold("GBPUSD", Side.BUY, "10000", "1.2500", stop="1.2500")
    floor.desk.approve(m.OrderReleased, other("12000", "EURUSD", reduce_only=True))
    assert left(floor) == 15000


def test_a_parent_counts_with_what_its_slices_have_not_taken_over(floor: Floor) -> None:
    parent = other("10000", stop_loss="1.2400")
    floor.desk.approve(m.OrderReleased, parent)
    for number, quantity in enumerate((4000, 6000)):
        floor.desk.say(
            m.OrderSubmitted,
            client_order_id=f"slice-{number}-client",
            order=msgspec.structs.replace(
                parent,
                order_id=f"slice-{number}",
                parent_id=parent.order_id,
                quantity=quantity * EURUSD.point_value,
            ),
            stop_loss_client_order_id=None,
            take_profit_client_order_id=None,
        )
        assert left(floor, "6000") == 5000
        floor.desk.portfolio.state.working.pop(f"order-{number + 1}")
        floor.desk.pass_seconds(5)


def test_other_accounts_stakes_are_their_own() -> None:
    floor = lost(Floor(desk=Desk(make_account("alpha"), make_account("beta"))))
    floor.desk.hold("GBPUSD", Side.BUY, "10000", "1.2500", account="beta")
    floor.desk.approve(m.OrderReleased, other("10000", account="beta"))
    assert left(floor) == 15000


def test_without_a_loss_nothing_is_added_up() -> None:
    floor = Floor()
    floor.desk.hold("GBPUSD", Side.BUY, "10000", "1.2500")
    assert shown(check_of(floor.buy(), "size_after_loss")) == ("0", "1.5", "ratio", "pass", False)


def test_stakes_in_other_currencies_are_converted(floor: Floor) -> None:
    floor.desk.hold("USDJPY", Side.BUY, "10000", "100", stop="99")  # 10,000 JPY are 100 USD
    assert left(floor) == 5000


def test_a_point_worth_more_stakes_more() -> None:
    double = msgspec.structs.replace(GBPUSD, point_value=2 * GBPUSD.point_value)
    floor = lost(Floor(desk=Desk(instruments=(EURUSD, double))))
    floor.desk.hold("GBPUSD", Side.BUY, "5000", "1.2500", stop="1.2400")
    assert left(floor) == 5000


@pytest.mark.parametrize(
    ("symbol", "rule", "detail"),
    [
        ("USDJPY", "no_conversion_rate", "no rate from JPY to USD is known"),
        ("XXXYYY", "unknown_instrument", "'XXXYYY' is not an instrument of this desk"),
    ],
)
def test_a_stake_that_cannot_be_measured_is_refused(floor: Floor, symbol: str, rule: str, detail: str) -> None:
    floor.desk.approve(m.OrderReleased, other("1000", symbol))
    answer = floor.buy("1000")
    assert isinstance(answer, m.OrderDenied)
    assert (answer.reason, answer.detail) == (rule, detail)
