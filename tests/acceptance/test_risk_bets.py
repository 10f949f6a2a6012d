"""Scenarios 5 and 6: a hedge goes through whole; the third of three bets that move together is cut or refused.

Prices are a seeded walk of whole pips a minute. EURUSD and GBPUSD share a part of their steps, what AUDUSD does depends
on the test, and USDCHF goes against EURUSD.
"""

from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.acceptance.trading_day import MORE_PAIRS, TradingDay, account_of, accounts
from tmt import messages as m
from tmt.market.bar import Timeframe

PRICES = {"EURUSD": "1.10000", "GBPUSD": "1.25000", "AUDUSD": "0.70000", "USDCHF": "0.90000"}
MINUTES = 200  # 40 returns of 5 minutes
PIP = Decimal("0.00010")
BESIDES = accounts(
    account_of("alpha", *PRICES), account_of("beta", *PRICES), account_of("gamma", *PRICES, owner="somebody else")
)


def steps(seed: int) -> NDArray[Any]:
    chance = Random(seed)
    return np.array([chance.randint(-3, 3) for _ in range(MINUTES)])


def walk(start: str, moves: NDArray[Any]) -> list[str]:
    return [str(Decimal(start) + PIP * round(float(total))) for total in np.cumsum(moves)]


def morning(book: Path, australian: str) -> TradingDay:
    """The pairs after 200 minutes; AUDUSD goes its own way, between the other two, or with EURUSD."""
    day = TradingDay(book, "2026-06-03 08:00 UTC", PRICES, *MORE_PAIRS, BESIDES)
    common, euro, pound = steps(1), steps(2), steps(3)
    moves = {"EURUSD": common + 0.8 * euro, "GBPUSD": common + 0.8 * pound}
    moves["AUDUSD"] = {
        "apart": steps(4),
        "between": common + 0.5 * euro + 0.3 * pound + 0.6 * steps(4),
        "along": common + 0.8 * euro,
    }[australian]
    moves["USDCHF"] = -moves["EURUSD"]
    day.walks(**{symbol: walk(PRICES[symbol], each) for symbol, each in moves.items()})
    return day


def buys(day: TradingDay, symbol: str, quantity: str = "40000", **fields: Any) -> m.OrderProposed:
    return day.buys(quantity, symbol, stop=str(day.prices[symbol][0] - 100 * PIP), **fields)


def sells(day: TradingDay, symbol: str, quantity: str) -> m.OrderProposed:
    return day.sells(quantity, symbol, stop=str(day.prices[symbol][0] + 100 * PIP))


def correlation(day: TradingDay, *symbols: str) -> float:
    """Of five-minute returns, plainly."""
    bars = [each.bar for each in day.said(m.BarClosed) if each.bar.timeframe is Timeframe.M5]
    closes = [np.array([float(bar.close) for bar in bars if bar.instrument == symbol]) for symbol in symbols]
    first, second = (np.diff(np.log(each)) for each in closes)
    return float(np.corrcoef(first, second)[0, 1])


def test_bets_that_go_their_own_ways_pass_whole(tmp_path: Path) -> None:
    day = morning(tmp_path / "book", "apart")
    for symbol in ("EURUSD", "AUDUSD"):
        assert day.released(buys(day, symbol)).order.quantity == 40_000
    day.ends()


def test_the_third_of_three_longs_is_cut_by_how_alike_it_is(tmp_path: Path) -> None:
    day = morning(tmp_path / "book", "between")
    for symbol in ("GBPUSD", "EURUSD"):
        assert day.released(buys(day, symbol)).order.quantity == 40_000
    third = buys(day, "AUDUSD")
    cut = day.check(third, "anti_correlation.correlation.EURUSD")
    assert cut.outcome == "reduce"
    assert Decimal("0.7") < cut.measured < Decimal("0.9")
    assert float(cut.measured) == pytest.approx(correlation(day, "AUDUSD", "EURUSD"), abs=0.1)
    kept = (Decimal("0.9") - cut.measured) / Decimal("0.2") * 40_000
    assert cut.quantity_after == kept // 1000 * 1000
    assert 0 < day.released(third).order.quantity == day.held("AUDUSD") <= cut.quantity_after
    day.ends()


def test_the_third_of_three_longs_is_refused_when_it_is_the_same_bet(tmp_path: Path) -> None:
    day = morning(tmp_path / "book", "along")
    for symbol in ("GBPUSD", "EURUSD"):
        day.released(buys(day, symbol))
    third = buys(day, "AUDUSD")
    refused = day.denial(third)
    assert (refused.gate, refused.reason, refused.limit) == ("anti_correlation", "correlation", Decimal("0.9"))
    assert refused.checks[-1].rule == "anti_correlation.correlation.EURUSD"
    assert float(refused.measured) == pytest.approx(correlation(day, "AUDUSD", "EURUSD"), abs=0.1)
    elsewhere = day.denial(buys(day, "AUDUSD", account="beta"))
    assert elsewhere.reason == "correlation", "the same owner's other account is the same book"
    day.released(buys(day, "AUDUSD", account="gamma"))
    day.ends()


def test_a_hedge_by_what_moves_against_the_position_passes_whole(tmp_path: Path) -> None:
    day = morning(tmp_path / "book", "apart")
    day.released(buys(day, "EURUSD"))
    hedge = buys(day, "USDCHF")
    assert day.released(hedge).order.quantity == 40_000
    seen = day.check(hedge, "anti_correlation.correlation.EURUSD")
    assert (seen.outcome, seen.measured < Decimal("-0.9")) == ("pass", True)
    turned = sells(day, "USDCHF", "40000")
    assert day.denial(turned).reason == "correlation", "without the hedge, which may be closed before, it doubles"
    assert day.check(turned, "anti_correlation.correlation.EURUSD").measured > Decimal("0.9")
    assert day.released(day.closes("USDCHF")).order.quantity == 40_000
    day.ends()


def test_an_order_that_lowers_the_books_risk_passes_whole_though_it_doubles_one_position(tmp_path: Path) -> None:
    day = morning(tmp_path / "book", "along")
    day.released(sells(day, "EURUSD", "90000"))
    day.released(sells(day, "USDCHF", "20000"))
    order = buys(day, "AUDUSD", "20000")
    assert day.released(order).order.quantity == 20_000
    alike = day.check(order, "anti_correlation.correlation.USDCHF")
    assert (alike.outcome, alike.measured > Decimal("0.9")) == ("warn", True)
    risk = day.check(order, "anti_correlation.lowers_risk")
    assert risk.measured < risk.limit
    day.ends()
