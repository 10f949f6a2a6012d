"""How a command that runs for long is told to end."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from tmt.cli.exit_codes import ExitCode


class Interruption:
    """Whether somebody asked for an end; the step at hand is finished first. A second ctrl-C does not wait."""

    def __init__(self) -> None:
        self.signal: int | None = None

    def __bool__(self) -> bool:
        return self.signal is not None

    @property
    def exit_code(self) -> int:
        """130 for ctrl-C; SIGTERM is how a service is told to end, so it is no failure."""
        return ExitCode.INTERRUPTED if self.signal == signal.SIGINT else ExitCode.OK

    def note(self, number: int, _: FrameType | None) -> None:
        """Signal handler."""
        if self.signal is not None:
            raise KeyboardInterrupt
        self.signal = number


@contextmanager
def interruptible() -> Iterator[Interruption]:
    """While it lasts, SIGINT and SIGTERM are noted instead of ending the process."""
    interruption = Interruption()
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, interruption.note) for number in numbers]
    try:
        yield interruption
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def ends_after(
    interruption: Interruption, seconds: float | None, begun: Callable[[], bool] = lambda: True
) -> Callable[[], bool]:
    """Whether somebody interrupted, or `seconds` of wall time are over since `begun` was first true."""
    deadline_seconds: float | None = None

    def ends() -> bool:
        nonlocal deadline_seconds
        if interruption or seconds is None:
            return bool(interruption)
        if deadline_seconds is None and begun():
            deadline_seconds = time.monotonic() + seconds
        return deadline_seconds is not None and time.monotonic() >= deadline_seconds

    return ends
