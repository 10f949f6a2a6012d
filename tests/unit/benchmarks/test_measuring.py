"""The parts of the benchmarks that measure: schedules, histograms, what the kernel says was spent."""

import asyncio
import os
import subprocess
import sys

import pytest

from benchmarks.latency import Latencies, intended_ns, open_loop
from benchmarks.machine import Tree, busy_ticks_of, cpu_ticks_of
from benchmarks.report import Line, shown, table

MILLISECOND_NS = 1_000_000


def test_starts_are_evenly_spaced_and_all_there() -> None:
    assert list(intended_ns(100, 4, 1.5)) == [100, 250_000_100, 500_000_100, 750_000_100, 1_000_000_100, 1_250_000_100]


def test_percentiles_are_of_all_samples_and_the_last_is_the_largest() -> None:
    latencies = Latencies()
    for number in range(1, 1001):
        latencies.add_ns(number * MILLISECOND_NS)
    told = latencies.milliseconds()
    assert told["p50"] == pytest.approx(500, rel=0.002)
    assert told["p99"] == pytest.approx(990, rel=0.002)
    assert told["p99.99"] == told["max"] == pytest.approx(1000, rel=0.002)


def test_no_samples_have_no_percentiles() -> None:
    assert Latencies().milliseconds() == {}


def test_an_open_loop_counts_the_wait_for_the_one_before() -> None:
    turn = asyncio.Lock()

    async def send(_: int) -> None:
        async with turn:
            await asyncio.sleep(0.02)

    async def both() -> tuple[Latencies, Latencies]:
        return await open_loop(send, 1000, 0.02), await open_loop(send, 1, 1)

    crowded, alone = asyncio.run(both())
    assert crowded.count == 20
    assert alone.count == 1
    assert crowded.milliseconds()["max"] >= 20 * 19


def test_an_answer_that_fails_ends_the_loop() -> None:
    async def send(number: int) -> None:
        if number == 3:
            raise ValueError(number)

    with pytest.raises(ExceptionGroup):
        asyncio.run(open_loop(send, 1000, 0.01))


def test_ticks_are_a_process_own_and_those_of_its_ended_children() -> None:
    stat = "42 (a (strange) name) S 7 42 42 0 -1 4194304 100 0 0 0 11 22 33 44 20 0 1 0 100 0 0"
    assert cpu_ticks_of(stat) == (7, 11 + 22 + 33 + 44)


def test_a_machine_that_waits_for_its_disk_is_not_busy() -> None:
    assert busy_ticks_of("cpu  1 2 4 800 1600 8 16 32 0 0\ncpu0 0 0 0 0 0 0 0 0 0 0\n") == 1 + 2 + 4 + 8 + 16 + 32


def test_a_tree_holds_the_cpu_of_children_that_live_and_of_children_that_ended() -> None:
    spin = "import time\nwhile time.process_time() < 0.3: pass\nprint(flush=True)\ninput()"
    tree = Tree(os.getpid())
    before = tree.cpu_seconds()
    with subprocess.Popen([sys.executable, "-c", spin], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        assert tree.cpu_seconds() - before >= 0.25
        assert Tree(child.pid).cpu_seconds() >= 0.25
        child.communicate(b"\n")
    assert tree.cpu_seconds() - before >= 0.25


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "–"), (1234, "1,234"), (1234.5, "1,230"), (0.012345, "0.0123"), (12.345, "12.3"), ("desk", "desk")],
)
def test_numbers_are_shown_to_three_digits(value: object, text: str) -> None:
    assert shown(value) == text


def test_columns_of_numbers_stand_to_the_right() -> None:
    lines: list[Line] = [{"who": "a", "rows/s": None}, {"who": "b", "rows/s": 2.0}]
    assert table(lines) == "| who | rows/s |\n|---|--:|\n| a | – |\n| b | 2 |"
