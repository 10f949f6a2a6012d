"""The runner: one input at a time, through the agents, into the log.

A step is an input and all that follows from it, and the input comes first in the log. Recovery loads the newest
snapshot, runs the inputs after it again, and compares every message with the one recorded.

An agent elsewhere that does not answer is lost, which is logged, and stays so until it returns; see `absence`.

With all agents in this process, steps are written to the log whole, so a log never ends inside one. With agents
elsewhere, a message is durable before they hear of it; a log may then end inside a step, and recovery ends it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from hashlib import blake2b
from typing import Any, Final, Protocol

import msgspec

from tmt import absence
from tmt import messages as m
from tmt.domain.ledger import LedgerSnapshot
from tmt.domain.money import decode_hook
from tmt.errors import AgentSilent, Diverged
from tmt.invariants import WatchState
from tmt.ports.agent_path import AgentPath
from tmt.ports.bus import Bus, Handler
from tmt.ports.clock import Clock
from tmt.ports.event_log import Entry, EventLog, Recorded
from tmt.ports.venue import Venue
from tmt.projections.portfolio import Portfolio
from tmt.projections.portfolio_state import PortfolioState
from tmt.remote import RemoteAgent
from tmt.timeline import Timeline, TimelineSnapshot
from tmt.watch import Watch

EVENTS_VERIFIED_MAX: Final = 250_000
"""A log up to this length is verified whole at every start; a longer one from its newest snapshot on."""


class Agent(Protocol):
    """A function from one message to some messages, with a state that messages alone move.

    Attributes:
        consumes: types it hears.
        answers: those of them that it may answer; to the others it only listens.
        produces: types it may say.
    """

    name: str
    consumes: tuple[type[m.Message], ...]
    answers: tuple[type[m.Message], ...]
    produces: tuple[type[m.Message], ...]
    state: Any

    def handle(self, message: m.Message) -> Sequence[m.Message]:
        """Answer `message`, then move the state by it."""


class RunnerSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that the desk knows at one position of its log."""

    config_hash: str
    decision_hash: bytes
    next_sequence: int
    counts: dict[str, int]
    lost: tuple[str, ...]
    portfolio: PortfolioState
    ledger: LedgerSnapshot
    watch: WatchState
    timeline: TimelineSnapshot
    venue: bytes
    agents: dict[str, msgspec.Raw]


class Runner:
    """Hosts the agents, the paper venue and the event-time loop over one event log.

    Args:
        path: how agents in other processes hear what is logged; None when all are here. Those agents are among
            `agents` all the same: see `tmt.remote.RemoteAgent`.
        owner: name of this arrangement's snapshots.

    Attributes:
        decision_hash: chains every decision, in order.
        next_sequence: number of the first row of market data not yet seen.
        counts: messages delivered so far, by type.
        lost: names of the agents that do not answer.
        logged: told of each message once it has its place in the log; must not raise.
    """

    def __init__(
        self,
        *,
        agents: Sequence[Agent],
        venue: Venue,
        portfolio: Portfolio,
        watch: Watch,
        bus: Bus,
        log: EventLog,
        clock: Clock,
        config_hash: str,
        path: AgentPath | None = None,
        owner: str = "desk",
    ) -> None:
        self.agents = tuple(agents)
        self.portfolio = portfolio
        self.watch = watch
        self.decision_hash = bytes(32)
        self.next_sequence = 0
        self.counts: dict[str, int] = {}
        self.lost: set[str] = set()
        self._venue = venue
        self._bus = bus
        self._log = log
        self._clock = clock
        self._config_hash = config_hash
        self._path = path
        self._owner = owner
        self.logged: Callable[[m.Message], None] = lambda _: None
        self._timeline: Timeline | None = None
        self._pending: list[Entry] = []
        self._unheard: list[m.Message] = []
        self._expected: Iterator[Recorded] | None = None
        self._losses: frozenset[tuple[str, str]] = frozenset()
        self._ending = False
        self._is_last = False
        self._sound = False
        self._subscribe()

    def _subscribe(self) -> None:
        self._bus.subscribe(m.ALL, self._observe)
        self._bus.subscribe(self._venue.consumes, self._venue.handle)
        for agent in self.agents:
            self._bus.subscribe(agent.consumes, self._asking(agent))

    def _asking(self, agent: Agent) -> Handler:
        def ask(message: m.Message) -> Sequence[m.Message]:
            loses = (agent.name, message.message_id) in self._losses
            if not loses and agent.name not in self.lost:
                try:
                    return agent.handle(message)
                except AgentSilent:
                    loses = True
            elif not isinstance(agent, RemoteAgent):
                agent.handle(message)  # What it was lost for elsewhere, it folds here, and nobody hears its answer.
            self.lost.add(agent.name)
            news = [absence.lost(agent, message)] if loses else []
            return [*news, *absence.stand_in(agent, message)]

        return ask

    def attach(self, timeline: Timeline) -> None:
        """Take the event-time loop, which was built to emit into this runner's bus."""
        self._timeline = timeline

    @property
    def timeline(self) -> Timeline:
        """The event-time loop."""
        assert self._timeline is not None, "attach() comes first"
        return self._timeline

    def _observe(self, message: m.Message) -> list[m.Message]:
        body = m.encode(message)
        kind = type(message)
        self._record(message, kind.__name__, body)
        self.logged(message)
        self.counts[kind.__name__] = self.counts.get(kind.__name__, 0) + 1
        if kind in m.DECISIONS:
            self.decision_hash = blake2b(self.decision_hash + body, digest_size=32).digest()
        self.portfolio.evolve(message)
        if isinstance(message, m.AgentReturned):
            self.lost.discard(message.agent)
        return [
            m.InvariantBroken.caused_by(message, "invariants", breach.invariant, **breach.fields())
            for breach in self.watch.see(message)
        ]

    def _record(self, message: m.Message, kind: str, body: bytes) -> None:
        if self._expected is not None:
            recorded = next(self._expected, None)
            if recorded is not None and recorded.body == body:
                if self._ending and self._path is not None:
                    self._path.publish(recorded, message)
                return
            if recorded is not None or not self._ending:
                raise _diverged(message, recorded, at_end=self._is_last)
            self._expected = None
        self._pending.append(Entry(message.message_id, message.correlation_id, kind, message.occurred_at_ns, body))
        if self._path is not None:
            self._unheard.append(message)
            if self._path.asks(type(message)):
                self.commit()

    def step(self, message: m.Message) -> None:
        """Run one input to the end of all that follows from it; first what is due by itself before it.

        A step that raises is not recorded, or not further, and the runner is of no more use but to `commit` the steps
        before.
        """
        if not isinstance(message, m.MarketDataReceived | m.TimeAdvanced):
            self._reach(message.occurred_at_ns)
        finished = len(self._pending)
        self._sound = False
        try:
            self._run(message)
        except BaseException:
            del self._pending[finished:], self._unheard[finished:]
            raise
        self._sound = True

    def _reach(self, time_ns: int) -> None:
        # Else the input would move the portfolio's time ahead of what is due.
        if self.timeline.is_due(time_ns):
            self.pass_time(time_ns)
        self.timeline.advance(time_ns)

    def pass_time(self, time_ns: int) -> None:
        """The step in which event time reaches `time_ns` without market data; may be taken again at the same time."""
        number = str(self.counts.get(m.TimeAdvanced.__name__, 0))
        self.step(m.TimeAdvanced.root("desk", time_ns, str(time_ns), number))

    def _run(self, message: m.Message) -> None:
        self._bus.publish(message)
        self.timeline.refresh_bounds()
        if isinstance(message, m.MarketDataReceived):
            self.timeline.consume(message.batch)
            self.next_sequence = message.first_sequence + message.rows
        elif isinstance(message, m.TimeAdvanced):
            self.timeline.advance(message.occurred_at_ns)

    def commit(self) -> None:
        """Write what is pending to the log; durable when it returns. Then agents elsewhere hear it."""
        if not self._pending:
            return
        recorded_at_ns = self._clock.now_ns()
        last = self._log.append(self._pending, recorded_at_ns)
        entries, self._pending = self._pending, []
        unheard, self._unheard = self._unheard, []
        if self._path is not None:
            for position, entry, message in zip(
                range(last - len(entries) + 1, last + 1), entries, unheard, strict=True
            ):
                self._path.publish(Recorded(position, recorded_at_ns, *entry), message)

    def recover(self) -> int:
        """Become what the log says; return how many recorded messages were run again and found equal.

        Raises:
            CorruptLog: when the log is damaged.
            Diverged: when running it again gives another message than it holds.
        """
        self._sound = False
        saved = self._log.load_snapshot(self._owner)
        position = 0
        if saved is not None:
            position, raw = saved
            self._restore(msgspec.json.decode(raw, type=RunnerSnapshot, dec_hook=decode_hook))
        head = self._log.head()
        self._log.verify(after=0 if head <= EVENTS_VERIFIED_MAX else position)
        for step in _steps(self._log.read(after=position)):
            self._run_again(step, is_last=step[-1].position == head)
        self._sound = True
        return head - position

    def _run_again(self, step: Sequence[Recorded], *, is_last: bool) -> None:
        # Only the last step can be unfinished, and only with agents elsewhere: they are asked again.
        self._is_last = is_last
        self._ending = is_last and self._path is not None
        if self._path is not None:
            self._path.recall(None if is_last else _by_cause(step))
        self._losses = _losses(step)
        self._expected = iter(step)
        self.step(m.decode(step[0].body))
        left = self._unseen()
        self._expected, self._ending = None, False
        self._losses = frozenset()
        if left is not None:
            self._sound = False
            raise _diverged(None, left, at_end=False)

    def _unseen(self) -> Recorded | None:
        return None if self._expected is None else next(self._expected, None)

    def knows(self, message_id: str) -> bool:
        """Whether a message is in the log, or waits to be written."""
        return self._log.contains(message_id) or any(entry.message_id == message_id for entry in self._pending)

    def save(self) -> None:
        """Commit, and keep a snapshot at the head of the log, unless recovery has not been, or something failed."""
        self.commit()
        if not self._sound:
            return
        self._log.save_snapshot(self._log.head(), msgspec.json.encode(self._snapshot()), self._owner)

    def _snapshot(self) -> RunnerSnapshot:
        return RunnerSnapshot(
            config_hash=self._config_hash,
            decision_hash=self.decision_hash,
            next_sequence=self.next_sequence,
            counts=self.counts,
            lost=tuple(sorted(self.lost)),
            portfolio=self.portfolio.state,
            ledger=self.portfolio.ledger.snapshot(),
            watch=self.watch.state,
            timeline=self.timeline.snapshot(),
            venue=self._venue.snapshot(),
            agents={agent.name: msgspec.Raw(msgspec.json.encode(agent.state)) for agent in self.agents},
        )

    def _restore(self, saved: RunnerSnapshot) -> None:
        self.decision_hash = saved.decision_hash
        self.next_sequence = saved.next_sequence
        self.counts = dict(saved.counts)
        self.lost = set(saved.lost)
        self.portfolio.restore(saved.portfolio, saved.ledger)
        self.watch.state = saved.watch
        self._venue.restore(saved.venue)
        self.timeline.restore(saved.timeline)
        for agent in self.agents:
            agent.state = msgspec.json.decode(saved.agents[agent.name], type=type(agent.state), dec_hook=decode_hook)


_INPUTS: Final = frozenset(kind.__name__ for kind in m.INPUTS)


def _steps(recorded: Iterator[Recorded]) -> Iterator[list[Recorded]]:
    step: list[Recorded] = []
    for each in recorded:
        if each.type in _INPUTS and step:
            yield step
            step = []
        step.append(each)
    if step:
        yield step


def _losses(step: Sequence[Recorded]) -> frozenset[tuple[str, str]]:
    """Which agent was lost over which message in this step."""
    losses = (m.decode(recorded.body) for recorded in step if recorded.type == m.AgentLost.__name__)
    return frozenset((loss.agent, loss.causation_id) for loss in losses if isinstance(loss, m.AgentLost))


def _by_cause(step: Sequence[Recorded]) -> Mapping[str, list[m.Message]]:
    answers: dict[str, list[m.Message]] = {}
    for recorded in step[1:]:
        message = m.decode(recorded.body)
        answers.setdefault(message.causation_id, []).append(message)
    return answers


def _diverged(message: m.Message | None, recorded: Recorded | None, *, at_end: bool) -> Diverged:
    gives = "nothing" if message is None else f"{type(message).__name__} {message.message_id}"
    holds = "nothing" if recorded is None else f"{recorded.type} {recorded.message_id}"
    return Diverged(
        f"running the log again gives {gives} where it holds {holds}",
        where="the end of a step" if recorded is None else f"event {recorded.position}",
        position=0 if recorded is None else recorded.position,
        recorded=b"" if recorded is None else recorded.body,
        gives=b"" if message is None else m.encode(message),
        at_end=at_end and recorded is None,
    )
