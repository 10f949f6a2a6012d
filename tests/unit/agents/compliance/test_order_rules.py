"""Do the rules about one order's size, price, person and opposite pass at their limits and refuse one step beyond?"""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from tests.unit.agents.compliance.court import Court, book_with, reason
from tests.unit.agents.desk import Desk, make_account, make_order, make_quote
from tmt import messages as m
from tmt.agents.compliance.conduct_rules import (
    OrderRate,
    PermittedPersons,
    PriceCollar,
    PriceDrift,
    SelfCrossing,
    Sessions,
)
from tmt.agents.compliance.crossing import Offer
from tmt.agents.compliance.rules import (
    Leverage,
    OrderNotionalMax,
    OrderQuantityMax,
    PositionSizeMax,
    PositionsMax,
    RiskPerTrade,
)
from tmt.domain.order import OrderType, Side, TimeInForce

BUY, SELL = Side.BUY, Side.SELL
CROSSING = SelfCrossing(id="cross", hard=True)


def check(answer: m.Message, rule: str) -> Any:
    assert isinstance(answer, m.OrderDenied | m.ComplianceApproved)
    [found] = [check for check in answer.checks if check.rule == f"compliance.{rule}"]
    return found


@pytest.mark.parametrize(("amount", "expected"), [("1100", "approved"), ("1099.99", "value"), ("1100.01", "approved")])
def test_the_notional_of_one_order_is_bounded(amount: str, expected: str) -> None:
    court = Court(book_with(OrderNotionalMax(id="value", hard=True, amount_max=Decimal(amount))))
    answer = court.buy("1000")  # at 1.1000
    assert reason(answer) == expected
    found = check(answer, "value")
    assert (found.measured, found.limit, found.unit) == (Decimal(1100), Decimal(amount), "USD")


def test_the_notional_of_an_order_is_in_the_accounts_currency() -> None:
    rule = OrderNotionalMax(id="value", hard=True, amount_max=Decimal(1000))
    court = Court(book_with(rule))
    court.desk.mark("USDJPY", "160")
    quote = make_quote("160")
    assert reason(court.order("USDJPY", BUY, "1000", quote=quote, stop_loss="159")) == "approved"
    assert reason(court.order("USDJPY", BUY, "2000", quote=quote, stop_loss="159")) == "value"


def test_a_limit_order_is_valued_at_its_limit() -> None:
    court = Court(book_with(OrderNotionalMax(id="value", hard=True, amount_max=Decimal(1050))))
    assert reason(court.buy("1000", limit="1.0500", stop_loss="1.04")) == "approved"
    assert reason(court.buy("1000", limit="1.0501", stop_loss="1.04")) == "value"


@pytest.mark.parametrize(("quantity", "expected"), [("4000", "approved"), ("5000", "approved"), ("6000", "size")])
def test_the_lots_of_one_order_are_bounded(quantity: str, expected: str) -> None:
    court = Court(book_with(OrderQuantityMax(id="size", hard=True, lots_max=5)))
    answer = court.buy(quantity)
    assert reason(answer) == expected
    found = check(answer, "size")
    assert (found.measured, found.limit, found.unit) == (Decimal(quantity) / 1000, Decimal(5), "lots")


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        (OrderNotionalMax, {"amount_max": Decimal(0)}),
        (OrderQuantityMax, {"lots_max": 0}),
        (PriceDrift, {"minutes": 0, "fraction_max": Decimal("0.1")}),
        (PriceDrift, {"minutes": 61, "fraction_max": Decimal("0.1")}),
        (PriceDrift, {"minutes": 1, "fraction_max": Decimal("1.1")}),
        (PositionsMax, {"count_max": 0}),
        (OrderRate, {"per_minute_max": 0}),
        (PriceCollar, {"quote_fraction_max": Decimal("1.1")}),
        (RiskPerTrade, {"equity_fraction_max": Decimal("1.1")}),
        (PositionSizeMax, {"equity_ratio_max": Decimal(0)}),
        (Leverage, {"equity_ratio_max": Decimal(0)}),
        (Sessions, {"flat_before_weekly_close_minutes": -1}),
        (Sessions, {"flat_before_weekly_close_minutes": 61}),
    ],
)
def test_limits_out_of_bounds_are_refused(kind: Any, fields: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"(amount|lots|fraction|count|per_minute|ratio)_max|minutes"):
        kind(id="rule", hard=True, **fields)


def test_limits_at_their_bounds_are_taken() -> None:
    assert OrderQuantityMax(id="rule", hard=True, lots_max=1).lots_max == 1
    assert PositionsMax(id="rule", hard=True, count_max=1).count_max == 1
    assert OrderRate(id="rule", hard=True, per_minute_max=1).per_minute_max == 1
    for minutes in (0, 60):
        assert Sessions(id="rule", hard=True, flat_before_weekly_close_minutes=minutes).flatten is False
    for minutes in (1, 60):
        assert PriceDrift(id="rule", hard=True, minutes=minutes, fraction_max=Decimal(1)).minutes == minutes


@pytest.mark.parametrize(
    ("person", "expected"), [("ann", "approved"), ("bob", "approved"), ("", "who"), ("eve", "who")]
)
def test_only_permitted_persons_answer_for_orders(person: str, expected: str) -> None:
    court = Court(book_with(PermittedPersons(id="who", hard=True, persons=("ann", "bob"))))
    order = msgspec.structs.replace(
        make_order("EURUSD", BUY, "1000", make_quote("1.1"), stop_loss="1.09"), person=person
    )
    answer = court.judge(order)
    assert reason(answer) == expected
    assert check(answer, "who").at_least


# Drift: the quote moves minute by minute; bid and ask are equal.


def drifting(rule: PriceDrift, *prices: str, seconds: int = 60) -> Court:
    """A court that has heard one mark every `seconds`, the last one now."""
    court = Court(book_with(rule))
    for price in prices:
        court.desk.pass_seconds(seconds)
        court.agent.handle(court.desk.mark("EURUSD", price))
    return court


def drift(minutes: int, fraction: str = "0.02") -> PriceDrift:
    return PriceDrift(id="drift", hard=True, minutes=minutes, fraction_max=Decimal(fraction))


@pytest.mark.parametrize(
    ("now", "expected"),
    [("1.0200", "approved"), ("1.0201", "drift"), ("1.0199", "approved"), ("0.9800", "approved"), ("0.9799", "drift")],
)
def test_a_quote_that_drifted_too_far_is_refused(now: str, expected: str) -> None:
    court = drifting(drift(2), "1.0000", "1.0000", "1.0000", "1.0100", now)
    assert reason(court.buy("1000", quote=make_quote(now), stop_loss="0.97")) == expected


def test_a_move_before_the_period_does_not_count() -> None:
    court = drifting(drift(2), "1.0000", "1.0500", "1.0500", "1.0500")
    assert reason(court.buy("1000", quote=make_quote("1.05"), stop_loss="1.04")) == "approved"
    court = drifting(drift(3), "1.0000", "1.0500", "1.0500", "1.0500")
    assert reason(court.buy("1000", quote=make_quote("1.05"), stop_loss="1.04")) == "drift"


def test_marks_younger_than_the_period_serve_when_there_is_no_older_one() -> None:
    court = drifting(drift(60), "1.0800")  # the first mark, a minute ago, was 1.1000
    answer = court.buy("1000", quote=make_quote("1.08"), stop_loss="1.07")
    assert reason(answer) == "approved"
    assert check(answer, "drift").measured == Decimal("0.018182")
    court = drifting(drift(60), "1.0700")
    assert reason(court.buy("1000", quote=make_quote("1.07"), stop_loss="1.06")) == "drift"


def test_drift_is_of_the_side_that_the_order_takes() -> None:
    court = Court(book_with(drift(1, "0")))  # bid 1.0999, ask 1.1000
    court.desk.pass_seconds(60)
    court.agent.handle(court.desk.mark("EURUSD", "1.0999", "1.1001"))
    assert reason(court.order("EURUSD", SELL, "1000", stop_loss="1.12")) == "approved"
    assert reason(court.buy("1000")) == "drift"


def test_a_gap_over_a_weekend_counts() -> None:
    court = drifting(drift(1), "1.0500", seconds=2 * 86400)
    assert reason(court.buy("1000", quote=make_quote("1.05"), stop_loss="1.04")) == "drift"


def test_an_instrument_that_was_never_marked_is_refused() -> None:
    court = Court(book_with(drift(1)))
    court.desk.mark("GBPUSD", "1.25")  # known to the portfolio, but not heard by the gate
    answer = court.order("GBPUSD", BUY, "1000", quote=make_quote("1.25"), stop_loss="1.24")
    assert isinstance(answer, m.OrderDenied)
    assert (answer.reason, answer.detail) == ("no_mark", "no earlier quote of GBPUSD is known")


# Crossing: alpha works an order, and the order under judgement comes from alpha or beta.


def two_accounts(**beta: str) -> Court:
    other = msgspec.structs.replace(make_account("beta"), **beta)
    return Court(book_with(CROSSING), desk=Desk(make_account("alpha"), other))


@pytest.mark.parametrize(
    ("side", "limit", "expected"),
    [
        (BUY, "1.0990", "cross"),
        (BUY, "1.0991", "cross"),
        (BUY, "1.0989", "approved"),
        (SELL, "1.0990", "approved"),
        (SELL, "1.0980", "approved"),
    ],
)
@pytest.mark.parametrize("account", ["alpha", "beta"])
def test_an_order_at_or_through_an_own_order_is_refused(side: Side, limit: str, expected: str, account: str) -> None:
    court = two_accounts()
    court.work("EURUSD", SELL, "3000", "1.1", stop="1.12", limit="1.0990")
    answer = court.order("EURUSD", side, "1000", limit=limit, account=account)
    assert reason(answer) == expected
    found = check(answer, "cross")
    assert (found.measured, found.limit, found.unit) == (
        Decimal(3000 if expected == "cross" else 0),
        Decimal(0),
        "units",
    )


@pytest.mark.parametrize(("limit", "expected"), [("1.0990", "cross"), ("1.0989", "cross"), ("1.0991", "approved")])
def test_selling_into_an_own_bid_is_refused(limit: str, expected: str) -> None:
    court = two_accounts()
    court.work("EURUSD", BUY, "1000", "1.1", stop="1.08", limit="1.0990")
    assert reason(court.order("EURUSD", SELL, "1000", limit=limit, account="beta")) == expected


@pytest.mark.parametrize(("limit", "expected"), [("1.1000", "cross"), ("1.1001", "approved"), ("1.0999", "cross")])
def test_an_order_at_the_market_counts_at_the_ask_it_buys_at(limit: str, expected: str) -> None:
    court = two_accounts()
    court.work("EURUSD", SELL, "1000", "1.1", stop="1.12", limit=limit)
    assert reason(court.buy("1000")) == expected


@pytest.mark.parametrize(("limit", "expected"), [("1.0999", "cross"), ("1.0998", "approved"), ("1.1000", "cross")])
def test_an_order_at_the_market_counts_at_the_bid_it_sells_at(limit: str, expected: str) -> None:
    court = two_accounts()
    court.work("EURUSD", BUY, "1000", "1.1", stop="1.08", limit=limit)
    assert reason(court.order("EURUSD", SELL, "1000")) == expected


def test_two_orders_at_the_market_cannot_trade_with_one_another() -> None:
    court = two_accounts()
    court.work("EURUSD", SELL, "1000", "1.1", stop="1.12")
    assert reason(court.buy("1000")) == "approved"


@pytest.mark.parametrize(
    ("time_in_force", "expected"),
    [
        (TimeInForce.IOC, "approved"),
        (TimeInForce.FOK, "approved"),
        (TimeInForce.GTC, "cross"),
        (TimeInForce.DAY, "cross"),
    ],
)
def test_one_of_two_orders_must_rest(time_in_force: TimeInForce, expected: str) -> None:
    court = two_accounts()
    court.work("EURUSD", SELL, "1000", "1.1", stop="1.12")  # at the market, 1.0999
    order = make_order("EURUSD", BUY, "1000", make_quote("1.1"), order_id="mine", limit="1.0999", account="beta")
    assert reason(court.judge(msgspec.structs.replace(order, time_in_force=time_in_force))) == expected


def test_what_another_owner_works_does_not_matter() -> None:
    court = two_accounts(owner="somebody")
    court.work("EURUSD", SELL, "1000", "1.1", stop="1.12", limit="1.0990")
    assert reason(court.buy("1000", account="beta")) == "approved"
    assert reason(court.buy("1000", account="alpha")) == "cross"


def test_another_instrument_does_not_matter() -> None:
    court = two_accounts()
    court.work("GBPUSD", SELL, "1000", "1.25", stop="1.26", limit="1.0990")
    assert reason(court.buy("1000")) == "approved"


@pytest.mark.parametrize("working_is_stop", [True, False])
@pytest.mark.parametrize("kind", [OrderType.STOP, OrderType.STOP_LIMIT, OrderType.TRAILING_STOP])
def test_a_stop_that_has_not_been_triggered_does_not_count(kind: OrderType, working_is_stop: bool) -> None:
    court = two_accounts()
    price = Decimal("1.0990")
    stop = msgspec.structs.replace(
        make_order("EURUSD", BUY, "1000", make_quote("1.1"), order_id="stop"),
        type=kind,
        stop_price=price,
        limit_price=price if kind is OrderType.STOP_LIMIT else None,
        trail_offset=Decimal("0.01") if kind is OrderType.TRAILING_STOP else None,
    )
    limit = make_order("EURUSD", SELL, "1000", make_quote("1.1"), order_id="limit", limit="1.0980", account="beta")
    working, judged = (stop, limit) if working_is_stop else (limit, stop)
    court.desk.approve(m.OrderReleased, working)
    assert reason(court.judge(judged)) == "approved"


def exit_at(court: Court, role: str, price: str) -> None:
    """An exit of alpha's long position works at the venue."""
    court.desk.say(
        m.OrderAccepted,
        client_order_id=f"{role}-client",
        order_id="held-1",
        account="alpha",
        instrument="EURUSD",
        side=SELL,
        quantity=Decimal(2000),
        order_type=OrderType.LIMIT if role == "take_profit" else OrderType.STOP,
        price=Decimal(price),
        reduce_only=True,
        role=role,
    )


@pytest.mark.parametrize(
    ("role", "price", "expected"),
    [
        ("take_profit", "1.1000", "cross"),
        ("take_profit", "1.1001", "approved"),
        ("stop_loss", "1.0900", "approved"),
    ],
)
def test_targets_rest_at_the_venue_and_stops_do_not(role: str, price: str, expected: str) -> None:
    court = two_accounts()
    exit_at(court, role, price)
    answer = court.buy("1000", account="beta")
    assert reason(answer) == expected
    assert check(answer, "cross").measured == (2000 if expected == "cross" else 0)


def test_a_target_on_the_same_side_does_not_count() -> None:
    court = two_accounts()
    exit_at(court, "take_profit", "1.1000")
    assert reason(court.order("EURUSD", SELL, "1000", limit="1.0990", account="beta")) == "approved"


def test_what_is_left_of_all_crossed_orders_is_added_up() -> None:
    court = two_accounts()
    court.work("EURUSD", SELL, "1000", "1.1", stop="1.12", limit="1.0990")
    court.work("EURUSD", SELL, "2000", "1.1", stop="1.12", limit="1.0995", account="beta")
    court.work("EURUSD", SELL, "4000", "1.1", stop="1.12", limit="1.1005")
    exit_at(court, "take_profit", "1.1000")
    assert check(court.buy("1000"), "cross").measured == Decimal(5000)


def test_an_order_that_shrinks_the_position_passes_whatever_it_crosses() -> None:
    court = two_accounts()
    court.desk.hold("EURUSD", SELL, "1000", "1.1")
    court.work("EURUSD", SELL, "1000", "1.1", stop="1.12", limit="1.0990")
    assert reason(court.order("EURUSD", BUY, "1000", reduce_only=True)) == "approved"


@pytest.mark.parametrize(
    ("first", "second", "crosses"), [(True, True, True), (True, False, True), (False, False, False)]
)
def test_offers_cross_either_way_around(first: bool, second: bool, crosses: bool) -> None:
    bid, ask = Offer(BUY, Decimal("1.10"), first), Offer(SELL, Decimal("1.10"), second)
    assert bid.crosses(ask) is crosses
    assert ask.crosses(bid) is crosses
    assert not bid.crosses(msgspec.structs.replace(ask, price=Decimal("1.11")))
    assert not bid.crosses(bid)


@pytest.mark.parametrize(
    ("first", "second", "crosses"), [(True, False, True), (False, True, True), (False, False, False)]
)
def test_an_offer_at_any_price_crosses_whatever_rests_on_the_other_side(
    first: bool, second: bool, crosses: bool
) -> None:
    any_bid, ask = Offer(BUY, None, first), Offer(SELL, Decimal("9.99"), second)
    assert any_bid.crosses(ask) is crosses
    assert ask.crosses(any_bid) is crosses
    assert not any_bid.crosses(Offer(BUY, Decimal("1.10"), rests=True))
