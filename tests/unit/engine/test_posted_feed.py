"""Posted rows come once, in order of time, numbered without gaps, and never more than may wait."""

from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from threading import Thread

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tmt.adapters.clock.system import SystemClock
from tmt.adapters.feed.posted import BATCH_ROWS_MAX, PostedFeed, Rows
from tmt.bootstrap import open_desk
from tmt.domain.instrument import Instrument
from tmt.engine.pace import Arrivals
from tmt.errors import AdapterUnavailable
from tmt.market.batch import COLUMNS, MarketBatch
from tmt.sections import load_config

INSTRUMENTS: tuple[Instrument, ...] = load_config(None).sections["instruments"].instruments


def rows(*times: int, instrument: int = 0, price: int = 0) -> Rows:
    made = np.zeros((len(COLUMNS), len(times)), dtype=np.int64)
    made[0], made[1], made[2], made[3], made[6] = times, instrument, 110_000, 110_002, price
    return made


def feed(rows_waiting_max: int = 1000) -> PostedFeed:
    return PostedFeed(INSTRUMENTS, rows_waiting_max)


def times(batches: list[MarketBatch]) -> list[int]:
    return [time for batch in batches for time in batch.time_ns.tolist()]


def test_rows_of_several_senders_come_in_the_order_of_their_times() -> None:
    posted = feed()
    posted.offer(rows(30, 10))
    posted.offer(rows(20))
    (batch,) = posted.batches(7)
    assert (batch.first_sequence, batch.time_ns.tolist(), batch.symbols) == (7, [10, 20, 30], posted.symbols)
    assert list(posted.batches(10)) == []


def test_rows_that_are_not_due_wait_and_find_their_place_among_later_ones() -> None:
    posted = feed()
    posted.offer(rows(10, 30))
    assert times(list(posted.batches(0, 20))) == [10]
    posted.offer(rows(25, 40))
    assert posted.rows_waiting == 3
    assert times(list(posted.batches(1, 35))) == [25, 30]
    assert times(list(posted.batches(3, 50))) == [40]
    assert posted.quality.notes == ()


def test_a_row_that_comes_late_counts_at_the_time_already_reached_and_is_noted() -> None:
    posted = feed()
    posted.offer(rows(10))
    list(posted.batches(0, 20))
    posted.offer(rows(15, 21))
    assert times(list(posted.batches(1, 30))) == [20, 21]
    assert posted.quality.notes == ("1 rows came late and count at the time that was reached",)


def test_more_rows_than_may_wait_are_refused_whole() -> None:
    posted = feed(rows_waiting_max=3)
    posted.offer(rows(1, 2))
    with pytest.raises(AdapterUnavailable) as caught:
        posted.offer(rows(3, 4))
    assert caught.value.code == "TMT-D014"
    assert posted.rows_waiting == 2
    list(posted.batches(0))
    posted.offer(rows(3, 4, 5))
    assert posted.rows_waiting == 3


def test_quality_counts_quotes_and_trades_by_instrument() -> None:
    posted = feed()
    posted.offer(rows(1, 2, instrument=1))
    posted.offer(rows(3, instrument=1, price=110_001))
    list(posted.batches(0))
    counted = posted.quality.instruments[INSTRUMENTS[1].symbol]
    assert (counted.rows, counted.quotes, counted.trades) == (3, 2, 1)
    assert posted.quality.instruments[INSTRUMENTS[0].symbol].rows == 0


@given(st.lists(st.tuples(st.lists(st.integers(0, 60), min_size=1, max_size=6), st.integers(0, 70)), max_size=8))
@example([([5, 5], 5), ([5], 6)])
def test_every_row_comes_once_in_dense_numbers_and_times_never_fall(posts: list[tuple[list[int], int]]) -> None:
    posted, sequence = feed(), 0
    seen: list[int] = []
    for offered, due in [*posts, ([1], 10**6)]:
        posted.offer(rows(*offered))
        for batch in posted.batches(sequence, due):
            assert batch.first_sequence == sequence
            assert int(batch.time_ns[-1]) < due or due < max([0, *seen])
            sequence += len(batch)
            seen += batch.time_ns.tolist()
    assert sequence == sum(len(offered) for offered, _ in posts) + 1
    assert all(before <= after for before, after in pairwise(seen))
    assert posted.rows_waiting == 0


def test_senders_at_once_lose_nothing() -> None:
    posted = feed(rows_waiting_max=10**6)

    def send() -> None:
        for _ in range(500):
            posted.offer(rows(1, 2))

    senders = [Thread(target=send) for _ in range(4)]
    for sender in senders:
        sender.start()
    found = 0
    while any(sender.is_alive() for sender in senders) or posted.rows_waiting:
        found += sum(len(batch) for batch in posted.batches(found))
    assert found == 4 * 500 * 2


def test_large_posts_are_cut_and_none_of_it_is_lost() -> None:
    posted = feed(rows_waiting_max=10**6)
    posted.offer(rows(*range(BATCH_ROWS_MAX + 10)))
    arrivals = Arrivals(lambda due: posted.batches(0, due), delay_ns=5)
    assert arrivals.due_ns(100) == 95
    first, second = arrivals.rows_before(10**9), arrivals.rows_before(10**9)
    assert first is not None
    assert second is not None
    assert (len(first), len(second), second.first_sequence) == (BATCH_ROWS_MAX, 10, BATCH_ROWS_MAX)
    assert arrivals.rows_before(10**9) is None
    assert not arrivals.ended


def test_a_desk_on_posted_rows_goes_on_where_it_stopped(tmp_path: Path) -> None:
    clock, loaded = SystemClock(), load_config(None)
    present_ns = clock.now_ns()

    def run(first_time_ns: int) -> tuple[int, int, int]:
        posted = feed()
        desk = open_desk(loaded, posted, tmp_path, mode="up", seed=7, clock=clock)
        if desk.log.head() == 0:
            desk.runner.timeline.advance(present_ns)
        try:
            desk.start()
            began = desk.runner.next_sequence
            posted.offer(rows(first_time_ns, first_time_ns + 1))
            for batch in desk.batches():
                desk.take(batch)
            quote = desk.runner.timeline.now_ns
            return began, desk.runner.next_sequence, quote
        finally:
            desk.close()

    assert run(present_ns + 10) == (0, 2, present_ns + 11)
    assert run(present_ns + 20) == (2, 4, present_ns + 21)
    assert INSTRUMENTS[0].price_quantum == Decimal("0.00001")
