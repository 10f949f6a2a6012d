"""Rows come when their time has come, whole and in order, however the feed cuts them."""

import itertools
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tmt.engine.pace import Pace
from tmt.market.batch import COLUMNS, MarketBatch

TIMES = [10, 20, 20, 30, 45, 60]


def batches(times: list[int], cuts: list[int]) -> Iterator[MarketBatch]:
    columns = {name: np.zeros(len(times), dtype=np.int64) for name, _ in COLUMNS}
    columns["time_ns"] = np.array(times, dtype=np.int64)
    whole = MarketBatch(symbols=("A",), first_sequence=0, **columns)
    borders = sorted({0, *(cut for cut in cuts if 0 < cut < len(times)), len(times)})
    for start, stop in itertools.pairwise(borders):
        yield whole.rows(start, stop)


def pace(cuts: list[int], speed: float = 1) -> Pace:
    return Pace(batches(TIMES, cuts), event_start_ns=10, wall_start_ns=1000, speed=speed)


@pytest.mark.parametrize(("wall_ns", "due_ns"), [(1000, 10), (1001, 12), (1500, 1010)])
def test_event_time_runs_at_the_speed_asked_for(wall_ns: int, due_ns: int) -> None:
    assert pace([], speed=2).due_ns(wall_ns) == due_ns


@pytest.mark.parametrize(("due_ns", "times"), [(10, []), (11, [10]), (20, [10]), (21, [10, 20, 20]), (99, TIMES)])
def test_rows_below_the_due_time_come_and_no_others(due_ns: int, times: list[int]) -> None:
    batch = pace([]).rows_before(due_ns)
    assert ([] if batch is None else batch.time_ns.tolist()) == times


@given(st.lists(st.integers(0, 6), max_size=4), st.lists(st.integers(0, 70), max_size=6))
@example([3], [20, 21])
@example([1, 2, 3], [60, 61])
def test_every_row_comes_once_and_in_order_whatever_the_cuts(cuts: list[int], dues: list[int]) -> None:
    paced = pace(cuts)
    taken: list[MarketBatch] = []
    for due_ns in [*sorted(dues), 100]:
        while (batch := paced.rows_before(due_ns)) is not None:
            assert int(batch.time_ns[-1]) < due_ns
            taken.append(batch)
    assert [time for batch in taken for time in batch.time_ns.tolist()] == TIMES
    assert [batch.first_sequence for batch in taken] == [
        sum(len(before) for before in taken[:index]) for index in range(len(taken))
    ]
    assert paced.ended
