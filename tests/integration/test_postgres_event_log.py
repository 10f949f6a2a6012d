"""The event log on a PostgreSQL that is restarted, killed, cut off and meddled with: nothing acknowledged is lost."""

import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from random import Random

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from tests.integration.cable import Cable
from tests.servers.postgres import PostgresAddress, PostgresServer
from tmt.adapters.clock.patience import Patience
from tmt.adapters.event_log.postgres import PostgresEventLog
from tmt.adapters.postgres import Database
from tmt.errors import CorruptLog, CorruptMessage, Fenced, OutcomeUnknown, StoreUnavailable
from tmt.ports.event_log import Entry

pytestmark = pytest.mark.server
SCHEMA = "desk"
CUT_SHORT = """DELETE FROM events WHERE position = 9;
    UPDATE head SET position = 8, chain = (SELECT chain FROM events WHERE position = 8)"""
WRITER = """
import sys
from tmt.adapters.event_log.postgres import PostgresEventLog
from tmt.adapters.postgres import Database
from tmt.ports.event_log import Entry

log = PostgresEventLog(Database(sys.argv[1], "desk"), writer=True, source="child")
number = log.head()
while True:
    batch = [Entry(f"{number + n:032x}", "root", "Kind", number + n, b"%d" % (number + n) * 9) for n in (1, 2, 3)]
    number = log.append(batch, 5)
    print(number, flush=True)
"""


def entry(number: int) -> Entry:
    return Entry(f"{number:032x}", f"{number // 4:032x}", "Kind", number, b'{"number":"%d"}' % number * 3)


def entries(first: int, last: int) -> list[Entry]:
    return [entry(number) for number in range(first, last + 1)]


@contextmanager
def opened(dsn: str) -> Iterator[Database]:
    database = Database(dsn, SCHEMA)
    try:
        database.migrate()
        yield database
    finally:
        database.close()


@pytest.fixture
def database(pg_dsn: str) -> Iterator[Database]:
    with opened(pg_dsn) as made:
        yield made


@contextmanager
def writing(database: Database, patience_seconds: float = 30.0) -> Iterator[PostgresEventLog]:
    log = PostgresEventLog(database, writer=True, source="test", patience_seconds=patience_seconds)
    try:
        yield log
    finally:
        log.close()


class Load:
    """A thread that appends as fast as it can, in batches of every small size, until told to end."""

    def __init__(self, log: PostgresEventLog) -> None:
        self._log = log
        self._ending = threading.Event()
        self._grown = threading.Condition()
        self.acknowledged = log.head()
        self.failed: BaseException | None = None
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> "Load":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._thread.join()

    def _run(self) -> None:
        sizes = Random(7)
        try:
            while not self._ending.is_set():
                first = self.acknowledged + 1
                last = self._log.append(entries(first, first + sizes.randrange(20)), 5)
                with self._grown:
                    self.acknowledged = last
                    self._grown.notify_all()
        except BaseException as error:
            self.failed = error
            raise
        finally:
            with self._grown:
                self._grown.notify_all()

    def wait_for(self, more: int) -> None:
        """Wait until so many more events are acknowledged."""
        with self._grown:
            goal = self.acknowledged + more
            assert self._grown.wait_for(lambda: self.acknowledged >= goal or self.failed is not None, 60)
        assert self.failed is None, self.failed


def check_all_there(log: PostgresEventLog, acknowledged: int) -> None:
    assert log.head() >= acknowledged
    assert log.verify() == log.head()
    assert [event.message_id for event in log.read()] == [
        entry(number).message_id for number in range(1, log.head() + 1)
    ]


@pytest.mark.slow
@pytest.mark.parametrize("way", ["stop", "kill"])
def test_whatever_was_acknowledged_is_there_once_however_the_server_ends(
    own_postgres: PostgresServer, way: str
) -> None:
    with opened(own_postgres.dsn()) as database, writing(database) as log:
        with Load(log) as load:
            for _ in range(3):
                load.wait_for(100)
                getattr(own_postgres, way)()
                own_postgres.start()
            load.wait_for(100)
        check_all_there(log, load.acknowledged)
        assert log.head() == load.acknowledged


def test_backends_ended_at_random_moments_lose_nothing_and_double_nothing(
    postgres_server: PostgresAddress, pg_dsn: str
) -> None:
    end_all = """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid() AND random() < 0.8"""
    chance = Random(3)
    name = pg_dsn.rsplit("/", 1)[1]
    with opened(pg_dsn) as database, writing(database) as log, Load(log) as load:
        with psycopg.connect(postgres_server.admin_dsn(name), autocommit=True) as admin:
            for _ in range(40):
                load.wait_for(chance.randrange(1, 30))
                admin.execute(end_all)
        load.wait_for(1)
    with opened(pg_dsn) as database, writing(database) as log:
        check_all_there(log, load.acknowledged)
        assert log.head() == load.acknowledged
        assert log.epoch > 10, "the writer has found its server again and again"


def test_whatever_a_killed_writer_had_told_is_there_after_it(pg_dsn: str) -> None:
    with opened(pg_dsn) as database:
        for kill in range(4):
            child = subprocess.Popen([sys.executable, "-c", WRITER, pg_dsn], stdout=subprocess.PIPE, text=True)
            assert child.stdout is not None
            with child.stdout as told:
                positions = [int(told.readline()) for _ in range(1 + kill * 20)]
                child.kill()
                positions += [int(line) for line in told if line.endswith("\n")]
            assert child.wait() == -signal.SIGKILL
            with writing(database) as log:
                assert log.head() >= positions[-1]
                assert log.head() % 3 == 0
                assert log.verify() == log.head()


def through(cable: Cable, dsn: str) -> str:
    return make_conninfo(dsn, port=cable.port)


def test_an_append_whose_answer_is_lost_is_found_stored_and_not_stored_again(
    postgres_server: PostgresAddress, pg_dsn: str
) -> None:
    with Cable(postgres_server.port) as cable, opened(through(cable, pg_dsn)) as database, writing(database) as log:
        log.append(entries(1, 3), 5)
        epoch = log.epoch
        cable.cut_before_answer()
        assert log.append(entries(4, 6), 6) == 6
        assert log.epoch > epoch, "the connection was cut"
        assert log.append(entries(7, 7), 7) == 7
        assert [event.recorded_at_ns for event in log.read()] == [5, 5, 5, 6, 6, 6, 7]
        check_all_there(log, 7)


def test_an_append_without_an_answer_in_time_is_unknown_and_asking_again_tells(
    postgres_server: PostgresAddress, pg_dsn: str
) -> None:
    with (
        Cable(postgres_server.port) as cable,
        opened(through(cable, pg_dsn)) as database,
        writing(database, patience_seconds=0) as log,
    ):
        cable.cut_before_answer()
        with pytest.raises(OutcomeUnknown) as caught:
            log.append(entries(1, 3), 5)
        assert caught.value.code == "TMT-L012"
        assert log.append(entries(1, 5), 6) == 5
        assert [event.recorded_at_ns for event in log.read()] == [5, 5, 5, 6, 6]
        cable.cut_before_answer()
        with pytest.raises(OutcomeUnknown):
            log.append(entries(6, 7), 7)
        assert log.append(entries(8, 8), 8) == 8
        check_all_there(log, 8)


def test_appends_whose_answers_are_lost_again_and_again_are_stored_once(
    postgres_server: PostgresAddress, pg_dsn: str
) -> None:
    with (
        Cable(postgres_server.port) as cable,
        opened(through(cable, pg_dsn)) as database,
        writing(database, patience_seconds=0) as log,
    ):
        for last in (2, 4, 5):
            cable.cut_before_answer()
            with pytest.raises(OutcomeUnknown):
                log.append(entries(1, last), last)
            log.append([], 9)
            cable.cut_before_answer()
            with pytest.raises(OutcomeUnknown):
                log.append(entries(1, last + 1), last)
        assert log.append(entries(1, 7), 9) == 7
        with pytest.raises(CorruptLog) as caught:
            log.append(entries(1, 7), 9)
        assert caught.value.code == "TMT-L007"
        check_all_there(log, 7)


def test_an_append_that_arrives_after_its_writer_gave_it_up_is_void(
    postgres_server: PostgresAddress, pg_dsn: str
) -> None:
    with (
        Cable(postgres_server.port) as cable,
        opened(through(cable, pg_dsn)) as database,
        writing(database, patience_seconds=0) as log,
    ):
        log.append(entries(1, 2), 5)
        cable.hold()
        with pytest.raises(OutcomeUnknown):
            log.append(entries(3, 4), 6)
        assert cable.asked.wait(10)
        assert log.append(entries(5, 5)[:0], 7) == 2, "found not stored"
        cable.release()
        cable.drain(10)
        assert log.head() == 2
        assert log.append([entry(3)], 8) == 3
        check_all_there(log, 3)


def test_a_server_that_stays_away_is_told_and_nothing_is_stored(own_postgres: PostgresServer) -> None:
    with opened(own_postgres.dsn()) as database, writing(database, patience_seconds=0.2) as log:
        log.append(entries(1, 2), 5)
        own_postgres.kill()
        with pytest.raises((StoreUnavailable, OutcomeUnknown)):
            log.append([entry(3)], 6)
        with pytest.raises((StoreUnavailable, OutcomeUnknown)):
            log.append([entry(3)], 6)
        own_postgres.start()
        assert log.append([entry(3)], 7) == 3
        check_all_there(log, 3)


@pytest.mark.slow
def test_a_server_that_hangs_is_given_up_and_the_append_is_resolved_when_it_wakes(
    own_postgres: PostgresServer,
) -> None:
    with closing(Database(own_postgres.dsn(), SCHEMA, statement_seconds=1)) as database:
        database.migrate()
        with writing(database, patience_seconds=0) as log:
            log.append(entries(1, 2), 5)
            own_postgres.pause()
            with pytest.raises(OutcomeUnknown):
                log.append(entries(3, 4), 6)
            with pytest.raises(OutcomeUnknown):
                log.append(entries(3, 4), 6)
            own_postgres.resume()
            assert log.append(entries(3, 5), 7) == 5
            check_all_there(log, 5)


def test_a_reading_goes_on_where_it_was_when_the_server_is_back(own_postgres: PostgresServer) -> None:
    with opened(own_postgres.dsn()) as database, writing(database) as log:
        log.append(entries(1, 2500), 5)
        reading = log.read()
        first = [next(reading).position for _ in range(1000)]
        own_postgres.kill()
        own_postgres.start()
        assert first + [event.position for event in reading] == list(range(1, 2501))


def test_a_writer_that_was_overtaken_while_the_server_was_away_is_fenced(own_postgres: PostgresServer) -> None:
    with opened(own_postgres.dsn()) as database, writing(database) as old:
        old.append(entries(1, 2), 5)
        own_postgres.restart()
        with writing(database) as new:
            with pytest.raises(Fenced):
                old.append([entry(3)], 6)
            assert new.append([entry(3)], 7) == 3
            assert new.epoch > old.epoch
            check_all_there(new, 3)


def until(what: Callable[[], bool]) -> None:
    patience = Patience(20)
    while not what():
        assert patience.wait(), "never happened"


def test_nobody_sees_a_position_before_all_lower_ones(postgres_server: PostgresAddress, pg_dsn: str) -> None:
    name = pg_dsn.rsplit("/", 1)[1]
    with opened(pg_dsn) as database, writing(database) as first:
        reader = PostgresEventLog(database, writer=False, source="test")
        assert first._connection is not None
        overtaking = threading.Thread(target=_take_over_and_append, args=(database,))
        with psycopg.connect(postgres_server.admin_dsn(name), autocommit=True) as admin:
            with first._connection.transaction():
                assert first.append([entry(1)], 5) == 1
                overtaking.start()
                until(lambda: _someone_waits(admin))
                assert (reader.head(), list(reader.read())) == (0, [])
            overtaking.join()
        assert [event.position for event in reader.read()] == [1, 2]


def _take_over_and_append(database: Database) -> None:
    with writing(database) as second:
        second.append([entry(2)], 6)


def _someone_waits(admin: psycopg.Connection[tuple[object, ...]]) -> bool:
    query = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    return admin.execute(query).fetchone() is not None


def test_a_sequence_would_let_a_later_position_be_seen_first(pg_dsn: str) -> None:
    with psycopg.connect(pg_dsn, autocommit=True) as reader, psycopg.connect(pg_dsn) as first:
        reader.execute("CREATE TABLE numbered (position bigserial PRIMARY KEY, said text)")
        first.execute("INSERT INTO numbered (said) VALUES ('first')")
        with psycopg.connect(pg_dsn) as second:
            second.execute("INSERT INTO numbered (said) VALUES ('second')")
        assert reader.execute("SELECT position FROM numbered ORDER BY position").fetchall() == [(2,)]
        first.commit()
        assert reader.execute("SELECT position FROM numbered ORDER BY position").fetchall() == [(1,), (2,)]


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE events SET body = '' WHERE position = 3",
        "UPDATE events SET body = body",
        "DELETE FROM events WHERE position = 3",
        "DELETE FROM events WHERE false",
        "TRUNCATE events",
    ],
)
def test_what_is_recorded_cannot_be_changed_or_deleted(database: Database, sql: str) -> None:
    with writing(database) as log:
        log.append(entries(1, 9), 5)
        with database.connection() as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(sql)
        check_all_there(log, 9)


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE events SET body = '{}' WHERE position = 5",
        "UPDATE events SET type = 'Other' WHERE position = 5",
        "UPDATE events SET occurred_at_ns = occurred_at_ns + 1 WHERE position = 5",
        "UPDATE events SET recorded_at_ns = recorded_at_ns + 1 WHERE position = 5",
        "UPDATE events SET correlation_id = 'other' WHERE position = 5",
        "UPDATE events SET message_id = 'other' WHERE position = 5",
        "UPDATE events SET chain = decode(repeat('00', 32), 'hex') WHERE position = 5",
        "UPDATE events SET chain = decode(repeat('00', 32), 'hex') WHERE position = 9",
        "UPDATE events SET position = 99 WHERE position = 5",
        "UPDATE events SET position = 10 WHERE position = 9",
        "DELETE FROM events WHERE position = 1",
        "DELETE FROM events WHERE position = 5",
        "DELETE FROM events WHERE position = 9",
        "DELETE FROM events",
        "INSERT INTO events SELECT 10, 7, 'new', 'new', type, 1, body, chain FROM events WHERE position = 9",
        CUT_SHORT,
        "UPDATE head SET position = 8",
        "UPDATE head SET chain = decode(repeat('00', 32), 'hex')",
    ],
)
def test_what_an_owner_of_the_tables_changes_all_the_same_is_found(database: Database, sql: str) -> None:
    with writing(database) as log:
        log.append(entries(1, 9), 5)
        with database.transaction() as connection:
            connection.execute("ALTER TABLE events DISABLE TRIGGER events_never_change")
            connection.execute(sql)
        with pytest.raises(CorruptLog) as caught:
            log.verify()
        assert caught.value.code in ("TMT-L005", "TMT-L006")


def test_a_log_moved_on_by_somebody_else_is_not_written_any_further(database: Database) -> None:
    with writing(database) as log:
        log.append(entries(1, 2), 5)
        with database.connection() as connection:
            connection.execute("UPDATE head SET position = 1")
        with pytest.raises(CorruptLog) as caught:
            log.append([entry(3)], 6)
        assert caught.value.code == "TMT-L006"


def test_an_entry_that_the_store_cannot_hold_is_refused_and_the_log_goes_on(database: Database) -> None:
    with writing(database) as log:
        for wrong in (entry(1)._replace(type="a\x00b"), entry(1)._replace(occurred_at_ns=2**63)):
            with pytest.raises(CorruptMessage):
                log.append([wrong], 5)
        assert log.append([entry(1)], 5) == 1
        check_all_there(log, 1)


def test_a_server_that_may_lose_what_it_acknowledged_is_not_written(tmp_path_factory: pytest.TempPathFactory) -> None:
    with (
        PostgresServer(tmp_path_factory.mktemp("unsafe"), durable=False) as server,
        opened(server.dsn()) as database,
    ):
        with pytest.raises(StoreUnavailable) as caught:
            PostgresEventLog(database, writer=True, source="test")
        assert caught.value.code == "TMT-P003"
        assert "fsync=off" in caught.value.what
        assert "full_page_writes=off" in caught.value.what
        PostgresEventLog(database, writer=False, source="test").close()


def test_every_opening_for_writing_is_noted_with_who_it_was(database: Database) -> None:
    for source in ("ann", "bob"):
        PostgresEventLog(database, writer=True, source=source).close()
    with database.connection() as connection:
        rows = connection.execute("SELECT epoch, source FROM writers ORDER BY epoch").fetchall()
    assert rows == [(1, "ann"), (2, "bob")]
