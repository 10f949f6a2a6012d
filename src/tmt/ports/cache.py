"""The cache: values that may be gone at any moment."""

from __future__ import annotations

from typing import Final, Protocol

KEY_LENGTH_MAX: Final = 200
VALUE_BYTES_MAX: Final = 64 * 1024


class Cache(Protocol):
    """Small values by key, each for a limited time. Nothing in it is ever the truth.

    A cache that does not answer behaves as an empty one: `get` misses, `increment` is None, writes are lost. So what it
    says may save work, and what it does not say must never permit anything. Keys have 1 to 200 characters and values
    at most 64 KiB; anything else is a ValueError. Caches of different namespaces do not see each other's keys.
    """

    def get(self, key: str) -> bytes | None:
        """The value, or None when there is none, it has expired, or the cache does not answer."""

    def set(self, key: str, value: bytes, ttl_ms: int) -> None:
        """Keep `value` for at most `ttl_ms` milliseconds (at least 1)."""

    def delete(self, key: str) -> None:
        """Forget a key, if the cache answers."""

    def increment(self, key: str, ttl_ms: int) -> int | None:
        """Add one to a counter and return it; a new counter lives `ttl_ms`. None: unknown, the cache does not answer.

        Counters and values are apart: `get` does not see a counter.
        """

    def close(self) -> None:
        """Release the cache. Closing twice is allowed."""


def checked_key(key: str) -> str:
    """`key`, if it may be one."""
    if not 0 < len(key) <= KEY_LENGTH_MAX:
        raise ValueError(f"key must have 1 to {KEY_LENGTH_MAX} characters, has {len(key)}")
    return key


def checked_value(value: bytes) -> bytes:
    """`value`, if it may be one."""
    if len(value) > VALUE_BYTES_MAX:
        raise ValueError(f"value must have at most {VALUE_BYTES_MAX} bytes, has {len(value)}")
    return value


def checked_ttl_ms(ttl_ms: int) -> int:
    """`ttl_ms`, if it may be one."""
    if ttl_ms < 1:
        raise ValueError(f"ttl_ms must be at least 1, was {ttl_ms}")
    return ttl_ms
