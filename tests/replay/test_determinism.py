"""The same input gives the same decisions and the same ledger, however it is cut, stopped, killed or hashed."""

import itertools
import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.replay.recorded import decisions, hashes_of, named, open_recorded, run
from tmt import messages as m
from tmt.adapters.event_log.sqlite import SqliteEventLog
from tmt.market.batch import MarketBatch

TICKS = named("eurusd-ticks")
KILLS = 20


def cli(*arguments: str, hash_seed: str = "0") -> list[str]:
    return [sys.executable, "-m", "tmt", *arguments]


def environment(hash_seed: str) -> dict[str, str]:
    return {**os.environ, "PYTHONHASHSEED": hash_seed}


@pytest.fixture(scope="module")
def undisturbed(test_data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    return run(open_recorded(TICKS, test_data, tmp_path_factory.mktemp("undisturbed")))


def test_batches_cut_at_any_row_change_nothing(undisturbed: tuple[str, str], test_data: Path, tmp_path: Path) -> None:
    chance = random.Random(7)

    def cut(batch: MarketBatch) -> Iterator[MarketBatch]:
        start = 0
        while start < len(batch):
            stop = min(len(batch), start + chance.choice((1, 2, 37, 500, 4000)))
            yield batch.rows(start, stop)
            start = stop

    assert run(open_recorded(TICKS, test_data, tmp_path), cut=cut) == undisturbed


def test_batches_cut_before_every_silence_change_nothing(
    undisturbed: tuple[str, str], test_data: Path, tmp_path: Path
) -> None:
    def cut(batch: MarketBatch) -> Iterator[MarketBatch]:
        silences = np.flatnonzero(np.diff(batch.time_ns) > 30 * 1_000_000_000) + 1
        edges = [0, *silences.tolist(), len(batch)]
        for start, stop in itertools.pairwise(edges):
            yield batch.rows(start, stop)

    assert run(open_recorded(TICKS, test_data, tmp_path), cut=cut) == undisturbed


@pytest.mark.slow
def test_the_oracle_decides_the_same_one_row_at_a_time(
    undisturbed: tuple[str, str], test_data: Path, tmp_path: Path
) -> None:
    assert run(open_recorded(TICKS, test_data, tmp_path, one_row_at_a_time=True)) == undisturbed


def test_stopping_and_resuming_in_the_middle_changes_nothing(
    undisturbed: tuple[str, str], test_data: Path, tmp_path: Path
) -> None:
    for rows in (1, 100_003, 57_000):
        run(open_recorded(TICKS, test_data, tmp_path), rows_max=rows)
    assert run(open_recorded(TICKS, test_data, tmp_path)) == undisturbed


def test_decisions_on_a_prefix_are_a_prefix_of_the_decisions(test_data: Path, tmp_path: Path) -> None:
    whole = open_recorded(TICKS, test_data, tmp_path / "whole")
    run(whole)
    expected = _told(tmp_path / "whole")
    for rows in (90_000, 211_111, 400_000):
        book = tmp_path / str(rows)
        run(open_recorded(TICKS, test_data, book), rows_max=rows)
        told = _told(book)
        assert len(told) > 10
        assert told == expected[: len(told)]


def _told(book: Path) -> list[bytes]:
    log = SqliteEventLog(book / "events.sqlite", read_only=True)
    kinds = tuple(sorted(kind.__name__ for kind in m.DECISIONS))
    bodies = [recorded.body for recorded in log.read(types=kinds)]
    log.close()
    return bodies


@pytest.mark.parametrize("hash_seed", ["1", "4242"])
def test_another_process_with_another_hash_seed_decides_the_same(
    hash_seed: str, undisturbed: tuple[str, str], test_data: Path, tmp_path: Path
) -> None:
    answer = _replay(test_data, tmp_path / "state", hash_seed)
    assert (answer["decision_hash"], answer["ledger_hash"]) == undisturbed


def _replay(data: Path, state: Path, hash_seed: str) -> dict[str, str]:
    command = cli(
        "replay", str(data / TICKS.path), "--instrument", "EURUSD", "--seed", "1", "--state", str(state), "--json"
    )
    done = subprocess.run(command, env=environment(hash_seed), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    answer: dict[str, str] = json.loads(done.stdout)
    return answer


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_killed_twenty_times_at_random_points_nothing_is_lost_or_doubled(
    undisturbed: tuple[str, str], test_data: Path, tmp_path: Path
) -> None:
    chance = random.Random(20)
    state = tmp_path / "state"
    killed = 0
    for attempt in range(KILLS * 3):
        if killed == KILLS:
            break
        killed += _start_and_kill(test_data, state, chance, str(attempt))
    assert killed == KILLS
    answer = _replay(test_data, state, "99")
    assert (answer["decision_hash"], answer["ledger_hash"]) == undisturbed


def _start_and_kill(data: Path, state: Path, chance: random.Random, hash_seed: str) -> int:
    command = cli(
        "replay", str(data / TICKS.path), "--instrument", "EURUSD", "--seed", "1", "--state", str(state), "--json",
        "--speed", "15000",
    )  # fmt: skip
    process = subprocess.Popen(
        command, env=environment(hash_seed), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        process.wait(timeout=chance.uniform(1.0, 3.5))
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        process.wait()
        return 1
    return 0


def test_two_desks_say_the_same_bytes(test_data: Path, tmp_path: Path) -> None:
    told = []
    for name in ("one", "two"):
        desk = open_recorded(TICKS, test_data, tmp_path / name)
        desk.start()
        for batch in desk.batches():
            desk.take(batch)
        told.append([m.encode(message) for message in decisions(desk)])
        assert hashes_of(desk)[0] != bytes(32).hex()
        desk.close()
    assert told[0] == told[1]
