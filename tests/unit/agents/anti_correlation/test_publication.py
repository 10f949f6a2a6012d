"""Correlations are told at the ends of bars, as often as configured, of what was known before."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from tests.unit.agents.anti_correlation.moves import X, Y, Z, config_with, make_agent, row
from tests.unit.agents.desk import Desk, make_account
from tmt import messages as m
from tmt.agents.anti_correlation import AntiCorrelationAgent, AntiCorrelationState
from tmt.agents.anti_correlation.covariance import comove
from tmt.agents.anti_correlation.publication import fewest_bets
from tmt.agents.anti_correlation.returns import ReturnSeries
from tmt.domain.order import Side
from tmt.market.bar import Timeframe

ROUGH = tuple(((7 * i * i + 3 * i) % 41 - 20) for i in range(30))


def close_bars(desk: Desk, agent: AntiCorrelationAgent, number: int, *symbols: str) -> list[list[m.Message]]:
    desk.pass_seconds(300)
    closes = {"EURUSD": 1000 + ROUGH[number % 30], "GBPUSD": 2000 + 3 * ROUGH[(number + 3) % 30]}
    return [agent.handle(desk.bar(each, str(closes.get(each, 5)), timeframe=Timeframe.M5)) for each in symbols]


def publishing(**changes: Any) -> tuple[Desk, AntiCorrelationAgent]:
    desk = Desk(make_account("alpha"), make_account("beta"))
    return desk, make_agent(desk, **{"returns_min": "3", "publish_every_bars": "1", **changes})


def test_it_is_told_by_the_first_bar_of_a_later_end_and_of_what_was_known_before() -> None:
    desk, agent = publishing()
    for number in range(4):
        assert close_bars(desk, agent, number, "EURUSD", "GBPUSD") == [[], []]
    expected = comove(agent.state.series, ("EURUSD", "GBPUSD"), agent.config)
    assert expected is not None
    [[said], second] = close_bars(desk, agent, 4, "GBPUSD", "EURUSD")
    assert second == []
    assert isinstance(said, m.CorrelationsMeasured)
    assert said.timeframe is Timeframe.M5
    assert (said.symbols, said.coefficients) == (expected.symbols, expected.coefficients)
    assert (said.shrinkage_fraction, said.returns) == (expected.shrinkage_fraction, 3)
    assert (said.effective_bets, said.source) == (None, "anti_correlation")
    assert said.occurred_at_ns == desk.now_ns
    assert m.decode(m.encode(said)) == said


def test_the_bets_of_what_is_held_are_told_with_it() -> None:
    desk, agent = publishing()
    for number in range(4):
        close_bars(desk, agent, number, "EURUSD", "GBPUSD")
    desk.hold("EURUSD", Side.BUY, "1000", "1")
    [[said]] = close_bars(desk, agent, 4, "GBPUSD")
    assert isinstance(said, m.CorrelationsMeasured)
    assert said.effective_bets == 1


@pytest.mark.parametrize(("every", "told"), [("1", [4, 5, 6, 7, 8, 9]), ("4", [4, 8]), ("5", [5]), ("6", [6])])
def test_it_is_told_once_in_so_many_ends(every: str, told: list[int]) -> None:
    desk, agent = publishing(publish_every_bars=every)
    found = []
    for number in range(10):
        first, second = close_bars(desk, agent, number, "EURUSD", "GBPUSD")
        assert second == []
        found += [number] * len(first)
    assert found == told


def test_bars_of_another_timeframe_and_late_bars_tell_nothing() -> None:
    desk, agent = publishing()
    for number in range(4):
        close_bars(desk, agent, number, "EURUSD", "GBPUSD")
    before = agent.state
    desk.pass_seconds(300)
    assert agent.handle(desk.bar("EURUSD", "1", timeframe=Timeframe.M1)) == []
    desk.pass_seconds(-600)
    assert agent.handle(desk.bar("EURUSD", "1", timeframe=Timeframe.M5)) == []
    assert agent.state == before


@pytest.mark.parametrize("symbols", [("EURUSD",), ()])
def test_one_instrument_is_no_matrix(symbols: tuple[str, ...]) -> None:
    desk, agent = publishing()
    assert all(close_bars(desk, agent, number, *symbols) in ([[]], []) for number in range(9))


def test_what_does_not_trade_now_or_has_too_few_returns_is_left_out() -> None:
    desk, agent = publishing()
    ends = (7, 8, 9)
    series = {name: ReturnSeries(9, 1.0, ends, values) for name, values in (("A", X[:3]), ("B", Y[:3]))}
    still = {"C": ReturnSeries(9, 1.0, (6, 7, 8), Z[:3]), "D": ReturnSeries(9, 1.0, (8, 9), Z[:2])}
    agent.state = AntiCorrelationState(series={**series, **still}, end_ns=9, ends_unpublished=1)
    [[said]] = close_bars(desk, agent, 0, "EURUSD")
    assert isinstance(said, m.CorrelationsMeasured)
    assert said.symbols == ("A", "B")
    agent.state = AntiCorrelationState(series={**still, "A": series["A"]}, end_ns=9, ends_unpublished=1)
    assert close_bars(desk, agent, 0, "EURUSD") == [[]]
    assert agent.state.ends_unpublished == 2


def test_too_few_common_returns_are_no_matrix() -> None:
    desk, agent = publishing()
    series = {"A": ReturnSeries(9, 1.0, (7, 8, 9), X[:3]), "B": ReturnSeries(9, 1.0, (5, 6, 9), Y[:3])}
    agent.state = AntiCorrelationState(series=series, end_ns=9, ends_unpublished=1)
    assert close_bars(desk, agent, 0, "EURUSD") == [[]]


def holding(*accounts: Any) -> Desk:
    desk = Desk(*accounts)
    for symbol in ("EURUSD", "GBPUSD", "SPY"):
        desk.mark(symbol, "1")
    return desk


STATE = AntiCorrelationState(series={"EURUSD": row(X, 0.01), "GBPUSD": row(Y, 0.01), "SPY": row(X, 0.01)})


@pytest.mark.parametrize(
    ("bought", "sold", "bets"),
    [
        (("EURUSD",), (), "1"), (("EURUSD", "GBPUSD"), (), "2"), (("EURUSD", "SPY"), (), "1"),
        (("EURUSD",), ("SPY",), "2"), ((), (), None),
    ],
)  # fmt: skip
def test_copies_are_one_bet_and_independent_ones_as_many_as_they_are(
    bought: tuple[str, ...], sold: tuple[str, ...], bets: str | None
) -> None:
    desk = holding(make_account("alpha"), make_account("beta"))
    for symbol in bought:
        desk.hold(symbol, Side.BUY, "10000", "1", account="alpha")
    for symbol in sold:
        desk.hold(symbol, Side.SELL, "10000", "1", account="beta")
    found = fewest_bets(STATE, desk.portfolio, config_with())
    assert found == (None if bets is None else Decimal(bets))


def test_the_owner_with_the_fewest_bets_counts() -> None:
    another = msgspec.structs.replace(make_account("beta"), owner="another")
    desk = holding(make_account("alpha"), another, msgspec.structs.replace(make_account("gamma"), owner="flat"))
    for symbol in ("EURUSD", "GBPUSD"):
        desk.hold(symbol, Side.BUY, "10000", "1", account="alpha")
    assert fewest_bets(STATE, desk.portfolio, config_with()) == 2
    desk.hold("EURUSD", Side.BUY, "30000", "1", account="beta")
    desk.hold("GBPUSD", Side.BUY, "10000", "1", account="beta")
    assert fewest_bets(STATE, desk.portfolio, config_with()) == Decimal("1.6")


def test_bets_that_cannot_be_measured_are_not_known() -> None:
    desk = holding(make_account("alpha", deposit="20000"))
    desk.hold("EURUSD", Side.BUY, "10000", "1")
    desk.hold("SPY", Side.BUY, "10000", "1")
    config = config_with()
    apart = {**STATE.series, "SPY": msgspec.structs.replace(row(X), end_ns=tuple(range(90, 130)))}
    assert fewest_bets(STATE, desk.portfolio, config) == 1
    assert fewest_bets(AntiCorrelationState(series=apart), desk.portfolio, config) is None
    assert fewest_bets(AntiCorrelationState(), desk.portfolio, config) is None
    desk.mark("SPY", "0.00001")
    desk.mark("EURUSD", "0.00001")
    assert desk.portfolio.equity("alpha") == Decimal("0.2")
    assert fewest_bets(STATE, desk.portfolio, config) is not None
    desk.portfolio.state.marks.clear()
    desk.portfolio._equity.clear()
    assert fewest_bets(STATE, desk.portfolio, config) is None


def test_an_owner_without_equity_has_no_bets() -> None:
    desk = holding(make_account("alpha", deposit="10000"))
    desk.hold("EURUSD", Side.SELL, "10000", "1")
    desk.mark("EURUSD", "2")
    assert desk.portfolio.equity("alpha") == 0
    assert fewest_bets(STATE, desk.portfolio, config_with()) is None
