"""No look-ahead on simulated markets: decisions on a prefix of the rows are a prefix of all decisions."""

from pathlib import Path

import pytest

from tests.integration.simulated import killed, make_desk, take
from tmt import messages as m
from tmt.adapters.event_log.sqlite import SqliteEventLog

KINDS = tuple(sorted(kind.__name__ for kind in (*m.DECISIONS, m.WyckoffEventSeen, m.PhaseChanged)))


def told(book: Path, seed: int, batches: int) -> list[bytes]:
    desk = make_desk(book, seed=seed)
    desk.start()
    take(desk, batches)
    killed(desk)
    log = SqliteEventLog(book / "events.sqlite", read_only=True)
    bodies = [recorded.body for recorded in log.read(types=KINDS)]
    log.close()
    return bodies


@pytest.mark.parametrize("seed", [7, 8])
def test_decisions_on_a_prefix_are_a_prefix(seed: int, tmp_path: Path) -> None:
    whole = told(tmp_path / "whole", seed, 900)
    for batches in (400, 701):
        part = told(tmp_path / str(batches), seed, batches)
        assert len(part) > 20
        assert part == whole[: len(part)]
        assert len(whole) > len(part)
