"""ARIA says what accounts may lose over the next bar, and keeps an order within the limit on it."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from tests.unit.agents.desk import (
    NO_NEWS,
    START_NS,
    Desk,
    default_config,
    make_account,
    make_instrument,
    make_order,
    make_quote,
)
from tmt import messages as m
from tmt.agents.aria import AriaAgent, AriaConfig, AriaState
from tmt.agents.aria.config import ValueAtRiskConfig
from tmt.agents.aria.returns import ReturnSeries
from tmt.domain.money import decode_hook
from tmt.domain.order import Side
from tmt.domain.session import SessionHours
from tmt.market.bar import Timeframe

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
    "initial_margin_fractions": dict.fromkeys(("fx", "equity", "crypto", "metal", "index"), "0.001"),
    "warn_level_min": "1.5",
    "critical_level_min": "1.2",
    "stop_out_level_min": "1",
}
MEASURE: dict[str, Any] = {
    "timeframe": "1h",
    "returns_max": "100",
    "returns_min": "20",
    "gap_hours_max": "48",
    "confidence": "0.95",
    "ewma_decay": "0.94",
    "value_at_risk_fraction_max": "0.01644854",  # the normal quantile: a deviation of 1,000 of 100,000 USD
}
EURUSD = make_instrument("EURUSD", "EUR", "USD", lot_size="1")
GBPUSD = make_instrument("GBPUSD", "GBP", "USD", lot_size="1")
USDJPY = make_instrument("USDJPY", "USD", "JPY", lot_size="1", tick_size="0.001")
DAYTIME = SessionHours(time_zone="UTC", open=("mon-fri 09:30 - 16:00",), day_starts_at="00:00")
SPY = make_instrument("SPY", "", "USD", lot_size="1", tick_size="0.01", session=DAYTIME)
ALL = (EURUSD, GBPUSD, USDJPY, SPY)
ONE = make_quote("1.00000")
PERCENT = (10_000_000, -10_000_000) * 10
"""Twenty hours of 1 % up and down: 1,000 USD of deviation for 100,000 held."""
ENDS = tuple(range(1, 21))
UP_DOWN = ReturnSeries(START_NS, 10**12, ENDS, PERCENT)
DOWN_UP = ReturnSeries(START_NS, 10**12, ENDS, tuple(-each for each in PERCENT))


def make_desk(**account: Any) -> Desk:
    return Desk(make_account(instruments=tuple(each.symbol for each in ALL), **account), instruments=ALL)


def make_agent(desk: Desk, returns: dict[str, ReturnSeries], **changes: Any) -> AriaAgent:
    config = default_config(AriaConfig, "aria", value_at_risk={**MEASURE, **changes}, margin=MARGIN, **WIDE)
    agent = AriaAgent(config, desk.portfolio, "hash", NO_NEWS)
    agent.state = AriaState(returns=returns)
    return agent


def ask(agent: AriaAgent, desk: Desk, quantity: str, *, side: Side = Side.BUY) -> m.OrderSized | m.OrderDenied:
    desk.mark("EURUSD", "1")
    [said] = agent.handle(desk.propose("EURUSD", side, quantity))
    assert isinstance(said, m.OrderSized | m.OrderDenied)
    return said


def check_of(said: m.OrderSized | m.OrderDenied) -> m.Check:
    [check] = [check for check in said.checks if check.rule.startswith("aria.value_at_risk")]
    return check


@pytest.mark.parametrize(
    ("asked", "measured", "outcome", "left"),
    [
        ("99999", "0.016448", "pass", 99999),
        ("100000", "0.016449", "pass", 100000),
        ("100001", "0.016449", "reduce", 100000),
        ("200000", "0.032897", "reduce", 100000),
    ],
)
@pytest.mark.parametrize("side", list(Side))
def test_an_order_exactly_at_the_limit_passes_and_a_larger_one_is_cut(
    asked: str, measured: str, outcome: str, left: int, side: Side
) -> None:
    desk = make_desk()
    # One part in 10**7 of slack: the deviation is rounded down on its own grid of 10**-17.
    agent = make_agent(desk, {"EURUSD": UP_DOWN}, value_at_risk_fraction_max="0.0164485416")
    check = check_of(ask(agent, desk, asked, side=side))
    assert (check.rule, check.unit) == ("aria.value_at_risk", "fraction")
    assert (check.measured, check.outcome, check.quantity_after) == (Decimal(measured), outcome, Decimal(left))
    assert check.limit == Decimal("0.016449")
    assert not check.at_least


def test_what_is_held_counts_with_its_sign() -> None:
    desk = make_desk()
    desk.hold("GBPUSD", Side.BUY, "60000", "1")
    same = make_agent(desk, {"EURUSD": UP_DOWN, "GBPUSD": UP_DOWN})
    against = make_agent(desk, {"EURUSD": UP_DOWN, "GBPUSD": DOWN_UP})
    more, less = check_of(ask(same, desk, "200000")), check_of(ask(against, desk, "200000"))
    assert (more.measured, more.quantity_after) == (Decimal("0.042766"), Decimal(40000))
    assert (less.measured, less.quantity_after) == (Decimal("0.023028"), Decimal(160000))
    assert check_of(ask(same, desk, "200000", side=Side.SELL)).quantity_after == 160000


def test_working_orders_count_where_they_add_risk() -> None:
    desk = make_desk()
    desk.hold("GBPUSD", Side.BUY, "50000", "1")
    for side, quantity, order_id in ((Side.BUY, "10000", "a"), (Side.SELL, "20000", "b")):
        order = make_order(
            "GBPUSD", side, quantity, ONE, order_id=order_id, stop_loss="0.9" if side is Side.BUY else "1.1"
        )
        desk.approve(m.OrderSized, order)
    agent = make_agent(desk, {"EURUSD": UP_DOWN, "GBPUSD": UP_DOWN})
    assert check_of(ask(agent, desk, "200000")).quantity_after == 40000


@pytest.mark.parametrize(("works", "left"), [(Side.BUY, 60000), (Side.SELL, 100000)])
def test_a_working_order_in_the_instrument_counts_on_the_side_of_the_order_alone(works: Side, left: int) -> None:
    desk = make_desk()
    stop = "0.9" if works is Side.BUY else "1.1"
    desk.approve(m.OrderSized, make_order("EURUSD", works, "40000", ONE, stop_loss=stop))
    assert check_of(ask(make_agent(desk, {"EURUSD": UP_DOWN}), desk, "200000")).quantity_after == left


def test_a_working_order_that_turns_a_position_around_adds_no_risk() -> None:
    desk = make_desk()
    desk.hold("GBPUSD", Side.BUY, "50000", "1")
    desk.approve(m.OrderSized, make_order("GBPUSD", Side.SELL, "100000", ONE, stop_loss="1.1"))
    agent = make_agent(desk, {"EURUSD": UP_DOWN, "GBPUSD": UP_DOWN})
    assert check_of(ask(agent, desk, "200000")).quantity_after == 50000


def test_a_working_order_is_no_hedge_of_the_order_for_it_may_be_cancelled() -> None:
    desk = make_desk()
    desk.approve(m.OrderSized, make_order("GBPUSD", Side.SELL, "60000", ONE, stop_loss="1.1"))
    agent = make_agent(desk, {"EURUSD": UP_DOWN, "GBPUSD": UP_DOWN})
    check = check_of(ask(agent, desk, "200000"))
    assert (check.measured, check.quantity_after) == (Decimal("0.032897"), Decimal(100000))
    assert check_of(ask(agent, desk, "200000", side=Side.SELL)).quantity_after == 40000


@pytest.mark.parametrize(("works", "left"), [("50000", 50000), ("60000", 40000), ("90000", 10000)])
def test_a_position_that_orders_work_against_is_no_hedge_of_the_order_for_it_may_be_closed(
    works: str, left: int
) -> None:
    desk = make_desk()
    desk.hold("GBPUSD", Side.BUY, "50000", "1")
    desk.approve(m.OrderSized, make_order("GBPUSD", Side.SELL, works, ONE, stop_loss="1.1"))
    agent = make_agent(desk, {"EURUSD": UP_DOWN, "GBPUSD": UP_DOWN})
    assert check_of(ask(agent, desk, "200000", side=Side.SELL)).quantity_after == left


def test_a_loss_in_another_currency_is_converted() -> None:
    desk = make_desk()
    desk.mark("USDJPY", "100")
    desk.hold("USDJPY", Side.BUY, "60000", "100")
    agent = make_agent(desk, {"EURUSD": UP_DOWN, "USDJPY": UP_DOWN})
    assert check_of(ask(agent, desk, "200000")).quantity_after == 40000


def test_no_room_is_a_refusal_and_only_what_is_reduce_only_closes() -> None:
    desk = make_desk()
    desk.hold("GBPUSD", Side.BUY, "100001", "1")
    agent = make_agent(desk, {"EURUSD": UP_DOWN, "GBPUSD": UP_DOWN})
    said = ask(agent, desk, "1")
    assert isinstance(said, m.OrderDenied)
    assert (said.reason, said.unit, said.limit) == ("value_at_risk", "fraction", Decimal("0.016449"))
    desk.hold("EURUSD", Side.SELL, "500000", "1")
    # 100,001 pounds and 500,000 euros, a deviation of 6,000.01: the short may be closed before the order fills.
    said = ask(agent, desk, "500000")
    assert isinstance(said, m.OrderDenied)
    assert (said.reason, said.measured) == ("value_at_risk", Decimal("0.098691"))
    [closing] = agent.handle(desk.propose("EURUSD", Side.BUY, "500000", reduce_only=True))
    assert isinstance(closing, m.OrderSized)
    assert closing.order.quantity == 500000


@pytest.mark.parametrize(("held", "left"), [(Side.BUY, 60000), (Side.SELL, 100000)])
def test_a_position_in_the_instrument_counts_on_the_side_of_the_order_alone(held: Side, left: int) -> None:
    desk = make_desk()
    desk.hold("EURUSD", held, "40000", "1")
    check = check_of(ask(make_agent(desk, {"EURUSD": UP_DOWN}), desk, "200000"))
    assert check.quantity_after == left
    assert check.measured == (Decimal("0.039476") if held is Side.BUY else Decimal("0.032897"))


def test_what_never_moved_is_not_limited() -> None:
    desk = make_desk()
    still = ReturnSeries(START_NS, 10**12, ENDS, (0,) * 20)
    check = check_of(ask(make_agent(desk, {"EURUSD": still}), desk, "500000"))
    assert (check.measured, check.outcome, check.quantity_after) == (Decimal(0), "pass", Decimal(500000))


@pytest.mark.parametrize(("returns", "rule"), [(19, "value_at_risk_returns"), (20, "value_at_risk")])
def test_too_few_returns_are_a_warning(returns: int, rule: str) -> None:
    desk = make_desk()
    series = ReturnSeries(START_NS, 10**12, ENDS[:returns], PERCENT[:returns])
    check = check_of(ask(make_agent(desk, {"EURUSD": series}), desk, "500000"))
    assert check.rule == f"aria.{rule}"
    if returns == 19:
        assert (check.measured, check.limit, check.unit, check.at_least) == (Decimal(19), Decimal(20), "count", True)
        assert (check.outcome, check.quantity_after) == ("warn", Decimal(500000))


def test_an_unmeasured_position_leaves_the_account_unmeasured() -> None:
    desk = make_desk()
    desk.hold("GBPUSD", Side.BUY, "1000", "1")
    check = check_of(ask(make_agent(desk, {"EURUSD": UP_DOWN}), desk, "500000"))
    assert (check.rule, check.measured) == ("aria.value_at_risk_returns", Decimal(0))


def hour(desk: Desk, symbol: str, close: str) -> m.BarClosed:
    return desk.bar(symbol, close, timeframe=Timeframe.H1)


def risks(said: list[m.Message]) -> list[m.RiskMeasured]:
    assert all(m.decode(m.encode(each)) == each for each in said)
    return [each for each in said if isinstance(each, m.RiskMeasured)]


def test_an_account_is_measured_by_both_methods_when_an_hour_closes() -> None:
    desk = make_desk()
    agent = make_agent(desk, {"EURUSD": ReturnSeries(START_NS, 10**12, ENDS[1:], PERCENT[1:])})
    desk.hold("EURUSD", Side.BUY, "100000", "1")
    closed = hour(desk, "EURUSD", "0.99")
    first, second = risks(agent.handle(closed))
    for said, method in ((first, "historical"), (second, "ewma")):
        assert (said.account, said.method, said.timeframe, said.confidence) == ("alpha", method, "1h", Decimal("0.95"))
        assert (said.equity, said.currency, said.returns) == (Decimal(99000), "USD", 20)
        assert said.causation_id == closed.message_id
    # 99,000 held now, and eleven of twenty hours lost 1 %: exactly one may be worse.
    assert (first.value_at_risk, first.expected_shortfall) == (Decimal(990), Decimal(990))
    assert float(second.value_at_risk) == pytest.approx(990 * 1.644854, abs=1e-4)
    assert float(second.expected_shortfall) == pytest.approx(990 * 2.06272, abs=1e-4)
    assert first.message_id != second.message_id


@pytest.mark.parametrize(("returns", "times"), [(18, 0), (19, 2)])
def test_too_few_returns_measure_nothing(returns: int, times: int) -> None:
    desk = make_desk()
    agent = make_agent(desk, {"EURUSD": ReturnSeries(START_NS, 10**12, ENDS[:returns], PERCENT[:returns])})
    desk.hold("EURUSD", Side.BUY, "1000", "1")
    assert len(risks(agent.handle(hour(desk, "EURUSD", "1")))) == times


def test_other_bars_and_flat_accounts_are_not_measured() -> None:
    desk = make_desk()
    agent = make_agent(desk, {"EURUSD": UP_DOWN, "GBPUSD": UP_DOWN})
    assert agent.handle(hour(desk, "EURUSD", "1")) == []
    desk.hold("EURUSD", Side.BUY, "1000", "1")
    assert risks(agent.handle(desk.bar("EURUSD", "1", timeframe=Timeframe.M30))) == []
    assert risks(agent.handle(hour(desk, "GBPUSD", "1"))) == []
    assert len(agent.state.returns["EURUSD"].returns_nano) == 21


def test_the_last_of_the_bars_that_end_together_has_the_account_measured_once() -> None:
    desk = make_desk()
    agent = make_agent(desk, {"EURUSD": UP_DOWN, "GBPUSD": UP_DOWN})
    for symbol in ("GBPUSD", "EURUSD"):
        desk.hold(symbol, Side.BUY, "1000", "1")
    desk.pass_seconds(3600)
    assert risks(agent.handle(hour(desk, "EURUSD", "1"))) == []
    said = risks(agent.handle(hour(desk, "GBPUSD", "1")))
    assert [(each.method, each.returns) for each in said] == [("historical", 21), ("ewma", 21)]


HOUR_NS = 3600 * 10**9


@pytest.mark.parametrize(
    ("day_ns", "times"),
    [
        (19 * HOUR_NS // 2, 2),  # the session opens as the bar ends, at 09:30
        (19 * HOUR_NS // 2 + 1, 0),
        (13 * HOUR_NS, 0),
        (16 * HOUR_NS, 0),  # and closes as it ends, at 16:00
        (16 * HOUR_NS + 1, 2),
        (17 * HOUR_NS, 2),
    ],
)
def test_an_instrument_whose_session_is_closed_is_not_waited_for(day_ns: int, times: int) -> None:
    desk = make_desk()
    agent = make_agent(desk, {"EURUSD": UP_DOWN, "SPY": UP_DOWN})
    desk.hold("EURUSD", Side.BUY, "1000", "1")
    desk.hold("SPY", Side.BUY, "10", "100")
    desk.now_ns = START_NS - START_NS % (24 * HOUR_NS) + day_ns
    said = risks(agent.handle(hour(desk, "EURUSD", "1")))
    assert [each.returns for each in said] == [20] * times


@pytest.mark.parametrize(("hours", "returns"), [(48, 21), (49, 20)])
def test_a_bar_after_a_long_silence_has_no_return(hours: int, returns: int) -> None:
    desk = make_desk()
    agent = make_agent(desk, {"EURUSD": UP_DOWN})
    desk.hold("EURUSD", Side.BUY, "1000", "1")
    desk.pass_seconds((hours + 1) * 3600)
    closed = hour(desk, "EURUSD", "3")
    assert [each.returns for each in risks(agent.handle(closed))] == [returns] * 2
    series = agent.state.returns["EURUSD"]
    assert (series.last_end_ns, series.last_pico) == (closed.bar.end_ns, 3 * 10**12)
    assert len(series.returns_nano) == len(series.end_ns) == returns


def test_every_account_that_holds_is_measured_in_its_currency() -> None:
    accounts = (make_account("alpha"), make_account("beta", currency="JPY", deposit="9000000"), make_account("c"))
    desk = Desk(*accounts, instruments=ALL)
    desk.mark("USDJPY", "100")
    agent = make_agent(desk, {"EURUSD": UP_DOWN})
    for account in ("alpha", "beta"):
        desk.hold("EURUSD", Side.SELL, "1000", "1", account=account)
    said = risks(agent.handle(hour(desk, "EURUSD", "1")))
    assert [(each.account, each.currency) for each in said] == [("alpha", "USD")] * 2 + [("beta", "JPY")] * 2
    assert said[2].value_at_risk == 100 * said[0].value_at_risk


def test_working_orders_are_not_what_is_held() -> None:
    desk = make_desk()
    agent = make_agent(desk, {"EURUSD": UP_DOWN})
    desk.hold("EURUSD", Side.BUY, "1000", "1")
    desk.approve(m.OrderSized, make_order("EURUSD", Side.BUY, "5000", ONE, stop_loss="0.9"))
    said = risks(agent.handle(hour(desk, "EURUSD", "1")))
    assert said[0].value_at_risk == 10


def test_what_cannot_be_valued_is_not_measured() -> None:
    desk = make_desk()
    agent = make_agent(desk, {"EURUSD": UP_DOWN, "SPY": UP_DOWN})
    desk.hold("EURUSD", Side.BUY, "1000", "1")
    desk.hold("SPY", Side.BUY, "10", "100")
    del desk.portfolio.state.marks["SPY"]
    desk.now_ns = START_NS - START_NS % (24 * 3600 * 10**9)
    assert risks(agent.handle(hour(desk, "EURUSD", "1"))) == []


def test_an_account_that_is_flat_or_not_to_be_valued_or_unmeasured_hides_no_other() -> None:
    accounts = tuple(make_account(name) for name in ("flat", "unvalued", "short", "alpha"))
    desk = Desk(*accounts, instruments=ALL)
    short = ReturnSeries(START_NS, 10**12, ENDS[:5], PERCENT[:5])
    agent = make_agent(desk, {"EURUSD": UP_DOWN, "GBPUSD": short})
    for account in ("unvalued", "short", "alpha"):
        desk.hold("EURUSD", Side.BUY, "1000", "1", account=account)
    desk.hold("GBPUSD", Side.BUY, "1000", "1", account="short")
    # Its equity is known, but not what its order is worth: there is no rate from yen.
    yen = make_order("USDJPY", Side.BUY, "1000", make_quote("100"), stop_loss="90", account="unvalued")
    desk.approve(m.OrderSized, yen)
    agent.handle(hour(desk, "GBPUSD", "1"))
    said = risks(agent.handle(hour(desk, "EURUSD", "1")))
    assert [each.account for each in said] == ["alpha", "alpha"]


def test_the_returns_survive_a_restart() -> None:
    state = AriaState(returns={"EURUSD": UP_DOWN})
    assert msgspec.json.decode(msgspec.json.encode(state), type=AriaState, dec_hook=decode_hook) == state


@pytest.mark.parametrize(
    ("name", "value"),
    [("returns_min", "0"), ("gap_hours_max", "0"), ("returns_max", "19"),
     ("confidence", "0.96"), ("ewma_decay", "1"), ("ewma_decay", "0"),
     ("value_at_risk_fraction_max", "0"), ("value_at_risk_fraction_max", "1.01")],
)  # fmt: skip
def test_a_configuration_out_of_range_names_its_field(name: str, value: str) -> None:
    with pytest.raises(ValueError, match=name):
        default_config(AriaConfig, "aria", value_at_risk={**MEASURE, name: value})


def test_a_configuration_at_its_bounds_is_good() -> None:
    bounds = {"returns_min": "1", "returns_max": "1", "gap_hours_max": "1", "value_at_risk_fraction_max": "1"}
    config: ValueAtRiskConfig = default_config(AriaConfig, "aria", value_at_risk={**MEASURE, **bounds}).value_at_risk
    assert (config.returns_min, config.returns_max) == (1, 1)
