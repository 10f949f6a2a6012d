"""ARIA and margin: no order brings an account's level below critical, and a level that changes is said."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from tests.unit.agents.desk import (
    BTCUSD,
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
from tmt.agents.aria import AriaAgent, AriaConfig, AriaState
from tmt.agents.aria.config import MarginConfig
from tmt.agents.aria.margin import level_of, margin_level, named
from tmt.domain.instrument import AssetClass
from tmt.domain.money import MAGNITUDE_MAX, ZERO, decode_hook
from tmt.domain.order import Side

WIDE: dict[str, Any] = {
    "risk_fraction": "0.02",
    "risk_multiplier": "50",
    "risk_fraction_max": "1",
    "heat_fraction_max": "1",
    "positions_per_instrument_max": "9",
    "instrument_exposure_ratio_max": "1000",
    "currency_exposure_ratio_max": "1000",
    "gross_exposure_ratio_max": "1000",
    "position_notional_max": "1000000000",
}
MARGIN: dict[str, Any] = {
    "initial_margin_fractions": {"fx": "0.5", "equity": "0.25", "crypto": "1", "metal": "0.1", "index": "0.2"},
    "warn_level_min": "2",
    "critical_level_min": "1.25",
    "stop_out_level_min": "0.8",
}
CONFIG = default_config(AriaConfig, "aria", margin=MARGIN, **WIDE)
EURUSD = make_instrument("EURUSD", "EUR", "USD", lot_size="1")
GBPUSD = make_instrument("GBPUSD", "GBP", "USD", lot_size="1")
ONE = make_quote("1.00000")


def make_desk() -> Desk:
    instruments = (EURUSD, GBPUSD, SPY, BTCUSD)
    return Desk(make_account(instruments=tuple(i.symbol for i in instruments)), instruments=instruments)


def make_agent(desk: Desk) -> AriaAgent:
    return AriaAgent(CONFIG, desk.portfolio, "hash", NO_NEWS)


def ask(desk: Desk, *, side: Side = Side.BUY) -> m.OrderSized | m.OrderDenied:
    """A signal that wants more than any margin allows, with 100,000 USD of equity."""
    stop, target = ("0.99000", "1.10000") if side is Side.BUY else ("1.01000", "0.90000")
    [said] = make_agent(desk).handle(desk.signal("EURUSD", side, ONE, stop=stop, target=target))
    assert isinstance(said, m.OrderSized | m.OrderDenied)
    return said


def quantity(said: m.OrderSized | m.OrderDenied) -> Decimal:
    assert isinstance(said, m.OrderSized), said
    return said.order.quantity


def margin_check(said: m.OrderSized | m.OrderDenied) -> m.Check:
    [check] = [check for check in said.checks if check.rule == "aria.margin_level"]
    return check


def test_an_order_is_cut_to_what_keeps_the_level_at_critical() -> None:
    # 100,000 / (160,000 x 0.5) = 1.25
    said = ask(make_desk())
    assert quantity(said) == 160000
    check = margin_check(said)
    assert (check.outcome, check.limit, check.unit, check.at_least) == ("reduce", Decimal("1.25"), "ratio", True)
    assert check.measured == Decimal("0.02")  # 10,000,000 EUR wanted: 100,000 / 5,000,000


@pytest.mark.parametrize(
    ("asked", "outcome", "measured", "expected"),
    [
        ("159999", "pass", "1.250008", 159999),
        ("160000", "pass", "1.25", 160000),
        ("160001", "reduce", "1.249992", 160000),
    ],
)
def test_the_level_exactly_at_critical_passes(asked: str, outcome: str, measured: str, expected: int) -> None:
    desk = make_desk()
    desk.mark("EURUSD", "1")
    [said] = make_agent(desk).handle(desk.propose("EURUSD", Side.SELL, asked))
    assert isinstance(said, m.OrderSized)
    check = margin_check(said)
    assert (check.outcome, check.measured, said.order.quantity) == (outcome, Decimal(measured), Decimal(expected))


def test_what_is_held_elsewhere_uses_margin_by_its_class() -> None:
    desk = make_desk()
    desk.hold("SPY", Side.BUY, "400", "100", stop="100")  # 10,000 of margin
    assert quantity(ask(desk)) == 140000


def test_working_orders_use_margin_on_their_worse_side() -> None:
    desk = make_desk()
    desk.hold("SPY", Side.BUY, "100", "100", stop="100")
    desk.approve(m.OrderSized, make_order("SPY", Side.BUY, "300", make_quote("100"), stop_loss="100", order_id="a"))
    desk.approve(m.OrderSized, make_order("SPY", Side.SELL, "400", make_quote("100"), stop_loss="100", order_id="b"))
    assert quantity(ask(desk)) == 140000


def test_what_is_held_here_uses_margin_too() -> None:
    desk = make_desk()
    desk.hold("EURUSD", Side.BUY, "100000", "1", stop="1")
    assert quantity(ask(desk)) == 60000
    assert quantity(ask(desk, side=Side.SELL)) == 160000  # as without it: it may be closed before


@pytest.mark.parametrize(
    ("asked", "measured"),
    [("99999", "1.666667"), ("100000", "1.666667"), ("100001", "1.666653")],
)
def test_the_level_is_at_most_that_of_what_is_on_the_other_side(asked: str, measured: str) -> None:
    desk = make_desk()
    desk.hold("SPY", Side.BUY, "400", "100")  # 10,000 of margin
    desk.hold("EURUSD", Side.BUY, "100000", "1")  # 50,000
    [said] = make_agent(desk).handle(desk.propose("EURUSD", Side.SELL, asked))
    assert isinstance(said, m.OrderSized)
    assert margin_check(said).measured == Decimal(measured)


@pytest.mark.parametrize(
    ("asked", "outcome", "expected"),
    [("159999", "warn", 159999), ("160000", "warn", 160000), ("160001", "reduce", 160000)],
)
def test_where_the_other_side_is_below_critical_an_order_keeps_the_level_by_itself(
    asked: str, outcome: str, expected: int
) -> None:
    desk = make_desk()
    desk.hold("EURUSD", Side.BUY, "170000", "1")
    [said] = make_agent(desk).handle(desk.propose("EURUSD", Side.SELL, asked))
    assert isinstance(said, m.OrderSized)
    check = margin_check(said)
    assert (check.outcome, check.measured) == (outcome, Decimal("1.176471"))  # 100,000 / 85,000
    assert said.order.quantity == expected


def test_no_room_is_a_refusal_by_the_level() -> None:
    desk = make_desk()
    desk.hold("GBPUSD", Side.BUY, "160000", "1", stop="1")
    said = ask(desk)
    assert isinstance(said, m.OrderDenied)
    assert (said.reason, said.limit, said.unit) == ("margin_level", Decimal("1.25"), "ratio")
    assert said.checks[-1].at_least


def test_room_for_exactly_the_smallest_order_passes() -> None:
    desk = make_desk()
    desk.hold("GBPUSD", Side.BUY, "159999", "1", stop="1")
    assert quantity(ask(desk)) == 1


def test_below_critical_only_what_is_reduce_only_closes() -> None:
    desk = make_desk()
    desk.hold("EURUSD", Side.BUY, "50000", "1", stop="1")
    desk.hold("GBPUSD", Side.BUY, "400000", "1", stop="1")
    agent = make_agent(desk)
    [said] = agent.handle(desk.propose("EURUSD", Side.SELL, "50000"))
    assert isinstance(said, m.OrderDenied)
    assert (said.reason, said.measured) == ("margin_level", Decimal("0.444444"))  # 100,000 / (200,000 + 25,000)
    [said] = agent.handle(desk.propose("EURUSD", Side.SELL, "50000", reduce_only=True))
    assert isinstance(said, m.OrderSized)
    assert said.order.quantity == 50000


@pytest.mark.parametrize(
    ("measured", "name", "limit"),
    [
        ("2.000001", "normal", "2"), ("2", "normal", "2"), ("1.999999", "warn", "2"),
        ("1.25", "warn", "2"), ("1.249999", "critical", "1.25"), ("0.8", "critical", "1.25"),
        ("0.799999", "stop_out", "0.8"), ("-1", "stop_out", "0.8"),
    ],
)  # fmt: skip
def test_a_level_holds_below_its_limit(measured: str, name: str, limit: str) -> None:
    assert named(Decimal(measured), CONFIG.margin) == (name, Decimal(measured), Decimal(limit))


@pytest.mark.parametrize(
    ("equity", "used", "expected"),
    [
        ("100", "0", MAGNITUDE_MAX), ("100", "-1", MAGNITUDE_MAX), ("100", "40", Decimal("2.5")),
        ("-100", "40", Decimal("-2.5")), ("100", "0.0000000000000000001", MAGNITUDE_MAX),
        ("-100", "0.0000000000000000001", -MAGNITUDE_MAX),
    ],
)  # fmt: skip
def test_the_level_is_equity_over_margin_used(equity: str, used: str, expected: Decimal) -> None:
    assert level_of(Decimal(equity), Decimal(used)) == expected


def test_the_level_of_an_account_is_that_of_what_it_holds() -> None:
    desk = make_desk()
    desk.hold("EURUSD", Side.SELL, "100000", "1")
    desk.hold("SPY", Side.BUY, "1000", "100")
    desk.approve(m.OrderSized, make_order("GBPUSD", Side.BUY, "100000", ONE, stop_loss="0.9"))
    level = margin_level(desk.portfolio, "alpha", CONFIG.margin)
    assert level is not None
    assert (level.name, level.measured) == ("warn", Decimal("1.333333333333"))  # 100,000 / (50,000 + 25,000)


def test_what_cannot_be_valued_has_no_level() -> None:
    desk = make_desk()
    desk.hold("SPY", Side.BUY, "1000", "100")
    del desk.portfolio.state.marks["SPY"]
    assert margin_level(desk.portfolio, "alpha", CONFIG.margin) is None
    assert margin_level(desk.portfolio, "nobody", CONFIG.margin) is None


def test_a_level_is_said_when_it_changes_and_only_then() -> None:
    desk = make_desk()
    agent = make_agent(desk)
    bought = desk.hold("SPY", Side.BUY, "2000", "100")
    assert agent.handle(bought) == []  # 100,000 / 50,000 is 2: normal
    assert said_by(agent, desk.mark("SPY", "99.99")) == [("warn", Decimal("1.999799979998"), Decimal(2))]
    assert said_by(agent, desk.mark("SPY", "99.98")) == []
    # Equity 20,000 with 120,000 held, 30,000 of margin.
    assert said_by(agent, desk.mark("SPY", "60")) == [("stop_out", Decimal("0.666666666667"), Decimal("0.8"))]
    assert said_by(agent, desk.mark("SPY", "65")) == [("critical", Decimal("0.923076923077"), Decimal("1.25"))]
    order = make_order("SPY", Side.SELL, "2000", make_quote("65"), order_id="close")
    assert said_by(agent, desk.fill(order, "65", role="close")) == [("normal", MAGNITUDE_MAX, Decimal(2))]
    assert agent.state.margin_levels == {"alpha": "normal"}
    assert agent.handle(desk.mark("SPY", "65")) == []


def test_a_fill_that_changes_the_level_says_so() -> None:
    desk = make_desk()
    agent = make_agent(desk)
    fill = desk.hold("BTCUSD", Side.SELL, "2", "25001")
    [said] = agent.handle(fill)
    assert isinstance(said, m.MarginLevelChanged)
    assert (said.account, said.level, said.causation_id) == ("alpha", "warn", fill.message_id)
    assert said.measured == Decimal("1.999920003200")
    assert m.decode(m.encode(said)) == said


def test_each_account_has_its_own_level() -> None:
    desk = Desk(make_account("alpha"), make_account("beta", deposit="50000"), instruments=(EURUSD, SPY))
    agent = make_agent(desk)
    for account in ("alpha", "beta"):
        agent.handle(desk.hold("SPY", Side.BUY, "500", "200", account=account))
    assert agent.state.margin_levels == {}
    [said] = agent.handle(desk.mark("SPY", "199"))
    assert isinstance(said, m.MarginLevelChanged)
    assert (said.account, said.level) == ("beta", "warn")


def test_a_bar_of_what_nobody_holds_says_nothing() -> None:
    desk = make_desk()
    agent = make_agent(desk)
    agent.handle(desk.hold("SPY", Side.BUY, "2000", "100"))
    desk.mark("SPY", "60")
    assert agent.handle(desk.mark("EURUSD", "1")) == []
    assert agent.state.margin_levels == {}


def test_an_unpriced_account_keeps_its_level() -> None:
    desk = make_desk()
    agent = make_agent(desk)
    agent.state = AriaState(margin_levels={"alpha": "warn"})
    fill = desk.hold("SPY", Side.BUY, "2000", "100")
    del desk.portfolio.state.marks["SPY"]
    assert agent.handle(fill) == []
    assert agent.state.margin_levels == {"alpha": "warn"}


def test_the_levels_survive_a_restart() -> None:
    state = AriaState(margin_levels={"alpha": "stop_out"})
    assert msgspec.json.decode(msgspec.json.encode(state), type=AriaState, dec_hook=decode_hook) == state


def said_by(agent: AriaAgent, message: m.Message) -> list[tuple[str, Decimal, Decimal]]:
    said = agent.handle(message)
    levels = [each for each in said if isinstance(each, m.MarginLevelChanged)]
    assert len(levels) == len(said)
    return [(each.level, each.measured, each.limit) for each in levels]


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"stop_out_level_min": "0"}, "stop_out_level_min"),
        ({"stop_out_level_min": "1.25"}, "critical_level_min"),
        ({"warn_level_min": "1.25"}, "warn_level_min"),
        ({"initial_margin_fractions": {**MARGIN["initial_margin_fractions"], "fx": "0"}}, "fx"),
        ({"initial_margin_fractions": {**MARGIN["initial_margin_fractions"], "index": "1.01"}}, "index"),
    ],
)
def test_a_configuration_out_of_range_names_its_field(changes: dict[str, Any], name: str) -> None:
    with pytest.raises(ValueError, match=name):
        default_config(AriaConfig, "aria", margin={**MARGIN, **changes})


def test_every_asset_class_has_its_margin() -> None:
    config: MarginConfig = CONFIG.margin
    fractions = [config.initial_margin_fractions.of(each) for each in AssetClass]
    assert fractions == [Decimal(each) for each in ("0.5", "0.25", "1", "0.1", "0.2")]
    assert ZERO not in fractions
