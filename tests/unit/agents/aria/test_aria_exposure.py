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
from tmt.agents.aria.exposure import (
    Commitment,
    Exposure,
    Unknown,
    commitments,
    margin_used,
    measure,
    without_opposite,
    worst_cases,
)
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
    assert worst_cases(known(desk)) == {"NIKKEI": (NIKKEI, Decimal(50000))}  # both sells, once the position is closed
    margins = msgspec.structs.replace(CONFIG.margin.initial_margin_fractions, index=Decimal("0.07"))
    assert margin_used(known(desk), margins) == 3500
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
        ([held(SPY, 10), works(SPY, 3), works(SPY, 4), works(SPY, -16)], 17),
        ([held(SPY, 10), works(SPY, 3), works(SPY, 4), works(SPY, -12), works(SPY, -6)], 18),
        ([held(SPY, -10), works(SPY, 16), works(SPY, -7)], 17),
        ([held(SPY, -10), works(SPY, 9), works(SPY, 9), works(SPY, -7)], 18),
        ([held(SPY, -10), works(SPY, 0), works(SPY, 4)], 10),
        ([held(SPY, -10), works(SPY, 11)], 11),
        ([held(SPY, 10), works(SPY, -9)], 10),
        ([held(SPY, 10), works(SPY, -11)], 11),
    ],
)
def test_a_worst_case_has_the_orders_of_one_side_filled_and_no_position_on_the_other(
    stakes: list[Commitment], worst: int
) -> None:
    others = [held(EURUSD, 5), works(EURUSD, -11)]
    expected = {"SPY": (SPY, Decimal(worst)), "EURUSD": (EURUSD, Decimal(11))}
    assert worst_cases([*stakes, *others]) == expected
    margins = msgspec.structs.replace(CONFIG.margin.initial_margin_fractions, equity=Decimal("0.5"), fx=Decimal("0.25"))
    assert margin_used([*stakes, *others], margins) == worst * Decimal("0.5") + Decimal("2.75")


STAKES = [
    held(EURUSD, 100, 1),
    held(USDJPY, 20, 2),
    held(EURJPY, -7, 4),
    held(NIKKEI, 1000, 8),
    works(EURUSD, 300, 16),
    works(EURUSD, -500, 32),
    works(USDJPY, 40, 64),
    works(USDJPY, -70, 128),
    works(NIKKEI, -3000, 256),
]
"""At most, long and short: EURUSD 400 and 500, USDJPY 60 and 70, EURJPY 0 and 7, NIKKEI 1000 and 3000."""


@pytest.mark.parametrize(
    ("instrument", "side", "expected"),
    [
        # Euros 400 - 7, the short as it is held; dollars sold 400 + 70.
        (EURUSD, Side.BUY, ("400", "500", "3077", "307.7", "393", "470", "511")),
        # Euros sold 500 + 7, dollars bought 500 + 60: the long of 100 makes no room.
        (EURUSD, Side.SELL, ("500", "400", "3077", "307.7", "507", "560", "511")),
        # Dollars 60 + 500, yen sold 60 - 7.
        (USDJPY, Side.BUY, ("60", "70", "3507", "350.7", "560", "53", "511")),
        # Dollars sold 70 + 400, yen bought 70 + 7.
        (USDJPY, Side.SELL, ("70", "60", "3507", "350.7", "470", "77", "511")),
        # Euros 400 and yen sold 60: the short of 7 is against the order, and makes no room.
        (EURJPY, Side.BUY, ("0", "7", "3570", "357", "400", "60", "511")),
        # Euros sold 7 + 500, yen bought 7 + 70.
        (EURJPY, Side.SELL, ("7", "0", "3570", "357", "507", "77", "511")),
        (NIKKEI, Side.BUY, ("1000", "3000", "577", "57.7", "0", "0", "511")),
        (NIKKEI, Side.SELL, ("3000", "1000", "577", "57.7", "0", "0", "511")),
        (SPY, Side.BUY, ("0", "0", "3577", "357.7", "0", "0", "511")),
    ],
)
def test_what_an_account_has_at_stake_as_an_order_meets_it(
    instrument: Instrument, side: Side, expected: tuple[str, ...]
) -> None:
    tenths = {name: Decimal("0.1") for name in ("fx", "equity", "crypto", "metal", "index")}
    margins = msgspec.structs.replace(CONFIG.margin.initial_margin_fractions, **tenths)
    names = ("instrument", "against", "others", "others_margin", "base", "quote", "heat")
    found = measure(STAKES, instrument, side, margins)
    assert found == Exposure(**dict(zip(names, map(Decimal, expected), strict=True)))


def test_an_order_is_judged_beside_all_but_what_is_against_it_in_its_instrument() -> None:
    stakes = [held(EURUSD, 100), held(USDJPY, -20), works(EURUSD, 300), works(EURUSD, -500)]
    assert without_opposite(stakes, "EURUSD", Side.BUY) == stakes[:3]
    assert without_opposite(stakes, "EURUSD", Side.SELL) == [stakes[1], stakes[3]]
    assert without_opposite(stakes, "USDJPY", Side.BUY) == [stakes[0], *stakes[2:]]
    assert without_opposite(stakes, "USDJPY", Side.SELL) == stakes


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
