"""The database on a real PostgreSQL: migrations there and back, restarts, and what an interruption means."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from tests.integration.cable import Cable
from tests.servers.postgres import PostgresAddress, PostgresServer
from tmt import messages as m
from tmt.adapters.event_log.postgres import PostgresEventLog
from tmt.adapters.inbox.postgres import PostgresInbox
from tmt.adapters.postgres import Database, migration
from tmt.adapters.postgres.database import Connection, newest_revision
from tmt.domain.stop import StopLevel
from tmt.errors import OutcomeUnknown, StoreUnavailable
from tmt.ports.event_log import Entry

pytestmark = pytest.mark.server
PUT = "INSERT INTO commands (message_id, body) VALUES ('1', '')"
CATALOG = """
SELECT c.relname, c.relkind::text, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
    pg_get_expr(d.adbin, d.adrelid)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid
LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
WHERE n.nspname = %s AND a.attnum > 0 AND NOT a.attisdropped ORDER BY 1, 3
"""


@pytest.fixture
def database(pg_dsn: str) -> Iterator[Database]:
    made = Database(pg_dsn, "desk")
    yield made
    made.close()


def catalog(dsn: str, schema: str = "desk") -> list[tuple[object, ...]]:
    with psycopg.connect(dsn) as connection:
        return connection.execute(CATALOG, (schema,)).fetchall()


def test_migrations_go_up_and_back_to_nothing_and_up_again(database: Database, pg_dsn: str) -> None:
    assert database.revision() is None
    database.migrate()
    made = catalog(pg_dsn)
    assert {"events", "head", "writers", "snapshots", "commands"} <= {str(row[0]) for row in made}
    assert database.revision() == newest_revision()
    database.migrate()
    assert catalog(pg_dsn) == made
    database.downgrade("base")
    assert {row[0] for row in catalog(pg_dsn)} == {"alembic_version", "alembic_version_pkc"}
    assert database.revision() is None
    database.migrate()
    assert catalog(pg_dsn) == made


def test_each_revision_goes_down_and_up_by_itself(database: Database, pg_dsn: str) -> None:
    database.migrate()
    made = catalog(pg_dsn)
    for number in range(int(newest_revision()) - 1, -1, -1):
        database.downgrade(f"{number:04d}" if number else "base")
        database.migrate()
        assert catalog(pg_dsn) == made
        database.downgrade(f"{number:04d}" if number else "base")


def test_the_sql_written_without_a_server_makes_the_same_tables(database: Database, pg_dsn: str) -> None:
    database.migrate()
    with psycopg.connect(pg_dsn, autocommit=True) as connection:
        connection.execute(migration.script("other").encode())
    assert catalog(pg_dsn, "other") == catalog(pg_dsn, "desk")


def test_desks_in_two_schemas_of_one_database_do_not_know_each_other(database: Database, pg_dsn: str) -> None:
    other = Database(pg_dsn, "other")
    database.migrate()
    assert other.revision() is None
    other.migrate()
    log = PostgresEventLog(database, writer=True, source="test")
    log.append([Entry("1", "1", "Kind", 1, b"{}")], 1)
    log.close()
    assert PostgresEventLog(other, writer=False, source="test").head() == 0
    other.downgrade("base")
    assert PostgresEventLog(database, writer=False, source="test").head() == 1
    other.close()


def test_migrations_at_the_same_moment_wait_for_one_another(database: Database, pg_dsn: str) -> None:
    with ThreadPoolExecutor(5) as pool:
        for migrated in [pool.submit(database.migrate) for _ in range(5)]:
            migrated.result(60)
    database.require_current()


def test_a_log_that_holds_events_is_not_dropped(database: Database, pg_dsn: str) -> None:
    database.migrate()
    log = PostgresEventLog(database, writer=True, source="test")
    log.append([Entry("1", "1", "Kind", 1, b"{}")], 1)
    before = catalog(pg_dsn)
    with pytest.raises(StoreUnavailable) as caught:
        database.downgrade("base")
    assert caught.value.code == "TMT-P005"
    assert (catalog(pg_dsn), log.head(), database.revision()) == (before, 1, newest_revision())
    log.close()


def test_a_migration_that_fails_changes_nothing(database: Database, pg_dsn: str) -> None:
    with psycopg.connect(pg_dsn, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA desk; CREATE TABLE desk.commands (mine int)")
    with pytest.raises(StoreUnavailable) as caught:
        database.migrate()
    assert caught.value.code == "TMT-P005"
    assert "commands" in caught.value.what
    assert catalog(pg_dsn) == [("commands", "r", "mine", "integer", False, None)]


@pytest.mark.parametrize("revision", [None, "9999"])
def test_tables_of_another_version_are_refused(database: Database, revision: str | None) -> None:
    if revision is not None:
        database.migrate()
        with database.connection() as connection:
            connection.execute("UPDATE alembic_version SET version_num = %s", (revision,))
    for open_store in (
        lambda: PostgresEventLog(database, writer=True, source="test"),
        lambda: PostgresEventLog(database, writer=False, source="test"),
        lambda: PostgresInbox(database),
    ):
        with pytest.raises(StoreUnavailable) as caught:
            open_store()
        assert caught.value.code == "TMT-P004"


def test_a_wrong_password_is_told_without_repeating_it(pg_dsn: str) -> None:
    database = Database(make_conninfo(pg_dsn, password="not-this-one"), "desk")
    with pytest.raises(StoreUnavailable) as caught:
        database.check_settings()
    assert caught.value.code == "TMT-P002"
    assert "authentication" in caught.value.what
    assert "not-this-one" not in f"{caught.value} {caught.value!r} {caught.value.__cause__}"
    database.close()


def test_a_statement_that_takes_too_long_is_ended(database: Database) -> None:
    database.migrate()
    with pytest.raises(StoreUnavailable) as caught, database.connection() as connection:
        connection.execute("SET statement_timeout = '50ms'").execute("SELECT pg_sleep(60)")
    assert "timeout" in caught.value.what


def test_no_more_connections_than_the_pool_has_and_a_wait_that_ends(pg_dsn: str) -> None:
    database = Database(pg_dsn, "desk", pool_max=1, wait_seconds=0.3)
    with database.connection() as only:
        with pytest.raises(StoreUnavailable), database.connection():
            pass
        assert only.execute("SELECT 1").fetchone() == (1,)
    with database.connection() as again:
        assert again.execute("SELECT 1").fetchone() == (1,)
    database.close()


def test_pooled_connections_find_the_server_again(own_postgres: PostgresServer) -> None:
    database = Database(own_postgres.dsn(), "desk")
    database.migrate()
    inbox = PostgresInbox(database)
    for way in ("stop", "kill", "stop"):
        assert inbox.pending() == []
        getattr(own_postgres, way)()
        starting = threading.Thread(target=own_postgres.start)
        starting.start()
        assert inbox.pending() == [], "asked while the server is starting"
        starting.join()
        with database.transaction() as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
    database.close()


def test_an_error_in_the_middle_rolls_back_and_says_so(database: Database, pg_dsn: str) -> None:
    database.migrate()
    with pytest.raises(StoreUnavailable), database.transaction() as connection:
        connection.execute(PUT).execute("SELECT pg_terminate_backend(pg_backend_pid())")
    assert PostgresInbox(database).pending() == []


def put_without_an_answer(database: Database, cable: Cable) -> None:
    with database.transaction() as connection:
        connection.execute(PUT)
        cable.cut_before_answer()


def test_a_transaction_whose_end_is_not_confirmed_is_unknown_not_refused(
    database: Database, postgres_server: PostgresAddress, pg_dsn: str
) -> None:
    database.migrate()
    with Cable(postgres_server.port) as cable:
        behind = Database(make_conninfo(pg_dsn, port=cable.port), "desk")
        with pytest.raises(OutcomeUnknown) as caught:
            put_without_an_answer(behind, cable)
        behind.close()
    assert caught.value.code == "TMT-P006"
    assert [waiting.message_id for waiting in PostgresInbox(database).pending()] == ["1"]


def test_what_the_server_refuses_is_not_asked_again(database: Database) -> None:
    asked: list[int] = []

    def ask(connection: Connection) -> object:
        asked.append(1)
        return connection.execute("SET statement_timeout = '20ms'").execute("SELECT pg_sleep(60)")

    with pytest.raises(StoreUnavailable):
        database.retrying(ask)
    assert len(asked) == 1


def test_what_may_be_done_twice_is_asked_again_when_the_connection_was_lost(database: Database) -> None:
    asked: list[int] = []

    def ask(connection: Connection) -> object:
        asked.append(1)
        if len(asked) < 3:
            connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")
        return connection.execute("SELECT 7").fetchone()

    assert database.retrying(ask) == (7,)
    assert len(asked) == 3


def test_a_command_whose_answer_is_lost_is_put_once(
    database: Database, postgres_server: PostgresAddress, pg_dsn: str
) -> None:
    database.migrate()
    with Cable(postgres_server.port) as cable:
        behind = Database(make_conninfo(pg_dsn, port=cable.port), "desk")
        inbox = PostgresInbox(behind)
        inbox.pending()
        cable.cut_before_answer()
        inbox.put(m.StopTrading.root("ann", 0, "1", person="ann", reason="a test", role="risk", level=StopLevel.CANCEL))
        assert len(inbox.pending()) == 1
        behind.close()
