"""Many WebSockets in one thread, each reading frames at little cost: counted, a part of them also looked into."""

from __future__ import annotations

import asyncio
import os
import re
import socket
import struct
import time
from collections.abc import Mapping
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from benchmarks.latency import Latencies

TEXT: Final = 1
PING: Final = 9
PONG: Final = 10
RECEIVED_BYTES_OF_SLOW: Final = 4096
SEGMENT_BYTES_OF_SLOW: Final = 1400
"""As over a network: with the loopback's 64 KB segments the server's kernel would buffer megabytes for one socket."""

_STAMP: Final = re.compile(rb'"server_time_ns":(\d+)')
_SHED: Final = re.compile(rb'"type":"shed","count":(\d+)')


class Frame(NamedTuple):
    opcode: int
    payload: bytes


def decode_frames(received: bytes) -> tuple[list[Frame], int]:
    """The whole frames at the start of what a server sent, and their length."""
    frames, at = [], 0
    while len(received) >= at + 2:
        length, begins = received[at + 1] & 0x7F, at + 2
        if length >= 126:
            form = ">H" if length == 126 else ">Q"
            begins += struct.calcsize(form)
            if len(received) < begins:
                break
            (length,) = struct.unpack_from(form, received, at + 2)
        if len(received) < begins + length:
            break
        frames.append(Frame(received[at] & 0x0F, received[begins : begins + length]))
        at = begins + length
    return frames, at


def encode_frame(opcode: int, payload: bytes) -> bytes:
    """A frame as clients send it, masked; up to 65,535 bytes."""
    mask = os.urandom(4)
    size = len(payload)
    head = bytes([0x80 | opcode, 0x80 | size]) if size < 126 else struct.pack(">BBH", 0x80 | opcode, 0xFE, size)
    return head + mask + bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))


class Counts:
    """What all sockets have seen since `restart`. `latencies` are of those that look into their frames."""

    def __init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        self.frames = 0
        self.shed = 0
        self.closed = 0
        self.latencies = Latencies()


class Reader(asyncio.Protocol):
    """One socket: asks for the upgrade, subscribes, and counts.

    Args:
        upgrade: the request; `hello` is the first frame sent after it.
        looks: whether it reads the server's stamp of each frame.
    """

    def __init__(self, upgrade: bytes, hello: bytes, counts: Counts, *, looks: bool) -> None:
        self.subscribed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.transport: asyncio.Transport | None = None
        self._upgrade = upgrade
        self._hello = hello
        self._counts = counts
        self._looks = looks
        self._received = b""
        self._is_open = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.write(self._upgrade)

    def data_received(self, data: bytes) -> None:
        self._received += data
        if not self._is_open and not self._opened():
            return
        frames, used = decode_frames(self._received)
        self._received = self._received[used:]
        for frame in frames:
            self._take(frame)

    def _opened(self) -> bool:
        end = self._received.find(b"\r\n\r\n")
        if end < 0:
            return False
        if b" 101 " not in self._received[:16]:
            self.subscribed.set_exception(ConnectionError(self._received[:300].decode(errors="replace")))
            return False
        self._received = self._received[end + 4 :]
        self._is_open = True
        assert self.transport is not None
        self.transport.write(encode_frame(TEXT, self._hello))
        return True

    def _take(self, frame: Frame) -> None:
        if frame.opcode == PING and self.transport is not None:
            self.transport.write(encode_frame(PONG, frame.payload))
        if frame.opcode != TEXT:
            return
        if not self.subscribed.done():
            self.subscribed.set_result(None)
            return
        shed = _SHED.search(frame.payload)
        if shed is not None:
            self._counts.shed += int(shed[1])
            return
        self._counts.frames += 1
        stamp = _STAMP.search(frame.payload) if self._looks else None
        if stamp is not None:
            self._counts.latencies.add_ns(time.time_ns() - int(stamp[1]))

    def connection_lost(self, error: Exception | None) -> None:
        self._counts.closed += 1
        if not self.subscribed.done():
            self.subscribed.set_exception(error or ConnectionError("closed before it was subscribed"))


async def connect(
    url: str, headers: Mapping[str, str], hello: bytes, counts: Counts, *, looks: bool, slow: bool = False
) -> Reader:
    """A socket that is subscribed. One that is `slow` has a small window, and is to be paused by the caller."""
    address = urlsplit(url)
    lines = [
        f"GET {address.path} HTTP/1.1",
        f"Host: {address.netloc}",
        *(f"{name}: {value}" for name, value in headers.items()),
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
    ]
    upgrade = "\r\n".join([*lines, "", ""]).encode("latin-1")
    line = socket.socket()
    line.setblocking(False)
    if slow:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVED_BYTES_OF_SLOW)
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, SEGMENT_BYTES_OF_SLOW)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(line, (address.hostname, address.port))
    _, reader = await loop.create_connection(lambda: Reader(upgrade, hello, counts, looks=looks), sock=line)
    await reader.subscribed
    return reader
