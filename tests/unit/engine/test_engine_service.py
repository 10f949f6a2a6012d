"""The engine's service: market data in and out, commands of services alone, readiness that is true."""

import asyncio
import json
import ssl
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.integration.simulated import SYMBOL, proposal
from tests.unit.engine.running import loop_over, started_desk
from tests.unit.engine.serving import Served, instruments_of, served_engine
from tests.unit.engine.slow_reader import shed_by
from tests.unit.web.schema_check import check_schema
from tmt import messages as m
from tmt.access.certificates import client_context, ensure_certificates, server_context
from tmt.adapters.clock.system import SystemClock
from tmt.adapters.door.http import HttpDoor
from tmt.adapters.event_log.sqlite import SqliteEventLog
from tmt.adapters.feed.posted import PostedFeed
from tmt.bootstrap import Desk, open_desk
from tmt.engine.desk_loop import DeskLoop
from tmt.engine.pace import Arrivals
from tmt.engine.quotes import QuoteBoard
from tmt.errors import AdapterUnavailable
from tmt.ports.door import Taken
from tmt.projections.desk_reader import DeskReader
from tmt.sections import load_config
from tmt.web.trading import trading_routes

ANSWER_SECONDS_MAX = 20


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = started_desk(tmp_path / "book")
    yield desk
    desk.close()


@contextmanager
def posted_engine(folder: Path, *, rows_waiting_max: int = 1000, **config: Any) -> Iterator[tuple[Desk, Served]]:
    """An engine whose desk runs on what is posted."""
    clock, loaded = SystemClock(), load_config(None)
    feed = PostedFeed(loaded.sections["instruments"].instruments, rows_waiting_max)
    (folder / "book").mkdir(exist_ok=True)
    desk = open_desk(loaded, feed, folder / "book", mode="up", seed=7, clock=clock)
    desk.runner.timeline.advance(clock.now_ns())
    desk.start()
    board = QuoteBoard(instruments_of(desk), clock)
    loop = DeskLoop(desk, Arrivals(desk.batches, 20_000_000), clock, saw=board.see)
    try:
        with served_engine(desk, folder / "state", feed=feed, loop=loop, board=board, **config) as served:
            yield desk, served
    finally:
        desk.close()


def row(bid: str = "1.10001", ask: str = "1.10003", **changes: Any) -> dict[str, Any]:
    return {"symbol": "EURUSD", "bid": bid, "ask": ask, "timestamp": SystemClock().now_ns(), **changes}


def post(engine: Served, body: Any, who: str = "service") -> httpx.Response:
    return engine.ask("POST", "/api/v1/market_data", who, json=body)


Talk = Callable[[ClientConnection], Awaitable[Any]]


def talk(engine: Served, use: Talk, who: str | None = "viewer", **options: Any) -> Any:
    async def conversation() -> Any:
        address = engine.url.replace("http", "ws") + "/ws/market_data"
        async with connect(address, additional_headers=engine.headers(who), **options) as socket:
            return await use(socket)

    async def bounded() -> Any:
        async with asyncio.timeout(ANSWER_SECONDS_MAX):
            return await conversation()

    return asyncio.run(bounded())


async def ask(socket: ClientConnection, frame: Any) -> dict[str, Any]:
    await socket.send(frame if isinstance(frame, str) else json.dumps(frame))
    answer: dict[str, Any] = json.loads(await socket.recv())
    return answer


# Market data in


def test_posted_rows_are_taken_by_the_desk(tmp_path: Path) -> None:
    with posted_engine(tmp_path, load_testing_enabled=True) as (desk, engine):
        one, many = post(engine, row()), post(engine, [row(), row("1.10002", "1.10004")])
        pause = Event()
        while desk.runner.next_sequence < 3:
            pause.wait(0.01)
    assert (one.status_code, one.json()["accepted"]) == (202, 1)
    assert (many.status_code, many.json()["accepted"]) == (202, 2)
    rows = [m.decode(each.body) for each in _events(tmp_path, "MarketDataReceived")]
    assert sum(each.rows for each in rows if isinstance(each, m.MarketDataReceived)) == 3


def _events(folder: Path, kind: str) -> list[Any]:
    log = SqliteEventLog(folder / "book" / "events.sqlite", read_only=True)
    try:
        return list(log.read(types=(kind,)))
    finally:
        log.close()


def test_rows_are_refused_where_load_testing_is_off(tmp_path: Path) -> None:
    with posted_engine(tmp_path) as (_, engine):
        answer = post(engine, row())
    assert (answer.status_code, answer.json()["code"]) == (403, "TMT-E006")


def test_rows_are_refused_where_the_desk_has_a_feed_of_its_own(desk: Desk, tmp_path: Path) -> None:
    with served_engine(desk, tmp_path / "state", load_testing_enabled=True) as engine:
        answer = post(engine, row())
    assert (answer.status_code, answer.json()["code"]) == (403, "TMT-E008")


def test_bad_rows_and_too_many_are_refused_with_what_is_wrong(tmp_path: Path) -> None:
    with posted_engine(tmp_path, load_testing_enabled=True, rows_waiting_max=2) as (_, engine):
        bad = post(engine, [row(), row(bid="1.2")])
        full = post(engine, [row()] * 3)
        form = engine.ask("POST", "/api/v1/market_data", "service", {"Content-Type": "text/plain"}, content="{}")
    assert (bad.status_code, bad.json()["errors"][0]["where"]) == (400, "$[1]")
    assert (full.status_code, full.json()["code"], full.headers["retry-after"]) == (503, "TMT-D014", "1")
    assert form.status_code == 415


# Market data out


def test_subscribers_get_newest_quotes_of_their_symbols_with_the_servers_time(tmp_path: Path) -> None:
    async def use(socket: ClientConnection) -> list[dict[str, Any]]:
        said = [await ask(socket, {"action": "subscribe", "symbols": ["EURUSD"]})]
        await asyncio.to_thread(
            post, engine, [row("1.1", "1.2", symbol="SPY"), row("1.1", "1.2", price="1.15", volume=2000)]
        )
        return [*said, json.loads(await socket.recv())]

    before_ns = SystemClock().now_ns()
    with posted_engine(tmp_path, load_testing_enabled=True) as (_, engine):
        acknowledged, told = talk(engine, use)
    assert (acknowledged["type"], acknowledged["symbols"]) == ("subscribed", ["EURUSD"])
    assert told["type"] == "quotes"
    assert before_ns < told["server_time_ns"] < SystemClock().now_ns()
    (quote,) = told["quotes"]
    assert (quote["symbol"], quote["bid"], quote["ask"]) == ("EURUSD", "1.10000", "1.20000")
    assert (quote["price"], quote["volume"]) == ("1.15000", "2000")


def test_quotes_of_one_batch_come_as_the_newest_alone_and_a_newcomer_is_told_at_once(
    desk: Desk, tmp_path: Path
) -> None:
    board = QuoteBoard(instruments_of(desk), SystemClock())
    batch = next(desk.batches())
    board.see(batch)
    index = desk.feed.symbols.index(SYMBOL)
    newest = int((batch.instrument == index).nonzero()[0][-1])

    async def use(socket: ClientConnection) -> list[dict[str, Any]]:
        first = await ask(socket, {"action": "subscribe", "symbols": [SYMBOL]})
        return [first, json.loads(await socket.recv())]

    with served_engine(desk, tmp_path / "state", board=board, loop=loop_over(desk)) as engine:
        _, told = talk(engine, use)
    (quote,) = told["quotes"]
    assert quote["time_ns"] == int(batch.time_ns[newest])


def test_unsubscribing_ends_it(desk: Desk, tmp_path: Path) -> None:
    async def use(socket: ClientConnection) -> dict[str, Any]:
        await ask(socket, {"action": "subscribe", "symbols": [SYMBOL]})
        await socket.send(json.dumps({"action": "unsubscribe", "symbols": [SYMBOL]}))
        while (said := json.loads(await socket.recv()))["type"] == "quotes":
            pass
        assert isinstance(said, dict)
        return said

    with served_engine(desk, tmp_path / "state") as engine:
        said = talk(engine, use)
    assert (said["type"], said["symbols"]) == ("unsubscribed", [])


@pytest.mark.parametrize(
    "frame",
    ["", "no json", "[]", '{"action":"shout"}', '{"action":"subscribe"}', '{"action":"subscribe","symbols":[]}']
    + [json.dumps({"action": "subscribe", "symbols": names}) for names in (["NOBODY"], ["EURUSD.SIM"] * 201, [1])],
)
def test_a_bad_frame_is_answered_with_a_problem_and_the_socket_goes_on(desk: Desk, tmp_path: Path, frame: str) -> None:
    async def use(socket: ClientConnection) -> tuple[dict[str, Any], dict[str, Any]]:
        bad = await ask(socket, frame)
        return bad, await ask(socket, {"action": "subscribe", "symbols": [SYMBOL]})

    with served_engine(desk, tmp_path / "state") as engine:
        problem, after = talk(engine, use)
    assert (problem["status"], problem["code"]) == (400, "TMT-W400")
    assert after["type"] == "subscribed"


def test_nobody_subscribes_without_saying_who_they_are(desk: Desk, tmp_path: Path) -> None:
    async def forged() -> None:
        headers = {"Authorization": "Bearer forged"}
        async with connect(engine.url.replace("http", "ws") + "/ws/market_data", additional_headers=headers):
            pass

    async def silent(socket: ClientConnection) -> dict[str, Any]:
        first = await ask(socket, {"action": "subscribe", "symbols": [SYMBOL]})
        with pytest.raises(ConnectionClosed):
            await socket.recv()
        return first

    with served_engine(desk, tmp_path / "state") as engine:
        with pytest.raises(InvalidStatus) as refused:
            asyncio.run(forged())
        said = talk(engine, silent, who=None)
    assert refused.value.response.status_code == 401
    assert said["status"] in (400, 401)


def test_a_slow_reader_is_shed_old_quotes_and_told_how_many(desk: Desk) -> None:
    told, shed = shed_by(desk, frames=50, queue_max=10)
    assert shed == 40
    assert told == 10


# Readiness


def test_readiness_says_that_the_desk_turns_and_how_old_the_newest_message_is(desk: Desk, tmp_path: Path) -> None:
    with served_engine(desk, tmp_path / "state", loop=loop_over(desk, speed=1000)) as engine:
        engine.thread.ask(proposal(desk, "one"))
        pause = Event()
        while not engine.loop.stepped_at_ns:
            pause.wait(0.01)
        answer = httpx.get(f"{engine.url}/ready")
    probes = {each["name"]: each for each in answer.json()["probes"]}
    assert answer.status_code == 200, answer.text
    assert set(probes) == {"desk", "messages"}
    assert all(0 <= each["age_seconds"] < 5 for each in probes.values())


def test_readiness_is_red_once_the_desk_has_stopped(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: m.Message) -> None:
        raise AdapterUnavailable("TMT-L002", "the disk is full")

    with served_engine(desk, tmp_path / "state") as engine:
        monkeypatch.setattr(desk.runner, "step", fail)
        with pytest.raises(AdapterUnavailable):
            engine.thread.ask(proposal(desk, "one"))
        engine.thread.join()
        answer = httpx.get(f"{engine.url}/ready")
    probes = {each["name"]: each for each in answer.json()["probes"]}
    assert answer.status_code == 503
    assert (probes["desk"]["ok"], probes["desk"]["detail"]) == (False, "the desk has stopped: TMT-L002")


def test_readiness_is_red_while_the_loop_hangs(desk: Desk, tmp_path: Path) -> None:
    released = Event()
    loop = loop_over(desk, obey_inbox=lambda: released.wait(ANSWER_SECONDS_MAX))
    with served_engine(desk, tmp_path / "state", loop=loop) as engine:
        answer = httpx.get(f"{engine.url}/ready")
        released.set()
    assert answer.status_code == 503


# Over TLS, and as described


def test_services_show_each_other_certificates(desk: Desk, tmp_path: Path) -> None:
    files = ensure_certificates(tmp_path / "certificates", ("engine", "gateway"), SystemClock())
    others = ensure_certificates(tmp_path / "others", ("gateway",), SystemClock())
    order = proposal(desk, "one")

    async def submit(engine: Served, context: ssl.SSLContext) -> Taken:
        door = HttpDoor(engine.url, engine.service_token, context, 10)
        try:
            return await door.submit(order)
        finally:
            await door.aclose()

    stranger = ssl.create_default_context(cafile=str(files["engine"].authority))
    with served_engine(desk, tmp_path / "state", tls=server_context(files["engine"])) as engine:
        for context in (stranger, client_context(others["gateway"])):
            with pytest.raises(AdapterUnavailable):
                asyncio.run(submit(engine, context))
        assert "OrderProposed" not in desk.runner.counts
        taken = asyncio.run(submit(engine, client_context(files["gateway"])))
    assert not taken.repeated


@pytest.mark.slow
def test_the_service_is_as_it_describes_itself(tmp_path: Path) -> None:
    desk = started_desk(tmp_path / "book")
    log = SqliteEventLog(tmp_path / "book" / "events.sqlite", read_only=True)
    reader = DeskReader(log, desk.runner.agents)
    try:
        with served_engine(
            desk, tmp_path / "state", trading=lambda _, door: trading_routes(door, reader), load_testing_enabled=True
        ) as engine:
            for who in ("trader", "service"):
                check_schema(engine.url, engine.headers(who), tmp_path, examples_max=20)
    finally:
        log.close()
        desk.close()
