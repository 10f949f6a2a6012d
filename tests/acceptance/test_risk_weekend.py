"""Scenario 4: the last minutes of a week and the first of the next, while clocks change in one country or the other.

Clocks change in 2026 in New York on 8 March and 1 November, in Berlin on 29 March and 25 October.
"""

from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.acceptance.trading_day import (
    MINUTE_NS,
    SECOND_NS,
    TradingDay,
    account_of,
    accounts,
    instrument_of,
    moment,
)
from tmt import messages as m
from tmt.domain.order import OrderType
from tmt.domain.stop import StopLevel

GERMAN_INDEX = (
    "{symbol: DAX, asset_class: index, base_currency: '', quote_currency: USD, tick_size: 0.1, price_quantum: 0.1, "
    "lot_size: 0.1, point_value: 1, quantity_min: 0.1, notional_min: 0, "
    'session: {time_zone: Europe/Berlin, open: ["mon-fri 08:00 - 22:00"], day_starts_at: "00:00"}}'
)
INSTRUMENTS = f"instruments.instruments=[{instrument_of('EURUSD', 'EUR', 'USD')}, {GERMAN_INDEX}]"


class Weekend(NamedTuple):
    """When a market closes and opens, in UTC."""

    symbol: str
    closes: str
    opens: str


WEEKENDS = (
    Weekend("EURUSD", "2026-02-27 22:00 UTC", "2026-03-01 22:00 UTC"),
    Weekend("EURUSD", "2026-03-06 22:00 UTC", "2026-03-08 21:00 UTC"),
    Weekend("EURUSD", "2026-03-27 21:00 UTC", "2026-03-29 21:00 UTC"),
    Weekend("EURUSD", "2026-10-23 21:00 UTC", "2026-10-25 21:00 UTC"),
    Weekend("EURUSD", "2026-10-30 21:00 UTC", "2026-11-01 22:00 UTC"),
    Weekend("DAX", "2026-03-06 21:00 UTC", "2026-03-09 07:00 UTC"),
    Weekend("DAX", "2026-03-27 21:00 UTC", "2026-03-30 06:00 UTC"),
    Weekend("DAX", "2026-10-23 20:00 UTC", "2026-10-26 07:00 UTC"),
)
ORDERS = {"EURUSD": ("2000", "1.10000", "1.09000"), "DAX": ("0.5", "20000", "19900")}
each_weekend = pytest.mark.parametrize("weekend", WEEKENDS, ids=lambda each: f"{each.symbol} {each.closes[:10]}")


def friday(book: Path, weekend: Weekend, rule_book: str) -> TradingDay:
    """Forty minutes before the close, with a position."""
    begins_ns = moment(weekend.closes) - 40 * MINUTE_NS
    _, price, stop = ORDERS[weekend.symbol]
    day = TradingDay(
        book,
        begins_ns,
        {weekend.symbol: price},
        INSTRUMENTS,
        accounts(account_of("alpha", weekend.symbol, rule_book=rule_book)),
    )
    day.buys(ORDERS[weekend.symbol][0], weekend.symbol, stop=stop)
    assert day.held(weekend.symbol) == Decimal(ORDERS[weekend.symbol][0])
    return day


def asks(day: TradingDay, weekend: Weekend, lots: int) -> m.OrderProposed:
    quantity, _, stop = ORDERS[weekend.symbol]
    return day.buys(str(Decimal(quantity) * lots), weekend.symbol, stop=stop)


@each_weekend
def test_a_funded_account_goes_flat_half_an_hour_before_the_close(tmp_path: Path, weekend: Weekend) -> None:
    day, closes_ns = friday(tmp_path / "book", weekend, "trailing-drawdown"), moment(weekend.closes)
    day.minutes(8)
    day.passes_to(closes_ns - 30 * MINUTE_NS - SECOND_NS)
    assert day.said(m.ExitRaised) == []
    early = asks(day, weekend, 2)
    assert day.check(early, "compliance.sessions").outcome == "pass", "a second before the last half hour"
    assert day.now_ns == closes_ns - 30 * MINUTE_NS
    late = day.denial(asks(day, weekend, 3))
    assert (late.gate, late.reason) == ("compliance", "sessions")
    day.minutes(1)
    [exit_] = day.said(m.ExitRaised)
    assert (exit_.source, exit_.rule, exit_.occurred_at_ns) == ("compliance", "sessions", closes_ns - 30 * MINUTE_NS)
    assert day.held(weekend.symbol) == 0
    day.ends()


def test_an_entry_that_rests_does_not_fill_in_the_last_minute_of_the_week(tmp_path: Path) -> None:
    weekend = WEEKENDS[0]
    day = friday(tmp_path / "book", weekend, "trailing-drawdown")
    day.released(day.buys("3000", "EURUSD", order_type=OrderType.LIMIT, limit_price="1.09900", stop="1.09000"))
    day.minutes(38)
    day.passes_to(moment(weekend.closes) - 30 * SECOND_NS)
    day.quotes(EURUSD="1.09850")
    day.until("2026-02-28 12:00 UTC")
    assert day.held("EURUSD") == 0, "flat over the weekend"
    day.ends()


@each_weekend
def test_the_next_session_opens_at_its_own_time(tmp_path: Path, weekend: Weekend) -> None:
    day = friday(tmp_path / "book", weekend, "default")
    day.minutes(38)
    day.passes_to(moment(weekend.closes) - SECOND_NS)
    day.released(asks(day, weekend, 2))
    closed = day.denial(asks(day, weekend, 1))
    assert (closed.gate, closed.reason) == ("compliance", "sessions")
    assert day.held(weekend.symbol) == 3 * Decimal(ORDERS[weekend.symbol][0]), "this book holds over weekends"
    day.passes_to(moment(weekend.opens) - SECOND_NS)
    assert day.denial(asks(day, weekend, 2)).reason == "sessions"
    assert day.now_ns == moment(weekend.opens)
    blind = day.denial(asks(day, weekend, 3))
    assert (blind.gate, blind.reason) == ("circuit_breaker", "stale_mark"), "open, but nothing was quoted yet"
    day.quotes()
    day.minutes(1)
    day.released(asks(day, weekend, 1))
    day.ends()


@each_weekend
def test_a_flatten_over_the_weekend_closes_when_the_market_opens(tmp_path: Path, weekend: Weekend) -> None:
    day = friday(tmp_path / "book", weekend, "default")
    day.minutes(38)
    day.passes_to(moment(weekend.closes) + MINUTE_NS)
    day.stops(StopLevel.FLATTEN)
    day.passes_to(moment(weekend.opens) - SECOND_NS)
    assert day.said(m.StopCompleted) == [], "nothing is tried while the market is closed"
    assert day.held(weekend.symbol) != 0
    day.passes_to(moment(weekend.opens))
    day.quotes()
    day.minutes(1)
    assert day.held(weekend.symbol) == 0
    [completed] = day.said(m.StopCompleted)
    assert (completed.positions_closed, completed.positions_open) == ((f"alpha/{weekend.symbol}",), ())
    day.ends()
