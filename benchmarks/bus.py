"""The bus: records a second and latency through the desk's own Sender and Follower, beside confluent-kafka alone.

`python -m benchmarks.bus WHO send|read BOOTSTRAP PREFIX BYTES COUNT PER_SECOND` is one end of it, in a process of its
own; `measure` runs both ends.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any, Final

from confluent_kafka import Consumer, Producer, TopicPartition

from benchmarks.latency import NS_PER_SECOND, Latencies, intended_ns
from tmt.adapters.bus.kafka.client import Follower, Sender, ensure_topics, topic_name
from tmt.adapters.bus.kafka.config import BusConfig
from tmt.topics import ANSWERS

STAMP_BYTES: Final = 8
WARM_UP_RECORDS: Final = 1000
WARM_UP_STAMP: Final = bytes(STAMP_BYTES)
"""Of records sent before the others, so that connections and topics are not part of what is measured."""

QUIET_SECONDS_MAX: Final = 30.0
PACED_PER_SECOND: Final = 2_000
DEFAULT: Final = "confluent-kafka, its defaults"
SAME: Final = "confluent-kafka, our settings"
OURS: Final = "Sender and Follower"
WHO: Final = (OURS, SAME, DEFAULT)
_OUR_SETTINGS: Final[dict[str, Any]] = {
    "acks": "all",
    "enable.idempotence": True,
    "linger.ms": 0,
    "compression.type": "lz4",
    "socket.nagle.disable": True,
}


def config(bootstrap: str, prefix: str) -> BusConfig:
    return BusConfig(
        bootstrap=bootstrap,
        prefix=prefix,
        replication=1,
        resend_milliseconds=250,
        patience_seconds=60,
        urgent_patience_milliseconds=50,
        lag_seconds_max=30,
    )


def send(who: str, bus: BusConfig, size: int, count: int, per_second: float) -> None:
    """Send `count` records of `size` bytes, each with the time at which it was meant to leave; 0 a second: at once."""
    rest = bytes(range(256)) * (size // 256 + 1)
    rest = rest[: size - STAMP_BYTES]
    put, flush = _sending(who, bus)
    for _ in range(WARM_UP_RECORDS):
        put(WARM_UP_STAMP + rest)
    flush()
    start_ns = time.monotonic_ns()
    for intended in intended_ns(start_ns, per_second, count / per_second) if per_second else range(count):
        if per_second:
            while (wait_ns := intended - time.monotonic_ns()) > 0:
                time.sleep(wait_ns / NS_PER_SECOND)
        stamp = intended if per_second else time.monotonic_ns()
        put(stamp.to_bytes(STAMP_BYTES, "big") + rest)
    flush()
    print(json.dumps({"start_ns": start_ns}))


def _sending(who: str, bus: BusConfig) -> tuple[Callable[[bytes], None], Callable[[], object]]:
    topic = topic_name(bus, ANSWERS)
    if who == OURS:
        sender = Sender(bus)
        return lambda value: sender.send(topic, "key", value, []), lambda: sender.flush(QUIET_SECONDS_MAX)
    settings = _OUR_SETTINGS if who == SAME else {}
    producer = Producer({"bootstrap.servers": bus.bootstrap, "queue.buffering.max.messages": 10_000, **settings})

    def put(value: bytes) -> None:
        while True:
            try:
                producer.produce(topic, value, "key")
                producer.poll(0)
            except BufferError:
                producer.poll(0.1)
            else:
                return

    return put, lambda: producer.flush(QUIET_SECONDS_MAX)


def read(who: str, bus: BusConfig, count: int) -> None:
    """Read `count` records, and say when the last one came and how long each took."""
    latencies, seen = Latencies(), 0
    with_records = _reading(who, bus)
    print("ready", flush=True)
    heard_ns = time.monotonic_ns()
    for records in with_records:
        now_ns = time.monotonic_ns()
        if records:
            heard_ns = now_ns
        elif now_ns - heard_ns > QUIET_SECONDS_MAX * NS_PER_SECOND:
            raise AssertionError(f"{seen} of {count} records came")
        for value in records:
            stamp = value[:STAMP_BYTES]
            if stamp != WARM_UP_STAMP:
                latencies.add_ns(now_ns - int.from_bytes(stamp, "big"))
                seen += 1
        if seen >= count:
            break
    print(json.dumps({"end_ns": time.monotonic_ns(), "milliseconds": latencies.milliseconds()}))


def _reading(who: str, bus: BusConfig) -> Iterator[list[bytes]]:
    if who == OURS:
        follower = Follower(bus, [ANSWERS])
        return iter(lambda: [bytes(each.value() or b"") for each in follower.poll(0.1)], None)
    more = {"fetch.wait.max.ms": 100} if who == SAME else {}
    consumer = Consumer({"bootstrap.servers": bus.bootstrap, "group.id": "bench", "enable.auto.commit": False, **more})
    consumer.assign([TopicPartition(topic_name(bus, ANSWERS), 0, 0)])

    def batch() -> list[bytes]:
        first = consumer.poll(0.1)
        records = [] if first is None else [first, *consumer.consume(500, 0)]
        return [bytes(each.value() or b"") for each in records if each.error() is None]

    return iter(batch, None)


def measure(bootstrap: str, size: int, count: int, per_second: float = 0) -> Iterator[dict[str, Any]]:
    """A line for each of `WHO`: records a second from the first sent to the last read, or latency at a pace."""
    for who in WHO:
        prefix = f"bench-{uuid.uuid4().hex[:12]}"
        ensure_topics(config(bootstrap, prefix))
        common = [bootstrap, prefix, str(size), str(count), str(per_second)]
        command = [sys.executable, "-m", "benchmarks.bus", who]
        with subprocess.Popen([*command, "read", *common], stdout=subprocess.PIPE, text=True) as reader:
            try:
                assert reader.stdout is not None
                assert reader.stdout.readline() == "ready\n"
                sent = subprocess.run([*command, "send", *common], stdout=subprocess.PIPE, text=True, check=True)
                told = json.loads(reader.stdout.read())
            finally:
                reader.kill()
        seconds = (told["end_ns"] - json.loads(sent.stdout)["start_ns"]) / NS_PER_SECOND
        yield {"who": who, "bytes": size, "records": count, "seconds": seconds, "milliseconds": told["milliseconds"]}


def main(who: str, role: str, bootstrap: str, prefix: str, size: str, count: str, per_second: str) -> None:
    bus = config(bootstrap, prefix)
    if role == "send":
        send(who, bus, int(size), int(count), float(per_second))
    else:
        read(who, bus, int(count))


if __name__ == "__main__":
    main(*sys.argv[1:])
