"""A server over a desk that a test tells what to say, and a plain HTTP client."""

import http.client
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import msgspec

from tmt.domain.session import NANOSECONDS_PER_SECOND
from tmt.gateway.app import DeskWindow
from tmt.gateway.server import Server, serve

START_NS = 1_700_000_000 * NANOSECONDS_PER_SECOND


class HandClock:
    """A clock whose hand the test moves."""

    def __init__(self) -> None:
        self._now_ns = START_NS

    def now_ns(self) -> int:
        return self._now_ns

    def advance(self, seconds: float) -> None:
        self._now_ns += round(seconds * NANOSECONDS_PER_SECOND)


@dataclass(frozen=True)
class Answer:
    """One response; header names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.body)


def ask(
    url: str, path: str = "/", method: str = "GET", headers: dict[str, str] | None = None, host: str | None = None
) -> Answer:
    """One request on a connection of its own."""
    parts = urlsplit(url)
    assert parts.hostname is not None
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=10)
    try:
        connection.putrequest(method, path, skip_host=True)
        connection.putheader("Host", parts.netloc if host is None else host)
        for name, value in (headers or {}).items():
            connection.putheader(name, value)
        connection.endheaders()
        response = connection.getresponse()
        found = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, found, response.read())
    finally:
        connection.close()


@dataclass(frozen=True)
class Served:
    """A running server, and what it looks at."""

    server: Server
    window: DeskWindow
    clock: HandClock

    def ask(self, path: str = "/", method: str = "GET", **more: Any) -> Answer:
        return ask(self.server.url, path, method, **more)


@contextmanager
def serving() -> Iterator[Served]:
    clock = HandClock()
    window = DeskWindow(clock)
    with serve(window, 0) as server:
        yield Served(server, window, clock)
