"""How often somebody may ask: a burst, then so many a second, told how long to wait."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.access.desk import SECOND_NS, Desk, HandClock
from tmt.access import AccessRefused, Principal, Role
from tmt.access.config import RateLimit
from tmt.access.rates import RateLimiter

LIMIT = RateLimit(requests_per_second=10, burst=5)


def admitted(limiter: RateLimiter, asker: str, count: int) -> int:
    def one() -> bool:
        try:
            limiter.admit(asker, LIMIT)
        except AccessRefused as error:
            return (error.code, error.status) != ("TMT-A008", 429)
        return True

    return sum(one() for _ in range(count))


def test_a_burst_then_the_rate() -> None:
    clock = HandClock()
    limiter = RateLimiter(clock)
    assert admitted(limiter, "ann", 20) == 5
    clock.forward(0.099_999)
    assert admitted(limiter, "ann", 1) == 0
    clock.forward(0.000_001)
    assert admitted(limiter, "ann", 5) == 1
    clock.forward(100)
    assert admitted(limiter, "ann", 20) == 5


def test_the_wait_told_is_enough_and_in_whole_seconds() -> None:
    clock = HandClock()
    limiter = RateLimiter(clock)
    slow = RateLimit(requests_per_second=1, burst=1)
    limiter.admit("ann", slow)
    clock.forward(0.3)
    with pytest.raises(AccessRefused) as caught:
        limiter.admit("ann", slow)
    assert caught.value.retry_after_seconds == 1
    clock.forward(1)
    limiter.admit("ann", slow)


def test_askers_are_apart_and_a_clock_that_goes_back_locks_nobody_out() -> None:
    clock = HandClock()
    limiter = RateLimiter(clock)
    assert (admitted(limiter, "ann", 9), admitted(limiter, "bob", 9)) == (5, 5)
    clock.forward(-3600)
    assert admitted(limiter, "ann", 9) == 5


def test_askers_remembered_are_bounded() -> None:
    limiter = RateLimiter(HandClock(), entries_max=3)
    for asker in ("a", "b", "c", "a", "d"):
        limiter.admit(asker, LIMIT)
    assert list(limiter._full_at_ns) == ["c", "a", "d"]


def test_threads_together_get_no_more_than_one() -> None:
    limiter = RateLimiter(HandClock())
    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(lambda _: admitted(limiter, "ann", 50), range(8))) == 5


@given(st.lists(st.integers(0, 300_000_000), max_size=60), st.integers(1, 50), st.integers(1, 10))
def test_in_no_span_is_more_admitted_than_burst_and_rate_allow(waits_ns: list[int], rate: int, burst: int) -> None:
    clock = HandClock(0)
    limiter = RateLimiter(clock)
    limit = RateLimit(requests_per_second=rate, burst=burst)
    times: list[int] = []
    for wait_ns in waits_ns:
        clock.time_ns += wait_ns
        try:
            limiter.admit("ann", limit)
        except AccessRefused:
            continue
        times.append(clock.time_ns)
    interval_ns = SECOND_NS // rate
    for first in range(len(times)):
        for last in range(first, len(times)):
            assert last - first + 1 <= burst + (times[last] - times[first]) // interval_ns


def principal(role: Role, method: str, session_id: str) -> Principal:
    return Principal(name="ann", role=role, accounts=(), method=method, session_id=session_id)


def refused_after(admit: Callable[[], None]) -> int:
    for count in range(100_000):
        try:
            admit()
        except AccessRefused:
            return count
    raise AssertionError("never refused")


def test_each_role_has_its_rate_and_each_key_its_own_count(desk: Desk) -> None:
    viewer = principal(Role.VIEWER, "password", "s1")
    assert refused_after(lambda: desk.access.admit(viewer)) == desk.config.rates[Role.VIEWER].burst
    same_person = msgspec.structs.replace(viewer, session_id="s2")
    assert refused_after(lambda: desk.access.admit(same_person)) == 0
    for key_id in ("k1", "k2"):
        key = principal(Role.TRADER, "api_key", key_id)
        assert refused_after(partial(desk.access.admit, key)) == desk.config.rates[Role.TRADER].burst
