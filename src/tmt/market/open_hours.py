"""When a session is open, in bulk."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from tmt.domain.session import DAY_NS, NANOSECONDS_PER_SECOND, SessionHours

MINUTE_NS: Final = 60 * NANOSECONDS_PER_SECOND
DAY_MINUTES: Final = 1440


def open_minutes(hours: SessionHours, day: int) -> NDArray[np.bool_]:
    """Whether each minute of a UTC day, counted from 1970-01-01, is open. Shape (1440,)."""
    mask = np.zeros(DAY_MINUTES, dtype=np.bool_)
    start_ns = day * DAY_NS
    for opens_ns, closes_ns in hours.stretches(start_ns, start_ns + DAY_NS):
        mask[(opens_ns - start_ns) // MINUTE_NS : (closes_ns - start_ns) // MINUTE_NS] = True
    return mask
