"""Every recorded data set gives, decision by decision, what it gave when a reviewer last accepted it.

`make golden` writes the files anew; the diff is what changed.
"""

import os
import re
from pathlib import Path

import pytest

from tests.replay.recorded import RECORDINGS, Recording, decisions, golden_line, hashes_of, open_recorded
from tmt.projections.causation import incomplete_fills

NEGATIVE_ZERO = re.compile(rb'"-0(\.0+)?"')
GOLDEN = Path(__file__).parent / "golden"


@pytest.mark.slow
@pytest.mark.parametrize("recording", RECORDINGS, ids=lambda recording: recording.name)
def test_replay_gives_the_golden_decisions(recording: Recording, test_data: Path, tmp_path: Path) -> None:
    desk = open_recorded(recording, test_data, tmp_path / "book")
    desk.start()
    for batch in desk.batches():
        desk.take(batch)
    head = [f"{kind} {count}" for kind, count in sorted(desk.runner.counts.items()) if kind != "MarketDataReceived"]
    head += [f"decision_hash {hashes_of(desk)[0]}", f"ledger_hash {hashes_of(desk)[1]}", ""]
    text = "\n".join(head + [golden_line(message) for message in decisions(desk)]) + "\n"
    path = GOLDEN / f"{recording.name}.txt"
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(text)
    assert desk.runner.watch.check_everything() == []
    assert "InvariantBroken" not in desk.runner.counts
    assert incomplete_fills(desk.log) == ()
    assert not any(NEGATIVE_ZERO.search(recorded.body) for recorded in desk.log.read())
    assert text == path.read_text()
    desk.close()


def test_every_data_set_trades_somewhere() -> None:
    for recording in RECORDINGS:
        if recording.name == "btcusdt-tape":
            continue  # 346 seconds are too short for a Wyckoff range; people trade on it in test_people.py
        text = (GOLDEN / f"{recording.name}.txt").read_text()
        assert "SignalRaised" in text, recording.name
        assert "OrderFilled" in text, recording.name
        assert "OrderDenied" in text, recording.name
