"""Bars are those of a brute-force reference, however the rows are cut, compiled or not."""

from datetime import datetime
from itertools import pairwise

from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.unit.market.tape import (
    NEVER_NS,
    SECOND_NS,
    Row,
    batch_of,
    close_until,
    fold,
    make_instrument,
    order,
    reference,
)
from tmt.market.bar import Bar, Timeframe
from tmt.market.bars import Bars

NEW_YORK = make_instrument("NY", "America/New_York", "17:00")
KOLKATA = make_instrument("KOL", "Asia/Kolkata", "00:00")
LONDON = make_instrument("LON", "Europe/London", "00:00")
INSTRUMENTS = (NEW_YORK, KOLKATA, LONDON)
SYMBOLS = tuple(instrument.symbol for instrument in INSTRUMENTS)
TRADES = frozenset({"KOL"})
ALL = tuple(Timeframe)


def utc(text: str) -> int:
    return int(datetime.fromisoformat(text + "+00:00").timestamp()) * SECOND_NS


STARTS = [
    utc("2014-03-08T20:00:00"),
    utc("2014-11-01T20:00:00"),
    utc("2014-10-25T23:30:00"),
    utc("2014-06-03T18:29:58"),
]
STEPS = st.one_of(
    st.sampled_from([0, 1, SECOND_NS // 2, SECOND_NS, 60 * SECOND_NS, 3600 * SECOND_NS, 86400 * SECOND_NS]),
    st.integers(0, 10 * SECOND_NS),
    st.integers(0, 30 * 3600 * SECOND_NS),
)


@st.composite
def tapes(draw: st.DrawFn) -> list[Row]:
    time_ns = draw(st.sampled_from(STARTS))
    rows = []
    for _ in range(draw(st.integers(1, 40))):
        time_ns += draw(STEPS)
        bid = draw(st.integers(100, 110))
        is_trade = draw(st.booleans())
        price, size = (draw(st.integers(100, 112)), draw(st.integers(0, 5))) if is_trade else (0, 0)
        rows.append(Row(time_ns, draw(st.integers(0, 2)), bid, bid + draw(st.integers(0, 2)), price, size))
    return rows


def bars_of(rows: list[Row], cuts: list[int], timeframes: tuple[Timeframe, ...], *, compiled: bool = True) -> list[Bar]:
    bars = Bars(INSTRUMENTS, timeframes, TRADES)
    edges = [0, *sorted(cut % (len(rows) + 1) for cut in cuts), len(rows)]
    batches = [batch_of(rows[start:stop], SYMBOLS, start) for start, stop in pairwise(edges) if start < stop]
    return fold(bars, batches, compiled=compiled) + close_until(bars, NEVER_NS)


FRAMES = st.sampled_from(
    [ALL, (Timeframe.S1,), (Timeframe.M1, Timeframe.D1), (Timeframe.H4, Timeframe.D1), (Timeframe.D1,), ALL[4:]]
)
A_DAY = [
    Row(utc("2014-03-09T22:00:00") + hour * 3600 * SECOND_NS, 0, 100 + hour * 7 % 11, 112) for hour in range(-26, 26)
]


@settings(max_examples=60)
@given(tapes(), FRAMES)
@example(A_DAY, ALL)
@example([Row(STARTS[0], 0, 100, 101), Row(STARTS[0] + SECOND_NS, 0, 105, 106)], ALL)
@example([Row(STARTS[0], 1, 100, 101)], ALL)
def test_bars_are_those_of_the_reference(rows: list[Row], timeframes: tuple[Timeframe, ...]) -> None:
    assert sorted(bars_of(rows, [], timeframes), key=order) == reference(rows, INSTRUMENTS, timeframes, TRADES)


@settings(max_examples=60)
@given(tapes(), st.lists(st.integers(0, 100), max_size=6), FRAMES)
@example(A_DAY, list(range(52)), ALL)
def test_where_batches_are_cut_changes_no_bar(
    rows: list[Row], cuts: list[int], timeframes: tuple[Timeframe, ...]
) -> None:
    assert bars_of(rows, cuts, timeframes) == bars_of(rows, [], timeframes)


@settings(max_examples=40)
@given(tapes(), FRAMES)
@example(A_DAY, ALL)
def test_the_compiled_scan_and_the_plain_function_give_the_same_bars(
    rows: list[Row], timeframes: tuple[Timeframe, ...]
) -> None:
    assert bars_of(rows, [], timeframes) == bars_of(rows, [], timeframes, compiled=False)


@settings(max_examples=40)
@given(tapes(), st.integers(0, 40))
@example(A_DAY, 26)
def test_bars_go_on_from_a_snapshot_as_if_never_interrupted(rows: list[Row], cut: int) -> None:
    cut = min(cut, len(rows))
    first = Bars(INSTRUMENTS, ALL, TRADES)
    before = fold(first, [batch_of(rows[:cut], SYMBOLS)])
    second = Bars(INSTRUMENTS, ALL, TRADES)
    second.restore(first.snapshot())
    after = fold(second, [batch_of(rows[cut:], SYMBOLS, cut)]) + close_until(second, NEVER_NS)
    assert before + after == bars_of(rows, [], ALL)
