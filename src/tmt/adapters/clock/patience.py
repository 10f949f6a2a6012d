"""Patience: how long something is tried again, and how long to wait in between."""

from __future__ import annotations

import time
from typing import Final

_FIRST_PAUSE_SECONDS: Final = 0.01
_PAUSE_SECONDS_MAX: Final = 1.0


class Patience:
    """Tries within `seconds` from now, on the monotonic clock; each pause is twice the one before, at most 1 s."""

    def __init__(self, seconds: float) -> None:
        self._ends = time.monotonic() + seconds
        self._pause = _FIRST_PAUSE_SECONDS

    def left_seconds(self) -> float:
        """Time left, at least 0."""
        return max(0.0, self._ends - time.monotonic())

    def wait(self) -> bool:
        """Pause before the next try; return False, at once, when no time is left for one."""
        left = self.left_seconds()
        if left <= 0:
            return False
        time.sleep(min(self._pause, left))
        self._pause = min(2 * self._pause, _PAUSE_SECONDS_MAX)
        return True
