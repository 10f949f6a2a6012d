"""What losses do to a trader, and how the gate holds against it, exactly at its limits."""

from decimal import Decimal

import msgspec
import pytest

from tests.unit.agents.desk import BTCUSD, Desk, make_account, make_instrument, make_order, make_quote
from tests.unit.agents.human_behavior.floor import Floor, check_of, reason, shown, with_limits
from tests.unit.core.samples import DENIED
from tmt import messages as m
from tmt.domain.order import Side


@pytest.fixture
def floor() -> Floor:
    return Floor()


@pytest.mark.parametrize(("seconds", "expected"), [(599, "cool_down"), (600, "approved"), (601, "approved")])
def test_after_two_losses_the_next_order_waits_the_whole_pause(floor: Floor, seconds: int, expected: str) -> None:
    floor.close("-100")
    floor.close("-100", after_seconds=seconds)
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


@pytest.mark.parametrize(("quantity", "left"), [("15000", 15000), ("16000", 15000), ("40000", 15000)])
def test_after_a_loss_risk_is_cut_to_the_ratio_of_the_losing_trades(floor: Floor, quantity: str, left: int) -> None:
    floor.close("-100", risk="100")  # 10,000 units with a stop 0.0100 away risk 100 as well
    answer = floor.buy(quantity)
    assert isinstance(answer, m.BehaviourApproved)
    assert answer.order.quantity == left
    assert check_of(answer, "size_after_loss").outcome == ("pass" if quantity == "15000" else "reduce")


def test_the_first_loss_of_a_run_is_the_measure_so_the_ratio_cannot_compound() -> None:
    floor = Floor(with_limits("cool_down", losses_in_a_row=9))
    floor.close("-100", risk="100")
    floor.close("-150", risk="150")
    answer = floor.buy("20000")
    assert isinstance(answer, m.BehaviourApproved)
    assert answer.order.quantity == 15000


def test_a_small_partial_fill_is_measured_by_the_order_it_was_part_of(floor: Floor) -> None:
    floor.release("10000")
    floor.desk.say(m.OrderDenied, **{**DENIED, "order_id": "order-1"})  # what did not fill works no longer
    trip = floor.desk.close_trip(realised="-10", risk="10", quantity=Decimal(1000))
    floor.hear(msgspec.structs.replace(trip, order_id="order-1"))
    floor.desk.pass_seconds(60)
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


def test_other_lot_sizes_are_rounded_down_to() -> None:
    fine = make_instrument("EURUSD", "EUR", "USD", lot_size="7")
    floor = Floor(desk=Desk(instruments=(fine, BTCUSD)))
    floor.close("-1", risk="10")
    answer = floor.buy("7000")
    assert isinstance(answer, m.BehaviourApproved)
    assert answer.order.quantity == 1498  # 15 USD at 0.0100 a unit is 1,500 units, 214 lots of 7


@pytest.mark.parametrize(("seconds", "expected"), [(0, "revenge"), (59, "revenge"), (60, "approved"), (61, "approved")])
def test_back_into_what_lost_on_the_same_side_waits(floor: Floor, seconds: int, expected: str) -> None:
    floor.close("-100", after_seconds=seconds, quantity=Decimal(10000))
    answer = floor.buy("10000")
    assert reason(answer) == expected
    outcome = "pass" if expected == "approved" else "deny"
    assert shown(check_of(answer, "revenge")) == (str(seconds), "60", "seconds", outcome, True)


@pytest.mark.parametrize(("quantity", "expected"), [("10000", "approved"), ("11000", "revenge")])
def test_the_other_side_may_be_entered_at_once_with_no_more_than_what_lost(
    floor: Floor, quantity: str, expected: str
) -> None:
    floor.close("-100", after_seconds=0, quantity=Decimal(10000))
    assert reason(floor.buy(quantity, side=Side.SELL, stop_loss="1.1010")) == expected


def test_revenge_is_of_the_account_and_the_instrument_that_lost() -> None:
    floor = Floor(desk=Desk(make_account("alpha"), make_account("beta")))
    floor.close("-100", after_seconds=0, account="beta")
    floor.close("-100", after_seconds=0, symbol="GBPUSD")
    assert shown(check_of(floor.buy(), "revenge")) == ("0", "0", "count", "pass", False)


def test_a_win_is_nothing_to_avenge_and_does_not_excuse_the_loss_before_it(floor: Floor) -> None:
    floor.close("100", after_seconds=0)
    assert reason(floor.buy()) == "approved"
    floor.close("-100", after_seconds=0)
    floor.close("100", after_seconds=0)
    assert reason(floor.buy("11000")) == "revenge"


def test_a_pause_shows_how_long_is_left(floor: Floor) -> None:
    floor.close("-100", after_seconds=0)
    floor.close("-100", after_seconds=100)
    assert shown(check_of(floor.buy(), "cool_down")) == ("500", "0", "seconds", "deny", False)


def held_at(floor: Floor, quantity: str = "10000", price: str = "1.2000", side: Side = Side.BUY) -> None:
    """A position opened by a released order, under water unless it was bought below or sold above the market."""
    order = floor.release(quantity, side=side, stop_loss=None)
    floor.desk.fill(order, price)
    floor.desk.mark("EURUSD", "1.0999", "1.1000")


@pytest.mark.parametrize(("quantity", "left"), [("4000", 4000), ("5000", 5000), ("6000", 5000), ("20000", 5000)])
def test_a_losing_position_grows_to_the_ratio_of_what_opened_it(floor: Floor, quantity: str, left: int) -> None:
    held_at(floor)
    answer = floor.buy(quantity)
    assert isinstance(answer, m.BehaviourApproved)
    assert answer.order.quantity == left
    ratio = f"{1 + Decimal(quantity) / 10000:f}".rstrip("0").rstrip(".")
    outcome = "pass" if int(quantity) <= 5000 else "reduce"
    assert shown(check_of(answer, "averaging_down")) == (ratio, "1.5", "ratio", outcome, False)


def test_additions_do_not_raise_what_may_be_added(floor: Floor) -> None:
    held_at(floor)
    floor.desk.fill(floor.order("4000", stop_loss=None), "1.1")
    answer = floor.buy("5000")
    assert isinstance(answer, m.BehaviourApproved)
    assert answer.order.quantity == 1000


def test_what_is_on_its_way_counts(floor: Floor) -> None:
    held_at(floor)
    assert reason(floor.buy("4000")) == "approved"
    answer = floor.buy("5000")
    assert isinstance(answer, m.BehaviourApproved)
    assert answer.order.quantity == 1000
    assert reason(floor.buy("7000")) == "below_minimum_quantity"


def test_orders_of_the_other_side_and_of_other_instruments_do_not_count_as_on_their_way(floor: Floor) -> None:
    held_at(floor)
    floor.desk.approve(m.OrderSized, floor.order("3000", side=Side.SELL, stop_loss=None))
    floor.desk.approve(m.OrderSized, make_order("GBPUSD", Side.BUY, "3000", make_quote("1.25"), order_id="other"))
    answer = floor.buy("6000")
    assert isinstance(answer, m.BehaviourApproved)
    assert answer.order.quantity == 5000


@pytest.mark.parametrize(("price", "left"), [("1.0999", 20000), ("1.1000", 20000), ("1.1001", 5000)])
def test_to_add_to_a_long_position_below_its_mean_price_is_to_average_down(floor: Floor, price: str, left: int) -> None:
    held_at(floor, price=price)
    answer = floor.buy("20000")
    assert isinstance(answer, m.BehaviourApproved)
    assert answer.order.quantity == left


@pytest.mark.parametrize(("price", "left"), [("1.0998", 5000), ("1.0999", 20000), ("1.1000", 20000)])
def test_to_add_to_a_short_position_above_its_mean_price_is_too(floor: Floor, price: str, left: int) -> None:
    held_at(floor, price=price, side=Side.SELL)
    answer = floor.buy("20000", side=Side.SELL, stop_loss="1.1100")
    assert isinstance(answer, m.BehaviourApproved)
    assert answer.order.quantity == left


@pytest.mark.parametrize(("limit", "left"), [("1.0950", 20000), ("1.0949", 5000)])
def test_a_limit_that_would_add_further_down_is_averaging_down_before_the_market_falls(limit: str, left: int) -> None:
    floor = Floor()
    held_at(floor, price="1.0950")
    answer = floor.buy("20000", limit=limit)
    assert isinstance(answer, m.BehaviourApproved)
    assert answer.order.quantity == left


def test_an_order_against_a_losing_position_adds_nothing(floor: Floor) -> None:
    held_at(floor)
    assert shown(check_of(floor.buy("20000", side=Side.SELL, stop_loss="1.11"), "averaging_down")) == (
        "0",
        "1.5",
        "ratio",
        "pass",
        False,
    )


def test_a_position_whose_opening_is_forgotten_is_measured_by_what_is_held(floor: Floor) -> None:
    floor.desk.hold("EURUSD", Side.BUY, "8000", "1.2")
    floor.desk.mark("EURUSD", "1.0999", "1.1000")
    answer = floor.buy("9000")
    assert isinstance(answer, m.BehaviourApproved)
    assert answer.order.quantity == 4000


def test_a_slice_opens_what_its_parent_meant(floor: Floor) -> None:
    parent = floor.release("10000", stop_loss=None)
    child = msgspec.structs.replace(parent, order_id="slice-0", parent_id=parent.order_id, quantity=Decimal(2000))
    floor.hear(
        floor.desk.say(
            m.OrderSubmitted,
            client_order_id="slice-0-client",
            order=child,
            stop_loss_client_order_id=None,
            take_profit_client_order_id=None,
        )
    )
    assert floor.agent.state.accounts["alpha"].intended == {"order-1": 10000, "slice-0": 10000}


def test_a_slice_of_an_unknown_parent_meant_itself_and_a_whole_order_is_known_by_its_release(floor: Floor) -> None:
    order = floor.order("3000")
    submitted = floor.desk.make(
        m.OrderSubmitted,
        client_order_id="client",
        order=order,
        stop_loss_client_order_id=None,
        take_profit_client_order_id=None,
    )
    before = floor.agent.state
    floor.hear(submitted)
    assert floor.agent.state is before
    child = msgspec.structs.replace(order, order_id="slice", parent_id="gone")
    floor.hear(msgspec.structs.replace(submitted, order=child))
    assert floor.agent.state.accounts["alpha"].intended == {"slice": 3000}


def held(floor: Floor, realised: str, seconds: int) -> None:
    """A trade that ends now, held for `seconds`."""
    opened_at_ns = floor.desk.now_ns - seconds * 10**9
    floor.close(realised, after_seconds=0, opened_at_ns=opened_at_ns, symbol="GBPUSD")


def habitual(*losers: int, winners: tuple[int, ...] = (100, 100)) -> Floor:
    floor = Floor(with_limits("cool_down", losses_in_a_row=99))
    for seconds in losers:
        held(floor, "-100", seconds)
    for seconds in winners:
        held(floor, "100", seconds)
    return floor


@pytest.mark.parametrize(
    ("losers", "ratio", "limit", "outcome", "left"),
    [
        ((199, 201), "2", "2", "pass", 9000),
        ((200, 201), "2.005", "2", "warn", 9000),
        ((300, 300), "3", "2", "warn", 9000),
        ((300, 301), "3.005", "3", "reduce", 4000),
    ],
)
def test_losers_held_longer_than_winners_warn_and_then_cut_to_the_fraction(
    losers: tuple[int, ...], ratio: str, limit: str, outcome: str, left: int
) -> None:
    answer = habitual(*losers).buy("9000")
    assert isinstance(answer, m.BehaviourApproved)
    assert answer.order.quantity == left
    assert shown(check_of(answer, "disposition")) == (ratio, limit, "ratio", outcome, False)


@pytest.mark.parametrize(
    ("losers", "winners"), [((900,), (1, 1)), ((900, 900), (1,)), ((), (1, 1, 1)), ((900, 900, 900), ())]
)
def test_few_losers_or_winners_prove_no_habit(losers: tuple[int, ...], winners: tuple[int, ...]) -> None:
    answer = habitual(*losers, winners=winners).buy()
    assert shown(check_of(answer, "disposition")) == ("0", "2", "ratio", "pass", False)


def test_means_are_compared_not_sums() -> None:
    floor = habitual(100, 100, 100, 100)
    assert shown(check_of(floor.buy(), "disposition"))[0] == "1"


def test_only_the_newest_trades_count_and_those_that_made_nothing_do_not() -> None:
    floor = habitual(100_000, 100, 100, winners=(100, 100, 100))
    held(floor, "0", 100_000)
    assert shown(check_of(floor.buy(), "disposition"))[0] == "334"
    held(floor, "100", 100)
    assert shown(check_of(floor.buy("11000"), "disposition"))[0] == "1"
    assert len(floor.agent.state.accounts["alpha"].holdings) == 6


def test_winners_that_were_closed_at_once_count_as_a_nanosecond() -> None:
    answer = habitual(1, 1, winners=(0, 0)).buy()
    assert check_of(answer, "disposition").measured == 2 * 10**9


def test_an_order_against_a_position_is_cut_whole() -> None:
    floor = habitual(900, 900)
    floor.desk.hold("EURUSD", Side.SELL, "6000", "1.1")
    floor.desk.mark("EURUSD", "1.0999", "1.1000")
    answer = floor.buy("10000")
    assert isinstance(answer, m.BehaviourApproved)
    assert answer.order.quantity == 5000


@pytest.mark.parametrize(("quantity", "ratio", "outcome"), [("7000", "1.4", "pass"), ("8000", "1.6", "reduce")])
def test_the_size_after_a_loss_is_shown_as_a_ratio(floor: Floor, quantity: str, ratio: str, outcome: str) -> None:
    floor.close("-100", risk="50")
    assert shown(check_of(floor.buy(quantity), "size_after_loss")) == (ratio, "1.5", "ratio", outcome, False)


def test_after_a_loss_a_reversal_is_judged_whole(floor: Floor) -> None:
    floor.desk.hold("EURUSD", Side.SELL, "20000", "1.1", stop="1.1")
    floor.desk.mark("EURUSD", "1.0999", "1.1000")
    floor.close("-10", risk="10")
    answer = floor.buy("20000")
    assert isinstance(answer, m.BehaviourApproved)
    assert answer.order.quantity == 1000  # one and a half times 10 USD, at 0.0100 a unit, in whole lots


def test_a_stop_at_the_entry_risks_nothing_and_passes(floor: Floor) -> None:
    floor.close("-100", risk="1")
    assert shown(check_of(floor.buy(stop_loss="1.1000"), "size_after_loss")) == ("0", "1.5", "ratio", "pass", False)


def test_a_loss_without_a_stop_in_a_market_without_a_quote_is_refused(floor: Floor) -> None:
    floor.close("-100", risk="0", symbol="GBPUSD")
    assert reason(floor.buy(stop_loss=None)) == "no_mark"


def test_losses_of_one_account_alone_are_counted_by_their_size(floor: Floor) -> None:
    floor.close("-100", risk="100", quantity=Decimal(500))
    loser = floor.agent.state.accounts["alpha"].first_loss
    assert loser is not None
    assert (loser.quantity, loser.risk_amount, loser.side) == (Decimal(500), Decimal(100), Side.BUY)


def test_a_win_forgets_the_losses_before_it(floor: Floor) -> None:
    floor.close("-100", risk="10")
    floor.close("1")
    assert shown(check_of(floor.buy("9000"), "size_after_loss")) == ("0", "1.5", "ratio", "pass", False)
    floor.close("-100")
    answer = floor.buy("10000")
    assert shown(check_of(answer, "cool_down")) == ("0", "0", "seconds", "pass", False)
    floor.close("-100", after_seconds=100)
    refused = floor.buy("10000")
    assert isinstance(refused, m.OrderDenied)
    assert refused.detail == "2 losses in a row: alpha pauses for another 500.000000000 seconds"


def test_revenge_is_told_with_what_lost(floor: Floor) -> None:
    floor.close("-100", after_seconds=7, quantity=Decimal(3000))
    refused = floor.buy()
    assert isinstance(refused, m.OrderDenied)
    assert refused.detail == "a buy of 3000 EURUSD lost 7.000000000 seconds ago"


def test_a_loss_without_a_stop_is_compared_by_notional_though_the_order_has_one(floor: Floor) -> None:
    floor.close("-100", risk="0", quantity=Decimal(10000))
    answer = floor.buy("20000")
    assert isinstance(answer, m.BehaviourApproved)
    assert answer.order.quantity == 15000


def test_an_order_without_a_stop_is_compared_by_notional_though_the_loss_had_one(floor: Floor) -> None:
    floor.close("-100", risk="1", quantity=Decimal(10000))
    answer = floor.buy("20000", stop_loss=None)
    assert isinstance(answer, m.BehaviourApproved)
    assert answer.order.quantity == 15000


def test_a_loss_in_another_currency_is_converted(floor: Floor) -> None:
    floor.close("-10000", risk="10000", symbol="USDJPY", currency="JPY")
    refused = floor.buy()
    assert isinstance(refused, m.OrderDenied)
    assert refused.detail == "no rate from JPY to USD is known"
    floor.desk.mark("USDJPY", "100")
    answer = floor.buy("20000")  # 10,000 JPY are 100 USD
    assert isinstance(answer, m.BehaviourApproved)
    assert answer.order.quantity == 15000


def test_an_order_in_another_currency_is_converted(floor: Floor) -> None:
    floor.close("-100", risk="100")
    floor.desk.mark("USDJPY", "100")
    order = make_order("USDJPY", Side.BUY, "20000", make_quote("100"), stop_loss="99")
    answer = floor.judge(order)  # 1 JPY a unit is a cent
    assert isinstance(answer, m.BehaviourApproved)
    assert answer.order.quantity == 15000


def test_a_point_that_is_worth_more_risks_more() -> None:
    double = msgspec.structs.replace(make_instrument("EURUSD", "EUR", "USD"), point_value=Decimal(2))
    floor = Floor(desk=Desk(instruments=(double,)))
    floor.close("-100", risk="100")
    answer = floor.buy("20000")
    assert isinstance(answer, m.BehaviourApproved)
    assert answer.order.quantity == 7000


def test_a_quote_missing_for_the_loss_is_named(floor: Floor) -> None:
    floor.close("-100", risk="0", symbol="GBPUSD")
    refused = floor.buy(stop_loss=None)
    assert isinstance(refused, m.OrderDenied)
    assert refused.detail == "no quote of GBPUSD is known"


def test_what_is_on_its_way_is_in_the_ratio_shown(floor: Floor) -> None:
    held_at(floor)
    floor.buy("4000")
    assert shown(check_of(floor.buy("5000"), "averaging_down")) == ("1.9", "1.5", "ratio", "reduce", False)
