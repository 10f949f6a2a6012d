"""Scenario 1: a losing day, to its limit and past it, and the turn of the account's day on a clock change.

The account's day begins at 17:00 in New York. On Sunday 2026-03-08 the clocks there go forward, so the day that began
on Saturday at 22:00 UTC ends at 21:00 UTC, an hour short.
"""

from decimal import Decimal
from pathlib import Path

import pytest

from tests.acceptance.trading_day import TradingDay, account_of, accounts, moment, rule
from tmt import messages as m
from tmt.domain.order import Side

LIMIT = Decimal("0.02")
SUNDAY_21_UTC = "2026-03-08 17:00 America/New_York"


@pytest.fixture
def sunday(tmp_path: Path) -> TradingDay:
    """Sunday noon: a coin is held since Saturday, and the day began with a profit of 3,000 on it."""
    day = TradingDay(
        tmp_path / "book",
        "2026-03-07 16:00 America/New_York",
        {"BTCUSD": "50000"},
        accounts(account_of("alpha", "BTCUSD")),
        *rule("default", "daily_loss", loss_fraction_max=str(LIMIT)),
    )
    day.buys("1", "BTCUSD", stop="49000")
    day.moves(BTCUSD="51500")
    day.moves(BTCUSD="53000")
    day.until("2026-03-08 12:00 UTC", step=4)
    assert day.desk.portfolio.day_start_equity("alpha") == day.equity() == 103_000
    return day


def test_a_loss_of_exactly_the_daily_limit_is_borne(sunday: TradingDay) -> None:
    sunday.moves(BTCUSD="50940")
    assert sunday.desk.portfolio.daily_loss_fraction("alpha") == LIMIT
    assert sunday.said(m.AccountSuspended) == []
    assert sunday.breaker("account", "alpha") == "Closed"
    sunday.ends()


def test_a_cent_beyond_the_daily_limit_suspends_the_account_which_may_still_close(sunday: TradingDay) -> None:
    sunday.moves(BTCUSD="50939.99")
    [suspended] = sunday.said(m.AccountSuspended)
    assert (suspended.account, suspended.rule, suspended.unit) == ("alpha", "daily_loss", "fraction")
    assert LIMIT == suspended.limit < suspended.measured < LIMIT + Decimal("0.000001")
    refused = sunday.denial(sunday.buys("0.01", "BTCUSD", stop="50000"))
    assert (refused.gate, refused.reason) == ("compliance", "account_suspended")
    sunday.seconds(120)
    turned_round = sunday.denial(sunday.sells("1.5", "BTCUSD", stop="51500"))
    assert (turned_round.gate, turned_round.reason) == ("compliance", "account_suspended")
    sunday.seconds(120)
    sunday.released(sunday.orders(Side.SELL, "0.4", "BTCUSD", reduce_only=True))
    assert sunday.held("BTCUSD") == Decimal("0.6")
    sunday.released(sunday.closes("BTCUSD"))
    assert sunday.held("BTCUSD") == 0
    assert sunday.equity() == Decimal("100939.99")
    sunday.ends()


def test_trading_resumes_by_test_orders_when_the_short_day_turns(sunday: TradingDay) -> None:
    sunday.moves(BTCUSD="50900")
    sunday.closes("BTCUSD")
    sunday.until("2026-03-08 16:59 America/New_York", step=4)
    assert sunday.denial(sunday.buys("0.1", "BTCUSD", stop="50000")).reason == "account_suspended"
    sunday.until("2026-03-08 17:01 America/New_York")
    [back] = sunday.said(m.AccountReinstated)
    assert (back.account, back.rule, back.person, back.reason) == ("alpha", "daily_loss", "", "the day turned")
    assert back.occurred_at_ns == moment(SUNDAY_21_UTC) == moment("2026-03-08 21:00 UTC")
    assert sunday.breaker("account", "alpha") == "HalfOpened"
    for number in range(3):
        sunday.released(sunday.buys("0.1", "BTCUSD", stop="50000"))
        waits = sunday.denial(sunday.buys("0.2", "BTCUSD", stop="50000"))
        assert (waits.gate, waits.reason) == ("circuit_breaker", "breaker_half_open")
        sunday.moves(BTCUSD=str(50_910 + 10 * number))
        sunday.released(sunday.closes("BTCUSD"))
        sunday.minutes(1)
    assert sunday.transitions("account", "alpha") == [
        "Closed by initialised",
        "Opened by account_suspended",
        "HalfOpened by reinstated",
        "Closed by trials_passed",
    ]
    sunday.released(sunday.buys("0.3", "BTCUSD", stop="50000"))
    sunday.ends()


def test_an_order_whose_stop_would_spend_exactly_what_is_left_of_the_day_passes(tmp_path: Path) -> None:
    day = TradingDay(
        tmp_path / "book",
        "2026-03-08 12:00 UTC",
        {"BTCUSD": "50000"},
        accounts(account_of("alpha", "BTCUSD")),
        "aria.risk_fraction=0.02",
        *rule("default", "daily_loss", loss_fraction_max=str(LIMIT)),
    )
    day.buys("1", "BTCUSD", stop="49000")
    day.moves(BTCUSD="49000")
    assert day.equity() == 99_000
    day.minutes(2)
    refused = day.denial(day.buys("1.0001", "BTCUSD", stop="48000"))
    assert (refused.gate, refused.reason) == ("compliance", "daily_loss")
    assert (refused.measured, refused.limit) == (Decimal("0.020001"), LIMIT)
    released = day.released(day.buys("1", "BTCUSD", stop="48000"))
    assert released.order.quantity == 1
    day.moves(BTCUSD="48000")
    assert day.equity() == 98_000
    assert day.said(m.AccountSuspended) == []
    day.minutes(2)
    assert day.denial(day.buys("0.0001", "BTCUSD", stop="47000")).reason == "daily_loss"
    day.ends()
