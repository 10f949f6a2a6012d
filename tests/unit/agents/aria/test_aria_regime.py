"""ARIA's factors: the regime of closed bars, and what each multiplies the risk by."""

from decimal import Decimal
from typing import Any

import pytest

from tests.unit.agents.desk import NO_NEWS, Desk, default_config, make_quote
from tmt import messages as m
from tmt.agents.aria import AriaAgent, AriaConfig, AriaState
from tmt.agents.aria.regime import Regime, classify, efficiency
from tmt.agents.aria.volatility import VolatilityTrack
from tmt.domain.order import Side
from tmt.market.bar import Timeframe

CONFIG = default_config(AriaConfig, "aria")
REGIME: dict[str, Any] = {
    "efficiency_bars": "4",
    "trending_efficiency_min": "0.5",
    "turbulent_percentile_min": "0.95",
    "trending_factor": "0.9",
    "countertrend_factor": "0.4",
    "ranging_factor": "0.8",
    "turbulent_factor": "0.3",
    "unknown_factor": "0.6",
}
FLAT_BANDS = [{"percentile_max": "1", "factor": "1"}]
CALM = (2,) * 60
UP, DOWN = (100, 104, 103, 107, 106), (106, 107, 103, 104, 100)  # net 6 over a path of 10
BARELY, NEARLY = (100, 105, 100, 105, 110), (100, 105, 100, 105, 109)  # net 10 of 20; 9 of 19


def config_with(**regime: str) -> AriaConfig:
    return default_config(AriaConfig, "aria", regime={**REGIME, **regime}, volatility_bands=FLAT_BANDS)


def track(closes: tuple[int, ...] = (), ranges: tuple[int, ...] = CALM) -> VolatilityTrack:
    return VolatilityTrack(len(ranges), 1, 1, ranges, closes)


def test_the_efficiency_ratio_is_net_change_over_path() -> None:
    assert efficiency(UP) == Decimal("0.6")
    assert efficiency((100, 101, 102)) == 1
    assert efficiency((100, 101, 100)) == 0
    assert efficiency((100, 100, 100)) == 0
    assert efficiency((0, 1, 2, 1)) == Decimal("0.333333")


@pytest.mark.parametrize(
    ("closes", "regime", "measured", "direction"),
    [
        (UP, Regime.TRENDING, "0.6", 1),
        (DOWN, Regime.TRENDING, "0.6", -1),
        (BARELY, Regime.TRENDING, "0.5", 1),
        (NEARLY, Regime.RANGING, "0.473684", 0),
        ((50, *UP), Regime.TRENDING, "0.6", 1),
        ((100, 99, 99, 99, 110), Regime.TRENDING, "0.833333", 1),
        ((100, 101, 101, 101, 90), Regime.TRENDING, "0.833333", -1),
        ((900, *UP), Regime.TRENDING, "0.6", 1),
    ],
)
def test_the_market_trends_from_its_efficiency_on(
    closes: tuple[int, ...], regime: Regime, measured: str, direction: int
) -> None:
    reading = classify(track(closes), config_with())
    assert (reading.regime, reading.measured, reading.direction) == (regime, Decimal(measured), direction)
    assert (reading.limit, reading.unit) == (Decimal("0.5"), "ratio")


@pytest.mark.parametrize(("last", "direction"), [(99, -1), (100, 0), (101, 1)])
def test_where_every_efficiency_trends_what_came_back_to_its_start_has_no_direction(last: int, direction: int) -> None:
    reading = classify(track((100, 105, 95, 105, last)), config_with(trending_efficiency_min="0"))
    assert (reading.regime, reading.direction) == (Regime.TRENDING, direction)


@pytest.mark.parametrize(("below", "regime"), [(56, Regime.TRENDING), (57, Regime.TURBULENT)])
def test_turbulence_goes_before_direction(below: int, regime: Regime) -> None:
    # 56 below and 2 equal of 60 are the percentile 0.95; with 57 and 2 it is 58/60.
    ranges = (*range(1, below + 1), *[900] * (58 - below), 500, 500)
    reading = classify(track(UP, ranges), config_with(turbulent_percentile_min="0.966666"))
    assert reading.regime is regime


def test_turbulence_begins_exactly_at_its_percentile() -> None:
    ranges = (*range(1, 57), 900, 900, 500, 500)
    reading = classify(track(UP, ranges), config_with())
    assert (reading.regime, reading.measured, reading.limit) == (
        Regime.TURBULENT,
        Decimal("0.95"),
        Decimal("0.95"),
    )
    assert (reading.unit, reading.direction) == ("fraction", 0)


@pytest.mark.parametrize(
    ("known", "measured", "limit"),
    [(None, 0, 60), (track(UP, CALM[1:]), 59, 60), (track(UP[1:]), 4, 5)],
)
def test_too_few_bars_tell_nothing(known: VolatilityTrack | None, measured: int, limit: int) -> None:
    reading = classify(known, config_with())
    assert reading.regime is Regime.UNKNOWN
    assert (reading.measured, reading.limit, reading.unit) == (Decimal(measured), Decimal(limit), "count")
    assert reading.direction == 0


@pytest.mark.parametrize(
    ("closes", "side", "rule", "factor", "at_least"),
    [
        (UP, Side.BUY, "regime_trending", "0.9", True),
        (UP, Side.SELL, "regime_countertrend", "0.4", True),
        (DOWN, Side.BUY, "regime_countertrend", "0.4", True),
        (DOWN, Side.SELL, "regime_trending", "0.9", True),
        (NEARLY, Side.BUY, "regime_ranging", "0.8", False),
        (NEARLY, Side.SELL, "regime_ranging", "0.8", False),
        ((), Side.BUY, "regime_unknown", "0.6", True),
    ],
)
def test_each_regime_has_its_factor(
    closes: tuple[int, ...], side: Side, rule: str, factor: str, at_least: bool
) -> None:
    [check] = checks_of(track(closes), side, "regime")
    assert (check.rule, check.at_least) == (f"aria.{rule}", at_least)
    assert check.quantity_after == 100000 * Decimal(factor)


def test_turbulence_has_its_factor() -> None:
    [check] = checks_of(track(UP, tuple(range(60))), Side.SELL, "regime")
    assert (check.rule, check.quantity_after) == ("aria.regime_turbulent", Decimal(30000))


def test_too_few_bars_for_volatility_say_so() -> None:
    [check] = checks_of(track(UP, CALM[1:]), Side.BUY, "volatility")
    assert (check.rule, check.measured, check.limit, check.unit) == (
        "aria.volatility_bars", Decimal(59), Decimal(60), "count",
    )  # fmt: skip
    assert (check.at_least, check.outcome, check.quantity_after) == (True, "warn", Decimal(100000))


@pytest.mark.parametrize(("factor", "outcome"), [("1", "warn"), ("0.99", "reduce")])
def test_an_unknown_regime_is_a_warning_unless_it_costs_something(factor: str, outcome: str) -> None:
    desk = Desk()
    agent = AriaAgent(config_with(unknown_factor=factor), desk.portfolio, "hash", NO_NEWS)
    signal = desk.signal("EURUSD", Side.BUY, make_quote("1.00000"), stop="0.99000", target="1.10000")
    [said] = agent.handle(signal)
    assert isinstance(said, m.OrderSized)
    [check] = [check for check in said.checks if check.rule == "aria.regime_unknown"]
    assert (check.outcome, check.measured, check.limit) == (outcome, Decimal(0), Decimal(60))
    units = {check.rule: (check.measured, check.unit) for check in said.checks}
    assert units["aria.volatility_bars"] == (Decimal(0), "count")
    assert units["aria.risk_multiplier"] == (Decimal(1), "ratio")
    assert units["aria.drawdown"] == (Decimal(0), "fraction")


@pytest.mark.parametrize(("closes", "measured"), [(UP, "0.6"), (BARELY, "0.5")])
def test_a_trend_that_costs_nothing_passes(closes: tuple[int, ...], measured: str) -> None:
    desk = Desk()
    agent = AriaAgent(config_with(trending_factor="1"), desk.portfolio, "hash", NO_NEWS)
    agent.state = AriaState(volatility={"EURUSD/5m": track(closes)})
    signal = desk.signal("EURUSD", Side.BUY, make_quote("1.00000"), stop="0.99000", target="1.10000")
    [said] = agent.handle(signal)
    assert isinstance(said, m.OrderSized)
    [check] = [check for check in said.checks if check.rule == "aria.regime_trending"]
    assert (check.outcome, check.measured) == ("pass", Decimal(measured))


def test_the_factors_come_in_order() -> None:
    said = sized(track(UP), Side.BUY)
    names = [check.rule.removeprefix("aria.") for check in said.checks]
    start = names.index("risk_fraction")
    assert names[start : start + 6] == [
        "risk_fraction", "volatility", "drawdown", "regime_trending", "risk_multiplier", "kelly_trades",
    ]  # fmt: skip


def test_closed_bars_are_what_the_regime_is_told_by() -> None:
    desk = Desk()
    agent = AriaAgent(config_with(), desk.portfolio, "hash", NO_NEWS)
    for close in ("1.1", "1.2", "1.3", "1.4", "1.5", "1.6", "1.7"):
        agent.handle(desk.bar("EURUSD", close, timeframe=Timeframe.M5))
    assert agent.state.volatility["EURUSD/5m"].closes_pico == tuple(n * 10**11 for n in range(13, 18))


def sized(known: VolatilityTrack, side: Side) -> m.OrderSized:
    """1,000 USD at risk buy or sell 100,000 EUR before any factor."""
    desk = Desk()
    agent = AriaAgent(config_with(), desk.portfolio, "hash", NO_NEWS)
    agent.state = AriaState(volatility={"EURUSD/5m": known})
    stop, target = ("0.99000", "1.10000") if side is Side.BUY else ("1.01000", "0.90000")
    [said] = agent.handle(desk.signal("EURUSD", side, make_quote("1.00000"), stop=stop, target=target))
    assert isinstance(said, m.OrderSized), said
    return said


def checks_of(known: VolatilityTrack, side: Side, name: str) -> list[m.Check]:
    return [check for check in sized(known, side).checks if name in check.rule]
