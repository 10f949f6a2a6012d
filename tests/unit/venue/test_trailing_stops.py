"""Trailing stops: they ratchet with the touch that triggers them, row by row, and never turn back."""

from decimal import Decimal
from typing import Any

import pytest

from tests.unit.venue.desk import Desk, fills, told
from tmt.domain.order import OrderType, Side
from tmt.messages import OrderAccepted, OrderReplaced, OrderTriggered

FAR = 2**62
TRAILING: Any = {"type": OrderType.TRAILING_STOP, "side": Side.SELL, "trail_offset": Decimal(3)}


def trailing(**fields: Any) -> Desk:
    """A sell stop at 95, 3 behind the best bid; the market is at 97 / 99."""
    desk = Desk()
    desk.row(97, 99)
    desk.order("o", stop_price=95, **{**TRAILING, **fields})
    return desk


def low_of(desk: Desk) -> float:
    """Stop price of the sell stop that works."""
    return desk.venue.bounds("TEST")[0] / 2


def test_the_order_is_accepted_at_its_first_stop() -> None:
    desk = Desk()
    desk.row(97, 99)
    (accepted,) = desk.order("o", stop_price=95, **TRAILING)
    assert isinstance(accepted, OrderAccepted)
    assert (accepted.order_type, accepted.price) == (OrderType.TRAILING_STOP, Decimal(95))


@pytest.mark.parametrize(("bid", "stop"), [(97, 95), (98, 95), (98.5, 95.5), (99, 96), (110, 107)])
def test_the_stop_follows_a_bid_that_leaves_it_behind(bid: float, stop: float) -> None:
    desk = trailing()
    assert desk.row(bid, bid + 2) == []
    assert low_of(desk) == stop


@pytest.mark.parametrize(("bid", "expected"), [(104.5, []), (104, [("o", 10, 104.0)]), (103, [("o", 10, 103.0)])])
def test_it_triggers_at_the_offset_below_the_best_bid(bid: float, expected: list[Any]) -> None:
    desk = trailing()
    for best in (100, 107, 105):
        assert desk.row(best, best + 2) == []
    assert fills(desk.row(bid, bid + 2)) == expected


def test_the_trigger_names_where_the_stop_had_come() -> None:
    desk = trailing()
    desk.row(107, 109)
    triggered = desk.row(100, 102)[0]
    assert isinstance(triggered, OrderTriggered)
    assert triggered.trigger_price == Decimal(104)


def test_a_buy_follows_the_ask_down() -> None:
    desk = Desk()
    desk.row(97, 99)
    desk.order("o", stop_price=105, **{**TRAILING, "side": Side.BUY})
    assert desk.venue.bounds("TEST") == (99 * 2 - 1, 102 * 2)  # the ask at 99 has taken it to 102
    desk.row(90, 94)
    assert desk.venue.bounds("TEST")[1] == 97 * 2
    assert fills(desk.row(95, 96.5)) == []
    assert fills(desk.row(95, 97)) == [("o", 10, 97.0)]


def test_it_follows_the_quote_of_its_arrival() -> None:
    desk = Desk()
    desk.row(97, 99)
    desk.order("o", stop_price=90, **TRAILING)
    assert low_of(desk) == 94


def test_a_stop_already_reached_triggers_on_arrival() -> None:
    desk = Desk()
    desk.row(97, 99)
    assert told(desk.order("o", stop_price=97, **{**TRAILING, "side": Side.SELL})) == [
        "accepted o 10",
        "triggered o",
        "filled o 10@97",
    ]


def test_bounds_let_through_every_row_that_may_move_it() -> None:
    desk = trailing()
    assert desk.venue.bounds("TEST") == (95 * 2, 98 * 2 + 1)
    desk.row(110, 112)
    assert desk.venue.bounds("TEST") == (107 * 2, 110 * 2 + 1)
    assert desk.venue.dirty_symbols() == ["TEST"]


def test_a_trade_does_not_move_it_and_may_trigger_it() -> None:
    desk = trailing()
    assert desk.row(97, 99, price=120, size=1) == []
    assert low_of(desk) == 95
    assert told(desk.row(97, 99, price=95, size=1))[0] == "triggered o"


def test_a_row_that_triggers_does_not_first_move_it() -> None:
    desk = trailing()
    assert told(desk.row(104, 106, price=95, size=1))[0] == "triggered o"


def test_the_stop_of_a_bracket_trails() -> None:
    desk = Desk()
    desk.row(99, 100)
    said = desk.order("o", side=Side.BUY, stop_loss=95, take_profit=120, trail_offset=Decimal(3))
    (stop,) = [each for each in said if isinstance(each, OrderAccepted) and each.client_order_id == "o-SL"]
    assert (stop.order_type, stop.role, stop.price) == (OrderType.TRAILING_STOP, "stop_loss", Decimal(95))
    desk.row(108, 109)
    assert told(desk.row(105, 106)) == ["triggered o-SL", "filled o-SL 10@105", "cancelled o-TP bracket"]


def test_a_trailing_order_has_no_bracket_that_trails() -> None:
    desk = Desk()
    desk.row(99, 100)
    desk.order("o", type=OrderType.TRAILING_STOP, side=Side.BUY, stop_price=104, stop_loss=90, trail_offset=Decimal(2))
    said = desk.row(99, 102) + desk.row(101, 102)
    (stop,) = [each for each in said if isinstance(each, OrderAccepted)]
    assert stop.order_type is OrderType.STOP


@pytest.mark.parametrize(("asked", "stop"), [(106, 107), (107, 107), (108, 108)])
def test_a_replace_brings_it_nearer_or_tells_where_it_stands(asked: int, stop: int) -> None:
    desk = trailing()
    desk.row(110, 112)
    (replaced,) = desk.replace("o", 10, stop_price=asked)
    assert isinstance(replaced, OrderReplaced)
    assert replaced.stop_price == Decimal(stop)
    desk.row(111, 113)
    assert low_of(desk) == 108


def test_an_offset_lies_on_the_tick() -> None:
    desk = Desk()
    desk.row(97, 99)
    assert told(desk.order("o", stop_price=95, **{**TRAILING, "trail_offset": Decimal("1.5")})) == [
        "rejected o off_tick"
    ]


def test_a_restored_stop_goes_on_from_where_it_was() -> None:
    desk = trailing()
    desk.row(107, 109)
    saved = desk.venue.snapshot()
    desk.venue.restore(saved)
    assert desk.venue.snapshot() == saved
    assert desk.venue.bounds("TEST") == (104 * 2, 107 * 2 + 1)
    desk.row(109, 111)
    assert low_of(desk) == 106


def test_two_trail_side_by_side_and_one_ends() -> None:
    desk = trailing()
    desk.order("p", stop_price=90, **{**TRAILING, "trail_offset": Decimal(6)})
    assert desk.venue.bounds("TEST") == (95 * 2, 97 * 2 + 1)
    desk.cancel("o")
    assert desk.venue.bounds("TEST") == (91 * 2, 97 * 2 + 1)
    desk.cancel("p")
    assert desk.venue.bounds("TEST") == (-1, FAR)
