"""Dead letters: records that nobody can take, kept beside their topic with the reason."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import msgspec
from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka import Message as Record

from tmt.adapters.bus.kafka.client import Sender, client_settings, ends_of, topic_name, unavailable
from tmt.adapters.bus.kafka.config import BusConfig
from tmt.adapters.bus.kafka.wire import REASON, headers_in
from tmt.adapters.clock.patience import Patience
from tmt.topics import DEAD_LETTER_SUFFIX, TOPICS

READ_SECONDS: Final = 10.0
_REASON_CHARACTERS_MAX: Final = 500


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True):
    """One record nobody could take.

    Attributes:
        topic: where it was found, without the prefix; it lies in `<topic>.dead-letter` at `offset`.
        reason: why.
        key, headers: as found; bytes that are no UTF-8 are shown escaped.
        body: its first bytes, as text.
    """

    topic: str
    offset: int
    time_ns: int
    reason: str
    key: str
    headers: dict[str, str]
    body: str
    size: int


class DeadLetters:
    """Puts records aside. `count` says how many since the start."""

    def __init__(self, config: BusConfig, sender: Sender) -> None:
        self.count = 0
        self._sender = sender

    def put(self, record: Record, reason: str) -> None:
        """Keep `record` with the reason; whoever read it goes on."""
        self.count += 1
        headers = [*headers_in(record), (REASON, reason[:_REASON_CHARACTERS_MAX].encode())]
        key, body = record.key(), record.value()
        self._sender.send(
            f"{record.topic()}{DEAD_LETTER_SUFFIX}",
            "" if key is None else bytes(key).decode(errors="backslashreplace"),
            b"" if body is None else bytes(body),
            headers,
        )


def read(config: BusConfig, limit: int) -> list[DeadLetter]:
    """Dead letters of every topic, oldest first within a topic, at most `limit`.

    Raises:
        BusUnavailable: when the brokers do not answer.
    """
    return [_described(config, record) for record in _records(config, limit)]


def replay(config: BusConfig, topic: str, offset: int) -> DeadLetter | None:
    """Put one dead letter back on its topic, without the reason; None when it is not there.

    Raises:
        BusUnavailable: when the brokers do not answer.
    """
    for record in _records(config, None):
        if record.offset() != offset or record.topic() != f"{config.prefix}.{topic}{DEAD_LETTER_SUFFIX}":
            continue
        sender = Sender(config)
        key, body = record.key(), record.value()
        sender.send(
            f"{config.prefix}.{topic}",
            "" if key is None else bytes(key).decode(errors="backslashreplace"),
            b"" if body is None else bytes(body),
            [(name, value) for name, value in headers_in(record) if name != REASON],
        )
        sender.flush(READ_SECONDS)
        return _described(config, record)
    return None


def _records(config: BusConfig, limit: int | None) -> Iterator[Record]:
    consumer = Consumer({**client_settings(config), "group.id": f"{config.prefix}.dead-letter-readers"})
    try:
        starts, left = [], 0
        for topic in TOPICS:
            partition = TopicPartition(topic_name(config, topic) + DEAD_LETTER_SUFFIX, 0)
            first, end = ends_of(config, consumer, partition)
            starts.append(TopicPartition(partition.topic, 0, first))
            left += end - first
        consumer.assign(starts)
        left = left if limit is None else min(left, limit)
        patience = Patience(READ_SECONDS)
        while left > 0 and patience.left_seconds() > 0:
            record = consumer.poll(patience.left_seconds())
            if record is not None and record.error() is None:
                left -= 1
                yield record
    except KafkaException as error:
        raise unavailable(config, error) from error
    finally:
        consumer.close()


def _described(config: BusConfig, record: Record) -> DeadLetter:
    headers = {name: _text(value) for name, value in headers_in(record)}
    body = record.value()
    raw = b"" if body is None else bytes(body)
    _, time_milliseconds = record.timestamp()
    return DeadLetter(
        topic=str(record.topic()).removeprefix(f"{config.prefix}.").removesuffix(DEAD_LETTER_SUFFIX),
        offset=record.offset() or 0,
        time_ns=time_milliseconds * 1_000_000,
        reason=headers.pop(REASON, ""),
        key=_text(record.key()),
        headers=headers,
        body=_text(raw[:2_000]),
        size=len(raw),
    )


def _text(value: Any) -> str:
    return value.decode(errors="backslashreplace") if isinstance(value, bytes) else str(value or "")
