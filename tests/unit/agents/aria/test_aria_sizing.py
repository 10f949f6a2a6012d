"""ARIA sizes signals by the risk at the stop, times its factors, in whole lots."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from tests.unit.agents.desk import NO_NEWS, Desk, default_config, make_account, make_instrument, make_order, make_quote
from tmt import messages as m
from tmt.agents.aria import AriaAgent, AriaConfig, AriaState
from tmt.agents.aria.state import band_in_force
from tmt.agents.aria.volatility import VolatilityTrack, percentile
from tmt.domain.identity import derive_id
from tmt.domain.money import decode_hook
from tmt.domain.order import OrderType, Side, TimeInForce
from tmt.domain.session import NANOSECONDS_PER_SECOND
from tmt.market.bar import Timeframe

QUOTE = make_quote("1.1000", "1.1001")
WIDE: dict[str, Any] = {
    "instrument_exposure_ratio_max": "1000",
    "currency_exposure_ratio_max": "1000",
    "gross_exposure_ratio_max": "1000",
    "position_notional_max": "1000000000",
}


def make_agent(desk: Desk, **changes: Any) -> AriaAgent:
    return AriaAgent(default_config(AriaConfig, "aria", **{**WIDE, **changes}), desk.portfolio, "hash", NO_NEWS)


def answer(agent: AriaAgent, message: m.Message) -> m.OrderSized | m.OrderDenied:
    [said] = agent.handle(message)
    assert isinstance(said, m.OrderSized | m.OrderDenied)
    assert m.decode(m.encode(said)) == said
    return said


def sized(agent: AriaAgent, message: m.Message) -> m.OrderSized:
    said = answer(agent, message)
    assert isinstance(said, m.OrderSized), said
    return said


def refused(agent: AriaAgent, message: m.Message) -> m.OrderDenied:
    said = answer(agent, message)
    assert isinstance(said, m.OrderDenied), said
    return said


def buy_signal(desk: Desk, stop: str = "1.0951") -> m.SignalRaised:
    return desk.signal("EURUSD", Side.BUY, QUOTE, stop=stop, target="1.2000")


def test_the_risk_is_measured_from_the_price_the_order_takes_to_the_stop() -> None:
    desk = Desk()
    said = sized(make_agent(desk), buy_signal(desk))
    assert said.order.quantity == Decimal(100000) * Decimal("0.01") / Decimal("0.005")


def test_a_sell_takes_the_bid() -> None:
    desk = Desk()
    signal = desk.signal("EURUSD", Side.SELL, QUOTE, stop="1.1050", target="1.0000")
    assert sized(make_agent(desk), signal).order.quantity == Decimal(200000)


def test_what_is_left_below_a_lot_is_not_bought() -> None:
    desk = Desk()
    said = sized(make_agent(desk), buy_signal(desk, stop="1.0950"))
    assert said.order.quantity == Decimal(196000)


def test_the_order_enters_at_the_market_with_both_exits() -> None:
    desk = Desk()
    signal = buy_signal(desk)
    order = sized(make_agent(desk), signal).order
    assert (order.type, order.time_in_force) == (OrderType.MARKET, TimeInForce.IOC)
    assert (order.stop_loss_price, order.take_profit_price) == (signal.stop_price, signal.target_price)
    assert (order.strategy, order.setup, order.quote) == ("wyckoff", signal.setup, signal.quote)
    assert order.order_id == derive_id(signal.message_id, "alpha")


def test_the_approval_expires_and_names_the_configuration() -> None:
    desk = Desk()
    said = sized(make_agent(desk, approval_seconds="7"), buy_signal(desk))
    assert said.expires_at_ns == desk.now_ns + 7 * NANOSECONDS_PER_SECOND
    assert said.config_hash == "hash"


def test_profit_in_another_currency_is_converted() -> None:
    desk = Desk()
    desk.mark("USDJPY", "125.000")
    signal = desk.signal("USDJPY", Side.BUY, make_quote("125.000"), stop="123.750", target="130.000")
    # 1,000 USD of risk at 0.01 USD a unit (1.25 / 125).
    assert sized(make_agent(desk), signal).order.quantity == Decimal(100000)


def test_every_account_that_trades_the_instrument_gets_an_answer() -> None:
    desk = Desk(make_account("alpha"), make_account("beta", deposit="50000"), make_account("c", instruments=("SPY",)))
    said = make_agent(desk).handle(buy_signal(desk))
    orders = [one.order for one in said if isinstance(one, m.OrderSized)]
    assert [(order.account, order.quantity) for order in orders] == [
        ("alpha", Decimal(200000)),
        ("beta", Decimal(100000)),
    ]
    assert len({one.message_id for one in said}) == 2


def test_a_signal_that_no_account_trades_is_refused_once() -> None:
    desk = Desk(make_account(instruments=("SPY",)))
    said = refused(make_agent(desk), buy_signal(desk))
    assert (said.reason, said.account) == ("no_account", "")


def test_an_unknown_instrument_is_refused() -> None:
    desk = Desk(instruments=(make_instrument("SPY", "", "USD"),))
    assert refused(make_agent(desk), buy_signal(desk)).reason == "unknown_instrument"


def test_a_missing_conversion_is_refused() -> None:
    desk = Desk()
    signal = desk.signal("USDJPY", Side.BUY, make_quote("150.000"), stop="148.500", target="155.000")
    assert refused(make_agent(desk), signal).reason == "no_conversion_rate"


@pytest.mark.parametrize("ask", ["1.0951", "1.0950"])
def test_a_stop_at_or_beyond_the_price_taken_is_refused(ask: str) -> None:
    desk = Desk()
    signal = msgspec.structs.replace(buy_signal(desk), quote=make_quote("1.0900", ask))
    assert refused(make_agent(desk), signal).reason == "stop_not_protective"


def test_an_account_without_equity_is_refused() -> None:
    desk = Desk()
    desk.hold("SPY", Side.BUY, "1000", "500")
    desk.mark("SPY", "400")
    assert desk.portfolio.equity("alpha") == 0
    assert refused(make_agent(desk), buy_signal(desk)).reason == "no_equity"


def test_a_signal_that_would_add_to_a_position_is_refused() -> None:
    desk = Desk()
    desk.hold("EURUSD", Side.BUY, "1000", "1.10", stop="1.09")
    said = refused(make_agent(desk), buy_signal(desk))
    assert (said.reason, said.measured, said.limit) == ("position_open", Decimal(2), Decimal(1))


def test_a_signal_that_would_add_to_a_working_order_is_refused() -> None:
    desk = Desk()
    desk.approve(m.OrderSized, make_order("EURUSD", Side.BUY, "1000", QUOTE, stop_loss="1.09"))
    assert refused(make_agent(desk), buy_signal(desk)).reason == "position_open"


def test_a_second_entry_passes_where_two_are_allowed_and_a_third_does_not() -> None:
    desk = Desk()
    agent = make_agent(desk, positions_per_instrument_max="2")
    desk.hold("EURUSD", Side.BUY, "1000", "1.10", stop="1.09")
    said = sized(agent, buy_signal(desk))
    desk.tell(said)
    assert refused(agent, buy_signal(desk)).reason == "position_open"


def test_a_signal_against_the_position_is_denied_for_the_bracket_closes_it() -> None:
    desk = Desk()
    desk.hold("EURUSD", Side.SELL, "1000", "1.10", stop="1.12")
    assert refused(make_agent(desk), buy_signal(desk)).reason == "position_open"


@pytest.mark.parametrize(
    ("below", "equal", "factor"),
    [
        (12, 1, "1.10"), (12, 2, "1.00"), (29, 2, "1.00"), (30, 1, "0.85"),
        (39, 2, "0.85"), (40, 1, "0.70"), (44, 2, "0.70"), (45, 1, "0.50"),
    ],
)  # fmt: skip
def test_risk_falls_as_volatility_rises(below: int, equal: int, factor: str) -> None:
    desk = Desk()
    agent = make_agent(desk, volatility_bars_min="50")
    ranges = (*range(1, below + 1), *range(1001, 1051 - below - equal), *[500] * equal)
    agent.state = AriaState(volatility={"EURUSD/5m": VolatilityTrack(63, 1, 500, ranges)})
    said = sized(agent, buy_signal(desk))
    [check] = [check for check in said.checks if check.rule == "aria.volatility"]
    assert check.measured == Decimal(2 * below + equal) / 100
    assert check.quantity_after == Decimal(200000) * Decimal(factor)


@pytest.mark.parametrize(("bars", "rule"), [(59, "aria.volatility_bars"), (60, "aria.volatility")])
def test_volatility_counts_from_the_configured_number_of_bars(bars: int, rule: str) -> None:
    desk = Desk()
    agent = make_agent(desk)
    agent.state = AriaState(volatility={"EURUSD/5m": VolatilityTrack(bars, 1, 1, tuple(range(bars)))})
    rules = [check.rule for check in sized(agent, buy_signal(desk)).checks]
    assert [name for name in rules if "volatility" in name] == [rule]


def test_a_market_that_never_changes_is_of_middling_volatility() -> None:
    assert percentile(VolatilityTrack(100, 1, 5, (5,) * 50)) == Decimal("0.5")


def test_closed_bars_move_the_average_true_range_by_wilders_rule() -> None:
    desk = Desk()
    agent = make_agent(desk, atr_bars="2", volatility_bars_min="2", volatility_window_bars="3")
    bars = (("1.0", "1.2", "1.0"), ("1.5", "1.5", "1.4"), ("1.2", "1.3", "1.2"), ("1.2", "1.3", "1.1"))
    for close, high, low in bars:
        agent.handle(desk.bar("EURUSD", close, high=high, low=low, timeframe=Timeframe.M5))
    # True ranges, with the gaps up and down: 0.2, 0.5, 0.3, 0.2.
    assert agent.state.volatility["EURUSD/5m"].ranges_pico == (350_000_000_000, 325_000_000_000, 262_500_000_000)
    agent.handle(desk.bar("EURUSD", "1.2", timeframe=Timeframe.M5))
    assert len(agent.state.volatility["EURUSD/5m"].ranges_pico) == 3


@pytest.mark.parametrize(
    ("drawdown", "factor"),
    [
        ("0", "1"), ("0.02", "1"), ("0.0201", "0.9"), ("0.04", "0.9"), ("0.0401", "0.5"), ("0.07", "0.5"),
        ("0.0701", "0.3"), ("0.10", "0.3"), ("0.1001", "0.1"), ("0.15", "0.1"),
    ],
)  # fmt: skip
def test_risk_falls_in_bands_with_the_drawdown(drawdown: str, factor: str) -> None:
    desk = desk_down_by(drawdown)
    said = sized(make_agent(desk), buy_signal(desk))
    [check] = [check for check in said.checks if check.rule == "aria.drawdown"]
    assert check.measured == Decimal(drawdown)
    lots = (1 - Decimal(drawdown)) * 1000 * Decimal(factor) / Decimal("0.005") // 1000
    assert check.quantity_after == lots * 1000


def test_beyond_the_last_band_there_is_no_new_risk() -> None:
    desk = desk_down_by("0.1501")
    said = refused(make_agent(desk), buy_signal(desk))
    assert (said.reason, said.measured, said.limit) == ("drawdown_halt", Decimal("0.1501"), Decimal("0.15"))


def test_a_better_band_returns_only_after_recovery() -> None:
    config = default_config(AriaConfig, "aria")
    assert band_in_force(0, Decimal("0.05"), config) == 2
    assert band_in_force(2, Decimal("0.0321"), config) == 2
    assert band_in_force(2, Decimal("0.032"), config) == 1
    assert band_in_force(5, Decimal("0.1201"), config) == 5
    assert band_in_force(5, Decimal("0.12"), config) == 4
    assert band_in_force(5, Decimal("0.016"), config) == 0
    assert band_in_force(1, Decimal("0.2"), config) == 5


@pytest.mark.parametrize(
    ("before", "drawdown", "after"),
    [
        (0, "0.02", 0), (0, "0.020001", 1), (1, "0.016001", 1), (1, "0.016", 0),
        (1, "0.04", 1), (1, "0.040001", 2), (2, "0.032001", 2), (2, "0.032", 1),
        (2, "0.07", 2), (2, "0.070001", 3), (3, "0.056001", 3), (3, "0.056", 2),
        (3, "0.1", 3), (3, "0.100001", 4), (4, "0.080001", 4), (4, "0.08", 3),
        (4, "0.15", 4), (4, "0.150001", 5), (5, "0.120001", 5), (5, "0.12", 4),
        (5, "0.1", 4), (5, "0.08", 3), (5, "0.0321", 2), (5, "0.0161", 1), (5, "0", 0), (3, "0.04", 2),
    ],
)  # fmt: skip
def test_each_band_returns_exactly_at_its_restore_threshold(before: int, drawdown: str, after: int) -> None:
    assert band_in_force(before, Decimal(drawdown), default_config(AriaConfig, "aria")) == after


def test_the_threshold_of_recovery_is_configured() -> None:
    config = default_config(AriaConfig, "aria", drawdown_restore_fraction="0.5")
    assert band_in_force(2, Decimal("0.020001"), config) == 2
    assert band_in_force(2, Decimal("0.02"), config) == 1
    assert band_in_force(2, Decimal("0.04"), default_config(AriaConfig, "aria", drawdown_restore_fraction="1")) == 1


def test_a_halt_outlives_a_small_recovery_and_a_restart() -> None:
    desk = desk_down_by("0.1501")
    agent = make_agent(desk)
    agent.handle(desk.mark("SPY", "849.90"))
    agent.handle(desk.mark("SPY", "870"))
    restarted = make_agent(desk)
    restarted.state = msgspec.json.decode(msgspec.json.encode(agent.state), type=AriaState, dec_hook=decode_hook)
    assert restarted.state == agent.state
    assert refused(restarted, buy_signal(desk)).reason == "drawdown_halt"
    restarted.handle(desk.mark("SPY", "880"))
    assert sized(restarted, buy_signal(desk)).order.quantity > 0


def test_the_operators_multiplier_scales_the_risk() -> None:
    desk = Desk()
    assert sized(make_agent(desk, risk_multiplier="0.5"), buy_signal(desk)).order.quantity == Decimal(100000)


def test_other_messages_leave_the_state_alone() -> None:
    desk = Desk()
    agent = make_agent(desk)
    before = agent.state
    agent.handle(desk.hold("EURUSD", Side.BUY, "1000", "1.10"))
    assert agent.state is before


def desk_down_by(drawdown: str) -> Desk:
    """100 shares bought at 1,000 with the whole deposit, marked down; a stop at the price bought leaves no heat."""
    desk = Desk()
    desk.hold("SPY", Side.BUY, "100", "1000", stop="1000")
    desk.mark("SPY", str(1000 * (1 - Decimal(drawdown))))
    return desk
