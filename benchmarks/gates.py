"""What the gates cost: CPU of each, of an order through all of them; and how soon an emergency stop has cancelled all.

    python -m benchmarks.gates [--orders N] [--stops N] [--quick]

The whole desk runs in this process on the simulator. `--quick` writes nothing.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from statistics import quantiles
from threading import Thread
from typing import Any, Final

from benchmarks.desks import CONFIG
from benchmarks.report import Report
from tests.integration.simulated import open_feed
from tmt import messages as m
from tmt.adapters.clock.system import SystemClock
from tmt.adapters.event_log.sqlite import SqliteEventLog
from tmt.bootstrap import Desk, open_desk
from tmt.domain.money import floor_to
from tmt.domain.order import OrderType, Side, TimeInForce
from tmt.domain.stop import StopLevel
from tmt.engine.desk_loop import DeskLoop
from tmt.engine.pace import Pace
from tmt.ports.event_log import Entry
from tmt.sections import load_config

ACCOUNT: Final = "paper-usd"
SYMBOL: Final = "BTCUSD.SIM"
RESTING: Final = 100
METHOD: Final = (
    "Orders are immediate-or-cancel limits below the market, so that each is judged by a desk that holds what it held"
    " before; limits are those of `config/`, every gate runs and writes its checks. CPU is process time inside each"
    " agent's `handle`, while it judges; the rest is logging (SQLite, a commit every 100 orders), folding, invariants,"
    " and the venue. The peer is a bare loop that encodes the very same messages and appends them to the same kind of"
    " log."
    " A stop is put to the desk's loop as a service does it, with 100 orders resting at the venue; it is accepted when"
    " it is durable, and done when the venue has answered the last cancel (the venue's own latency is 0 here). Its peer"
    " is one durable append of as many messages as the stop led to."
)


def desk_in(folder: Path, *overrides: str) -> Desk:
    loaded = load_config(CONFIG, overrides=overrides)
    desk = open_desk(loaded, open_feed(loaded, seed=7), folder, mode="up", seed=7, clock=SystemClock())
    desk.start()
    for batch, _ in zip(desk.batches(), range(60), strict=False):
        desk.take(batch)
    return desk


def order(desk: Desk, key: str, **changes: Any) -> m.OrderProposed:
    mark = desk.portfolio.mark(SYMBOL)
    assert mark is not None
    price = floor_to(mark.bid * Decimal("0.98"), Decimal(1))
    fields: dict[str, Any] = {
        "account": ACCOUNT,
        "instrument": SYMBOL,
        "side": Side.BUY,
        "quantity": Decimal("0.01"),
        "order_type": OrderType.LIMIT,
        "time_in_force": TimeInForce.IOC,
        "person": "bench",
        "strategy": "manual",
        "limit_price": price,
        "stop_loss_price": floor_to(price * Decimal("0.98"), Decimal(1)),
    }
    return m.OrderProposed.root("bench", desk.runner.timeline.now_ns, key, **{**fields, **changes})


class Timed:
    """Process time inside one agent while it answers an order."""

    def __init__(self, handle: Callable[[m.Message], Sequence[m.Message]]) -> None:
        self._handle = handle
        self.spent_ns = 0
        self.calls = 0

    def __call__(self, message: m.Message) -> Sequence[m.Message]:
        began = time.process_time_ns()
        said = self._handle(message)
        if any(isinstance(each, m.GateApproval | m.OrderSubmitted) for each in said):
            self.spent_ns += time.process_time_ns() - began
            self.calls += 1
        return said


def through_the_gates(orders: int) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    with tempfile.TemporaryDirectory() as folder:
        desk = desk_in(Path(folder))
        timed = {agent.name: Timed(agent.handle) for agent in desk.runner.agents}
        for agent in desk.runner.agents:
            agent.handle = timed[agent.name]  # type: ignore[method-assign]
        head = desk.log.head()
        began = time.process_time_ns()
        for number in range(orders):
            desk.runner.step(order(desk, str(number), quantity=Decimal("0.01") + number * Decimal("0.0001")))
            if number % 100 == 99:
                desk.runner.commit()
        desk.runner.commit()
        spent_ns = time.process_time_ns() - began
        released = desk.runner.counts.get("OrderReleased", 0)
        assert released == orders, f"{orders - released} of {orders} orders were not released"
        recorded = list(desk.log.read(after=head))
        desk.close()
    messages = [m.decode(each.body) for each in recorded]
    checks = sum(len(each.checks) for each in messages if isinstance(each, m.GateApproval))
    with tempfile.TemporaryDirectory() as folder, closing(SqliteEventLog(Path(folder) / "events.sqlite")) as log:
        began = time.process_time_ns()
        for start in range(0, len(recorded), 100 * len(recorded) // orders):
            part = recorded[start : start + 100 * len(recorded) // orders]
            log.append(
                [
                    Entry(each.message_id, each.correlation_id, each.type, each.occurred_at_ns, m.encode(message))
                    for each, message in zip(part, messages[start:], strict=False)
                ],
                0,
            )
        bare_ns = time.process_time_ns() - began
    lines = [
        {"gate": name, "orders": each.calls, "CPU us an order": each.spent_ns / each.calls / 1000}
        for name, each in timed.items()
        if each.calls
    ]
    inside = sum(each.spent_ns for each in timed.values())
    whole = {
        "orders": orders,
        "messages an order": len(recorded) / orders,
        "checks an order": checks / orders,
        "CPU us an order": spent_ns / orders / 1000,
        "of it in the gates": inside / spent_ns,
        "bare log us": bare_ns / orders / 1000,
        "ratio": spent_ns / bare_ns,
    }
    return lines, whole


def stops(count: int) -> list[dict[str, Any]]:
    accepts, lasts, bares = [], [], []
    for number in range(count):
        with tempfile.TemporaryDirectory() as folder:
            accept, last, bare = one_stop(Path(folder), number)
        accepts.append(accept * 1000)
        lasts.append(last * 1000)
        bares.append(bare * 1000)
    named = (("accepted", accepts), ("last cancel confirmed", lasts), ("bare durable append", bares))
    return [
        {"what": name, "stops": count, "p50 ms": cuts[49], "p90 ms": cuts[89], "p99 ms": cuts[98], "max ms": max(found)}
        for name, found in named
        for cuts in (quantiles(found, n=100, method="inclusive"),)
    ]


def one_stop(folder: Path, number: int) -> tuple[float, float, float]:
    desk = desk_in(folder)
    for each in range(RESTING):
        quantity = Decimal("0.01") + each * Decimal("0.0001")
        desk.runner.step(order(desk, f"rest-{each}", time_in_force=TimeInForce.GTC, quantity=quantity))
    for batch, _ in zip(desk.batches(), range(2), strict=False):
        desk.take(batch)
    assert len(desk.portfolio.working(ACCOUNT)) == RESTING, len(desk.portfolio.working(ACCOUNT))
    clock = SystemClock()
    rows = Pace(desk.batches(), event_start_ns=desk.runner.timeline.now_ns, wall_start_ns=clock.now_ns(), speed=1)
    loop = DeskLoop(desk, rows, clock)
    done: list[float] = []

    def told() -> None:
        if not done and desk.runner.counts.get("StopCompleted", 0):
            done.append(time.monotonic())

    thread = Thread(target=loop.run, args=(lambda: bool(done), told))
    thread.start()
    stop = m.StopTrading.root(
        "bench", 0, "bench", str(number), person="bench", role="admin", reason="bench", level=StopLevel.CANCEL
    )
    head = desk.log.head()
    asked = time.monotonic()
    loop.submit(stop).result(timeout=30)
    accepted = time.monotonic()
    thread.join(30)
    entries = [Entry(f"{each.message_id}x", *each[3:]) for each in desk.log.read(after=head)]
    began = time.monotonic()
    desk.log.append(entries, 0)
    bare = time.monotonic() - began
    desk.log.close()
    return accepted - asked, done[0] - asked, bare


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--orders", type=int, default=2000)
    parser.add_argument("--stops", type=int, default=50)
    parser.add_argument("--quick", action="store_true")
    chosen = parser.parse_args(arguments)
    orders, count = (200, 5) if chosen.quick else (chosen.orders, chosen.stops)
    report = Report("gates", "What the gates cost, and how soon a stop has stopped", METHOD, ("msgspec", "apsw"))
    lines, whole = through_the_gates(orders)
    report.add("CPU by gate", lines)
    report.add("An order through all of them", [whole])
    report.add("An emergency stop with 100 orders at the venue, wall time", stops(count))
    if not chosen.quick:
        report.write()
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
