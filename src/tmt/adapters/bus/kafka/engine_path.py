"""The engine's end of the bus: what is logged goes out, agents' answers come back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgspec
from confluent_kafka import Message as Record

from tmt import messages as m
from tmt.adapters.bus.kafka.client import (
    RENEWAL_SECONDS,
    RESENDS_PER_RENEWAL,
    Follower,
    Sender,
    ensure_topics,
    topic_name,
)
from tmt.adapters.bus.kafka.config import BusConfig
from tmt.adapters.bus.kafka.dead_letters import DeadLetters
from tmt.adapters.bus.kafka.wire import headers_of
from tmt.adapters.clock.monotonic import monotonic_seconds
from tmt.errors import AgentSilent, BusUnavailable, CorruptMessage
from tmt.ports.event_log import Recorded
from tmt.remote import Answer
from tmt.topics import ANSWERS, MARKET_DATA, TOPIC_OF

ANSWERS_REMEMBERED: Final = 10_000
LOOK_SECONDS: Final = 0.02
"""Longest wait before looking whether something urgent has come."""


class _Sent(NamedTuple):
    topic: str
    key: str
    recorded: Recorded
    prior: int


class KafkaPath:
    """See `ports.agent_path.AgentPath`. For the engine's one thread.

    Args:
        agents: the classes of the agents that answer over the bus.
        last_heard: position of the newest message that agents hear, in the log as it is.

    Attributes:
        waiting_for: the agent that has not answered yet, or empty; since `waiting_since`, monotonic seconds.
        hurries: whether something urgent waits, so that a silent agent is given up at once; called while waiting.
        resent: messages sent again so far.
        differing: answers that differed from another instance's to the same message; must stay 0.
    """

    def __init__(self, config: BusConfig, agents: Sequence[Any], last_heard: int) -> None:
        ensure_topics(config)
        self.waiting_for = ""
        self.waiting_since = 0.0
        self.resent = 0
        self.differing = 0
        self._config = config
        self._produces = {agent.name: frozenset(agent.produces) for agent in agents}
        self._answered = frozenset(kind for agent in agents for kind in agent.answers)
        self._sender = Sender(config)
        self._follower = Follower(config, [ANSWERS])
        self._dead = DeadLetters(config, self._sender)
        self._heard = last_heard
        self._recalled: Mapping[str, Sequence[m.Message]] | None = None
        self._newest: _Sent | None = None
        self._answers: dict[tuple[str, int], Answer] = {}
        self._come_to: dict[str, int] = {}
        self._slowest_seconds = 0.0
        self.hurries: Callable[[], bool] = lambda: False

    def publish(self, recorded: Recorded, message: m.Message) -> None:
        """Let every agent hear what the log holds at the next position."""
        # What is told again after a restart follows from all before it.
        prior = recorded.position - 1 if recorded.position <= self._heard else self._heard
        if TOPIC_OF[recorded.type] is not MARKET_DATA:
            self._heard = max(self._heard, recorded.position)
        topic = TOPIC_OF[recorded.type]
        self._newest = _Sent(topic_name(self._config, topic), topic.key(message), recorded, prior)
        self._send(self._newest, attempt=0)

    def _send(self, sent: _Sent, attempt: int) -> None:
        headers = headers_of(sent.recorded, sent.prior, attempt)
        self._sender.send(sent.topic, sent.key, sent.recorded.body, headers)

    def asks(self, kind: type[m.Message]) -> bool:
        """Whether an agent may answer messages of this type, and is to be asked now."""
        return self._recalled is None and kind in self._answered

    def recall(self, answers: Mapping[str, Sequence[m.Message]] | None) -> None:
        """Take answers from here instead of asking; None: ask again."""
        self._recalled = answers

    def answers(self, agent: str, message: m.Message) -> Sequence[m.Message]:
        """What `agent` answers to the newest message published, waiting for it."""
        if self._recalled is not None:
            return [each for each in self._recalled.get(message.message_id, ()) if each.source == agent]
        assert self._newest is not None
        assert self._newest.recorded.message_id == message.message_id, "answers follow the newest message"
        return self._checked(self._await(agent, self._newest))

    def _await(self, agent: str, sent: _Sent) -> Answer:
        recorded = sent.recorded
        key = (agent, recorded.position)
        wait_seconds = self._config.resend_milliseconds / 1000
        began = monotonic_seconds()
        resend_at = began + wait_seconds
        attempt = 0
        self.waiting_for, self.waiting_since = agent, began
        while key not in self._answers:
            now = monotonic_seconds()
            if now >= began + self._patience_seconds():
                self._come_to.pop(agent, None)  # what it says from here on tells that it is back
                raise AgentSilent(
                    "TMT-B004",
                    f"{agent} has not answered for {now - began:.2f} s",
                    where=f"position {recorded.position}, {recorded.type} {recorded.message_id}",
                    fix=f"see that `tmt agent run {agent}` runs; until it answers again, the desk refuses without it",
                )
            if now >= resend_at:
                attempt += 1
                self._resend(sent, attempt)
                resend_at = now + wait_seconds
            for record in self._follower.poll(min(LOOK_SECONDS, max(0.0, resend_at - now))):
                self._take(record)
        self.waiting_for = ""
        self._slowest_seconds = max(self._slowest_seconds, monotonic_seconds() - began)
        self._sender.poll()
        return self._answers[key]

    def _patience_seconds(self) -> float:
        hurried = self._config.urgent_patience_milliseconds / 1000
        return hurried if self.hurries() else float(self._config.patience_seconds)

    def answered_up_to(self, agent: str) -> int:
        """Newest position that the agent has come to, as heard since it was last silent."""
        for record in self._follower.poll(0.0):
            self._take(record)
        return self._come_to.get(agent, 0)

    def slowest_seconds(self) -> float:
        """Longest wait for an answer since this was last asked."""
        slowest, self._slowest_seconds = self._slowest_seconds, 0.0
        return slowest

    def _resend(self, sent: _Sent, attempt: int) -> None:
        self.resent += 1
        if attempt % RESENDS_PER_RENEWAL == 0:
            try:
                ensure_topics(self._config, RENEWAL_SECONDS)
                self._follower.renew()
                self._sender.renew()
            except BusUnavailable:
                return  # the brokers are away; the patience decides
        self._send(sent, attempt)

    def _take(self, record: Record) -> None:
        body = record.value()
        try:
            answer = msgspec.json.decode(b"" if body is None else bytes(body), type=Answer)
            if answer.agent not in self._produces:
                raise CorruptMessage("TMT-M003", f"no agent {answer.agent!r} is expected to answer")
            self._come_to[answer.agent] = max(answer.position, self._come_to.get(answer.agent, 0))
            if answer.is_sign_of_life:
                return
            if not self._was_asked(answer):
                raise CorruptMessage("TMT-M003", f"{answer.agent} answers {answer.cause_id}, which nobody asked")
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, CorruptMessage) as error:
            self._dead.put(record, str(error))
            return
        key = (answer.agent, answer.position)
        known = self._answers.get(key)
        if known is None:
            self._answers[key] = answer
            if len(self._answers) > 2 * ANSWERS_REMEMBERED:
                for old in list(self._answers)[:ANSWERS_REMEMBERED]:
                    del self._answers[old]
        elif (known.cause_id, known.messages) != (answer.cause_id, answer.messages):
            self.differing += 1
            self._dead.put(record, f"{answer.instance} answers otherwise than {known.instance} did")

    def _was_asked(self, answer: Answer) -> bool:
        newest = None if self._newest is None else self._newest.recorded
        if newest is None or answer.position > newest.position:
            return False
        return answer.position < newest.position or answer.cause_id == newest.message_id

    def _checked(self, answer: Answer) -> list[m.Message]:
        allowed = self._produces[answer.agent]
        said = [m.decode(raw) for raw in answer.messages]
        for message in said:
            wrong = type(message) not in allowed or message.source != answer.agent
            if wrong or message.causation_id != answer.cause_id:
                raise CorruptMessage(
                    "TMT-M003",
                    f"{answer.agent} may not say {type(message).__name__} from {message.source} to {answer.cause_id}",
                    where=message.message_id,
                    fix="run the same version of the software everywhere",
                )
        return said

    def close(self) -> None:
        """Deliver what waits, and leave."""
        self._sender.flush(2.0)
        self._follower.close()
