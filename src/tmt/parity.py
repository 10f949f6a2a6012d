"""Parity: a log, whatever processes wrote it, gives the same decisions and the same money when one process runs it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from hashlib import blake2b

import msgspec

from tmt import messages as m
from tmt.adapters.clock.system import SystemClock
from tmt.adapters.feed.logged import LoggedFeed
from tmt.arrangement import Arrangement
from tmt.bootstrap import desk_over
from tmt.config import Loaded
from tmt.errors import ConfigError, Diverged, InputError
from tmt.ports.event_log import Entry, EventLog, Recorded
from tmt.projections.causation import causes_of
from tmt.projections.portfolio import Portfolio


class Hashes(msgspec.Struct, frozen=True, kw_only=True):
    """What a log comes to, hexadecimal."""

    decision_hash: str
    ledger_hash: str


class Divergence(msgspec.Struct, frozen=True, kw_only=True):
    """The first message that differs.

    Attributes:
        position: where the log holds it; 0 when the log holds nothing there.
        recorded, gives: canonical JSON of what the log holds and of what running it gives; empty for nothing.
        causes: type and id of what one process has there and what that follows from, the root first.
    """

    position: int
    recorded: str
    gives: str
    causes: tuple[str, ...]


class Parity(msgspec.Struct, frozen=True, kw_only=True):
    """What running a log again came to. `divergence` is None, and both hashes are equal, when it is sound.

    Attributes:
        unfinished: the log ends inside its last step, as one of several processes may; all it holds is equal so far,
            and the engine's next start ends the step.
    """

    events: int
    sessions: int
    recorded: Hashes
    gives: Hashes | None
    divergence: Divergence | None
    unfinished: bool = False

    @property
    def holds(self) -> bool:
        """Whether one process comes to the same."""
        return self.unfinished or (self.divergence is None and self.recorded == self.gives)


def parity_of(log: EventLog, loaded: Loaded) -> Parity:
    """Run every input of `log` again, all agents in this process, and compare every message.

    Raises:
        InputError: when the log is empty, or its sessions traded other instruments.
        ConfigError: when it was written under another configuration.
        CorruptLog: when it is damaged.
    """
    sessions = [m.decode(each.body) for each in log.read(types=(m.SessionStarted.__name__,))]
    first = _common_session([each for each in sessions if isinstance(each, m.SessionStarted)], loaded)
    recorded = _recorded_hashes(log)
    desk = desk_over(
        _Untouched(log),
        loaded,
        LoggedFeed(first),
        mode=first.mode,
        seed=first.seed,
        clock=SystemClock(),
        arrangement=Arrangement(),
    )
    gives: Hashes | None = None
    divergence: Divergence | None = None
    unfinished = False
    try:
        desk.runner.recover()
    except Diverged as error:
        unfinished = error.at_end
        divergence = None if unfinished else _divergence(log, error)
    else:
        gives = _hashes(desk.runner.decision_hash, desk.portfolio)
    return Parity(
        events=log.head(),
        sessions=len(sessions),
        recorded=recorded,
        gives=gives,
        divergence=divergence,
        unfinished=unfinished,
    )


def _common_session(sessions: list[m.SessionStarted], loaded: Loaded) -> m.SessionStarted:
    if not sessions:
        raise InputError("TMT-R009", "the log holds no session", fix="name the book of a desk that has run")
    first = sessions[0]
    for session in sessions:
        if session.config_hash != loaded.hash:
            raise ConfigError(
                "TMT-R003",
                f"the log was written with configuration {session.config_hash[:12]}, this is {loaded.hash[:12]}",
                fix="give the configuration that wrote it, with --config and --set",
            )
        if session.instruments != first.instruments or session.seed != first.seed:
            raise InputError("TMT-R009", "the log's sessions traded other instruments, or with another seed")
    return first


def _recorded_hashes(log: EventLog) -> Hashes:
    decisions = frozenset(kind.__name__ for kind in m.DECISIONS)
    decision_hash = bytes(32)
    portfolio = Portfolio()
    for recorded in log.read():
        if recorded.type in decisions:
            decision_hash = blake2b(decision_hash + recorded.body, digest_size=32).digest()
        if recorded.type != m.MarketDataReceived.__name__:
            portfolio.evolve(m.decode(recorded.body))
    return _hashes(decision_hash, portfolio)


def _hashes(decision_hash: bytes, portfolio: Portfolio) -> Hashes:
    return Hashes(decision_hash=decision_hash.hex(), ledger_hash=portfolio.ledger.hash.hex())


def _divergence(log: EventLog, error: Diverged) -> Divergence:
    message = m.decode(error.gives or error.recorded)
    return Divergence(
        position=error.position,
        recorded=error.recorded.decode(),
        gives=error.gives.decode(),
        causes=tuple(f"{type(each).__name__} {each.message_id}" for each in causes_of(log, message)),
    )


class _Untouched:
    """A log to be read only, and from its beginning, as if nobody had kept a snapshot."""

    def __init__(self, log: EventLog) -> None:
        self._log = log

    def append(self, entries: Iterable[Entry], recorded_at_ns: int) -> int:
        """Never: running a log again adds nothing to it."""
        raise AssertionError("parity writes nothing")

    def head(self) -> int:
        return self._log.head()

    def at(self, position: int) -> Recorded | None:
        return self._log.at(position)

    def read(self, after: int = 0, types: tuple[str, ...] = (), until: int | None = None) -> Iterator[Recorded]:
        return self._log.read(after, types, until)

    def contains(self, message_id: str) -> bool:
        return self._log.contains(message_id)

    def find(self, id_prefix: str, limit: int = 10) -> list[Recorded]:
        return self._log.find(id_prefix, limit)

    def correlated(self, correlation_id: str) -> list[Recorded]:
        return self._log.correlated(correlation_id)

    def head_proof(self) -> tuple[int, str]:
        return self._log.head_proof()

    def verify(self, after: int = 0) -> int:
        return self._log.verify(after)

    def save_snapshot(self, position: int, state: bytes, owner: str = "desk") -> None:
        """Nothing is kept."""

    def load_snapshot(self, owner: str = "desk") -> tuple[int, bytes] | None:
        return None

    def close(self) -> None:
        """The log stays its owner's."""
