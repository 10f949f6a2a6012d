"""A service's server: HTTP and WebSockets in a thread of its own, beside whatever else the process does."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from threading import Event, Thread
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

import uvicorn

from tmt.errors import AdapterUnavailable, ConfigError
from tmt.web.config import Limits
from tmt.web.protocol import BoundedProtocol

if TYPE_CHECKING:
    from litestar.types import ASGIApp

LOOPBACK_HOSTS: Final = ("127.0.0.1", "::1")
_STARTING_SECONDS: Final = 20


class _Uvicorn(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, started: Event) -> None:
        super().__init__(config)
        self._started_event = started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._started_event.set()


class Server:
    """A server that runs. Use as a context, or call `close`.

    Attributes:
        url: such as "http://127.0.0.1:8000/".
        port: that it listens on.
    """

    def __init__(self, config: uvicorn.Config, listener: socket.socket, url: str, name: str) -> None:
        self.url = url
        self.port = int(listener.getsockname()[1])
        self._listener = listener
        self._started = Event()
        self._server = _Uvicorn(config, self._started)
        self._closing_seconds = (config.timeout_graceful_shutdown or 0) + 1
        # A daemon: a process that ends must not wait for its servers.
        self._thread = Thread(target=self._run, name=name, daemon=True)
        self._thread.start()
        self._started.wait(_STARTING_SECONDS)
        if not self._server.started:
            self.close()
            raise AdapterUnavailable("TMT-W001", f"the {name} did not start", where=url, fix="its log says why")

    def _run(self) -> None:
        try:
            self._server.run([self._listener])
        finally:
            self._started.set()

    def close(self) -> None:
        """Stop listening, close WebSockets with 1012, let answers under way end; a second call does nothing."""
        self._server.should_exit = True
        self._thread.join(self._closing_seconds)
        self._listener.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def serve(
    app: ASGIApp,
    port: int,
    host: str = "127.0.0.1",
    *,
    name: str,
    limits: Limits,
    tls: ssl.SSLContext | None = None,
    plain_http_beyond_loopback: bool = False,
) -> Server:
    """Serve `app` until the server is closed; it listens when this returns.

    Args:
        app: a service, from `tmt.web.service.create_service`.
        port: 0 to 65535; 0 takes any that is free.
        host: address to listen on; another than `LOOPBACK_HOSTS` needs `tls`, or the leave to go without.
        name: of the service, for errors and the thread.
        limits: bounds on connections, frames and time.
        tls: certificate and key, and whether clients must show one.
        plain_http_beyond_loopback: see `WebConfig`.

    Raises:
        ConfigError: when other machines could reach it without TLS (TMT-W002).
        AdapterUnavailable: when the port cannot be used (TMT-W001).
    """
    if host not in LOOPBACK_HOSTS and tls is None and not plain_http_beyond_loopback:
        raise ConfigError(
            "TMT-W002",
            f"the {name} would be reached from other machines without TLS, on {host or 'every address'}",
            fix="leave the host out, or give certificates; from elsewhere, an ssh tunnel does",
        )
    listener = _listen(host, port, name)
    shown_host = f"[{host}]" if ":" in host else host
    scheme = "http" if tls is None else "https"
    return Server(_config(app, limits, tls), listener, f"{scheme}://{shown_host}:{listener.getsockname()[1]}/", name)


def _config(app: ASGIApp, limits: Limits, tls: ssl.SSLContext | None) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        access_log=False,
        http=BoundedProtocol,
        lifespan="on",
        limit_concurrency=limits.connections_max,
        log_config=None,
        log_level="warning",
        proxy_headers=False,
        server_header=False,
        ssl_context_factory=None if tls is None else _always(tls),
        timeout_graceful_shutdown=limits.graceful_seconds_max,
        ws="websockets-sansio",
        ws_max_size=limits.frame_bytes_max,
        ws_per_message_deflate=False,
        ws_ping_interval=float(limits.ping_seconds),
        ws_ping_timeout=float(limits.ping_seconds),
    )


def _always(context: ssl.SSLContext) -> Callable[[uvicorn.Config, Callable[[], ssl.SSLContext]], ssl.SSLContext]:
    return lambda _config, _default: context


def _listen(host: str, port: int, name: str) -> socket.socket:
    # Listening at once, not in the server's thread: whoever asks for a port in use hears it before the desk trades.
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen()
    except OSError as error:
        listener.close()
        raise AdapterUnavailable(
            "TMT-W001",
            f"the {name} cannot listen on port {port}: {error.strerror}",
            where=f"{host}:{port}",
            fix="give another port; 0 takes any that is free",
        ) from error
    return listener
