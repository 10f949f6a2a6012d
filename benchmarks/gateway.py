"""Requests a CPU second of the gateway beside FastAPI; WebSockets; a flood of market data.

`python -m benchmarks.gateway [--seconds N] [--quick]`, from the root of the checkout, prints method, versions and
tables, and writes them to `benchmarks/results/`. FastAPI is installed under `.peers`; PostgreSQL and Kafka are started
for the gateway that runs in a process of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from statistics import median
from typing import Any, Final, NamedTuple

import httpx
import msgspec

from benchmarks import environment, orders, websocket_client
from benchmarks.desks import Embedded, Servers, Several, embedded, gateway_of
from benchmarks.http_client import Answer, Client
from benchmarks.latency import NS_PER_SECOND, intended_ns
from benchmarks.machine import Others, Tree
from benchmarks.report import Report
from tests.servers.kafka import KafkaServer
from tests.servers.ports import PortLease
from tests.servers.postgres import PostgresServer
from tmt import messages as m
from tmt.adapters.event_log.sqlite import SqliteEventLog

HERE: Final = Path(__file__).parent
FASTAPI: Final = "fastapi[standard]==0.163.2"
READY_SECONDS_MAX: Final = 60.0
ROUNDS: Final = 3
SECONDS: Final = 3.0
CONNECTIONS: Final = 16
WARM_UP_ORDERS_MAX: Final = 500
HISTORY: Final = ("--history", "0.1")
FRAMES_WAITING_MAX: Final = 20
POSTED: Final = ("--feed", "posted")
POSTED_ENVIRONMENT: Final = {
    "TMT__ENGINE__LOAD_TESTING_ENABLED": "true",
    "TMT__WEB__LIMITS__CONNECTIONS_MAX": "2048",
    "TMT__WEB__LIMITS__QUEUE_FRAMES_MAX": str(FRAMES_WAITING_MAX),
}
SOCKETS: Final = 1000
SOCKETS_LOOKED_INTO: Final = 50
SOCKETS_SLOW: Final = 50
SOCKETS_WITH_SLOW: Final = 200
SOCKETS_OPENED_AT_ONCE: Final = 50
FRAME_RATES: Final = (5_000, 10_000, 40_000)
SLOW_FRAME_RATE: Final = 8_000
SLOW_SECONDS: Final = 15.0
SYMBOLS: Final = ("BTCUSD", "BTCUSDT", "BTCUSD.SIM", "EURUSD", "EURUSD.SIM")
ROWS_A_REQUEST: Final = 1000
MARKET_DATA: Final = "/api/v1/market_data"

METHOD: Final = """\
Requests: 16 kept connections, on each one request after another. A CPU second is one of the server's process, user
and system, all threads; so the figure does not depend on who else uses the machine, nor on what the client costs.
Servers take turns; figures are medians of the rounds, ratios medians of neighbouring rounds.
Peer: FastAPI on uvicorn (uvloop, httptools), an order of eight validated fields, no authentication, nothing stored.
"gateway": `tmt gateway run` in a process of its own before the engine of another process: authentication by API key,
rates, validation, idempotency by `Idempotency-Key` (two durable writes), audit (one durable write), the call of the
engine over HTTP, and the fold of the log that serves the reading routes; log and access in PostgreSQL.
"whole desk": the gateway of `tmt up`, whose process also runs the desk: all eight agents, five gates, invariants, the
venue, the log. Every order passes all gates and is durable when it is answered.
WebSocket: `/ws/market_data` of the engine of `tmt up --feed posted`; each batch posted gives each of the sockets a
frame with the quotes of five instruments. Latency is from the server's stamp in the frame to the client's hand, of 50
of the sockets. Slow consumers read nothing for the whole spell; what was shed they are told when they read on.
Flood: market data posted to that engine as fast as it takes them; sustained is rows divided by the time from the first
request to the log's newest MarketDataReceived."""


class Server(NamedTuple):
    """Somebody who answers: address, process, headers of every request."""

    name: str
    url: str
    process: Tree
    headers: Mapping[str, str]


Request = tuple[str, str, Mapping[str, str], bytes]


def order_requests(headers: Mapping[str, str], prefix: str) -> Iterator[Request]:
    for number in itertools.count():
        name = f"{prefix}-{number}"
        yield "POST", orders.PATH, {**headers, "Idempotency-Key": name}, orders.body(name)


def until(deadline: float, requests: Iterator[Request]) -> Iterator[Request]:
    """Requests, as long as there is time."""
    return itertools.takewhile(lambda _: time.monotonic() < deadline, requests)


async def _drive(url: str, requests: Iterator[Request], seconds: float) -> int:
    def expect_done(answer: Answer) -> None:
        if answer.status != 200:
            raise AssertionError(f"{answer.status}: {answer.body[:300]!r}")

    async with Client(url, CONNECTIONS) as client:
        return await client.closed_loop(until(time.monotonic() + seconds, requests), expect_done)


def per_cpu_second(server: Server, path: str, seconds: float) -> tuple[float, float]:
    """(requests a CPU second of the server, requests a second)."""
    prefix = f"r{time.time_ns()}"
    if path == orders.PATH:
        requests = order_requests(server.headers, prefix)
    else:
        requests = itertools.repeat(("GET", path, server.headers, b""))
    began, before = time.monotonic(), server.process.cpu_seconds()
    done = asyncio.run(_drive(server.url, requests, seconds))
    return done / (server.process.cpu_seconds() - before), done / (time.monotonic() - began)


def compare(
    pairs: list[tuple[Server, str]], peer: tuple[Server, str], seconds: float, rounds: int
) -> Iterator[dict[str, Any]]:
    """A line for each server and path, the peer last."""
    everybody = [*pairs, peer]
    for server, path in everybody:  # uncounted
        per_cpu_second(server, path, seconds / 3)
    told: list[list[tuple[float, float]]] = [[] for _ in everybody]
    for _ in range(rounds):
        for index, (server, path) in enumerate(everybody):
            told[index].append(per_cpu_second(server, path, seconds))
    for (server, path), mine in zip(everybody, told, strict=True):
        ratios = [own / theirs for (own, _), (theirs, _) in zip(mine, told[-1], strict=True)]
        yield {
            "server": server.name,
            "request": f"{'POST' if path == orders.PATH else 'GET'} {path}",
            "requests per CPU second": median(own for own, _ in mine),
            "CPU µs a request": 1e6 / median(own for own, _ in mine),
            "requests/s": median(rate for _, rate in mine),
            "of FastAPI's": median(ratios),
        }


@contextmanager
def fastapi() -> Iterator[Server]:
    python = environment.peer_python("fastapi", FASTAPI)
    with PortLease() as lease:
        process = subprocess.Popen([str(python), str(HERE / "peers" / "fastapi_orders.py"), str(lease.port)])
        try:
            url = f"http://127.0.0.1:{lease.port}"
            name = _wait_for_peer(url, process)
            yield Server(name, url, Tree(process.pid), {})
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)


def _wait_for_peer(url: str, process: subprocess.Popen[bytes]) -> str:
    deadline = time.monotonic() + READY_SECONDS_MAX
    while time.monotonic() < deadline and process.poll() is None:
        try:
            return str(httpx.get(f"{url}/health").json()["version"])
        except httpx.TransportError:
            time.sleep(0.05)
    raise AssertionError("the peer did not start")


def request_lines(
    folder: Path, stack: ExitStack, seconds: float, rounds: int
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """(every server under both requests, FastAPI beside them; what they cost when nobody asks)."""
    peer = stack.enter_context(fastapi())
    desk = stack.enter_context(Several(folder / "several", Servers(folder, stack), *HISTORY, direct=True))
    url, process = stack.enter_context(gateway_of(desk, folder))
    one = stack.enter_context(embedded(folder / "one", *HISTORY))
    alone = Server("gateway", url, process, desk.trader)
    whole = Server("whole desk", one.urls["gateway"], one.process, one.trader)
    for server in (alone, whole):
        _await_market(server)
    idle = [idle_line(server, seconds) for server in (alone, whole, peer)]
    gets = [(server, path) for server in (alone, whole) for path in ("/health", "/api/v1/me", "/api/v1/positions")]
    lines = list(compare(gets, (peer, "/health"), seconds / 3, rounds))
    lines += compare([(alone, orders.PATH), (whole, orders.PATH)], (peer, orders.PATH), seconds, rounds)
    return lines, idle


def idle_line(server: Server, seconds: float) -> dict[str, Any]:
    before = server.process.cpu_seconds()
    time.sleep(seconds)
    return {"server": server.name, "CPU share": (server.process.cpu_seconds() - before) / seconds}


def _await_market(server: Server) -> None:
    """Until an order passes: the simulator has said a price."""
    headers = {**server.headers, "Content-Type": "application/json"}
    with httpx.Client(base_url=server.url, headers=headers, timeout=READY_SECONDS_MAX) as client:
        for _ in range(WARM_UP_ORDERS_MAX):
            answer = client.post(orders.PATH, content=orders.body(f"warm-{time.time_ns()}"))
            if answer.status_code == 200:
                return
            time.sleep(0.1)
        raise AssertionError(client.post(orders.PATH, content=orders.body("the-last")).text)


def rows(symbols: tuple[str, ...], count: int) -> bytes:
    """A request with so many rows, which are all stamped now."""
    now_ns = time.time_ns()
    quote = {"bid": "1.10000", "ask": "1.10002"}
    made = [
        {"symbol": symbol, "timestamp": now_ns, **(quote if symbol.startswith("EUR") else _BITCOIN)}
        for symbol in symbols
    ]
    return msgspec.json.encode(list(itertools.islice(itertools.cycle(made), count)))


_BITCOIN: Final = {"bid": "65000.00", "ask": "65000.01"}


class Sockets:
    """The sockets of one desk; `slow` of them have a small window and can be told to read nothing."""

    def __init__(self, desk: Embedded, count: int, slow: int = 0) -> None:
        self.counts = websocket_client.Counts()
        self.readers: list[websocket_client.Reader] = []
        self._desk = desk
        self._count = count
        self._slow = slow

    async def open(self) -> float:
        """Open and subscribe them all; seconds that it took."""
        began = time.monotonic()
        for first in range(0, self._count, SOCKETS_OPENED_AT_ONCE):
            numbers = range(first, min(first + SOCKETS_OPENED_AT_ONCE, self._count))
            self.readers += await asyncio.gather(*(self._connect(number) for number in numbers))
        return time.monotonic() - began

    async def close(self) -> None:
        for reader in self.readers:
            if reader.transport is not None:
                reader.transport.abort()
        await asyncio.sleep(0)

    async def _connect(self, number: int) -> websocket_client.Reader:
        url = self._desk.urls["engine"] + "/ws/market_data"
        hello = msgspec.json.encode({"action": "subscribe", "symbols": SYMBOLS})
        looks = number < SOCKETS_LOOKED_INTO
        slow = number >= self._count - self._slow
        return await websocket_client.connect(url, self._desk.trader, hello, self.counts, looks=looks, slow=slow)

    async def spell(self, frames_per_second: int, seconds: float) -> dict[str, Any]:
        """Post at the pace that asks for so many frames a second, and say what came of it."""
        self.counts.restart()
        per_second = frames_per_second / self._count
        began, before = time.monotonic(), self._desk.process.cpu_seconds()
        async with Client(self._desk.urls["engine"], 4) as client:
            for start_ns in intended_ns(time.monotonic_ns(), per_second, seconds):
                await asyncio.sleep(max(0, start_ns - time.monotonic_ns()) / NS_PER_SECOND)
                answer = await client.send("POST", MARKET_DATA, self._desk.poster, rows(SYMBOLS, len(SYMBOLS)))
                assert answer.status == 202, answer
        await asyncio.sleep(0.2)
        wall, cpu = time.monotonic() - began, self._desk.process.cpu_seconds() - before
        told = self.counts.latencies.milliseconds()
        return {
            "sockets": self._count,
            "frames/s asked for": frames_per_second,
            "frames/s delivered": self.counts.frames / wall,
            "shed": self.counts.shed,
            "closed": self.counts.closed,
            "p50 ms": told.get("p50"),
            "p99 ms": told.get("p99"),
            "max ms": told.get("max"),
            "server's CPU share": cpu / wall,
            "frames per CPU second": self.counts.frames / cpu,
        }

    async def slow_spell(self, frames_per_second: int, seconds: float) -> dict[str, Any]:
        """A spell in which some sockets read nothing until its end."""
        for reader in self.readers[-self._slow :]:
            assert reader.transport is not None
            reader.transport.pause_reading()
        told = await self.spell(frames_per_second, seconds)
        for reader in self.readers[-self._slow :]:
            assert reader.transport is not None
            reader.transport.resume_reading()
        await asyncio.sleep(1.0)
        return {**told, "shed": self.counts.shed, "closed": self.counts.closed}


async def socket_lines(desk: Embedded, count: int, seconds: float) -> list[dict[str, Any]]:
    sockets = Sockets(desk, count)
    opened = await sockets.open()
    before, began = desk.process.cpu_seconds(), time.monotonic()
    await asyncio.sleep(seconds)
    idle = (desk.process.cpu_seconds() - before) / (time.monotonic() - began)
    lines = [{"spell": "all read", **await sockets.spell(rate, seconds)} for rate in FRAME_RATES]
    await sockets.close()
    fewer = Sockets(desk, min(count, SOCKETS_WITH_SLOW), slow=SOCKETS_SLOW)
    await fewer.open()
    told = await fewer.slow_spell(SLOW_FRAME_RATE, SLOW_SECONDS)
    lines.append({"spell": f"{SOCKETS_SLOW} of them read nothing", **told})
    await fewer.close()
    first = {**dict.fromkeys(lines[0]), "spell": f"nothing posted; opening took {opened:.1f} s", "sockets": count}
    return [{**first, "server's CPU share": idle}, *lines]


async def _flood(desk: Embedded, connections: int, a_request: int, seconds: float) -> tuple[int, int, int]:
    """(rows taken, requests answered, requests told to come back) within the time."""
    taken = requests = refused = 0
    deadline = time.monotonic() + seconds

    async def post(client: Client) -> None:
        nonlocal taken, requests, refused
        while time.monotonic() < deadline:
            answer = await client.send("POST", MARKET_DATA, desk.poster, rows(SYMBOLS[:1], a_request))
            requests += 1
            if answer.status == 202:
                taken += a_request
            elif answer.status == 503:
                refused += 1
                await asyncio.sleep(0.05)
            else:
                raise AssertionError(answer)

    async with Client(desk.urls["engine"], connections) as client, asyncio.TaskGroup() as tasks:
        for _ in range(connections):
            tasks.create_task(post(client))
    return taken, requests, refused


def rows_logged(book: Path, after: int) -> tuple[int, int, int]:
    """(rows of market data behind a position, when the newest was recorded, its position)."""
    found, recorded_at_ns, position = 0, 0, after
    with closing(SqliteEventLog(book / "events.sqlite", read_only=True)) as log:
        for each in log.read(after=after, types=("MarketDataReceived",)):
            message = m.decode(each.body)
            assert isinstance(message, m.MarketDataReceived)
            found, recorded_at_ns, position = found + message.rows, each.recorded_at_ns, each.position
    return found, recorded_at_ns, position


def flood_line(desk: Embedded, connections: int, a_request: int, seconds: float) -> dict[str, Any]:
    _, _, after = rows_logged(desk.book, 0)
    began_ns, before = time.time_ns(), desk.process.cpu_seconds()
    taken, requests, refused = asyncio.run(_flood(desk, connections, a_request, seconds))
    answered_seconds = (time.time_ns() - began_ns) / NS_PER_SECOND
    deadline = time.monotonic() + READY_SECONDS_MAX
    while (logged := rows_logged(desk.book, after))[0] < taken:
        assert time.monotonic() < deadline, f"{logged[0]} of {taken} rows are in the log"
        time.sleep(0.1)
    cpu = desk.process.cpu_seconds() - before
    return {
        "rows a request": a_request,
        "connections": connections,
        "requests/s": requests / answered_seconds,
        "told to come back": refused,
        "ticks/s sustained": taken / (logged[1] - began_ns) * NS_PER_SECOND,
        "ticks per CPU second": taken / cpu,
        "rows": taken,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of each server, request and round")
    parser.add_argument("--quick", action="store_true", help="little of everything; nothing is written")
    given = parser.parse_args()
    seconds, rounds, sockets = (1.0, 1, 200) if given.quick else (given.seconds, ROUNDS, SOCKETS)
    report = Report("gateway", "Gateway and engine over HTTP", METHOD, ["tmt-trading", "litestar", "uvicorn"])
    report.about(postgres=PostgresServer.version(), kafka=KafkaServer.version())
    with ExitStack() as stack, Others() as others:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True)))
        with ExitStack() as servers:
            requests, idle = request_lines(folder, servers, seconds, rounds)
            report.add("Requests", requests)
            report.add("When nobody asks", idle)
        with embedded(folder / "posted", *POSTED, **POSTED_ENVIRONMENT) as desk:
            batched = flood_line(desk, 4, ROWS_A_REQUEST, 2 * seconds)
            single = flood_line(desk, 32, 1, 2 * seconds)
            report.add("Market-data flood", [batched, single])
            report.add("WebSockets", asyncio.run(socket_lines(desk, sockets, seconds)))
            report.note(f"The desk of the flood and the WebSockets had {desk.process.memory_mb():.0f} MB at most.")
    report.note(f"Others used {others.share:.0%} of the machine's processors during the run.")
    if not given.quick:
        report.write()


if __name__ == "__main__":
    main()
