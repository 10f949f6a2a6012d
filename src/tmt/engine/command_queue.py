"""Commands on their way to the desk's thread: bounded, an emergency stop before all others."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future
from threading import Condition
from typing import NamedTuple

from tmt import messages as m
from tmt.errors import AdapterUnavailable, TmtError
from tmt.ports.door import Taken


class Waiting(NamedTuple):
    """A command, and where its answer goes."""

    command: m.Message
    answer: Future[Taken]


class CommandQueue:
    """Where the servers' threads leave commands and the desk's thread takes them.

    Args:
        commands_max: commands that may wait; as many emergency stops may wait beside them.
    """

    def __init__(self, commands_max: int) -> None:
        self._commands_max = commands_max
        self._stops: deque[Waiting] = deque()
        self._commands: deque[Waiting] = deque()
        self._changed = Condition()
        self._closed_by: TmtError | None = None

    def __len__(self) -> int:
        return len(self._stops) + len(self._commands)

    def has_stops(self) -> bool:
        """Whether an emergency stop waits."""
        return bool(self._stops)

    def put(self, command: m.Message) -> Future[Taken]:
        """Leave a command; never waits.

        Raises:
            AdapterUnavailable: when too many wait (TMT-E001), or the desk has stopped (TMT-E002).
        """
        line = self._stops if isinstance(command, m.StopTrading) else self._commands
        waiting = Waiting(command, Future())
        with self._changed:
            if self._closed_by is not None:
                raise self._closed_by
            if len(line) >= self._commands_max:
                what = f"the desk has {len(line)} commands waiting, and takes no more"
                raise AdapterUnavailable("TMT-E001", what, fix="send it again in a moment, with the same id")
            line.append(waiting)
            self._changed.notify()
        return waiting.answer

    def take(self, most: int, seconds: float) -> list[Waiting]:
        """Up to `most` commands, stops first, without those given up; waits up to `seconds` while there are none."""
        with self._changed:
            if not len(self) and seconds > 0:
                self._changed.wait(seconds)
            taken: list[Waiting] = []
            while len(self) and len(taken) < most:
                waiting = (self._stops or self._commands).popleft()
                if waiting.answer.set_running_or_notify_cancel():
                    taken.append(waiting)
            return taken

    def close(self, reason: TmtError) -> None:
        """Take no more; whatever waits fails with `reason`. Closing twice is allowed."""
        with self._changed:
            self._closed_by = self._closed_by or reason
            left = [*self._stops, *self._commands]
            self._stops.clear()
            self._commands.clear()
        for waiting in left:
            if waiting.answer.set_running_or_notify_cancel():
                waiting.answer.set_exception(self._closed_by)
