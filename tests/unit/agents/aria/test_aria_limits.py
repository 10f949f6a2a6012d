"""ARIA's limits come last and bind exactly: at the limit passes, a lot more does not."""

from decimal import Decimal
from typing import Any

import pytest

from tests.unit.agents.desk import (
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
from tmt.agents.aria import AriaAgent, AriaConfig
from tmt.domain.order import Side

WIDE: dict[str, Any] = {
    "risk_fraction": "0.02",
    "positions_per_instrument_max": "9",
    "instrument_exposure_ratio_max": "1000",
    "currency_exposure_ratio_max": "1000",
    "gross_exposure_ratio_max": "1000",
    "position_notional_max": "1000000000",
}
EURUSD = make_instrument("EURUSD", "EUR", "USD", lot_size="1")
GBPUSD = make_instrument("GBPUSD", "GBP", "USD", lot_size="1")
EURGBP = make_instrument("EURGBP", "EUR", "GBP", lot_size="1")
ONE_DOLLAR = make_quote("1.00000")


def make_desk() -> Desk:
    symbols = ("EURUSD", "GBPUSD", "EURGBP", "SPY")
    return Desk(make_account(instruments=symbols), instruments=(EURUSD, GBPUSD, EURGBP, SPY))


def ask(desk: Desk, *, side: Side = Side.BUY, stop: str = "0.99000", **changes: Any) -> m.OrderSized | m.OrderDenied:
    """Answer to a signal at 1.00000: 2,000 USD of risk buy 200,000 EUR with a stop 0.01 away."""
    agent = AriaAgent(default_config(AriaConfig, "aria", **{**WIDE, **changes}), desk.portfolio, "hash", NO_NEWS)
    target = "2.00000" if side is Side.BUY else "0.50000"
    [said] = agent.handle(desk.signal("EURUSD", side, ONE_DOLLAR, stop=stop, target=target))
    assert isinstance(said, m.OrderSized | m.OrderDenied)
    return said


def quantity(said: m.OrderSized | m.OrderDenied) -> Decimal:
    assert isinstance(said, m.OrderSized), said
    return said.order.quantity


def outcome(said: m.OrderSized | m.OrderDenied, rule: str) -> str:
    [check] = [check for check in said.checks if check.rule == f"aria.{rule}"]
    return check.outcome


def test_no_factor_lifts_the_risk_above_its_limit() -> None:
    said = ask(make_desk(), risk_multiplier="3")
    assert quantity(said) == Decimal(200000)
    assert outcome(said, "risk_per_trade") == "reduce"


def test_risk_exactly_at_its_limit_passes() -> None:
    assert outcome(ask(make_desk()), "risk_per_trade") == "pass"


@pytest.mark.parametrize(
    ("held", "expected", "result"),
    [("799999", "200000", "pass"), ("800000", "200000", "pass"), ("800001", "199999", "reduce")],
)
def test_heat_of_positions_and_this_order_keeps_its_limit(held: str, expected: str, result: str) -> None:
    desk = make_desk()
    desk.hold("GBPUSD", Side.BUY, held, "1", stop="0.99")
    said = ask(desk)
    assert quantity(said) == Decimal(expected)
    assert outcome(said, "portfolio_heat") == result


def test_heat_counts_working_orders() -> None:
    desk = make_desk()
    desk.approve(m.OrderSized, make_order("GBPUSD", Side.SELL, "900000", ONE_DOLLAR, stop_loss="1.01"))
    assert quantity(ask(desk)) == Decimal(100000)


def test_heat_is_measured_from_the_mark_to_the_stop() -> None:
    desk = make_desk()
    desk.hold("GBPUSD", Side.BUY, "800000", "1", stop="0.99")
    desk.mark("GBPUSD", "0.99")
    said = ask(desk, drawdown_restore_fraction="1")
    assert outcome(said, "portfolio_heat") == "pass"


def test_a_position_without_a_stop_counts_whole() -> None:
    desk = make_desk()
    desk.hold("GBPUSD", Side.SELL, "9500", "1")
    assert quantity(ask(desk)) == Decimal(50000)


def test_no_room_for_the_smallest_order_is_a_denial_by_that_limit() -> None:
    desk = make_desk()
    desk.hold("GBPUSD", Side.SELL, "10000", "1")
    said = ask(desk)
    assert isinstance(said, m.OrderDenied)
    assert (said.reason, said.limit) == ("portfolio_heat", Decimal("0.1"))


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"position_notional_max": "150000"}, "position_notional"),
        ({"instrument_exposure_ratio_max": "1.5"}, "instrument_exposure"),
        ({"currency_exposure_ratio_max": "1.5"}, "base_currency_exposure"),
        ({"gross_exposure_ratio_max": "1.5"}, "gross_exposure"),
    ],
)
def test_each_exposure_limit_cuts_to_exactly_what_it_allows(changes: dict[str, Any], rule: str) -> None:
    said = ask(make_desk(), **changes)
    assert quantity(said) == Decimal(150000)
    assert outcome(said, rule) == "reduce"


@pytest.mark.parametrize(
    "changes",
    [
        {"position_notional_max": "200000"},
        {"instrument_exposure_ratio_max": "2"},
        {"currency_exposure_ratio_max": "2"},
        {"gross_exposure_ratio_max": "2"},
    ],
)
def test_an_order_exactly_at_an_exposure_limit_passes(changes: dict[str, Any]) -> None:
    assert quantity(ask(make_desk(), **changes)) == Decimal(200000)


@pytest.mark.parametrize(
    ("held", "side", "expected"), [("50000", Side.BUY, 100000), ("50000", Side.SELL, 200000), ("1", Side.SELL, 150001)]
)
def test_exposure_is_judged_on_the_position_that_results(held: str, side: Side, expected: int) -> None:
    desk = make_desk()
    desk.hold("EURUSD", Side.BUY, held, "1", stop="1")
    stop = "0.99000" if side is Side.BUY else "1.01000"
    assert quantity(ask(desk, side=side, stop=stop, instrument_exposure_ratio_max="1.5")) == Decimal(expected)


def test_currencies_net_across_instruments() -> None:
    desk = make_desk()
    desk.mark("GBPUSD", "1")
    desk.hold("EURGBP", Side.BUY, "60000", "1", stop="1")
    assert quantity(ask(desk, currency_exposure_ratio_max="2")) == Decimal(140000)
    assert quantity(ask(desk, side=Side.SELL, stop="1.01000", currency_exposure_ratio_max="1.5")) == Decimal(150000)


def test_the_quote_currency_is_a_bet_too() -> None:
    desk = make_desk()
    desk.hold("GBPUSD", Side.BUY, "100000", "1", stop="1")
    said = ask(desk, currency_exposure_ratio_max="2")
    assert quantity(said) == Decimal(100000)
    assert outcome(said, "quote_currency_exposure") == "reduce"


def test_a_working_order_that_would_hedge_is_not_counted_on() -> None:
    desk = make_desk()
    desk.approve(m.OrderSized, make_order("GBPUSD", Side.SELL, "100000", ONE_DOLLAR, stop_loss="1.00"))
    assert quantity(ask(desk, currency_exposure_ratio_max="2")) == Decimal(200000)
    assert quantity(ask(desk, currency_exposure_ratio_max="1.5")) == Decimal(150000)


def test_gross_exposure_counts_the_worse_side_of_working_orders() -> None:
    desk = make_desk()
    desk.hold("GBPUSD", Side.BUY, "10000", "1", stop="1")
    for side, order_id in ((Side.BUY, "a"), (Side.SELL, "b")):
        order = make_order("GBPUSD", side, "40000", ONE_DOLLAR, stop_loss="1.00", order_id=order_id)
        desk.approve(m.OrderSized, order)
    assert quantity(ask(desk, gross_exposure_ratio_max="2")) == Decimal(150000)


def test_a_working_order_that_adds_to_a_currency_counts() -> None:
    desk = make_desk()
    desk.approve(m.OrderSized, make_order("GBPUSD", Side.BUY, "100000", ONE_DOLLAR, stop_loss="1.00"))
    assert quantity(ask(desk, currency_exposure_ratio_max="2")) == Decimal(100000)


def test_a_position_that_hedges_a_currency_makes_room() -> None:
    desk = make_desk()
    desk.hold("GBPUSD", Side.SELL, "50000", "1", stop="1")
    said = ask(desk, currency_exposure_ratio_max="2")
    [check] = [check for check in said.checks if check.rule == "aria.quote_currency_exposure"]
    assert (check.measured, check.unit) == (Decimal("1.5"), "ratio")


def test_a_working_hedge_does_not_make_room_in_a_currency() -> None:
    desk = make_desk()
    desk.hold("GBPUSD", Side.BUY, "100000", "1", stop="1")
    desk.approve(m.OrderSized, make_order("GBPUSD", Side.SELL, "100000", ONE_DOLLAR, stop_loss="1.00"))
    assert quantity(ask(desk, currency_exposure_ratio_max="2")) == Decimal(100000)


def test_a_working_order_on_the_other_side_does_not_make_room_in_the_instrument() -> None:
    desk = make_desk()
    desk.approve(m.OrderSized, make_order("EURUSD", Side.SELL, "100000", ONE_DOLLAR, stop_loss="1.00"))
    assert quantity(ask(desk, instrument_exposure_ratio_max="1.5")) == Decimal(150000)


def test_a_working_order_that_only_reduces_is_no_heat() -> None:
    desk = make_desk()
    desk.hold("GBPUSD", Side.BUY, "9500", "1", stop="1")
    desk.approve(m.OrderSized, make_order("GBPUSD", Side.SELL, "9500", ONE_DOLLAR, reduce_only=True))
    assert quantity(ask(desk)) == Decimal(200000)


def test_the_part_that_closes_takes_no_risk() -> None:
    desk = make_desk()
    desk.hold("EURUSD", Side.BUY, "50000", "1", stop="1")
    assert quantity(ask(desk, side=Side.SELL, stop="1.01000", risk_multiplier="3")) == Decimal(250000)


def test_the_part_that_closes_passes_where_other_positions_are_beyond_the_gross_limit() -> None:
    desk = make_desk()
    desk.hold("EURUSD", Side.BUY, "50000", "1", stop="1")
    desk.hold("GBPUSD", Side.BUY, "400000", "1", stop="1")
    said = ask(desk, side=Side.SELL, stop="1.01000", gross_exposure_ratio_max="1.5")
    assert quantity(said) == Decimal(50000)


def test_risk_is_measured_of_the_part_that_opens() -> None:
    desk = make_desk()
    desk.hold("EURUSD", Side.BUY, "50000", "1", stop="1")
    for fraction, risked in (("0.01", "0.005"), ("0.004", "0")):
        said = ask(desk, side=Side.SELL, stop="1.01000", risk_fraction=fraction)
        checks = [check for check in said.checks if check.rule in ("aria.risk_per_trade", "aria.portfolio_heat")]
        assert [(check.measured, check.unit) for check in checks] == [(Decimal(risked), "fraction")] * 2


def test_a_limit_that_leaves_exactly_the_smallest_order_passes() -> None:
    assert quantity(ask(make_desk(), instrument_exposure_ratio_max="0.00001")) == Decimal(1)


def test_shares_are_no_bet_on_a_currency() -> None:
    desk = make_desk()
    desk.hold("SPY", Side.BUY, "100", "500", stop="500")
    assert quantity(ask(desk, currency_exposure_ratio_max="2")) == Decimal(200000)


def test_an_unpriced_position_elsewhere_refuses_the_order() -> None:
    desk = make_desk()
    desk.hold("SPY", Side.BUY, "100", "500", stop="500")
    del desk.portfolio.state.marks["SPY"]
    said = ask(desk)
    assert isinstance(said, m.OrderDenied)
    assert said.reason == "no_mark"


def test_too_little_risk_for_one_lot_is_refused() -> None:
    said = ask(make_desk(), stop="0.00001", risk_fraction="0.000001")
    assert isinstance(said, m.OrderDenied)
    assert said.reason == "below_minimum_quantity"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("risk_fraction", "0.0201"),
        ("risk_fraction", "0"),
        ("risk_fraction_max", "1.01"),
        ("heat_fraction_max", "0"),
        ("gross_exposure_ratio_max", "0"),
        ("approval_seconds", "0"),
        ("volatility_bars_min", "253"),
        ("volatility_bands", [{"percentile_max": "0.5", "factor": "1"}]),
        ("volatility_bands", []),
        ("drawdown_bands", [{"drawdown_fraction_max": x, "factor": f} for x, f in (("0.1", "0.5"), ("0.2", "0.5"))]),
        ("drawdown_bands", [{"drawdown_fraction_max": x, "factor": f} for x, f in (("0.2", "0.5"), ("0.1", "0.4"))]),
        ("bypass", "true"),
    ],
)
def test_a_configuration_out_of_range_names_its_field(name: str, value: object) -> None:
    with pytest.raises(ValueError, match=name):
        default_config(AriaConfig, "aria", **{name: value})
