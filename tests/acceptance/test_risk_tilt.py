"""Scenarios 7 and 8: doubling after losses, and slips of the hand.

Positions of 20,000 EURUSD with a stop a hundred pips away risk 200 USD of 100,000.
"""

from decimal import Decimal
from pathlib import Path

import pytest

from tests.acceptance.trading_day import TradingDay, account_of, accounts
from tmt import messages as m
from tmt.domain.order import OrderType

ALPHA = accounts(account_of("alpha", "EURUSD", "BTCUSD"))
PRICES = {"EURUSD": "1.10000", "BTCUSD": "50000"}


@pytest.fixture
def day(tmp_path: Path) -> TradingDay:
    return TradingDay(tmp_path / "book", "2026-06-03 09:00 UTC", PRICES, ALPHA)


def loses(day: TradingDay, quantity: str = "20000") -> None:
    """A hundred pips, by the stop."""
    price = day.prices["EURUSD"][0]
    stop = str(price - Decimal("0.01000"))
    day.released(day.buys(quantity, "EURUSD", stop=stop))
    day.moves(EURUSD=stop)
    assert day.held("EURUSD") == 0


def asks(day: TradingDay, quantity: str, wait: int = 1) -> m.OrderProposed:
    return day.buys(quantity, "EURUSD", stop=str(day.prices["EURUSD"][0] - Decimal("0.01000")), wait=wait)


def test_doubling_after_a_loss_is_cut_to_a_quarter_more(day: TradingDay) -> None:
    loses(day)
    assert day.equity() == 99_800
    day.minutes(2)
    doubled = asks(day, "40000")
    assert day.released(doubled).order.quantity == day.held("EURUSD") == 25_000
    cut = day.check(doubled, "human_behavior.size_after_loss")
    assert (cut.measured, cut.limit, cut.outcome) == (Decimal(2), Decimal("1.25"), "reduce")
    day.ends()


def test_a_quarter_more_than_what_lost_passes_whole(day: TradingDay) -> None:
    loses(day)
    day.minutes(2)
    more = asks(day, "25000")
    assert day.released(more).order.quantity == 25_000
    assert day.check(more, "human_behavior.size_after_loss").outcome == "pass"
    day.ends()


def test_a_martingale_is_measured_from_the_first_loss_of_the_run(day: TradingDay) -> None:
    loses(day)
    day.minutes(2)
    loses(day, "25000")
    day.minutes(2)
    again = asks(day, "31000")  # a quarter more than the second loss, not than the first
    assert day.check(again, "human_behavior.size_after_loss").measured == Decimal("1.55")
    assert day.released(again).order.quantity == 25_000
    day.ends()


def test_the_third_loss_in_a_row_brings_a_pause_of_a_quarter_of_an_hour(day: TradingDay) -> None:
    for number in range(3):
        loses(day, str(20_000 - 1_000 * number))
        day.minutes(2)
    lost_ns = day.said(m.PositionClosed)[-1].occurred_at_ns
    paused = day.denial(asks(day, "10000"))
    assert (paused.gate, paused.reason, paused.limit) == ("human_behavior", "cool_down", Decimal(0))
    assert paused.measured == Decimal(lost_ns + 900 * 10**9 - paused.occurred_at_ns).scaleb(-9).quantize(
        Decimal("0.000001")
    )
    day.minutes(12)
    day.passes_to(lost_ns + 900 * 10**9 - 1)
    assert day.denial(asks(day, "11000", wait=0)).reason == "cool_down"
    day.passes_to(lost_ns + 900 * 10**9)
    day.released(asks(day, "12000"))
    day.ends()


def test_hurrying_back_within_a_minute_is_revenge(day: TradingDay) -> None:
    loses(day)
    lost_ns = day.said(m.PositionClosed)[-1].occurred_at_ns
    day.passes_to(lost_ns + 60 * 10**9 - 1)
    early = day.denial(asks(day, "10000", wait=0))
    day.passes_to(lost_ns + 60 * 10**9)
    assert (early.gate, early.reason, early.limit) == ("human_behavior", "revenge", Decimal(60))
    day.released(asks(day, "11000"))
    day.ends()


def test_after_a_win_size_is_free_again(day: TradingDay) -> None:
    loses(day)
    day.minutes(2)
    day.released(asks(day, "20000"))
    day.moves(EURUSD="1.10500")
    day.closes("EURUSD")
    day.minutes(2)
    assert day.released(asks(day, "40000")).order.quantity == 40_000
    day.ends()


def test_a_martingale_in_another_instrument_is_one_as_well(day: TradingDay) -> None:
    loses(day)
    day.minutes(2)
    doubled = day.buys("0.4", "BTCUSD", stop="49000")
    assert day.check(doubled, "human_behavior.size_after_loss").measured == 2
    assert day.released(doubled).order.quantity == Decimal("0.25")
    day.ends()


def test_a_martingale_in_several_orders_is_one_as_well(day: TradingDay) -> None:
    loses(day)
    day.minutes(2)
    for quantity in ("20000", "21000", "22000"):
        asks(day, quantity)
    assert day.held("EURUSD") <= 25_000
    day.ends()


@pytest.fixture
def usual(day: TradingDay) -> TradingDay:
    """Five entries of 2,000, closed at what they cost."""
    for _ in range(5):
        day.released(asks(day, "2000"))
        day.closes("EURUSD")
        day.minutes(1)
    return day


def test_ten_times_the_usual_quantity_passes_and_a_lot_more_is_a_slip(usual: TradingDay) -> None:
    slip = usual.denial(asks(usual, "21000"))
    assert (slip.gate, slip.reason, slip.unit) == ("human_behavior", "fat_finger_quantity", "ratio")
    assert (slip.measured, slip.limit) == (Decimal("10.5"), Decimal(10))
    assert usual.released(asks(usual, "20000")).order.quantity == 20_000
    usual.ends()


def test_a_price_five_percent_away_passes_and_a_tick_further_is_a_slip(day: TradingDay) -> None:
    resting = {"order_type": OrderType.LIMIT, "stop": "1.03000"}
    slip = day.denial(day.buys("2000", "EURUSD", limit_price="1.04499", **resting))
    assert (slip.gate, slip.reason, slip.limit) == ("human_behavior", "fat_finger_price", Decimal("0.05"))
    assert slip.measured == Decimal("0.050009")
    day.released(day.buys("2000", "EURUSD", limit_price="1.04500", **resting))
    beyond = day.denial(day.sells("2000", "EURUSD", order_type=OrderType.LIMIT, limit_price="1.15501", stop="1.16000"))
    assert beyond.reason == "fat_finger_price"
    day.ends()


def test_the_same_order_twice_within_five_seconds_is_a_slip(day: TradingDay) -> None:
    day.released(asks(day, "2000"))
    twice = day.denial(asks(day, "2000"))
    assert (twice.gate, twice.reason, twice.measured, twice.limit) == (
        "human_behavior",
        "duplicate",
        Decimal(1),
        Decimal(5),
    )
    day.seconds(3)
    day.released(asks(day, "2000"))
    day.ends()


@pytest.mark.parametrize("quantity", ["50000", "101"])
def test_an_amount_of_money_typed_as_a_quantity_is_refused_and_not_cut_to_fit(day: TradingDay, quantity: str) -> None:
    slip = day.denial(day.buys(quantity, "BTCUSD", stop="49000"))
    assert (slip.gate, slip.reason) == ("human_behavior", "notional_echo")
    day.ends()
