"""What an account has at stake, position by position and order by order, in its own currency."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from tests.unit.agents.desk import (
    EURUSD,
    NO_NEWS,
    SPY,
    Desk,
    default_config,
    make_account,
    make_instrument,
    make_order,
    make_quote,
)
from tmt import messages as m
from tmt.agents.aria import AriaAgent, AriaConfig, AriaState, evolve
from tmt.agents.aria.exposure import Commitment, Exposure, Unknown, commitments, margin_used, measure, worst_cases
from tmt.domain.instrument import AssetClass, Instrument
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


EURJPY = make_instrument("EURJPY", "EUR", "JPY", tick_size="0.001")


def held(instrument: Instrument, value: int, loss: int = 0) -> Commitment:
    return Commitment(instrument=instrument, value=Decimal(value), loss=Decimal(loss), working=False)


def works(instrument: Instrument, value: int, loss: int = 0) -> Commitment:
    return Commitment(instrument=instrument, value=Decimal(value), loss=Decimal(loss), working=True)


@pytest.mark.parametrize(
    ("stakes", "worst"),
    [
        ([held(SPY, 10)], 10),
        ([held(SPY, -10)], 10),
        ([works(SPY, 3), works(SPY, 4), works(SPY, -6)], 7),
        ([works(SPY, 3), works(SPY, 4), works(SPY, -8)], 8),
        ([held(SPY, 10), works(SPY, 3), works(SPY, 4), works(SPY, -26)], 17),
        ([held(SPY, 10), works(SPY, 3), works(SPY, 4), works(SPY, -20), works(SPY, -8)], 18),
        ([held(SPY, -10), works(SPY, 27), works(SPY, -7)], 17),
        ([held(SPY, -10), works(SPY, 28), works(SPY, -7)], 18),
        ([held(SPY, -10), works(SPY, 0), works(SPY, 4)], 10),
    ],
)
def test_a_worst_case_has_the_orders_of_one_side_filled(stakes: list[Commitment], worst: int) -> None:
    others = [held(EURUSD, 5), works(EURUSD, -11)]
    expected = {"SPY": (SPY, Decimal(worst)), "EURUSD": (EURUSD, Decimal(6))}
    assert worst_cases([*stakes, *others]) == expected
    margins = msgspec.structs.replace(CONFIG.margin.initial_margin_fractions, equity=Decimal("0.5"), fx=Decimal("0.25"))
    assert margin_used([*stakes, *others], margins) == worst * Decimal("0.5") + Decimal("1.5")


STAKES = [
    held(EURUSD, 100, 1),
    held(USDJPY, 20, 2),
    held(EURJPY, -7, 4),
    held(NIKKEI, 1000, 8),
    works(EURUSD, 300, 16),
    works(EURUSD, -500, 32),
    works(USDJPY, 40, 64),
    works(USDJPY, -60, 128),
    works(NIKKEI, -3000, 256),
]
"""Euros: 100 and -7; 300 to come, 500 to go. Dollars: -100 and 20; 500 and 40 to come, 300 and 60 to go."""


@pytest.mark.parametrize(
    ("instrument", "side", "expected"),
    [
        (EURUSD, Side.BUY, ("400", "2067", "206.7", "393", "440", "511")),
        (EURUSD, Side.SELL, ("400", "2067", "206.7", "407", "460", "511")),
        (USDJPY, Side.BUY, ("60", "2407", "240.7", "460", "53", "511")),
        (USDJPY, Side.SELL, ("40", "2407", "240.7", "440", "47", "511")),
        (NIKKEI, Side.BUY, ("1000", "467", "46.7", "0", "0", "511")),
        (NIKKEI, Side.SELL, ("2000", "467", "46.7", "0", "0", "511")),
        (SPY, Side.BUY, ("0", "2467", "246.7", "0", "0", "511")),
    ],
)
def test_what_an_account_has_at_stake_as_an_order_meets_it(
    instrument: Instrument, side: Side, expected: tuple[str, ...]
) -> None:
    tenths = {name: Decimal("0.1") for name in ("fx", "equity", "crypto", "metal", "index")}
    margins = msgspec.structs.replace(CONFIG.margin.initial_margin_fractions, **tenths)
    names = ("instrument", "others", "others_margin", "base", "quote", "heat")
    found = measure(STAKES, instrument, side, margins)
    assert found == Exposure(**dict(zip(names, map(Decimal, expected), strict=True)))


@pytest.mark.parametrize(
    ("take", "reason", "words"),
    [
        (lambda state: state.accounts.pop("alpha"), "no_conversion_rate", "no rate from JPY for alpha"),
        (lambda state: state.marks.pop("USDJPY"), "no_conversion_rate", "no rate from JPY for alpha"),
        (lambda state: state.marks.pop("NIKKEI"), "no_mark", "no price known for NIKKEI, which is held"),
        (lambda state: state.instruments.pop("NIKKEI"), "no_mark", "no price known for NIKKEI, which is held"),
        (
            lambda state: (state.instruments.pop("NIKKEI"), state.positions.clear()),
            "unknown_instrument", "an order works in NIKKEI, which is unknown",
        ),
    ],
)  # fmt: skip
def test_what_is_not_known_is_told(take: Any, reason: str, words: str) -> None:
    desk = make_desk()
    desk.hold("NIKKEI", Side.BUY, "1", "20000")
    desk.approve(m.OrderSized, make_order("NIKKEI", Side.BUY, "1", make_quote("20000")))
    assert len(known(desk)) == 2
    take(desk.portfolio.state)
    assert commitments(desk.portfolio, "alpha") == Unknown(reason=reason, detail=words)


def test_what_aria_does_not_follow_changes_nothing() -> None:
    desk = make_desk()
    state = AriaState(drawdown_bands={"alpha": 3})
    assert evolve(state, desk.started, desk.portfolio, CONFIG) is state
    agent = AriaAgent(CONFIG, desk.portfolio, "hash", NO_NEWS)
    assert agent.handle(desk.started) == []
