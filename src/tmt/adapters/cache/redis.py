"""The cache on Redis, by the blocking client: a thread is never cancelled between a command and its answer.

An asynchronous client whose waiting task is cancelled leaves the answer on the connection for the next one to read
(CVE-2023-28858). So there is none here, and every answer is also checked to be of the key that was asked for.
"""

from __future__ import annotations

import threading
from hashlib import blake2b
from typing import Final

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from tmt.access.secret import Secret
from tmt.ports.cache import VALUE_BYTES_MAX, checked_key, checked_ttl_ms, checked_value
from tmt.ports.clock import Clock

_TAG_BYTES: Final = 16
_CONNECTIONS_MAX: Final = 16
_ANSWER_SECONDS_MAX: Final = 0.25
_SILENCE_NS: Final = 1_000_000_000
_INCREMENT: Final = """
local count = redis.call('INCR', KEYS[1])
if count == 1 then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
return {KEYS[1], count}
"""


class RedisCache:
    """See `ports.cache.Cache`.

    After a command that failed the server is left alone for a second: a dead one costs at most a quarter of a second
    each second, and misses in between. Calls block; they belong in a thread or take less than a millisecond.

    Args:
        url: such as redis://user:password@host:6379/0, or rediss:// with TLS.
        namespace: before every key.
        clock: tells when the second is over.
    """

    def __init__(self, url: Secret, namespace: str, clock: Clock) -> None:
        self._namespace = checked_key(namespace)
        self._clock = clock
        self._lock = threading.Lock()
        self._silent_until_ns = 0
        self._failures = 0
        pool = redis.BlockingConnectionPool.from_url(
            url.text(),
            max_connections=_CONNECTIONS_MAX,
            timeout=_ANSWER_SECONDS_MAX,
            socket_timeout=_ANSWER_SECONDS_MAX,
            socket_connect_timeout=_ANSWER_SECONDS_MAX,
            retry=Retry(NoBackoff(), 1, supported_errors=(redis.ConnectionError,)),
        )
        self._client = redis.Redis.from_pool(pool)
        self._increment = self._client.register_script(_INCREMENT)

    @property
    def failures(self) -> int:
        """Commands that got no answer, or one that was not theirs, since the start."""
        return self._failures

    def get(self, key: str) -> bytes | None:
        """The value, or None when there is none, it has expired, or the server does not answer."""
        name = self._name("v", key)
        if self._is_silent():
            return None
        try:
            # Not GET: whoever else can write the server may have put something huge there.
            found = self._client.getrange(name, 0, _TAG_BYTES + VALUE_BYTES_MAX)
        except redis.RedisError:
            self._failed()
            return None
        if not isinstance(found, bytes) or not found:
            return None
        if found[:_TAG_BYTES] != _tag(name) or len(found) > _TAG_BYTES + VALUE_BYTES_MAX:
            self._client.connection_pool.disconnect()
            self._failed()
            return None
        return found[_TAG_BYTES:]

    def set(self, key: str, value: bytes, ttl_ms: int) -> None:
        """Keep `value` for at most `ttl_ms` milliseconds, if the server answers."""
        name = self._name("v", key)
        tagged = _tag(name) + checked_value(value)
        checked_ttl_ms(ttl_ms)
        if self._is_silent():
            return
        try:
            self._client.set(name, tagged, px=ttl_ms)
        except redis.RedisError:
            self._failed()

    def delete(self, key: str) -> None:
        """Forget a key, if the server answers."""
        name = self._name("v", key)
        if self._is_silent():
            return
        try:
            self._client.delete(name)
        except redis.RedisError:
            self._failed()

    def increment(self, key: str, ttl_ms: int) -> int | None:
        """Add one to a counter and return it; None: unknown."""
        name = self._name("c", key)
        checked_ttl_ms(ttl_ms)
        if self._is_silent():
            return None
        try:
            answer = self._increment(keys=[name], args=[ttl_ms])
        except redis.RedisError:
            self._failed()
            return None
        match answer:
            case [bytes(of), int(count)] if of == name.encode():
                return count
        self._client.connection_pool.disconnect()
        self._failed()
        return None

    def close(self) -> None:
        """Close every connection."""
        self._client.close()
        self._client.connection_pool.disconnect()

    def _name(self, kind: str, key: str) -> str:
        return f"{self._namespace}:{kind}:{checked_key(key)}"

    def _is_silent(self) -> bool:
        return self._clock.now_ns() < self._silent_until_ns

    def _failed(self) -> None:
        with self._lock:
            self._failures += 1
            self._silent_until_ns = self._clock.now_ns() + _SILENCE_NS


def _tag(name: str) -> bytes:
    return blake2b(name.encode(), digest_size=_TAG_BYTES).digest()
