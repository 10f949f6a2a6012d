"""Slips of the hand: untagged, asked for twice, or with a price or a quantity that cannot be meant."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from tests.unit.agents.desk import Desk, make_account, make_order, make_quote
from tests.unit.agents.human_behavior.floor import Floor, check_of, reason, shown, with_limits
from tests.unit.core.samples import DENIED
from tmt import messages as m
from tmt.agents.human_behavior.habits import REQUESTS_MAX, Wish
from tmt.domain.order import OrderType, Side, TimeInForce


@pytest.fixture
def floor() -> Floor:
    return Floor()


@pytest.mark.parametrize(("quantity", "expected"), [("100000", "approved"), ("101000", "fat_finger_quantity")])
def test_ten_times_the_median_quantity_passes_and_a_lot_more_does_not(quantity: str, expected: str) -> None:
    config = with_limits("entries", per_hour_max=9, per_day_max=9)
    floor = Floor(config)
    for usual in ("1000", "10000", "10000", "90000"):
        floor.release(usual)
    assert reason(floor.buy(quantity)) == expected


def test_the_median_of_an_even_number_lies_between_the_middle_two() -> None:
    config = with_limits("entries", per_hour_max=9, per_day_max=9)
    floor = Floor(config)
    for usual in ("1000", "1000", "2000", "2000"):
        floor.release(usual)
    assert reason(floor.buy("15000")) == "approved"
    assert reason(floor.buy("16000")) == "fat_finger_quantity"


def test_quantities_are_not_compared_before_there_are_enough(floor: Floor) -> None:
    floor.release("1000")
    floor.release("1000")
    assert reason(floor.buy("900000")) == "approved"


@pytest.mark.parametrize(("limit", "expected"), [("1.0450", "approved"), ("1.0449", "fat_finger_price")])
def test_a_limit_price_may_be_exactly_the_fraction_away(floor: Floor, limit: str, expected: str) -> None:
    assert reason(floor.buy(limit=limit, stop_loss="1.0400")) == expected


def test_without_a_quote_the_order_is_refused(floor: Floor) -> None:
    order = make_order("GBPUSD", Side.BUY, "1000", make_quote("1.25"), stop_loss="1.24")
    assert reason(floor.judge(order)) == "no_mark"


@pytest.mark.parametrize(
    ("tags", "found"),
    [({"person": ""}, "1"), ({"strategy": ""}, "1"), ({"person": "", "strategy": ""}, "0")],
)
def test_an_order_without_strategy_or_person_is_refused(floor: Floor, tags: dict[str, str], found: str) -> None:
    answer = floor.buy(**tags)
    assert reason(answer) == "untagged"
    assert shown(check_of(answer, "tagged")) == (found, "2", "count", "deny", True)


def test_an_order_with_both_tags_passes(floor: Floor) -> None:
    assert shown(check_of(floor.buy(), "tagged")) == ("2", "2", "count", "pass", True)


@pytest.mark.parametrize(
    ("seconds", "expected"), [(0, "duplicate"), (4, "duplicate"), (5, "approved"), (6, "approved")]
)
def test_the_same_order_under_another_id_waits_for_the_window_to_pass(
    floor: Floor, seconds: int, expected: str
) -> None:
    assert reason(floor.buy()) == "approved"
    floor.desk.pass_seconds(seconds)
    assert reason(floor.buy()) == expected


def test_a_duplicate_names_the_order_it_repeats_and_how_long_ago(floor: Floor) -> None:
    floor.buy()
    floor.desk.pass_seconds(2)
    answer = floor.buy()
    assert shown(check_of(answer, "duplicate")) == ("2", "5", "seconds", "deny", True)
    assert isinstance(answer, m.OrderDenied)
    assert answer.detail == "alpha asked for the same 2.000000000 seconds ago, as order order-1"


def test_of_several_the_newest_counts(floor: Floor) -> None:
    for _ in range(2):
        floor.buy()
        floor.desk.pass_seconds(5)
    floor.desk.now_ns -= 10**9
    answer = floor.buy()
    assert shown(check_of(answer, "duplicate")) == ("4", "5", "seconds", "deny", True)


@pytest.mark.parametrize(
    "other",
    [
        {"side": Side.SELL, "stop_loss": "1.1100"},
        {"quantity": "11000"},
        {"stop_loss": "1.0899"},
        {"limit": "1.0990"},
    ],
)
def test_orders_that_differ_in_anything_are_no_duplicates(floor: Floor, other: dict[str, Any]) -> None:
    floor.buy()
    assert reason(floor.buy(**other)) == "approved"


@pytest.mark.parametrize("field", ["limit_price", "stop_price", "stop_loss_price", "take_profit_price"])
def test_every_price_makes_another_wish(floor: Floor, field: str) -> None:
    order = msgspec.structs.replace(
        floor.order(),
        type=OrderType.STOP_LIMIT,
        time_in_force=TimeInForce.GTC,
        limit_price=Decimal("1.1010"),
        stop_price=Decimal("1.1005"),
        take_profit_price=Decimal("1.1200"),
    )
    moved = msgspec.structs.replace(order, **{field: getattr(order, field) + Decimal("0.0001")})
    assert Wish.of(moved) != Wish.of(order)
    assert Wish.of(msgspec.structs.replace(order, order_id="another")) == Wish.of(order)


def test_the_same_order_of_another_account_is_no_duplicate() -> None:
    floor = Floor(desk=Desk(make_account("alpha"), make_account("beta")))
    floor.buy()
    assert reason(floor.buy(account="beta")) == "approved"


def test_what_was_denied_may_be_asked_for_again(floor: Floor) -> None:
    order = floor.order()
    floor.judge(order)
    floor.hear(floor.desk.say(m.OrderDenied, **{**DENIED, "order_id": order.order_id}))
    assert reason(floor.buy()) == "approved"


def test_the_denial_of_another_order_changes_nothing(floor: Floor) -> None:
    floor.buy()
    before = floor.agent.state
    floor.hear(floor.desk.say(m.OrderDenied, **{**DENIED, "order_id": "another"}))
    floor.hear(floor.desk.say(m.OrderDenied, **{**DENIED, "account": "ghost"}))
    assert floor.agent.state is before


def test_requests_older_than_the_window_are_forgotten(floor: Floor) -> None:
    floor.buy()
    floor.desk.pass_seconds(4)
    floor.buy("11000")
    assert len(floor.agent.state.accounts["alpha"].requests) == 2
    floor.desk.pass_seconds(1)
    floor.buy("12000")
    assert list(floor.agent.state.accounts["alpha"].requests) == ["order-2", "order-3"]


def test_an_order_is_compared_with_the_newest_requests_alone(floor: Floor) -> None:
    for lots in range(REQUESTS_MAX + 1):
        floor.buy(str(1000 + lots))
    requests = floor.agent.state.accounts["alpha"].requests
    assert [next(iter(requests)), len(requests)] == ["order-2", REQUESTS_MAX]


@pytest.mark.parametrize(("quantity", "expected"), [("1000000", "approved"), ("1001000", "notional_echo")])
def test_a_notional_of_exactly_the_ratio_of_equity_passes(floor: Floor, quantity: str, expected: str) -> None:
    answer = floor.buy(quantity)  # 1,000,000 EUR at 1.1 are 11 times 100,000 USD
    assert reason(answer) == expected
    check = check_of(answer, "notional_echo")
    assert (check.limit, check.unit, check.at_least) == (Decimal(11), "ratio", False)
    assert check.measured == Decimal(quantity) * Decimal("1.1") / 100_000


def test_a_notional_is_compared_in_the_accounts_currency() -> None:
    floor = Floor(desk=Desk(make_account(deposit="1000000", currency="JPY")))
    assert reason(floor.buy()) == "no_conversion_rate"
    floor.desk.mark("USDJPY", "100")
    assert reason(floor.buy("100000")) == "approved"  # 110,000 USD are 11,000,000 JPY, 11 times a million
    assert reason(floor.buy("101000")) == "notional_echo"


def test_the_echo_says_what_the_quantity_is_worth(floor: Floor) -> None:
    answer = floor.buy("2000000")
    assert isinstance(answer, m.OrderDenied)
    assert answer.detail == "2000000 EURUSD is worth 2200000.00 USD: was an amount of money meant?"


@pytest.mark.parametrize("price", ["0.9000", "0.8900"])
def test_without_equity_nothing_is_opened(floor: Floor, price: str) -> None:
    floor.desk.hold("GBPUSD", Side.BUY, "1000000", "1.0000")
    floor.desk.mark("GBPUSD", price)
    answer = floor.buy()
    assert reason(answer) == "notional_echo"
    assert check_of(answer, "notional_echo").limit == 0


def test_with_a_dollar_of_equity_the_ratio_decides(floor: Floor) -> None:
    floor.desk.hold("GBPUSD", Side.BUY, "1000000", "1.00000")
    floor.desk.mark("GBPUSD", "0.90200")
    assert shown(check_of(floor.buy("20000"), "notional_echo")) == ("11", "11", "ratio", "pass", False)


def test_unknown_equity_is_refused() -> None:
    floor = Floor(desk=Desk())
    floor.desk.hold("USDJPY", Side.BUY, "1000", "100")
    floor.desk.portfolio.state.marks.pop("USDJPY")
    floor.desk.portfolio._equity.clear()
    assert reason(floor.buy()) == "no_equity"


@pytest.mark.parametrize(
    ("side", "field", "price", "expected"),
    [
        (Side.BUY, "limit", "1.1550", "approved"),
        (Side.BUY, "limit", "1.1551", "fat_finger_price"),
        (Side.SELL, "limit", "1.1548", "approved"),
        (Side.SELL, "limit", "1.1549", "fat_finger_price"),
        (Side.SELL, "limit", "1.0450", "approved"),
        (Side.SELL, "limit", "1.0449", "fat_finger_price"),
    ],
)
def test_prices_are_measured_from_the_side_that_the_order_would_take(
    floor: Floor, side: Side, field: str, price: str, expected: str
) -> None:
    stop = "1.2000" if side is Side.SELL else "1.0000"
    assert reason(floor.buy(side=side, stop_loss=stop, **{field: price})) == expected


def test_the_further_of_two_prices_counts(floor: Floor) -> None:
    order = msgspec.structs.replace(
        floor.order(),
        type=OrderType.STOP_LIMIT,
        time_in_force=TimeInForce.GTC,
        limit_price=Decimal("1.1550"),
        stop_price=Decimal("1.1551"),
    )
    answer = floor.judge(order)
    assert reason(answer) == "fat_finger_price"
    assert shown(check_of(answer, "fat_finger_price")) == ("0.050091", "0.05", "fraction", "deny", False)


def test_quantities_of_the_last_few_entries_are_compared_as_a_ratio() -> None:
    floor = Floor(with_limits("entries", per_hour_max=9, per_day_max=9))
    for usual in ("900000", "1000", "2000", "2000", "2000"):
        floor.release(usual)
    assert shown(check_of(floor.buy("19000"), "fat_finger_quantity")) == ("9.5", "10", "ratio", "pass", False)
    assert shown(check_of(floor.buy("21000"), "fat_finger_quantity")) == ("10.5", "10", "ratio", "deny", False)
    assert shown(check_of(Floor().buy(), "fat_finger_quantity")) == ("0", "10", "ratio", "pass", False)


def test_an_order_against_unknown_or_no_equity_says_so(floor: Floor) -> None:
    floor.desk.hold("GBPUSD", Side.BUY, "1000000", "1.0000")
    floor.desk.mark("GBPUSD", "0.9000")
    answer = floor.buy()
    assert shown(check_of(answer, "notional_echo")) == ("0", "0", "USD", "deny", True)
    assert isinstance(answer, m.OrderDenied)
    assert answer.detail == "alpha has no equity, but 0 USD"


def test_refusals_say_what_was_found(floor: Floor) -> None:
    order = make_order("GBPUSD", Side.BUY, "1000", make_quote("1.25"), stop_loss="1.24")
    answers = [floor.judge(order), floor.buy(limit="1.0449", stop_loss="1.0400")]
    assert [each.detail for each in answers if isinstance(each, m.OrderDenied)] == [
        "no quote of GBPUSD is known",
        "the price is 0.0551 away from the quote 1.1000 of EURUSD",
    ]


def test_quantities_are_compared_from_the_third_entry_on_by_the_middle_one() -> None:
    floor = Floor(with_limits("entries", per_hour_max=9, per_day_max=9))
    for usual in ("1000", "2000", "9000"):
        floor.release(usual)
    answer = floor.buy("21000")
    assert shown(check_of(answer, "fat_finger_quantity")) == ("10.5", "10", "ratio", "deny", False)
    assert isinstance(answer, m.OrderDenied)
    assert answer.detail == "21000 EURUSD against a usual 2000 of the last 3 entries"


def test_a_price_at_the_quote_is_no_distance(floor: Floor) -> None:
    assert shown(check_of(floor.buy(), "fat_finger_price")) == ("0", "0.05", "fraction", "pass", False)
