"""The checks on market data: each finding, its policy, and open hours."""

from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tmt.domain.session import DAY_NS, SessionHours
from tmt.market.open_hours import MINUTE_NS, open_minutes
from tmt.market.quality import DROPPED, Inspector, InstrumentQuality, JumpFilter, JumpLimits, RawRows, stamped_ahead

FX = SessionHours(time_zone="America/New_York", open=("sun 17:00 - fri 17:00",), day_starts_at="17:00")
ALWAYS = SessionHours(time_zone="UTC", open=(), day_starts_at="00:00")
CASH = SessionHours(
    time_zone="America/New_York", open=("mon-fri 09:30 - 16:00",), day_starts_at="00:00", holidays=("2014-07-04",)
)
LIMIT_NS = 10 * MINUTE_NS
A_TENTH = JumpLimits(Decimal("0.1"), 3, LIMIT_NS)
LENIENT = JumpLimits(Decimal(1), 1, LIMIT_NS)


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
    inspector = Inspector(ALWAYS, LIMIT_NS, 5, LENIENT)
    kept = inspector.inspect(rows(*given_rows))
    return kept.time_ns.tolist(), inspector.quality


def gaps(hours: SessionHours, *times_ns: int) -> list[tuple[int, int]]:
    inspector = Inspector(hours, LIMIT_NS, 5, LENIENT)
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
    inspector = Inspector(ALWAYS, LIMIT_NS, 1, LENIENT)
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
    at_once, in_blocks = (Inspector(ALWAYS, LIMIT_NS, 5, JumpLimits(Decimal(1), 2, LIMIT_NS)) for _ in range(2))
    whole = at_once.inspect(rows(*stretched)).time_ns.tolist()
    parts = [stretched[start : start + size] for start in range(0, len(stretched), size)]
    pieces = [time_ns for part in parts for time_ns in in_blocks.inspect(rows(*part)).time_ns.tolist()]
    assert whole == pieces == sorted(whole)
    assert at_once.quality == in_blocks.quality
    assert at_once.quality.rows + at_once.quality.dropped == len(data)


def filtered(*given_rows: tuple[int, int, int, int], limits: JumpLimits = A_TENTH) -> list[bool]:
    """Which of the rows pass the filter of jumps alone."""
    return [bool(each) for each in JumpFilter(limits).passing(rows(*given_rows))]


def at_mids(*mids: int) -> list[bool]:
    """Which of these quotes, one a second, pass."""
    return filtered(*((second * 10**9, mid - 1, mid + 1, 0) for second, mid in enumerate(mids)))


@pytest.mark.parametrize(
    ("row", "passes"),
    [
        ((1, 1099, 1100, 0), True),
        ((1, 1100, 1101, 0), False),
        ((1, 900, 901, 0), True),
        ((1, 899, 900, 0), False),
        ((1, 900, 1100, 0), True),
        ((1, 899, 1100, 0), False),
        ((1, 900, 1101, 0), False),
        ((1, 0, 0, 1100), True),
        ((1, 0, 0, 1101), False),
        ((1, 0, 0, 900), True),
        ((1, 0, 0, 899), False),
        ((1, 999, 1001, 1101), False),
        ((1, 1100, 1101, 1000), False),
        ((1, 2**62, 2**62, 2**62), False),
    ],
)
def test_a_price_may_lie_as_far_from_the_mid_of_the_last_good_row_as_the_fraction_and_no_farther(
    row: tuple[int, int, int, int], passes: bool
) -> None:
    assert filtered((0, 999, 1001, 0), row) == [True, passes]
    assert filtered((0, 0, 0, 1000), row) == [True, passes]  # a trade that knows no quote: its price is the level


def test_a_mid_between_two_quanta_is_not_rounded() -> None:
    assert filtered((0, 9, 10, 0), (1, 0, 0, 10), limits=JumpLimits(Decimal("0.052631"), 3, 1)) == [True, False]
    assert filtered((0, 9, 10, 0), (1, 0, 0, 10), limits=JumpLimits(Decimal("0.052632"), 3, 1)) == [True, True]


@pytest.mark.parametrize("part", ["0.1", "1"])
def test_no_price_is_too_large_to_judge(part: str) -> None:
    quote, trade = (2**62, 2**62, 0), (0, 0, 2**62)
    given_rows = ((0, *quote), (1, *trade), (2, *quote))
    assert filtered(*given_rows, limits=JumpLimits(Decimal(part), 3, 1)) == [True, True, True]


def test_a_spike_of_one_row_is_dropped() -> None:
    assert at_mids(1000, 10_000, 1001, 1002) == [True, False, True, True]


def test_a_spike_of_two_rows_is_dropped() -> None:
    assert at_mids(1000, 10_000, 10_001, 1001, 1002) == [True, False, False, True, True]


def test_the_third_row_at_a_new_level_makes_it_real() -> None:
    assert at_mids(1000, 1200, 1201, 1199, 1200, 1000) == [True, False, False, True, True, False]


def test_a_row_at_the_old_level_starts_the_count_anew() -> None:
    assert at_mids(1000, 1200, 1200, 1000, 1200, 1200, 1200) == [True, False, False, True, False, False, True]


def test_rows_that_are_far_from_one_another_confirm_nothing() -> None:
    assert at_mids(1000, 1200, 1500, 2000, 3000, 1500) == [True, *[False] * 5]
    assert at_mids(1000, 1200, 1500, 1501, 1502) == [True, False, False, False, True]


def test_a_run_goes_on_from_its_rows_that_are_near_the_newest() -> None:
    # 1200 and 1325 are too far from one another, 1260 is near both.
    assert at_mids(1000, 1200, 1260, 1325, 1330) == [True, False, False, False, True]


def test_quotes_wider_than_the_limit_confirm_nothing() -> None:
    assert filtered((0, 999, 1001, 0), *((second, 1000, 10_000, 0) for second in range(1, 9))) == [True, *[False] * 8]


def test_the_same_quote_again_confirms_nothing() -> None:
    inspector = Inspector(ALWAYS, LIMIT_NS, 5, A_TENTH)
    kept = inspector.inspect(rows((0, 999, 1001, 0), *[(1, 9999, 10_001, 0)] * 5, (2, 999, 1001, 0)))
    assert kept.time_ns.tolist() == [0, 2]
    assert (inspector.quality.jumps, inspector.quality.duplicates, inspector.quality.dropped) == (1, 4, 5)


@pytest.mark.parametrize(("beyond_ns", "passes"), [(-1, False), (0, False), (1, True)])
def test_after_a_longer_silence_any_level_passes(beyond_ns: int, passes: bool) -> None:
    late_ns = LIMIT_NS + beyond_ns
    assert filtered((0, 999, 1001, 0), (late_ns, 9999, 10_001, 0)) == [True, passes]
    # The spike in between is no good row: silence is counted from the one before it.
    assert filtered((0, 999, 1001, 0), (5, 9999, 10_001, 0), (late_ns, 4999, 5001, 0)) == [True, False, passes]


def test_a_jump_is_no_row_so_the_silence_around_it_is_a_gap() -> None:
    inspector = Inspector(ALWAYS, LIMIT_NS, 5, A_TENTH)
    inspector.inspect(rows((0, 999, 1001, 0), (LIMIT_NS, 9999, 10_001, 0), (LIMIT_NS + 1, 999, 1001, 0)))
    assert (inspector.quality.rows, inspector.quality.jumps, inspector.quality.gaps) == (2, 1, 1)


def one_by_one(given_rows: list[tuple[int, int, int, int]], limits: JumpLimits) -> list[bool]:
    """The rule as it reads, without vectors."""
    good: tuple[int, Fraction] | None = None
    run: list[Fraction] = []
    passed = []
    for time_ns, bid, ask, price in given_rows:
        prices = [each for each in (bid, ask, price) if each]
        level = Fraction(bid + ask, 2) if bid else Fraction(price)

        def near(reference: Fraction, prices: list[int] = prices) -> bool:
            return all(abs(each - reference) <= Fraction(limits.fraction_max) * reference for each in prices)

        passes = good is None or time_ns - good[0] > limits.reference_ns_max or near(good[1])
        if not passes:
            while not all(near(each) for each in run):
                run = run[1:]
            run = [*run, level]
            passes = len(run) == limits.rows_to_confirm
        if passes:
            good, run = (time_ns, level), []
        passed.append(passes)
    return passed


PRICE = st.sampled_from([9, 10, 11, 12, 100, 109, 110, 111, 121, 1000])
JUMPY = st.tuples(st.integers(0, 2), PRICE, st.integers(0, 2), st.sampled_from([0, 0, 1, 2, 3]))


@given(
    data=st.lists(JUMPY, min_size=1, max_size=30),
    cuts=st.sets(st.integers(1, 29)),
    confirm=st.integers(1, 4),
    part=st.sampled_from(["0.1", "0.000001", "0.333333", "1"]),
)
@example(data=[(1, 100, 2, 0), (1, 1000, 2, 0), (1, 1000, 2, 0), (1, 1000, 2, 0)], cuts={2}, confirm=3, part="0.1")
@example(data=[(1, 100, 2, 0), (1, 1000, 2, 0), (1, 100, 2, 0), (1, 1000, 2, 0)], cuts={1, 2, 3}, confirm=2, part="0.1")
def test_jumps_are_those_of_the_rule_however_the_rows_are_cut(
    data: list[tuple[int, int, int, int]], cuts: set[int], confirm: int, part: str
) -> None:
    limits = JumpLimits(Decimal(part), confirm, 3)
    time_ns = 0
    given_rows = []
    for step, bid, spread, kind in data:
        time_ns += step
        quote = (0, 0) if kind == 3 else (bid, bid + spread)
        given_rows.append((time_ns, *quote, 0 if kind == 0 else bid + kind))
    whole = JumpFilter(limits).passing(rows(*given_rows)).tolist()
    in_blocks = JumpFilter(limits)
    borders = [0, *sorted(cut for cut in cuts if cut < len(data)), len(data)]
    pieces = [in_blocks.passing(rows(*given_rows[start:end])).tolist() for start, end in pairwise(borders)]
    assert whole == [each for piece in pieces for each in piece] == one_by_one(given_rows, limits)


@pytest.mark.parametrize(
    ("times", "ahead"),
    [
        ([10, 90, 11, 12], [1]),  # stamped ahead
        ([10, 90, 10, 10], [1]),
        ([10, 12, 11, 12, 13], []),  # one late row, which is itself the outlier
        ([10, 12, 11, 11, 13], [1]),
        ([10, 90, 9, 12, 13], []),  # the row after it is earlier than the one before it
        ([10, 90, 12, 9, 13], []),
        ([90, 11, 12], [0]),
        ([10, 11, 11, 11], []),
        ([10, 90, 11], []),  # the last two are not judged
        ([10], []),
    ],
)
def test_a_row_is_stamped_ahead_when_the_two_after_it_go_on_from_the_one_before(
    times: list[int], ahead: list[int]
) -> None:
    assert np.flatnonzero(stamped_ahead(np.array(times), 0)).tolist() == ahead


def test_a_first_row_goes_on_from_the_time_before() -> None:
    times = np.array([90, 11, 12])
    assert stamped_ahead(times, 11).tolist() == [True]
    assert stamped_ahead(times, 12).tolist() == [False]


@given(day=st.integers(16_000, 16_400), minute=st.integers(0, 1439), hours=st.sampled_from([FX, ALWAYS, CASH]))
@example(day=16_138, minute=1265, hours=FX)  # 2014-03-09: the clock went forward, so the week opens at 21:00
@example(day=16_255, minute=900, hours=CASH)  # 2014-07-04: a holiday
@example(day=16_254, minute=900, hours=CASH)
def test_the_open_minutes_of_a_day_are_those_of_the_session(day: int, minute: int, hours: SessionHours) -> None:
    assert open_minutes(hours, day)[minute] == hours.is_open(day * DAY_NS + minute * MINUTE_NS)


@settings(max_examples=40)
@given(start=st.integers(0, 20_000), length=st.integers(1, 4_000), hours=st.sampled_from([FX, ALWAYS, CASH]))
@example(start=0, length=10_080, hours=FX)
def test_open_stretches_hold_every_open_minute_and_no_other(start: int, length: int, hours: SessionHours) -> None:
    monday = at("2014-06-30T00:00")
    from_ns, to_ns = monday + start * MINUTE_NS, monday + (start + length) * MINUTE_NS
    found = list(hours.stretches(from_ns, to_ns))
    covered = sum(end - begin for begin, end in found) // MINUTE_NS
    assert covered == sum(hours.is_open(from_ns + minute * MINUTE_NS) for minute in range(length))
    assert all(from_ns <= begin < end <= to_ns for begin, end in found)
    assert all(earlier[1] < later[0] for earlier, later in pairwise(found))
