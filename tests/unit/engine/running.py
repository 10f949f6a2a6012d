"""A desk on the simulator whose loop runs in a thread of its own, for tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Any

from tests.integration.simulated import make_desk, take
from tmt.adapters.clock.system import SystemClock
from tmt.bootstrap import Desk
from tmt.engine.desk_loop import DeskLoop
from tmt.engine.pace import Pace
from tmt.ports.door import Taken

ANSWER_SECONDS_MAX = 30


def started_desk(book: Path, batches: int = 5) -> Desk:
    """A desk that has seen enough rows to know prices."""
    desk = make_desk(book, overrides=("human_behavior.chasing.averaging_down_ratio_max=1000",))
    desk.start()
    take(desk, batches)
    return desk


def loop_over(desk: Desk, *, speed: float = 1, **options: Any) -> DeskLoop:
    clock = SystemClock()
    now_ns = desk.runner.timeline.now_ns
    pace = Pace(desk.batches(), event_start_ns=now_ns, wall_start_ns=clock.now_ns(), speed=speed)
    return DeskLoop(desk, pace, clock, **options)


class Running:
    """The loop's thread; `error` is what it ended with."""

    def __init__(self, loop: DeskLoop, told: Callable[[], None]) -> None:
        self.loop = loop
        self.error: BaseException | None = None
        self.end = Event()
        self._told = told
        self._thread = Thread(target=self._run, name="desk")
        self._thread.start()

    def _run(self) -> None:
        try:
            self.loop.run(self.end.is_set, self._told)
        except BaseException as error:  # noqa: BLE001  handed to the test
            self.error = error

    def ask(self, command: Any) -> Taken:
        return self.loop.submit(command).result(ANSWER_SECONDS_MAX)

    def join(self) -> None:
        self._thread.join(ANSWER_SECONDS_MAX)
        assert not self._thread.is_alive()


@contextmanager
def running(loop: DeskLoop, told: Callable[[], None] = lambda: None) -> Iterator[Running]:
    thread = Running(loop, told)
    try:
        yield thread
    finally:
        thread.end.set()
        thread.join()
