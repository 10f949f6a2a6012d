"""Clients of Apache Kafka, as this desk sets them up; see the pitfalls that each setting answers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka import Message as Record
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from tmt.adapters.bus.kafka.config import BusConfig
from tmt.adapters.bus.kafka.wire import RECORD_BYTES_MAX
from tmt.adapters.clock.monotonic import monotonic_seconds
from tmt.adapters.clock.patience import Patience
from tmt.errors import BusUnavailable
from tmt.topics import DEAD_LETTER_SUFFIX, TOPICS, Topic

ADMIN_SECONDS: Final = 15.0
RENEWAL_SECONDS: Final = 2.0
"""What beginning anew may take while somebody waits; it is tried again."""
RESENDS_PER_RENEWAL: Final = 8
"""Repeats without an answer after which both ends begin anew."""
QUEUED_RECORDS_MAX: Final = 10_000
"""Records a producer holds; more make `send` wait, and then fail."""
SEND_SECONDS_MAX: Final = 30.0
REJOIN_SECONDS_MIN: Final = 1.0
"""Two processes that were given the same instance number shut each other out no more often than this."""

_HOUR_MILLISECONDS: Final = 3_600_000
_DEAD_LETTER_HOURS: Final = 24 * 14


def topic_name(config: BusConfig, topic: Topic) -> str:
    """The topic's full name."""
    return f"{config.prefix}.{topic.name}"


def ensure_topics(config: BusConfig, seconds: float = ADMIN_SECONDS) -> list[str]:
    """Create what the registry names and the brokers lack, within `seconds`, dead letters included; return which.

    Raises:
        BusUnavailable: when the brokers do not answer, or refuse.
    """
    admin = AdminClient(client_settings(config))
    try:
        known = set(admin.list_topics(timeout=seconds).topics)
        missing = [topic for topic in _new_topics(config) if topic.topic not in known]
        if missing:
            for name, future in admin.create_topics(missing, operation_timeout=seconds).items():
                _created(name, future, seconds)
    except KafkaException as error:
        raise unavailable(config, error) from error
    return [topic.topic for topic in missing]


def _new_topics(config: BusConfig) -> list[NewTopic]:
    wanted = []
    for topic in TOPICS:
        name = topic_name(config, topic)
        for full_name, partitions, hours in (
            (name, topic.partitions, topic.retention_hours),
            (name + DEAD_LETTER_SUFFIX, 1, _DEAD_LETTER_HOURS),
        ):
            settings = {
                "retention.ms": str(hours * _HOUR_MILLISECONDS),
                "max.message.bytes": str(RECORD_BYTES_MAX),
                "cleanup.policy": "delete",
            }
            wanted.append(NewTopic(full_name, partitions, config.replication, config=settings))
    return wanted


def _created(name: str, future: Any, seconds: float) -> None:
    try:
        future.result(seconds)
    except KafkaException as error:
        if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
            raise BusUnavailable("TMT-B002", f"topic {name} cannot be created: {error.args[0].str()}") from error


class Sender:
    """A producer: idempotent, acknowledged by all replicas, at once, and made anew after a fatal error.

    What is not delivered is not lost: it is in the log, and whoever misses it asks again or reads it there.

    Attributes:
        failed: records whose delivery failed so far.
    """

    def __init__(self, config: BusConfig) -> None:
        self.failed = 0
        self._config = config
        self._is_over = False
        self._producer = self._make()

    def _make(self) -> Producer:
        return Producer(
            {
                **client_settings(self._config),
                "acks": "all",
                "enable.idempotence": True,
                "linger.ms": 0,
                "compression.type": "lz4",
                "message.max.bytes": RECORD_BYTES_MAX,
                "message.timeout.ms": 10_000,
                "queue.buffering.max.messages": QUEUED_RECORDS_MAX,
                "socket.nagle.disable": True,
                "error_cb": self._failed,
            }
        )

    def _failed(self, error: KafkaError) -> None:
        # A broker that lost its memory refuses this producer for ever: its sequence numbers are not those expected.
        self._is_over = self._is_over or _is_fatal(error)

    def send(self, topic: str, key: str, value: bytes, headers: Sequence[tuple[str, bytes]]) -> None:
        """Hand a record over; it is on its way when this returns. A full queue makes the caller wait.

        Raises:
            BusUnavailable: when the queue stays full.
        """
        deadline = monotonic_seconds() + SEND_SECONDS_MAX
        while True:
            self._renew_if_over()
            try:
                self._producer.produce(topic, value, key, headers=list(headers), on_delivery=self._delivered)
                self._producer.poll(0)
            except BufferError as error:
                if monotonic_seconds() > deadline:
                    raise BusUnavailable(
                        "TMT-B003", "the brokers take nothing", where=self._config.bootstrap
                    ) from error
                self._producer.poll(0.1)
            except KafkaException as error:
                if not _is_fatal(error.args[0]):
                    raise unavailable(self._config, error) from error
                self.renew()
            else:
                return

    def renew(self) -> None:
        """Begin anew; what was on its way may be lost, and is asked for again."""
        self._is_over = False
        self._producer = self._make()

    def _renew_if_over(self) -> None:
        if self._is_over:
            self.renew()

    def is_connected(self, seconds: float) -> bool:
        """Whether a broker answers within `seconds`."""
        try:
            self._producer.list_topics(timeout=seconds)
        except KafkaException:
            return False
        return True

    def poll(self) -> None:
        """Serve delivery reports."""
        try:
            self._producer.poll(0)
        except KafkaException as error:
            if not _is_fatal(error.args[0]):
                raise unavailable(self._config, error) from error
            self._is_over = True
        self._renew_if_over()

    def flush(self, seconds: float) -> int:
        """Wait until all is delivered or failed; return how many records still wait."""
        self._renew_if_over()
        return self._producer.flush(seconds)

    def _delivered(self, error: KafkaError | None, _: object) -> None:
        if error is not None:
            self.failed += 1


class Follower:
    """Reads every partition of some topics from their present end on, without a group.

    Topics that vanish and come again are found again. Whoever needs what was missed has the log.
    """

    def __init__(self, config: BusConfig, topics: Iterable[Topic]) -> None:
        self._config = config
        self._topics = tuple(topics)
        self._consumer = self._make(ADMIN_SECONDS)

    def _make(self, seconds: float) -> Consumer:
        consumer = Consumer(
            {
                **client_settings(self._config),
                "group.id": f"{self._config.prefix}.followers",
                "enable.auto.commit": False,
                "enable.auto.offset.store": False,
                "auto.offset.reset": "earliest",
                "fetch.wait.max.ms": 100,
                "fetch.error.backoff.ms": 20,
                "queued.max.messages.kbytes": 65_536,
                "message.max.bytes": RECORD_BYTES_MAX,
                "allow.auto.create.topics": False,
                "socket.nagle.disable": True,
            }
        )
        partitions = [
            TopicPartition(topic_name(self._config, topic), number)
            for topic in self._topics
            for number in range(topic.partitions)
        ]
        try:
            consumer.assign([self._at_end(consumer, partition, seconds) for partition in partitions])
        except BusUnavailable:
            consumer.close()
            raise
        return consumer

    def _at_end(self, consumer: Consumer, partition: TopicPartition, seconds: float) -> TopicPartition:
        _, end = ends_of(self._config, consumer, partition, seconds)
        return TopicPartition(partition.topic, partition.partition, end)

    def poll(self, seconds: float, records_max: int = 500) -> list[Record]:
        """Records that have come, waiting for the first up to `seconds`; errors heal by themselves or by silence."""
        first = self._consumer.poll(seconds)
        if first is None:
            return []
        # `consume` would wait for the whole batch or the whole time.
        records = [first, *self._consumer.consume(records_max, 0)]
        return [record for record in records if record.error() is None]

    def renew(self) -> None:
        """Begin anew at the present end; a broker that lost its topics may leave a reader waiting for ever.

        Raises:
            BusUnavailable: when the brokers do not answer, or the topics are missing; the reader is the old one then.
        """
        before, self._consumer = self._consumer, self._make(RENEWAL_SECONDS)
        before.close()

    def close(self) -> None:
        """Leave."""
        self._consumer.close()


class Membership:
    """Which partitions this instance answers for: a member of the agent's consumer group that reads nothing itself.

    A broker that comes back may take the member for its own double and shut it out for good; it joins anew then.

    Args:
        group: the consumer group's name.
        instance: fixed name of this member; one that comes back takes up its partitions again at once.
    """

    def __init__(self, config: BusConfig, group: str, instance: str, topics: Sequence[Topic]) -> None:
        self._config = config
        self._group = group
        self._instance = instance
        self._topics = [topic_name(config, topic) for topic in topics]
        self._consumer = self._join()

    def _join(self) -> Consumer:
        self.owned: set[tuple[str, int]] = set()
        self._is_out = False
        self._joined_at = monotonic_seconds()
        consumer = Consumer(
            {
                **client_settings(self._config),
                "group.id": f"{self._config.prefix}.{self._group}",
                "group.instance.id": f"{self._config.prefix}.{self._group}.{self._instance}",
                "enable.auto.commit": False,
                "enable.auto.offset.store": False,
                "auto.offset.reset": "latest",
                "session.timeout.ms": 6_000,
                "heartbeat.interval.ms": 1_000,
                "partition.assignment.strategy": "range",
                "allow.auto.create.topics": False,
            }
        )
        consumer.subscribe(self._topics, on_assign=self._assigned, on_revoke=self._revoked, on_lost=self._revoked)
        return consumer

    def poll(self) -> None:
        """Take part in the group; often enough that the group does not give this member up."""
        record = self._consumer.poll(0)
        error = None if record is None else record.error()
        self._is_out = self._is_out or (error is not None and _is_fatal(error))
        if self._is_out and monotonic_seconds() - self._joined_at > REJOIN_SECONDS_MIN:
            self._consumer.close()
            self._consumer = self._join()

    def _assigned(self, consumer: Any, partitions: list[TopicPartition]) -> None:
        consumer.assign(partitions)
        consumer.pause(partitions)
        self.owned = {(each.topic, each.partition) for each in partitions}

    def _revoked(self, consumer: Any, _: list[TopicPartition]) -> None:
        consumer.unassign()
        self.owned = set()

    def close(self) -> None:
        """Leave the group."""
        self._consumer.close()


def _is_fatal(error: KafkaError) -> bool:
    return error.fatal() or error.code() == KafkaError._FATAL  # noqa: SLF001 - what a fatal error is called  # noqa: SLF001 - what a shut-out consumer's error is


def ends_of(
    config: BusConfig, consumer: Consumer, partition: TopicPartition, seconds: float = ADMIN_SECONDS
) -> tuple[int, int]:
    """Offsets of a partition's first record and of the next to come.

    Raises:
        BusUnavailable: when the brokers do not tell in time.
    """
    patience = Patience(seconds)
    while True:
        try:
            first, end = consumer.get_watermark_offsets(partition, timeout=seconds)
        except KafkaException as error:  # a topic just made has no leader yet
            if not patience.wait():
                raise unavailable(config, error) from error
        else:
            return first, end


def unavailable(config: BusConfig, error: KafkaException) -> BusUnavailable:
    """What to say when the brokers do not do what they should."""
    return BusUnavailable(
        "TMT-B002",
        f"the brokers do not answer: {error.args[0].str()}",
        where=config.bootstrap,
        fix="see that Kafka runs and that bus.bootstrap names it",
    )


def client_settings(config: BusConfig) -> dict[str, Any]:
    """What every client has."""
    return {
        "bootstrap.servers": config.bootstrap,
        "client.id": config.prefix,
        "reconnect.backoff.ms": 50,
        "reconnect.backoff.max.ms": 500,
        "topic.metadata.refresh.interval.ms": 1_000,
        "log_level": 2,
    }
