"""Orders sent to a desk over HTTP without a break, each until it is answered, and every answer kept."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Condition, Event, Thread
from typing import Any, NamedTuple

import httpx

SYMBOL = "BTCUSD.SIM"
"""Open on every day of the week; begins at 65000."""
DENIED_EVERY = 5
"""Every fifth order has no stop, and is denied by compliance."""
STOP_OF_BUYS, STOP_OF_SALES = "55000.00", "75000.00"
ANSWER_SECONDS_MAX = 60.0
"""For as long an order is sent again; the desk must be back well before."""
_AGAIN_SECONDS = 0.05
_ANSWERED = (200, 400)


class Answered(NamedTuple):
    """An order that the desk has answered: 200 submitted, 400 denied.

    Attributes:
        sends: how often it was sent until then.
    """

    client_order_id: str
    status: int
    body: dict[str, Any]
    sends: int


class Load:
    """Sends orders from some threads, each waiting for its answer before it sends the next.

    After a time-out, a lost connection or an answer of 5xx the same order is sent again, with the same client order id.

    Args:
        name: the start of its client order ids, which nobody else uses.

    Attributes:
        url: of the engine; may change while orders are sent.
        answered: in the order of their answers.
        failures: answers that should not be, and orders that were given up; must stay empty.
    """

    def __init__(self, name: str, url: str, key: str, *, senders: int, pause_seconds: float) -> None:
        self.url = url
        self.answered: list[Answered] = []
        self.failures: list[str] = []
        self._name = name
        self._key = key
        self._pause_seconds = pause_seconds
        self._changed = Condition()
        self._numbers = iter(range(10**9))
        self._over = Event()
        self._threads = [Thread(target=self._send_all, name=f"sender-{number}") for number in range(senders)]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Send no more, and wait until what was sent is answered."""
        self._over.set()
        for thread in self._threads:
            thread.join()

    def wait_for(self, count: int, *, meanwhile: Callable[[], None] = lambda: None) -> float:
        """Until `count` more orders that were sent after now are answered; seconds to the first of them."""
        began = time.monotonic()
        with self._changed:
            sent_before = next(self._numbers)
            first = 0.0
            seen = len(self.answered)
            while count > 0:
                assert not self.failures, self.failures[0]
                meanwhile()
                self._changed.wait(0.1)
                assert time.monotonic() - began < ANSWER_SECONDS_MAX + 10, "no order is answered"
                new = [each for each in self.answered[seen:] if _number(each.client_order_id) > sent_before]
                if new and not first:
                    first = time.monotonic() - began
                if len(new) >= count:
                    return first
        return first

    def send(self, client_order_id: str, client: httpx.Client) -> httpx.Response:
        """Send one order once."""
        number = _number(client_order_id)
        buys = number % 2 == 0
        stop = STOP_OF_BUYS if buys else STOP_OF_SALES
        order = {
            "symbol": SYMBOL,
            "side": "buy" if buys else "sell",
            "type": "market",
            "quantity": "0.001",
            "stop_loss_price": None if number % DENIED_EVERY == 0 else stop,
            "client_order_id": client_order_id,
        }
        return client.post(f"{self.url}/api/v1/orders", json=order, headers={"X-API-Key": self._key})

    def _send_all(self) -> None:
        with httpx.Client(timeout=10) as client:
            while not self._over.wait(self._pause_seconds):
                with self._changed:
                    number = next(self._numbers)
                self._send_until_answered(f"{self._name}.{number}", client)

    def _send_until_answered(self, client_order_id: str, client: httpx.Client) -> None:
        give_up = time.monotonic() + ANSWER_SECONDS_MAX
        for sends in range(1, 10**6):
            answer: httpx.Response | None = None
            with suppress(httpx.TransportError):
                answer = self.send(client_order_id, client)
            if answer is not None and answer.status_code in _ANSWERED:
                with self._changed:
                    self.answered.append(Answered(client_order_id, answer.status_code, answer.json(), sends))
                    self._changed.notify_all()
                return
            if answer is not None and answer.status_code < 500 and answer.status_code != 429:
                self.failures.append(f"{client_order_id}: {answer.status_code} {answer.text}")
                return
            if time.monotonic() > give_up:
                self.failures.append(f"{client_order_id}: given up; at last {answer and answer.text}")
                return
            Event().wait(_AGAIN_SECONDS)


def _number(client_order_id: str) -> int:
    return int(client_order_id.rpartition(".")[2])


@contextmanager
def load(name: str, url: str, key: str, *, senders: int = 3, pause_seconds: float = 0.05) -> Iterator[Load]:
    """Orders while it lasts; at its end all of them are answered."""
    sending = Load(name, url, key, senders=senders, pause_seconds=pause_seconds)
    sending.start()
    try:
        yield sending
    finally:
        sending.stop()
