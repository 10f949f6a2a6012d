"""The checks on market data: each finding, its policy, and open hours."""

from datetime import UTC, datetime
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tmt.domain.session import SessionHours
from tmt.market.open_hours import DAY_NS, MINUTE_NS, OpenHours
from tmt.market.quality import DROPPED, Inspector, InstrumentQuality, RawRows

FX = SessionHours(time_zone="America/New_York", open=("sun 17:00 - fri 17:00",), day_starts_at="17:00")
ALWAYS = SessionHours(time_zone="UTC", open=(), day_starts_at="00:00")
CASH = SessionHours(
    time_zone="America/New_York", open=("mon-fri 09:30 - 16:00",), day_starts_at="00:00", holidays=("2014-07-04",)
)
LIMIT_NS = 10 * MINUTE_NS


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 10**9


def rows(*given_rows: tuple[int, int, int, int]) -> RawRows:
    """Rows of (time, bid, ask, price); a price of 0 makes a quote."""
    time_ns, bid, ask, price = (np.array(column, dtype=np.int64) for column in zip(*given_rows, strict=True))
    zero, no = np.zeros(len(price), dtype=np.int64), np.zeros(len(price), dtype=bool)
    return RawRows(time_ns, bid, ask, zero, zero, price, zero, zero, price != 0, no, no)


def quotes(*times_ns: int) -> RawRows:
    return rows(*((time_ns, 10 + index, 12 + index, 0) for index, time_ns in enumerate(times_ns)))


def inspected(*given_rows: tuple[int, int, int, int]) -> tuple[list[int], InstrumentQuality]:
    inspector = Inspector(ALWAYS, LIMIT_NS, 5)
    kept = inspector.inspect(rows(*given_rows))
    return kept.time_ns.tolist(), inspector.quality


def gaps(hours: SessionHours, *times_ns: int) -> list[tuple[int, int]]:
    inspector = Inspector(hours, LIMIT_NS, 5)
    inspector.inspect(quotes(*times_ns))
    assert inspector.quality.gaps == len(inspector.quality.first_gaps)
    return [(gap.from_ns, gap.to_ns) for gap in inspector.quality.first_gaps]


@pytest.mark.parametrize(
    ("bid", "ask", "finding", "kept"),
    [
        (10, 11, "", True),
        (10, 10, "locked", True),
        (11, 10, "crossed", False),
        (0, 10, "non_positive", False),
        (10, 0, "non_positive", False),
        (-1, 10, "non_positive", False),
        (1, 1, "locked", True),
    ],
)
def test_a_quote_is_kept_or_dropped_and_counted_under_one_name(bid: int, ask: int, finding: str, kept: bool) -> None:
    times, found = inspected((1, bid, ask, 0))
    assert times == ([1] if kept else [])
    counted = {name for name in (*DROPPED, "locked") if getattr(found, name)}
    assert counted == ({finding} if finding else set())
    assert (found.rows, found.quotes, found.dropped) == ((1, 1, 0) if kept else (0, 0, 1))


@pytest.mark.parametrize(("price", "kept"), [(1, True), (-1, False)])
def test_a_trade_that_knows_no_quote_is_judged_by_its_price(price: int, kept: bool) -> None:
    times, found = inspected((1, 0, 0, price))
    assert (bool(times), found.trades, found.non_positive) == (kept, int(kept), int(not kept))


def test_a_row_below_the_latest_time_is_out_of_order_and_one_at_it_is_not() -> None:
    times, found = inspected((5, 10, 12, 0), (5, 11, 12, 0), (4, 11, 12, 0), (6, 11, 12, 0), (5, 9, 12, 0))
    assert times == [5, 5, 6]
    assert found.out_of_order == 2


def test_a_dropped_row_does_not_move_the_latest_time() -> None:
    times, found = inspected((5, 10, 12, 0), (900, 12, 10, 0), (6, 10, 12, 0))
    assert times == [5, 6]
    assert (found.crossed, found.out_of_order) == (1, 0)


def test_a_quote_equal_to_its_predecessor_is_a_duplicate_but_a_later_one_is_not() -> None:
    times, found = inspected((5, 10, 12, 0), (5, 10, 12, 0), (5, 10, 12, 0), (6, 10, 12, 0))
    assert times == [5, 6]
    assert found.duplicates == 2


def test_a_trade_equal_to_its_predecessor_is_kept_and_counted() -> None:
    times, found = inspected((5, 10, 12, 11), (5, 10, 12, 11))
    assert times == [5, 5]
    assert (found.repeated_trades, found.duplicates) == (1, 0)


@pytest.mark.parametrize(("beyond_ns", "found"), [(-1, 0), (0, 0), (1, 1)])
def test_a_gap_is_longer_than_the_limit(beyond_ns: int, found: int) -> None:
    assert len(gaps(ALWAYS, 0, LIMIT_NS + beyond_ns)) == found


def test_a_closed_session_is_no_gap() -> None:
    friday_close, sunday_open = at("2014-05-02T21:00"), at("2014-05-04T21:00")
    assert gaps(FX, friday_close - MINUTE_NS, sunday_open + MINUTE_NS) == []


def test_only_the_open_part_of_a_silence_is_a_gap() -> None:
    friday_close, sunday_open = at("2014-05-02T21:00"), at("2014-05-04T21:00")
    silence = gaps(FX, friday_close - 20 * MINUTE_NS, sunday_open + 11 * MINUTE_NS)
    assert silence == [(friday_close - 20 * MINUTE_NS, friday_close), (sunday_open, sunday_open + 11 * MINUTE_NS)]


def test_the_open_of_a_week_follows_daylight_saving() -> None:
    winter_open = at("2014-01-05T22:00")
    assert gaps(FX, at("2014-01-03T22:00"), winter_open + LIMIT_NS) == []
    assert gaps(FX, at("2014-01-03T22:00"), winter_open + LIMIT_NS + 1) == [(winter_open, winter_open + LIMIT_NS + 1)]


def test_a_holiday_is_no_gap() -> None:
    assert gaps(CASH, at("2014-07-03T20:00"), at("2014-07-07T13:30")) == []
    assert len(gaps(CASH, at("2014-07-10T20:00"), at("2014-07-14T13:30"))) == 1


def test_only_the_first_gaps_are_kept_but_all_are_counted_and_the_longest_is_known() -> None:
    inspector = Inspector(ALWAYS, LIMIT_NS, 1)
    inspector.inspect(quotes(0, 2 * LIMIT_NS, 5 * LIMIT_NS))
    found = inspector.quality
    assert (found.gaps, len(found.first_gaps)) == (2, 1)
    assert found.longest_gap is not None
    assert found.longest_gap.length_ns == 3 * LIMIT_NS


ROW = st.tuples(st.integers(0, 3), st.integers(-1, 3), st.integers(0, 3), st.sampled_from([0, 0, 1, 2]))


@given(data=st.lists(ROW, min_size=1, max_size=20), size=st.integers(1, 20))
@example(data=[(2, 1, 2, 0), (2, 1, 2, 0), (1, 1, 2, 0)], size=1)
@example(data=[(2, 2, 1, 0), (1, 1, 2, 0)], size=1)
def test_block_borders_change_nothing_and_every_row_is_delivered_or_counted(
    data: list[tuple[int, int, int, int]], size: int
) -> None:
    stretched = [(time * LIMIT_NS, bid, ask, price) for time, bid, ask, price in data]
    at_once, in_blocks = Inspector(ALWAYS, LIMIT_NS, 5), Inspector(ALWAYS, LIMIT_NS, 5)
    whole = at_once.inspect(rows(*stretched)).time_ns.tolist()
    parts = [stretched[start : start + size] for start in range(0, len(stretched), size)]
    pieces = [time_ns for part in parts for time_ns in in_blocks.inspect(rows(*part)).time_ns.tolist()]
    assert whole == pieces == sorted(whole)
    assert at_once.quality == in_blocks.quality
    assert at_once.quality.rows + at_once.quality.dropped == len(data)


@given(day=st.integers(16_000, 16_400), minute=st.integers(0, 1439), hours=st.sampled_from([FX, ALWAYS, CASH]))
@example(day=16_138, minute=1265, hours=FX)  # 2014-03-09: the clock went forward, so the week opens at 21:00
@example(day=16_255, minute=900, hours=CASH)  # 2014-07-04: a holiday
@example(day=16_254, minute=900, hours=CASH)
def test_the_open_minutes_of_a_day_are_those_of_the_session(day: int, minute: int, hours: SessionHours) -> None:
    open_hours = OpenHours(hours)
    open_hours.minutes(day - 7)
    assert open_hours.minutes(day)[minute] == hours.is_open(day * DAY_NS + minute * MINUTE_NS)


@settings(max_examples=40)
@given(start=st.integers(0, 20_000), length=st.integers(1, 4_000), hours=st.sampled_from([FX, ALWAYS, CASH]))
@example(start=0, length=10_080, hours=FX)
def test_open_stretches_hold_every_open_minute_and_no_other(start: int, length: int, hours: SessionHours) -> None:
    monday = at("2014-06-30T00:00")
    from_ns, to_ns = monday + start * MINUTE_NS, monday + (start + length) * MINUTE_NS
    found = list(OpenHours(hours).stretches(from_ns, to_ns))
    covered = sum(end - begin for begin, end in found) // MINUTE_NS
    assert covered == sum(hours.is_open(from_ns + minute * MINUTE_NS) for minute in range(length))
    assert all(from_ns <= begin < end <= to_ns for begin, end in found)
    assert all(earlier[1] < later[0] for earlier, later in pairwise(found))
