"""The doorkeeper: what is true of every request and answer of a service, whatever it asks for."""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Callable, Iterable, Sequence
from typing import Final, cast

from litestar import Request
from litestar.enums import HttpMethod
from litestar.types import ASGIApp, HTTPReceiveMessage, HTTPScope, Message, Receive, Scope, Send, WebSocketScope

from tmt.observability.metrics import Metrics
from tmt.web.config import Limits
from tmt.web.problem import MEDIA_TYPE, RETRY_SECONDS, Refused

URGENT_PLACES: Final = 8
"""Requests of urgent routes answered at a time when all places are taken."""

METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
POLICY: Final = (
    "default-src 'self'; base-uri 'none'; object-src 'none'; form-action 'self'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)

_LOOPBACK_HOST: Final = re.compile(r"(localhost|127\.0\.0\.1|\[::1\])(:[0-9]{1,5})?", re.IGNORECASE)
_REQUEST_ID: Final = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_HEADERS: Final = (
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
_STRICT_TRANSPORT: Final = (b"strict-transport-security", b"max-age=31536000")
_NO_STORE: Final = (b"cache-control", b"no-store")
_ALLOWED_HEADERS: Final = b"authorization, content-type, idempotency-key, x-api-key, x-request-id"
_EXPOSED_HEADERS: Final = b"location, next-cursor, retry-after, snapshot-age-seconds, x-request-id"


class Doorkeeper:
    """Lets in what is addressed to this service and within bounds; marks, times and counts every answer.

    Args:
        app: what is behind the door.
        hosts: names that are answered, beside this machine's; without ports.
        origins: pages whose scripts may read answers.
        urgent: paths that are answered even when all places are taken.
        tls: whether the service is reached over TLS.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        limits: Limits,
        metrics: Metrics,
        hosts: Iterable[str],
        origins: Sequence[str],
        urgent: Iterable[str],
        tls: bool,
    ) -> None:
        self._app = app
        self._limits = limits
        self._metrics = metrics
        self._hosts = frozenset(name.lower() for name in hosts)
        self._origins = frozenset(origin.encode() for origin in origins)
        self._urgent = frozenset(urgent)
        self._headers = (*_HEADERS, _STRICT_TRANSPORT) if tls else _HEADERS
        self._scheme = "https" if tls else "http"
        self._under_way = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind: str = scope["type"]
        if kind == "http":
            await self._answer(cast("HTTPScope", scope), receive, send)
        elif kind == "websocket":
            await self._connect(cast("WebSocketScope", scope), receive, send)
        else:
            await self._app(scope, receive, send)

    # HTTP

    async def _answer(self, scope: HTTPScope, receive: Receive, send: Send) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        status = 0
        request_id = _request_id(scope)
        inner = scope.copy()
        inner["method"] = cast("HttpMethod", _routed_method(scope["method"]))
        marks = self._marks(scope, request_id)

        async def send_marked(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = list(message.get("headers", ()))
                if not any(name.lower() == b"cache-control" for name, _ in headers):
                    headers.append(_NO_STORE)
                message["headers"] = [*headers, *marks]
            elif message["type"] == "http.response.body" and scope["method"] == "HEAD":
                message["body"] = b""
            await send(message)

        refusal = self._refusal(scope)
        if refusal is None and self._is_preflight(scope):
            await send_marked({"type": "http.response.start", "status": 204, "headers": self._preflight()})
            await send_marked({"type": "http.response.body", "body": b"", "more_body": False})
        elif refusal is None:
            refusal = await self._serve(inner, receive, send_marked, lambda: status)
        if refusal is not None:
            await refusal.response().to_asgi_response(None, Request(scope))(scope, receive, send_marked)
        route = inner.get("path_template") or "unmatched"
        method = scope["method"] if scope["method"] in METHODS else "other"
        self._metrics.answered(method, route, status, loop.time() - began)

    async def _serve(self, scope: HTTPScope, receive: Receive, send: Send, status: Callable[[], int]) -> Refused | None:
        body = _Bounded(receive, self._limits.body_bytes_max)
        self._under_way += 1
        try:
            async with asyncio.timeout(self._limits.handler_seconds_max):
                await self._app(scope, body.receive, send)
        except TimeoutError:
            if status():
                raise
            return _too_slow(scope, body.is_awaited)
        finally:
            self._under_way -= 1
        return None

    def _refusal(self, scope: HTTPScope) -> Refused | None:
        refusal = self._foreign(scope)
        if refusal is not None:
            return refusal
        if sum(len(name) + len(value) for name, value in scope["headers"]) > self._limits.header_bytes_max:
            return Refused(431, "", f"the headers are larger than {self._limits.header_bytes_max} bytes")
        lengths = [value for name, value in scope["headers"] if name == b"content-length"]
        if lengths and (not lengths[0].isdigit() or int(lengths[0]) > self._limits.body_bytes_max):
            return _too_large(self._limits.body_bytes_max)
        if b"%00" in scope["query_string"] or "\x00" in scope["path"]:
            return Refused(400, "", "the address holds NUL")
        places = self._limits.requests_at_once_max
        if scope["path"] in self._urgent:
            places += URGENT_PLACES
        if self._under_way >= places and scope["path"] != "/health":
            detail = f"{places} requests are being answered; try again"
            return Refused(503, "", detail, {"Retry-After": str(RETRY_SECONDS)})
        return None

    def _foreign(self, scope: HTTPScope | WebSocketScope) -> Refused | None:
        # A site that makes its name point to this machine would otherwise read the desk through its visitor's browser.
        hosts = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]
        if len(hosts) == 1 and (_LOOPBACK_HOST.fullmatch(hosts[0]) or _without_port(hosts[0]) in self._hosts):
            return None
        return Refused(421, "", "this service answers only to this machine's names and those it was given")

    # Cross-origin reading

    def _origin(self, scope: HTTPScope | WebSocketScope) -> bytes:
        return next((value for name, value in scope["headers"] if name == b"origin"), b"")

    def _is_preflight(self, scope: HTTPScope) -> bool:
        asks = any(name == b"access-control-request-method" for name, _ in scope["headers"])
        return scope["method"] == "OPTIONS" and asks and self._origin(scope) in self._origins

    def _preflight(self) -> list[tuple[bytes, bytes]]:
        return [
            (b"access-control-allow-methods", ", ".join(METHODS).encode()),
            (b"access-control-allow-headers", _ALLOWED_HEADERS),
            (b"access-control-max-age", b"600"),
        ]

    def _marks(self, scope: HTTPScope, request_id: bytes) -> list[tuple[bytes, bytes]]:
        marks = [*self._headers, (b"x-request-id", request_id)]
        origin = self._origin(scope)
        if origin and origin in self._origins:
            marks += [
                (b"access-control-allow-origin", origin),
                (b"access-control-expose-headers", _EXPOSED_HEADERS),
                (b"vary", b"Origin"),
            ]
        return marks

    # WebSocket

    async def _connect(self, scope: WebSocketScope, receive: Receive, send: Send) -> None:
        refusal = self._foreign(scope)
        origin = self._origin(scope)
        host = next((value for name, value in scope["headers"] if name == b"host"), b"")
        if origin and origin not in self._origins and origin != f"{self._scheme}://".encode() + host:
            refusal = Refused(403, "", "a page of another origin may not connect")
        if refusal is None:
            await self._app(scope, receive, send)
            return
        await refuse_upgrade(refusal, receive, send)


async def refuse_upgrade(refusal: Refused, receive: Receive, send: Send) -> None:
    """Answer a WebSocket's upgrade with a problem instead of opening it."""
    await receive()
    await send(
        {
            "type": "websocket.http.response.start",
            "status": refusal.problem.status,
            "headers": [(b"content-type", MEDIA_TYPE.encode()), *_HEADERS, _NO_STORE],
        }
    )
    await send({"type": "websocket.http.response.body", "body": refusal.body(), "more_body": False})


class _Bounded:
    """A request's body, counted as it comes."""

    def __init__(self, receive: Receive, bytes_max: int) -> None:
        self.is_awaited = False
        self._receive = receive
        self._bytes_max = bytes_max
        self._bytes = 0

    async def receive(self) -> HTTPReceiveMessage:
        self.is_awaited = True
        message = await self._receive()
        self.is_awaited = False
        if message["type"] == "http.request":
            self._bytes += len(message["body"])
            if self._bytes > self._bytes_max:
                raise _too_large(self._bytes_max)
        return message  # type: ignore[return-value]


def _too_large(bytes_max: int) -> Refused:
    return Refused(413, "", f"the body is larger than {bytes_max} bytes", {"Connection": "close"})


def _too_slow(scope: HTTPScope, body_is_awaited: bool) -> Refused:
    if body_is_awaited:
        return Refused(408, "", "the body did not come in time", {"Connection": "close"})
    if scope["method"] == HttpMethod.GET:
        return Refused(503, "", "no answer in time; try again", {"Retry-After": str(RETRY_SECONDS)})
    return Refused(504, "", "no answer in time, though it may have been done; send the same request again to learn")


def _routed_method(method: str) -> str:
    # A HEAD is a GET whose body is left out. Litestar would answer OPTIONS itself, and to everybody.
    return "GET" if method == "HEAD" else method if method in METHODS else "none"


def _without_port(host: str) -> str:
    name, separator, port = host.rpartition(":")
    return (name if separator and port.isdigit() else host).lower()


def _request_id(scope: HTTPScope) -> bytes:
    given = next((value for name, value in scope["headers"] if name == b"x-request-id"), b"")
    return given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(8).encode()
