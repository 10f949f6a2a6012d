"""An agent process's end of the bus: it follows the log over Kafka, and answers what its instances are asked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import msgspec
from confluent_kafka import Message as Record

from tmt.adapters.bus.kafka.client import (
    RENEWAL_SECONDS,
    RESENDS_PER_RENEWAL,
    Follower,
    Membership,
    Sender,
    ensure_topics,
    topic_name,
)
from tmt.adapters.bus.kafka.config import BusConfig
from tmt.adapters.bus.kafka.dead_letters import DeadLetters
from tmt.adapters.bus.kafka.wire import heard_of
from tmt.adapters.clock.monotonic import monotonic_seconds
from tmt.errors import BusUnavailable, CorruptMessage, StoreUnavailable
from tmt.ports.event_log import EventLog
from tmt.remote import AgentHost, Answer
from tmt.topics import ANSWERS, HEARD

POLL_SECONDS: Final = 0.1
SIGN_OF_LIFE_SECONDS: Final = 1.0
SILENCE_SECONDS: Final = 1.0
"""Without a record for so long, the log is asked whether something was missed."""
TURN_SECONDS_MAX: Final = 10.0
"""Age of the newest turn from which a service counts as not ready."""


class AgentService:
    """Runs an `AgentHost` over Kafka until told to stop. `instance` is this process's number among its like.

    Every instance folds everything; the one that owns a message's partition answers it, and when that one is silent and
    the engine asks again, every instance does: their answers are the same.

    Attributes:
        host: whose agents answer.
        answered: answers given so far.
        unread: times that the log could not be read; what was missed then is read later.
        started_at, turned_at: monotonic seconds of the start, and of the newest turn.
        heard_at: monotonic seconds of the newest record taken; 0 before the first.
    """

    def __init__(self, config: BusConfig, host: AgentHost, log: EventLog, instance: str) -> None:
        ensure_topics(config)
        self.started_at = self.turned_at = monotonic_seconds()
        self.heard_at = 0.0
        self.answered = 0
        self.unread = 0
        self.host = host
        self._is_deaf = False
        self._config = config
        self._log = log
        self._sender = Sender(config)
        self._dead = DeadLetters(config, self._sender)
        self._follower = Follower(config, HEARD)
        self._memberships = {
            agent.name: Membership(
                config,
                agent.name,
                instance,
                [topic for topic in HEARD if {kind.__name__ for kind in agent.answers} & _names(topic.kinds)],
            )
            for agent in host.agents
        }

    @property
    def dead_letters(self) -> int:
        """Records put aside so far."""
        return self._dead.count

    def owned(self) -> dict[str, int]:
        """Partitions that this instance answers for, by agent."""
        return {name: len(membership.owned) for name, membership in self._memberships.items()}

    def start(self) -> None:
        """Fold what the log holds already."""
        self.host.start()

    def run(self, stopping: Callable[[], bool]) -> None:
        """Follow and answer until `stopping`; `start` comes first."""
        looked_at = monotonic_seconds()
        said_at = 0.0
        while not stopping():
            records = self._follower.poll(POLL_SECONDS)
            for record in records:
                self._take(record)
            now = monotonic_seconds()
            if records:
                self.heard_at = looked_at = now
            elif now - looked_at >= SILENCE_SECONDS:
                looked_at = now
                self._catch_up()
            if now - said_at >= SIGN_OF_LIFE_SECONDS:
                said_at = now
                self._say(self.host.signs_of_life())
            self.turned_at = now
            for membership in self._memberships.values():
                membership.poll()
            self._sender.poll()

    def behind(self) -> int:
        """Messages of the log that are not folded yet.

        Raises:
            StoreUnavailable: when the log cannot be read.
        """
        return max(0, self._log.head() - self.host.position)

    def brokers_answer(self) -> bool:
        """Whether the brokers do, within a second."""
        return self._sender.is_connected(1.0)

    def _catch_up(self) -> None:
        position = self.host.position
        try:
            self.host.catch_up()
            # The log went on and nothing was heard of it.
            self._is_deaf = self._is_deaf or self.host.position > position
            if self._is_deaf:
                ensure_topics(self._config, RENEWAL_SECONDS)
                self._follower.renew()
                self._sender.renew()
                self._is_deaf = False
        except StoreUnavailable:
            self.unread += 1
        except BusUnavailable:
            return  # the brokers are away; the next silence tries again

    def _take(self, record: Record) -> None:
        try:
            heard = heard_of(record)
            answers = self.host.take(heard.recorded, heard.prior)
        except CorruptMessage as error:
            self._dead.put(record, str(error))
            return
        except StoreUnavailable:
            self.unread += 1  # nothing was folded; the engine asks again
            return
        if answers and heard.attempt and heard.attempt % RESENDS_PER_RENEWAL == 0:
            self._sender.renew()  # answers were given before, and did not arrive
        place = (str(record.topic()), record.partition() or 0)
        mine = [each for each in answers if heard.attempt or place in self._memberships[each.agent].owned]
        self.answered += len(mine)
        self._say(mine)

    def _say(self, answers: Sequence[Answer]) -> None:
        for answer in answers:
            body = msgspec.json.encode(answer)
            self._sender.send(topic_name(self._config, ANSWERS), answer.agent, body, [])

    def close(self) -> None:
        """Leave the groups and deliver what waits."""
        self._sender.flush(2.0)
        self._follower.close()
        for membership in self._memberships.values():
            membership.close()


def _names(kinds: tuple[type, ...]) -> set[str]:
    return {kind.__name__ for kind in kinds}
