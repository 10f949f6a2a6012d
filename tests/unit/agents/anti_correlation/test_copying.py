"""Copy-trading is like entries close in time that no common signal explains; it is told once, and never hindered."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from tests.unit.agents.anti_correlation.judging import QUOTE
from tests.unit.agents.anti_correlation.moves import config_with, make_agent
from tests.unit.agents.desk import Desk, make_account, make_order
from tmt import messages as m
from tmt.agents.anti_correlation import AntiCorrelationAgent
from tmt.agents.anti_correlation.copying import EVIDENCE_MAX, Entry, likeness
from tmt.domain.order import Side
from tmt.domain.session import NANOSECONDS_PER_SECOND
from tmt.market.bar import Timeframe

CONFIG = config_with(copy_window_seconds="60", copy_entries_min="2", copy_entries_max="4")


def entry(seconds: int, name: str, *, trail: str | None = None, symbol: str = "EURUSD", side: Side = Side.BUY) -> Entry:
    return Entry(seconds * NANOSECONDS_PER_SECOND, symbol, side, name if trail is None else trail, name)


@pytest.mark.parametrize(("apart", "share"), [(59, "0.5"), (60, "0.5"), (61, "0"), (-60, "0.5"), (-61, "0")])
def test_like_entries_are_close_in_time(apart: int, share: str) -> None:
    first = (entry(100, "a"), entry(9999, "b"))
    second = (entry(100 + apart, "c"), entry(5555, "d"))
    found = likeness(first, second, CONFIG)
    assert found.share == Decimal(share)
    assert sorted(found.evidence) == ([] if share == "0" else ["a", "c"])


@pytest.mark.parametrize("changed", [{"symbol": "GBPUSD"}, {"side": Side.SELL}])
def test_another_instrument_or_direction_is_not_alike(changed: dict[str, Any]) -> None:
    first, second = (entry(1, "a"), entry(2, "b")), (entry(1, "c", **changed), entry(2, "d", **changed))
    assert likeness(first, second, CONFIG).share == 0


def test_one_signal_in_both_accounts_explains_their_entries() -> None:
    first = (entry(1, "a", trail="signal"), entry(2, "b", trail="other"))
    second = (entry(1, "c", trail="signal"), entry(2, "d", trail="other"))
    assert likeness(first, second, CONFIG) == (Decimal(0), ())


def test_two_signals_at_once_explain_the_entries_of_both_accounts() -> None:
    first = (entry(1, "a", trail="fast"), entry(1, "b", trail="slow"))
    second = (entry(1, "c", trail="fast"), entry(1, "d"))
    found = likeness(first, second, CONFIG)
    # The second account missed the slow signal and did the same on its own.
    assert (found.share, found.evidence) == (Decimal("0.5"), ("b", "d"))


@pytest.mark.parametrize(("own", "share"), [(1, "0.25"), (2, "0.5")])
def test_an_account_with_too_few_entries_has_no_share(own: int, share: str) -> None:
    first = (*(entry(9999 * i, f"x{i}") for i in range(own - 1)), entry(100, "a"))
    second = (entry(100, "b"), *(entry(7777 * i + 300, f"y{i}") for i in range(3)))
    assert likeness(first, second, CONFIG).share == Decimal(share)
    assert likeness(second, first, CONFIG).share == Decimal(share)


def test_a_share_is_on_a_grid_of_four_decimals() -> None:
    first = (entry(100, "a"), entry(9000, "b"), entry(8000, "c"))
    second = (entry(100, "d"), entry(5000, "e"), entry(4000, "f"))
    assert str(likeness(first, second, CONFIG).share) == "0.3333"


def test_nothing_is_no_likeness() -> None:
    assert likeness((), (), CONFIG) == (Decimal(0), ())


def test_evidence_is_the_newest_in_time() -> None:
    first = tuple(entry(1000 * i, f"a{i:02}") for i in range(EVIDENCE_MAX))
    second = tuple(entry(1000 * i + 1, f"b{i:02}") for i in range(EVIDENCE_MAX))
    found = likeness(first, second, CONFIG)
    half = EVIDENCE_MAX // 2
    assert found.share == 1
    assert found.evidence == tuple(f"{side}{i:02}" for i in range(half, EVIDENCE_MAX) for side in "ab")


def release(desk: Desk, agent: AntiCorrelationAgent, account: str, name: str, **fields: Any) -> m.OrderReleased:
    released = desk.approve(m.OrderReleased, make_order("EURUSD", Side.BUY, "1000", QUOTE, account=account, **fields))
    released = msgspec.structs.replace(
        released, correlation_id=name, order=msgspec.structs.replace(released.order, order_id=f"{account}-{name}")
    )
    assert agent.handle(released) == []
    return released


def end_of_bar(desk: Desk, agent: AntiCorrelationAgent) -> list[m.Message]:
    desk.pass_seconds(300)
    return agent.handle(desk.bar("EURUSD", "1", timeframe=Timeframe.M5))


def trade(desk: Desk, agent: AntiCorrelationAgent, *, alike: int, apart: int) -> list[m.Message]:
    """Entries of both accounts, some `alike`, the others of alpha alone; and what is said at the next end of a bar."""
    for number in range(alike + apart):
        desk.pass_seconds(100)
        stamp = f"{desk.now_ns}-{number}"
        release(desk, agent, "alpha", f"{stamp}-a")
        if number < alike:
            release(desk, agent, "beta", f"{stamp}-b")
    return end_of_bar(desk, agent)


def still_copying(agent: AntiCorrelationAgent) -> bool:
    return bool(agent.state.copying)


def watched(**changes: Any) -> tuple[Desk, AntiCorrelationAgent]:
    desk = Desk(make_account("beta"), make_account("alpha"))
    settings = {"copy_entries_min": "4", "copy_entries_max": "4", "copy_share_max": "0.5", "copy_share_clear": "0.25"}
    return desk, make_agent(desk, **{**settings, **changes})


def test_copy_trading_is_told_above_its_limit_and_names_its_evidence() -> None:
    desk, agent = watched()
    assert trade(desk, agent, alike=2, apart=2) == []
    assert not agent.state.copying
    [said] = trade(desk, agent, alike=3, apart=1)
    assert isinstance(said, m.CopyTradingSeen)
    assert (said.owner, said.accounts) == ("owner", ("alpha", "beta"))
    assert (said.measured, said.limit) == (Decimal("0.75"), Decimal("0.5"))
    entries = (*agent.state.entries["alpha"][:3], *agent.state.entries["beta"][-3:])
    assert sorted(said.evidence) == sorted(each.order_id for each in entries)
    assert said.source == "anti_correlation"
    assert m.decode(m.encode(said)) == said


def test_it_is_told_once_until_the_share_has_fallen() -> None:
    desk, agent = watched()
    assert len(trade(desk, agent, alike=4, apart=0)) == 1
    assert agent.state.copying == ("alpha/beta",)
    assert trade(desk, agent, alike=4, apart=0) == []
    desk.pass_seconds(10_000)
    # The share of alpha falls to 0.5, which is not down to 0.25; beta still has its four.
    assert trade(desk, agent, alike=2, apart=2) == []
    assert agent.state.copying == ("alpha/beta",)
    assert trade(desk, agent, alike=0, apart=4) == []
    assert not still_copying(agent)
    assert len(trade(desk, agent, alike=4, apart=0)) == 1


@pytest.mark.parametrize(("clear", "still"), [("0.25", ()), ("0.24", ("alpha/beta",))])
def test_it_ends_at_its_clearing_share_exactly(clear: str, still: tuple[str, ...]) -> None:
    desk, agent = watched(copy_share_clear=clear)
    trade(desk, agent, alike=4, apart=0)
    alone = [(*(entry(9999 * i + far, f"{far}-{i}") for i in range(3)), entry(0, f"{far}")) for far in (200, 500)]
    agent.state = msgspec.structs.replace(agent.state, entries={"alpha": alone[0], "beta": alone[1]})
    end_of_bar(desk, agent)
    assert agent.state.copying == still


def test_nothing_is_told_within_one_end_of_bars_or_in_another_timeframe() -> None:
    desk, agent = watched()
    end_of_bar(desk, agent)
    for number in range(4):
        release(desk, agent, "alpha", f"a{number}")
        release(desk, agent, "beta", f"b{number}")
    assert agent.handle(desk.bar("GBPUSD", "1", timeframe=Timeframe.M5)) == []
    desk.pass_seconds(300)
    assert agent.handle(desk.bar("GBPUSD", "1", timeframe=Timeframe.M1)) == []
    assert [type(each) for each in agent.handle(desk.bar("GBPUSD", "1", timeframe=Timeframe.M5))] == [m.CopyTradingSeen]


def test_every_pair_is_told_apart() -> None:
    desk = Desk(make_account("beta"), make_account("alpha"), make_account("gamma"))
    agent = make_agent(desk, copy_entries_min="1")
    for account in ("alpha", "beta", "gamma"):
        release(desk, agent, account, f"{account}-alone")
    said = [each for each in end_of_bar(desk, agent) if isinstance(each, m.CopyTradingSeen)]
    assert [each.accounts for each in said] == [("alpha", "beta"), ("alpha", "gamma"), ("beta", "gamma")]
    assert len({each.message_id for each in said}) == 3
    assert {each.owner for each in said} == {"owner"}


def test_accounts_of_different_owners_are_not_compared() -> None:
    desk = Desk(make_account("alpha"), msgspec.structs.replace(make_account("beta"), owner="another"))
    agent = make_agent(desk, copy_entries_min="1")
    assert trade(desk, agent, alike=4, apart=0) == []


def test_only_entries_count_and_the_newest_are_kept() -> None:
    desk, agent = watched()
    release(desk, agent, "alpha", "closing", reduce_only=True)
    order = msgspec.structs.replace(make_order("EURUSD", Side.BUY, "1000", QUOTE), parent_id="parent")
    agent.handle(desk.approve(m.OrderReleased, order))
    assert agent.state.entries == {}
    *_, released = [release(desk, agent, "alpha", f"entry-{number}") for number in range(5)]
    kept = agent.state.entries["alpha"]
    assert [each.trail_id for each in kept] == ["entry-1", "entry-2", "entry-3", "entry-4"]
    assert kept[-1] == Entry(released.occurred_at_ns, "EURUSD", Side.BUY, "entry-4", "alpha-entry-4")
