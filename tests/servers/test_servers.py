"""Do the servers for tests answer, keep what they acknowledged, forget when told to, and refuse strangers?"""

import psycopg
import pytest
import redis
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from tests.servers.kafka import KafkaServer
from tests.servers.postgres import PostgresServer
from tests.servers.redis import RedisServer

pytestmark = pytest.mark.server


@pytest.mark.parametrize("turn", [1, 2])
def test_postgres_gives_each_test_an_empty_database(pg_dsn: str, turn: int) -> None:
    with psycopg.connect(pg_dsn) as connection:
        assert connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone() == (0,)
        connection.execute(f"CREATE TABLE left_behind_{turn} ()")


def test_postgres_drops_a_database_that_is_still_in_use(own_postgres: PostgresServer) -> None:
    address = own_postgres.address
    with psycopg.connect(address.create_database("short_lived")):
        address.drop_database("short_lived")
    with psycopg.connect(address.dsn()) as connection:
        names = connection.execute("SELECT datname FROM pg_database WHERE NOT datistemplate ORDER BY 1").fetchall()
    assert names == [("postgres",), ("tmt",)]


def test_postgres_is_durable_and_its_user_ordinary(pg_dsn: str) -> None:
    with psycopg.connect(pg_dsn) as connection:
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):
            assert connection.execute(f"SHOW {setting}").fetchone() == ("on",)
        assert connection.execute("SHOW is_superuser").fetchone() == ("off",)


def test_postgres_asks_for_the_password(pg_dsn: str) -> None:
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(psycopg.conninfo.make_conninfo(pg_dsn, password="guessed"), connect_timeout=5)


@pytest.mark.parametrize("turn", [1, 2])
def test_redis_gives_each_test_an_empty_database(redis_url: str, turn: int) -> None:
    with redis.Redis.from_url(redis_url) as client:
        assert client.dbsize() == 0
        client.set("left_behind", turn)


def test_kafka_gives_each_test_names_of_its_own(kafka_bootstrap: str, kafka_prefix: str) -> None:
    create_topic(kafka_bootstrap, f"{kafka_prefix}orders")
    assert topics(kafka_bootstrap, kafka_prefix) == {f"{kafka_prefix}orders"}


def test_kafka_makes_no_topic_that_nobody_asked_for(kafka_bootstrap: str, kafka_prefix: str) -> None:
    known = AdminClient({"bootstrap.servers": kafka_bootstrap}).list_topics(f"{kafka_prefix}absent", timeout=10)
    assert [topic.error is None for topic in known.topics.values()] == [False]
    assert topics(kafka_bootstrap, kafka_prefix) == set()


def test_postgres_keeps_its_data_and_port_when_restarted_and_when_killed(own_postgres: PostgresServer) -> None:
    port = own_postgres.port
    with psycopg.connect(own_postgres.dsn()) as connection:
        connection.execute("CREATE TABLE kept (number integer)")
    for number, again in enumerate((own_postgres.restart, own_postgres.kill)):
        with psycopg.connect(own_postgres.dsn()) as connection:
            connection.execute("INSERT INTO kept VALUES (%s)", [number])
        again()
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(own_postgres.dsn(), connect_timeout=5)
    own_postgres.start()
    assert own_postgres.port == port
    with psycopg.connect(own_postgres.dsn()) as connection:
        assert connection.execute("SELECT number FROM kept ORDER BY number").fetchall() == [(0,), (1,)]


def test_redis_empties_a_database_that_is_given_out_again(own_redis: RedisServer) -> None:
    address = own_redis.address
    database = address.take_database()
    with redis.Redis.from_url(address.database_url(database)) as client:
        client.set("left_behind", 1)
        others = {address.take_database() for _ in range(1022)}
        assert database not in others
        assert client.dbsize() == 1
        assert address.take_database() == database
        assert client.dbsize() == 0


def test_redis_asks_for_the_password(own_redis: RedisServer) -> None:
    with redis.Redis(port=own_redis.port) as client, pytest.raises(redis.AuthenticationError):
        client.ping()


def test_redis_keeps_its_data_when_restarted_and_when_killed(own_redis: RedisServer) -> None:
    for number, again in enumerate((own_redis.restart, own_redis.kill)):
        with redis.Redis.from_url(own_redis.url) as client:
            client.rpush("kept", number)
        again()
    own_redis.start()
    with redis.Redis.from_url(own_redis.url) as client:
        assert client.lrange("kept", 0, -1) == [b"0", b"1"]


@pytest.mark.slow
def test_kafka_keeps_its_topics_when_killed_and_loses_them_when_wiped(own_kafka: KafkaServer) -> None:
    bootstrap = own_kafka.bootstrap
    create_topic(bootstrap, "orders")
    own_kafka.kill()
    own_kafka.start()
    assert topics(bootstrap) == {"orders"}
    own_kafka.wipe()
    assert own_kafka.bootstrap == bootstrap
    assert topics(bootstrap) == set()


def test_a_paused_postgres_hangs_and_a_resumed_one_answers(own_postgres: PostgresServer) -> None:
    own_postgres.pause()
    with pytest.raises(psycopg.errors.ConnectionTimeout):
        psycopg.connect(own_postgres.dsn(), connect_timeout=2)
    own_postgres.resume()
    with psycopg.connect(own_postgres.dsn(), connect_timeout=30) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def create_topic(bootstrap: str, name: str) -> None:
    client = AdminClient({"bootstrap.servers": bootstrap})
    for created in client.create_topics([NewTopic(name, num_partitions=1, replication_factor=1)]).values():
        created.result()


def topics(bootstrap: str, prefix: str = "") -> set[str]:
    known = AdminClient({"bootstrap.servers": bootstrap}).list_topics(timeout=10).topics
    return {name for name in known if name.startswith(prefix)}
