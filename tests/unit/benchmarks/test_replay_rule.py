"""The order rule of the replay benchmark gives the orders it says, and the desk fills every one."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.peers.tmt_replay import check, open_benchmark, trade
from tmt import messages as m
from tmt.bootstrap import Desk
from tmt.domain.order import Side

TICKS = 2000
TUESDAY_NS = 1_399_334_400_000_000_000


def quotes() -> dict[str, NDArray[np.int64]]:
    number = np.arange(TICKS, dtype=np.int64)
    bid = 139_000 + number * 7 % 50
    return {"time_ns": TUESDAY_NS + number * 1_000_000_000, "bid": bid, "ask": bid + 2}


def traded(book: Path, every: int, *, one_row_at_a_time: bool = False) -> tuple[Desk, int]:
    desk = open_benchmark(quotes(), book, one_row_at_a_time=one_row_at_a_time)
    desk.start()
    return desk, trade(desk, every)


@pytest.mark.parametrize(("every", "orders"), [(0, 0), (1000, 2), (10, 101), (2000, 1), (2001, 0)])
def test_an_order_at_every_nth_tick_from_the_thousandth_on_and_each_fills(
    every: int, orders: int, tmp_path: Path
) -> None:
    desk, sent = traded(tmp_path, every)
    assert sent == orders
    check(desk, orders)
    assert desk.runner.next_sequence == TICKS


def test_orders_buy_and_sell_in_turn_and_are_all_in_the_log(tmp_path: Path) -> None:
    desk, sent = traded(tmp_path, 10)
    fills = [m.decode(recorded.body) for recorded in desk.log.read(types=("OrderFilled",))]
    sides = [fill.side for fill in fills if isinstance(fill, m.OrderFilled)]
    assert sides == [Side.BUY if number % 2 == 0 else Side.SELL for number in range(sent)]


def test_the_oracle_trades_the_same(tmp_path: Path) -> None:
    (tmp_path / "fast").mkdir()
    (tmp_path / "slow").mkdir()
    fast, _ = traded(tmp_path / "fast", 10)
    slow, _ = traded(tmp_path / "slow", 10, one_row_at_a_time=True)
    assert slow.runner.decision_hash == fast.runner.decision_hash
    assert slow.portfolio.ledger.hash == fast.portfolio.ledger.hash


def test_an_order_that_a_gate_refused_does_not_pass_for_filled(tmp_path: Path) -> None:
    desk, sent = traded(tmp_path, 10)
    with pytest.raises(AssertionError):
        check(desk, sent + 1)
    desk.runner.counts["OrderDenied"] = 1
    with pytest.raises(AssertionError):
        check(desk, sent)
