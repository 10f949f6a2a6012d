"""The concentration gate tells a doubling from a hedge, and never adds quantity."""

from decimal import Decimal

import msgspec
import pytest

from tests.unit.agents.anti_correlation.judging import QUOTE, check, judge, quantity, reason, rules
from tests.unit.agents.anti_correlation.moves import correlated, make_agent, make_desk
from tests.unit.agents.desk import (
    BTCUSD,
    EURUSD,
    GBPUSD,
    SPY,
    USDJPY,
    Desk,
    default_config,
    make_account,
    make_instrument,
    make_order,
)
from tmt import messages as m
from tmt.agents.anti_correlation import AntiCorrelationAgent, AntiCorrelationConfig, AntiCorrelationState, evolve
from tmt.agents.anti_correlation.bets import alike
from tmt.agents.anti_correlation.copying import Entry
from tmt.domain.instrument import AssetClass
from tmt.domain.money import decode_hook
from tmt.domain.order import Side
from tmt.market.bar import Timeframe


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
    said = judge(desk, make_agent(desk, correlated(coefficient)))
    assert quantity(said) == Decimal(expected)
    found = check(said, "correlation.GBPUSD")
    limit = Decimal("0.7" if outcome == "reduce" else "0.5")
    assert (found.outcome, found.measured, found.limit) == (outcome, Decimal(coefficient), limit)


@pytest.mark.parametrize("coefficient", ["0.8999", "0.9", "1"])
def test_one_bet_is_refused(coefficient: str) -> None:
    desk = make_desk()
    desk.hold("GBPUSD", Side.BUY, "1000", "1", account="beta")
    said = judge(desk, make_agent(desk, correlated(coefficient)))
    assert reason(said) == "correlation"
    assert said.checks[-1].measured == Decimal(coefficient)
    assert said.checks[-1].limit == Decimal("0.7" if coefficient == "0.8999" else "0.9")


def test_the_same_correlation_held_the_other_way_is_a_hedge() -> None:
    desk = make_desk()
    desk.hold("GBPUSD", Side.SELL, "1000", "1", account="beta")
    agent = make_agent(desk, correlated("1"))
    said = judge(desk, agent)
    assert quantity(said) == Decimal(100000)
    assert check(said, "correlation.GBPUSD").outcome == "pass"
    assert reason(judge(desk, agent, Side.SELL)) == "correlation"


def test_a_negative_correlation_bought_against_is_one_bet() -> None:
    desk = make_desk()
    desk.hold("GBPUSD", Side.SELL, "1000", "1")
    agent = make_agent(desk, correlated("-1"))
    assert reason(judge(desk, agent)) == "correlation"


def test_working_orders_of_every_account_count() -> None:
    desk = make_desk()
    agent = make_agent(desk, correlated("1"))
    desk.approve(m.OrderSized, make_order("GBPUSD", Side.BUY, "1000", QUOTE, account="beta", order_id="other"))
    assert reason(judge(desk, agent)) == "correlation"


def test_a_working_order_that_only_reduces_is_no_bet() -> None:
    desk = make_desk()
    agent = make_agent(desk, correlated("1"))
    desk.approve(
        m.OrderSized, make_order("GBPUSD", Side.BUY, "1000", QUOTE, account="beta", order_id="other", reduce_only=True)
    )
    assert quantity(judge(desk, agent)) == Decimal(100000)


def test_positions_that_cancel_across_accounts_are_no_bet() -> None:
    desk = make_desk()
    agent = make_agent(desk, correlated("1"))
    desk.hold("GBPUSD", Side.BUY, "1000", "1", account="alpha")
    desk.hold("GBPUSD", Side.SELL, "1000", "1", account="beta")
    assert quantity(judge(desk, agent)) == Decimal(100000)


def test_the_order_is_not_compared_with_itself_nor_with_its_own_instrument() -> None:
    desk = make_desk()
    desk.hold("EURUSD", Side.BUY, "1000", "1", account="beta")
    assert "correlation" not in rules(judge(desk, make_agent(desk)))


def test_closing_passes_whatever_it_correlates_with() -> None:
    desk = make_desk()
    agent = make_agent(desk, correlated("1"))
    desk.hold("GBPUSD", Side.SELL, "1000", "1")
    desk.hold("EURUSD", Side.BUY, "5000", "1")
    assert quantity(judge(desk, agent, Side.SELL, "5000", reduce_only=True)) == Decimal(5000)


@pytest.mark.parametrize("asked", ["1000", "5000", "10000"])
def test_an_order_that_is_not_reduce_only_is_judged_whole(asked: str) -> None:
    desk = make_desk()
    agent = make_agent(desk, correlated("1"))
    desk.hold("GBPUSD", Side.SELL, "1000", "1")
    desk.hold("EURUSD", Side.BUY, "5000", "1")
    assert reason(judge(desk, agent, Side.SELL, asked)) == "correlation"


@pytest.mark.parametrize(("rule", "expected"), [("reduce", 50000), ("pass", 100000)])
def test_an_unknown_correlation_of_a_shared_currency_follows_the_rule(rule: str, expected: int) -> None:
    desk = make_desk()
    desk.hold("GBPUSD", Side.BUY, "1000", "1")
    said = judge(desk, make_agent(desk, unknown_correlation=rule))
    assert quantity(said) == Decimal(expected)
    found = check(said, "unknown_correlation.GBPUSD")
    outcome = "reduce" if rule == "reduce" else "warn"
    assert (found.outcome, found.measured, found.limit, found.at_least) == (outcome, Decimal(0), Decimal(30), True)


def test_an_unknown_correlation_may_be_configured_to_refuse() -> None:
    desk = make_desk()
    desk.hold("GBPUSD", Side.BUY, "1000", "1")
    assert reason(judge(desk, make_agent(desk, unknown_correlation="refuse"))) == "unknown_correlation"


@pytest.mark.parametrize("rule", ["reduce", "refuse"])
def test_an_unknown_correlation_of_a_hedge_only_warns(rule: str) -> None:
    desk = make_desk()
    desk.hold("GBPUSD", Side.SELL, "1000", "1")
    said = judge(desk, make_agent(desk, unknown_correlation=rule))
    assert quantity(said) == Decimal(100000)
    assert check(said, "unknown_correlation.GBPUSD").outcome == "warn"


@pytest.mark.parametrize("held", [Side.BUY, Side.SELL])
def test_an_unknown_correlation_leaves_half_of_the_whole_order(held: Side) -> None:
    desk = make_desk()
    desk.hold("GBPUSD", Side.SELL, "1000", "1")
    desk.hold("EURUSD", held, "5000", "1")
    said = judge(desk, make_agent(desk), Side.SELL, "8000")
    assert quantity(said) == Decimal(4000)


@pytest.mark.parametrize("coefficient", ["0.8", None])
def test_what_a_correlation_leaves_is_of_the_order_as_it_came(coefficient: str | None) -> None:
    desk = make_desk()
    desk.hold("GBPUSD", Side.BUY, "1000", "1", account="beta")
    state = None if coefficient is None else correlated(coefficient)
    # The gross limit leaves 59,000 of 100,000, and the correlation half of 100,000.
    assert quantity(judge(desk, make_agent(desk, state, owner_gross_ratio_max="0.3"))) == Decimal(50000)


def test_an_instrument_that_is_held_and_unknown_is_refused() -> None:
    desk = make_desk()
    desk.hold("GBPUSD", Side.BUY, "1000", "1")
    agent = make_agent(desk, correlated("0.5"))
    del desk.portfolio.state.instruments["GBPUSD"]
    assert isinstance(judge(desk, agent), m.OrderDenied)
    assert reason(judge(desk, agent, symbol="NONE")) == "unknown_instrument"


def test_looking_alike_is_judged_by_shared_legs_and_directions() -> None:
    assert alike(EURUSD, GBPUSD, 1)
    assert not alike(EURUSD, GBPUSD, -1)
    assert alike(EURUSD, USDJPY, -1)
    assert not alike(EURUSD, USDJPY, 1)
    assert alike(SPY, SPY, 1)
    assert not alike(SPY, EURUSD, 1)
    shares = make_instrument("QQQ", "", "USD", asset_class=AssetClass.EQUITY)
    assert alike(SPY, shares, 1)
    assert not alike(SPY, shares, -1)
    assert not alike(SPY, make_instrument("GOLD", "", "USD", asset_class=AssetClass.METAL), 1)
    coin = make_instrument("COIN", "", "USD", asset_class=AssetClass.CRYPTO)
    assert not alike(coin, BTCUSD, 1)
    assert not alike(BTCUSD, coin, 1)


def test_closing_passes_where_nothing_can_be_valued() -> None:
    desk = make_desk()
    desk.hold("SPY", Side.BUY, "10", "1", account="beta")
    desk.hold("EURUSD", Side.BUY, "5000", "1")
    desk.portfolio.state.marks.clear()
    desk.portfolio._equity.clear()
    assert quantity(judge(desk, make_agent(desk), Side.SELL, "5000", reduce_only=True)) == Decimal(5000)


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


def test_the_state_survives_a_snapshot() -> None:
    entry = Entry(1, "EURUSD", Side.BUY, "trail", "order")
    state = msgspec.structs.replace(
        correlated("0.6"), end_ns=7, ends_unpublished=3, entries={"alpha": (entry,)}, copying=("alpha/beta",)
    )
    assert msgspec.json.decode(msgspec.json.encode(state), type=AntiCorrelationState, dec_hook=decode_hook) == state


def test_accounts_of_different_owners_are_judged_apart() -> None:
    desk = Desk(make_account("alpha"), msgspec.structs.replace(make_account("beta"), owner="another"))
    desk.mark("EURUSD", "1")
    desk.hold("GBPUSD", Side.BUY, "1000", "1", account="beta")
    agent = make_agent(desk, correlated("1"))
    assert quantity(judge(desk, agent)) == Decimal(100000)
    assert reason(judge(desk, agent, account="beta")) == "correlation"


LIMITS = (
    ("correlation_inform", "0", "0.7", "-0.1", "0.8"),
    ("correlation_reduce", "0.5", "0.89", "0.4", "0.9"),
    ("correlation_refuse", "0.71", "1", "0.7", "1.1"),
    ("currency_net_ratio_max", "0.1", "99", "0", "-1"),
    ("owner_gross_ratio_max", "0.1", "99", "0", "-1"),
    ("firm_gross_ratio_max", "0.1", "99", "0", "-1"),
    ("cluster_risk_fraction_max", "0.1", "99", "0", "-1"),
    ("cluster_correlation_min", "0.1", "1", "0", "1.1"),
    ("risk_contribution_max", "0", "1", "-0.1", "1.1"),
    ("unknown_keep_fraction", "0", "1", "-0.1", "1.1"),
    ("effective_bets_min", "1", "9", "0.9", "0"),
    ("book_instruments_min", "2", "9", "1", "0"),
    ("window_bars", "30", "999", "29", "0"),
    ("half_life_bars", "1", "999", "0", "-1"),
    ("returns_min", "3", "300", "2", "301"),
    ("publish_every_bars", "1", "99", "0", "-1"),
    ("copy_window_seconds", "0", "99", "-1", "-2"),
    ("copy_entries_max", "10", "99", "9", "0"),
    ("copy_entries_min", "1", "50", "0", "51"),
    ("copy_share_max", "0.3", "1", "0.29", "1.1"),
    ("copy_share_clear", "0", "0.5", "-0.1", "0.51"),
    ("approval_seconds", "1", "99", "0", "-1"),
)


@pytest.mark.parametrize(("name", "value"), [(name, bad) for name, _, _, *some in LIMITS for bad in some])
def test_a_configuration_out_of_range_names_its_field(name: str, value: str) -> None:
    with pytest.raises(ValueError, match=name):
        default_config(AntiCorrelationConfig, "anti_correlation", **{name: value})


@pytest.mark.parametrize(("name", "value"), [(name, good) for name, *some, _, _ in LIMITS for good in some])
def test_a_configuration_at_its_bounds_is_taken(name: str, value: str) -> None:
    chosen = getattr(default_config(AntiCorrelationConfig, "anti_correlation", **{name: value}), name)
    assert str(chosen) == value


@pytest.mark.parametrize("name", ["unknown_correlation", "no_such_key"])
def test_a_configuration_of_another_kind_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=name):
        default_config(AntiCorrelationConfig, "anti_correlation", **{name: "ignore"})
