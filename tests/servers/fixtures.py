"""Servers for tests, as pytest fixtures; a test that asks for one is marked `server`.

| fixture | scope | what |
|---|---|---|
| `postgres_server`, `kafka_server`, `redis_server` | session | address of the server that all workers share |
| `pg_dsn` | function | URI of a fresh, empty database, dropped afterwards |
| `redis_url` | function | URL of a logical database of its own, flushed afterwards |
| `kafka_bootstrap` | session | host:port of the shared broker |
| `kafka_prefix` | function | start of the names of a test's topics, deleted afterwards, and groups |
| `own_postgres`, `own_kafka`, `own_redis` | function | a running server of the test's own, to stop, kill, pause |

Where a server is not installed the test is skipped, and fails in CI.
"""

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from tests.servers.kafka import KafkaAddress, KafkaServer
from tests.servers.keeper import shared
from tests.servers.postgres import PostgresAddress, PostgresServer
from tests.servers.process import Server
from tests.servers.redis import RedisAddress, RedisServer

RUN = os.environ.get("PYTEST_XDIST_TESTRUNUID") or uuid.uuid4().hex


def require(kind: type[Server], *, in_ci: bool) -> None:
    """Skip the test when a server is not installed; in CI fail it."""
    missing = kind.missing()
    if not missing:
        return
    reason = f"{kind.title} cannot be started, {missing} is missing: python -m tests.servers.install"
    if in_ci:
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def in_ci() -> bool:
    return bool(os.environ.get("CI"))


@pytest.fixture(scope="session")
def shared_servers_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the shared servers keep data and logs: the same folder in all workers of a run."""
    folder = tmp_path_factory.getbasetemp()
    return (folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder) / "servers"


@pytest.fixture(scope="session")
def postgres_server(shared_servers_folder: Path) -> Iterator[PostgresAddress]:
    require(PostgresServer, in_ci=in_ci())
    with shared(PostgresServer, RUN, shared_servers_folder / "postgres") as address:
        yield msgspec.json.decode(address, type=PostgresAddress)


@pytest.fixture(scope="session")
def kafka_server(shared_servers_folder: Path) -> Iterator[KafkaAddress]:
    require(KafkaServer, in_ci=in_ci())
    with shared(KafkaServer, RUN, shared_servers_folder / "kafka") as address:
        yield msgspec.json.decode(address, type=KafkaAddress)


@pytest.fixture(scope="session")
def redis_server(shared_servers_folder: Path) -> Iterator[RedisAddress]:
    require(RedisServer, in_ci=in_ci())
    with shared(RedisServer, RUN, shared_servers_folder / "redis") as address:
        yield msgspec.json.decode(address, type=RedisAddress)


@pytest.fixture
def pg_dsn(postgres_server: PostgresAddress) -> Iterator[str]:
    name = f"test_{uuid.uuid4().hex}"
    yield postgres_server.create_database(name)
    postgres_server.drop_database(name)


@pytest.fixture
def redis_url(redis_server: RedisAddress) -> Iterator[str]:
    database = redis_server.take_database()
    yield redis_server.database_url(database)
    redis_server.ask(database, "FLUSHDB")


@pytest.fixture(scope="session")
def kafka_bootstrap(kafka_server: KafkaAddress) -> str:
    return kafka_server.bootstrap


@pytest.fixture
def kafka_prefix(kafka_server: KafkaAddress) -> Iterator[str]:
    prefix = f"test-{uuid.uuid4().hex}."
    yield prefix
    kafka_server.delete_topics(prefix)


@pytest.fixture
def own_postgres(tmp_path: Path) -> Iterator[PostgresServer]:
    require(PostgresServer, in_ci=in_ci())
    with PostgresServer(tmp_path / "postgres") as server:
        yield server


@pytest.fixture
def own_kafka(tmp_path: Path) -> Iterator[KafkaServer]:
    require(KafkaServer, in_ci=in_ci())
    with KafkaServer(tmp_path / "kafka") as server:
        yield server


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[RedisServer]:
    require(RedisServer, in_ci=in_ci())
    with RedisServer(tmp_path / "redis") as server:
        yield server
