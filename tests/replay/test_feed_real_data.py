"""Recorded markets: every file reads, with the rows and the flaws that it is known to have."""

from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from tests.unit.feed.given import FEEDS, INSTRUMENTS, quality
from tmt.adapters.feed.opening import open_replay
from tmt.domain.session import trading_day
from tmt.market.batch import MarketBatch
from tmt.market.quality import InstrumentQuality
from tmt.ports.feed import Feed


def replay(symbol: str, *paths: Path) -> Feed:
    return open_replay(paths, INSTRUMENTS[symbol], FEEDS)


def read(feed: Feed) -> tuple[list[MarketBatch], InstrumentQuality]:
    batches = list(feed.batches())
    times = np.concatenate([batch.time_ns for batch in batches])
    assert (np.diff(times) >= 0).all()
    assert all(batch.first_sequence + len(batch) == after.first_sequence for batch, after in pairwise(batches))
    assert all((batch.bid > 0).all() and (batch.bid <= batch.ask).all() for batch in batches)
    found = quality(feed)
    assert found.rows == len(times)
    return batches, found


@pytest.mark.parametrize(
    ("symbol", "path", "rows", "trades"),
    [
        ("EURUSD", "eurusd_quotes_tick", 532_902, 0),
        ("EURUSD", "eurusd_bars_hour", 297_756, 0),
        ("SPY", "spy_trades_tick", 250_601, 250_601),
        ("SPY", "equity_bars_hour/spy.zip", 163_328, 163_328),
        ("AAPL", "equity_bars_hour/aapl.zip", 163_324, 163_324),
        ("BTCUSD", "btcusd_bars_minute", 51_420, 49_692),
        ("BTCUSDT", "btcusdt_binance_tape", 37_806, 9_766),
    ],
)
def test_every_recording_gives_its_rows(test_data: Path, symbol: str, path: str, rows: int, trades: int) -> None:
    _, found = read(replay(symbol, test_data / path))
    assert (found.rows, found.trades) == (rows, trades)
    assert found.dropped == (1 if path == "eurusd_quotes_tick" else 0)


def test_two_weeks_of_euro_ticks_have_no_gap_but_one_duplicate(test_data: Path) -> None:
    batches, found = read(replay("EURUSD", test_data / "eurusd_quotes_tick"))
    assert (found.gaps, found.duplicates) == (0, 1)
    first = batches[0].rows(0, 1)
    assert (first.bid.tolist(), first.ask.tolist()) == ([138676], [138686])
    assert first.time_ns.tolist() == [1398902400_292_000_000]


def test_euro_hours_open_and_close_with_the_session_in_summer_and_winter(test_data: Path) -> None:
    batches, found = read(replay("EURUSD", test_data / "eurusd_bars_hour"))
    session = INSTRUMENTS["EURUSD"].session
    opens = [time_ns for batch in batches for time_ns in batch.time_ns[::4].tolist()]
    outside = [trading_day(session, time_ns) for time_ns in opens if not session.is_open(time_ns)]
    # Until 2010 a few dealers quoted on the two days a year on which hardly anybody does.
    assert {day[5:] for day in outside} == {"12-25", "01-01"}
    assert max(outside) == "2009-12-25"
    assert (len(outside), len(opens)) == (44, 74_440)
    assert found.gaps == 23


def test_the_calendar_explains_every_gap_of_23_years_but_one(test_data: Path) -> None:
    batches, found = read(replay("SPY", test_data / "equity_bars_hour/spy.zip"))
    assert found.gaps == 1
    assert found.longest_gap is not None
    assert datetime.fromtimestamp(found.longest_gap.from_ns // 10**9, UTC) == datetime(2002, 9, 11, 13, 30, tzinfo=UTC)
    session = INSTRUMENTS["SPY"].session
    days = {trading_day(session, time_ns) for batch in batches for time_ns in batch.time_ns.tolist()}
    assert days.isdisjoint(session.holidays)


def test_the_tape_knows_its_clock_its_depth_and_its_disconnects(test_data: Path) -> None:
    feed = replay("BTCUSDT", test_data / "btcusdt_binance_tape")
    _, found = read(feed)
    assert (found.depth_messages, found.disconnects, found.other_instruments, found.trade_ids_missing) == (
        3452,
        3,
        12,
        0,
    )
    assert "1270 ms ahead of" in feed.quality.notes[0]


def test_bitcoin_bars_join_trades_and_quotes_of_a_day(test_data: Path) -> None:
    batches, found = read(replay("BTCUSD", test_data / "btcusd_bars_minute"))
    assert found.gaps == 3
    assert found.quotes == 1_728
    assert found.off_grid_sizes > 0
    assert len(batches) > 1
