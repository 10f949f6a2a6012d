"""The cache in the process: the least recently used goes first."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Final

from tmt.ports.cache import checked_key, checked_ttl_ms, checked_value
from tmt.ports.clock import Clock

_NS_PER_MS: Final = 1_000_000


class MemoryCache:
    """See `ports.cache.Cache`; it always answers.

    Args:
        clock: tells when a value has expired.
        entries_max: values and counters kept; beyond it the least recently used is forgotten.
    """

    def __init__(self, clock: Clock, entries_max: int = 10_000) -> None:
        if entries_max < 1:
            raise ValueError(f"entries_max must be at least 1, was {entries_max}")
        self._clock = clock
        self._entries_max = entries_max
        self._lock = threading.Lock()
        self._entries: OrderedDict[tuple[str, str], tuple[bytes | int, int]] = OrderedDict()

    def get(self, key: str) -> bytes | None:
        """The value, or None when there is none or it has expired."""
        with self._lock:
            found = self._living(("value", checked_key(key)))
        return found[0] if found is not None and isinstance(found[0], bytes) else None

    def set(self, key: str, value: bytes, ttl_ms: int) -> None:
        """Keep `value` for at most `ttl_ms` milliseconds."""
        expires_ns = self._clock.now_ns() + checked_ttl_ms(ttl_ms) * _NS_PER_MS
        with self._lock:
            self._keep(("value", checked_key(key)), checked_value(value), expires_ns)

    def delete(self, key: str) -> None:
        """Forget a key."""
        with self._lock:
            self._entries.pop(("value", checked_key(key)), None)

    def increment(self, key: str, ttl_ms: int) -> int | None:
        """Add one to a counter and return it; a new counter lives `ttl_ms`."""
        expires_ns = self._clock.now_ns() + checked_ttl_ms(ttl_ms) * _NS_PER_MS
        with self._lock:
            found = self._living(("counter", checked_key(key)))
            if found is not None and isinstance(found[0], int):
                count, expires_ns = found[0] + 1, found[1]
            else:
                count = 1
            self._keep(("counter", key), count, expires_ns)
        return count

    def close(self) -> None:
        """Forget everything."""
        with self._lock:
            self._entries.clear()

    def _living(self, name: tuple[str, str]) -> tuple[bytes | int, int] | None:
        found = self._entries.get(name)
        if found is None:
            return None
        if found[1] <= self._clock.now_ns():
            del self._entries[name]
            return None
        self._entries.move_to_end(name)
        return found

    def _keep(self, name: tuple[str, str], value: bytes | int, expires_ns: int) -> None:
        self._entries[name] = (value, expires_ns)
        self._entries.move_to_end(name)
        if len(self._entries) > self._entries_max:
            self._entries.popitem(last=False)
