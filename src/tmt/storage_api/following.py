"""Those who follow the event log, each in a thread of its own, until the service ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from threading import Event, Thread
from typing import Final, Protocol

import structlog
from litestar import Litestar

from tmt.errors import AdapterUnavailable, TmtError
from tmt.web.health import Probe

BEHIND_MAX: Final = 10_000
"""Messages that a store may be behind the log before the service says that it is not ready."""

POLL_SECONDS: Final = 0.25
RETRY_SECONDS: Final = 2.0

_LOG: Final = structlog.get_logger(__name__)


class Follower(Protocol):
    """Folds the event log into a store that says itself how far it is; used by one thread."""

    behind: int
    """Messages of the log that were not in the store when last looked."""

    def begin(self) -> None:
        """Find out anew how far the store is, after a failure."""

    def step(self) -> bool:
        """Take in one batch, of bounded size; False when there was nothing new.

        Raises:
            AdapterUnavailable: the batch may or may not be in the store; go on with `begin`.
        """
        ...


class Following:
    """A follower's thread.

    Args:
        name: of what is followed into, for logs: "the series".
        follower: not used by anybody else.

    Attributes:
        failure: what ended `run`, or what it is waiting to be mended; None while all is well.
    """

    def __init__(self, name: str, follower: Follower) -> None:
        self.failure: TmtError | None = None
        self._name = name
        self._follower = follower
        self._stop = Event()
        self._thread = Thread(target=self.run, args=[self._stop], name=f"follower of {name}", daemon=True)

    @property
    def behind(self) -> int:
        """Messages of the log that were not in the store when last looked."""
        return self._follower.behind

    @asynccontextmanager
    async def live(self, _: Litestar) -> AsyncIterator[None]:
        """Run for as long as a service does."""
        self._thread.start()
        try:
            yield
        finally:
            self._stop.set()
            await asyncio.to_thread(self._thread.join)

    def run(self, stop: Event) -> None:
        """Follow the log until `stop` is set. A store that is away is waited for; any other failure ends this."""
        while not stop.is_set():
            try:
                if self.failure is not None:
                    self._follower.begin()
                    self.failure = None
                while not stop.is_set() and self._follower.step():
                    pass
            except AdapterUnavailable as error:
                _LOG.warning("a follower of the log waits for a store", into=self._name, error=str(error))
                self.failure = error
                stop.wait(RETRY_SECONDS)
            except TmtError as error:
                _LOG.error("the log is no longer followed", into=self._name, error=str(error))
                self.failure = error
                return
            stop.wait(POLL_SECONDS)

    def look(self) -> Probe:
        """Whether the store is kept up with the log."""
        if self.failure is not None:
            return Probe(ok=False, detail=f"{self.failure.code}: tmt explain {self.failure.code}")
        if not self._thread.is_alive():
            return Probe(ok=False, detail="the writer has ended")
        return Probe(ok=self.behind <= BEHIND_MAX, detail=f"{self.behind} messages behind the log")
