"""When slices are due: each at its time, in its place among what happens at one instant, whatever interrupts."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from tests.unit.core import samples
from tests.unit.core.test_timeline import Loop, row, seconds
from tmt import messages as m
from tmt.domain.money import decode_hook
from tmt.domain.schedule import Algorithm, Schedule, Slice
from tmt.market.bar import Timeframe
from tmt.timeline import TimelineSnapshot

QUIET = (Timeframe.D1,)


def started(*due: float, order_id: str = "parent", at: float = 0) -> m.ScheduleStarted:
    schedule = Schedule(
        algorithm=Algorithm.TWAP, slices=tuple(Slice(seconds(each), Decimal(1)) for each in due), seed=order_id
    )
    order = samples.make_order(order_id, schedule=schedule)
    return m.ScheduleStarted.root("execution", seconds(at), order_id, order=order, arrival_price=Decimal(1))


def ended(order_id: str = "parent") -> m.ScheduleEnded:
    return m.ScheduleEnded.root("execution", 0, **{**samples.FIELDS[m.ScheduleEnded], "order_id": order_id})


def slices(loop: Loop) -> list[tuple[str, int, float]]:
    """(order, number, seconds since the start) of every slice said to be due."""
    return [
        (each.order_id, each.number, (each.occurred_at_ns - seconds(0)) / 10**9)
        for each in loop.said
        if isinstance(each, m.SliceDue)
    ]


def kinds(loop: Loop) -> list[str]:
    return [type(each).__name__ for each in loop.said]


def test_each_slice_is_due_at_its_time_and_once() -> None:
    loop = Loop(timeframes=QUIET)
    assert loop.timeline.handle(started(0, 30, 45)) == []
    loop.until(seconds(29.999))
    assert slices(loop) == [("parent", 0, 0)]
    loop.until(seconds(30)).until(seconds(500))
    assert slices(loop) == [("parent", 0, 0), ("parent", 1, 30), ("parent", 2, 45)]
    assert not loop.timeline.is_due(seconds(10_000))


def test_a_slice_names_the_account_and_follows_from_the_start_of_its_schedule() -> None:
    loop = Loop(timeframes=QUIET)
    start = started(5)
    loop.timeline.handle(start)
    [due] = loop.until(seconds(5)).said
    assert isinstance(due, m.SliceDue)
    assert (due.account, due.source) == ("alpha", "market")
    assert (due.causation_id, due.correlation_id) == (start.message_id, start.correlation_id)


def test_a_slice_is_never_due_before_its_schedule_starts() -> None:
    loop = Loop(timeframes=QUIET)
    loop.timeline.handle(started(10, 20, 40, at=30))
    assert loop.timeline.is_due(seconds(30))
    assert not loop.timeline.is_due(seconds(30) - 1)
    loop.until(seconds(60))
    assert slices(loop) == [("parent", 0, 30), ("parent", 1, 30), ("parent", 2, 40)]


def test_after_the_end_no_slice_is_due() -> None:
    loop = Loop(timeframes=QUIET)
    loop.timeline.handle(started(0, 30))
    loop.timeline.handle(started(10, order_id="other"))
    loop.until(seconds(0))
    assert loop.timeline.handle(ended()) == []
    assert loop.timeline.handle(ended("unknown")) == []
    loop.until(seconds(60))
    assert slices(loop) == [("parent", 0, 0), ("other", 0, 10)]


def test_of_two_that_are_due_at_once_the_one_that_started_first_comes_first() -> None:
    loop = Loop(timeframes=QUIET)
    loop.timeline.handle(started(10, 20, order_id="b"))
    loop.timeline.handle(started(10, 15, order_id="a"))
    loop.until(seconds(60))
    assert slices(loop) == [("b", 0, 10), ("a", 0, 10), ("a", 1, 15), ("b", 1, 20)]


def test_at_one_instant_slices_come_after_bars_and_stale_feeds_and_before_the_venue_and_the_row() -> None:
    loop = Loop(due=(seconds(300),), bounds={"BBB": (-1, 150)})
    loop.timeline.handle(started(300))
    loop.see(row(210, 0), row(210, 1), row(300, 1, 140, 150))
    assert kinds(loop)[2:] == [
        *["BarClosed"] * 2,
        *["FeedStale"] * 2,
        "SliceDue",
        "CancelRejected",
        "FeedGapFound",
        "FeedRecovered",
        "CancelRejected",
    ]


@pytest.mark.parametrize("oracle", [False, True])
def test_rows_between_slices_are_folded_as_ever(oracle: bool) -> None:
    loop = Loop(timeframes=QUIET, oracle=oracle)
    loop.timeline.handle(started(1.5, 2))
    loop.see(*(row(each) for each in (0, 1, 2, 3)))
    assert slices(loop) == [("parent", 0, 1.5), ("parent", 1, 2)]
    assert loop.timeline.now_ns == seconds(3)


def test_a_schedule_that_starts_while_time_passes_is_heard_at_once() -> None:
    loop = Loop(timeframes=(Timeframe.M1,))
    emit = loop.said.append

    def start_at_the_first_bar(message: m.Message) -> None:
        emit(message)
        if isinstance(message, m.BarClosed) and len(loop.said) == 1:
            loop.timeline.handle(started(60, 61, at=60))

    loop.timeline._emit = start_at_the_first_bar
    loop.see(row(0), row(59), row(62))
    assert slices(loop) == [("parent", 0, 60), ("parent", 1, 61)]


@pytest.mark.parametrize("cut", [0, 10, 15, 20, 40])
def test_alarms_survive_a_snapshot(cut: int) -> None:
    def begun() -> Loop:
        loop = Loop(timeframes=QUIET)
        loop.timeline.handle(started(10, 20, 30, order_id="b"))
        loop.timeline.handle(started(10, 15, order_id="a"))
        return loop

    whole = slices(begun().until(seconds(60)))
    first = begun().until(seconds(cut))
    saved = msgspec.json.decode(
        msgspec.json.encode(first.timeline.snapshot()), type=TimelineSnapshot, dec_hook=decode_hook
    )
    second = Loop(timeframes=QUIET)
    second.timeline.restore(saved)
    second.until(seconds(60))
    assert slices(first) + slices(second) == whole


def test_other_messages_are_not_for_the_timeline() -> None:
    with pytest.raises(AssertionError, match="TimeAdvanced"):
        Loop().timeline.handle(m.TimeAdvanced.root("desk", 0))
