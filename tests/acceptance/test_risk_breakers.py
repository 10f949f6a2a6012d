"""Scenarios 9 and 10: a feed that falls silent, and a breaker's life through every state and over restarts."""

from decimal import Decimal
from pathlib import Path

import pytest

from tests.acceptance.trading_day import SECOND_NS, TradingDay, account_of, accounts
from tmt import messages as m

PRICES = {"EURUSD": "1.10000", "BTCUSD": "50000"}
ALPHA = accounts(account_of("alpha", *PRICES), account_of("beta", *PRICES))
STOPS = {"EURUSD": Decimal("0.01000"), "BTCUSD": Decimal(500)}
INSTRUMENT = ("agent", "instrument:EURUSD")
LOSSES = (
    "circuit_breaker.account.consecutive_losses_max=2",
    "human_behavior.cool_down.losses_in_a_row=100",
    "human_behavior.cool_down.revenge_seconds=1",
    "human_behavior.chasing.size_after_loss_ratio_max=1000",
)
RESTARTS = {"never": None, "cleanly": True, "by a power cut": False}


def asks(day: TradingDay, quantity: str = "2000", symbol: str = "EURUSD", account: str = "alpha") -> m.OrderProposed:
    return day.buys(quantity, symbol, stop=str(day.prices[symbol][0] - STOPS[symbol]), account=account)


@pytest.fixture
def silent(tmp_path: Path) -> TradingDay:
    """EURUSD is held, and has not been quoted since `now`; BTCUSD goes on."""
    day = TradingDay(tmp_path / "book", "2026-06-03 09:00 UTC", PRICES, ALPHA)
    asks(day)
    day.minutes(1)
    day.silent = {"EURUSD"}
    return day


def test_five_minutes_of_silence_open_the_instruments_breaker_and_no_other(silent: TradingDay) -> None:
    last_ns = silent.now_ns
    silent.minutes(4)
    silent.passes_to(last_ns + 300 * SECOND_NS - 1)
    assert silent.said(m.FeedStale) == []
    silent.released(asks(silent, "3000"))
    [stale] = silent.said(m.FeedStale)
    assert (stale.instrument, stale.occurred_at_ns) == ("EURUSD", last_ns + 300 * SECOND_NS)
    assert silent.transitions(*INSTRUMENT) == ["Closed by initialised", "Opened by stale_feed"]
    refused = silent.denial(asks(silent, "4000"))
    assert (refused.gate, refused.reason) == ("circuit_breaker", "breaker_open")
    assert (refused.measured, refused.unit) == (Decimal(300), "seconds")
    silent.released(asks(silent, "0.01", "BTCUSD"))
    silent.released(silent.closes("EURUSD"))
    silent.ends()


def test_recovery_takes_fresh_data_and_a_cool_down_of_half_a_minute(silent: TradingDay) -> None:
    silent.minutes(60)
    assert silent.denial(asks(silent)).reason == "breaker_open", "time alone mends no feed"
    silent.quotes_only("EURUSD")
    fresh_ns = silent.now_ns
    [recovered] = silent.said(m.FeedRecovered)
    assert recovered.occurred_at_ns == fresh_ns
    silent.passes_to(fresh_ns + 30 * SECOND_NS - 1)
    assert silent.denial(asks(silent, "3000")).reason == "breaker_open"
    silent.passes_to(fresh_ns + 30 * SECOND_NS)
    silent.released(asks(silent, "4000"))
    assert silent.transitions(*INSTRUMENT)[-1] == "Closed by cooled_down"
    silent.ends()


@pytest.mark.parametrize("cleanly", [True, False])
def test_a_stale_feed_is_still_stale_after_a_restart(silent: TradingDay, cleanly: bool) -> None:
    silent.minutes(6)
    silent.restarts(cleanly=cleanly)
    assert silent.denial(asks(silent, "3000")).reason == "breaker_open"
    silent.seconds(600)
    assert silent.denial(asks(silent, "4000")).reason == "breaker_open"
    silent.ends()


class Life:
    """An account whose third loss in a row is one too many; `restart` happens after every step."""

    def __init__(self, book: Path, cleanly: bool | None) -> None:
        self.day = TradingDay(book, "2026-06-03 09:00 UTC", PRICES, ALPHA, *LOSSES)
        self.cleanly = cleanly

    def restart(self) -> None:
        if self.cleanly is not None:
            self.day.restarts(cleanly=self.cleanly)

    def trade(self, pips: int) -> None:
        """Buy, and close so many pips higher."""
        day = self.day
        day.released(asks(day))
        day.moves(EURUSD=str(day.prices["EURUSD"][0] + pips * Decimal("0.00010")))
        day.released(day.closes("EURUSD"))
        day.seconds(1)
        self.restart()

    def opens(self) -> int:
        """Three losses; the event time at which the breaker opens."""
        for _ in range(3):
            assert self.day.breaker("account", "alpha") == "Closed"
            self.trade(-5)
        assert self.day.breaker("account", "alpha") == "Opened"
        return self.day.said(m.BreakerOpened)[-1].occurred_at_ns

    def cools_down(self, opened_ns: int) -> None:
        day = self.day
        day.passes_to(opened_ns + 60 * SECOND_NS - 1)
        assert day.denial(asks(day, "3000")).reason == "breaker_open"
        self.restart()


def lived(book: Path, how: str) -> TradingDay:
    """Three losses, cool-down, three wins by test orders; three losses, cool-down, and one loss on trial."""
    life = Life(book, RESTARTS[how])
    day = life.day
    opened_ns = life.opens()
    life.cools_down(opened_ns)
    for number in range(3):
        day.released(asks(day, "4000"))
        assert day.breaker("account", "alpha") == "HalfOpened"
        life.restart()
        second = day.denial(asks(day, str(5000 + number * 1000)))
        assert (second.gate, second.reason) == ("circuit_breaker", "breaker_half_open")
        assert (second.measured, second.limit) == (Decimal(2), Decimal(1))
        day.moves(EURUSD=str(day.prices["EURUSD"][0] + Decimal("0.00010")))
        day.released(day.closes("EURUSD"))
        life.restart()
    assert day.breaker("account", "alpha") == "Closed"
    life.cools_down(life.opens())
    life.trade(-1)
    assert day.breaker("account", "alpha") == "Opened"
    return day


def test_a_breaker_opens_by_losses_and_closes_by_three_wins_or_opens_by_one_loss(tmp_path: Path) -> None:
    day = lived(tmp_path / "book", "never")
    assert day.transitions("account", "alpha") == [
        "Closed by initialised",
        "Opened by consecutive_losses",
        "HalfOpened by cooled_down",
        "Closed by trials_passed",
        "Opened by consecutive_losses",
        "HalfOpened by cooled_down",
        "Opened by trial_lost",
    ]
    opened = day.said(m.BreakerOpened)[0]
    assert (opened.measured, opened.limit, opened.unit, opened.resumes_by) == (
        Decimal(3),
        Decimal(2),
        "count",
        "cool_down",
    )
    day.minutes(1)
    day.released(asks(day, "2000", account="beta"))
    assert day.transitions("account", "beta") == ["Closed by initialised"]
    day.ends()


@pytest.mark.parametrize("how", ["cleanly", "by a power cut"])
def test_a_breaker_lives_the_same_life_over_restarts_in_every_state(tmp_path: Path, how: str) -> None:
    whole, broken = lived(tmp_path / "whole", "never"), lived(tmp_path / "broken", how)
    assert len(broken.said(m.SessionStarted)) > 10
    assert broken.transitions("account", "alpha") == whole.transitions("account", "alpha")
    for kind in (m.OrderReleased, m.OrderDenied, m.PositionClosed, *m.BREAKER):
        assert broken.said(kind) == whole.said(kind)
    assert broken.equity() == whole.equity()
    whole.ends()
    broken.ends()
