"""The replay feed: dense numbers, resuming, stopping, and the same rows however they are cut."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.unit.feed.given import EURUSD, FEEDS, lean_zip, quality, rows_of
from tmt.adapters.feed.opening import open_replay
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
