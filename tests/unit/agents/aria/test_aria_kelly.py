"""Fractional Kelly: the realised edge of a setup bounds the risk of its next order."""

from decimal import Decimal
from math import sqrt
from typing import Any

import msgspec
import pytest

from tests.unit.agents.desk import NO_NEWS, Desk, default_config, make_account, make_quote
from tmt import messages as m
from tmt.agents.aria import AriaAgent, AriaConfig, AriaState
from tmt.agents.aria.config import KellyConfig
from tmt.agents.aria.kelly import Edge, risk_fraction_cap
from tmt.agents.aria.quantiles import student_quantile
from tmt.domain.money import decode_hook
from tmt.domain.order import Side

KELLY: dict[str, Any] = {
    "trades_min": "10",
    "confidence": "0.95",
    "kelly_fraction": "0.25",
    "kelly_floor_fraction": "0.002",
}
QUOTE = make_quote("1.00000")


def config_with(**changes: str) -> KellyConfig:
    return default_config(AriaConfig, "aria", kelly={**KELLY, **changes}).kelly


def edge_of(*outcomes: str) -> Edge:
    rs = [Decimal(r) for r in outcomes]
    return Edge(len(rs), sum(rs, Decimal(0)), sum((r * r for r in rs), Decimal(0)))


GOOD = edge_of(*["2"] * 9, "-1")  # mean 1.7, second moment 3.7
POOR = edge_of(*["1"] * 5, *["-1"] * 5)
SURE = edge_of(*["0.5"] * 10)  # no spread: the mean is its own lower bound, and f* is 0.5 / 0.25


@pytest.mark.parametrize(
    ("confidence", "degrees", "expected"),
    [
        # Student's t, one-sided, from published tables to three decimals.
        ("0.9", 10, "1.372"), ("0.95", 10, "1.812"), ("0.975", 10, "2.228"), ("0.99", 10, "2.764"),
        ("0.995", 10, "3.169"), ("0.999", 10, "4.144"), ("0.95", 9, "1.833"), ("0.95", 30, "1.697"),
        ("0.975", 60, "2.000"), ("0.99", 29, "2.462"), ("0.95", 100000, "1.645"),
    ],
)  # fmt: skip
def test_students_quantile_is_that_of_the_tables(confidence: str, degrees: int, expected: str) -> None:
    assert abs(student_quantile(Decimal(confidence), degrees) - Decimal(expected)) < Decimal("0.006")


@pytest.mark.parametrize(("degrees", "expected"), [(9, "1.833044"), (29, "1.699127")])
def test_students_quantile_is_exact_on_its_grid(degrees: int, expected: str) -> None:
    assert student_quantile(Decimal("0.95"), degrees) == Decimal(expected)


def test_the_cap_is_a_part_of_kelly_at_the_lower_bound_of_the_mean() -> None:
    spread = sqrt((37 - 10 * 1.7**2) / 9)
    mean_low = 1.7 - 1.833044 * spread / sqrt(10)
    cap = risk_fraction_cap(GOOD, config_with(kelly_floor_fraction="0"))
    assert float(cap) == pytest.approx(0.25 * mean_low / 3.7, abs=2e-7)
    assert cap == Decimal("0.0777085")  # a quarter of six decimals


def test_small_outcomes_lose_no_digits() -> None:
    small = edge_of(*["0.010"] * 9, "0.011")
    mean, second = 0.0101, (9 * 0.01**2 + 0.011**2) / 10
    mean_low = mean - 1.833044 * sqrt((second - mean**2) * 10 / 9) / sqrt(10)
    cap = risk_fraction_cap(small, config_with(kelly_floor_fraction="0"))
    assert float(cap) == pytest.approx(0.25 * mean_low / second, abs=2e-7)


def test_a_sure_edge_has_no_margin_of_error() -> None:
    assert risk_fraction_cap(SURE, config_with()) == Decimal("0.5")
    assert risk_fraction_cap(SURE, config_with(kelly_fraction="0.5")) == 1


@pytest.mark.parametrize("floor", ["0", "0.002"])
def test_no_proven_edge_leaves_the_floor(floor: str) -> None:
    assert risk_fraction_cap(POOR, config_with(kelly_floor_fraction=floor)) == Decimal(floor)
    assert risk_fraction_cap(edge_of(*["0"] * 10), config_with(kelly_floor_fraction=floor)) == Decimal(floor)


def test_an_edge_smaller_than_the_floor_leaves_the_floor() -> None:
    assert risk_fraction_cap(SURE, config_with(kelly_floor_fraction="0.501")) == Decimal("0.501")
    assert risk_fraction_cap(SURE, config_with(kelly_floor_fraction="0.499")) == Decimal("0.5")


def test_an_outcome_is_what_was_realised_after_fees_over_what_was_at_risk() -> None:
    desk = Desk()
    edge = Edge().after(desk.close_trip(realised="251", risk="100", fees=Decimal(1)))
    assert edge == Edge(1, Decimal("2.500"), Decimal("6.25"))
    edge = edge.after(desk.close_trip(realised="-99.96", risk="100", fees=Decimal("0.08")))
    assert edge == Edge(2, Decimal("1.5"), Decimal("7.250000"))


def test_a_trip_without_a_stop_has_no_outcome() -> None:
    desk = Desk()
    assert Edge().after(desk.close_trip(realised="50", risk="0")) == Edge()
    assert Edge().after(desk.close_trip(realised="50", risk="0.01")).trades == 1


def ask(desk: Desk, agent: AriaAgent) -> m.OrderSized | m.OrderDenied:
    """1,000 USD at risk, 0.01 a unit, are 100,000 EUR before any bound."""
    signal = desk.signal("EURUSD", Side.BUY, QUOTE, stop="0.99000", target="1.10000")
    said = agent.handle(signal)[0]
    assert isinstance(said, m.OrderSized | m.OrderDenied)
    return said


def make_agent(desk: Desk, edge: Edge, *, key: str = "alpha/wyckoff/spring_test", **changes: str) -> AriaAgent:
    config = default_config(AriaConfig, "aria", kelly={**KELLY, **changes})
    agent = AriaAgent(config, desk.portfolio, "hash", NO_NEWS)
    agent.state = AriaState(edges={key: edge})
    return agent


def kelly_checks(said: m.OrderSized | m.OrderDenied) -> list[m.Check]:
    return [check for check in said.checks if "kelly" in check.rule]


@pytest.mark.parametrize(
    ("floor", "quantity", "outcome"), [("0.0099", 99000, "reduce"), ("0.01", 100000, "pass"), ("0.011", 100000, "pass")]
)
def test_the_bound_binds_exactly(floor: str, quantity: int, outcome: str) -> None:
    desk = Desk()
    [check] = kelly_checks(ask(desk, make_agent(desk, POOR, kelly_floor_fraction=floor)))
    assert (check.rule, check.measured, check.limit, check.unit) == (
        "aria.kelly", Decimal("0.01"), Decimal(floor), "fraction",
    )  # fmt: skip
    assert (check.quantity_after, check.outcome) == (Decimal(quantity), outcome)
    assert not check.at_least


@pytest.mark.parametrize(("trades", "rule"), [(9, "aria.kelly_trades"), (10, "aria.kelly"), (11, "aria.kelly")])
def test_the_edge_is_known_from_the_configured_number_of_trades(trades: int, rule: str) -> None:
    desk = Desk()
    said = ask(desk, make_agent(desk, edge_of(*["-1"] * trades)))
    [check] = kelly_checks(said)
    assert check.rule == rule
    if trades == 9:
        assert (check.measured, check.limit, check.unit, check.at_least) == (Decimal(9), Decimal(10), "count", False)
        assert (check.outcome, check.quantity_after) == ("pass", Decimal(100000))


def test_without_an_edge_and_a_floor_the_order_is_refused() -> None:
    desk = Desk()
    said = ask(desk, make_agent(desk, POOR, kelly_floor_fraction="0"))
    assert isinstance(said, m.OrderDenied)
    assert (said.reason, said.measured, said.limit, said.unit) == ("kelly", Decimal("0.01"), Decimal(0), "fraction")


@pytest.mark.parametrize("key", ["beta/wyckoff/spring_test", "alpha/manual/spring_test", "alpha/wyckoff/lps"])
def test_another_account_strategy_or_setup_proves_nothing_here(key: str) -> None:
    desk = Desk()
    [check] = kelly_checks(ask(desk, make_agent(desk, POOR, key=key)))
    assert (check.rule, check.measured) == ("aria.kelly_trades", Decimal(0))


def test_closed_round_trips_are_what_the_edge_is_told_by_and_a_restart_keeps_them() -> None:
    desk = Desk(make_account(), make_account("beta"))
    agent = make_agent(desk, Edge())
    for trip in (
        desk.close_trip(realised="200"),
        desk.close_trip(realised="-100"),
        desk.close_trip(realised="100", account="beta"),
        desk.close_trip(realised="100", setup="lps"),
    ):
        assert agent.handle(trip) == []
    assert agent.state.edges == {
        "alpha/wyckoff/spring_test": Edge(2, Decimal(1), Decimal(5)),
        "beta/wyckoff/spring_test": Edge(1, Decimal(1), Decimal(1)),
        "alpha/wyckoff/lps": Edge(1, Decimal(1), Decimal(1)),
    }
    saved = msgspec.json.encode(agent.state)
    assert msgspec.json.decode(saved, type=AriaState, dec_hook=decode_hook) == agent.state


@pytest.mark.parametrize(
    ("name", "value"),
    [("trades_min", "9"), ("confidence", "0.94"), ("kelly_fraction", "0"), ("kelly_fraction", "1.01"),
     ("kelly_floor_fraction", "-0.01"), ("kelly_floor_fraction", "1.01")],
)  # fmt: skip
def test_a_configuration_out_of_range_names_its_field(name: str, value: str) -> None:
    with pytest.raises(ValueError, match=name):
        config_with(**{name: value})


def test_a_configuration_at_its_bounds_is_good() -> None:
    assert config_with(trades_min="10", kelly_fraction="1", kelly_floor_fraction="1").trades_min == 10
