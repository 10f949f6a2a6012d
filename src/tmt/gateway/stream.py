"""`WS /ws`: what the desk says, as it says it, each frame with its log position; resumed from any position."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Annotated, Any, Final, Literal

import msgspec
import numpy as np
from litestar import Litestar, WebSocket, websocket
from litestar.handlers import BaseRouteHandler

from tmt import messages as m
from tmt.access import Access
from tmt.gateway.following import Following
from tmt.gateway.visible import sees
from tmt.ports.clock import Clock
from tmt.projections.audience import TOPIC_OF, TOPICS
from tmt.projections.desk_reader import DeskReader, Told
from tmt.web.config import Limits
from tmt.web.problem import FieldProblem, Refused
from tmt.web.sockets import Peer, attend

PAGE: Final = 200
"""Messages read from the log at a time for a client that resumes."""


class Subscribe(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="action", tag="subscribe"
):
    """Hear `topics` too; with `after`, first what the log holds behind that position."""

    topics: Annotated[tuple[str, ...], msgspec.Meta(min_length=1, max_length=20)]
    after: Annotated[int, msgspec.Meta(ge=0, le=2**62)] | None = None


class Unsubscribe(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="action", tag="unsubscribe"
):
    """Hear `topics` no more."""

    topics: Annotated[tuple[str, ...], msgspec.Meta(min_length=1, max_length=20)]


class _Subscribed(msgspec.Struct, frozen=True, kw_only=True):
    type: Literal["subscribed"] = "subscribed"
    topics: tuple[str, ...]
    position: int
    server_time_ns: int


class _Frame(msgspec.Struct, frozen=True, kw_only=True):
    type: Literal["message"] = "message"
    topic: str
    position: int
    server_time_ns: int
    message: msgspec.Raw


class Hub:
    """Hands every message that is folded to the conversations that want it, in the service's event loop.

    Attributes:
        position: log position of the newest message handed on.
    """

    def __init__(self, following: Following, clock: Clock) -> None:
        self.position = 0
        self.clock = clock
        self.reader: Final = following.reader
        self._loop: asyncio.AbstractEventLoop | None = None
        self._conversations: list[Conversation] = []

    @asynccontextmanager
    async def lifespan(self, _: Litestar) -> AsyncIterator[None]:
        """Listen until the service stops."""
        self._loop = asyncio.get_running_loop()
        self.position = self.reader.listen(self._hear)
        try:
            yield
        finally:
            self.reader.unlisten(self._hear)

    def join(self, peer: Peer) -> Conversation:
        """A new conversation; nothing is subscribed yet."""
        conversation = Conversation(self, peer)
        self._conversations.append(conversation)
        return conversation

    def leave(self, conversation: Conversation) -> None:
        """It has ended."""
        self._conversations.remove(conversation)

    def _hear(self, told: Told) -> None:
        # On the thread that folds, under the reader's lock: so frames come in the log's order.
        if self._loop is not None:
            with suppress(RuntimeError):  # the service's loop has ended
                self._loop.call_soon_threadsafe(self._publish, told)

    def _publish(self, told: Told) -> None:
        self.position = told.position
        topic = TOPIC_OF.get(type(told.message).__name__)
        if topic is None:
            return
        frame: bytes | None = None
        for conversation in self._conversations:
            if conversation.wants(topic, told):
                frame = frame or self.frame(topic, told)
                conversation.peer.offer(frame, may_shed=topic == "market")

    def frame(self, topic: str, told: Told) -> bytes:
        """A message as clients get it; rows of market data as the newest quotes among them."""
        raw = _quotes(told.message, self.reader) if isinstance(told.message, m.MarketDataReceived) else told.raw
        now_ns = self.clock.now_ns()
        return msgspec.json.encode(
            _Frame(topic=topic, position=told.position, server_time_ns=now_ns, message=msgspec.Raw(raw))
        )


class Conversation:
    """One client's subscriptions."""

    def __init__(self, hub: Hub, peer: Peer) -> None:
        self.peer = peer
        self._hub = hub
        self._live: set[str] = set()

    def wants(self, topic: str, told: Told) -> bool:
        """Whether the client hears this, now."""
        return topic in self._live and sees(self.peer.principal, told.account)

    async def hear(self, command: Subscribe | Unsubscribe) -> None:
        """Change what is heard."""
        _refuse_unknown(command.topics)
        if isinstance(command, Unsubscribe):
            self._live -= set(command.topics)
        else:
            if command.after is not None:
                self._live -= set(command.topics)
                await self._resume(command.topics, command.after)
            self._live |= set(command.topics)
        self._say_subscribed()

    async def _resume(self, topics: tuple[str, ...], after: int) -> None:
        # Ends in the loop's own thread at the hub's position, so that nothing is missed and nothing comes twice.
        while after < (until := self._hub.position):
            page, after = await asyncio.to_thread(self._hub.reader.told_since, after, until, topics, PAGE)
            for told in page:
                if sees(self.peer.principal, told.account):
                    await self.peer.room()
                    self.peer.offer(self._hub.frame(TOPIC_OF[type(told.message).__name__], told))

    def _say_subscribed(self) -> None:
        said = _Subscribed(
            topics=tuple(sorted(self._live)),
            position=self._hub.position,
            server_time_ns=self._hub.clock.now_ns(),
        )
        self.peer.offer(msgspec.json.encode(said))

    def close(self) -> None:
        """The socket has ended."""
        self._hub.leave(self)


def stream_route(hub: Hub, access: Access, limits: Limits) -> BaseRouteHandler:
    """`WS /ws`."""

    @websocket("/ws")
    async def stream(socket: WebSocket[Any, Any, Any]) -> None:
        wanted: Any = Subscribe | Unsubscribe
        await attend(socket, access, limits, wanted, hub.join)

    return stream


def _refuse_unknown(topics: tuple[str, ...]) -> None:
    unknown = [topic for topic in topics if topic not in TOPICS]
    if unknown:
        problem = FieldProblem(where="$.topics", detail=f"the topics are {', '.join(TOPICS)}")
        raise Refused(400, "", f"{problem.where}: {problem.detail}", errors=(problem,))


def _quotes(message: m.MarketDataReceived, reader: DeskReader) -> bytes:
    batch = message.batch
    quotes = []
    for index, symbol in enumerate(batch.symbols):
        instrument = reader.portfolio.instrument(symbol)
        rows = np.flatnonzero((batch.instrument == index) & (batch.bid > 0) & (batch.ask >= batch.bid))
        if len(rows) and instrument is not None:
            row = int(rows[-1])
            bid, ask = (instrument.price_quantum * int(side[row]) for side in (batch.bid, batch.ask))
            quotes.append({"instrument": symbol, "bid": bid, "ask": ask, "time_ns": int(batch.time_ns[row])})
    return msgspec.json.encode({"type": "Quotes", "occurred_at_ns": message.occurred_at_ns, "quotes": quotes})
