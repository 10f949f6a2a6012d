"""Stop and stop-limit orders: what triggers them and what they become."""

from typing import Any

import pytest

from tests.unit.venue.desk import Desk, fills, told
from tmt.domain.order import OrderType, Side, TimeInForce
from tmt.messages import OrderTriggered

FAR = 2**62
STOP: Any = {"type": OrderType.STOP}
STOP_LIMIT: Any = {"type": OrderType.STOP_LIMIT}


@pytest.mark.parametrize(
    ("bid", "ask", "expected"),
    [(103, 104.5, []), (103, 105, ["triggered o", "filled o 10@105"]), (106, 107, ["triggered o", "filled o 10@107"])],
)
def test_a_buy_stop_triggers_when_the_ask_reaches_it(bid: float, ask: float, expected: list[str]) -> None:
    desk = Desk()
    desk.row(99, 100)
    assert told(desk.order("o", stop_price=105, **STOP)) == ["accepted o 10"]
    assert desk.venue.bounds("TEST") == (-1, 210)
    assert told(desk.row(bid, ask)) == expected


@pytest.mark.parametrize(
    ("bid", "ask", "expected"),
    [(95.5, 97, []), (95, 97, ["triggered o", "filled o 10@95"]), (90, 91, ["triggered o", "filled o 10@90"])],
)
def test_a_sell_stop_triggers_when_the_bid_reaches_it(bid: float, ask: float, expected: list[str]) -> None:
    desk = Desk()
    desk.row(99, 100)
    assert told(desk.order("o", stop_price=95, side=Side.SELL, **STOP)) == ["accepted o 10"]
    assert desk.venue.bounds("TEST") == (190, FAR)
    assert told(desk.row(bid, ask)) == expected


@pytest.mark.parametrize(("side", "stop", "trade"), [(Side.BUY, 105, 105), (Side.SELL, 95, 95)])
def test_a_trade_at_the_stop_triggers_it(side: Side, stop: int, trade: int) -> None:
    desk = Desk()
    desk.row(99, 100)
    desk.order("o", stop_price=stop, side=side, **STOP)
    near = trade - 0.5 if side is Side.BUY else trade + 0.5
    assert told(desk.row(99, 100, 0, 0, near, 1)) == []
    # The touch is better than the trade; a stop does not fill better than what set it off.
    assert told(desk.row(99, 100, 0, 0, trade, 1)) == ["triggered o", f"filled o 10@{trade}"]


def test_a_stop_already_reached_triggers_on_arrival() -> None:
    desk = Desk()
    desk.row(99, 100)
    assert told(desk.order("o", stop_price=100, **STOP)) == ["accepted o 10", "triggered o", "filled o 10@100"]


def test_the_trigger_names_the_stop() -> None:
    desk = Desk()
    desk.row(99, 100)
    desk.order("o", stop_price=105, **STOP)
    triggered = desk.row(109, 110)[0]
    assert isinstance(triggered, OrderTriggered)
    assert triggered.trigger_price == 105


@pytest.mark.parametrize(
    ("ask", "expected"),
    [(106, ["triggered o", "filled o 10@106"]), (106.5, ["triggered o"])],
)
def test_a_triggered_stop_limit_keeps_its_limit(ask: float, expected: list[str]) -> None:
    desk = Desk()
    desk.row(99, 100)
    desk.order("o", stop_price=105, limit_price=106, **STOP_LIMIT)
    assert told(desk.row(104, ask)) == expected


def test_a_triggered_stop_limit_rests_at_its_limit() -> None:
    desk = Desk()
    desk.row(99, 100)
    desk.order("o", stop_price=105, limit_price=106, **STOP_LIMIT)
    desk.row(107, 108)
    assert desk.venue.bounds("TEST") == (212, FAR)
    assert fills(desk.row(105, 106)) == [("o", 10, 106.0)]


def test_an_ioc_stop_waits_and_then_takes_once() -> None:
    desk = Desk()
    desk.row(99, 100)
    assert told(desk.order("o", stop_price=105, time_in_force=TimeInForce.IOC, **STOP)) == ["accepted o 10"]
    assert told(desk.row(104, 105, 4, 4)) == ["triggered o", "filled o 4@105", "expired o"]


def test_stops_reached_together_trade_in_the_order_in_which_they_came() -> None:
    desk = Desk()
    desk.row(99, 100)
    desk.order("a", stop_price=105, **STOP)
    desk.order("b", stop_price=103, **STOP)
    assert fills(desk.row(109, 110, 15, 15)) == [("a", 10, 110.0), ("b", 5, 110.0)]
