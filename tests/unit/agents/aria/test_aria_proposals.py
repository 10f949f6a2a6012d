"""A person's order enters at ARIA: never above what was asked, and closing is always allowed."""

from decimal import Decimal
from typing import Any

import pytest

from tests.unit.agents.desk import NO_NEWS, Desk, default_config, make_account
from tmt import messages as m
from tmt.agents.aria import AriaAgent, AriaConfig
from tmt.domain.order import OrderType, Side, TimeInForce


def make_desk() -> Desk:
    desk = Desk()
    desk.mark("EURUSD", "1.0000")
    return desk


def ask(desk: Desk, side: Side, quantity: str, **fields: Any) -> m.OrderSized | m.OrderDenied:
    agent = AriaAgent(default_config(AriaConfig, "aria"), desk.portfolio, "hash", NO_NEWS)
    [said] = agent.handle(desk.propose("EURUSD", side, quantity, **fields))
    assert isinstance(said, m.OrderSized | m.OrderDenied)
    assert m.decode(m.encode(said)) == said
    return said


def quantity(said: m.OrderSized | m.OrderDenied) -> Decimal:
    assert isinstance(said, m.OrderSized), said
    return said.order.quantity


def reason(said: m.OrderSized | m.OrderDenied) -> str:
    assert isinstance(said, m.OrderDenied), said
    return said.reason


@pytest.mark.parametrize(("asked", "expected"), [("99000", 99000), ("100000", 100000), ("101000", 100000)])
def test_a_person_gets_what_was_asked_but_no_more_than_the_risk_allows(asked: str, expected: int) -> None:
    assert quantity(ask(make_desk(), Side.BUY, asked, stop_loss_price=Decimal("0.99"))) == Decimal(expected)


@pytest.mark.parametrize(("asked", "expected"), [("199000", 199000), ("200000", 200000), ("201000", 200000)])
def test_without_a_stop_the_exposure_limits_alone_bind(asked: str, expected: int) -> None:
    said = ask(make_desk(), Side.SELL, asked)
    assert quantity(said) == Decimal(expected)
    assert not [check for check in said.checks if check.rule == "aria.risk_per_trade"]


def test_a_rate_too_small_to_be_told_from_nothing_is_none() -> None:
    desk = make_desk()
    desk.mark("USDJPY", "10000000000000")
    assert desk.portfolio.rate("JPY", "USD") == 0
    agent = AriaAgent(default_config(AriaConfig, "aria"), desk.portfolio, "hash", NO_NEWS)
    [said] = agent.handle(desk.propose("USDJPY", Side.BUY, "1000"))
    assert isinstance(said, m.OrderDenied)
    assert said.reason == "no_conversion_rate"


def test_off_the_lot_grid_is_rounded_down() -> None:
    assert quantity(ask(make_desk(), Side.BUY, "1999.5")) == Decimal(1000)


def test_what_the_person_said_is_kept() -> None:
    said = ask(
        make_desk(), Side.BUY, "1000", order_type=OrderType.LIMIT, time_in_force=TimeInForce.GTC,
        limit_price=Decimal("0.99"), post_only=True,
    )  # fmt: skip
    assert isinstance(said, m.OrderSized)
    order = said.order
    assert (order.type, order.limit_price, order.post_only) == (OrderType.LIMIT, Decimal("0.99"), True)
    assert (order.strategy, order.setup) == ("manual", "manual")


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"account": "nobody"}, "unknown_account"),
        ({"order_type": OrderType.LIMIT}, "invalid_order"),
        ({"time_in_force": TimeInForce.GTD}, "invalid_order"),
        ({"stop_loss_price": Decimal(-1)}, "invalid_order"),
        ({"stop_loss_price": Decimal("0.990001")}, "price_off_tick"),
        ({"stop_loss_price": Decimal("1.0000")}, "stop_not_protective"),
        ({"stop_loss_price": Decimal("1.0001")}, "stop_not_protective"),
    ],
)
def test_an_order_that_makes_no_sense_is_refused(fields: dict[str, Any], expected: str) -> None:
    assert reason(ask(make_desk(), Side.BUY, "1000", **fields)) == expected


def test_no_price_no_order() -> None:
    assert reason(ask(Desk(), Side.BUY, "1000")) == "no_mark"


def test_an_instrument_not_of_the_account_is_refused() -> None:
    desk = Desk(make_account(instruments=("SPY",)))
    desk.mark("EURUSD", "1")
    assert reason(ask(desk, Side.BUY, "1000")) == "instrument_not_allowed"


@pytest.mark.parametrize(
    "quantity_asked", ["1000000000000000000", "0.000000000000000001", "123456789.123456789123456789"]
)
def test_no_quantity_breaks_the_gate(quantity_asked: str) -> None:
    limit = {"order_type": OrderType.LIMIT, "limit_price": Decimal("999999999999999999.99999")}
    for fields in ({}, {"stop_loss_price": Decimal("0.5")}, limit):
        ask(make_desk(), Side.BUY, quantity_asked, **fields)


@pytest.mark.parametrize(("asked", "expected"), [("4000", 4000), ("5000", 5000), ("6000", 5000)])
def test_closing_is_cut_to_the_position(asked: str, expected: int) -> None:
    desk = make_desk()
    desk.hold("EURUSD", Side.BUY, "5000", "1")
    assert quantity(ask(desk, Side.SELL, asked, reduce_only=True)) == Decimal(expected)


def test_closing_passes_when_new_risk_is_halted_and_nothing_can_be_valued() -> None:
    desk = make_desk()
    desk.hold("EURUSD", Side.BUY, "200000", "1")
    desk.mark("EURUSD", "0.5")
    assert reason(ask(desk, Side.BUY, "1000")) == "no_equity"
    assert quantity(ask(desk, Side.SELL, "200000", reduce_only=True)) == Decimal(200000)


@pytest.mark.parametrize("side", [Side.BUY, Side.SELL])
def test_reduce_only_that_would_not_reduce_is_refused(side: Side) -> None:
    desk = make_desk()
    if side is Side.BUY:
        desk.hold("EURUSD", Side.BUY, "5000", "1")
    assert reason(ask(desk, side, "1000", reduce_only=True)) == "nothing_to_reduce"


def test_less_than_a_lot_closes_nothing() -> None:
    desk = make_desk()
    desk.hold("EURUSD", Side.BUY, "5000", "1")
    assert reason(ask(desk, Side.SELL, "999", reduce_only=True)) == "below_minimum_quantity"


def test_people_may_add_to_a_position() -> None:
    desk = make_desk()
    desk.hold("EURUSD", Side.BUY, "5000", "1", stop="0.99")
    assert quantity(ask(desk, Side.BUY, "1000")) == Decimal(1000)


@pytest.mark.parametrize(
    ("side", "target"), [(Side.BUY, "1.0000"), (Side.BUY, "0.9999"), (Side.SELL, "1.0000"), (Side.SELL, "1.0001")]
)
def test_a_target_that_would_take_a_loss_is_refused(side: Side, target: str) -> None:
    assert reason(ask(make_desk(), side, "1000", take_profit_price=Decimal(target))) == "invalid_order"


@pytest.mark.parametrize(("side", "target"), [(Side.BUY, "1.0001"), (Side.SELL, "0.9999")])
def test_a_target_that_would_take_a_profit_passes(side: Side, target: str) -> None:
    assert quantity(ask(make_desk(), side, "1000", take_profit_price=Decimal(target))) == 1000
