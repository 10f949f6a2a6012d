"""A subscriber whose client reads nothing, on a board that is told more than may wait."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from tests.unit.engine.serving import instruments_of
from tmt.access import Principal, Role
from tmt.adapters.clock.system import SystemClock
from tmt.bootstrap import Desk
from tmt.engine.quotes import QuoteBoard, Subscription
from tmt.web.sockets import Peer


class Collecting:
    """The end of a socket at which frames are written down."""

    def __init__(self) -> None:
        self.frames: list[dict[str, Any]] = []
        self.came = asyncio.Event()

    async def send(self, event: dict[str, Any]) -> None:
        self.frames.append(json.loads(event["text"]))
        self.came.set()

    def quotes(self) -> int:
        return sum(frame["type"] == "quotes" for frame in self.frames)

    async def wait_for(self, quotes: int) -> None:
        """Until one frame has come, and `quotes` of them with quotes."""
        while not self.frames or self.quotes() < quotes:
            self.came.clear()
            await self.came.wait()


def shed_by(desk: Desk, *, frames: int, queue_max: int) -> tuple[int, int]:
    """How many of `frames` came, and how many the client was told were shed, when none could be sent for a while."""
    batch = next(desk.batches())
    board = QuoteBoard(instruments_of(desk), SystemClock())
    socket = Collecting()
    principal = Principal(name="v", role=Role.VIEWER, accounts=(), method="password", session_id="s")

    async def run() -> None:
        peer = Peer(socket, principal, queue_max)  # type: ignore[arg-type]
        reader = board.join(peer)
        await reader.hear(Subscription(action="subscribe", symbols=desk.feed.symbols))
        writing = asyncio.create_task(peer.write())
        await socket.wait_for(0)
        for _ in range(frames):
            reader.tell(board._quotes(batch), 1)
        await socket.wait_for(queue_max)
        writing.cancel()
        reader.close()

    asyncio.run(run())
    return socket.quotes(), sum(frame["count"] for frame in socket.frames if frame["type"] == "shed")
