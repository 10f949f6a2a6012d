"""The other end of a WebSocket, for tests: it reads when it is let."""

import asyncio
import json
from typing import Any

from tmt.access import Principal, Role

PRINCIPAL = Principal(name="v", role=Role.VIEWER, accounts=(), method="password", session_id="s")


class Slow:
    """The end of a socket that takes a frame only when it is let."""

    def __init__(self) -> None:
        self.taken: list[dict[str, Any]] = []
        self.reads = asyncio.Event()
        self.has_taken = asyncio.Event()

    async def send(self, event: dict[str, Any]) -> None:
        await self.reads.wait()
        self.taken.append(json.loads(event["text"]))
        self.has_taken.set()
