"""An HTTP/1.1 client that costs little beside what it measures: kept connections, one request at a time on each."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple
from urllib.parse import urlsplit


class Answer(NamedTuple):
    status: int
    body: bytes


def encode_request(method: str, path: str, host: str, headers: Mapping[str, str], body: bytes) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", *(f"{name}: {value}" for name, value in headers.items())]
    if body:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def decode_answer(received: bytes) -> tuple[Answer, int] | None:
    """The first answer in what was received, and its length; None while it is not whole. It must name its length."""
    head_end = received.find(b"\r\n\r\n")
    if head_end < 0:
        return None
    first, *lines = received[:head_end].split(b"\r\n")
    fields = {name.strip().lower(): value.strip() for name, _, value in (line.partition(b":") for line in lines)}
    status = int(first.split(b" ", 2)[1])
    if b"content-length" not in fields and status != 204:
        raise ValueError(f"an answer without Content-Length: {received[:head_end]!r}")
    end = head_end + 4 + int(fields.get(b"content-length", b"0"))
    return None if len(received) < end else (Answer(status, received[head_end + 4 : end]), end)


class _Protocol(asyncio.Protocol):
    def __init__(self) -> None:
        self.received = b""
        self.answer: asyncio.Future[Answer] | None = None
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.received += data
        found = decode_answer(self.received)
        if found is not None and self.answer is not None:
            answer, length = found
            self.received = self.received[length:]
            waiting, self.answer = self.answer, None
            waiting.set_result(answer)

    def connection_lost(self, error: Exception | None) -> None:
        self.transport = None
        if self.answer is not None and not self.answer.done():
            self.answer.set_exception(error or ConnectionError("the server closed the connection"))


class Client:
    """Up to so many connections to one server; a request takes the one used last, or waits for one that is free."""

    def __init__(self, url: str, connections: int) -> None:
        address = urlsplit(url)
        assert address.hostname is not None
        assert address.port is not None
        self._host, self._port, self._connections = address.hostname, address.port, connections
        self._free: asyncio.LifoQueue[_Protocol] = asyncio.LifoQueue()
        self._all = [_Protocol() for _ in range(connections)]

    async def __aenter__(self) -> Client:
        for protocol in self._all:
            self._free.put_nowait(protocol)
        return self

    async def __aexit__(self, *_: object) -> None:
        for protocol in self._all:
            if protocol.transport is not None:
                protocol.transport.close()
        await asyncio.sleep(0)

    async def send(self, method: str, path: str, headers: Mapping[str, str], body: bytes = b"") -> Answer:
        request = encode_request(method, path, f"{self._host}:{self._port}", headers, body)
        protocol = await self._free.get()
        loop = asyncio.get_running_loop()
        try:
            if protocol.transport is None or protocol.transport.is_closing():  # servers close those that are idle
                await loop.create_connection(lambda: protocol, self._host, self._port)
            assert protocol.transport is not None
            waiting: asyncio.Future[Answer] = loop.create_future()
            protocol.answer = waiting
            protocol.transport.write(request)
            return await waiting
        finally:
            self._free.put_nowait(protocol)

    async def closed_loop(
        self, requests: Iterable[tuple[str, str, Mapping[str, str], bytes]], told: Callable[[Answer], None]
    ) -> int:
        """Send every request, one after another on each connection; return how many were sent."""
        left, sent = iter(requests), 0

        async def worker() -> None:
            nonlocal sent
            for method, path, headers, body in left:
                told(await self.send(method, path, headers, body))
                sent += 1

        async with asyncio.TaskGroup() as tasks:
            for _ in range(self._connections):
                tasks.create_task(worker())
        return sent
