"""Wall-clock time, for what is recorded and paced; never for what is decided."""

from __future__ import annotations

from typing import Protocol


class Clock(Protocol):
    """A source of wall-clock time."""

    def now_ns(self) -> int:
        """UTC now, in nanoseconds since 1970. Never falls between two calls."""
