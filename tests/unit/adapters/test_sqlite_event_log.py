"""Event logs of an older version: readable as they are, and brought up to date by the next writer without a loss."""

from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path

import apsw
import pytest

from tmt.adapters.event_log import chain, sqlite_schema
from tmt.adapters.event_log.sqlite import SqliteEventLog
from tmt.errors import CorruptLog
from tmt.ports.event_log import Entry

VERSION_1 = """
CREATE TABLE events (
    position INTEGER PRIMARY KEY, recorded_at_ns INTEGER NOT NULL, message_id TEXT NOT NULL UNIQUE,
    correlation_id TEXT NOT NULL, type TEXT NOT NULL, occurred_at_ns INTEGER NOT NULL,
    body BLOB NOT NULL, chain BLOB NOT NULL
);
CREATE INDEX events_by_correlation ON events (correlation_id, position);
CREATE TABLE snapshots (position INTEGER PRIMARY KEY, state BLOB NOT NULL, digest BLOB NOT NULL);
PRAGMA user_version = 1;
"""


def entry(number: int) -> Entry:
    return Entry(f"{number:032x}", f"{number // 4:032x}", f"Kind{number % 3}", number, b"%d" % number)


@pytest.fixture
def old(tmp_path: Path) -> Path:
    path = tmp_path / "events.sqlite"
    db = apsw.Connection(str(path))
    db.execute("PRAGMA journal_mode=WAL")
    db.execute(VERSION_1)
    rows = chain.linked(0, chain.GENESIS, 7, [entry(number) for number in range(1, 21)])
    db.executemany("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)
    for position, state in ((10, b"ten"), (20, b"twenty")):
        digest = blake2b(b"%d\x1f" % position + state, digest_size=32).digest()
        db.execute("INSERT INTO snapshots VALUES (?, ?, ?)", (position, state, digest))
    db.close()
    return path


def version_of(path: Path) -> object:
    db = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    found = db.pragma("user_version")
    db.close()
    return found


def test_a_log_of_the_first_version_is_read_and_left_as_it_is(old: Path) -> None:
    reader = SqliteEventLog(old, read_only=True)
    assert [event.message_id for event in reader.read()] == [entry(number).message_id for number in range(1, 21)]
    assert [event.position for event in reader.read(types=("Kind0", "Kind1"))] == [n for n in range(1, 21) if n % 3 < 2]
    assert (reader.verify(), reader.head_proof()[0], reader.load_snapshot()) == (20, 20, None)
    reader.close()
    assert version_of(old) == 1


def test_the_next_writer_brings_it_up_to_date_with_its_snapshots(old: Path) -> None:
    for _ in range(2):
        writer = SqliteEventLog(old)
        assert writer.load_snapshot() == (20, b"twenty")
        assert writer.verify() == writer.head()
        writer.append([entry(writer.head() + 1)], 8)
        writer.close()
    assert version_of(old) == sqlite_schema.VERSION
    reader = SqliteEventLog(old, read_only=True)
    assert reader.load_snapshot() == (20, b"twenty")
    assert reader.verify() == 22
    reader.close()


def test_a_damaged_snapshot_is_not_taken_along(old: Path) -> None:
    db = apsw.Connection(str(old))
    db.execute("UPDATE snapshots SET state = 'other' WHERE position = 20")
    db.execute("UPDATE snapshots SET state = CAST('ten' AS TEXT) WHERE position = 10")
    db.close()
    writer = SqliteEventLog(old)
    assert writer.load_snapshot() is None
    assert writer.verify() == 20
    writer.close()


def test_a_snapshot_of_one_owner_is_not_taken_for_anothers(tmp_path: Path) -> None:
    log = SqliteEventLog(tmp_path / "events.sqlite")
    log.append([entry(1)], 7)
    log.save_snapshot(1, b"state", owner="aria")
    db = apsw.Connection(str(log.path))
    db.execute("UPDATE snapshots SET owner = 'venue'")
    db.close()
    assert log.load_snapshot("venue") is None
    log.close()


def test_a_log_of_a_newer_version_is_refused(old: Path) -> None:
    SqliteEventLog(old).close()
    db = apsw.Connection(str(old))
    db.execute(f"PRAGMA user_version = {sqlite_schema.VERSION + 1}")
    db.close()
    for read_only in (True, False):
        with pytest.raises(CorruptLog) as caught:
            SqliteEventLog(old, read_only=read_only)
        assert caught.value.code == "TMT-L003"


def test_a_reading_of_some_types_gathers_nothing_to_be_sorted(tmp_path: Path) -> None:
    log = SqliteEventLog(tmp_path / "events.sqlite")
    asked: list[str] = []

    def note(_: object, sql: str, __: object) -> bool:
        asked.append(sql)
        return True

    log._db.exec_trace = note
    list(log.read(types=("A", "B", "C")))
    log._db.exec_trace = None
    plan = [str(row[3]) for row in log._db.execute(f"EXPLAIN QUERY PLAN {asked[0]}", (0, 9, "A") * 3)]
    assert not any("TEMP B-TREE" in step for step in plan)
    assert sum("events_by_type" in step for step in plan) == 3
    log.close()


@pytest.mark.parametrize(
    "asked",
    [
        lambda log: list(log.read()),
        lambda log: log.at(3),
        lambda log: log.find(f"{3:032x}"),
        lambda log: log.correlated(f"{0:032x}"),
    ],
)
def test_a_body_that_was_turned_into_text_is_a_corrupt_log(
    old: Path, asked: Callable[[SqliteEventLog], object]
) -> None:
    meddler = apsw.Connection(str(old))
    meddler.execute("UPDATE events SET body = CAST(body AS TEXT) WHERE position = 3")
    meddler.close()
    log = SqliteEventLog(old, read_only=True)
    with pytest.raises(CorruptLog, match="event 3 is not what was written") as caught:
        asked(log)
    assert caught.value.code == "TMT-L006"
    log.close()
