"""WebSockets: who is at the other end, checked for as long as it lasts; bounded frames both ways."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, Protocol, TypeVar

import msgspec
from litestar import WebSocket
from litestar.exceptions import WebSocketDisconnect

from tmt.access import Access
from tmt.access.roles import Operation, Principal
from tmt.web.body import decode_body
from tmt.web.config import Limits
from tmt.web.doorkeeper import refuse_upgrade
from tmt.web.keeper import address_of, header
from tmt.web.problem import Refused, refused_by

CHECK_SECONDS: Final = 0.5
"""Between two looks at whether whoever opened the socket still may."""

BAD_FRAMES_MAX: Final = 10
"""Frames of one client that are answered with a problem; the next ends the socket."""

Command = TypeVar("Command")
Command_contra = TypeVar("Command_contra", contravariant=True)


class Authenticate(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="action", tag="authenticate"
):
    """The first frame of a client that cannot send headers: a token or a key."""

    token: str | None = None
    api_key: str | None = None


class _Ended(Exception):
    """The client has gone."""


class _Refusing(Exception):
    """The socket ends with a problem; its close code is 4000 and the problem's status."""

    def __init__(self, refused: Refused) -> None:
        super().__init__(str(refused))
        self.refused = refused


class Peer:
    """Whoever is at the other end of one open WebSocket.

    Frames wait in a queue of `Limits.queue_frames_max`. When it is full, the oldest frame that may be shed makes room,
    and the next that is sent after it is preceded by `{"type":"shed","count":n}`; if none may be, the socket ends.
    """

    def __init__(self, socket: WebSocket[Any, Any, Any], principal: Principal, queue_frames_max: int) -> None:
        self.principal = principal
        self._socket = socket
        self._queue_max = queue_frames_max
        self._must: deque[bytes] = deque()
        self._may: deque[bytes] = deque()
        self._shed = 0
        self._overflow: Refused | None = None
        self._wake = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()

    def offer(self, frame: bytes, *, may_shed: bool = False) -> None:
        """Queue a JSON frame; from the event loop's own thread only."""
        if len(self._must) + len(self._may) >= self._queue_max:
            if self._may:
                self._may.popleft()
                self._shed += 1
            elif may_shed:
                self._shed += 1
                return
            else:
                self._overflow = Refused(429, "", "this client reads too slowly; connect again and resume")
        (self._may if may_shed else self._must).append(frame)
        if len(self._must) + len(self._may) >= self._queue_max // 2:
            self._room.clear()
        self._wake.set()

    async def room(self) -> None:
        """Wait, once half of the queue is taken, until all of it is sent; for who has much to say, but not at once."""
        await self._room.wait()

    def refuse(self, refused: Refused) -> None:
        """Queue a problem as a frame; the socket goes on."""
        self.offer(refused.body())

    async def write(self) -> None:
        """Send what is queued, for ever."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._must or self._may:
                if self._overflow is not None:
                    raise _Refusing(self._overflow)
                if self._must:
                    await self._send(self._must.popleft())
                    continue
                if self._shed:
                    told, self._shed = self._shed, 0
                    await self._send(msgspec.json.encode({"type": "shed", "count": told}))
                await self._send(self._may.popleft())
            self._room.set()

    async def _send(self, frame: bytes) -> None:
        await self._socket.send({"type": "websocket.send", "bytes": None, "text": frame.decode()})


class Conversation(Protocol[Command_contra]):
    """What a service does with one socket."""

    async def hear(self, command: Command_contra) -> None:
        """Act on a frame. What is raised here and `refused_by` understands is told to the client as a frame."""

    def close(self) -> None:
        """The socket has ended."""


async def attend(
    socket: WebSocket[Any, Any, Any],
    access: Access,
    limits: Limits,
    wanted: type[Command],
    converse: Callable[[Peer], Conversation[Command]],
) -> None:
    """Open a socket for somebody who may READ, and converse until it ends.

    Who it is, the upgrade's headers say (`Authorization` or `X-API-Key`), or else the first frame (`Authenticate`).
    That they still may is looked up every `CHECK_SECONDS`.

    Args:
        socket: not yet accepted.
        access: who may do what.
        limits: of the service.
        wanted: what a frame is decoded into; one that cannot be is answered with a problem.
        converse: called once it is known who it is.
    """
    named = _Named(access, socket)
    if named.credentials != (None, None):
        try:
            principal = await named.principal()
        except Exception as error:  # noqa: BLE001 - refused_by tells them apart
            await refuse_upgrade(refused_by(error), socket.receive, socket.send)
            return
        await socket.accept()
    else:
        await socket.accept()
        try:
            principal = await named.introduced(limits.authenticate_seconds_max)
        except _Ended:
            return
        except Exception as error:  # noqa: BLE001 - refused_by tells them apart
            await _close(socket, refused_by(error))
            return
    await _hold(socket, named, Peer(socket, principal, limits.queue_frames_max), wanted, converse)


async def _hold(
    socket: WebSocket[Any, Any, Any],
    named: _Named,
    peer: Peer,
    wanted: type[Command],
    converse: Callable[[Peer], Conversation[Command]],
) -> None:
    conversation = converse(peer)
    refusal: Refused | None = None
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(peer.write())
            tasks.create_task(named.stay(peer))
            tasks.create_task(_listen(socket, peer, wanted, conversation))
    except* _Ended:
        pass
    except* _Refusing as errors:
        refusal = _first(errors)
    except* (WebSocketDisconnect, OSError):
        pass
    finally:
        conversation.close()
    if refusal is not None:
        await _close(socket, refusal)


async def _listen(
    socket: WebSocket[Any, Any, Any], peer: Peer, wanted: type[Command], conversation: Conversation[Command]
) -> None:
    bad = 0
    while True:
        raw = await _frame(socket)
        try:
            await conversation.hear(decode_body(raw, wanted))
        except Exception as error:
            refused = refused_by(error)
            bad += 1
            if bad > BAD_FRAMES_MAX:
                raise _Refusing(refused) from error
            peer.refuse(refused)


class _Named:
    """What the other end has shown of who it is."""

    def __init__(self, access: Access, socket: WebSocket[Any, Any, Any]) -> None:
        self._access = access
        self._socket = socket
        self.credentials = (header(socket.scope, b"authorization"), header(socket.scope, b"x-api-key"))

    async def introduced(self, seconds_max: int) -> Principal:
        """Who the first frame says that it is."""
        try:
            async with asyncio.timeout(seconds_max):
                said = decode_body(await _frame(self._socket), Authenticate)
        except TimeoutError as error:
            raise Refused(401, "", f"nobody said who they are within {seconds_max} seconds") from error
        self.credentials = (None if said.token is None else f"Bearer {said.token}", said.api_key)
        return await self.principal()

    async def principal(self) -> Principal:
        """Who it is now."""
        address = address_of(self._socket.scope)
        who = await asyncio.to_thread(self._access.authenticate, *self.credentials, address)
        if not who.may(Operation.READ):
            await asyncio.to_thread(self._access.demand, who, Operation.READ)
        return who

    async def stay(self, peer: Peer) -> None:
        """Look again and again; ends the socket of somebody who may no longer."""
        while True:
            await asyncio.sleep(CHECK_SECONDS)
            try:
                peer.principal = await self.principal()
            except Exception as error:
                raise _Refusing(refused_by(error)) from error


async def _frame(socket: WebSocket[Any, Any, Any]) -> bytes:
    event = await socket.receive()
    if event["type"] != "websocket.receive":
        raise _Ended
    text = event.get("text")
    return (event.get("bytes") or b"") if text is None else text.encode("utf-8", "surrogatepass")


async def _close(socket: WebSocket[Any, Any, Any], refused: Refused) -> None:
    with suppress(Exception):  # the other end may be gone already
        await socket.send({"type": "websocket.send", "bytes": None, "text": refused.body().decode()})
        await socket.close(code=4000 + refused.problem.status, reason=refused.problem.title)


def _first(errors: ExceptionGroup[_Refusing]) -> Refused:
    found = errors.exceptions[0]
    return _first(found) if isinstance(found, ExceptionGroup) else found.refused
