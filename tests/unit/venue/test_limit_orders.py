"""Limit orders: taking, resting, the queue ahead, trades at and through the price, price-time priority."""

from typing import Any

import pytest

from tests.unit.venue.desk import Desk, fills, told
from tmt.domain.order import OrderType, Side, TimeInForce
from tmt.messages import OrderFilled

FAR = 2**62
LIMIT: Any = {"type": OrderType.LIMIT}


def resting(limit: float, *, bid_size: int = 30, ask_size: int = 30, side: Side = Side.BUY) -> Desk:
    desk = Desk()
    desk.row(99, 101, bid_size, ask_size)
    assert told(desk.order("o", limit_price=limit, side=side, **LIMIT)) == ["accepted o 10"]
    return desk


@pytest.mark.parametrize(("limit", "expected"), [(100, []), (101, [("o", 10, 101.0)]), (102, [("o", 10, 101.0)])])
def test_a_buy_limit_takes_when_it_reaches_the_ask(limit: int, expected: list[Any]) -> None:
    desk = Desk()
    desk.row(99, 101)
    assert fills(desk.order("o", limit_price=limit, **LIMIT)) == expected


@pytest.mark.parametrize(("limit", "expected"), [(100, []), (99, [("o", 10, 99.0)]), (98, [("o", 10, 99.0)])])
def test_a_sell_limit_takes_when_it_reaches_the_bid(limit: int, expected: list[Any]) -> None:
    desk = Desk()
    desk.row(99, 101)
    assert fills(desk.order("o", limit_price=limit, side=Side.SELL, **LIMIT)) == expected


def test_a_limit_is_never_violated_by_a_remainder() -> None:
    desk = Desk()
    desk.row(99, 101, 30, 4)
    assert fills(desk.order("o", limit_price=101, **LIMIT)) == [("o", 4, 101.0)]
    assert fills(desk.row(101, 102, 30, 30)) == []
    assert desk.venue.bounds("TEST") == (202, FAR)


def test_the_remainder_of_a_crossing_limit_keeps_taking_while_the_market_is_there() -> None:
    desk = Desk()
    desk.row(99, 101, 30, 4)
    desk.order("o", limit_price=101, **LIMIT)
    assert fills(desk.row(99, 101, 30, 5)) == [("o", 5, 101.0)]


@pytest.mark.parametrize(("limit", "low"), [(98, 196), (99, 198), (100, 200)])
def test_a_resting_buy_bounds_the_rows_from_below(limit: int, low: int) -> None:
    assert resting(limit).venue.bounds("TEST") == (low, FAR)


@pytest.mark.parametrize(("limit", "high"), [(100, 200), (101, 202), (103, 206)])
def test_a_resting_sell_bounds_the_rows_from_above(limit: int, high: int) -> None:
    assert resting(limit, side=Side.SELL).venue.bounds("TEST") == (-1, high)


@pytest.mark.parametrize(("size", "expected"), [(29, 0), (30, 0), (31, 1), (39, 9), (40, 10), (90, 10)])
def test_trades_at_the_price_work_through_the_queue_then_fill_us(size: int, expected: int) -> None:
    desk = resting(99)
    said = fills(desk.row(99, 101, 30, 30, 99, size))
    assert said == ([("o", expected, 99.0)] if expected else [])


def test_a_queue_is_worked_through_by_several_trades() -> None:
    desk = resting(99)
    assert fills(desk.row(99, 101, 30, 30, 99, 20)) == []
    assert fills(desk.row(99, 101, 30, 30, 99, 13)) == [("o", 3, 99.0)]


def test_an_order_that_improves_the_price_is_first() -> None:
    desk = resting(100)
    assert fills(desk.row(100, 101, 500, 30, 100, 4)) == [("o", 4, 100.0)]


@pytest.mark.parametrize(("displayed", "expected"), [(4, 6), (40, 0), (0, 0)])
def test_displayed_size_below_the_queue_shortens_it(displayed: int, expected: int) -> None:
    desk = resting(99)
    desk.row(99, 101, displayed, 30)
    said = fills(desk.row(99, 101, displayed, 30, 99, 10))
    assert sum(lots for _, lots, _ in said) == expected


def test_the_market_that_comes_to_our_price_brings_its_queue() -> None:
    desk = resting(98)
    assert fills(desk.row(98, 101, 7, 30)) == []
    assert fills(desk.row(98, 101, 7, 30, 98, 8)) == [("o", 1, 98.0)]


def test_a_trade_at_our_price_before_the_queue_is_known_does_not_fill() -> None:
    desk = resting(98)
    assert fills(desk.row(98, 101, 7, 30, 98, 500)) == []


def test_the_queue_is_gone_once_the_market_has_left_our_price() -> None:
    desk = resting(99)
    desk.row(98, 101, 500, 30)
    assert fills(desk.row(98, 101, 500, 30, 99, 3)) == [("o", 3, 99.0)]


@pytest.mark.parametrize("side", [Side.BUY, Side.SELL])
@pytest.mark.parametrize("size", [0, 1])
def test_a_trade_through_our_price_fills_us_whole_at_our_limit(side: Side, size: int) -> None:
    desk = resting(99 if side is Side.BUY else 101, side=side)
    row = (98, 101, 30, 30, 98.5, size) if side is Side.BUY else (99, 102, 30, 30, 101.5, size)
    assert fills(desk.row(*row)) == [("o", 10, 99.0 if side is Side.BUY else 101.0)]


@pytest.mark.parametrize(("ask", "expected"), [(99.5, []), (99, [("o", 10, 99.0)]), (97, [("o", 10, 99.0)])])
def test_a_quote_that_reaches_our_bid_from_above_fills_us_at_our_limit(ask: float, expected: list[Any]) -> None:
    assert fills(resting(99).row(96, ask, 1, 1)) == expected


@pytest.mark.parametrize(("bid", "expected"), [(100.5, []), (101, [("o", 10, 101.0)]), (104, [("o", 10, 101.0)])])
def test_a_quote_that_reaches_our_offer_from_below_fills_us_at_our_limit(bid: float, expected: list[Any]) -> None:
    assert fills(resting(101, side=Side.SELL).row(bid, 105, 1, 1)) == expected


def test_a_trade_of_unknown_size_at_our_price_does_not_fill() -> None:
    desk = resting(100)
    assert fills(desk.row(100, 101, 30, 30, 100, 0)) == []


@pytest.mark.parametrize(("aggressor", "expected"), [(1, 0), (-1, 5), (0, 5)])
def test_a_buyer_who_takes_at_our_bid_does_not_take_from_us(aggressor: int, expected: int) -> None:
    said = fills(resting(100).row(100, 101, 30, 30, 100, 5, aggressor))
    assert sum(lots for _, lots, _ in said) == expected


def test_a_resting_fill_is_a_makers() -> None:
    (filled,) = resting(99).row(97, 98)
    assert isinstance(filled, OrderFilled)
    assert filled.liquidity == "maker"


def test_our_orders_share_a_trade_by_time() -> None:
    desk = resting(100)
    desk.order("p", limit_price=100, **LIMIT)
    assert fills(desk.row(100, 101, 30, 30, 100, 14)) == [("o", 10, 100.0), ("p", 4, 100.0)]


def test_our_better_price_is_filled_first() -> None:
    desk = resting(99)
    desk.order("p", limit_price=100, **LIMIT)
    assert fills(desk.row(96, 97)) == [("p", 10, 100.0), ("o", 10, 99.0)]


@pytest.mark.parametrize(("limit", "expected"), [(100, "expired o"), (101, "filled o 10@101")])
def test_an_ioc_limit_takes_or_expires(limit: int, expected: str) -> None:
    desk = Desk()
    desk.row(99, 101)
    said = told(desk.order("o", limit_price=limit, time_in_force=TimeInForce.IOC, **LIMIT))
    assert said == ["accepted o 10", expected]


@pytest.mark.parametrize(("limit", "expected"), [(100, "expired o"), (101, "filled o 10@101")])
def test_a_fok_limit_needs_its_price_too(limit: int, expected: str) -> None:
    desk = Desk()
    desk.row(99, 101, 10, 10)
    said = told(desk.order("o", limit_price=limit, time_in_force=TimeInForce.FOK, **LIMIT))
    assert said == ["accepted o 10", expected]


def test_a_partial_fill_leaves_the_rest_at_the_front() -> None:
    desk = resting(99)
    assert fills(desk.row(99, 101, 30, 30, 99, 32)) == [("o", 2, 99.0)]
    assert fills(desk.row(99, 101, 30, 30, 99, 3)) == [("o", 3, 99.0)]
