"""The error tree, split by what the operator must do.

TmtError
├── ConfigError          fix the file and start again           (exit 2)
├── InputError           fix the data or the argument           (exit 3)
├── AdapterUnavailable   retried with backoff, then the agent stops   (exit 4)
│   ├── BusUnavailable
│   │   └── AgentSilent  an agent does not answer: it is lost, the desk goes on without it
│   ├── StoreUnavailable
│   ├── VenueUnavailable
│   ├── OutcomeUnknown   was sent, not answered: ask again with the same id
│   └── Fenced           a newer instance has taken over: stop
├── CorruptLog           the event log is not what was written  (exit 5)
│   └── Diverged         or running it again gives something else
├── InvariantBroken      a money or safety rule does not hold   (exit 6)
└── CorruptMessage       to the dead letters, alert, go on

AssertionError           a bug: the process stops; restart folds the log
"""

from __future__ import annotations


class TmtError(Exception):
    """An error with a code that `tmt explain CODE` describes.

    Args:
        code: one of the codes listed in `tmt explain`, such as "TMT-C001".
        what: what is wrong, with the value, in one sentence.
        where: file:line:column, path, key or id; empty when there is no place to name.
        fix: what to do, in one sentence.
    """

    exit_code = 1

    def __init__(self, code: str, what: str, *, where: str = "", fix: str = "") -> None:
        super().__init__(what)
        self.code = code
        self.what = what
        self.where = where
        self.fix = fix

    def __str__(self) -> str:
        place = f" ({self.where})" if self.where else ""
        return f"{self.code}: {self.what}{place}"


class ConfigError(TmtError):
    """Configuration that cannot be used. `problems` holds one text for each mistake found."""

    exit_code = 2

    def __init__(self, code: str, what: str, *, where: str = "", fix: str = "", problems: tuple[str, ...] = ()) -> None:
        super().__init__(code, what, where=where, fix=fix)
        self.problems = problems


class InputError(TmtError):
    """Data or an argument that cannot be used."""

    exit_code = 3


class AdapterUnavailable(TmtError):
    """Something outside the process does not answer."""

    exit_code = 4


class BusUnavailable(AdapterUnavailable):
    """The bus does not take or give messages."""


class AgentSilent(BusUnavailable):
    """An agent in another process has not answered for as long as it may take."""


class StoreUnavailable(AdapterUnavailable):
    """A store cannot be opened, read or written."""


class VenueUnavailable(AdapterUnavailable):
    """The venue does not answer."""


class OutcomeUnknown(AdapterUnavailable):
    """Something was asked for and may have been done; no answer came. Asking again with the same id tells."""


class Fenced(AdapterUnavailable):
    """A newer instance has taken over what this one writes; nothing was stored."""


class CorruptLog(TmtError):
    """The event log is shorter than, or different from, what was acknowledged."""

    exit_code = 5


class Diverged(CorruptLog):
    """Running the log again gives another message than it holds.

    Attributes:
        position: of the recorded message; 0 where the log holds nothing more in the step.
        recorded: its canonical JSON; empty for nothing.
        gives: canonical JSON of what running it again gives; empty for nothing.
        at_end: the log ends here, inside its last step.
    """

    def __init__(
        self, what: str, *, where: str, position: int, recorded: bytes, gives: bytes, at_end: bool = False
    ) -> None:
        fix = "the software or its configuration changed since; recover with those that wrote the log"
        super().__init__("TMT-L010", what, where=where, fix=fix)
        self.position = position
        self.recorded = recorded
        self.gives = gives
        self.at_end = at_end


class InvariantBroken(TmtError):
    """A rule that must always hold does not."""

    exit_code = 6


class CorruptMessage(TmtError):
    """A message that cannot be decoded or that breaks its own rules."""
