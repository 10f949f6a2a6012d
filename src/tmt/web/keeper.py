"""Who asks, what they may, how often, and that a change is done once and written into the audit trail."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final

from litestar import Request, Response
from litestar.connection import ASGIConnection
from litestar.enums import ScopeType
from litestar.handlers import BaseRouteHandler
from litestar.types import ASGIApp, HTTPReceiveMessage, HTTPScope, Message, Receive, Scope, Send

from tmt.access.idempotency import BODY_BYTES_MAX, Conflict, InFlight, Stored, refuse_malformed
from tmt.access.roles import Operation, Principal
from tmt.errors import TmtError
from tmt.observability.logs import logger
from tmt.web.problem import Refused

if TYPE_CHECKING:
    from tmt.access import Access

CHANGES: Final = ("POST", "PUT", "PATCH", "DELETE")

_LOG: Final = logger(__name__)
_VISIT: Final = "tmt.visit"
_NOT_KEPT: Final = (401, 403, 408, 409, 413, 415, 429)
_REPEATED: Final = {"Idempotency-Replayed": "true"}


class requires:  # noqa: N801 - reads as a word in a list of guards
    """A Litestar guard: the route is for those who may do `operation`, on whatever account."""

    def __init__(self, operation: Operation) -> None:
        self.operation = operation

    async def __call__(self, connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
        await demand(connection, self.operation)


async def demand(
    connection: ASGIConnection[Any, Any, Any, Any], operation: Operation, account: str | None = None
) -> None:
    """Go on only when whoever asks may do `operation`, on `account` if one is named.

    Raises:
        AccessRefused: 403; all but looking is in the audit trail.
    """
    who = principal(connection)
    if not who.may(operation, account):
        await asyncio.to_thread(_visit(connection.scope).access.demand, who, operation, account)


def principal(connection: ASGIConnection[Any, Any, Any, Any]) -> Principal:
    """Who asks; only in handlers that are not anonymous."""
    return _visit(connection.scope).principal


def says(request: Request[Any, Any, Any], subject: str, **detail: str | int | bool | None) -> None:
    """What the audit trail shall say of this change: what it was done to, and more; never a secret."""
    visit = _visit(request.scope)
    visit.subject, visit.detail = subject, detail


@dataclass(slots=True)
class _Visit:
    """One request of somebody known; what the audit trail shall say of it."""

    access: Access
    principal: Principal
    subject: str = ""
    detail: Mapping[str, str | int | bool | None] = field(default_factory=dict)


def _visit(scope: Mapping[str, Any]) -> _Visit:
    visit = scope["state"].get(_VISIT)
    assert isinstance(visit, _Visit), "an anonymous route does not know who asks"
    return visit


def address_of(scope: Mapping[str, Any]) -> str:
    """The network address that asks; empty when unknown."""
    client = scope.get("client")
    return str(client[0]) if client else ""


def is_loopback(address: str) -> bool:
    """Whether an address is this machine's own."""
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def header(scope: Mapping[str, Any], name: bytes) -> str | None:
    """A request's header; None when it is missing or comes twice."""
    found = [value for key, value in scope["headers"] if key == name]
    return found[0].decode("latin-1") if len(found) == 1 else None


async def authenticate(access: Access, scope: Mapping[str, Any]) -> Principal:
    """Who sends this request or opens this WebSocket.

    Raises:
        AccessRefused: 401 or 429.
    """
    # In a thread: a store of people that hangs must not keep the service from saying that it lives.
    return await asyncio.to_thread(
        access.authenticate, header(scope, b"authorization"), header(scope, b"x-api-key"), address_of(scope)
    )


class Keeper:
    """Litestar middleware that stands before every handler of a service with access control."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app = app
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            await self._app(scope, receive, send)
            return
        opt = scope["route_handler"].opt
        if opt.get("anonymous") or (opt.get("anonymous_on_loopback") and is_loopback(address_of(scope))):
            await self._app(scope, receive, send)
            return
        who = await authenticate(self._access, scope)
        scope.setdefault("state", {})[_VISIT] = _Visit(self._access, who)
        self._access.admit(who)
        if not opt.get("of_oneself"):
            self._access.demand(who, Operation.READ)
        if scope["method"] in CHANGES:
            await self._change(scope, receive, send, who)
        else:
            await self._app(scope, receive, send)

    async def _change(self, scope: HTTPScope, receive: Receive, send: Send, who: Principal) -> None:
        key = header(scope, b"idempotency-key")
        if key is not None and not scope["route_handler"].opt.get("once", True):
            # What must never be taken for a repetition of something older is done each time it is asked.
            refuse_malformed(key)
            key = None
        if key is not None:
            body = await _whole(receive)
            kept = await self._begin(scope, who, key, body)
            if kept is not None:
                await kept.to_asgi_response(None, Request(scope))(scope, receive, send)
                return
            receive = _again(body)
        answer = _Answer()
        await self._app(scope, receive, answer.take)
        if key is not None:
            await self._end(who, key, answer)
        if scope["route_handler"].opt.get("audited", True):
            await self._note(scope, who, answer.status)
        for message in answer.messages:
            await send(message)

    async def _begin(self, scope: HTTPScope, who: Principal, key: str, body: bytes) -> Response[bytes] | None:
        digest = _digest(scope, body)
        match await asyncio.to_thread(self._access.idempotency.begin, who, key, digest):
            case Stored(status=status, content_type=content_type, body=kept):
                return Response(kept, status_code=status, media_type=content_type, headers=_REPEATED)
            case Conflict():
                raise Refused(409, "", "this Idempotency-Key was used for another request: choose a new one")
            case InFlight(retry_after_seconds=seconds):
                detail = "the request with this Idempotency-Key is still being answered: try again"
                raise Refused(409, "", detail, {"Retry-After": str(seconds)})
            case _:
                return None

    async def _end(self, who: Principal, key: str, answer: _Answer) -> None:
        # Of an answer that does not say what became of the request, nothing is kept: asking again must find out.
        if answer.status in _NOT_KEPT or answer.status >= 500 or len(answer.body) > BODY_BYTES_MAX:
            await asyncio.to_thread(self._access.idempotency.abandon, who, key)
        else:
            await asyncio.to_thread(
                self._access.idempotency.finish, who, key, answer.status, answer.content_type, answer.body
            )

    async def _note(self, scope: HTTPScope, who: Principal, status: int) -> None:
        visit = _visit(scope)
        subject = visit.subject or ", ".join(map(str, scope["path_params"].values()))
        outcome = "done" if status < 400 else "refused" if status < 500 else "failed"
        action = f"{scope['method']} {scope['path_template']}"
        try:
            await asyncio.to_thread(
                self._access.audit.append,
                who.name,
                who.method,
                action,
                subject,
                outcome,
                {"status": status, **visit.detail},
            )
        except TmtError as error:
            _LOG.error("a change is not in the audit trail", action=action, person=who.name, exc_info=error)


class _Answer:
    """An answer held back until what must be written about it is written."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.status = 500
        self.content_type = ""
        self.body = b""

    async def take(self, message: Message) -> None:
        self.messages.append(message)
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.content_type = header(message, b"content-type") or ""
        elif message["type"] == "http.response.body":
            self.body += message["body"]


async def _whole(receive: Receive) -> bytes:
    parts = []
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise Refused(408, "", "the client went away before its body had come")
        parts.append(message["body"])
        if not message.get("more_body", False):
            return b"".join(parts)


def _again(body: bytes) -> Receive:
    messages: list[HTTPReceiveMessage] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> HTTPReceiveMessage:
        return messages.pop() if messages else {"type": "http.disconnect"}

    return receive


def _digest(scope: HTTPScope, body: bytes) -> bytes:
    parts = (scope["method"].encode(), scope["path"].encode(), scope["query_string"], body)
    return blake2b(b"".join(len(part).to_bytes(8, "big") + part for part in parts), digest_size=32).digest()
