"""Market orders: the touch, displayed size, remainders, times in force, slippage."""

from decimal import Decimal
from typing import Any

import pytest

from tests.unit.venue.desk import START_NS, Desk, config, fills, told
from tmt.domain.order import Side, TimeInForce
from tmt.messages import OrderAccepted, OrderFilled

FAR = 2**62


def test_a_buy_fills_at_the_ask_and_a_sell_at_the_bid() -> None:
    desk = Desk()
    desk.row(99, 100)
    assert told(desk.order("b")) == ["accepted b 10", "filled b 10@100"]
    assert told(desk.order("s", side=Side.SELL)) == ["accepted s 10", "filled s 10@99"]


def test_what_is_said_follows_from_the_submission() -> None:
    desk = Desk()
    desk.row(99, 100)
    message = desk.send("b")
    accepted, filled = desk.settle()
    assert isinstance(accepted, OrderAccepted)
    assert isinstance(filled, OrderFilled)
    for event in (accepted, filled):
        assert event.causation_id == message.message_id
        assert event.correlation_id == message.correlation_id
        assert event.source == "paper"
        assert (event.order_id, event.account, event.instrument) == ("order-b", "ACC", "TEST")
    assert accepted.message_id != filled.message_id
    assert filled.remaining == 0
    assert filled.quote.ask == 100
    assert filled.quote.time_ns == START_NS + 10
    assert (filled.role, filled.liquidity, filled.strategy, filled.setup) == ("entry", "taker", "wyckoff", "spring")


@pytest.mark.parametrize(("bid", "ask", "side", "slippage"), [(100, 101, Side.BUY, 1), (98, 99, Side.SELL, 1)])
def test_slippage_is_measured_from_the_quote_at_sizing_and_positive_against_us(
    bid: int, ask: int, side: Side, slippage: int
) -> None:
    desk = Desk()
    desk.row(bid, ask)
    filled = desk.order("o", side=side)[1]
    assert isinstance(filled, OrderFilled)
    assert filled.slippage == slippage


@pytest.mark.parametrize(
    ("displayed", "expected"),
    [(9, [("b", 9, 100.0)]), (10, [("b", 10, 100.0)]), (11, [("b", 10, 100.0)]), (0, [("b", 10, 100.0)])],
)
def test_displayed_size_limits_a_taker_and_unknown_size_does_not(displayed: int, expected: list[Any]) -> None:
    desk = Desk()
    desk.row(99, 100, 50, displayed)
    assert fills(desk.order("b")) == expected


def test_the_remainder_works_on_following_rows() -> None:
    desk = Desk()
    desk.row(99, 100, 50, 4)
    assert fills(desk.order("b")) == [("b", 4, 100.0)]
    assert desk.venue.bounds("TEST") == (FAR, FAR)
    assert fills(desk.row(100, 101, 50, 5)) == [("b", 5, 101.0)]
    assert fills(desk.row(101, 102, 50, 5)) == [("b", 1, 102.0)]
    assert desk.venue.bounds("TEST") == (-1, FAR)


def test_what_was_taken_is_not_there_again_until_a_new_row() -> None:
    desk = Desk()
    desk.row(99, 100, 50, 12)
    assert fills(desk.order("a")) == [("a", 10, 100.0)]
    assert fills(desk.order("b")) == [("b", 2, 100.0)]
    assert fills(desk.order("c")) == []
    assert fills(desk.row(99, 100, 50, 12)) == [("b", 8, 100.0), ("c", 4, 100.0)]


def test_taking_the_bid_leaves_the_ask() -> None:
    desk = Desk()
    desk.row(99, 100, 10, 10)
    assert fills(desk.order("a", side=Side.SELL)) == [("a", 10, 99.0)]
    assert fills(desk.order("b")) == [("b", 10, 100.0)]


def test_ioc_expires_with_its_remainder() -> None:
    desk = Desk()
    desk.row(99, 100, 50, 4)
    said = told(desk.order("b", time_in_force=TimeInForce.IOC))
    assert said == ["accepted b 10", "filled b 4@100", "expired b"]


@pytest.mark.parametrize(("displayed", "expected"), [(9, "expired b"), (10, "filled b 10@100"), (0, "filled b 10@100")])
def test_fok_fills_whole_or_expires(displayed: int, expected: str) -> None:
    desk = Desk()
    desk.row(99, 100, 50, displayed)
    assert told(desk.order("b", time_in_force=TimeInForce.FOK)) == ["accepted b 10", expected]


def test_fok_counts_only_what_is_left_of_the_row() -> None:
    desk = Desk()
    desk.row(99, 100, 50, 19)
    desk.order("a")
    assert told(desk.order("b", time_in_force=TimeInForce.FOK)) == ["accepted b 10", "expired b"]


@pytest.mark.parametrize(("side", "prices"), [(Side.BUY, [100.0, 103.0]), (Side.SELL, [99.0, 97.0])])
def test_beyond_the_displayed_size_a_taker_slips(side: Side, prices: list[float]) -> None:
    desk = Desk(config(slippage_ticks=2))
    desk.row(99, 100, 4, 4)
    first = fills(desk.order("o", side=side))
    later = fills(desk.row(99, 101, 50, 50))
    assert [price for _, _, price in first + later] == prices


def test_a_remainder_slips_no_further_than_its_limit() -> None:
    desk = Desk(config(slippage_ticks=5))
    desk.row(99, 100, 4, 4)
    order: Any = {"type": "limit", "limit_price": 102}
    first = fills(desk.order("o", **order))
    assert first + fills(desk.row(99, 100, 4, 50)) == [("o", 4, 100.0), ("o", 6, 102.0)]


def test_fill_ids_differ_from_fill_to_fill() -> None:
    desk = Desk()
    desk.row(99, 100, 50, 4)
    messages = desk.order("b") + desk.row(99, 100, 50, 4) + desk.row(99, 100, 50, 4)
    ids = [message.fill_id for message in messages if isinstance(message, OrderFilled)]
    assert len(set(ids)) == len(ids) == 3


def test_quantities_and_prices_are_exact() -> None:
    desk = Desk(lot_size=Decimal("0.001"), quantity_min=Decimal("0.001"), notional_min=Decimal(0))
    desk.row(99, 100.5, 50, 4)
    filled = desk.order("b", quantity="0.007")[1]
    assert isinstance(filled, OrderFilled)
    assert (filled.quantity, filled.price, filled.remaining) == (Decimal("0.004"), Decimal("100.5"), Decimal("0.003"))
