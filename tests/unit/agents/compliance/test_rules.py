"""Does each rule of a book pass exactly at its limit and refuse one unit beyond it?"""

from decimal import Decimal
from typing import Any

import pytest

from tests.unit.agents.compliance.court import Court, book_with, reason
from tests.unit.agents.desk import Desk, make_account, make_instrument, make_quote
from tmt import messages as m
from tmt.agents.compliance.conduct_rules import (
    MandatoryStop,
    NoHedging,
    OrderRate,
    PriceCollar,
    RestrictedInstruments,
    Sessions,
)
from tmt.agents.compliance.rules import (
    DailyLoss,
    Drawdown,
    DrawdownFrom,
    Leverage,
    PositionSizeMax,
    PositionsMax,
    RiskPerTrade,
)
from tmt.domain.order import Side
from tmt.domain.session import NANOSECONDS_PER_SECOND, SessionHours

FX_WEEK = SessionHours(time_zone="America/New_York", open=("sun 17:00 - fri 17:00",), day_starts_at="17:00")
SHARES_WEEK = SessionHours(time_zone="America/New_York", open=("mon-fri 09:30 - 16:00",), day_starts_at="00:00")
# Seconds from the desk's start, Tuesday 2023-11-14 22:13:20 UTC, to Friday 17:00 in New York (22:00 UTC).
TO_FX_CLOSE = 3 * 86400 - 800


def daily(fraction: str) -> DailyLoss:
    return DailyLoss(id="daily", hard=True, loss_fraction_max=Decimal(fraction))


def drawdown(fraction: str, measured_from: DrawdownFrom) -> Drawdown:
    return Drawdown(id="fall", hard=True, loss_fraction_max=Decimal(fraction), measured_from=measured_from)


@pytest.mark.parametrize(("quantity", "expected"), [("100000", "approved"), ("101000", "daily")])
def test_an_order_whose_stop_would_reach_the_daily_loss_passes_and_beyond_it_does_not(
    quantity: str, expected: str
) -> None:
    court = Court(book_with(daily("0.01")))  # 100,000 units risk 0.0100 each: 1,000 of 100,000
    assert reason(court.buy(quantity, stop_loss="1.0900")) == expected


@pytest.mark.parametrize(("quantity", "expected"), [("60000", "approved"), ("61000", "daily")])
def test_open_stops_count_for_the_daily_loss(quantity: str, expected: str) -> None:
    court = Court(book_with(daily("0.01")))
    court.desk.hold("GBPUSD", Side.BUY, "40000", "1.2500", stop="1.2400")
    assert reason(court.buy(quantity, stop_loss="1.0900")) == expected


def test_a_position_without_a_stop_counts_whole() -> None:
    court = Court(book_with(daily("0.05")))
    court.desk.hold("GBPUSD", Side.BUY, "4000", "1.2500")  # 5,000: the whole limit
    assert reason(court.buy("1000", stop_loss="1.0900")) == "daily"


def test_working_orders_count_for_the_daily_loss() -> None:
    court = Court(book_with(daily("0.01")))
    court.work("GBPUSD", Side.BUY, "40000", "1.2500", stop="1.2400")
    assert reason(court.buy("60000", stop_loss="1.0900")) == "approved"
    assert reason(court.buy("61000", stop_loss="1.0900")) == "daily"


def test_a_profit_is_no_loss_whatever_the_stop_costs() -> None:
    court = Court(book_with(daily("0.01")))
    court.desk.hold("GBPUSD", Side.BUY, "40000", "1.2500", stop="1.2500")
    court.desk.mark("GBPUSD", "1.3500")  # up 4,000; 4,000 to the stop at the entry
    assert reason(court.buy("100000", stop_loss="1.0900")) == "approved"
    assert reason(court.buy("101000", stop_loss="1.0900")) == "daily"


@pytest.mark.parametrize(("quantity", "expected"), [("200000", "approved"), ("201000", "fall")])
def test_a_static_drawdown_is_measured_from_the_deposit(quantity: str, expected: str) -> None:
    court = Court(book_with(drawdown("0.02", DrawdownFrom.DEPOSIT)))
    assert reason(court.buy(quantity, stop_loss="1.0900")) == expected


@pytest.mark.parametrize(("quantity", "expected"), [("10000", "approved"), ("11000", "fall")])
def test_a_trailing_drawdown_is_measured_from_the_peak(quantity: str, expected: str) -> None:
    court = Court(book_with(drawdown("0.02", DrawdownFrom.PEAK)))
    court.desk.hold("GBPUSD", Side.BUY, "100000", "1.2500", stop="1.2500")
    court.desk.mark("GBPUSD", "1.3500")  # peak 110,000, its floor 107,800
    court.desk.mark("GBPUSD", "1.3290")
    court.desk.hold("GBPUSD", Side.SELL, "100000", "1.3290")  # 107,900 in cash
    assert reason(court.buy(quantity, stop_loss="1.0900")) == expected


@pytest.mark.parametrize(("quantity", "expected"), [("200000", "approved"), ("201000", "risk")])
def test_risk_per_trade_is_the_loss_at_its_own_stop(quantity: str, expected: str) -> None:
    court = Court(book_with(RiskPerTrade(id="risk", hard=True, equity_fraction_max=Decimal("0.02"))))
    assert reason(court.buy(quantity, stop_loss="1.0900")) == expected


@pytest.mark.parametrize(("stop_loss", "expected"), [("1.0900", "approved"), (None, "risk"), ("1.1001", "risk")])
def test_an_order_without_a_protective_stop_risks_its_notional(stop_loss: str | None, expected: str) -> None:
    court = Court(book_with(RiskPerTrade(id="risk", hard=True, equity_fraction_max=Decimal("0.02"))))
    assert reason(court.buy("2000", stop_loss=stop_loss)) == expected


@pytest.mark.parametrize(("count", "expected"), [(3, "approved"), (2, "many")])
def test_instruments_held_worked_and_wanted_are_counted_once_each(count: int, expected: str) -> None:
    court = Court(book_with(PositionsMax(id="many", hard=True, count_max=count)))
    court.desk.hold("GBPUSD", Side.BUY, "1000", "1.25", stop="1.24")
    court.work("GBPUSD", Side.BUY, "1000", "1.25", stop="1.24")
    court.work("SPY", Side.BUY, "1", "450", stop="449")
    assert reason(court.buy("1000")) == expected


@pytest.mark.parametrize(("quantity", "expected"), [("60000", "approved"), ("61000", "size")])
def test_position_size_includes_what_is_held_and_worked(quantity: str, expected: str) -> None:
    court = Court(book_with(PositionSizeMax(id="size", hard=True, equity_ratio_max=Decimal("1.1"))))
    court.desk.hold("EURUSD", Side.BUY, "20000", "1.1", stop="1.09")
    court.work("EURUSD", Side.BUY, "20000", "1.1", stop="1.09")
    court.desk.mark("EURUSD", "1.1", "1.1")  # 100,000 units are 110,000
    assert reason(court.buy(quantity, quote=make_quote("1.1"))) == expected


@pytest.mark.parametrize(("quantity", "expected"), [("80000", "approved"), ("81000", "gear")])
def test_leverage_adds_up_all_instruments(quantity: str, expected: str) -> None:
    court = Court(book_with(Leverage(id="gear", hard=True, equity_ratio_max=Decimal("1.38"))))
    court.desk.hold("GBPUSD", Side.SELL, "40000", "1.25", stop="1.26")
    court.desk.mark("EURUSD", "1.1", "1.1")
    assert reason(court.buy(quantity, quote=make_quote("1.1"))) == expected


def test_leverage_is_of_the_larger_side_and_nets_no_order_against_a_position() -> None:
    court = Court(book_with(Leverage(id="gear", hard=True, equity_ratio_max=Decimal("0.55"))))
    court.desk.hold("EURUSD", Side.SELL, "50000", "1.1", stop="1.12")
    court.desk.mark("EURUSD", "1.1", "1.1")
    assert reason(court.buy("50000", quote=make_quote("1.1"))) == "approved"
    assert reason(court.buy("51000", quote=make_quote("1.1"))) == "gear"


@pytest.mark.parametrize(
    ("side", "stop_loss", "expected"),
    [
        (Side.BUY, "1.0999", "approved"),
        (Side.BUY, "1.1", "stop"),
        (Side.BUY, None, "stop"),
        (Side.SELL, "1.1", "approved"),
        (Side.SELL, "1.0999", "stop"),
    ],
)
def test_a_mandatory_stop_is_on_the_losing_side(side: Side, stop_loss: str | None, expected: str) -> None:
    court = Court(book_with(MandatoryStop(id="stop", hard=True)))
    assert reason(court.order("EURUSD", side, "1000", stop_loss=stop_loss)) == expected


@pytest.mark.parametrize(
    ("before_close", "expected"), [(1860, "approved"), (1801, "approved"), (1800, "week"), (60, "week"), (0, "week")]
)
def test_nothing_opens_in_the_last_minutes_of_the_week(before_close: int, expected: str) -> None:
    eurusd = make_instrument("EURUSD", "EUR", "USD", session=FX_WEEK)
    rule = Sessions(id="week", hard=True, flat_before_weekly_close_minutes=30)
    court = Court(book_with(rule), desk=Desk(instruments=(eurusd,)))
    court.desk.pass_seconds(TO_FX_CLOSE - before_close)
    assert reason(court.buy("1000")) == expected


def test_a_denial_before_the_weekly_close_says_so() -> None:
    eurusd = make_instrument("EURUSD", "EUR", "USD", session=FX_WEEK)
    rule = Sessions(id="week", hard=True, flat_before_weekly_close_minutes=30)
    court = Court(book_with(rule), desk=Desk(instruments=(eurusd,)))
    court.desk.pass_seconds(TO_FX_CLOSE - 60)
    answer = court.buy("1000")
    assert isinstance(answer, m.OrderDenied)
    found = answer.checks[-1]
    assert (found.measured, found.limit, found.unit, found.at_least) == (Decimal(0), Decimal(1), "count", True)
    assert answer.detail == "EURUSD closes for a day or longer within minutes"


def test_a_daily_close_is_no_weekly_close() -> None:
    spy = make_instrument("SPY", "", "USD", tick_size="0.01", lot_size="1", session=SHARES_WEEK)
    rule = Sessions(id="week", hard=True, flat_before_weekly_close_minutes=30)
    court = Court(book_with(rule), desk=Desk(instruments=(spy,)))
    court.desk.pass_seconds(86400 - 5600 - 300)  # Wednesday 15:35 in New York
    assert reason(court.order("SPY", Side.BUY, "1", quote=make_quote("450"), stop_loss="449")) == "approved"
    court.desk.pass_seconds(1500)  # 16:00
    assert reason(court.order("SPY", Side.BUY, "1", quote=make_quote("450"), stop_loss="449")) == "week"


def test_a_restricted_instrument_is_refused() -> None:
    court = Court(book_with(RestrictedInstruments(id="banned", hard=True, instruments=("EURUSD",))))
    assert reason(court.buy("1000")) == "banned"
    assert reason(court.order("GBPUSD", Side.BUY, "1000", quote=make_quote("1.25"), stop_loss="1.24")) == "approved"


@pytest.mark.parametrize(
    ("side", "limit", "expected"),
    [
        (Side.BUY, "1.0450", "approved"),
        (Side.BUY, "1.0449", "collar"),
        (Side.BUY, "1.1551", "collar"),
        (Side.SELL, "1.0449", "collar"),
    ],
)
def test_a_limit_price_stays_within_the_collar(side: Side, limit: str, expected: str) -> None:
    court = Court(book_with(PriceCollar(id="collar", hard=True, quote_fraction_max=Decimal("0.05"))))
    assert reason(court.order("EURUSD", side, "1000", limit=limit)) == expected


@pytest.mark.parametrize(("seconds", "expected"), [(59, "rate"), (60, "approved")])
def test_orders_within_a_minute_are_counted(seconds: int, expected: str) -> None:
    court = Court(book_with(OrderRate(id="rate", hard=True, per_minute_max=2)))
    assert reason(court.buy("1000")) == "approved"
    assert reason(court.buy("1000")) == "approved"
    court.desk.pass_seconds(seconds)
    assert reason(court.buy("1000")) == expected


def test_nothing_is_opened_against_a_position_or_a_working_order() -> None:
    court = Court(book_with(NoHedging(id="hedge", hard=True)))
    court.desk.hold("EURUSD", Side.BUY, "10000", "1.1", stop="1.09")
    assert reason(court.buy("1000")) == "approved"
    assert reason(court.order("EURUSD", Side.SELL, "1000", stop_loss="1.11")) == "hedge"
    assert reason(court.order("EURUSD", Side.SELL, "10000", reduce_only=True)) == "approved"
    court.work("GBPUSD", Side.SELL, "1000", "1.25", stop="1.26")
    assert reason(court.order("GBPUSD", Side.BUY, "1000", quote=make_quote("1.25"), stop_loss="1.24")) == "hedge"


def test_amounts_are_converted_into_the_accounts_currency() -> None:
    rule = RiskPerTrade(id="risk", hard=True, equity_fraction_max=Decimal("0.01"))
    court = Court(book_with(rule), desk=Desk(make_account(deposit="100000")))
    court.desk.mark("USDJPY", "125")
    order: dict[str, Any] = {"quote": make_quote("125"), "stop_loss": "123.75"}  # 1.25 JPY a unit: 0.01 USD
    assert reason(court.order("USDJPY", Side.BUY, "100000", **order)) == "approved"
    assert reason(court.order("USDJPY", Side.BUY, "101000", **order)) == "risk"


def test_the_desk_starts_when_the_tests_of_sessions_think() -> None:
    court = Court(book_with())
    assert (court.desk.now_ns // NANOSECONDS_PER_SECOND + TO_FX_CLOSE) % 86400 == 22 * 3600
    assert isinstance(court.buy("1000"), m.ComplianceApproved)
