"""What processes and the machine spent: CPU seconds of a process and its children, and of everybody else."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Final, Self

TICKS: Final = os.sysconf("SC_CLK_TCK")
PROC: Final = Path("/proc")


def cpu_ticks_of(stat: str) -> tuple[int, int]:
    """(parent's process id, ticks of a process and of its children that have ended), from /proc/PID/stat."""
    fields = stat.rpartition(")")[2].split()
    return int(fields[1]), sum(map(int, fields[11:15]))


def busy_ticks_of(stat: str) -> int:
    """Ticks that the machine's processors were not idle, from /proc/stat; waiting for a disk is idle."""
    user, nice, system, _idle, _wait, interrupt, soft_interrupt, stolen = map(int, stat.split(maxsplit=9)[1:9])
    return user + nice + system + interrupt + soft_interrupt + stolen


class Tree:
    """A process with all below it."""

    def __init__(self, pid: int) -> None:
        self.pid = pid

    def cpu_seconds(self) -> float:
        """User and system time so far, of all threads."""
        children: dict[int, list[int]] = {}
        ticks: dict[int, int] = {}
        for entry in PROC.iterdir():
            if entry.name.isdecimal():
                try:
                    parent, spent = cpu_ticks_of((entry / "stat").read_text("utf-8", errors="replace"))
                except OSError:  # ended meanwhile
                    continue
                ticks[int(entry.name)] = spent
                children.setdefault(parent, []).append(int(entry.name))
        total, waiting = 0, [self.pid]
        while waiting:
            pid = waiting.pop()
            total += ticks.get(pid, 0)
            waiting += children.get(pid, [])
        return total / TICKS

    def memory_mb(self) -> float:
        """Most memory that the process itself has had at a time."""
        for line in (PROC / str(self.pid) / "status").read_text("utf-8").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
        return 0.0


class Others:
    """Share of the machine's processors that others than this benchmark used while it lasted. Use as a context."""

    def __enter__(self) -> Self:
        self._tree = Tree(os.getpid())
        self._before = self._look()
        return self

    def __exit__(self, *_: object) -> None:
        wall, busy, own = (after - before for before, after in zip(self._before, self._look(), strict=True))
        self.share = max(0.0, busy - own) / wall / (os.cpu_count() or 1)

    def _look(self) -> tuple[float, float, float]:
        busy = busy_ticks_of((PROC / "stat").read_text("utf-8")) / TICKS
        return time.monotonic(), busy, self._tree.cpu_seconds()
