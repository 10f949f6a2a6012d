"""What every cache promises: values for a limited time, by key, and silence instead of errors."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import redis

from tests.servers.redis import RedisServer
from tests.unit.access.desk import HandClock
from tmt.access.secret import Secret
from tmt.adapters.cache.memory import MemoryCache
from tmt.adapters.cache.redis import RedisCache
from tmt.ports.cache import KEY_LENGTH_MAX, VALUE_BYTES_MAX, Cache

CACHES = ["memory", pytest.param("redis", marks=pytest.mark.server)]
FOREVER_MS = 3_600_000


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture(params=CACHES)
def make(request: pytest.FixtureRequest, clock: HandClock) -> Callable[[str], Cache]:
    if request.param == "memory":
        return lambda _: MemoryCache(clock)
    url = str(request.getfixturevalue("redis_url"))
    return lambda namespace: RedisCache(Secret(url), namespace, clock)


@pytest.fixture
def cache(make: Callable[[str], Cache]) -> Iterator[Cache]:
    made = make("one")
    yield made
    made.close()


def test_what_was_set_is_got_until_it_is_set_again_or_deleted(cache: Cache) -> None:
    assert cache.get("a") is None
    cache.set("a", b"first", FOREVER_MS)
    cache.set("b", b"\x00\xff", FOREVER_MS)
    cache.set("a", b"", FOREVER_MS)
    assert (cache.get("a"), cache.get("b")) == (b"", b"\x00\xff")
    cache.delete("a")
    cache.delete("never there")
    assert (cache.get("a"), cache.get("b")) == (None, b"\x00\xff")


def test_a_value_expires(cache: Cache, clock: HandClock) -> None:
    cache.set("a", b"x", 30)
    cache.set("b", b"y", FOREVER_MS)
    if isinstance(cache, MemoryCache):
        clock.forward(0.029_999)
        assert cache.get("a") == b"x"
        clock.forward(0.000_001)
    else:
        wait_until_gone(cache, "a")
    assert (cache.get("a"), cache.get("b")) == (None, b"y")


def wait_until_gone(cache: Cache, key: str) -> None:
    for _ in range(100_000):
        if cache.get(key) is None:
            return
    pytest.fail(f"{key} never expired")


def test_a_counter_counts_from_one_and_is_no_value(cache: Cache) -> None:
    assert [cache.increment("a", FOREVER_MS) for _ in range(3)] == [1, 2, 3]
    assert cache.get("a") is None
    cache.set("a", b"x", FOREVER_MS)
    assert cache.increment("a", FOREVER_MS) == 4
    assert cache.increment("b", FOREVER_MS) == 1


def test_a_counter_ends_with_the_life_it_began_with(cache: Cache, clock: HandClock) -> None:
    assert cache.increment("a", 40) == 1
    assert cache.increment("a", FOREVER_MS) == 2
    if isinstance(cache, MemoryCache):
        clock.forward(0.040)
        assert cache.increment("a", 40) == 1
    else:
        assert any(cache.increment("a", 40) == 1 for _ in range(100_000))


def test_counting_from_many_threads_loses_nothing(cache: Cache) -> None:
    with ThreadPoolExecutor(8) as threads:
        counts = list(threads.map(lambda _: cache.increment("a", FOREVER_MS), range(400)))
    assert sorted(count for count in counts if count is not None) == list(range(1, 401))


def test_namespaces_are_apart(make: Callable[[str], Cache]) -> None:
    one, two = make("one"), make("two")
    one.set("a", b"x", FOREVER_MS)
    one.increment("a", FOREVER_MS)
    assert two.get("a") is None
    assert two.increment("a", FOREVER_MS) == 1
    one.close()
    two.close()


def test_keys_and_values_are_bounded(cache: Cache) -> None:
    cache.set("k" * KEY_LENGTH_MAX, b"v" * VALUE_BYTES_MAX, FOREVER_MS)
    assert cache.get("k" * KEY_LENGTH_MAX) == b"v" * VALUE_BYTES_MAX
    for key, value, ttl_ms in (
        ("", b"", 1),
        ("k" * (KEY_LENGTH_MAX + 1), b"", 1),
        ("a", bytes(VALUE_BYTES_MAX + 1), 1),
    ):
        with pytest.raises(ValueError, match="must have"):
            cache.set(key, value, ttl_ms)
    with pytest.raises(ValueError, match="at least 1"):
        cache.set("a", b"", 0)


def test_closing_twice_is_allowed(make: Callable[[str], Cache]) -> None:
    cache = make("one")
    cache.close()
    cache.close()


def test_the_memory_cache_forgets_the_least_recently_used(clock: HandClock) -> None:
    cache = MemoryCache(clock, entries_max=3)
    for key in "abc":
        cache.set(key, key.encode(), FOREVER_MS)
    cache.get("a")
    cache.set("d", b"d", FOREVER_MS)
    assert [cache.get(key) for key in "abcd"] == [b"a", None, b"c", b"d"]


@pytest.mark.server
def test_a_dead_redis_is_an_empty_cache_and_is_asked_once_a_second(own_redis: RedisServer, clock: HandClock) -> None:
    cache = RedisCache(Secret(own_redis.url), "one", clock)
    cache.set("a", b"x", FOREVER_MS)
    assert cache.get("a") == b"x"
    own_redis.kill()
    for _ in range(5):
        cache.set("a", b"y", FOREVER_MS)
        cache.delete("b")
        assert cache.get("a") is None
        assert cache.increment("n", FOREVER_MS) is None
    assert cache.failures == 1
    clock.forward(1)
    assert cache.get("a") is None
    assert cache.failures == 2
    own_redis.start()
    clock.forward(1)
    cache.set("a", b"z", FOREVER_MS)
    assert cache.get("a") == b"z"
    assert cache.failures == 2
    cache.close()


@pytest.mark.server
def test_an_answer_that_belongs_to_another_key_is_a_miss(redis_url: str, clock: HandClock) -> None:
    cache = RedisCache(Secret(redis_url), "one", clock)
    cache.set("ann", b"ann's", FOREVER_MS)
    with redis.Redis.from_url(redis_url) as foreign:
        stored = foreign.get("one:v:ann")
        assert isinstance(stored, bytes)
        foreign.set("one:v:bob", stored)
    assert cache.get("bob") is None
    assert cache.failures == 1
    clock.forward(1)
    assert cache.get("ann") == b"ann's"
    cache.close()


@pytest.mark.server
def test_the_password_of_redis_is_in_no_text(clock: HandClock) -> None:
    cache = RedisCache(Secret("redis://u:canary-5130@127.0.0.1:1/0"), "one", clock)
    assert cache.get("a") is None
    assert "canary-5130" not in repr(cache) + repr(vars(cache))
    cache.close()
