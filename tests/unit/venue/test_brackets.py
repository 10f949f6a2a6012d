"""Brackets: exits follow the entry's fills, one cancels the other, exits only ever shrink a position."""

from decimal import Decimal
from typing import Any

import pytest

from tests.unit.venue.desk import Desk, fills, told
from tmt.domain.order import OrderType, Side, TimeInForce
from tmt.messages import OrderAccepted, OrderFilled

FAR = 2**62
BRACKET: Any = {"stop_loss": 95, "take_profit": 110}
SHORT: Any = {"side": Side.SELL, "stop_loss": 105, "take_profit": 90}


def long_position() -> Desk:
    desk = Desk()
    desk.row(99, 100)
    desk.order("o", **BRACKET)
    return desk


def test_exits_are_accepted_when_the_entry_fills() -> None:
    desk = Desk()
    desk.row(99, 100)
    said = desk.order("o", **BRACKET)
    assert told(said) == ["accepted o 10", "filled o 10@100", "accepted o-SL 10", "accepted o-TP 10"]
    stop, take = said[2], said[3]
    assert isinstance(stop, OrderAccepted)
    assert isinstance(take, OrderAccepted)
    assert (stop.order_type, stop.price, stop.side, stop.reduce_only) == (OrderType.STOP, Decimal(95), Side.SELL, True)
    assert (take.order_type, take.price, take.side, take.reduce_only) == (
        OrderType.LIMIT,
        Decimal(110),
        Side.SELL,
        True,
    )
    assert stop.order_id == take.order_id == "order-o"
    assert desk.venue.bounds("TEST") == (190, 220)


def test_exits_do_not_work_before_the_entry_fills() -> None:
    desk = Desk()
    desk.row(99, 100)
    desk.order("o", type=OrderType.LIMIT, limit_price=98, **BRACKET)
    assert told(desk.row(111, 112)) == []
    assert desk.venue.bounds("TEST") == (196, FAR)


@pytest.mark.parametrize(
    ("bid", "ask", "expected"),
    [
        (95.5, 96, []),
        (95, 96, ["triggered o-SL", "filled o-SL 10@95", "cancelled o-TP bracket"]),
        (109.5, 110, []),
        (110, 111, ["filled o-TP 10@110", "cancelled o-SL bracket"]),
    ],
)
def test_one_exit_of_a_long_cancels_the_other(bid: float, ask: float, expected: list[str]) -> None:
    assert told(long_position().row(bid, ask)) == expected


@pytest.mark.parametrize(
    ("bid", "ask", "expected"),
    [
        (103, 105, ["triggered o-SL", "filled o-SL 10@105", "cancelled o-TP bracket"]),
        (89, 90, ["filled o-TP 10@90", "cancelled o-SL bracket"]),
    ],
)
def test_one_exit_of_a_short_cancels_the_other(bid: float, ask: float, expected: list[str]) -> None:
    desk = Desk()
    desk.row(99, 100)
    desk.order("o", **SHORT)
    assert told(desk.row(bid, ask)) == expected
    assert desk.venue.bounds("TEST") == (-1, FAR)


def test_when_one_row_reaches_both_exits_the_stop_is_first() -> None:
    said = told(long_position().row(94, 96, 0, 0, 111, 5))
    assert said == ["triggered o-SL", "filled o-SL 10@94", "cancelled o-TP bracket"]


def test_the_roles_of_the_fills() -> None:
    desk = long_position()
    (filled, _) = desk.row(110, 111)
    assert isinstance(filled, OrderFilled)
    assert (filled.role, filled.liquidity, filled.slippage) == ("take_profit", "maker", Decimal(0))


def test_slippage_of_a_stop_is_measured_from_the_stop() -> None:
    filled = long_position().row(93, 94)[1]
    assert isinstance(filled, OrderFilled)
    assert (filled.role, filled.liquidity, filled.slippage) == ("stop_loss", "taker", Decimal(2))


def test_exits_grow_with_the_entry() -> None:
    desk = Desk()
    desk.row(99, 100, 50, 4)
    assert told(desk.order("o", **BRACKET)) == [
        "accepted o 10",
        "filled o 4@100",
        "accepted o-SL 4",
        "accepted o-TP 4",
    ]
    assert told(desk.row(99, 100, 50, 50)) == ["filled o 6@100", "replaced o-SL 10", "replaced o-TP 10"]
    assert fills(desk.row(90, 91)) == [("o-SL", 10, 90.0)]


def test_an_exit_that_starts_to_fill_cancels_the_rest_of_the_entry() -> None:
    desk = Desk()
    desk.row(99, 100, 50, 4)
    desk.order("o", type=OrderType.LIMIT, limit_price=100, **BRACKET)
    desk.row(100, 101, 50, 50)
    assert told(desk.row(110, 111)) == ["filled o-TP 4@110", "cancelled o-SL bracket", "cancelled o bracket"]


def test_a_partial_exit_shrinks_the_other_by_as_much() -> None:
    desk = long_position()
    assert told(desk.row(109, 110, 20, 3)) == []
    assert told(desk.row(109, 110, 20, 3, 110, 5)) == ["filled o-TP 2@110", "replaced o-SL 8"]
    assert told(desk.row(95, 96)) == ["triggered o-SL", "filled o-SL 8@95", "cancelled o-TP bracket"]


def test_a_stop_that_cannot_fill_whole_keeps_working() -> None:
    desk = long_position()
    said = told(desk.row(95, 96, 4, 4))
    assert said == ["triggered o-SL", "filled o-SL 4@95", "replaced o-TP 6"]
    assert told(desk.row(99, 100, 50, 50)) == ["filled o-SL 6@99", "cancelled o-TP bracket"]


def test_a_stop_already_reached_when_the_entry_fills_trades_at_once() -> None:
    desk = Desk()
    desk.row(99, 100)
    said = told(desk.order("o", stop_loss=99, take_profit=110))
    assert said[2:] == [
        "accepted o-SL 10",
        "accepted o-TP 10",
        "triggered o-SL",
        "filled o-SL 10@99",
        "cancelled o-TP bracket",
    ]


def test_a_bracket_may_have_one_leg() -> None:
    desk = Desk()
    desk.row(99, 100)
    assert told(desk.order("o", stop_loss=95)) == ["accepted o 10", "filled o 10@100", "accepted o-SL 10"]
    assert told(desk.row(94, 95)) == ["triggered o-SL", "filled o-SL 10@94"]


def test_closing_by_other_means_ends_the_exits() -> None:
    desk = long_position()
    said = told(desk.order("c", side=Side.SELL, reduce_only=True))
    assert said == [
        "accepted c 10",
        "filled c 10@99",
        "cancelled o-SL position_flat",
        "cancelled o-TP position_flat",
    ]


def test_closing_in_part_by_other_means_caps_the_exits() -> None:
    desk = long_position()
    said = told(desk.order("c", side=Side.SELL, reduce_only=True, quantity=4))
    assert said[2:] == ["replaced o-SL 6", "replaced o-TP 6"]


def test_exits_that_go_flat_take_the_rest_of_their_entry_along() -> None:
    desk = Desk()
    desk.row(99, 100, 50, 4)
    desk.order("o", **BRACKET)
    said = told(desk.order("c", side=Side.SELL, reduce_only=True))
    assert said == [
        "accepted c 4",
        "filled c 4@99",
        "cancelled o-SL position_flat",
        "cancelled o bracket",
        "cancelled o-TP position_flat",
    ]


def test_an_entry_that_only_shrinks_a_position_gets_no_exits() -> None:
    desk = Desk()
    desk.row(99, 100)
    desk.order("s", side=Side.SELL, quantity=30)
    assert told(desk.order("o", **BRACKET)) == ["accepted o 10", "filled o 10@100"]


def test_an_entry_that_reverses_a_position_protects_what_it_opened() -> None:
    desk = Desk()
    desk.row(99, 100)
    desk.order("s", side=Side.SELL, quantity=4)
    assert told(desk.order("o", **BRACKET))[2:] == ["accepted o-SL 6", "accepted o-TP 6"]


def test_two_brackets_of_one_position_live_side_by_side() -> None:
    desk = long_position()
    desk.order("p", stop_loss=96, take_profit=120)
    assert told(desk.row(96, 97)) == ["triggered p-SL", "filled p-SL 10@96", "cancelled p-TP bracket"]
    assert told(desk.row(95, 96)) == ["triggered o-SL", "filled o-SL 10@95", "cancelled o-TP bracket"]


def test_a_reversal_ends_the_exits_of_the_old_side() -> None:
    desk = long_position()
    said = told(desk.order("r", side=Side.SELL, quantity=25))
    assert said[1:] == ["filled r 25@99", "cancelled o-SL position_flat", "cancelled o-TP position_flat"]


@pytest.mark.parametrize(("quantity", "accepted"), [(9, 9), (10, 10), (11, 10)])
def test_a_reduce_only_order_is_capped_to_the_position(quantity: int, accepted: int) -> None:
    desk = Desk()
    desk.row(99, 100)
    desk.order("o")
    said = told(desk.order("c", side=Side.SELL, reduce_only=True, quantity=quantity))
    assert said == [f"accepted c {accepted}", f"filled c {accepted}@99"]


def test_a_closing_fill_has_its_own_role() -> None:
    desk = long_position()
    filled = desk.order("c", side=Side.SELL, reduce_only=True, time_in_force=TimeInForce.IOC)[1]
    assert isinstance(filled, OrderFilled)
    assert filled.role == "close"


def test_positions_are_kept_by_account() -> None:
    desk = long_position()
    said = told(desk.order("c", side=Side.SELL, reduce_only=True, account="OTHER"))
    assert said == ["rejected c reduce_only_would_increase"]
