"""Keeps a reader of the log close to its end, and lets whoever asks wait until it is there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final

from litestar import Litestar

from tmt.domain.session import NANOSECONDS_PER_SECOND
from tmt.errors import TmtError
from tmt.observability.logs import logger
from tmt.ports.clock import Clock
from tmt.projections.desk_reader import DeskReader
from tmt.web.health import Probe
from tmt.web.problem import Refused

FOLLOW_SECONDS: Final = 0.05
"""Between two looks at the log."""

AGAIN_SECONDS: Final = 1.0
"""After a look that failed."""

_LOG: Final = logger(__name__)


class Following:
    """Follows a log for as long as a service lives.

    Attributes:
        reader: whose reads are of the position reached.
    """

    def __init__(self, reader: DeskReader, clock: Clock) -> None:
        self.reader = reader
        self._clock = clock
        self._caught_up = False
        self._failure = ""
        self._now: asyncio.Task[None] | None = None
        self._then: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def lifespan(self, _: Litestar) -> AsyncIterator[None]:
        """Follow until the service stops."""
        task = asyncio.create_task(self._follow())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def present(self) -> DeskReader:
        """The reader, once it has folded everything that was in the log when this was called.

        Raises:
            Refused: 503 while the past is still being read.
            TmtError: what the log raises.
        """
        if not self._caught_up:
            raise Refused(503, "", "the desk's past is being read; ask again in a second", {"Retry-After": "1"})
        # Whoever asks while a look is under way waits for the next one, which all of them share.
        if self._now is None:
            self._now = asyncio.create_task(self._look())
            await asyncio.shield(self._now)
        else:
            if self._then is None:
                self._then = asyncio.create_task(self._after(self._now))
            await asyncio.shield(self._then)
        return self.reader

    async def _look(self) -> None:
        try:
            await asyncio.to_thread(self.reader.catch_up)
        finally:
            self._now, self._then = self._then, None

    async def _after(self, before: asyncio.Task[None]) -> None:
        await asyncio.wait([before])
        await self._look()

    async def _follow(self) -> None:
        while True:
            try:
                if self._now is None:
                    await asyncio.to_thread(self.reader.catch_up)
                self._caught_up, self._failure = True, ""
                await asyncio.sleep(FOLLOW_SECONDS)
            except Exception as error:  # noqa: BLE001 - whatever it is, the service says so and looks again
                if not self._failure:
                    _LOG.error("the log cannot be followed", exc_info=error)
                self._failure = error.code if isinstance(error, TmtError) else "TMT-W500"
                await asyncio.sleep(AGAIN_SECONDS)

    def probe(self) -> Probe:
        """Whether the log is followed; the age is that of its newest entry."""
        written_ns = self.reader.recorded_at_ns
        age = max(0, self._clock.now_ns() - written_ns) / NANOSECONDS_PER_SECOND if written_ns else None
        if self._failure:
            return Probe(ok=False, detail=f"{self._failure}: tmt explain {self._failure}", age_seconds=age)
        detail = f"at position {self.reader.position}" if self._caught_up else "the past is being read"
        return Probe(ok=self._caught_up, detail=detail, age_seconds=age)
