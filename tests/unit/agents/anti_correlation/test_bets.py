"""What accounts hold and work, line by line, and what it is worth."""

from __future__ import annotations

from decimal import Decimal

from tests.unit.agents.anti_correlation.moves import make_desk
from tests.unit.agents.desk import Desk, make_account, make_order, make_quote
from tmt import messages as m
from tmt.agents.anti_correlation.bets import (
    Bet,
    by_instrument,
    open_lines,
    total_equity,
    unit_value,
    without_opposite,
)
from tmt.domain.order import Side


def bet(held: int = 0, buying: int = 0, selling: int = 0) -> Bet:
    return Bet(held=Decimal(held), buying=Decimal(buying), selling=Decimal(selling))


def test_lines_are_of_each_account_and_instrument_without_what_reduces_and_the_order_itself() -> None:
    desk = make_desk()
    desk.hold("EURUSD", Side.BUY, "5000", "1")
    desk.hold("GBPUSD", Side.SELL, "3000", "1", account="beta")
    for name, account, symbol, side, units, reduces in (
        ("own", "alpha", "EURUSD", Side.BUY, "90000", False),
        ("exit", "alpha", "EURUSD", Side.SELL, "5000", True),
        ("more", "alpha", "EURUSD", Side.BUY, "1000", False),
        ("still more", "alpha", "EURUSD", Side.BUY, "2000", False),
        ("against", "alpha", "EURUSD", Side.SELL, "7000", False),
        ("other", "alpha", "SPY", Side.SELL, "40", False),
        ("another's", "beta", "EURUSD", Side.SELL, "11000", False),
    ):
        order = make_order(
            symbol, side, units, make_quote("1"), account=account, order_id=name, reduce_only=reduces, stop_loss=None
        )
        desk.approve(m.OrderSized, order)
    accounts = desk.portfolio.accounts
    lines = {
        ("alpha", "EURUSD"): bet(5000, 3000, -7000),
        ("alpha", "SPY"): bet(0, 0, -40),
        ("beta", "GBPUSD"): bet(-3000),
        ("beta", "EURUSD"): bet(0, 0, -11000),
    }
    assert open_lines(desk.portfolio, accounts, "own") == lines
    assert open_lines(desk.portfolio, accounts) == {**lines, ("alpha", "EURUSD"): bet(5000, 93000, -7000)}
    assert open_lines(desk.portfolio, accounts[1:]) == dict(list(lines.items())[2:])


def test_instruments_are_netted_over_accounts() -> None:
    lines = {("a", "X"): bet(1, 20, -300), ("a", "Y"): bet(7), ("b", "X"): bet(-4, 50, -600), ("c", "X"): bet(2)}
    assert by_instrument(lines) == {"X": bet(-1, 70, -900), "Y": bet(7)}


def test_an_order_is_judged_beside_all_but_what_its_account_has_against_it() -> None:
    lines = {
        ("alpha", "EURUSD"): bet(5000, 20, -300),
        ("alpha", "GBPUSD"): bet(-1, 2, -3),
        ("beta", "EURUSD"): bet(7000, 1),
    }
    expected = {
        ("EURUSD", Side.BUY): bet(5000, 20),
        ("EURUSD", Side.SELL): bet(0, 0, -300),
        ("GBPUSD", Side.BUY): bet(0, 2),
        ("GBPUSD", Side.SELL): bet(-1, 0, -3),
    }
    for (symbol, side), own in expected.items():
        beside = without_opposite(lines, make_order(symbol, side, "1000", make_quote("1")))
        assert beside == {**lines, ("alpha", symbol): own}
    assert without_opposite(lines, make_order("SPY", Side.SELL, "1000", make_quote("1"))) == lines


def test_worth_takes_an_instrument_a_mark_and_a_rate() -> None:
    desk = make_desk()
    desk.mark("SPY", "400", "401")
    desk.mark("USDJPY", "100")
    assert unit_value(desk.portfolio, "SPY", "USD") == Decimal("400.5")
    assert unit_value(desk.portfolio, "SPY", "JPY") == 40050
    assert unit_value(desk.portfolio, "NONE", "USD") is None
    assert unit_value(desk.portfolio, "SPY", "CHF") is None
    del desk.portfolio.state.marks["SPY"]
    assert unit_value(desk.portfolio, "SPY", "USD") is None


def test_equity_is_of_all_accounts_in_one_currency() -> None:
    desk = Desk(make_account("alpha"), make_account("beta", currency="JPY", deposit="3000000"))
    accounts = desk.portfolio.accounts
    assert total_equity(desk.portfolio, accounts, "USD") is None
    assert total_equity(desk.portfolio, accounts[:1], "USD") == 100_000
    desk.mark("USDJPY", "100")
    assert total_equity(desk.portfolio, accounts, "USD") == 130_000
    assert total_equity(desk.portfolio, accounts, "JPY") == 13_000_000
    assert total_equity(desk.portfolio, [], "USD") == 0
