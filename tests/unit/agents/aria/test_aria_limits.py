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
from tmt.domain.order import OrderType, Side, TimeInForce

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
HALF: dict[str, Any] = {
    "initial_margin_fractions": dict.fromkeys(("fx", "equity", "crypto", "metal", "index"), "0.5"),
    "warn_level_min": "1.5",
    "critical_level_min": "1.25",
    "stop_out_level_min": "1",
}


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
    ("held", "side", "expected"),
    [("50000", Side.BUY, 100000), ("1", Side.BUY, 149999), ("50000", Side.SELL, 150000), ("1", Side.SELL, 150000)],
)
def test_what_is_held_takes_room_on_its_own_side_and_makes_none_on_the_other(
    held: str, side: Side, expected: int
) -> None:
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


def test_a_currency_that_stays_on_the_other_side_is_measured_below_nothing() -> None:
    desk = make_desk()
    for symbol in ("EURUSD", "GBPUSD"):
        desk.mark(symbol, "1")
    desk.hold("EURGBP", Side.BUY, "60000", "1")
    desk.hold("GBPUSD", Side.BUY, "50000", "1")
    said = propose(desk, "20000")
    measured = [check.measured for check in said.checks if check.rule.endswith("_currency_exposure")]
    assert measured == [Decimal("-0.4"), Decimal("-0.3")]


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


def test_an_order_that_is_not_reduce_only_risks_its_whole_quantity() -> None:
    desk = make_desk()
    desk.hold("EURUSD", Side.BUY, "50000", "1", stop="1")
    assert quantity(ask(desk, side=Side.SELL, stop="1.01000", risk_multiplier="3")) == Decimal(200000)
    for fraction in ("0.01", "0.004"):
        said = ask(desk, side=Side.SELL, stop="1.01000", risk_fraction=fraction)
        checks = [check for check in said.checks if check.rule in ("aria.risk_per_trade", "aria.portfolio_heat")]
        assert [(check.measured, check.unit) for check in checks] == [(Decimal(fraction), "fraction")] * 2


def test_heat_is_of_the_position_against_the_order_too() -> None:
    desk = make_desk()
    desk.hold("EURUSD", Side.BUY, "900000", "1", stop="0.99")
    assert quantity(ask(desk, side=Side.SELL, stop="1.01000")) == Decimal(100000)


def test_an_order_that_is_not_reduce_only_finds_no_room_where_others_are_beyond_the_gross_limit() -> None:
    desk = make_desk()
    desk.hold("EURUSD", Side.BUY, "50000", "1", stop="1")
    desk.hold("GBPUSD", Side.BUY, "400000", "1", stop="1")
    said = ask(desk, side=Side.SELL, stop="1.01000", gross_exposure_ratio_max="1.5")
    assert isinstance(said, m.OrderDenied)
    assert (said.reason, said.measured) == ("gross_exposure", Decimal(6))  # 400,000 and the order's 200,000
    desk.mark("EURUSD", "1")
    assert quantity(propose(desk, "50000", reduce_only=True, gross_exposure_ratio_max="1.5")) == Decimal(50000)


def propose(
    desk: Desk, asked: str, *, reduce_only: bool = False, limit_price: str | None = None, **changes: Any
) -> m.OrderSized | m.OrderDenied:
    """Answer to a person who would sell, without a stop: nothing but the limits bounds the order."""
    fields: dict[str, Any] = {"reduce_only": reduce_only}
    if limit_price is not None:
        fields |= {
            "order_type": OrderType.LIMIT, "time_in_force": TimeInForce.GTC, "limit_price": Decimal(limit_price)
        }  # fmt: skip
    agent = AriaAgent(default_config(AriaConfig, "aria", **{**WIDE, **changes}), desk.portfolio, "hash", NO_NEWS)
    [said] = agent.handle(desk.propose("EURUSD", Side.SELL, asked, **fields))
    assert isinstance(said, m.OrderSized | m.OrderDenied)
    return said


EXPOSURES = ("position_notional", "instrument_exposure", "gross_exposure")


@pytest.mark.parametrize(
    ("asked", "units", "ratio", "gross"),
    [("99999", "100000", "1", "1.3"), ("100000", "100000", "1", "1.3"), ("100001", "100001", "1.00001", "1.30001")],
)
def test_an_exposure_is_at_least_what_is_on_the_other_side(asked: str, units: str, ratio: str, gross: str) -> None:
    desk = make_desk()
    desk.hold("EURUSD", Side.BUY, "60000", "1")
    desk.hold("GBPUSD", Side.SELL, "30000", "1")
    desk.approve(m.OrderSized, make_order("EURUSD", Side.BUY, "40000", ONE_DOLLAR))
    said = propose(desk, asked)
    measured = [check.measured for check in said.checks if check.rule.removeprefix("aria.") in EXPOSURES]
    assert measured == [Decimal(units), Decimal(ratio), Decimal(gross)]


@pytest.mark.parametrize(
    "limit",
    [{"position_notional_max": "80000"}, {"instrument_exposure_ratio_max": "0.8"}, {"gross_exposure_ratio_max": "0.8"}],
)
@pytest.mark.parametrize(
    ("asked", "expected", "outcome"),
    [("79999", 79999, "warn"), ("80000", 80000, "warn"), ("80001", 80000, "reduce")],
)
def test_where_the_other_side_is_beyond_a_limit_an_order_keeps_it_by_itself(
    asked: str, expected: int, outcome: str, limit: dict[str, Any]
) -> None:
    desk = make_desk()
    desk.hold("EURUSD", Side.BUY, "90000", "1")
    said = propose(desk, asked, **limit)
    assert quantity(said) == Decimal(expected)
    assert [check.outcome for check in said.checks if check.rule.removeprefix("aria.") in EXPOSURES].count(outcome) == 1


def test_a_working_order_against_a_position_takes_its_whole_room() -> None:
    desk = make_desk()
    desk.hold("EURUSD", Side.BUY, "50000", "1")
    desk.approve(m.OrderSized, make_order("EURUSD", Side.SELL, "70000", ONE_DOLLAR))
    assert quantity(propose(desk, "200000", instrument_exposure_ratio_max="1.5")) == Decimal(80000)
    desk = make_desk()
    desk.mark("EURUSD", "1")
    desk.hold("GBPUSD", Side.BUY, "50000", "1")
    desk.approve(m.OrderSized, make_order("GBPUSD", Side.SELL, "70000", ONE_DOLLAR))
    assert quantity(propose(desk, "200000", gross_exposure_ratio_max="1.5")) == Decimal(80000)
    assert quantity(propose(desk, "200000", currency_exposure_ratio_max="1.5")) == Decimal(80000)


ALONE: tuple[tuple[dict[str, Any], str, int], ...] = (
    ({"position_notional_max": "200000"}, "position_notional", 181818),  # 199,999.8 USD
    ({"instrument_exposure_ratio_max": "2"}, "instrument_exposure", 181818),
    ({"currency_exposure_ratio_max": "2"}, "base_currency_exposure", 181818),
    ({"gross_exposure_ratio_max": "2"}, "gross_exposure", 181818),
    ({"margin": HALF}, "margin_level", 145454),  # 159,999.4 USD, of which 0.5 x 1.25 is 99,999.625
)


@pytest.mark.parametrize(("changes", "rule", "expected"), ALONE)
@pytest.mark.parametrize("target", [False, True])
def test_a_short_keeps_every_limit_though_a_target_closes_the_long_before_it_fills(
    changes: dict[str, Any], rule: str, expected: int, target: bool
) -> None:
    desk = make_desk()
    entry = desk.hold("EURUSD", Side.BUY, "100000", "1.10")
    if target:
        desk.say(
            m.OrderAccepted,
            client_order_id="target",
            order_id=entry.order_id,
            account="alpha",
            instrument="EURUSD",
            side=Side.SELL,
            quantity=Decimal(100000),
            order_type=OrderType.LIMIT,
            price=Decimal("1.10"),
            reduce_only=True,
            role="take_profit",
        )
    said = propose(desk, "400000", limit_price="1.10", **changes)
    assert quantity(said) == Decimal(expected)
    assert outcome(said, rule) == "reduce"


@pytest.mark.parametrize(("changes", "rule", "expected"), ALONE)
def test_a_second_short_finds_no_room_beside_the_first_that_works(
    changes: dict[str, Any], rule: str, expected: int
) -> None:
    desk = make_desk()
    desk.hold("EURUSD", Side.BUY, "100000", "1.10")
    first = make_order("EURUSD", Side.SELL, str(expected), make_quote("1.10"), order_id="first")
    desk.approve(m.OrderSized, first)
    said = propose(desk, "1", limit_price="1.10", **changes)
    assert isinstance(said, m.OrderDenied)
    assert said.reason == rule


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
