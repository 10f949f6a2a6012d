"""Access with a cache that processes share: it saves looking up, and neither its loss nor its lies let anybody in."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis

from tests.servers.redis import RedisServer
from tests.unit.access.desk import Desk, HandClock
from tmt.access import AccessRefused, Role, Secret
from tmt.access.people import COMMAND_LINE
from tmt.adapters.cache.redis import RedisCache
from tmt.errors import StoreUnavailable

pytestmark = pytest.mark.server


@contextmanager
def two_desks(folder: Path, url: str) -> Iterator[tuple[Desk, Desk, RedisCache]]:
    clock = HandClock()
    caches = [RedisCache(Secret(url), "tmt:access", clock) for _ in range(2)]
    one, two = (Desk(folder, clock, cache=cache) for cache in caches)
    one.add("ann", Role.TRADER)
    try:
        yield one, two, caches[0]
    finally:
        one.close()
        two.close()


def is_in(desk: Desk, token: str) -> bool:
    try:
        return desk.who(token).name == "ann"
    except AccessRefused:
        return False


def test_what_one_process_looked_up_the_other_need_not(tmp_path: Path, redis_url: str) -> None:
    with two_desks(tmp_path, redis_url) as (one, two, _):
        token = one.log_in("ann").access_token
        one.clock.forward(0.1)
        assert is_in(one, token)
        two.store.close()
        one.clock.forward(0.4)
        assert is_in(two, token)
        one.clock.forward(0.2)
        with pytest.raises(StoreUnavailable):
            two.who(token)


REVOCATIONS: dict[str, Callable[[Desk, str], None]] = {
    "session": lambda desk, session: desk.access.revoke(by=COMMAND_LINE, session_id=session),
    "person": lambda desk, _: desk.access.revoke(by=COMMAND_LINE, user="ann"),
}


@pytest.mark.parametrize("revoke", REVOCATIONS.values(), ids=REVOCATIONS)
@pytest.mark.parametrize("dies", ["never", "before the revocation", "after the revocation"])
def test_a_revocation_counts_within_half_a_second_whatever_becomes_of_the_cache(
    tmp_path: Path, own_redis: RedisServer, dies: str, revoke: Callable[[Desk, str], None]
) -> None:
    with two_desks(tmp_path, own_redis.url) as (one, two, _):
        tokens = one.log_in("ann")
        one.clock.forward(0.1)
        assert is_in(one, tokens.access_token)
        assert is_in(two, tokens.access_token)
        if dies == "before the revocation":
            own_redis.kill()
        revoke(one, tokens.session_id)
        if dies == "after the revocation":
            own_redis.kill()
        assert not is_in(one, tokens.access_token)
        one.clock.forward(0.500_001)
        assert not is_in(two, tokens.access_token)
        assert not is_in(one, tokens.access_token)


def test_a_dead_cache_keeps_nobody_out(tmp_path: Path, own_redis: RedisServer) -> None:
    with two_desks(tmp_path, own_redis.url) as (one, two, cache):
        own_redis.kill()
        token = one.log_in("ann").access_token
        assert is_in(one, token)
        assert is_in(two, token)
        assert cache.failures > 0


def test_whoever_writes_the_cache_lets_nobody_in(tmp_path: Path, redis_url: str) -> None:
    with two_desks(tmp_path, redis_url) as (one, two, _):
        kept = one.log_in("ann").access_token
        ended = one.log_in("ann").access_token
        one.clock.forward(0.1)
        principal, other = one.who(ended), one.who(kept)
        with redis.Redis.from_url(redis_url) as foreign:
            [of_other] = foreign.keys(f"*{other.session_id}")
            standing_of_other = foreign.get(of_other)
            assert isinstance(standing_of_other, bytes)
            one.access.log_out(principal)
            one.clock.forward(0.2)
            foreign.set(of_other.replace(other.session_id.encode(), principal.session_id.encode()), standing_of_other)
            assert not is_in(two, ended)
            one.clock.forward(1)
            two.lie(principal, one.clock.time_ns, signed=False)
            assert not is_in(one, ended)
            assert is_in(one, kept)
