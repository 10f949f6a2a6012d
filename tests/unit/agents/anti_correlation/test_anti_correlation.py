"""The concentration gate tells a doubling from a hedge, and never adds quantity."""

from decimal import Decimal
from math import sqrt
from typing import Any

import msgspec
import pytest

from tests.unit.agents.desk import (
    EURUSD,
    GBPUSD,
    SPY,
    USDJPY,
    Desk,
    default_config,
    make_account,
    make_order,
    make_quote,
)
from tmt import messages as m
from tmt.agents.anti_correlation import (
    AntiCorrelationAgent,
    AntiCorrelationConfig,
    AntiCorrelationState,
    correlation_matrix,
    evolve,
)
from tmt.agents.anti_correlation.bets import alike
from tmt.agents.anti_correlation.returns import ReturnSeries
from tmt.domain.money import decode_hook
from tmt.domain.order import Order, Side
from tmt.market.bar import Timeframe

QUOTE = make_quote("1.0000")


def make_desk() -> Desk:
    desk = Desk(make_account("alpha"), make_account("beta"))
    for symbol in ("EURUSD", "GBPUSD", "SPY"):
        desk.mark(symbol, "1.0000")
    desk.mark("USDJPY", "100.000")
    return desk


def make_agent(desk: Desk, **changes: Any) -> AntiCorrelationAgent:
    config = default_config(AntiCorrelationConfig, "anti_correlation", **{"currency_net_ratio_max": "1000", **changes})
    return AntiCorrelationAgent(config, desk.portfolio, "hash")


def correlated(coefficient: str) -> AntiCorrelationState:
    """EURUSD and GBPUSD whose returns correlate exactly so: cosines of two vectors of four equal blocks."""
    rho = Decimal(coefficient)
    other = sqrt(1 - float(rho) ** 2)
    ends = tuple(range(40))
    first = [1.0, -1.0, 1.0, -1.0] * 10
    second = [1.0, -1.0, -1.0, 1.0] * 10
    mixed = [float(rho) * x + other * y for x, y in zip(first, second, strict=True)]
    return AntiCorrelationState(
        series={
            "EURUSD": ReturnSeries(39, 1.0, ends, tuple(first)),
            "GBPUSD": ReturnSeries(39, 1.0, ends, tuple(mixed)),
        }
    )


def judge(
    desk: Desk, agent: AntiCorrelationAgent, side: Side = Side.BUY, quantity: str = "100000", **fields: Any
) -> m.ConcentrationApproved | m.OrderDenied:
    return judge_order(desk, agent, make_order("EURUSD", side, quantity, QUOTE, stop_loss="0.5", **fields))


def judge_order(desk: Desk, agent: AntiCorrelationAgent, order: Order) -> m.ConcentrationApproved | m.OrderDenied:
    sized = desk.approve(m.OrderSized, order)
    [said] = agent.handle(sized)
    assert isinstance(said, m.ConcentrationApproved | m.OrderDenied)
    assert said.causation_id == sized.message_id
    assert m.decode(m.encode(said)) == said
    return said


def quantity(said: m.ConcentrationApproved | m.OrderDenied) -> Decimal:
    assert isinstance(said, m.ConcentrationApproved), said
    return said.order.quantity


def reason(said: m.ConcentrationApproved | m.OrderDenied) -> str:
    assert isinstance(said, m.OrderDenied), said
    return said.reason


@pytest.mark.parametrize(
    ("coefficient", "outcome", "expected"),
    [
        ("0.4999", "pass", 100000), ("0.5", "warn", 100000), ("0.7", "warn", 100000), ("0.7001", "reduce", 99000),
        ("0.8", "reduce", 50000), ("0.89", "reduce", 5000), ("-0.95", "pass", 100000),
    ],
)  # fmt: skip
def test_the_more_it_is_the_same_bet_the_less_is_left(coefficient: str, outcome: str, expected: int) -> None:
    desk = make_desk()
    desk.hold("GBPUSD", Side.BUY, "1000", "1", account="beta")
    agent = make_agent(desk)
    agent.state = correlated(coefficient)
    said = judge(desk, agent)
    assert quantity(said) == Decimal(expected)
    [check] = [check for check in said.checks if check.rule == "anti_correlation.correlation.GBPUSD"]
    assert (check.outcome, check.measured) == (outcome, Decimal(coefficient))


@pytest.mark.parametrize("coefficient", ["0.8999", "0.9", "1"])
def test_one_bet_is_refused(coefficient: str) -> None:
    desk = make_desk()
    desk.hold("GBPUSD", Side.BUY, "1000", "1", account="beta")
    agent = make_agent(desk)
    agent.state = correlated(coefficient)
    said = judge(desk, agent)
    assert reason(said) == "correlation"
    assert said.checks[-1].measured == Decimal(coefficient)


def test_the_same_correlation_held_the_other_way_is_a_hedge() -> None:
    desk = make_desk()
    desk.hold("GBPUSD", Side.SELL, "1000", "1", account="beta")
    agent = make_agent(desk)
    agent.state = correlated("1")
    assert quantity(judge(desk, agent)) == Decimal(100000)
    assert reason(judge(desk, agent, Side.SELL)) == "correlation"


def test_a_negative_correlation_bought_against_is_one_bet() -> None:
    desk = make_desk()
    desk.hold("GBPUSD", Side.SELL, "1000", "1")
    agent = make_agent(desk)
    agent.state = correlated("-1")
    assert reason(judge(desk, agent)) == "correlation"


def test_working_orders_of_every_account_count() -> None:
    desk = make_desk()
    agent = make_agent(desk)
    agent.state = correlated("1")
    desk.approve(m.OrderSized, make_order("GBPUSD", Side.BUY, "1000", QUOTE, account="beta", order_id="other"))
    assert reason(judge(desk, agent)) == "correlation"


def test_a_working_order_that_only_reduces_is_no_bet() -> None:
    desk = make_desk()
    agent = make_agent(desk)
    agent.state = correlated("1")
    desk.approve(
        m.OrderSized, make_order("GBPUSD", Side.BUY, "1000", QUOTE, account="beta", order_id="other", reduce_only=True)
    )
    assert quantity(judge(desk, agent)) == Decimal(100000)


def test_positions_that_cancel_across_accounts_are_no_bet() -> None:
    desk = make_desk()
    agent = make_agent(desk)
    agent.state = correlated("1")
    desk.hold("GBPUSD", Side.BUY, "1000", "1", account="alpha")
    desk.hold("GBPUSD", Side.SELL, "1000", "1", account="beta")
    assert quantity(judge(desk, agent)) == Decimal(100000)


def test_the_order_is_not_compared_with_itself_nor_with_its_own_instrument() -> None:
    desk = make_desk()
    desk.hold("EURUSD", Side.BUY, "1000", "1", account="beta")
    said = judge(desk, make_agent(desk))
    assert [check.rule for check in said.checks if ".correlation." in check.rule] == []


def test_closing_passes_whatever_it_correlates_with() -> None:
    desk = make_desk()
    agent = make_agent(desk)
    agent.state = correlated("1")
    desk.hold("GBPUSD", Side.SELL, "1000", "1")
    desk.hold("EURUSD", Side.BUY, "5000", "1")
    assert quantity(judge(desk, agent, Side.SELL, "5000", reduce_only=True)) == Decimal(5000)


def test_the_part_that_closes_is_free() -> None:
    desk = make_desk()
    agent = make_agent(desk)
    agent.state = correlated("1")
    desk.hold("GBPUSD", Side.SELL, "1000", "1")
    desk.hold("EURUSD", Side.BUY, "5000", "1")
    assert quantity(judge(desk, agent, Side.SELL, "8000")) == Decimal(5000)


@pytest.mark.parametrize(("rule", "expected"), [("reduce", 50000), ("pass", 100000)])
def test_an_unknown_correlation_of_a_shared_currency_follows_the_rule(rule: str, expected: int) -> None:
    desk = make_desk()
    desk.hold("GBPUSD", Side.BUY, "1000", "1")
    assert quantity(judge(desk, make_agent(desk, unknown_correlation=rule))) == Decimal(expected)


def test_an_unknown_correlation_of_a_hedge_only_warns() -> None:
    desk = make_desk()
    desk.hold("GBPUSD", Side.SELL, "1000", "1")
    said = judge(desk, make_agent(desk))
    assert quantity(said) == Decimal(100000)
    assert "warn" in [check.outcome for check in said.checks]


@pytest.mark.parametrize(("common", "known"), [(29, False), (30, True)])
def test_a_correlation_is_known_from_the_configured_number_of_common_returns(common: int, known: bool) -> None:
    state = correlated("0.6")
    cut = {name: msgspec.structs.replace(s, returns=s.returns[:common], end_ns=s.end_ns[:common])
           for name, s in state.series.items()}  # fmt: skip
    [pair] = correlation_matrix(AntiCorrelationState(series=cut), 30)
    assert (pair.first, pair.second, pair.common) == ("EURUSD", "GBPUSD", common)
    assert (pair.coefficient is not None) is known


def test_looking_alike_is_judged_by_shared_legs_and_directions() -> None:
    assert alike(EURUSD, GBPUSD, 1)
    assert not alike(EURUSD, GBPUSD, -1)
    assert alike(EURUSD, USDJPY, -1)
    assert not alike(EURUSD, USDJPY, 1)
    assert alike(SPY, SPY, 1)
    assert not alike(SPY, EURUSD, 1)


@pytest.mark.parametrize(("asked", "expected"), [("99000", 99000), ("100000", 100000), ("101000", 100000)])
def test_all_accounts_together_keep_the_currency_limit(asked: str, expected: int) -> None:
    desk = make_desk()
    desk.hold("EURUSD", Side.BUY, "100000", "1", account="beta")
    assert quantity(judge(desk, make_agent(desk, currency_net_ratio_max="1"), quantity=asked)) == Decimal(expected)


def test_no_room_in_a_currency_is_a_denial() -> None:
    desk = make_desk()
    desk.hold("EURUSD", Side.BUY, "200000", "1", account="beta")
    assert reason(judge(desk, make_agent(desk, currency_net_ratio_max="1"))) == "currency_net"


def test_an_order_that_lowers_the_net_passes_beyond_the_limit() -> None:
    desk = make_desk()
    desk.hold("EURUSD", Side.BUY, "400000", "1", account="beta")
    said = judge(desk, make_agent(desk, currency_net_ratio_max="1"), Side.SELL)
    assert quantity(said) == Decimal(100000)


def test_shares_of_all_accounts_net_as_a_unit_of_their_own() -> None:
    desk = make_desk()
    desk.hold("SPY", Side.BUY, "150000", "1", account="beta")
    order = make_order("SPY", Side.BUY, "100000", QUOTE, stop_loss="0.5")
    assert quantity(judge_order(desk, make_agent(desk, currency_net_ratio_max="1"), order)) == Decimal(50000)


def test_a_missing_rate_is_refused() -> None:
    desk = make_desk()
    del desk.portfolio.state.marks["USDJPY"]
    order = make_order("USDJPY", Side.BUY, "1000", make_quote("100.000"), stop_loss="99")
    assert reason(judge_order(desk, make_agent(desk), order)) == "no_conversion_rate"


def test_an_unpriced_position_anywhere_is_refused() -> None:
    desk = make_desk()
    desk.hold("SPY", Side.BUY, "10", "1", account="beta")
    del desk.portfolio.state.marks["SPY"]
    desk.portfolio._equity.clear()
    assert reason(judge(desk, make_agent(desk))) == "no_equity"


def test_closing_passes_where_nothing_can_be_valued() -> None:
    desk = make_desk()
    desk.hold("SPY", Side.BUY, "10", "1", account="beta")
    desk.hold("EURUSD", Side.BUY, "5000", "1")
    desk.portfolio.state.marks.clear()
    desk.portfolio._equity.clear()
    assert quantity(judge(desk, make_agent(desk), Side.SELL, "5000", reduce_only=True)) == Decimal(5000)


def test_working_orders_count_in_a_currency_where_they_add_and_never_make_room() -> None:
    desk = make_desk()
    agent = make_agent(desk, currency_net_ratio_max="1")
    for side, order_id in ((Side.BUY, "a"), (Side.SELL, "b")):
        order = make_order("EURUSD", side, "150000", QUOTE, account="beta", order_id=order_id, stop_loss="0.5")
        desk.approve(m.OrderSized, order)
    assert quantity(judge(desk, agent)) == Decimal(50000)
    desk.approve(m.OrderSized, make_order("EURUSD", Side.BUY, "50000", QUOTE, account="beta", order_id="c"))
    assert reason(judge(desk, agent)) == "currency_net"


def test_an_unknown_account_is_refused() -> None:
    desk = make_desk()
    assert reason(judge(desk, make_agent(desk), account="nobody")) == "unknown_account"


def test_an_expired_approval_is_refused() -> None:
    desk = make_desk()
    agent = make_agent(desk)
    sized = desk.approve(m.OrderSized, make_order("EURUSD", Side.BUY, "1000", QUOTE), seconds=30)
    desk.pass_seconds(31)
    desk.mark("EURUSD", "1.0000")
    [said] = agent.handle(sized)
    assert isinstance(said, m.OrderDenied)
    assert said.reason == "approval_expired"


def feed(desk: Desk, agent: AntiCorrelationAgent, symbol: str, *closes: str) -> None:
    for close in closes:
        desk.pass_seconds(300)
        agent.handle(desk.bar(symbol, close, timeframe=Timeframe.M5))


def test_returns_span_one_bar_and_never_a_gap() -> None:
    desk = make_desk()
    agent = make_agent(desk, window_bars="30")
    feed(desk, agent, "EURUSD", "1", "2", "1")
    desk.pass_seconds(300)
    feed(desk, agent, "EURUSD", "9", "18")
    assert agent.state.series["EURUSD"].returns == (1.0, -0.5, 1.0)
    feed(desk, agent, "EURUSD", *["1"] * 40)
    assert len(agent.state.series["EURUSD"].returns) == 30


def test_other_timeframes_and_a_repeated_bar_change_nothing() -> None:
    desk = make_desk()
    agent = make_agent(desk)
    feed(desk, agent, "EURUSD", "1", "2")
    before = agent.state
    assert evolve(before, desk.bar("EURUSD", "3"), agent.config) is before
    assert evolve(before, desk.bar("EURUSD", "3", timeframe=Timeframe.M5), agent.config) == before


def test_correlation_keeps_its_digits_at_high_levels_and_small_moves() -> None:
    ends = tuple(range(40))
    tiny = tuple(1.0 + 1e-9 * (i % 2) for i in ends)
    state = AntiCorrelationState(
        series={"A": ReturnSeries(39, 1e5, ends, tiny), "B": ReturnSeries(39, 1e5, ends, tuple(-x for x in tiny))}
    )
    [pair] = correlation_matrix(state, 30)
    assert pair.coefficient == Decimal(-1)


def test_correlation_is_of_moves_about_their_means() -> None:
    ends = tuple(range(40))
    rows = {"A": (2.0, 0.0, 2.0, 0.0) * 10, "B": (2.0, 0.0, 0.0, 2.0) * 10}
    series = {name: ReturnSeries(39, 1.0, ends, row) for name, row in rows.items()}
    [pair] = correlation_matrix(AntiCorrelationState(series=series), 30)
    assert pair.coefficient == 0


def test_what_never_moves_correlates_with_nothing() -> None:
    ends = tuple(range(40))
    still = ReturnSeries(39, 1.0, ends, (0.0,) * 40)
    [pair] = correlation_matrix(AntiCorrelationState(series={"A": still, "B": still}), 30)
    assert pair.coefficient is None


def test_the_state_survives_a_snapshot() -> None:
    state = correlated("0.6")
    assert msgspec.json.decode(msgspec.json.encode(state), type=AntiCorrelationState, dec_hook=decode_hook) == state


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("correlation_reduce", "0.4"),
        ("correlation_refuse", "0.7"),
        ("correlation_refuse", "1.1"),
        ("currency_net_ratio_max", "0"),
        ("window_bars", "29"),
        ("returns_min", "2"),
        ("approval_seconds", "0"),
        ("unknown_correlation", "ignore"),
    ],
)
def test_a_configuration_out_of_range_names_its_field(name: str, value: str) -> None:
    with pytest.raises(ValueError, match=name):
        default_config(AntiCorrelationConfig, "anti_correlation", **{name: value})
