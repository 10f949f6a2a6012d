"""Scenario 2: a funded account whose floor of losses trails its highest equity."""

from decimal import Decimal
from pathlib import Path

import pytest

from tests.acceptance.trading_day import TradingDay, account_of, accounts, rule
from tmt import messages as m

LIMIT = Decimal("0.015")


@pytest.fixture
def risen(tmp_path: Path) -> TradingDay:
    """A profit of 10,000 has been taken, then 1,000 lost: equity 109,000, peak 110,000, so the floor is 108,350."""
    day = TradingDay(
        tmp_path / "book",
        "2026-06-02 12:00 UTC",
        {"BTCUSD": "50000"},
        accounts(account_of("alpha", "BTCUSD", rule_book="trailing-drawdown")),
        *rule("trailing-drawdown", "drawdown", loss_fraction_max=str(LIMIT)),
    )
    day.buys("1", "BTCUSD", stop="49000")
    for price in ("52000", "54000", "56000", "58000", "60000"):
        day.moves(BTCUSD=price)
    day.closes("BTCUSD")
    day.minutes(30)
    day.buys("1", "BTCUSD", stop="59000")
    day.moves(BTCUSD="59000")
    day.minutes(2)
    assert (day.equity(), day.desk.portfolio.peak_equity("alpha")) == (Decimal(109_000), Decimal(110_000))
    return day


def test_an_order_whose_stop_would_reach_the_floor_passes_and_a_lot_more_is_refused(risen: TradingDay) -> None:
    refused = risen.denial(risen.buys("0.6501", "BTCUSD", stop="58000"))
    assert (refused.gate, refused.reason, refused.unit) == ("compliance", "drawdown", "fraction")
    assert (refused.measured, refused.limit) == (Decimal("0.015001"), LIMIT)
    assert (refused.rule_book, refused.rule_book_version) == ("trailing-drawdown", 2)
    passed = risen.buys("0.65", "BTCUSD", stop="58000")
    assert risen.released(passed).order.quantity == Decimal("0.65")
    assert risen.check(passed, "compliance.drawdown").measured == LIMIT
    risen.moves(BTCUSD="58000")
    assert risen.equity() == 108_350
    assert risen.said(m.AccountSuspended) == []
    risen.ends()


def test_the_floor_follows_the_peak_and_not_the_deposit(tmp_path: Path, risen: TradingDay) -> None:
    static = TradingDay(
        tmp_path / "static",
        "2026-06-02 12:00 UTC",
        {"BTCUSD": "50000"},
        accounts(account_of("alpha", "BTCUSD", rule_book="trailing-drawdown")),
        *rule("trailing-drawdown", "drawdown", loss_fraction_max=str(LIMIT), measured_from="deposit"),
    )
    assert static.check(static.buys("1", "BTCUSD", stop="49000"), "compliance.drawdown").measured == Decimal("0.01")
    trailed = risen.check(risen.buys("0.6", "BTCUSD", stop="58000"), "compliance.drawdown")
    assert trailed.measured == Decimal("0.014545")  # 1,600 of 110,000
    static.ends()
    risen.ends()


def test_a_breach_suspends_until_a_person_reinstates(risen: TradingDay) -> None:
    risen.buys("0.65", "BTCUSD", stop="58000")
    risen.moves(BTCUSD="57900")  # the market opens below the stop
    [suspended] = risen.said(m.AccountSuspended)
    assert (suspended.rule, suspended.limit, suspended.flatten) == ("drawdown", LIMIT, True)
    assert suspended.measured > LIMIT
    assert risen.held("BTCUSD") == 0

    def asks(role: str) -> None:
        risen.tells(m.ReinstateAccount, account="alpha", person="rob", role=role, reason="reviewed")
        risen.minutes(1)

    asks("trader")
    asks("risk")
    assert [each.rule for each in risen.said(m.AccountSuspended)] == ["drawdown"] * 3
    risen.until("2026-06-02 18:00 America/New_York", step=4)
    assert risen.said(m.AccountReinstated) == [], "a new day is no new peak"
    risen.restarts(*rule("trailing-drawdown", "drawdown", loss_fraction_max="0.02"), cleanly=True)
    assert risen.denial(risen.buys("0.1", "BTCUSD", stop="57000")).reason == "account_suspended"
    asks("trader")
    assert risen.said(m.AccountReinstated) == []
    asks("risk")
    [back] = risen.said(m.AccountReinstated)
    assert (back.person, back.role, back.reason) == ("rob", "risk", "reviewed")
    risen.released(risen.buys("0.2", "BTCUSD", stop="57000"))
    risen.ends()
