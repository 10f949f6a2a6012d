"""The door of a desk in the same process."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future

from tmt.errors import AdapterUnavailable, OutcomeUnknown
from tmt.messages import Message
from tmt.ports.door import Taken


class LocalDoor:
    """See `ports.door.Door`.

    Args:
        hand_over: gives a command to the desk's thread, as `tmt.engine.desk_loop.DeskLoop.submit` does.
        seconds_max: how long an answer is waited for.
    """

    def __init__(self, hand_over: Callable[[Message], Future[Taken]], seconds_max: float) -> None:
        self._hand_over = hand_over
        self._seconds_max = seconds_max

    async def submit(self, command: Message) -> Taken:
        """Run `command` once; a command still waiting when its caller gives up is not run."""
        handed = self._hand_over(command)
        answer = asyncio.wrap_future(handed)
        try:
            await asyncio.wait((answer,), timeout=self._seconds_max)
        finally:
            given_up = not answer.done() and handed.cancel()
        if given_up:
            what = f"the desk did not come to the command within {self._seconds_max:g} s; it was not taken"
            raise AdapterUnavailable("TMT-E001", what, fix="send it again in a moment, with the same id")
        if not answer.done():
            what = f"the desk has begun command {command.message_id}, and not ended within {self._seconds_max:g} s"
            raise OutcomeUnknown("TMT-E003", what, fix="send the same command with the same id again to learn")
        return answer.result()
