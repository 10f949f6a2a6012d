"""Eight processes, three servers, orders without a break: whatever is killed, nothing answered is lost or doubled."""

from __future__ import annotations

import random
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from threading import Event
from time import monotonic

import httpx
import pytest
from confluent_kafka.admin import AdminClient

from tests.integration.process_desk import Process, ProcessDesk, process_desk, wait_until
from tests.integration.process_load import Answered, Load, load
from tests.integration.process_oracles import Logged, check, logged, whole_steps
from tests.integration.several import OTHERS
from tests.servers.fixtures import in_ci, require
from tests.servers.kafka import KafkaServer
from tests.servers.ports import PortLease
from tests.servers.postgres import PostgresServer
from tests.servers.redis import RedisServer
from tmt.cli.exit_codes import ExitCode
from tmt.processes import ENGINE, NAMES

pytestmark = [
    pytest.mark.server,
    pytest.mark.slow,
    pytest.mark.timeout(600),
]

SEED = 20_261_122
PREFIX = "faults"
HANG_SECONDS = 7.0
"""Longer than the consumer groups' session, so that others take over what a hung member owned."""
NO_LIMIT = "1000000"
ROOMY = {
    "TMT__HUMAN_BEHAVIOR__COOL_DOWN__LOSSES_IN_A_ROW": NO_LIMIT,
    "TMT__CIRCUIT_BREAKER__ACCOUNT__CONSECUTIVE_LOSSES_MAX": NO_LIMIT,
    "TMT__CIRCUIT_BREAKER__AGENT__CONSECUTIVE_LOSSES_MAX": NO_LIMIT,
    "TMT__HUMAN_BEHAVIOR__CHASING__SIZE_AFTER_LOSS_RATIO_MAX": NO_LIMIT,
    "TMT__HUMAN_BEHAVIOR__ENTRIES__PER_HOUR_MAX": NO_LIMIT,
    "TMT__HUMAN_BEHAVIOR__ENTRIES__PER_DAY_MAX": NO_LIMIT,
    "TMT__ACCESS__RATES__TRADER__REQUESTS_PER_SECOND": "10000",
}


@dataclass
class World:
    """A desk and its servers; `answered` is every order answered by it so far."""

    desk: ProcessDesk
    postgres: PostgresServer
    kafka: KafkaServer
    redis: RedisServer
    drawn: random.Random
    leases: ExitStack
    answered: list[Answered] = field(default_factory=list)
    numbers: Iterator[int] = field(default_factory=count)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    for kind in (PostgresServer, KafkaServer, RedisServer):
        require(kind, in_ci=in_ci())
    folder = tmp_path_factory.mktemp("desk")
    with (
        PostgresServer(folder / "postgres") as postgres,
        KafkaServer(folder / "kafka") as kafka,
        RedisServer(folder / "redis") as redis,
        ExitStack() as leases,
    ):
        settings = {**ROOMY, "TMT__ACCESS__CACHE_URL_FILE": str(secret_file(folder / "redis.url", redis.url))}
        words = ("--speed", "60", "--history", "1")
        with process_desk(folder, postgres.dsn(), kafka.bootstrap, PREFIX, *words, settings=settings) as desk:
            print(f"seed {SEED}")
            yield World(desk, postgres, kafka, redis, random.Random(SEED), leases)


def secret_file(path: Path, text: str) -> Path:
    path.touch(mode=0o600)
    path.write_text(text)
    return path


@pytest.fixture
def orders(world: World) -> Iterator[Load]:
    name = f"load-{next(world.numbers)}"
    with load(name, world.desk.url, world.desk.key) as sending:
        sending.wait_for(5)
        yield sending
    world.answered.extend(sending.answered)
    assert not sending.failures, sending.failures


def struck(world: World, orders: Load, what: str, fault: Callable[[], None]) -> None:
    """Let a fault happen at a moment of chance, wait until orders are answered again, and say how long it took."""
    orders.wait_for(world.drawn.randint(1, 12))
    began = monotonic()
    fault()
    up_seconds = monotonic() - began
    answered_seconds = orders.wait_for(1)
    print(f"{what}: up again after {up_seconds:.2f} s, and the next order answered {answered_seconds:.2f} s later")


def killed(process: Process) -> Callable[[], None]:
    def fault() -> None:
        process.kill()
        process.start()
        process.wait_until_up()

    return fault


def checked(world: World, orders: Load) -> Logged:
    """Stop sending; everything that must hold."""
    orders.stop()
    began = monotonic()
    found = check(world.desk, [*world.answered, *orders.answered])
    submitted = sum(each.status == 200 for each in orders.answered)
    again = sum(each.sends > 1 for each in orders.answered)
    reasons = Counter(each.body["reason"] for each in orders.answered if each.status == 400)
    print(f"{len(orders.answered)} orders answered, {submitted} submitted, {again} sent again; denied: {dict(reasons)}")
    print(f"breakers not closed: {[each for each in found.watch.breakers.items() if each[1] != 'closed']}")
    print(f"{len(found.messages)} messages checked in {monotonic() - began:.1f} s")
    return found


def test_each_process_killed_under_load(world: World, orders: Load) -> None:
    for name in world.drawn.sample(NAMES, len(NAMES)):
        struck(world, orders, f"{name} killed", killed(world.desk.processes[name]))
    checked(world, orders)


def test_two_gates_and_the_engine_killed_at_once(world: World, orders: Load) -> None:
    fallen = [world.desk.processes[name] for name in (ENGINE, *world.drawn.sample(OTHERS, 2))]

    def fault() -> None:
        for each in fallen:
            each.kill()
        for each in fallen:
            each.start()
        for each in fallen:
            each.wait_until_up()

    struck(world, orders, " and ".join(each.name for each in fallen), fault)
    checked(world, orders)


@pytest.mark.parametrize("server", ["postgres", "kafka", "redis"])
def test_a_server_killed_and_restarted_under_load(world: World, orders: Load, server: str) -> None:
    its = {"postgres": world.postgres, "kafka": world.kafka, "redis": world.redis}[server]

    def kill() -> None:
        its.kill()
        its.start()

    struck(world, orders, f"{server} killed", kill)
    struck(world, orders, f"{server} restarted", its.restart)
    assert_all_alive(world)
    checked(world, orders)


def test_kafka_wiped_under_load(world: World, orders: Load) -> None:
    struck(world, orders, "kafka wiped", world.kafka.wipe)
    assert_all_alive(world)
    checked(world, orders)


def assert_all_alive(world: World) -> None:
    for each in world.desk.processes.values():
        assert each.alive(), each.said()[-4000:]


def test_an_agent_that_hangs_holds_the_desk_up_and_changes_nothing(world: World, orders: Load) -> None:
    process = world.desk.processes[world.drawn.choice(["aria", "compliance", "circuit_breaker"])]

    def fault() -> None:
        process.signal(signal.SIGSTOP)
        Event().wait(HANG_SECONDS)
        process.signal(signal.SIGCONT)

    struck(world, orders, f"{process.name} hung", fault)
    checked(world, orders)


def test_a_rolling_restart_under_load(world: World, orders: Load) -> None:
    for name in NAMES:
        process = world.desk.processes[name]

        def restart(process: Process = process) -> None:
            assert process.stop() == 0
            process.start()
            process.wait_until_up()

        struck(world, orders, f"{name} restarted", restart)
    checked(world, orders)


def test_an_open_breaker_stays_open_over_every_restart_until_the_risk_role_lifts_it(world: World, orders: Load) -> None:
    desk = world.desk
    assert ask(desk, "emergency-stop", desk.key).status_code == 200
    before = breakers(desk)
    assert before["system/desk"] == "open"
    for name in ("circuit_breaker", ENGINE):
        struck(world, orders, f"{name} killed while the breaker is open", killed(desk.processes[name]))
        until(orders, lambda each: each.body.get("gate") == "circuit_breaker")
        assert breakers(desk) == before
    assert ask(desk, "resume", desk.key).status_code == 403
    assert breakers(desk) == before
    assert ask(desk, "resume", desk.risk_key).status_code == 200
    assert breakers(desk)["system/desk"] == "closed"
    until(orders, lambda each: each.status == 200)
    checked(world, orders)


def ask(desk: ProcessDesk, what: str, key: str) -> httpx.Response:
    return httpx.post(f"{desk.url}/api/v1/{what}", json={"reason": "a test"}, headers={"X-API-Key": key}, timeout=20)


def breakers(desk: ProcessDesk) -> dict[str, str]:
    with whole_steps(desk) as log:
        return dict(logged(log).watch.breakers)


def until(orders: Load, wanted: Callable[[Answered], bool]) -> None:
    """Wait for an answer of a kind to an order that was not sent yet."""
    for _ in range(200):
        orders.wait_for(1)
        if wanted(orders.answered[-1]):
            return
    raise AssertionError([each.body for each in orders.answered[-20:]])


@pytest.mark.parametrize("older_hangs", [False, True])
def test_the_older_of_two_engines_ends_fenced_and_writes_nothing_more(
    world: World, orders: Load, older_hangs: bool
) -> None:
    desk = world.desk
    older = desk.processes[ENGINE]
    port = world.leases.enter_context(PortLease()).port
    newer = desk.engine(f"{ENGINE}-{port}", port)
    if older_hangs:
        orders.wait_for(world.drawn.randint(1, 12))
        older.signal(signal.SIGSTOP)
    newer.start()
    desk.processes[ENGINE] = newer
    newer.wait_until_up()
    desk.url = orders.url = f"http://127.0.0.1:{port}"
    print(f"the newer engine answers its first order {orders.wait_for(1):.2f} s after it is up")
    if older_hangs:
        older.signal(signal.SIGCONT)
    assert older.process is not None
    assert older.process.wait(30) == ExitCode.UNAVAILABLE
    assert "TMT-L011" in older.said()
    orders.wait_for(10)
    checked(world, orders)


def test_three_instances_share_the_partitions_and_the_one_that_speaks_is_not_missed(world: World, orders: Load) -> None:
    desk = world.desk
    with ExitStack() as stack:
        instances = [desk.processes["aria"], *(desk.agent("aria", number) for number in (1, 2))]
        for each in instances[1:]:
            each.start()
            stack.callback(each.kill)
        for each in instances[1:]:
            each.wait_until_up()
        wait_until(lambda: shares(world, "aria") == 3, instances)
        spoke = [answers(each) for each in instances]
        orders.wait_for(10)
        speaker = max(range(3), key=lambda number: answers(instances[number]) - spoke[number])
        assert answers(instances[speaker]) > spoke[speaker]
        struck(world, orders, f"aria {speaker} of 3 killed", instances[speaker].kill)
        orders.wait_for(10)
        instances[speaker].start()
        instances[speaker].wait_until_up()
        checked(world, orders)


def shares(world: World, agent: str) -> int:
    """How many members of the agent's group own partitions, none of them owned twice."""
    group = f"{PREFIX}.{agent}"
    admin = AdminClient({"bootstrap.servers": world.kafka.bootstrap})
    found = admin.describe_consumer_groups([group])[group].result(10)
    owned = [(each.topic, each.partition) for member in found.members for each in member.assignment.topic_partitions]
    assert len(owned) == len(set(owned))
    return sum(bool(member.assignment.topic_partitions) for member in found.members)


def answers(process: Process) -> float:
    """How many answers an agent's process has given."""
    text = httpx.get(f"{process.health_url()}metrics", timeout=10).text
    return float(next(line.split()[-1] for line in text.splitlines() if line.startswith("tmt_agent_answers{")))
