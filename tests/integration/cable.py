"""A cable between clients and a server, that a test cuts or holds at the moment it chooses."""

from __future__ import annotations

import select
import socket
import threading
from contextlib import ExitStack, suppress
from types import TracebackType
from typing import Self

CHUNK_BYTES = 65_536


class Cable:
    """Forwards connections to 127.0.0.1:`port` of the server from a port of its own.

    `cut_before_answer` lets what the clients send next through, and ends their connections when the server answers.
    `hold` keeps back what present clients send from now on, and lets them believe that the server is gone;
    `release` hands it over after all.
    """

    def __init__(self, server_port: int) -> None:
        self._server_port = server_port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._stop, self._wake = socket.socketpair()
        self._lock = threading.Lock()
        self._pairs: dict[socket.socket, socket.socket] = {}
        self._clients: set[socket.socket] = set()
        self._held: list[tuple[socket.socket, bytes]] = []
        self._cutting = self._holding = False
        self.asked = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._wake.send(b"x")
        self._thread.join()
        with ExitStack() as closing:
            for each in (*self._pairs, *(server for server, _ in self._held), self._listener, self._stop, self._wake):
                closing.callback(each.close)

    def cut_before_answer(self) -> None:
        with self._lock:
            self._cutting = True

    def hold(self) -> None:
        with self._lock:
            self._holding = True

    def release(self) -> None:
        with self._lock:
            for server, said in self._held:
                with suppress(OSError):
                    server.sendall(said)

    def drain(self, seconds: float) -> bytes:
        """What the server answered to what was released; empty when it hung up."""
        server, _ = self._held[0]
        server.settimeout(seconds)
        return server.recv(CHUNK_BYTES)

    def _run(self) -> None:
        while True:
            ready, _, _ = select.select([self._listener, self._stop, *self._pairs], [], [])
            if self._stop in ready:
                return
            with self._lock:
                for each in ready:
                    if each is self._listener:
                        self._accept()
                    elif each in self._pairs:
                        self._forward(each)

    def _accept(self) -> None:
        client, _ = self._listener.accept()
        try:
            server = socket.create_connection(("127.0.0.1", self._server_port))
        except OSError:
            client.close()
            return
        self._pairs |= {client: server, server: client}
        self._clients.add(client)

    def _forward(self, source: socket.socket) -> None:
        other = self._pairs[source]
        with suppress(OSError):
            said = source.recv(CHUNK_BYTES)
            from_client = source in self._clients
            if self._holding and from_client and said:
                self._holding = False
                self._held.append((other, said))
                self._forget(source, other)
                source.close()
                self.asked.set()
                return
            if said and not (self._cutting and not from_client):
                other.sendall(said)
                return
            self._cutting = self._cutting and from_client
        self._forget(source, other)
        source.close()
        other.close()

    def _forget(self, source: socket.socket, other: socket.socket) -> None:
        for each in (source, other):
            del self._pairs[each]
            self._clients.discard(each)
