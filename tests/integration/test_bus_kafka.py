"""What the bus may do to a desk of several processes: nothing that changes a decision."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from tests.integration.several import OTHERS, engine, hosted, settings
from tests.integration.simulated import hashes, make_desk, proposal, take
from tests.servers.kafka import KafkaServer
from tmt import messages as m
from tmt.adapters.bus.kafka import dead_letters
from tmt.adapters.bus.kafka.client import topic_name
from tmt.adapters.bus.kafka.config import BusConfig
from tmt.adapters.bus.kafka.engine_path import KafkaPath
from tmt.adapters.bus.kafka.wire import headers_in
from tmt.adapters.clock.patience import Patience
from tmt.bootstrap import Desk
from tmt.config import Loaded
from tmt.domain.stop import StopLevel
from tmt.errors import Fenced
from tmt.parity import parity_of
from tmt.topics import ANSWERS, HEARD, ORDERS, TOPICS

pytestmark = pytest.mark.server

Meanwhile = Callable[[int], None]


def trade(desk: Desk, rounds: range, meanwhile: Meanwhile = lambda _: None) -> None:
    for number in rounds:
        take_until(desk, 3000 * (number + 1))
        desk.command(proposal(desk, str(number), quantity=Decimal(1000 * (1 + number % 3))))
        meanwhile(number)


def take_until(desk: Desk, sequence: int) -> None:
    for batch in desk.batches():
        if desk.runner.next_sequence >= sequence:
            return
        desk.take(batch)


def expected_hashes(folder: Path, rounds: int) -> tuple[bytes, bytes]:
    desk = make_desk(folder / "alone")
    desk.start()
    trade(desk, range(rounds))
    assert desk.runner.counts["OrderFilled"] >= 1
    found = hashes(desk)
    desk.close()
    return found


@pytest.fixture
def loaded(tmp_path: Path, pg_dsn: str, kafka_bootstrap: str, kafka_prefix: str) -> Loaded:
    return settings(tmp_path, pg_dsn, kafka_bootstrap, kafka_prefix)


def bus(loaded: Loaded) -> BusConfig:
    config = loaded.sections["bus"]
    assert isinstance(config, BusConfig)
    return config


@contextmanager
def instances(loaded: Loaded, count: int) -> Iterator[list[object]]:
    with ExitStack() as stack:
        yield [stack.enter_context(hosted(loaded, OTHERS, str(number))) for number in range(count)]


def test_three_instances_share_the_answers_and_none_of_them_is_missed(loaded: Loaded, tmp_path: Path) -> None:
    expected = expected_hashes(tmp_path, 8)
    with ExitStack() as stack:
        services = [stack.enter_context(hosted(loaded, OTHERS, str(number))) for number in range(2)]
        with ExitStack() as third, engine(loaded) as desk:
            services.append(third.enter_context(hosted(loaded, OTHERS, "2")))

            def meanwhile(number: int) -> None:
                if number == 5:
                    third.close()

            trade(desk, range(8), meanwhile)
            assert hashes(desk) == expected
    assert sum(service.answered > 0 for service in services) >= 2
    assert all(service.dead_letters == 0 for service in services)


def test_what_nobody_can_take_goes_to_the_dead_letters_and_nothing_stops(loaded: Loaded, tmp_path: Path) -> None:
    expected = expected_hashes(tmp_path, 6)
    config = bus(loaded)
    with hosted(loaded) as service, engine(loaded) as desk:
        trade(desk, range(3))
        copied = newest_record(config, "orders")
        body, headers = copied
        poison: list[tuple[bytes, dict[str, bytes]]] = [
            (b"", {}),
            (b"\xff\xfe", ahead(headers, desk)),
            (b"{}", headers | {"position": b"many"}),
            (body, headers | {"position": b"99999999", "prior": b"99999998"}),
            (body.replace(b'"version":2', b'"version":3'), ahead(headers, desk)),
            (b"[" * 100_000, ahead(headers, desk)),
            (body.replace(b'"quantity":"', b'"quantity":"NaN'), ahead(headers, desk)),
        ]
        producer = Producer({"bootstrap.servers": config.bootstrap})
        for value, each in poison:
            producer.produce(topic_name(config, ORDERS), value, "paper-usd", headers=list(each.items()))
            producer.produce(topic_name(config, ANSWERS), value, "aria", headers=list(each.items()))
        producer.flush(10)
        trade(desk, range(3, 6))
        assert hashes(desk) == expected
        patience = Patience(30)
        while service.dead_letters < len(poison) and patience.wait():
            pass
        assert service.dead_letters == len(poison)
    letters = dead_letters.read(config, 100)
    assert sum(letter.topic == "orders" for letter in letters) == len(poison)
    assert sum(letter.topic == "answers" for letter in letters) == len(poison)
    assert all(letter.reason for letter in letters)
    assert len(dead_letters.read(config, 3)) == 3
    first = next(letter for letter in letters if letter.topic == "orders")
    assert dead_letters.replay(config, "orders", first.offset) == first
    assert dead_letters.replay(config, "orders", 10**6) is None
    assert newest_record(config, "orders")[0] == first.body.encode()


def ahead(headers: dict[str, bytes], desk: Desk) -> dict[str, bytes]:
    """As if it were the log's next message."""
    head = desk.log.head()
    return headers | {"position": str(head + 1).encode(), "prior": str(head).encode()}


def newest_record(config: BusConfig, topic: str) -> tuple[bytes, dict[str, bytes]]:
    newest = max(all_records(config, topic), key=lambda each: each[0])
    return newest[1], newest[2]


def all_records(config: BusConfig, *names: str) -> list[tuple[int, bytes, dict[str, bytes], str]]:
    """Time, value, headers and topic of every record of some topics."""
    consumer = Consumer({"bootstrap.servers": config.bootstrap, "group.id": f"{config.prefix}.test"})
    starts, left = [], 0
    for topic in TOPICS:
        for number in range(topic.partitions) if topic.name in names else ():
            first, end = consumer.get_watermark_offsets(TopicPartition(topic_name(config, topic), number), timeout=10)
            starts.append(TopicPartition(topic_name(config, topic), number, first))
            left += end - first
    consumer.assign(starts)
    found = []
    while left:
        record = consumer.poll(10)
        assert record is not None
        left -= 1
        headers = dict(headers_in(record))
        found.append((record.timestamp()[1], record.value() or b"", headers, str(record.topic())))
    consumer.close()
    return found


def test_records_that_come_again_in_any_order_change_nothing(loaded: Loaded, tmp_path: Path) -> None:
    expected = expected_hashes(tmp_path, 8)
    config, drawn = bus(loaded), random.Random(1)
    producer = Producer({"bootstrap.servers": config.bootstrap})

    def again(_: int) -> None:
        records = all_records(config, *(topic.name for topic in (*HEARD, ANSWERS)))
        for _time, value, headers, topic in drawn.choices(records, k=40):
            producer.produce(topic, value, str(drawn.random()), headers=list(headers.items()))
        producer.flush(10)

    with hosted(loaded) as service, engine(loaded) as desk:
        trade(desk, range(8), again)
        assert hashes(desk) == expected
        assert service.dead_letters == 0


def test_topics_deleted_under_load_lose_and_double_nothing(loaded: Loaded, tmp_path: Path) -> None:
    expected = expected_hashes(tmp_path, 8)
    config = bus(loaded)

    def delete(number: int) -> None:
        if number in (2, 5):
            admin = AdminClient({"bootstrap.servers": config.bootstrap})
            names = [name for name in admin.list_topics(timeout=10).topics if name.startswith(config.prefix)]
            for future in admin.delete_topics(names).values():
                future.result(10)

    with hosted(loaded), engine(loaded) as desk:
        trade(desk, range(8), delete)
        assert hashes(desk) == expected


@pytest.mark.slow
def test_a_broker_wiped_under_load_loses_and_doubles_nothing(
    tmp_path: Path, pg_dsn: str, own_kafka: KafkaServer
) -> None:
    expected = expected_hashes(tmp_path, 8)
    loaded = settings(tmp_path, pg_dsn, own_kafka.bootstrap, "wiped")

    def wipe(number: int) -> None:
        if number == 3:
            own_kafka.wipe()
        if number == 5:
            own_kafka.kill()
            own_kafka.start()

    with hosted(loaded), engine(loaded) as desk:
        trade(desk, range(8), wipe)
        assert hashes(desk) == expected


def path_of(desk: Desk) -> KafkaPath:
    path = desk._parts.arrangement.path
    assert isinstance(path, KafkaPath)
    return path


def test_an_engine_that_died_inside_a_step_goes_on_where_it_ended(loaded: Loaded, tmp_path: Path) -> None:
    expected = expected_hashes(tmp_path, 6)
    with hosted(loaded), engine(loaded) as desk:
        trade(desk, range(2))
    names = tuple(name for name in OTHERS if name != "compliance")
    with hosted(loaded, names), ExitStack() as stack:
        desk = stack.enter_context(engine(loaded))
        path = path_of(desk)

        def dies() -> bool:
            if path.waiting_for == "compliance":
                raise RuntimeError("the engine dies here")
            return False

        path.hurries = dies
        with pytest.raises(RuntimeError, match="dies here"):
            trade(desk, range(2, 4))
        unfinished = desk.log.head()
        assert m.decode(desk.log.at(unfinished).body).source != "desk"  # type: ignore[union-attr]
    with hosted(loaded), engine(loaded) as desk:
        assert desk.log.head() > unfinished
        # The order that was cut off is in the log: asking for it again changes nothing.
        begun = desk.runner.counts["OrderProposed"]
        trade_again(desk, begun)
        assert hashes(desk) == expected


def test_an_agent_that_does_not_answer_is_lost_until_it_answers_again(loaded: Loaded) -> None:
    impatient = load_with(loaded, patience_seconds=1)
    names = tuple(name for name in OTHERS if name != "compliance")
    with hosted(loaded, names), engine(impatient) as desk:
        trade(desk, range(2))
        assert desk.runner.lost == {"compliance"}
        desk.tend()
        assert desk.runner.lost == {"compliance"}, "nobody has come back"
        with hosted(loaded, ("compliance",)):
            patience = Patience(60)
            while desk.runner.lost:
                assert patience.wait(), "the agent that came back was not noticed"
                desk.tend()
            trade(desk, range(2, 4))
        denied = [m.decode(each.body) for each in desk.log.read(types=("OrderDenied",))]
        reasons = [each.reason for each in denied if isinstance(each, m.OrderDenied) and each.gate == "compliance"]
        assert reasons == ["agent_lost"] * 2
        assert desk.runner.counts["OrderFilled"] >= 1
        assert parity_of(desk.log, loaded).holds


def test_an_emergency_stop_does_not_wait_for_an_agent_that_is_gone(loaded: Loaded) -> None:
    names = tuple(name for name in OTHERS if name != "circuit_breaker")
    patient = load_with(loaded, patience_seconds=3600)
    with ExitStack() as breaker, hosted(loaded, names):
        breaker.enter_context(hosted(loaded, ("circuit_breaker",)))
        with engine(patient) as desk:
            take(desk, 3)
            breaker.close()
            path_of(desk).hurries = lambda: True
            now_ns = desk.runner.timeline.now_ns
            stop = m.StopTrading.root("p", now_ns, "x", person="p", role="risk", reason="t", level=StopLevel.CANCEL)
            assert desk.command(stop)
            assert "circuit_breaker" in desk.runner.lost


def trade_again(desk: Desk, begun: int) -> None:
    trade(desk, range(begun, 6))


def load_with(loaded: Loaded, **changes: object) -> Loaded:
    sections = loaded.sections | {"bus": msgspec.structs.replace(loaded.sections["bus"], **changes)}
    return Loaded(sections, loaded.origins, loaded.hash, {})


def test_the_older_of_two_engines_is_fenced_and_says_nothing_more(loaded: Loaded) -> None:
    with hosted(loaded), engine(loaded) as older:
        take(older, 2)
        with engine(loaded) as newer:
            head = newer.log.head()
            with pytest.raises(Fenced):
                take(older, 1)
            assert newer.log.head() == head
            take(newer, 1)
            assert newer.log.head() > head
