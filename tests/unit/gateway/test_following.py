"""Does whoever asks see all that was in the log when they asked, however many ask at once?"""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from threading import Event

import pytest
from litestar import Litestar

from tests.integration.simulated import take
from tests.unit.engine.running import started_desk
from tmt.adapters.clock.system import SystemClock
from tmt.adapters.event_log.sqlite import SqliteEventLog
from tmt.bootstrap import Desk
from tmt.errors import StoreUnavailable
from tmt.gateway.following import Following
from tmt.projections.desk_reader import DeskReader
from tmt.web.problem import Refused

BATCHES = 5


class GatedLog(SqliteEventLog):
    """Says where it ends, but only once the gate is open: what it says may be old by then."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, read_only=True)
        self.gate = Event()
        self.gate.set()
        self.asked = Event()
        self.away = False

    def head(self) -> int:
        found = super().head()
        self.asked.set()
        assert self.gate.wait(20)
        if self.away:
            raise StoreUnavailable("TMT-L002", "the disk has gone")
        return found


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = started_desk(tmp_path / "book", BATCHES)
    yield desk
    desk.close()


@pytest.fixture
def log(desk: Desk, tmp_path: Path) -> Iterator[GatedLog]:
    log = GatedLog(next((tmp_path / "book").glob("*.sqlite")))
    yield log
    log.close()


async def ready(following: Following) -> None:
    async with asyncio.timeout(20):
        while not following.probe().ok:  # noqa: ASYNC110 - readiness is asked for, as /ready does
            await asyncio.sleep(0.01)


def test_who_asks_while_a_look_is_under_way_waits_for_one_that_began_after_they_asked(
    desk: Desk, log: GatedLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def run() -> tuple[int, int]:
        following = Following(DeskReader(log, ()), SystemClock())
        async with asyncio.timeout(60):
            await asyncio.to_thread(following.reader.catch_up)
            monkeypatch.setattr(following, "_caught_up", True)
            log.gate.clear()
            log.asked.clear()
            early = asyncio.create_task(following.present())
            await asyncio.to_thread(log.asked.wait, 20)
            take(desk, BATCHES + 4)
            late = [asyncio.create_task(following.present()) for _ in range(5)]
            await asyncio.sleep(0.05)
            assert not any(task.done() for task in (early, *late))
            log.gate.set()
            await asyncio.gather(early, *late)
            return following.reader.position, log.head()

    position, head = asyncio.run(run())
    assert position == head


def test_before_the_past_is_read_whoever_asks_is_told_to_come_back(log: GatedLog) -> None:
    async def run() -> None:
        log.gate.clear()
        following = Following(DeskReader(log, ()), SystemClock())
        async with following.lifespan(Litestar()):
            with pytest.raises(Refused) as caught:
                await following.present()
            assert caught.value.problem.status == 503
            assert not following.probe().ok
            log.gate.set()
            await ready(following)
            assert (await following.present()).position == log.head()

    asyncio.run(run())


def test_a_log_that_is_away_and_comes_back_is_followed_on(desk: Desk, log: GatedLog) -> None:
    async def run() -> None:
        following = Following(DeskReader(log, ()), SystemClock())
        async with following.lifespan(Litestar()):
            await ready(following)
            log.away = True
            with pytest.raises(StoreUnavailable):
                await following.present()
            async with asyncio.timeout(20):
                while following.probe().ok:  # noqa: ASYNC110 - readiness is asked for, as /ready does
                    await asyncio.sleep(0.01)
            assert "TMT-L002" in following.probe().detail
            log.away = False
            await ready(following)
            assert (await following.present()).position == log.head()

    asyncio.run(run())
