"""Data to run on, and desks in processes of their own, for the acceptance tests of the command line."""

import os
import queue
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO

ANSWER_SECONDS_MAX = 60


def quotes_csv(path: Path, rows: int) -> None:
    """EURUSD quotes, one a second from Monday 2026-01-05 10:00 UTC, in a slow wave with a ripple."""
    start = datetime(2026, 1, 5, 10, tzinfo=UTC)
    lines = ["time,bid,ask"]
    for number in range(rows):
        wave = abs(number % 240 - 120) + (number * 7919) % 11
        bid = 110_000 + wave
        moment = (start + timedelta(seconds=number)).isoformat()
        lines.append(f"{moment},{bid // 100_000}.{bid % 100_000:05},{(bid + 2) // 100_000}.{(bid + 2) % 100_000:05}")
    path.write_text("\n".join(lines) + "\n")


class Running:
    """`tmt` in a process of its own, whose standard error is read line by line."""

    def __init__(self, *words: str, state: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tmt.cli.main", *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "TMT_STATE": str(state), "NO_COLOR": "1"},
        )
        self._lines: queue.Queue[str] = queue.Queue()
        assert self.process.stderr is not None
        self._reader = threading.Thread(target=self._read, args=(self.process.stderr,), daemon=True)
        self._reader.start()

    def _read(self, stream: IO[str]) -> None:
        with stream:
            for line in stream:
                self._lines.put(line)

    def wait_for(self, words: str) -> str:
        """The next line of standard error that holds `words`."""
        while words not in (line := self._lines.get(timeout=ANSWER_SECONDS_MAX)):
            pass
        return line

    def end(self, signal: int | None = None) -> tuple[int, str]:
        """Send `signal`, wait for the end; exit status and standard output."""
        if signal is not None:
            self.process.send_signal(signal)
        assert self.process.stdout is not None
        out = self.process.stdout.read()
        status = self.process.wait(ANSWER_SECONDS_MAX)
        self.process.stdout.close()
        self._reader.join(ANSWER_SECONDS_MAX)
        return status, out
