"""TMT on quotes from memory with the order rule of the comparison; the other engines stand beside this file.

`python tmt_replay.py QUOTES.npz EVERY [--one-row-at-a-time]`, where EVERY is 0 for no orders. Prints one JSON object.
"""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tmt import __version__
from tmt.adapters.clock.system import SystemClock
from tmt.bootstrap import Desk, open_desk
from tmt.domain.instrument import Instrument
from tmt.domain.order import OrderType, Side, TimeInForce
from tmt.domain.session import SessionHours
from tmt.market.batch import MarketBatch
from tmt.market.quality import FeedQuality
from tmt.messages import MarketDataReceived, OrderProposed
from tmt.sections import load_config

SYMBOL: Final = "EURUSD"
ACCOUNT: Final = "paper-usd"
QUANTITY: Final = Decimal(1000)
DISPLAYED_LOTS: Final = 1000
COMMIT_ROWS: Final = 8192
FIRST_ORDER_TICK: Final = 1000
"""Every engine waits this long, so that the desk has closed its first bar and has a quote to size orders at."""

STOP_DISTANCE_QUANTA: Final = 3000
CONFIG: Final = Path(__file__).parents[1] / "config"


class Memory:
    """A feed of quotes that are in memory already. See `tmt.ports.feed.Feed`."""

    symbols: tuple[str, ...] = (SYMBOL,)
    simulated = False
    sources: tuple[str, ...] = ("quotes in memory",)
    bar_seconds = 0
    traded: tuple[str, ...] = ()

    def __init__(self, batch: MarketBatch, session: SessionHours) -> None:
        self.expected: tuple[SessionHours, ...] = (session,)
        self.batch = batch

    @property
    def quality(self) -> FeedQuality:
        return FeedQuality(instruments={}, notes=())

    def total_rows(self) -> int:
        return len(self.batch)

    def batches(self, from_sequence: int = 0, until_ns: int | None = None) -> Iterator[MarketBatch]:
        yield self.batch.rows(from_sequence, len(self.batch))


def open_benchmark(quotes: dict[str, NDArray[np.int64]], book: Path, *, one_row_at_a_time: bool = False) -> Desk:
    """A desk over `quotes` (time_ns, bid, ask), with the limits of `benchmarks/config`."""
    loaded = load_config(CONFIG)
    instrument = next(i for i in loaded.sections["instruments"].instruments if i.symbol == SYMBOL)
    feed = Memory(_batch(quotes), instrument.session)
    return open_desk(
        loaded, feed, book, mode="replay", seed=1, clock=SystemClock(), one_row_at_a_time=one_row_at_a_time
    )


def _batch(quotes: dict[str, NDArray[np.int64]]) -> MarketBatch:
    nothing = np.zeros(len(quotes["time_ns"]), dtype=np.int64)
    displayed = nothing + DISPLAYED_LOTS
    return MarketBatch(
        symbols=(SYMBOL,),
        first_sequence=0,
        time_ns=quotes["time_ns"],
        instrument=nothing,
        bid=quotes["bid"],
        ask=quotes["ask"],
        bid_size=displayed,
        ask_size=displayed,
        price=nothing,
        size=nothing,
        aggressor=nothing,
    )


def trade(desk: Desk, every: int) -> int:
    """Run the desk's feed with an order at every `every`-th tick, durable each `COMMIT_ROWS` rows; the orders sent."""
    (batch,) = desk.batches()
    instrument = desk.portfolio.instrument(SYMBOL)
    assert instrument is not None
    orders = start = 0
    for stop in _cuts(len(batch), every):
        rows = batch.rows(start, stop)
        desk.runner.step(MarketDataReceived.of("feed", rows))
        if every and stop % every == 0 and stop >= FIRST_ORDER_TICK:
            desk.runner.step(_order(orders, rows, instrument))
            orders += 1
        if stop % COMMIT_ROWS == 0:
            desk.runner.commit()
        start = stop
    desk.advance(int(batch.time_ns[-1]))
    desk.runner.commit()
    return orders


def _cuts(rows: int, every: int) -> list[int]:
    ends = {rows, *range(COMMIT_ROWS, rows, COMMIT_ROWS), *(range(every, rows, every) if every else ())}
    return sorted(ends)


def _order(number: int, rows: MarketBatch, instrument: Instrument) -> OrderProposed:
    buys = number % 2 == 0
    return OrderProposed.root(
        "benchmark",
        int(rows.time_ns[-1]),
        str(number),
        account=ACCOUNT,
        instrument=SYMBOL,
        side=Side.BUY if buys else Side.SELL,
        quantity=QUANTITY,
        order_type=OrderType.MARKET,
        time_in_force=TimeInForce.IOC,
        person="benchmark",
        strategy="manual",
        stop_loss_price=instrument.price_of(int(rows.bid[-1]) - STOP_DISTANCE_QUANTA) if buys else None,
        reduce_only=not buys,
    )


def check(desk: Desk, orders: int) -> None:
    """Every order filled, no gate refused one, and every invariant holds."""
    counts = desk.runner.counts
    for kind, expected in {"OrderProposed": orders, "OrderReleased": orders, "OrderFilled": orders}.items():
        assert counts.get(kind, 0) == expected, (kind, counts)
    for kind in ("OrderDenied", "OrderRejected", "OrderExpired", "InvariantBroken"):
        assert counts.get(kind, 0) == 0, (kind, counts)
    assert desk.runner.watch.check_everything() == []


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("quotes", type=Path)
    parser.add_argument("every", type=int)
    parser.add_argument("--one-row-at-a-time", action="store_true")
    given = parser.parse_args()
    with np.load(given.quotes) as file:
        quotes = dict(file)
    with tempfile.TemporaryDirectory() as book:
        desk = open_benchmark(quotes, Path(book), one_row_at_a_time=given.one_row_at_a_time)
        desk.start()
        cpu, wall = time.process_time(), time.perf_counter()
        orders = trade(desk, given.every)
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        check(desk, orders)
        desk.close()
    told = {
        "engine": f"TMT {__version__}",
        "ticks": len(quotes["time_ns"]),
        "orders": orders,
        "fills": orders,
        "messages": sum(desk.runner.counts.values()),
        "cpu_seconds": cpu,
        "wall_seconds": wall,
        "memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main()
