"""What an account has at stake, position by position and order by order, in its own currency."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from tests.unit.agents.desk import NO_NEWS, Desk, default_config, make_account, make_instrument, make_order, make_quote
from tmt import messages as m
from tmt.agents.aria import AriaAgent, AriaConfig, AriaState, evolve
from tmt.agents.aria.exposure import Commitment, commitments, margin_used, worst_cases
from tmt.domain.instrument import AssetClass
from tmt.domain.order import Side

USDJPY = make_instrument("USDJPY", "USD", "JPY", tick_size="0.001")
NIKKEI = msgspec.structs.replace(
    make_instrument("NIKKEI", "", "JPY", asset_class=AssetClass.INDEX, tick_size="1", lot_size="1"),
    point_value=Decimal(50),
)
CONFIG = default_config(AriaConfig, "aria")


def make_desk() -> Desk:
    """A dollar is 100 yen, a point of the index 50: a contract at 20,000 is worth 10,000 USD."""
    desk = Desk(make_account(instruments=("NIKKEI",)), instruments=(USDJPY, NIKKEI))
    desk.mark("USDJPY", "100")
    return desk


@pytest.mark.parametrize(
    ("side", "stop", "value", "loss"),
    [
        (Side.BUY, "19900", "29995.5", "145.5"),  # 97 points from the bid to the stop
        (Side.BUY, "20000", "29995.5", "0"),
        (Side.BUY, None, "29995.5", "29995.5"),
        (Side.SELL, "20100", "-30004.5", "145.5"),  # 97 points from the ask
        (Side.SELL, "19000", "-30004.5", "0"),
        (Side.SELL, None, "-30004.5", "30004.5"),
    ],
)
def test_a_position_is_worth_the_price_it_would_be_closed_at(
    side: Side, stop: str | None, value: str, loss: str
) -> None:
    desk = make_desk()
    desk.hold("NIKKEI", side, "3", "20000", stop=stop)
    desk.mark("NIKKEI", "19997", "20003")
    assert commitments(desk.portfolio, "alpha") == [
        Commitment(instrument=NIKKEI, value=Decimal(value), loss=Decimal(loss), working=False)
    ]


@pytest.mark.parametrize(
    ("side", "fields", "value", "loss"),
    [
        (Side.BUY, {"stop_loss": "19900"}, "30000", "150"),
        (Side.BUY, {"stop_loss": "20001"}, "30000", "0"),
        (Side.BUY, {}, "30000", "30000"),
        (Side.SELL, {"stop_loss": "20100"}, "-30000", "150"),
        (Side.SELL, {"stop_loss": "19999"}, "-30000", "0"),
        (Side.SELL, {}, "-30000", "30000"),
        (Side.SELL, {"reduce_only": True}, "0", "0"),
    ],
)
def test_an_order_is_worth_the_price_it_would_take(side: Side, fields: dict[str, Any], value: str, loss: str) -> None:
    desk = make_desk()
    desk.approve(m.OrderSized, make_order("NIKKEI", side, "3", make_quote("20000"), **fields))
    [stake] = [each for each in known(desk) if each.working]
    assert (stake.instrument, stake.value, stake.loss) == (NIKKEI, Decimal(value), Decimal(loss))


def known(desk: Desk) -> list[Commitment]:
    stakes = commitments(desk.portfolio, "alpha")
    assert isinstance(stakes, list)
    return stakes


def test_the_worst_case_is_the_larger_of_both_sides_and_its_margin_that_of_its_class() -> None:
    desk = make_desk()
    desk.hold("NIKKEI", Side.BUY, "1", "20000")
    for number, (side, quantity) in enumerate(((Side.BUY, "1"), (Side.SELL, "2"), (Side.SELL, "3"))):
        order = make_order("NIKKEI", side, quantity, make_quote("20000"), order_id=str(number))
        desk.approve(m.OrderSized, order)
    assert worst_cases(known(desk)) == {"NIKKEI": (NIKKEI, Decimal(40000))}
    margins = msgspec.structs.replace(CONFIG.margin.initial_margin_fractions, index=Decimal("0.07"))
    assert margin_used(known(desk), margins) == 2800
    assert margin_used([], margins) == 0


def test_what_aria_does_not_follow_changes_nothing() -> None:
    desk = make_desk()
    state = AriaState(drawdown_bands={"alpha": 3})
    assert evolve(state, desk.started, desk.portfolio, CONFIG) is state
    agent = AriaAgent(CONFIG, desk.portfolio, "hash", NO_NEWS)
    assert agent.handle(desk.started) == []
