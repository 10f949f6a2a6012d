"""Does the stream say everything once, in order, to whom it may, and never wait for a slow client?"""

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from litestar import Litestar
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from tests.integration.simulated import take
from tests.unit.access.desk import PASSWORD
from tests.unit.engine.running import started_desk
from tests.unit.gateway.desk import ACCOUNT, BATCHES, Gateway, gateway, order
from tests.unit.web.peers import PRINCIPAL, Slow
from tests.unit.web.rig import web_config
from tmt.access import Role
from tmt.access.people import COMMAND_LINE
from tmt.adapters.clock.system import SystemClock
from tmt.adapters.event_log.sqlite import SqliteEventLog
from tmt.gateway.following import Following
from tmt.gateway.stream import Hub, Subscribe
from tmt.projections.audience import TOPICS
from tmt.projections.desk_reader import DeskReader
from tmt.web.sockets import Peer

SECONDS = 15
PEOPLES_TOPICS = ["orders", "fills", "decisions"]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with gateway(tmp_path_factory.mktemp("stream")) as served:
        yield served


@contextmanager
def stream(served: Gateway, who: str | None = "trader", **more: Any) -> Iterator[ClientConnection]:
    headers = {**served.headers(who), **more.pop("headers", {})}
    url = served.server.url.replace("http", "ws") + "ws"
    with connect(url, additional_headers=headers, open_timeout=SECONDS, **more) as socket:
        yield socket


def say(socket: ClientConnection, **frame: Any) -> None:
    socket.send(json.dumps(frame))


def hear(socket: ClientConnection) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.json.decode(socket.recv(SECONDS))
    return found


def hear_until(socket: ClientConnection, kind: str) -> list[dict[str, Any]]:
    """Messages up to the first of a type, that included."""
    heard = []
    while True:
        frame = hear(socket)
        if frame["type"] == "message":
            heard.append(frame)
            if frame["message"]["type"] == kind:
                return heard


def closed(socket: ClientConnection) -> int | None:
    try:
        while True:
            socket.recv(SECONDS)
    except ConnectionClosed as error:
        return None if error.rcvd is None else error.rcvd.code


def place(served: Gateway, client_order_id: str, **changes: Any) -> dict[str, Any]:
    answer = served.ask("POST", "/api/v1/orders", "trader", json=order(client_order_id, **changes))
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


# What is heard


def test_an_order_is_heard_from_its_proposal_to_its_fill_with_positions_and_the_servers_time(served: Gateway) -> None:
    with stream(served) as socket:
        say(socket, action="subscribe", topics=PEOPLES_TOPICS)
        answer = hear(socket)
        assert (answer["type"], answer["topics"]) == ("subscribed", sorted(PEOPLES_TOPICS))
        placed = place(served, "heard-1")
        heard = hear_until(socket, "OrderFilled")
    kinds = [frame["message"]["type"] for frame in heard]
    assert kinds[:2] == ["OrderProposed", "OrderSized"]
    assert [frame["topic"] for frame in heard][:2] == ["orders", "decisions"]
    positions = [frame["position"] for frame in heard]
    assert positions == sorted(set(positions))
    assert positions[0] > answer["position"]
    assert heard[-1]["message"]["order_id"] == placed["order_id"]
    recorded = {each.position: each.body for each in served.log.read(after=answer["position"])}
    for frame in heard:
        assert frame["message"] == msgspec.json.decode(recorded[frame["position"]])
        assert frame["server_time_ns"] > 1_700_000_000_000_000_000


def test_only_topics_that_were_subscribed_are_heard_and_only_while_they_are(served: Gateway) -> None:
    with stream(served) as socket:
        say(socket, action="subscribe", topics=["fills", "orders"])
        hear(socket)
        say(socket, action="unsubscribe", topics=["orders"])
        assert hear(socket)["topics"] == ["fills"]
        place(served, "only-fills")
        assert [each["message"]["type"] for each in hear_until(socket, "OrderFilled")] == ["OrderFilled"]


def test_a_client_that_comes_back_hears_all_that_it_missed_once_and_in_order(served: Gateway) -> None:
    with stream(served) as socket:
        say(socket, action="subscribe", topics=PEOPLES_TOPICS)
        left_at = hear(socket)["position"]
    place(served, "missed-1")
    place(served, "missed-2")
    with stream(served) as socket:
        say(socket, action="subscribe", topics=PEOPLES_TOPICS, after=left_at)
        place(served, "live-1")
        heard: list[dict[str, Any]] = []
        while sum(frame["message"]["type"] == "OrderFilled" for frame in heard) < 3:
            heard += hear_until(socket, "OrderFilled")
    names = {kind.__name__ for topic in PEOPLES_TOPICS for kind in TOPICS[topic]}
    until = heard[-1]["position"]
    expected = [each.position for each in served.log.read(after=left_at, until=until) if each.type in names]
    assert [frame["position"] for frame in heard] == expected


def test_the_whole_past_can_be_heard_in_pages_smaller_than_itself(served: Gateway) -> None:
    head = served.log.head()
    with stream(served) as socket:
        say(socket, action="subscribe", topics=["analysis", "market", "desk", "orders", "fills", "decisions"], after=0)
        positions: list[int] = []
        while not positions or positions[-1] < head - 1:
            frame = hear(socket)
            if frame["type"] == "message":
                positions.append(frame["position"])
    assert len(positions) > 400
    assert positions == sorted(set(positions))


def test_rows_of_market_data_are_heard_as_the_newest_quotes(tmp_path: Path) -> None:
    with gateway(tmp_path, speed=30) as served, stream(served) as socket:
        say(socket, action="subscribe", topics=["market"])
        hear(socket)
        [*_, frame] = hear_until(socket, "Quotes")
    quotes = frame["message"]["quotes"]
    assert {quote["instrument"] for quote in quotes} <= set(served.desk.feed.symbols)
    assert all(isinstance(quote["bid"], str) and quote["time_ns"] for quote in quotes)


def test_what_is_said_while_a_slow_client_still_hears_the_past_comes_once_and_after_it(tmp_path: Path) -> None:
    desk = started_desk(tmp_path / "book", BATCHES)
    log = SqliteEventLog(next((tmp_path / "book").glob("*.sqlite")), read_only=True)

    async def run() -> list[dict[str, Any]]:
        reader = DeskReader(log, desk.runner.agents)
        reader.catch_up()
        hub, slow = Hub(Following(reader, SystemClock()), SystemClock()), Slow()
        async with hub.lifespan(Litestar()), asyncio.timeout(30):
            peer = Peer(slow, PRINCIPAL, 100)  # type: ignore[arg-type]
            conversation = hub.join(peer)
            writing = asyncio.create_task(peer.write())
            resuming = asyncio.create_task(conversation.hear(Subscribe(topics=("market",), after=0)))
            while peer._room.is_set():  # noqa: ASYNC110 - nothing tells that room has run out
                await asyncio.sleep(0.01)
            take(desk, BATCHES + 3)
            reader.catch_up()
            await asyncio.sleep(0)
            slow.reads.set()
            await resuming
            while not any(frame["type"] == "subscribed" for frame in slow.taken):
                slow.has_taken.clear()
                await slow.has_taken.wait()
            writing.cancel()
            conversation.close()
        return [frame for frame in slow.taken if frame["type"] == "message"]

    try:
        heard = [frame["position"] for frame in asyncio.run(run())]
        names = {kind.__name__ for kind in TOPICS["market"]}
        assert heard == [each.position for each in log.read() if each.type in names]
    finally:
        log.close()
        desk.close()


# Who hears it


@pytest.mark.parametrize("header", ["Bearer nonsense", "Basic dHJhZGVyOng="])
def test_an_upgrade_with_credentials_that_are_none_is_refused_as_a_problem(served: Gateway, header: str) -> None:
    with pytest.raises(InvalidStatus) as caught, stream(served, None, headers={"Authorization": header}):
        pass
    assert caught.value.response.status_code == 401
    assert msgspec.json.decode(caught.value.response.body or b"")["status"] == 401


@pytest.mark.parametrize("origin", ["https://evil.example", "http://localhost.evil.example", "null"])
def test_a_page_of_another_origin_may_not_connect_even_with_credentials(served: Gateway, origin: str) -> None:
    with pytest.raises(InvalidStatus) as caught, stream(served, origin=origin):
        pass
    assert caught.value.response.status_code == 403


def test_the_page_itself_may_connect(served: Gateway) -> None:
    with stream(served, origin=served.server.url.rstrip("/")) as socket:
        say(socket, action="subscribe", topics=["orders"])
        assert hear(socket)["type"] == "subscribed"


def test_a_foreign_host_is_refused(served: Gateway) -> None:
    with pytest.raises(InvalidStatus) as caught, stream(served, headers={"Host": "evil.example"}):
        pass
    assert caught.value.response.status_code in (400, 421)


def test_a_client_without_headers_says_first_who_it_is(served: Gateway) -> None:
    token = served.headers("trader")["Authorization"].removeprefix("Bearer ")
    with stream(served, None) as socket:
        say(socket, action="authenticate", token=token)
        say(socket, action="subscribe", topics=["orders"])
        assert hear(socket)["type"] == "subscribed"


@pytest.mark.parametrize(
    "frame",
    [
        {"action": "subscribe", "topics": ["orders"]},
        {"action": "authenticate", "token": "nonsense"},
        {"action": "authenticate"},
        {"action": "authenticate", "token": "a", "role": "admin"},
    ],
)
def test_a_client_that_does_not_say_who_it_is_gets_a_problem_and_is_closed(
    served: Gateway, frame: dict[str, Any]
) -> None:
    with stream(served, None) as socket:
        say(socket, **frame)
        problem = hear(socket)
        assert problem["status"] in (400, 401)
        assert closed(socket) == 4000 + problem["status"]


def test_a_client_that_says_nothing_is_closed(tmp_path: Path) -> None:
    with gateway(tmp_path, config=web_config(authenticate_seconds_max=1)) as served, stream(served, None) as socket:
        assert hear(socket)["status"] == 401
        assert closed(socket) == 4401


def test_whoever_is_logged_out_hears_no_more_within_a_second(served: Gateway) -> None:
    assert served.access is not None
    served.access.people.create("leaver", Role.VIEWER, PASSWORD, by=COMMAND_LINE, must_change=False)
    with stream(served, "leaver") as socket:
        say(socket, action="subscribe", topics=["orders"])
        hear(socket)
        served.access.revoke(by=COMMAND_LINE, user="leaver")
        assert hear(socket)["status"] == 401
        assert closed(socket) == 4401


def test_others_orders_are_not_heard(served: Gateway) -> None:
    topics = ["orders", "fills", "decisions", "breakers"]
    with stream(served, "narrow") as narrow, stream(served) as trader:
        for socket in (narrow, trader):
            say(socket, action="subscribe", topics=topics, after=0)
        place(served, "not-for-narrow")
        served.ask("POST", "/api/v1/emergency-stop", "trader", json={"reason": "so that all hear something"})
        hear_until(trader, "StopTrading")
        heard = hear_until(narrow, "StopTrading")
        served.ask("POST", "/api/v1/resume", "risk", json={"reason": "it was a test"})
    assert ACCOUNT not in msgspec.json.encode(heard).decode()


# What a client may do


@pytest.mark.parametrize(
    "frame",
    [
        "{",
        "[]",
        '{"action":"subscribe"}',
        '{"action":"subscribe","topics":[]}',
        '{"action":"subscribe","topics":["secrets"]}',
        '{"action":"subscribe","topics":["orders"],"after":-1}',
        '{"action":"subscribe","topics":["orders"],"account":"alpha"}',
        '{"action":"destroy","topics":["orders"]}',
        '{"topics":["orders"]}',
        "[" * 5000,
    ],
)
def test_a_bad_frame_is_answered_with_a_problem_and_the_socket_goes_on(served: Gateway, frame: str) -> None:
    with stream(served) as socket:
        socket.send(frame)
        assert hear(socket)["status"] == 400
        say(socket, action="subscribe", topics=["orders"])
        assert hear(socket)["type"] == "subscribed"


def test_a_client_that_sends_only_bad_frames_is_closed(served: Gateway) -> None:
    with stream(served) as socket:
        for _ in range(11):
            socket.send("{")
        assert closed(socket) == 4400


def test_a_frame_that_is_too_large_ends_the_socket(served: Gateway) -> None:
    with stream(served) as socket:
        socket.send("x" * 70_000)
        assert closed(socket) == 1009


# Slow clients and the end


def test_closing_the_server_tells_clients_to_come_back(tmp_path: Path) -> None:
    with gateway(tmp_path) as served, stream(served) as socket:
        say(socket, action="subscribe", topics=["orders"])
        hear(socket)
        served.server.close()
        assert closed(socket) == 1012
