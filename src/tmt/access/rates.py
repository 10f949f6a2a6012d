"""How often somebody may ask: a token bucket for each, kept as the time at which it is full again."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Final

from tmt.access.config import RateLimit
from tmt.access.refusals import too_many
from tmt.ports.clock import Clock

_NS: Final = 1_000_000_000


class RateLimiter:
    """Counts requests in this process; a restart begins anew.

    Args:
        entries_max: askers remembered; beyond it the one that asked least recently is forgotten.
    """

    def __init__(self, clock: Clock, entries_max: int = 10_000) -> None:
        self._clock = clock
        self._entries_max = entries_max
        self._lock = threading.Lock()
        self._full_at_ns: OrderedDict[str, int] = OrderedDict()

    def admit(self, asker: str, limit: RateLimit) -> None:
        """Count one request.

        Raises:
            AccessRefused: TMT-A008, when the asker has none left; nothing is counted then.
        """
        now_ns = self._clock.now_ns()
        interval_ns = _NS // limit.requests_per_second
        with self._lock:
            full_at_ns = max(self._full_at_ns.get(asker, 0), now_ns)
            if full_at_ns > now_ns + limit.burst * interval_ns:
                full_at_ns = now_ns  # the clock went back, which must lock nobody out
            wait_ns = full_at_ns - now_ns - (limit.burst - 1) * interval_ns
            if wait_ns > 0:
                raise too_many("TMT-A008", "too many requests", wait_ns)
            self._full_at_ns[asker] = full_at_ns + interval_ns
            self._full_at_ns.move_to_end(asker)
            if len(self._full_at_ns) > self._entries_max:
                self._full_at_ns.popitem(last=False)
