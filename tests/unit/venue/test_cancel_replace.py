"""Cancels and replaces, and how they race fills."""

from decimal import Decimal
from typing import Any

import pytest

from tests.unit.venue.desk import LATENCY_NS, Desk, cancel, fills, told
from tmt.domain.order import OrderType, Side
from tmt.messages import CancelRejected, OrderCancelled, OrderReplaced

FAR = 2**62
LIMIT: Any = {"type": OrderType.LIMIT}


def resting(**fields: Any) -> Desk:
    desk = Desk()
    desk.row(99, 101, 30, 30)
    desk.order("o", **{"limit_price": 99, **LIMIT, **fields})
    return desk


def test_a_cancel_ends_the_order_with_its_reason() -> None:
    desk = resting()
    desk.row(99, 101, 30, 30, 99, 34)
    (cancelled,) = desk.cancel("o", "stop_trading")
    assert isinstance(cancelled, OrderCancelled)
    assert (cancelled.reason, cancelled.filled) == ("stop_trading", Decimal(4))
    assert desk.venue.bounds("TEST") == (-1, FAR)


def test_a_cancel_of_an_order_never_seen_is_refused() -> None:
    (refused,) = resting().cancel("x")
    assert isinstance(refused, CancelRejected)
    assert (refused.reason, refused.order_id) == ("unknown_order", "")


def test_a_cancel_that_loses_the_race_against_a_fill_is_refused() -> None:
    desk = resting()
    desk.venue.handle(cancel("o", desk.time_ns))
    assert desk.venue.next_due_ns() == desk.time_ns + LATENCY_NS
    desk.tape.quotes["TEST"] = desk.tape.quotes["TEST"]._replace(sequence=99)
    filled = desk.venue.on_row("TEST", 99, desk.time_ns + 1, 190, 194, 0, 0, 0, 0, 0)
    assert fills(filled) == [("o", 10, 99.0)]
    (refused,) = desk.settle()
    assert isinstance(refused, CancelRejected)
    assert (refused.reason, refused.order_id, refused.account) == ("already_done", "order-o", "ACC")


def test_a_cancel_never_overtakes_its_order() -> None:
    desk = Desk()
    desk.row(99, 101)
    desk.send("o", limit_price=99, **LIMIT)
    desk.venue.handle(cancel("o", desk.time_ns - 500))
    assert told(desk.settle()) == ["accepted o 10", "cancelled o asked"]


def test_a_replace_loses_its_place_in_the_queue() -> None:
    desk = resting()
    desk.row(99, 101, 30, 30, 99, 30)
    assert told(desk.replace("o", 10)) == ["replaced o 10"]
    assert fills(desk.row(99, 101, 30, 30, 99, 30)) == []
    assert fills(desk.row(99, 101, 30, 30, 99, 5)) == [("o", 5, 99.0)]


def test_a_replace_goes_behind_our_own_orders() -> None:
    desk = resting(limit_price=100)
    desk.order("p", limit_price=100, **LIMIT)
    desk.replace("o", 10)
    assert fills(desk.row(100, 101, 30, 30, 100, 12)) == [("p", 10, 100.0), ("o", 2, 100.0)]


def test_a_replace_moves_the_price() -> None:
    desk = resting()
    assert told(desk.replace("o", 8, 98)) == ["replaced o 8"]
    assert desk.venue.bounds("TEST") == (196, FAR)
    assert fills(desk.row(96, 97)) == [("o", 8, 98.0)]


def test_a_replace_that_crosses_takes() -> None:
    assert told(resting().replace("o", 10, 101)) == ["replaced o 10", "filled o 10@101"]


def test_a_replace_with_a_new_quantity_of_a_stop_keeps_it_waiting() -> None:
    desk = Desk()
    desk.row(99, 101)
    desk.order("o", type=OrderType.STOP, stop_price=105)
    assert told(desk.replace("o", 5)) == ["replaced o 5"]
    assert fills(desk.row(104, 105)) == [("o", 5, 105.0)]


@pytest.mark.parametrize(
    ("quantity", "expected"),
    [
        (3, ["cancelrejected o quantity_below_filled"]),
        (4, ["replaced o 4", "cancelled o replaced"]),
        (5, ["replaced o 5"]),
    ],
)
def test_a_replace_cannot_undo_a_fill(quantity: int, expected: list[str]) -> None:
    desk = resting()
    desk.row(99, 101, 30, 30, 99, 34)
    assert told(desk.replace("o", quantity)) == expected


@pytest.mark.parametrize(
    ("quantity", "limit_price", "reason"),
    [("9.5", None, "off_lot"), ("9", "98.5", "off_tick"), ("9", "0", "off_tick")],
)
def test_a_replace_off_the_grid_is_refused(quantity: str, limit_price: str | None, reason: str) -> None:
    desk = resting()
    assert told(desk.replace("o", quantity, limit_price)) == [f"cancelrejected o {reason}"]
    assert desk.venue.bounds("TEST") == (198, FAR)


def test_a_replace_of_an_order_that_is_done_or_unknown_is_refused() -> None:
    desk = resting()
    desk.cancel("o")
    assert told(desk.replace("o", 5)) == ["cancelrejected o already_done"]
    assert told(desk.replace("x", 5)) == ["cancelrejected x unknown_order"]


def test_a_limit_price_for_an_order_without_one_is_refused() -> None:
    desk = Desk()
    desk.row(99, 101)
    desk.order("o", type=OrderType.STOP, stop_price=105)
    assert told(desk.replace("o", 10, 104)) == ["cancelrejected o not_a_limit_order"]


@pytest.mark.parametrize(
    ("limit_price", "expected"),
    [(100, ["replaced o 10"]), (101, ["cancelrejected o post_only_would_cross"])],
)
def test_a_post_only_order_may_not_be_moved_across(limit_price: int, expected: list[str]) -> None:
    assert told(resting(post_only=True).replace("o", 10, limit_price)) == expected


def test_a_replaced_exit_grows_no_larger_than_the_position() -> None:
    desk = Desk()
    desk.row(99, 100)
    desk.order("o", take_profit=110)
    assert told(desk.replace("o-TP", 6, 112)) == ["replaced o-TP 6"]
    assert told(desk.replace("o-TP", 90)) == ["replaced o-TP 10"]


def test_a_cancelled_exit_leaves_the_other_working() -> None:
    desk = Desk()
    desk.row(99, 100)
    desk.order("o", stop_loss=95, take_profit=110)
    assert told(desk.cancel("o-TP")) == ["cancelled o-TP asked"]
    assert told(desk.row(95, 96)) == ["triggered o-SL", "filled o-SL 10@95"]


def test_the_side_of_a_sell_is_kept_through_a_replace() -> None:
    desk = Desk()
    desk.row(99, 101)
    desk.order("o", limit_price=101, side=Side.SELL, **LIMIT)
    desk.replace("o", 10, 102)
    assert desk.venue.bounds("TEST") == (-1, 204)


# What keeps a place in the queue


@pytest.mark.parametrize(
    ("quantity", "limit_price", "keeps"),
    [(9, None, True), (9, 99, True), (10, None, False), (10, 99, False), (11, None, False), (9, 98, False)],
)
def test_only_a_smaller_quantity_keeps_its_place(quantity: int, limit_price: int | None, keeps: bool) -> None:
    desk = resting()
    desk.row(99, 101, 30, 30, 99, 30)  # the 30 ahead have traded
    assert told(desk.replace("o", quantity, limit_price)) == [f"replaced o {quantity}"]
    price = 99 if limit_price is None else limit_price
    filled = fills(desk.row(price, 101, 30, 30, price, 30))
    assert filled == ([("o", quantity, 99.0)] if keeps else [])


def test_a_smaller_order_stays_before_our_own_that_came_later() -> None:
    desk = resting(limit_price=100)
    desk.order("p", limit_price=100, **LIMIT)
    desk.replace("o", 8)
    assert fills(desk.row(100, 101, 30, 30, 100, 12)) == [("o", 8, 100.0), ("p", 4, 100.0)]


# Stop prices


def stopped(side: Side = Side.SELL, **fields: Any) -> Desk:
    """A stop 5 away from a market of 99 / 101."""
    desk = Desk()
    desk.row(99, 101)
    stop = 94 if side is Side.SELL else 106
    desk.order("o", **{"type": OrderType.STOP, "side": side, "stop_price": stop, **fields})
    return desk


@pytest.mark.parametrize(("side", "price"), [(Side.SELL, 98), (Side.SELL, 90), (Side.BUY, 102), (Side.BUY, 110)])
def test_a_replace_moves_a_stop(side: Side, price: int) -> None:
    desk = stopped(side)
    (replaced,) = desk.replace("o", 10, stop_price=price)
    assert isinstance(replaced, OrderReplaced)
    assert (replaced.stop_price, replaced.limit_price, replaced.quantity) == (Decimal(price), None, Decimal(10))
    assert desk.venue.bounds("TEST") == ((price * 2, FAR) if side is Side.SELL else (-1, price * 2))


@pytest.mark.parametrize(
    ("side", "price", "reason"),
    [
        (Side.SELL, "99", "stop_would_trigger"),
        (Side.SELL, "100", "stop_would_trigger"),
        (Side.BUY, "101", "stop_would_trigger"),
        (Side.BUY, "100", "stop_would_trigger"),
        (Side.SELL, "95.5", "off_tick"),
        (Side.SELL, "0", "off_tick"),
        (Side.SELL, "-1", "off_tick"),
    ],
)
def test_a_stop_is_not_moved_off_the_grid_or_to_where_it_would_trigger(side: Side, price: str, reason: str) -> None:
    desk = stopped(side)
    before = desk.venue.bounds("TEST")
    assert told(desk.replace("o", 10, stop_price=price)) == [f"cancelrejected o {reason}"]
    assert desk.venue.bounds("TEST") == before


def test_a_stop_price_for_an_order_without_one_is_refused() -> None:
    assert told(resting().replace("o", 10, stop_price=90)) == ["cancelrejected o not_a_stop_order"]


def test_a_stop_that_was_reached_is_not_moved() -> None:
    desk = Desk()
    desk.row(99, 101, 4, 4)
    desk.order("o", type=OrderType.STOP, side=Side.SELL, stop_price=99)
    assert told(desk.replace("o", 10, stop_price=90)) == ["cancelrejected o already_triggered"]


def test_both_prices_of_a_stop_limit_may_move() -> None:
    desk = stopped(type=OrderType.STOP_LIMIT, limit_price=93)
    (replaced,) = desk.replace("o", 9, 95, stop_price=96)
    assert isinstance(replaced, OrderReplaced)
    assert (replaced.limit_price, replaced.stop_price) == (Decimal(95), Decimal(96))
    assert fills(desk.row(96, 97)) == [("o", 9, 96.0)]


def test_a_smaller_stop_at_another_price_moves() -> None:
    desk = stopped()
    assert told(desk.replace("o", 9, stop_price=95)) == ["replaced o 9"]
    assert desk.venue.bounds("TEST") == (190, FAR)


@pytest.mark.parametrize("bid", [0, 203])
def test_without_a_market_nothing_is_replaced(bid: int) -> None:
    desk = resting()
    desk.tape.quotes["TEST"] = desk.tape.quotes["TEST"]._replace(bid=bid)
    assert told(desk.replace("o", 5)) == ["cancelrejected o no_market"]
