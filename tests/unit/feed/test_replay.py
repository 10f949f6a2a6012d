"""The replay feed: dense numbers, resuming, stopping, outliers, and the same rows however they are cut."""

from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.unit.feed.given import EURUSD, FEEDS, column, feeds, lean_zip, quality, rows_of
from tmt.adapters.feed.opening import open_replay
from tmt.adapters.feed.recording import Block, Recording, raw_rows
from tmt.adapters.feed.replay import ReplayFeed
from tmt.market.batch import MarketBatch
from tmt.ports.feed import Feed

LINES = (
    "1000,1.10000,1.10010",
    "2000,1.10001,1.10011",
    "2000,1.10001,1.10011",  # duplicate
    "1500,1.20000,1.20010",  # out of order
    "3000,1.10012,1.10002",  # crossed
    "3000,1.10003,1.10003",  # locked
    "4000,0,1.10010",  # non-positive
    "5000,1.10004,1.10014",
    "700000,1.10005,1.10015",  # after a gap
)


def two_days(folder: Path) -> list[Path]:
    second = lean_zip(folder, "20140502_eurusd_tick_quote.csv", *LINES)
    return [second, lean_zip(folder, "20140501_eurusd_tick_quote.csv", *LINES)]


def replay(folder: Path, batch_rows: int = 8192) -> Feed:
    return open_replay(two_days(folder), EURUSD, FEEDS, batch_rows)


def test_files_are_read_in_the_order_of_their_times_and_rows_numbered_densely(tmp_path: Path) -> None:
    rows = rows_of(replay(tmp_path))
    assert [row[0] for row in rows] == list(range(10))
    assert [row[1] for row in rows] == sorted(row[1] for row in rows)
    assert [row[3] for row in rows[:5]] == [110000, 110001, 110003, 110004, 110005]


def test_every_finding_is_counted(tmp_path: Path) -> None:
    feed = replay(tmp_path)
    rows_of(feed)
    found = quality(feed)
    assert (found.rows, found.dropped) == (10, 8)
    assert (found.duplicates, found.out_of_order, found.crossed, found.locked, found.non_positive) == (2, 2, 2, 2, 2)
    assert found.gaps == 3  # one in each day, one between them
    assert [gap.length_ns // 10**9 for gap in found.first_gaps] == [695, 85701, 695]
    assert feed.total_rows() == 18


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("two_days")


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batch_rows=st.integers(1, 12), from_sequence=st.integers(0, 12))
@example(batch_rows=1, from_sequence=0)
@example(batch_rows=5, from_sequence=5)
@example(batch_rows=5, from_sequence=10)
def test_rows_and_quality_do_not_depend_on_batches_or_the_point_of_resuming(
    folder: Path, batch_rows: int, from_sequence: int
) -> None:
    whole = replay(folder)
    expected = rows_of(whole)
    resumed = replay(folder, batch_rows)
    assert rows_of(resumed, from_sequence) == expected[from_sequence:]
    assert resumed.quality == whole.quality


def test_batches_hold_no_more_rows_than_asked_for_and_are_never_empty(tmp_path: Path) -> None:
    sizes = [len(batch) for batch in replay(tmp_path, 3).batches()]
    assert all(1 <= size <= 3 for size in sizes)


@pytest.mark.parametrize(("beyond_ns", "rows"), [(-1, 1), (0, 1), (1, 2)])
def test_reading_stops_before_the_first_row_at_or_after_the_end(tmp_path: Path, beyond_ns: int, rows: int) -> None:
    feed = replay(tmp_path)
    second = rows_of(feed)[1][1]
    stopped = replay(tmp_path)
    assert len(rows_of(stopped, until_ns=second + beyond_ns)) == rows
    assert quality(stopped).rows == rows


def test_a_second_reading_starts_its_counts_anew(tmp_path: Path) -> None:
    feed = replay(tmp_path)
    rows_of(feed)
    first = feed.quality
    rows_of(feed)
    assert feed.quality == first


def test_quality_counts_what_was_delivered_so_far(tmp_path: Path) -> None:
    feed = replay(tmp_path, 2)
    batches = feed.batches()
    delivered = 0
    for _ in range(3):
        batch: MarketBatch = next(iter(batches))
        delivered += len(batch)
        assert quality(feed).rows == delivered


def test_sources_name_files_without_folders_and_with_their_digests(tmp_path: Path) -> None:
    for source in replay(tmp_path).sources:
        assert source.startswith("2014050")
        assert str(tmp_path) not in source
        assert "sha256:" in source
        assert "9 tick quotes" in source


def recording(times: list[int], borders: list[int], first_ns: int, bids: list[int] | None = None) -> Recording:
    """One recording of quotes at these times, read in blocks that end at the borders."""
    time_ns = np.array(times, dtype=np.int64)
    bid = np.array(bids or [100_000 + index for index in range(len(times))], dtype=np.int64)
    no = np.zeros(len(times), dtype=bool)
    rows = raw_rows(time_ns, no, {"bid": bid, "ask": bid + 1}, off_grid=no)

    def read() -> list[Block]:
        ends = [0, *(border for border in borders if 0 < border < len(times)), len(times)]
        return [Block(rows.pick(slice(start, end)), Counter()) for start, end in pairwise(ends)]

    return Recording("made", first_ns, len(times), "made", lambda: iter(read()))


def times_of(*recordings: Recording, until_ns: int | None = None) -> tuple[list[int], int]:
    """Times of the rows that are delivered, and how many were out of order."""
    feed = ReplayFeed(recordings, EURUSD, FEEDS, 8192)
    return [row[1] for row in rows_of(feed, until_ns=until_ns)], quality(feed).out_of_order


def test_a_row_stamped_ahead_is_dropped_and_the_rest_of_the_file_is_not() -> None:
    assert times_of(recording([10, 11, 900, 12, 13, 14], [], 10)) == ([10, 11, 12, 13, 14], 1)


def test_a_late_row_is_dropped_and_the_row_before_it_is_not() -> None:
    assert times_of(recording([10, 11, 9, 12, 13], [], 10)) == ([10, 11, 12, 13], 1)
    assert times_of(recording([10, 13, 12, 14, 15], [], 10)) == ([10, 13, 14, 15], 1)


def test_a_first_row_stamped_ahead_is_dropped() -> None:
    assert times_of(recording([900, 10, 11], [], 10)) == ([10, 11], 1)


def test_a_last_row_stamped_ahead_of_the_next_recording_is_dropped() -> None:
    following = recording([20, 21], [], 20)
    assert times_of(recording([10, 11, 900], [], 10), following) == ([10, 11, 20, 21], 1)
    assert times_of(recording([10, 11, 900, 12], [], 10), following) == ([10, 11, 12, 20, 21], 1)
    assert times_of(recording([10, 11, 20], [], 10), following) == ([10, 11, 20, 20, 21], 0)


def test_nothing_says_that_the_last_rows_of_the_last_recording_are_stamped_ahead() -> None:
    assert times_of(recording([10, 11, 900], [], 10)) == ([10, 11, 900], 0)
    assert times_of(recording([10, 11, 900, 12], [], 10)) == ([10, 11, 900], 1)


def test_a_row_stamped_ahead_of_the_end_does_not_end_the_reading() -> None:
    assert times_of(recording([10, 900, 11, 12, 13], [], 10), until_ns=13) == ([10, 11, 12], 1)


@settings(max_examples=200)
@given(
    first=st.lists(st.integers(0, 12), min_size=1, max_size=12),
    second=st.lists(st.integers(6, 18), min_size=1, max_size=6),
    borders=st.sets(st.integers(1, 11)),
)
@example(first=[1, 9, 2, 3], second=[6], borders={2})
@example(first=[1, 9, 2, 3], second=[6], borders={1, 2, 3})
@example(first=[1, 2, 12], second=[6], borders={2})
def test_rows_dropped_for_their_time_do_not_depend_on_the_cuts_of_blocks(
    first: list[int], second: list[int], borders: set[int]
) -> None:
    def read(cuts: list[int]) -> tuple[list[int], int]:
        other_bids = [100_100 + index for index in range(len(second))]  # so that no row is a duplicate
        return times_of(recording(first, cuts, 0), recording(second, cuts, second[0], other_bids))

    whole = read([])
    assert read(sorted(borders)) == whole
    assert whole[0] == sorted(whole[0])
    assert len(whole[0]) + whole[1] == len(first) + len(second)


SPIKED = (
    "1000,1.10000,1.10010",
    "2000,11.0000,11.0010",  # ten times
    "3000,1.10001,1.10011",
    "4000,0.11000,0.11001",  # a tenth
    "5000,1.10002,11.0002",  # the ask alone
    "6000,1.10003,1.10013",
)


@pytest.mark.parametrize("batch_rows", [1, 2, 5, 8192])
def test_one_bad_quote_reaches_nobody(tmp_path: Path, batch_rows: int) -> None:
    feed = open_replay([lean_zip(tmp_path, "20140501_eurusd_tick_quote.csv", *SPIKED)], EURUSD, FEEDS, batch_rows)
    assert column(feed, "bid") == [110000, 110001, 110003]
    assert (quality(feed).rows, quality(feed).jumps, quality(feed).dropped) == (3, 3, 3)


def test_the_fraction_of_the_symbol_comes_before_the_default(tmp_path: Path) -> None:
    path = lean_zip(tmp_path, "20140501_eurusd_tick_quote.csv", "1000,1.0,1.0", "2000,1.2,1.2", "3000,1.0,1.0")
    part = FEEDS.jump_fraction_max["default"]
    lenient = feeds(jump_fraction_max={"default": part, "EURUSD": 2 * part})
    assert column(open_replay([path], EURUSD, FEEDS), "bid") == [100000, 100000]
    assert column(open_replay([path], EURUSD, lenient), "bid") == [100000, 120000, 100000]


def test_the_last_good_row_of_a_recording_judges_the_next_recording() -> None:
    after_ns = 600 * 10**9  # the longest silence of EURUSD after which a level still says something
    first = recording([0], [], 0, [100_000])
    for start_ns, bids in ((after_ns, [100_000]), (after_ns + 1, [100_000, 200_000])):
        feed = ReplayFeed([first, recording([start_ns], [], start_ns, [200_000])], EURUSD, FEEDS, 8192)
        assert column(feed, "bid") == bids


def test_points_of_bars_farther_apart_than_the_longest_silence_are_not_judged(tmp_path: Path) -> None:
    bars = (
        "20070101 21:00,1.3,1.3,0.13,1.3,0,1.3,1.3,0.13,1.3,0",
        "20070101 22:00,1.3,1.3,1.3,1.3,0,1.3,1.3,1.3,1.3,0",
    )
    feed = open_replay([lean_zip(tmp_path, "eurusd.csv", *bars)], EURUSD, FEEDS)
    assert len(rows_of(feed)) == 8
    assert quality(feed).jumps == 0
