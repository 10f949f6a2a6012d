"""Data to run on, and desks in processes of their own, for the acceptance tests of the command line."""

import os
import queue
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import IO, Self

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
    """`tmt` in a process of its own, whose standard error is read line by line. As a context, it never outlives it."""

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

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.end()

    def _read(self, stream: IO[str]) -> None:
        with stream:
            for line in stream:
                self._lines.put(line)

    def wait_for(self, words: str) -> str:
        """The next line of standard error that holds `words`."""
        while words not in (line := self._lines.get(timeout=ANSWER_SECONDS_MAX)):
            pass
        return line

    def wait_for_events(self, count: int, book: Path) -> None:
        """Wait until the book in folder `book` holds `count` events."""
        head, tick = book / "events.sqlite.head", threading.Event()
        while not head.is_file() or int(head.read_text().split()[0]) < count:
            assert self.process.poll() is None, "it ended before"
            tick.wait(0.01)

    def end(self, signal: int | None = None) -> tuple[int, str]:
        """Send `signal`, wait for the end; exit status and standard output."""
        if signal is not None:
            self.process.send_signal(signal)
        assert self.process.stdout is not None
        out = "" if self.process.stdout.closed else self.process.stdout.read()
        status = self.process.wait(ANSWER_SECONDS_MAX)
        self.process.stdout.close()
        self._reader.join(ANSWER_SECONDS_MAX)
        return status, out
