"""LEAN's files: ticks and bars, quotes and trades, on their own clocks."""

from datetime import datetime
from itertools import pairwise
from pathlib import Path

import pytest

from tests.unit.feed.given import BTCUSD, EURUSD, FEEDS, SPY, column, feeds, lean_zip, quality, rows_of
from tmt.adapters.feed.opening import open_replay
from tmt.errors import InputError

SECOND_NS = 10**9
QUOTES = "20140501_eurusd_tick_quote.csv"


def utc_ns(text: str) -> int:
    return int(datetime.fromisoformat(text + "+00:00").timestamp()) * SECOND_NS


def test_tick_quotes_are_milliseconds_of_the_day_in_utc_and_exact_quanta(tmp_path: Path) -> None:
    feed = open_replay([lean_zip(tmp_path, QUOTES, "292,1.38676,1.38686", "920,1.3868,1.38687")], EURUSD, FEEDS)
    midnight = utc_ns("2014-05-01 00:00")
    assert rows_of(feed) == [
        (0, midnight + 292_000_000, 0, 138676, 138686, 0, 0, 0, 0, 0),
        (1, midnight + 920_000_000, 0, 138680, 138687, 0, 0, 0, 0, 0),
    ]
    assert (quality(feed).quotes, quality(feed).trades) == (2, 0)


def test_tick_trades_of_equities_are_scaled_on_new_yorks_clock_with_made_up_quotes(tmp_path: Path) -> None:
    lines = ("14400464,1674100,100,P,20002000,0", "14400465,1674150,200,P,20002000,0")
    feed = open_replay([lean_zip(tmp_path, "20131007_spy_Trade_Tick.csv", *lines)], SPY, FEEDS)
    assert rows_of(feed) == [
        (0, utc_ns("2013-10-07 08:00") + 464_000_000, 0, 1674050, 1674150, 0, 0, 1674100, 100, 0),
        (1, utc_ns("2013-10-07 08:00") + 465_000_000, 0, 1674100, 1674200, 0, 0, 1674150, 200, 0),
    ]
    assert "synthetic spread of 0.01" in feed.sources[0]
    assert "America/New_York" in feed.sources[0]


def test_a_suspicious_trade_is_dropped_and_counted(tmp_path: Path) -> None:
    lines = ("14400464,1674100,100,P,0,0", "14400465,1,100,P,0,1")
    feed = open_replay([lean_zip(tmp_path, "20131007_spy_Trade_Tick.csv", *lines)], SPY, FEEDS)
    assert column(feed, "price") == [1674100]
    assert quality(feed).suspicious == 1


def test_equal_trades_are_kept_and_counted(tmp_path: Path) -> None:
    lines = ("14400464,1674100,100,P,0,0",) * 3
    feed = open_replay([lean_zip(tmp_path, "20131007_spy_Trade_Tick.csv", *lines)], SPY, FEEDS)
    assert len(rows_of(feed)) == 3
    assert (quality(feed).repeated_trades, quality(feed).duplicates) == (2, 0)


def test_tick_trades_and_quotes_of_a_day_are_merged_and_trades_meet_the_quote_in_force(tmp_path: Path) -> None:
    quotes = lean_zip(tmp_path, "20171217_btcusd_tick_quote.csv", "1000,100,0.5,101,0.25", "3000,102,1,103,1")
    trades = lean_zip(tmp_path, "20171217_btcusd_tick_trade.csv", "500,99.5,1", "2000,101,0.1", "3000,103,0.2")
    feed = open_replay([trades, quotes], BTCUSD, FEEDS)
    rows = [row[3:9] for row in rows_of(feed)]
    assert rows == [
        (9949, 9951, 0, 0, 9950, 10000),  # before the first quote: made up
        (10000, 10100, 5000, 2500, 0, 0),
        (10000, 10100, 5000, 2500, 10100, 1000),
        (10200, 10300, 10000, 10000, 0, 0),
        (10200, 10300, 10000, 10000, 10300, 2000),
    ]


RISING = "20070101 21:00,1.31927,1.31955,1.3187,1.31935,0,1.32027,1.32055,1.3197,1.32035,0"
FALLING = "20070101 22:00,1.32,1.3202,1.31925,1.31935,0,1.321,1.3212,1.32025,1.32035,0"


def test_a_quote_bar_is_four_points_low_first_when_it_rises_high_first_when_it_falls(tmp_path: Path) -> None:
    feed = open_replay([lean_zip(tmp_path, "eurusd.csv", RISING, FALLING)], EURUSD, FEEDS)
    start, hour = utc_ns("2007-01-01 21:00"), 3600 * SECOND_NS
    assert column(feed, "bid") == [131927, 131870, 131955, 131935, 132000, 132020, 131925, 131935]
    assert column(feed, "ask") == [132027, 131970, 132055, 132035, 132100, 132120, 132025, 132035]
    assert column(feed, "time_ns")[:5] == [
        start,
        start + hour // 3,
        start + hour * 2 // 3,
        start + hour - 1,
        start + hour,
    ]
    assert column(feed, "price") == [0] * 8


def test_an_ask_that_only_the_pairing_of_points_put_below_the_bid_is_raised_to_it(tmp_path: Path) -> None:
    bar = "20070101 21:00,1.00010,1.00060,1.00000,1.00020,0,1.00030,1.00050,1.00010,1.00040,0"
    feed = open_replay([lean_zip(tmp_path, "eurusd.csv", bar, FALLING)], EURUSD, FEEDS)
    assert column(feed, "ask")[:4] == [100030, 100010, 100060, 100040]
    assert quality(feed).locked == 1


def test_a_trade_bar_gives_its_volume_to_its_closing_row(tmp_path: Path) -> None:
    lines = ("19980102 09:00,973100,975300,970300,970300,384500", "19980102 10:00,970200,971300,965300,970500,585900")
    feed = open_replay([lean_zip(tmp_path, "spy.csv", *lines)], SPY, FEEDS)
    assert column(feed, "price") == [973100, 975300, 970300, 970300, 970200, 965300, 971300, 970500]
    assert column(feed, "size") == [0, 0, 0, 384500, 0, 0, 0, 585900]
    assert column(feed, "time_ns")[0] == utc_ns("1998-01-02 14:00")
    assert feed.total_rows() == 8


def test_trade_and_quote_bars_of_a_day_are_joined_row_for_row(tmp_path: Path) -> None:
    trade = lean_zip(
        tmp_path,
        "20171217_btcusd_minute_trade.csv",
        "0,100.5,102,100,101,7",
        "60000,101,101,101,101,1",
        "180000,104,104,104,104,2",
    )
    quote = lean_zip(
        tmp_path,
        "20171217_btcusd_minute_quote.csv",
        "0,100,101,99,100,0.5,101,102,100,101,0.25",
        "120000,102,102,102,102,1,103,103,103,103,1",
    )
    feed = open_replay([quote, trade], BTCUSD, FEEDS)
    rows = [row[3:9] for row in rows_of(feed)]
    assert rows[:4] == [
        (10000, 10100, 5000, 2500, 10050, 0),
        (9900, 10000, 5000, 2500, 10000, 0),
        (10100, 10200, 5000, 2500, 10200, 0),
        (10000, 10100, 5000, 2500, 10100, 70000),
    ]
    assert rows[4] == (10099, 10101, 0, 0, 10100, 0)  # no quotes in this minute
    assert rows[8] == (10200, 10300, 10000, 10000, 0, 0)  # no trades in this one
    assert (quality(feed).quotes, quality(feed).trades) == (4, 12)


def test_the_last_row_of_a_bar_comes_before_the_next_bar_also_when_the_clock_goes_back(tmp_path: Path) -> None:
    lines = [f"20141101 {hour:02}:00,10000,10000,10000,10000,1" for hour in range(20, 24)]
    lines += [f"20141102 {hour:02}:00,10000,10000,10000,10000,1" for hour in range(4)]
    feed = open_replay([lean_zip(tmp_path, "spy.csv", *lines)], SPY, FEEDS)
    times = column(feed, "time_ns")
    assert len(times) == 32
    assert all(earlier < later for earlier, later in pairwise(times))
    assert (quality(feed).out_of_order, quality(feed).clock_switches) == (0, 1)


def test_a_bar_whose_close_is_above_its_high_is_dropped_and_counted(tmp_path: Path) -> None:
    lines = ("19980102 09:00,10000,12000,9000,12001,1", "19980102 10:00,10000,12000,9000,12000,1")
    feed = open_replay([lean_zip(tmp_path, "spy.csv", *lines)], SPY, FEEDS)
    assert len(rows_of(feed)) == 4
    assert quality(feed).inconsistent_bars == 1


def test_the_length_of_a_single_bar_cannot_be_told(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        rows_of(open_replay([lean_zip(tmp_path, "eurusd.csv", RISING)], EURUSD, FEEDS))
    assert caught.value.code == "TMT-D011"


@pytest.mark.parametrize(
    ("line", "column_number", "value"),
    [
        ("920,NaN,1.38687", 2, "'NaN'"),
        ("920,1.38676,", 3, "empty"),
        ("920,1.38676,-1.38687", 3, "'-1.38687'"),
        ("86400000,1.38676,1.38687", 1, "'86400000'"),
        ("920", 2, "empty"),
    ],
)
def test_a_malformed_field_is_refused_with_its_place_and_value(
    tmp_path: Path, line: str, column_number: int, value: str
) -> None:
    path = lean_zip(tmp_path, QUOTES, "292,1.38676,1.38686", line, "930,1.38676,1.38687")
    with pytest.raises(InputError) as caught:
        rows_of(open_replay([path], EURUSD, FEEDS))
    assert caught.value.code == "TMT-D008"
    assert value in caught.value.what
    assert caught.value.where == f"{path}:2:{column_number}"


def test_a_malformed_field_is_dropped_and_counted_where_the_configuration_says_so(tmp_path: Path) -> None:
    path = lean_zip(tmp_path, QUOTES, "292,1.38676,1.38686", "920,NaN,", "930,1.38676,1.38687")
    feed = open_replay([path], EURUSD, feeds(malformed="drop"))
    assert column(feed, "ask") == [138686, 138687]
    assert quality(feed).malformed == 1


def test_a_row_with_too_many_fields_is_refused(tmp_path: Path) -> None:
    path = lean_zip(tmp_path, QUOTES, "292,1.38676,1.38686", "920,1.3,1.4,1.5")
    with pytest.raises(InputError) as caught:
        rows_of(open_replay([path], EURUSD, FEEDS))
    assert caught.value.code == "TMT-D012"


def test_off_grid_prices_up_to_half_of_the_file_are_dropped_and_counted(tmp_path: Path) -> None:
    path = lean_zip(tmp_path, QUOTES, "292,1.38676,1.38686", "920,1.386761,1.38687")
    feed = open_replay([path], EURUSD, FEEDS)
    assert column(feed, "bid") == [138676]
    assert quality(feed).off_grid == 1


def test_a_file_with_more_than_half_of_its_prices_off_the_grid_is_refused(tmp_path: Path) -> None:
    path = lean_zip(tmp_path, QUOTES, "292,1.38676,1.38686", "920,1.386761,1.38687", "930,1.386762,1.38687")
    with pytest.raises(InputError) as caught:
        rows_of(open_replay([path], EURUSD, FEEDS))
    assert caught.value.code == "TMT-D010"
