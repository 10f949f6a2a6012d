"""Bars by hand: their edges, their prices, gaps, clock changes and half-hour zones."""

from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise

import msgspec
import pytest

from tests.unit.market.tape import NEVER_NS, SECOND_NS, Row, batch_of, close_until, fold, make_instrument
from tmt.domain.instrument import Instrument
from tmt.market import kernel
from tmt.market.bar import Bar, Timeframe
from tmt.market.bars import Bars, BarsSnapshot

PLAIN = make_instrument("EUR")
NEW_YORK = make_instrument("NY", "America/New_York", "17:00")
KOLKATA = make_instrument("KOL", "Asia/Kolkata", "00:00")
MINUTE_NS = 60 * SECOND_NS
HOUR_NS = 3600 * SECOND_NS


def utc(text: str) -> int:
    return int(datetime.fromisoformat(text + "+00:00").timestamp()) * SECOND_NS


def written(time_ns: int) -> str:
    return datetime.fromtimestamp(time_ns // SECOND_NS, UTC).strftime("%d %H:%M")


START_NS = utc("2014-06-03T10:00:00")


def bars_of(
    rows: list[Row], *timeframes: Timeframe, instrument: Instrument = PLAIN, trades: frozenset[str] = frozenset()
) -> list[Bar]:
    bars = Bars((instrument,), timeframes, trades)
    return fold(bars, [batch_of(rows, (instrument.symbol,))]) + close_until(bars, NEVER_NS)


def spans(bars: list[Bar], timeframe: Timeframe) -> list[tuple[str, str]]:
    return [(written(bar.start_ns), written(bar.end_ns)) for bar in bars if bar.timeframe is timeframe]


def hourly(first: str, hours: int) -> list[Row]:
    return [Row(utc(first) + hour * HOUR_NS, 0, 100, 102) for hour in range(hours)]


def test_a_bar_has_the_first_highest_lowest_and_last_mid_price() -> None:
    rows = [
        Row(START_NS + second, 0, bid, ask)
        for second, (bid, ask) in enumerate([(100, 101), (104, 104), (98, 99), (99, 100)])
    ]
    (bar,) = bars_of(rows, Timeframe.M1)
    assert (bar.open, bar.high, bar.low, bar.close) == tuple(map(Decimal, ("1.005", "1.04", "0.985", "0.995")))
    assert (bar.volume, bar.tick_count, bar.effort) == (Decimal(0), 4, Decimal(4))
    assert (bar.bid, bar.ask) == (Decimal("0.99"), Decimal("1.00"))


def test_a_bar_of_trades_ignores_quotes_but_for_its_last_bid_and_ask() -> None:
    rows = [
        Row(START_NS, 0, 90, 91),
        Row(START_NS + 1, 0, 100, 101, price=101, size=3),
        Row(START_NS + 2, 0, 100, 101, price=100, size=4),
        Row(START_NS + 3, 0, 200, 201),
    ]
    (bar,) = bars_of(rows, Timeframe.M1, trades=frozenset({"EUR"}))
    assert (bar.open, bar.high, bar.low, bar.close) == tuple(map(Decimal, ("1.01", "1.01", "1.00", "1.00")))
    assert (bar.volume, bar.tick_count, bar.effort) == (Decimal("0.7"), 2, Decimal("0.7"))
    assert (bar.bid, bar.ask) == (Decimal("2.00"), Decimal("2.01"))


def test_quotes_alone_make_no_bar_of_trades() -> None:
    assert bars_of([Row(START_NS, 0, 100, 101)], Timeframe.M1, trades=frozenset({"EUR"})) == []


def test_a_row_exactly_at_the_end_belongs_to_the_next_bar() -> None:
    rows = [Row(START_NS + MINUTE_NS - 1, 0, 100, 100), Row(START_NS + MINUTE_NS, 0, 200, 200)]
    first, second = bars_of(rows, Timeframe.M1)
    assert (first.start_ns, first.end_ns, first.high) == (START_NS, START_NS + MINUTE_NS, Decimal("1.00"))
    assert (second.start_ns, second.low) == (START_NS + MINUTE_NS, Decimal("2.00"))


def test_a_gap_makes_no_bar() -> None:
    rows = [Row(START_NS, 0, 100, 100), Row(START_NS + 7 * MINUTE_NS, 0, 200, 200)]
    bars = bars_of(rows, Timeframe.M1, Timeframe.M5, Timeframe.H1)
    assert spans(bars, Timeframe.M1) == [("03 10:00", "03 10:01"), ("03 10:07", "03 10:08")]
    assert spans(bars, Timeframe.M5) == [("03 10:00", "03 10:05"), ("03 10:05", "03 10:10")]
    assert spans(bars, Timeframe.H1) == [("03 10:00", "03 11:00")]


def test_bars_that_end_together_close_finer_first() -> None:
    bars = bars_of([Row(START_NS + HOUR_NS - 1, 0, 100, 100)], Timeframe.H1, Timeframe.M1, Timeframe.M5)
    assert [bar.timeframe for bar in bars] == [Timeframe.M1, Timeframe.M5, Timeframe.H1]


@pytest.mark.parametrize(
    ("first", "bounds"),
    [
        (
            "2014-03-08T22:00:00",
            ["08 22:00", "09 02:00", "09 06:00", "09 10:00", "09 14:00", "09 18:00", "09 21:00", "10 01:00"],
        ),
        (
            "2014-11-01T21:00:00",
            [
                "01 21:00",
                "02 01:00",
                "02 05:00",
                "02 09:00",
                "02 13:00",
                "02 17:00",
                "02 21:00",
                "02 22:00",
                "03 02:00",
            ],
        ),
    ],
)
def test_four_hour_bars_start_with_the_new_york_day_and_its_last_is_cut(first: str, bounds: list[str]) -> None:
    found = spans(bars_of(hourly(first, 27), Timeframe.H1, Timeframe.H4, instrument=NEW_YORK), Timeframe.H4)
    assert found[: len(bounds) - 1] == list(pairwise(bounds))


@pytest.mark.parametrize(
    ("first", "ends", "hours"),
    [("2014-03-08T22:00:00", "2014-03-09T21:00:00", 23), ("2014-11-01T21:00:00", "2014-11-02T22:00:00", 25)],
)
@pytest.mark.parametrize("finest", [Timeframe.H1, Timeframe.H4, Timeframe.D1])
def test_a_new_york_day_bar_has_the_hours_of_its_day(first: str, ends: str, hours: int, finest: Timeframe) -> None:
    bars = bars_of(hourly(first, 30), finest, Timeframe.D1, instrument=NEW_YORK)
    day = next(bar for bar in bars if bar.timeframe is Timeframe.D1)
    assert (day.start_ns, day.end_ns, day.tick_count) == (utc(first), utc(ends), hours)


def test_hourly_bars_of_a_half_hour_zone_start_on_the_half_hour() -> None:
    rows = [Row(utc("2014-06-03T18:29:59"), 0, 100, 100), Row(utc("2014-06-03T18:30:00"), 0, 100, 100)]
    bars = bars_of(rows, Timeframe.H1, Timeframe.D1, instrument=KOLKATA)
    assert spans(bars, Timeframe.H1) == [("03 17:30", "03 18:30"), ("03 18:30", "03 19:30")]
    assert spans(bars, Timeframe.D1) == [("02 18:30", "03 18:30"), ("03 18:30", "04 18:30")]


def test_a_snapshot_survives_being_written() -> None:
    bars = Bars((PLAIN,), (Timeframe.M1, Timeframe.H1), frozenset())
    fold(bars, [batch_of([Row(START_NS, 0, 100, 101)], ("EUR",))])
    saved = msgspec.json.decode(msgspec.json.encode(bars.snapshot()), type=BarsSnapshot)
    other = Bars((PLAIN,), (Timeframe.M1, Timeframe.H1), frozenset())
    other.restore(saved)
    assert close_until(other, NEVER_NS) == close_until(bars, NEVER_NS) != []


def test_timeframes_must_build_on_the_finest() -> None:
    with pytest.raises(ValueError, match="at least one"):
        Bars((PLAIN,), (), frozenset())
    Bars((PLAIN,), tuple(Timeframe), frozenset())


def test_the_scan_stops_before_a_row_that_touches_a_bound() -> None:
    bars = Bars((PLAIN,), (Timeframe.M1,), frozenset())
    fold(bars, [batch_of([Row(START_NS, 0, 100, 102)], ("EUR",))])
    bars.state[0, kernel.LOW_BOUND], bars.state[0, kernel.HIGH_BOUND] = 95, 105

    def attended(bid: int, ask: int, price: int = 0) -> bool:
        batch = batch_of([Row(START_NS + 1, 0, bid, ask, price)], ("EUR",))
        columns = (batch.time_ns, batch.instrument, batch.bid, batch.ask, batch.bid_size, batch.ask_size)
        rest = (batch.price, batch.size, batch.aggressor, 1, bars.state.copy())
        return bool(kernel.scan(0, 1, NEVER_NS, *columns, *rest) == 0)

    assert [attended(bid, 100) for bid in (96, 95, 94)] == [False, True, True]
    assert [attended(100, ask) for ask in (104, 105, 106)] == [False, True, True]
    assert [attended(100, 100, price) for price in (104, 105, 106)] == [False, True, True]
    assert [attended(100, 100, price) for price in (96, 95, 94)] == [False, True, True]
    assert not attended(100, 100, 0)
