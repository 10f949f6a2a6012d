"""Time that only goes forward, for waiting and for ages; never recorded, never decided on."""

from __future__ import annotations

import time


def monotonic_seconds() -> float:
    """Seconds since some moment of this machine's."""
    return time.monotonic()
