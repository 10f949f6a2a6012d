"""Latencies counted from intended starts, in HDR histograms."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Final

from hdrh.histogram import HdrHistogram  # type: ignore[import-untyped]

NS_PER_SECOND: Final = 1_000_000_000
SECONDS_MAX: Final = 120
SHOWN: Final = {"p50": 50.0, "p90": 90.0, "p99": 99.0, "p99.9": 99.9, "p99.99": 99.99, "max": 100.0}


class Latencies:
    """Microseconds, to three digits. A percentile that has no sample beyond it is the maximum."""

    def __init__(self) -> None:
        self._histogram = HdrHistogram(1, SECONDS_MAX * 1_000_000, 3)

    def add_ns(self, nanoseconds: int) -> None:
        self._histogram.record_value(min(max(1, nanoseconds // 1000), SECONDS_MAX * 1_000_000))

    @property
    def count(self) -> int:
        return int(self._histogram.get_total_count())

    def milliseconds(self) -> dict[str, float]:
        """By name of `SHOWN`; empty without a sample."""
        if not self.count:
            return {}
        return {name: self._histogram.get_value_at_percentile(share) / 1000 for name, share in SHOWN.items()}


def intended_ns(start_ns: int, per_second: float, seconds: float) -> Iterator[int]:
    """The starts of an open-loop schedule: evenly spaced, whatever became of the ones before."""
    for number in range(int(per_second * seconds)):
        yield start_ns + int(number * NS_PER_SECOND / per_second)


async def open_loop(send: Callable[[int], Awaitable[None]], per_second: float, seconds: float) -> Latencies:
    """Call `send` with 0, 1, 2, ... on schedule, without waiting for the ones before; latency from intended start."""
    latencies = Latencies()

    async def one(number: int, start_ns: int) -> None:
        await send(number)
        latencies.add_ns(time.monotonic_ns() - start_ns)

    async with asyncio.TaskGroup() as tasks:
        for number, start_ns in enumerate(intended_ns(time.monotonic_ns(), per_second, seconds)):
            wait_ns = start_ns - time.monotonic_ns()
            if wait_ns > 0:
                await asyncio.sleep(wait_ns / NS_PER_SECOND)
            tasks.create_task(one(number, start_ns))
    return latencies
