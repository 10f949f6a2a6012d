"""Records on a PostgreSQL that is killed again and again while they are folded: nothing is missing, nothing twice."""

import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from tests.integration.simulated import make_desk, proposal, take
from tests.servers.postgres import PostgresServer
from tmt.adapters.event_log.sqlite import SqliteEventLog
from tmt.adapters.postgres import Database
from tmt.adapters.records.postgres import PostgresTables
from tmt.adapters.records.relational import RelationalRecords
from tmt.adapters.records.sqlite import SqliteTables
from tmt.ports.records import ROWS_MAX, Records
from tmt.projections.records import Projector

pytestmark = pytest.mark.server


@pytest.fixture
def log(tmp_path: Path) -> Iterator[SqliteEventLog]:
    desk = make_desk(tmp_path / "book")
    desk.start()
    take(desk, 100)
    for number in range(8):
        desk.command(proposal(desk, str(number)))
        take(desk, 10)
    desk.close()
    opened = SqliteEventLog(tmp_path / "book" / "events.sqlite", read_only=True)
    yield opened
    opened.close()


def shown(records: Records) -> tuple[object, ...]:
    return (
        records.orders(limit=ROWS_MAX),
        records.fills(limit=ROWS_MAX),
        records.positions(),
        records.postings(limit=ROWS_MAX),
        records.balances(),
    )


@pytest.mark.slow
def test_records_survive_a_server_that_is_killed_while_they_are_folded(
    own_postgres: PostgresServer, log: SqliteEventLog, tmp_path: Path
) -> None:
    with (
        closing(RelationalRecords(SqliteTables(tmp_path / "whole.sqlite"))) as whole,
        closing(Database(own_postgres.dsn(), "desk")) as database,
    ):
        Projector(log, whole).catch_up()
        database.migrate()
        records = RelationalRecords(PostgresTables(database))
        folding = threading.Thread(target=Projector(log, records, events_per_batch=3).catch_up)
        folding.start()
        reached = [0]
        for _ in range(3):
            while records.position() <= reached[-1]:
                assert folding.is_alive()
            own_postgres.kill()
            own_postgres.start()
            reached.append(records.position())
        folding.join()
        assert reached == sorted(set(reached)), "the server was killed at different moments"
        assert shown(records) == shown(whole)
        assert records.position() == log.head()


def test_rows_and_position_are_stored_together_or_not_at_all(pg_dsn: str, log: SqliteEventLog) -> None:
    with closing(Database(pg_dsn, "desk")) as database:
        database.migrate()
        records = RelationalRecords(PostgresTables(database))
        projector = Projector(log, records)
        with psycopg.connect(pg_dsn, autocommit=True, options="-c search_path=desk") as connection:
            connection.execute("ALTER TABLE balances RENAME TO hidden")
            with pytest.raises(psycopg.errors.UndefinedTable):
                projector.catch_up()
            connection.execute("ALTER TABLE hidden RENAME TO balances")
        assert (records.position(), records.orders(), records.postings()) == (0, [], [])
        assert projector.catch_up() == log.head()
        assert len(records.fills()) >= 5
