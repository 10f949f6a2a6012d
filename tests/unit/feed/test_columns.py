"""CSV and Parquet: the column map, units of time, kinds of rows, and what is wrong with them."""

import gzip
from datetime import datetime
from pathlib import Path

import polars as pl
import pytest

from tests.unit.feed.given import BTCUSDT, EURUSD, FEEDS, column, quality, rows_of, with_columns
from tmt.adapters.feed.config import TimeUnit
from tmt.adapters.feed.opening import open_replay
from tmt.errors import InputError

SECOND_NS = 10**9
NOON_NS = 1398945600 * SECOND_NS  # 2014-05-01 12:00 UTC


def csv(folder: Path, *lines: str) -> Path:
    path = folder / "data.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


MIXED = with_columns(
    time="t", bid="b", ask="a", bid_size="bs", ask_size="as", price="p", size="q", side="side", time_unit=TimeUnit.MS
)


def test_a_row_with_a_price_is_a_trade_and_one_without_a_quote(tmp_path: Path) -> None:
    path = csv(
        tmp_path,
        "t,b,a,bs,as,p,q,side,extra",
        "1000,99,101,1,2,,,,x",
        "1001,,,,,101,0.5,BUY,x",
        "1002,98,100,3,4,98,0.25,s,x",
        "1003,,,,,98,0.1,,x",
    )
    feed = open_replay([path], BTCUSDT, MIXED)
    assert [row[3:] for row in rows_of(feed)] == [
        (9900, 10100, 100000, 200000, 0, 0, 0),
        (9900, 10100, 100000, 200000, 10100, 50000, 1),
        (9800, 10000, 300000, 400000, 9800, 25000, -1),
        (9800, 10000, 300000, 400000, 9800, 10000, 0),
    ]
    assert (quality(feed).quotes, quality(feed).trades) == (1, 3)


@pytest.mark.parametrize(
    ("unit", "text"),
    [
        (TimeUnit.S, "1398945600.000000001"),
        (TimeUnit.MS, "1398945600000.000001"),
        (TimeUnit.US, "1398945600000000.001"),
        (TimeUnit.NS, "1398945600000000001"),
        (TimeUnit.ISO, "2014-05-01T12:00:00.000000001Z"),
        (TimeUnit.ISO, "2014-05-01 08:00:00.000000001-04:00"),
    ],
)
def test_times_are_read_to_the_nanosecond_in_every_unit(tmp_path: Path, unit: TimeUnit, text: str) -> None:
    path = csv(tmp_path, "time,bid,ask", f"{text},1.38676,1.38686")
    assert column(open_replay([path], EURUSD, with_columns(time_unit=unit)), "time_ns") == [NOON_NS + 1]


def test_an_iso_time_without_offset_is_on_the_clock_of_the_column_map(tmp_path: Path) -> None:
    path = csv(tmp_path, "time,bid,ask", "2014-05-01 08:00:00,1.38676,1.38686")
    feed = open_replay([path], EURUSD, with_columns(time_zone="America/New_York"))
    assert column(feed, "time_ns") == [NOON_NS]
    assert "America/New_York" in feed.sources[0]


def test_a_missing_column_is_named_with_the_columns_there_are_and_the_nearest(tmp_path: Path) -> None:
    path = csv(tmp_path, "time,bids,ask", "2014-05-01 08:00:00,1.38676,1.38686")
    with pytest.raises(InputError) as caught:
        open_replay([path], EURUSD, FEEDS)
    assert caught.value.code == "TMT-D009"
    assert "time, bids, ask" in caught.value.what
    assert "Did you mean 'bids'?" in caught.value.what


@pytest.mark.parametrize(
    ("line", "place"),
    [
        ("yesterday,1.38676,1.38686", "3:1"),
        ("2014-05-01 08:00:01,,1.38686", "3:2"),
        ("2014-05-01 08:00:01,1.38676,-1", "3:3"),
        ("", "3:1"),
    ],
)
def test_a_malformed_field_is_refused_at_its_line_and_column(tmp_path: Path, line: str, place: str) -> None:
    last = "2014-05-01 08:00:02,1.38676,1.38686"
    path = csv(tmp_path, "time,bid,ask", "2014-05-01 08:00:00,1.38676,1.38686", line, last)
    with pytest.raises(InputError) as caught:
        rows_of(open_replay([path], EURUSD, FEEDS))
    assert (caught.value.code, caught.value.where) == ("TMT-D008", f"{path}:{place}")


def test_a_side_that_is_neither_buy_nor_sell_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        open_replay([csv(tmp_path, "t,b,a,bs,as,p,q,side", "1000,,,,,101,1,up")], BTCUSDT, MIXED)
    assert caught.value.code == "TMT-D008"


def test_a_row_with_more_fields_than_the_header_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        open_replay([csv(tmp_path, "time,bid,ask", "2014-05-01 08:00:00,1,2,3")], EURUSD, FEEDS)
    assert caught.value.code == "TMT-D012"


def test_a_file_of_trades_alone_gets_made_up_quotes(tmp_path: Path) -> None:
    config = with_columns(bid="", ask="", price="price")
    path = csv(tmp_path, "time,price", "2014-05-01 12:00:00,1.38676")
    feed = open_replay([path], EURUSD, config)
    assert [row[3:8] for row in rows_of(feed)] == [(138675, 138677, 0, 0, 138676)]
    assert "synthetic spread" in feed.sources[0]


def test_a_header_alone_has_no_row_to_deliver(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        rows_of(open_replay([csv(tmp_path, "time,bid,ask")], EURUSD, FEEDS))
    assert caught.value.code == "TMT-D007"


def test_a_gzipped_csv_with_a_byte_order_mark_and_windows_lines_reads_like_a_plain_one(tmp_path: Path) -> None:
    path = tmp_path / "data.csv.gz"
    path.write_bytes(gzip.compress(b"\xef\xbb\xbftime,bid,ask\r\n2014-05-01 12:00:00,1.38676,1.38686\r\n"))
    assert column(open_replay([path], EURUSD, FEEDS), "bid") == [138676]


def test_a_parquet_file_of_floats_and_timestamps_is_exact(tmp_path: Path) -> None:
    path = tmp_path / "data.parquet"
    times = [datetime(2014, 5, 1, 12), datetime(2014, 5, 1, 12, 0, 1)]  # noqa: DTZ001
    pl.DataFrame({"time": times, "bid": [1.38676, 1.3], "ask": [1.38686, 1.30001]}).write_parquet(path)
    feed = open_replay([path], EURUSD, FEEDS)
    assert column(feed, "time_ns") == [NOON_NS, NOON_NS + SECOND_NS]
    assert column(feed, "bid") == [138676, 130000]
    assert column(feed, "ask") == [138686, 130001]


def test_a_parquet_file_with_a_nan_is_refused_at_its_row(tmp_path: Path) -> None:
    path = tmp_path / "data.parquet"
    times = [datetime(2014, 5, 1, 12)] * 2  # noqa: DTZ001
    pl.DataFrame({"time": times, "bid": [1.1, float("nan")], "ask": [1.2, 1.2]}).write_parquet(path)
    with pytest.raises(InputError) as caught:
        open_replay([path], EURUSD, FEEDS)
    assert (caught.value.code, caught.value.where) == ("TMT-D008", f"{path}:2:2")


def test_a_cut_parquet_file_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "data.parquet"
    pl.DataFrame({"time": [1], "bid": [1.1], "ask": [1.2]}).write_parquet(path)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(InputError) as caught:
        open_replay([path], EURUSD, FEEDS)
    assert caught.value.code == "TMT-D005"
