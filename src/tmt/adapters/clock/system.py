"""The machine's clock."""

from __future__ import annotations

import time


class SystemClock:
    """UTC from the operating system, held still where the system steps back."""

    def __init__(self) -> None:
        self._latest_ns = 0

    def now_ns(self) -> int:
        """UTC now, in nanoseconds since 1970. Never falls between two calls."""
        self._latest_ns = max(self._latest_ns, time.time_ns())
        return self._latest_ns
