"""Progress of long work, on standard error: a bar on a terminal, else a line every five seconds."""

from __future__ import annotations

import time
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from tmt.cli.terminal import Terminal
from tmt.projections.sentences import utc

if TYPE_CHECKING:
    from rich.progress import Progress as Bar
    from rich.progress import TaskID

LINE_SECONDS: Final = 5.0
_BAR_SECONDS: Final = 0.1


class Progress:
    """Tells how far a replay is. Use as a context."""

    def __init__(self, terminal: Terminal, total_rows: int | None, first_row: int) -> None:
        self._terminal = terminal
        self._total_rows = total_rows
        self._first_row = first_row
        self._started_seconds = self._told_seconds = time.monotonic()
        self._bar: Bar | None = None
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        if self._terminal.interactive:
            from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
            from rich.progress import Progress as Bar

            columns = (TextColumn("{task.percentage:>3.0f} %"), BarColumn(), TimeRemainingColumn())
            tail = TextColumn("{task.description}")
            self._bar = Bar(*columns, tail, console=self._terminal.console(), transient=True)
            self._bar.start()
            self._task = self._bar.add_task("", total=self._total_rows, completed=self._first_row)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def tell(self, rows: int, time_ns: int) -> None:
        """Say that `rows` rows of the feed are done, up to event time `time_ns`; most calls print nothing."""
        now_seconds = time.monotonic()
        if now_seconds - self._told_seconds < (LINE_SECONDS if self._bar is None else _BAR_SECONDS):
            return
        self._told_seconds = now_seconds
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=rows, description=f"{utc(time_ns)} UTC")
            return
        self._terminal.say(f"{self._share(rows)}, event time {utc(time_ns)} UTC{self._left(rows, now_seconds)}")

    def _share(self, rows: int) -> str:
        if not self._total_rows:
            return f"{rows:,} rows"
        return f"{min(1.0, rows / self._total_rows):.0%} of {self._total_rows:,} rows"

    def _left(self, rows: int, now_seconds: float) -> str:
        done = rows - self._first_row
        if not self._total_rows or done <= 0:
            return ""
        left_seconds = (now_seconds - self._started_seconds) * max(0, self._total_rows - rows) / done
        return f", {left_seconds:.0f} s left"
