"""Scenario 3: scheduled figures. Nothing opens around them in the currencies they move, and stops are near before."""

from decimal import Decimal
from pathlib import Path

import pytest

from tests.acceptance.trading_day import MINUTE_NS, MORE_PAIRS, TradingDay, account_of, accounts, moment, news, rule
from tmt import messages as m
from tmt.domain.order import OrderType

RELEASE = "2026-06-03 10:00 Europe/London"
PRICES = {"EURUSD": "1.10000", "GBPUSD": "1.25000", "EURGBP": "0.88000"}
ALPHA = accounts(account_of("alpha", *PRICES))
GBP_FIGURES = (*MORE_PAIRS, ALPHA, news(f"{RELEASE} GBP high"))


def morning(book: Path, *overrides: str, begins: str = "2026-06-03 09:30 Europe/London") -> TradingDay:
    return TradingDay(book, begins, PRICES, *overrides)


def asks(day: TradingDay, time_ns: int, quantity: str, symbol: str = "GBPUSD") -> m.OrderProposed:
    day.passes_to(time_ns)
    return day.buys(quantity, symbol, stop=str(day.prices[symbol][0] - Decimal("0.01000")))


@pytest.mark.parametrize("symbol", ["GBPUSD", "EURGBP"])
def test_nothing_opens_less_than_two_minutes_before_or_after_figures(tmp_path: Path, symbol: str) -> None:
    day, release = morning(tmp_path / "book", *GBP_FIGURES), moment(RELEASE)
    day.until("2026-06-03 09:57 Europe/London")
    day.released(asks(day, release - 2 * MINUTE_NS, "2000", symbol))
    day.seconds(10)
    before = day.denial(asks(day, release - MINUTE_NS - MINUTE_NS // 2, "3000", symbol))
    assert (before.gate, before.reason, before.rule_book) == ("compliance", "news_blackout", "default")
    day.minutes(3)
    after = day.denial(asks(day, release + 2 * MINUTE_NS - 1, "4000", symbol))
    assert (after.gate, after.reason) == ("compliance", "news_blackout")
    day.ends()


def test_the_blackout_ends_on_the_stroke_of_its_last_minute(tmp_path: Path) -> None:
    day, release = morning(tmp_path / "book", *GBP_FIGURES), moment(RELEASE)
    day.until("2026-06-03 09:57 Europe/London")
    first_ns = release - 2 * MINUTE_NS + 1
    assert day.denial(asks(day, first_ns, "2000")).reason == "news_blackout"
    day.until("2026-06-03 10:01 Europe/London")
    day.released(asks(day, release + 2 * MINUTE_NS, "3000"))
    day.ends()


def test_other_currencies_trade_through_the_figures(tmp_path: Path) -> None:
    day = morning(tmp_path / "book", *GBP_FIGURES)
    day.until(RELEASE)
    day.released(day.buys("2000", "EURUSD", stop="1.09000"))
    day.ends()


def test_an_entry_that_rests_does_not_fill_during_the_blackout(tmp_path: Path) -> None:
    day = morning(tmp_path / "book", *GBP_FIGURES)
    resting = {"order_type": OrderType.LIMIT, "limit_price": "1.24900", "stop": "1.24000"}
    day.released(day.buys("2000", "GBPUSD", **resting))
    day.until(RELEASE)
    day.quotes(GBPUSD="1.24850")
    day.seconds(1)
    assert day.held("GBPUSD") == 0
    day.ends()


@pytest.mark.parametrize("cleanly", [True, False])
def test_entries_are_cancelled_a_bar_before_the_blackout_over_restarts_too(tmp_path: Path, cleanly: bool) -> None:
    day = morning(tmp_path / "book", *GBP_FIGURES)
    resting = {"order_type": OrderType.LIMIT, "stop": "1.00000"}
    day.released(day.buys("2000", "GBPUSD", limit_price="1.24900", **resting))
    day.released(day.buys("3000", "EURUSD", limit_price="1.09900", **resting))
    day.until("2026-06-03 09:56 Europe/London")
    assert day.said(m.EntriesBarred) == []
    day.restarts(cleanly=cleanly)
    day.until("2026-06-03 09:57 Europe/London")
    [barred] = day.said(m.EntriesBarred)
    assert (barred.account, barred.instrument, barred.rule) == ("alpha", "GBPUSD", "news_blackout")
    assert (barred.occurred_at_ns, barred.from_ns) == (day.now_ns, day.now_ns + MINUTE_NS)
    day.seconds(1)
    day.restarts(cleanly=cleanly)
    late = day.buys("4000", "GBPUSD", limit_price="1.24900", **resting)
    day.released(late)
    day.until("2026-06-03 09:58 Europe/London")
    day.seconds(1)
    assert [each.reason for each in day.of(late, m.OrderCancelled)] == ["entries_barred"], "it rested a minute at most"
    assert len(day.said(m.OrderCancelled)) == len(day.said(m.EntriesBarred)) == 2
    day.until(RELEASE)
    assert len(day.said(m.EntriesBarred)) == 2, "nothing works there any more"
    assert [each.order.instrument for each in day.desk.portfolio.working()] == ["EURUSD"]
    day.ends()


def test_a_position_may_be_closed_at_the_moment_of_the_release(tmp_path: Path) -> None:
    day = morning(tmp_path / "book", *GBP_FIGURES)
    day.buys("2000", "GBPUSD", stop="1.24000")
    day.until(RELEASE)
    day.released(day.closes("GBPUSD"))
    assert day.held("GBPUSD") == 0
    day.ends()


def test_a_funded_account_sits_out_medium_figures_for_five_minutes_on_both_sides(tmp_path: Path) -> None:
    funded = accounts(account_of("alpha", *PRICES, rule_book="trailing-drawdown"))
    day = morning(tmp_path / "book", *MORE_PAIRS, funded, news(f"{RELEASE} GBP medium"))
    release = moment(RELEASE)
    day.until("2026-06-03 09:54 Europe/London")
    assert day.denial(asks(day, release - 5 * MINUTE_NS + 1, "2000")).reason == "news_blackout"
    day.until("2026-06-03 10:04 Europe/London")
    day.released(asks(day, release + 5 * MINUTE_NS, "3000"))
    day.ends()


def test_a_lenient_desk_only_warns_of_soft_figures(tmp_path: Path) -> None:
    day = morning(tmp_path / "book", *GBP_FIGURES, "compliance.mode=lenient")
    day.until(RELEASE)
    asked = day.buys("2000", "GBPUSD", stop="1.24000")
    day.released(asked)
    assert day.check(asked, "compliance.news_blackout").outcome == "warn"
    day.released(day.buys("3000", "GBPUSD", stop="1.24000", order_type=OrderType.LIMIT, limit_price="1.24900"))
    day.minutes(1)
    assert day.said(m.EntriesBarred) == [], "what only warns lets entries rest"
    hard = morning(
        tmp_path / "hard", *GBP_FIGURES, "compliance.mode=lenient", *rule("default", "news_blackout", hard="true")
    )
    hard.until(RELEASE)
    assert hard.denial(hard.buys("2000", "GBPUSD", stop="1.24000")).reason == "news_blackout"
    day.ends()
    hard.ends()


def test_stops_are_brought_within_an_average_range_before_the_figures(tmp_path: Path) -> None:
    managed = "aria.exits.strategies=[manual]"
    day = morning(tmp_path / "book", *GBP_FIGURES, managed, begins="2026-06-03 08:00 Europe/London")
    day.buys("2000", "GBPUSD", stop="1.24000")
    day.buys("2000", "EURUSD", stop="1.09000")
    swing = ["1.25000", "1.25050", "1.24950", "1.25000", "1.25000"]  # ten pips in every five minutes
    day.walks(GBPUSD=[*swing[1:], *swing * 20])
    [exit_] = day.said(m.ExitRaised)
    assert (exit_.account, exit_.instrument, exit_.rule, exit_.quantity) == ("alpha", "GBPUSD", "news", None)
    assert exit_.occurred_at_ns == moment("2026-06-03 09:40 Europe/London"), "15 minutes ahead, and a bar to spare"
    assert exit_.stop_price == Decimal("1.24900")
    [moved] = day.said(m.OrderReplaced)
    assert moved.stop_price == Decimal("1.24900")
    assert day.desk.portfolio.protective_stop("alpha", "GBPUSD") == Decimal("1.24900")
    assert day.desk.portfolio.protective_stop("alpha", "EURUSD") == Decimal("1.09000")
    day.ends()
