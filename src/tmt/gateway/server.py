"""The page's server, in a thread of its own beside the desk."""

from __future__ import annotations

import socket
from threading import Thread
from types import TracebackType
from typing import Final, Self

import uvicorn

from tmt.errors import AdapterUnavailable, ConfigError
from tmt.gateway.app import DeskWindow, create_app

LOOPBACK_HOSTS: Final = ("127.0.0.1", "::1")
CONNECTIONS_MAX: Final = 64
"""Connections served at a time; more are answered with 503."""

_CLOSING_SECONDS: Final = 2
"""What answers under way get to end in when the server closes."""


class Server:
    """A server that runs. Use as a context, or call `close`.

    Attributes:
        url: of the page, such as "http://127.0.0.1:8000/".
    """

    def __init__(self, url: str, server: uvicorn.Server, listener: socket.socket) -> None:
        self.url = url
        self._server = server
        # A daemon: a desk that ends must not wait for its page.
        self._thread = Thread(target=server.run, args=([listener],), name="page", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop listening and end the thread; a second call does nothing."""
        self._server.should_exit = True
        self._thread.join(_CLOSING_SECONDS + 1)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def serve(window: DeskWindow, port: int, host: str = "127.0.0.1") -> Server:
    """Show what `window` does on http://host:port/ until the server is closed.

    Args:
        window: where the desk's thread leaves its snapshots.
        port: 0 to 65535; 0 takes any that is free.
        host: one of `LOOPBACK_HOSTS`.

    Raises:
        ConfigError: when `host` is another address (TMT-G002).
        AdapterUnavailable: when the port cannot be used (TMT-G001).
    """
    if host not in LOOPBACK_HOSTS:
        raise ConfigError(
            "TMT-G002",
            f"the page has no log-in, so it is served on a loopback address only, not on {host}",
            fix="leave the host out; to see the page from elsewhere, use an ssh tunnel",
        )
    config = uvicorn.Config(
        create_app(window),
        access_log=False,
        limit_concurrency=CONNECTIONS_MAX,
        log_config=None,
        log_level="warning",
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=_CLOSING_SECONDS,
        ws="none",
    )
    listener = _listen(host, port)
    shown_host = f"[{host}]" if ":" in host else host
    return Server(f"http://{shown_host}:{listener.getsockname()[1]}/", uvicorn.Server(config), listener)


def _listen(host: str, port: int) -> socket.socket:
    # Listening at once, not in the server's thread: whoever asks for a port in use hears it before the desk trades.
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen()
    except OSError as error:
        listener.close()
        raise AdapterUnavailable(
            "TMT-G001",
            f"the page cannot listen on port {port}: {error.strerror}",
            where=f"{host}:{port}",
            fix="give another port with --port N; 0 takes any that is free",
        ) from error
    return listener
