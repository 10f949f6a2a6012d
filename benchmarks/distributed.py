"""What it costs to run the desk in eight processes: signal to execution and the bus, beside the desk in one process.

`python -m benchmarks.distributed [--seconds N] [--quick]`, from the root of the checkout, prints method, versions and
tables, and writes them to `benchmarks/results/`. PostgreSQL and Kafka are started for it (`python -m
tests.servers.install` installs them).
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from statistics import median
from threading import Thread
from typing import Any, Final

import msgspec

from benchmarks import bus, orders
from benchmarks.desks import CONFIG, VENUE, Embedded, Servers, Several, embedded
from benchmarks.http_client import Answer, Client
from benchmarks.latency import NS_PER_SECOND, SHOWN, Latencies, intended_ns, open_loop
from benchmarks.machine import Others, Tree
from benchmarks.report import Report
from tests.servers.kafka import KafkaServer
from tests.servers.postgres import PostgresServer
from tmt import messages as m
from tmt.adapters.clock.system import SystemClock
from tmt.adapters.event_log.postgres import PostgresEventLog
from tmt.adapters.feed.opening import open_simulator
from tmt.adapters.postgres.database import Database
from tmt.bootstrap import Desk, open_desk
from tmt.domain.order import OrderType, Side, TimeInForce
from tmt.sections import load_config

RATES: Final = (5, 20)
PACED_SECONDS_MAX: Final = 4.0
SECONDS: Final = 10.0
CONNECTIONS: Final = 64
WARM_UP_ORDERS: Final = 20
WARM_UP_SECONDS_MAX: Final = 60.0
HISTORY: Final = ("--history", "0.1")
STAGES: Final = (
    "OrderProposed",
    "OrderSized",
    "ConcentrationApproved",
    "BehaviourApproved",
    "ComplianceApproved",
    "OrderReleased",
    "OrderSubmitted",
)
OTLP: Final = "TMT__TELEMETRY__OTLP_ENDPOINT"

METHOD: Final = """\
Orders are posted to the engine (`POST /api/v1/orders`, with an API key) at fixed rates, each at its intended start
whatever became of the ones before; latency counts from that start. Every order passes all gates, is submitted to the
venue and cancelled by it; one that is denied ends the run. "log" is the time from the proposal's `recorded_at` to its
OrderSubmitted's `recorded_at` in the event log: what the gates, the bus between them and a durable write a message
take, without the wait of an order for the one before it, which "POST" has. A desk whose gates are all in the engine
writes a whole step at once, which then has one such time; for the embedded desk "log" is therefore taken around step
and commit in this process, from the intended start.
The simulator runs at the speed of life beside it, and the
venue's latency is the packaged one. Tracing on: every order's spans are exported over OTLP/HTTP to a
collector in this process; the desk's records carry a W3C `traceparent` in either case. A percentile for which there
are too few orders is the largest. CPU an order: of the desk's processes, PostgreSQL and Kafka, user and system, their
work on the simulator's market included.
Bus: one process sends, another reads, one partition. "all at once": records a second from the first handed over to the
last read. "paced": open loop, from the intended start to the reader's hand. Our settings: acks=all, idempotent, no
linger, lz4."""


class Refused(Exception):
    """An order was not let through, so what is measured is not what it is called."""


def expect_done(answer: Answer) -> None:
    if answer.status != 200:
        raise Refused(f"{answer.status}: {answer.body[:300]!r}")


async def warm_up(client: Client, trader: Mapping[str, str], phase: str) -> None:
    """Send orders one after another until some were taken in a row."""
    taken, number, deadline = 0, 0, time.monotonic() + WARM_UP_SECONDS_MAX
    while taken < WARM_UP_ORDERS:
        answer = await client.send("POST", orders.PATH, trader, orders.body(f"{phase}-warm-{number}"))
        taken, number = taken + 1 if answer.status == 200 else 0, number + 1
        if time.monotonic() > deadline:
            expect_done(answer)


@dataclass
class Phase:
    """One desk at one rate: when, how long each POST took, and the CPU seconds spent on it."""

    orders: int
    post: Latencies
    began_ns: int
    cpu_seconds: dict[str, float] = field(default_factory=dict)


async def _post(
    url: str, trader: Mapping[str, str], rate: int, seconds: float, spenders: Mapping[str, Sequence[Tree]]
) -> Phase:
    async with Client(url, CONNECTIONS) as client:
        phase = f"p{time.time_ns()}"
        await warm_up(client, trader, phase)
        began_ns, before = time.time_ns(), spent(spenders)

        async def send(number: int) -> None:
            expect_done(await client.send("POST", orders.PATH, trader, orders.body(f"{phase}-{number}")))

        post = await open_loop(send, rate, seconds)
        after = spent(spenders)
    return Phase(post.count, post, began_ns, {name: after[name] - before[name] for name in after})


def spent(spenders: Mapping[str, Sequence[Tree]]) -> dict[str, float]:
    return {name: sum(each.cpu_seconds() for each in trees) for name, trees in spenders.items()}


def post(
    url: str, trader: Mapping[str, str], rate: int, seconds: float, spenders: Mapping[str, Sequence[Tree]]
) -> Phase:
    return asyncio.run(_post(url, trader, rate, seconds, spenders))


def recorded(dsn: str, since_ns: int) -> dict[str, dict[str, int]]:
    """When each stage of each order proposed since then was recorded: correlation -> type -> nanoseconds."""
    times: dict[str, dict[str, int]] = {}
    with (
        closing(Database(dsn, "tmt")) as database,
        closing(PostgresEventLog(database, writer=False, source="bench")) as log,
    ):
        for each in log.read(types=STAGES):
            if each.recorded_at_ns >= since_ns:
                times.setdefault(each.correlation_id, {})[each.type] = each.recorded_at_ns
    return {order: stages for order, stages in times.items() if set(stages) == set(STAGES)}


def signal_to_execution(times: Mapping[str, Mapping[str, int]]) -> Latencies:
    """From proposal to submission; nothing where both were recorded at once."""
    latencies = Latencies()
    for stages in times.values():
        taken_ns = stages[STAGES[-1]] - stages[STAGES[0]]
        if taken_ns:
            latencies.add_ns(taken_ns)
    return latencies


def stage_lines(times: Mapping[str, Mapping[str, int]]) -> list[dict[str, Any]]:
    """What each gate's answer takes, from the message before it to its own."""
    lines = []
    for before, after in pairwise(STAGES):
        taken = [(stages[after] - stages[before]) / 1e6 for stages in times.values()]
        lines.append({"to": after, "from": before, "median ms": median(taken), "largest ms": max(taken)})
    return lines


def line(desk: str, tracing: str, rate: int, phase: Phase, log: Latencies) -> dict[str, Any]:
    told: dict[str, Any] = {"desk": desk, "tracing": tracing, "orders/s": rate, "orders": phase.orders}
    in_log, posted = log.milliseconds(), phase.post.milliseconds()
    told |= {f"log {name} ms": in_log.get(name) for name in SHOWN}
    told |= {f"POST {name} ms": posted[name] for name in ("p50", "p99", "max")}
    for name in ("desk", "PostgreSQL", "Kafka"):
        seconds = phase.cpu_seconds.get(name)
        told[f"CPU ms an order: {name}"] = None if seconds is None else seconds / phase.orders * 1000
    return told


class Collector(BaseHTTPRequestHandler):
    """An OTLP collector's end, which counts what it is sent and forgets it."""

    batches = 0

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        type(self).batches += 1
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def collector() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Collector) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/v1/traces"
        finally:
            server.shutdown()
            thread.join()


def inside(folder: Path, rate: int, seconds: float) -> Latencies:
    """Step and commit of an order in this process, on schedule, with a second of the simulator's market before each."""
    folder.mkdir(parents=True)
    loaded = load_config(CONFIG, environment=VENUE)
    instruments = {each.symbol: each for each in loaded.sections["instruments"].instruments}
    feed = open_simulator(loaded.sections["simulator"], instruments, batch_rows=12)
    desk = open_desk(loaded, feed, folder, mode="up", seed=7, clock=SystemClock())
    with closing(desk):
        desk.start()
        batches = desk.batches()
        for _ in range(200):
            desk.take(next(batches))
        return _timed_inside(desk, batches, rate, seconds)


def _timed_inside(desk: Desk, batches: Iterator[Any], rate: int, seconds: float) -> Latencies:
    latencies, runner = Latencies(), desk.runner
    for number, start_ns in enumerate(intended_ns(time.monotonic_ns(), rate, seconds)):
        desk.take(next(batches))
        proposal = m.OrderProposed.root(
            "bench",
            runner.timeline.now_ns,
            str(number),
            account="paper-usd",
            instrument=orders.SYMBOL,
            side=Side.BUY,
            quantity=orders.QUANTITY,
            order_type=OrderType.LIMIT,
            time_in_force=TimeInForce.IOC,
            person="bench",
            strategy="manual",
            limit_price=orders.LIMIT_PRICE,
            stop_loss_price=orders.STOP_LOSS_PRICE,
        )
        while (wait_ns := start_ns - time.monotonic_ns()) > 0:
            time.sleep(wait_ns / NS_PER_SECOND)
        runner.step(proposal)
        runner.commit()
        latencies.add_ns(time.monotonic_ns() - start_ns)
    if runner.counts.get("OrderSubmitted", 0) < latencies.count:
        raise Refused(f"{msgspec.json.encode(runner.counts)!r}")
    return latencies


def path_lines(
    servers: Servers, folder: Path, rates: Sequence[int], seconds: float
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """(signal to execution by desk and rate, the stages of the desk of eight processes at the lowest rate)."""
    lines: list[dict[str, Any]] = []
    stages: list[dict[str, Any]] = []
    stores = {"PostgreSQL": [Tree(servers.postgres.pid)], "Kafka": [Tree(servers.kafka.pid)]}

    def measure(desk: Several, name: str, tracing: str) -> None:
        for rate in rates:
            phase = post(desk.url, desk.trader, rate, seconds, {"desk": desk.processes, **stores})
            times = recorded(desk.dsn, phase.began_ns)
            lines.append(line(name, tracing, rate, phase, signal_to_execution(times)))
            stages.extend(() if stages else stage_lines(times))

    with Several(folder / "eight", servers, *HISTORY) as desk:
        measure(desk, "eight processes", "off")
        with collector() as endpoint:
            desk.restart_engine(**{OTLP: endpoint})
            measure(desk, "eight processes", "on")
    if not Collector.batches:
        raise Refused("no span was exported")
    with Several(folder / "direct", servers, *HISTORY, direct=True) as desk:
        measure(desk, "gates in the engine", "off")
    with embedded(folder / "embedded", *HISTORY) as one:
        lines.extend(embedded_lines(one, folder, rates, seconds))
    return lines, stages


def embedded_lines(one: Embedded, folder: Path, rates: Sequence[int], seconds: float) -> Iterator[dict[str, Any]]:
    for rate in rates:
        phase = post(one.urls["engine"], one.trader, rate, seconds, {"desk": [one.process]})
        yield line("one process", "off", rate, phase, inside(folder / f"inside-{rate}", rate, seconds / 2))


def bus_lines(bootstrap: str, records: int, seconds: float) -> Iterator[dict[str, Any]]:
    for size in (200, 2000):
        at_once = list(bus.measure(bootstrap, size, records))
        paced = list(bus.measure(bootstrap, size, int(bus.PACED_PER_SECOND * seconds), bus.PACED_PER_SECOND))
        plain = next(each["seconds"] for each in at_once if each["who"] == bus.SAME)
        for fast, slow in zip(at_once, paced, strict=True):
            yield {
                "through": fast["who"],
                "bytes": size,
                "records/s at once": fast["records"] / fast["seconds"],
                "of plain with our settings": plain / fast["seconds"],
                **{f"paced {name} ms": value for name, value in slow["milliseconds"].items()},
            }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of orders for each desk and rate")
    parser.add_argument("--records", type=int, default=100_000, help="sent over the bus at once")
    parser.add_argument("--quick", action="store_true", help="little of everything; nothing is written")
    given = parser.parse_args()
    seconds, records = (3.0, 10_000) if given.quick else (given.seconds, given.records)
    report = Report("distributed", "The desk in eight processes", METHOD, ["tmt-trading", "confluent-kafka", "psycopg"])
    report.about(postgres=PostgresServer.version(), kafka=KafkaServer.version())
    with ExitStack() as stack, Others() as others:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True)))
        servers = Servers(folder, stack)
        report.add("Bus", list(bus_lines(servers.kafka.bootstrap, records, min(seconds, PACED_SECONDS_MAX))))
        lines, stages = path_lines(servers, folder, RATES, seconds)
        report.add("Signal to execution", lines)
        report.add(f"Where the time goes: eight processes at {RATES[0]} orders/s", stages)
    report.note(f"Others used {others.share:.0%} of the machine's processors during the run.")
    if not given.quick:
        report.write()


if __name__ == "__main__":
    main()
