"""Agents in processes of their own: what stands in for them in the engine, and what hosts them elsewhere.

Every instance of an agent folds the whole log in its order, so all instances know the same and answer the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import msgspec

from tmt import messages as m
from tmt.domain.ledger import LedgerSnapshot
from tmt.domain.money import decode_hook
from tmt.errors import CorruptLog, CorruptMessage
from tmt.ports.agent_path import AgentPath
from tmt.ports.event_log import EventLog, Recorded
from tmt.projections.portfolio import Portfolio
from tmt.projections.portfolio_state import PortfolioState

if TYPE_CHECKING:
    from tmt.runner import Agent  # with it comes the compiled scan, which agents do not need

_HEARD: Final = tuple(kind.__name__ for kind in m.ALL if kind is not m.MarketDataReceived)
"""Market data take a place in the log, and agents pass over it."""

MESSAGES_PER_SNAPSHOT: Final = 2_000
_INPUTS: Final = frozenset(kind.__name__ for kind in m.INPUTS)


class RemoteState(msgspec.Struct):
    """What the engine knows of a remote agent's state: nothing."""


class RemoteAgent:
    """Stands in the engine for an agent that runs elsewhere. `agent` is its class."""

    def __init__(self, agent: Any, path: AgentPath) -> None:
        self.name: str = agent.name
        self.consumes: tuple[type[m.Message], ...] = agent.answers
        self.answers: tuple[type[m.Message], ...] = agent.answers
        self.produces: tuple[type[m.Message], ...] = agent.produces
        self.state = RemoteState()
        self._path = path

    def handle(self, message: m.Message) -> Sequence[m.Message]:
        """Wait for the agent's answer."""
        return self._path.answers(self.name, message)


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What one agent says to the message at `position`; often nothing.

    Attributes:
        instance: which of the agent's instances says it.
        cause_id: message id of the message answered; empty for a sign of life, which answers nothing.
        messages: canonical JSON of each message, in order.
    """

    agent: str
    instance: str
    position: int
    cause_id: str
    messages: tuple[msgspec.Raw, ...]

    @property
    def is_sign_of_life(self) -> bool:
        """Whether it only says how far the agent has come."""
        return not self.cause_id


class HostSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """What hosted agents know at one position of the log."""

    portfolio: PortfolioState
    ledger: LedgerSnapshot
    agents: dict[str, msgspec.Raw]


class AgentHost:
    """Hosts agents beside a portfolio of their own, over a log that the engine writes.

    Args:
        agents: built over `portfolio`.
        log: read only, but for this host's snapshots.
        instance: tells the instances of one agent apart.

    Attributes:
        position: newest position of the log folded.
    """

    def __init__(self, agents: Sequence[Agent], portfolio: Portfolio, log: EventLog, instance: str) -> None:
        self.agents = tuple(agents)
        self.position = 0
        self.instance = instance
        self._portfolio = portfolio
        self._log = log
        self._owner = "agents:" + "+".join(sorted(agent.name for agent in agents))
        self._saved_at = 0
        self._answered: dict[int, tuple[str, list[Answer]]] = {}

    def start(self) -> None:
        """Become what the log says."""
        saved = self._log.load_snapshot(self._owner)
        if saved is not None:
            self.position, raw = saved
            self._saved_at = self.position
            self._restore(msgspec.json.decode(raw, type=HostSnapshot, dec_hook=decode_hook))
        self.catch_up()

    def catch_up(self, until: int | None = None) -> None:
        """Fold what the log holds after `position`, up to `until` (inclusive; None: to its present head)."""
        head = self._log.head()
        last = head if until is None else min(until, head)
        for recorded in self._log.read(after=self.position, types=_HEARD, until=last):
            self._fold(recorded)
        self.position = max(self.position, last)

    def take(self, recorded: Recorded, prior: int) -> list[Answer]:
        """Hear the message at one position, once, after all before it; return this host's answers to it.

        A message heard again is answered again, the same. What is missing before it comes from the log.

        Args:
            recorded: what the log holds there.
            prior: position of the message heard by agents before this one.

        Raises:
            CorruptLog: when another message was heard at this position: the log is not the one that was followed.
            CorruptMessage: when it is no message, or does not follow from the log.
        """
        if prior > self.position:
            self.catch_up(until=prior)
        if prior > self.position:
            raise CorruptMessage(
                "TMT-M002", f"the log ends at {self.position}, before {prior}", where=recorded.message_id
            )
        if recorded.position > self.position:
            self._fold(recorded)
        message_id, answers = self._answered.get(recorded.position, (recorded.message_id, []))
        if message_id != recorded.message_id:
            raise CorruptLog(
                "TMT-L014",
                f"position {recorded.position} holds {recorded.message_id}, and {message_id} was heard there before",
                fix="the log was replaced by another; start this agent again",
            )
        return answers

    def signs_of_life(self) -> list[Answer]:
        """How far each agent has come."""
        return [
            Answer(agent=agent.name, instance=self.instance, position=self.position, cause_id="", messages=())
            for agent in self.agents
        ]

    def _fold(self, recorded: Recorded) -> None:
        if recorded.type in _INPUTS:
            # A step begins: what came before it is settled, and nobody will ask about it again.
            self._answered.clear()
            self._save()
        message = m.decode(recorded.body)
        self.position = recorded.position
        self._portfolio.evolve(message)
        self._answered[recorded.position] = recorded.message_id, self._handled(message, recorded.position)

    def _handled(self, message: m.Message, position: int) -> list[Answer]:
        answers = []
        for agent in self.agents:
            if not isinstance(message, agent.consumes):
                continue
            said = agent.handle(message)
            if isinstance(message, agent.answers):
                answers.append(
                    Answer(
                        agent=agent.name,
                        instance=self.instance,
                        position=position,
                        cause_id=message.message_id,
                        messages=tuple(msgspec.Raw(m.encode(each)) for each in said),
                    )
                )
            else:
                assert not said, f"{agent.name} answers a {type(message).__name__}, which `answers` leaves out"
        return answers

    def _save(self) -> None:
        if self.position - self._saved_at < MESSAGES_PER_SNAPSHOT:
            return
        snapshot = HostSnapshot(
            portfolio=self._portfolio.state,
            ledger=self._portfolio.ledger.snapshot(),
            agents={agent.name: msgspec.Raw(msgspec.json.encode(agent.state)) for agent in self.agents},
        )
        self._log.save_snapshot(self.position, msgspec.json.encode(snapshot), self._owner)
        self._saved_at = self.position

    def _restore(self, saved: HostSnapshot) -> None:
        self._portfolio.restore(saved.portfolio, saved.ledger)
        for agent in self.agents:
            agent.state = msgspec.json.decode(saved.agents[agent.name], type=type(agent.state), dec_hook=decode_hook)
