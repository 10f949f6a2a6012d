"""`tmt up` as it is run: three services beside one desk, and nothing acknowledged is lost when it is killed."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import Any

import httpx
import pytest

from tmt import messages as m
from tmt.access import Role
from tmt.access.opening import open_access
from tmt.access.people import COMMAND_LINE
from tmt.adapters.clock.system import SystemClock
from tmt.adapters.event_log.sqlite import SqliteEventLog
from tmt.sections import load_config

ANSWER_SECONDS_MAX = 60
PASSWORD = "seven purple lanterns"
SYMBOL = "BTCUSD.SIM"
SERVICES = ("page", "storage API", "engine")

pytestmark = pytest.mark.slow


class Up:
    """`tmt up` in a process of its own; `url` by service."""

    def __init__(self, state: Path, *words: str, **environment: str) -> None:
        command = [sys.executable, "-m", "tmt.cli.main", "up", "--headless", "--port", "0", "--storage-port", "0"]
        self.process = subprocess.Popen(
            [*command, "--engine-port", "0", "--for", "120", *words],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "TMT_STATE": str(state), "NO_COLOR": "1", **environment},
        )
        self.said: list[str] = []
        self.url: dict[str, str] = {}
        assert self.process.stderr is not None
        while len(self.url) < len(SERVICES):
            line = self.process.stderr.readline()
            assert line, f"it ended: {''.join(self.said)}"
            self.said.append(line)
            name, found, url = line.strip().partition(": http")
            if found and name in SERVICES:
                self.url[name] = f"http{url}".rstrip("/")

    def wait_until_ready(self) -> None:
        pause = Event()
        waiting = list(SERVICES)
        while waiting:
            if httpx.get(f"{self.url[waiting[0]]}/ready", timeout=ANSWER_SECONDS_MAX).status_code == 200:
                waiting.pop(0)
            else:
                assert self.process.poll() is None, "it ended"
                pause.wait(0.05)

    def end(self, number: int) -> int:
        assert self.process.stderr is not None
        self.process.send_signal(number)
        self.process.stderr.read()
        self.process.stderr.close()
        return self.process.wait(ANSWER_SECONDS_MAX)


@contextmanager
def up(state: Path, *words: str, **environment: str) -> Iterator[Up]:
    running = Up(state, *words, **environment)
    try:
        yield running
    finally:
        if running.process.poll() is None:
            running.end(signal.SIGKILL)


def trader(state: Path) -> None:
    opened = open_access(state, load_config(None).sections["access"], SystemClock())
    opened.access.people.create("trader", Role.TRADER, PASSWORD, by=COMMAND_LINE, must_change=False)
    opened.access.close()


def logged_in(url: str) -> dict[str, str]:
    answer = httpx.post(f"{url}/api/v1/sessions", json={"name": "trader", "password": PASSWORD}, timeout=20)
    assert answer.is_success, answer.text
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}


def events(state: Path, *kinds: str) -> list[m.Message]:
    log = SqliteEventLog(state / "books" / "main" / "events.sqlite", read_only=True)
    try:
        log.verify()
        return [m.decode(each.body) for each in log.read(types=kinds)]
    finally:
        log.close()


def order(client_order_id: str) -> dict[str, Any]:
    return {
        "symbol": SYMBOL,
        "side": "buy",
        "type": "limit",
        "price": "1000.00",
        "stop_loss_price": "900.00",
        "quantity": "0.001",
        "client_order_id": client_order_id,
    }


def test_the_same_order_is_seen_through_every_service_and_survives_a_restart(tmp_path: Path) -> None:
    trader(tmp_path)
    with up(tmp_path, "--history", "2") as desk:
        desk.wait_until_ready()
        headers = logged_in(desk.url["page"])
        placed = httpx.post(f"{desk.url['page']}/api/v1/orders", json=order("one"), headers=headers, timeout=20)
        assert placed.status_code in (200, 400), placed.text
        order_id = placed.json()["order_id"]
        for service in ("page", "engine"):
            shown = httpx.get(f"{desk.url[service]}/api/v1/orders/{order_id}", headers=headers, timeout=20)
            assert shown.json()["order_id"] == order_id
        assert desk.end(signal.SIGTERM) == 0
    with up(tmp_path, "--history", "2") as desk:
        desk.wait_until_ready()
        headers = logged_in(desk.url["page"])
        again = httpx.post(f"{desk.url['engine']}/api/v1/orders", json=order("one"), headers=headers, timeout=20)
        assert again.status_code == placed.status_code
        assert again.json()["order_id"] == order_id
        desk.end(signal.SIGTERM)
    assert len(events(tmp_path, "OrderProposed")) == 1


def test_what_was_acknowledged_before_a_kill_is_in_the_log_once(tmp_path: Path) -> None:
    trader(tmp_path)
    acknowledged: list[str] = []
    enough = Event()

    def send(number: int) -> None:
        client_order_id = f"n{number}"
        try:
            answer = client.post("/api/v1/orders", json=order(client_order_id), headers=headers)
        except httpx.TransportError:
            return
        if answer.status_code in (200, 400):
            acknowledged.append(answer.json()["order_id"])
        if len(acknowledged) > 40:
            enough.set()

    with up(tmp_path, "--history", "1", TMT__ACCESS__RATES__TRADER__REQUESTS_PER_SECOND="10000") as desk:
        desk.wait_until_ready()
        headers = logged_in(desk.url["page"])
        limits = httpx.Limits(max_connections=16)
        with (
            httpx.Client(base_url=desk.url["engine"], timeout=20, limits=limits) as client,
            ThreadPoolExecutor(16) as senders,
        ):
            for number in range(400):
                senders.submit(send, number)
            assert enough.wait(ANSWER_SECONDS_MAX)
            desk.end(signal.SIGKILL)
    known = {
        each.order_id if isinstance(each, m.OrderDenied) else each.order.order_id
        for each in events(tmp_path, "OrderDenied", "OrderSubmitted")
        if isinstance(each, m.OrderDenied | m.OrderSubmitted)
    }
    proposals = [each.message_id for each in events(tmp_path, "OrderProposed")]
    assert set(acknowledged) <= known
    assert len(proposals) == len(set(proposals))
    with up(tmp_path, "--history", "1") as desk:
        desk.wait_until_ready()
        desk.end(signal.SIGTERM)


def test_a_desk_runs_on_what_is_posted_and_goes_on_where_it_stopped(tmp_path: Path) -> None:
    clock = SystemClock()
    words, environment = ("--feed", "posted"), {"TMT__ENGINE__LOAD_TESTING_ENABLED": "true"}
    for start in range(2):
        with up(tmp_path, *words, **environment) as desk:
            opened = open_access(tmp_path, load_config(None).sections["access"], clock)
            headers = {"Authorization": f"Bearer {opened.access.service_token('tester')}"}
            opened.access.close()
            desk.wait_until_ready()
            for number in range(20):
                bid = f"1.1000{number % 5}"
                row = {"symbol": "EURUSD", "bid": bid, "ask": bid, "timestamp": clock.now_ns()}
                answer = httpx.post(f"{desk.url['engine']}/api/v1/market_data", json=[row] * 5, headers=headers)
                assert answer.status_code == 202, answer.text
            pause = Event()
            while sum(_rows(each) for each in events(tmp_path, "MarketDataReceived")) < 100 * (start + 1):
                pause.wait(0.05)
            assert desk.end(signal.SIGTERM) == 0
    firsts = [each for each in events(tmp_path, "MarketDataReceived") if isinstance(each, m.MarketDataReceived)]
    assert [each.first_sequence for each in firsts] == [sum(map(_rows, firsts[:index])) for index in range(len(firsts))]


def _rows(message: m.Message) -> int:
    return message.rows if isinstance(message, m.MarketDataReceived) else 0


def test_a_usual_port_in_use_costs_that_service_and_a_named_one_the_start(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        command = [sys.executable, "-m", "tmt.cli.main", "up", "--headless", "--for", "1", "--history", "0"]
        ports = ["--port", "0", "--storage-port", "0", "--engine-port", port]
        done = subprocess.run(
            [*command, *ports, "--json"],
            capture_output=True,
            text=True,
            timeout=ANSWER_SECONDS_MAX,
            env={**os.environ, "TMT_STATE": str(tmp_path)},
            check=False,
        )
    assert done.returncode == 4
    assert json.loads(done.stdout)["code"] == "TMT-W001"
    assert f"port {port}" in done.stderr
