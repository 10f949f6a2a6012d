"""Every exit status of every command, in one table."""

from __future__ import annotations

from enum import IntEnum
from typing import Final


class ExitCode(IntEnum):
    """What a command's exit status means; `MEANINGS` says it in words."""

    OK = 0
    UNEXPECTED = 1
    USAGE = 2
    INPUT = 3
    UNAVAILABLE = 4
    CORRUPT_LOG = 5
    INVARIANT_BROKEN = 6
    NOTHING_FOUND = 7
    INTERRUPTED = 130


MEANINGS: Final = {
    ExitCode.OK: "done",
    ExitCode.UNEXPECTED: "an error nobody foresaw; please report it",
    ExitCode.USAGE: "the command or the configuration is wrong: fix it and run again",
    ExitCode.INPUT: "the data or an argument cannot be used",
    ExitCode.UNAVAILABLE: "something outside does not answer: a store, a port, a service",
    ExitCode.CORRUPT_LOG: "the event log is not what was written",
    ExitCode.INVARIANT_BROKEN: "a rule of money or safety does not hold, or `doctor` found something broken",
    ExitCode.NOTHING_FOUND: "the question was understood, and there is nothing to show",
    ExitCode.INTERRUPTED: "ctrl-C; what was done so far is kept",
}
