"""Margin stop-out: the largest user of margin goes first, and no more than must."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from tests.unit.agents.desk import CONFIG_HASH, NO_NEWS, Desk, default_config, make_account
from tmt import messages as m
from tmt.agents.aria import AriaAgent, AriaConfig
from tmt.agents.aria.exit_config import ExitRule
from tmt.agents.aria.stop_out import given_up
from tmt.domain.order import Side
from tmt.market.bar import Timeframe

CONFIG = default_config(AriaConfig, "aria")
MARGIN = msgspec.structs.replace(
    CONFIG.margin,
    initial_margin_fractions=msgspec.structs.replace(CONFIG.margin.initial_margin_fractions, fx=Decimal("0.1")),
    stop_out_level_min=Decimal(1),
)


def holding(deposit: str, *positions: tuple[str, Side, str]) -> Desk:
    """An account that holds positions from a price of 1, each with a margin of a tenth of its quantity."""
    desk = Desk(make_account(deposit=deposit))
    for symbol, side, quantity in positions:
        desk.hold(symbol, side, quantity, "1.00000")
    return desk


def gone(desk: Desk) -> list[tuple[str, str]]:
    return [(held.instrument, str(leave.quantity)) for held, leave in given_up(desk.portfolio, "alpha", MARGIN)]


BOTH = (("EURUSD", Side.BUY, "100000"), ("GBPUSD", Side.SELL, "200000"))


@pytest.mark.parametrize(
    ("deposit", "expected"),
    [
        ("30000", []),
        ("29999", [("GBPUSD", "200000")]),
        ("10000", [("GBPUSD", "200000")]),
        ("9999", [("GBPUSD", "200000"), ("EURUSD", "100000")]),
    ],
)
def test_positions_go_until_the_rest_is_covered(deposit: str, expected: list[tuple[str, str]]) -> None:
    assert gone(holding(deposit, *BOTH)) == expected


def test_equal_users_go_by_name() -> None:
    desk = holding("15000", ("GBPUSD", Side.BUY, "100000"), ("EURUSD", Side.BUY, "100000"))
    assert gone(desk) == [("EURUSD", "100000")]


def test_what_is_being_closed_already_counts_as_closed() -> None:
    desk = holding("9999", *BOTH)
    agent = AriaAgent(msgspec.structs.replace(CONFIG, margin=MARGIN), desk.portfolio, CONFIG_HASH, NO_NEWS)
    first, *_ = [each for each in agent.handle(level(desk, "stop_out")) if isinstance(each, m.OrderSized)]
    desk.tell(first)
    assert first.order.instrument == "GBPUSD"
    assert gone(desk) == [("EURUSD", "100000")]


def test_an_account_that_cannot_be_valued_gives_up_nothing() -> None:
    desk = holding("9999", *BOTH)
    desk.portfolio.state.marks.pop("GBPUSD")
    desk.portfolio._equity.clear()
    assert gone(desk) == []


def level(desk: Desk, name: str) -> m.MarginLevelChanged:
    return desk.say(m.MarginLevelChanged, account="alpha", level=name, measured=Decimal("0.9"), limit=Decimal(1))


def agent_of(desk: Desk, *rules: ExitRule) -> AriaAgent:
    exits = msgspec.structs.replace(CONFIG.exits, rules=rules)
    config = msgspec.structs.replace(CONFIG, margin=MARGIN, exits=exits)
    return AriaAgent(config, desk.portfolio, CONFIG_HASH, NO_NEWS)


def test_a_stop_out_closes_whole_positions_of_everybody_by_orders_that_pass_the_gates() -> None:
    desk = holding("29999", *BOTH)
    raised, sized = agent_of(desk, ExitRule.MARGIN).handle(level(desk, "stop_out"))
    assert isinstance(raised, m.ExitRaised)
    assert isinstance(sized, m.OrderSized)
    assert (raised.rule, raised.instrument, raised.side, str(raised.quantity)) == (
        "margin",
        "GBPUSD",
        Side.BUY,
        "200000",
    )
    assert raised.stop_price is None
    (check,) = raised.checks
    assert (check.rule, str(check.measured), str(check.limit)) == ("aria.exit_margin", "0.999967", "1.000000")
    assert (check.unit, check.at_least, check.outcome, str(check.quantity_after)) == ("ratio", True, "warn", "200000")
    assert (sized.order.reduce_only, str(sized.order.quantity), sized.order.side) == (True, "200000", Side.BUY)
    assert sized.causation_id == raised.message_id


@pytest.mark.parametrize("name", ["normal", "warn", "critical"])
def test_other_levels_close_nothing(name: str) -> None:
    desk = holding("29999", *BOTH)
    assert agent_of(desk, ExitRule.MARGIN).handle(level(desk, name)) == []


def test_a_stop_out_that_is_not_in_force_closes_nothing() -> None:
    desk = holding("29999", *BOTH)
    assert agent_of(desk, ExitRule.TIME).handle(level(desk, "stop_out")) == []


def exits(said: list[m.Message]) -> list[tuple[str, str]]:
    return [(each.rule, each.instrument) for each in said if isinstance(each, m.ExitRaised)]


def test_an_account_that_stays_below_is_asked_again_at_the_next_bar_and_only_then() -> None:
    desk = holding("29999", *BOTH)
    agent = agent_of(desk, ExitRule.MARGIN)
    desk.pass_seconds(300)
    first = agent.handle(desk.bar("EURUSD", "1.00000", timeframe=Timeframe.M5))
    # This bar's change of level is a message, which is answered when it is heard.
    assert [each.level for each in first if isinstance(each, m.MarginLevelChanged)] == ["stop_out"]
    assert exits(first) == []
    desk.pass_seconds(300)
    second = agent.handle(desk.bar("EURUSD", "1.00000", timeframe=Timeframe.M5))
    assert exits(second) == [("margin", "GBPUSD")]
    for each in second:
        desk.tell(each)
    desk.pass_seconds(300)
    assert exits(agent.handle(desk.bar("EURUSD", "1.00000", timeframe=Timeframe.M5))) == []
