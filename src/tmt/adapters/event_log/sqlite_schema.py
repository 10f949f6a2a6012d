"""The tables of an event log on SQLite, and how those of an older version become today's."""

from __future__ import annotations

from hashlib import blake2b
from typing import Final

import apsw

from tmt.adapters.event_log import chain

VERSION: Final = 2
_FIRST: Final = """
CREATE TABLE events (
    position INTEGER PRIMARY KEY,
    recorded_at_ns INTEGER NOT NULL,
    message_id TEXT NOT NULL UNIQUE,
    correlation_id TEXT NOT NULL,
    type TEXT NOT NULL,
    occurred_at_ns INTEGER NOT NULL,
    body BLOB NOT NULL,
    chain BLOB NOT NULL
);
CREATE INDEX events_by_correlation ON events (correlation_id, position);
CREATE TABLE snapshots (
    position INTEGER PRIMARY KEY,
    state BLOB NOT NULL,
    digest BLOB NOT NULL
);
"""
_SECOND: Final = """
CREATE INDEX events_by_type ON events (type, position);
ALTER TABLE snapshots RENAME TO snapshots_of_the_desk;
CREATE TABLE snapshots (
    owner TEXT NOT NULL,
    position INTEGER NOT NULL,
    state BLOB NOT NULL,
    digest BLOB NOT NULL,
    PRIMARY KEY (owner, position)
);
"""


def version(db: apsw.Connection) -> int | None:
    """Version of the log's tables: 0 of a new file, None when they are another program's or a newer version's."""
    found = int(next(db.execute("PRAGMA user_version"))[0])
    tables = {name for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    ours = "events" in tables if found else not tables
    return found if ours and 0 <= found <= VERSION else None


def migrate(db: apsw.Connection) -> None:
    """Bring the tables up to today's version; all of it or nothing."""
    with db:
        found = version(db)
        if found == 0:
            db.execute(_FIRST)
        if found in (0, 1):
            db.execute(_SECOND)
            _keep_snapshots(db)
            db.execute(f"PRAGMA user_version={VERSION}")


def _keep_snapshots(db: apsw.Connection) -> None:
    for position, state, digest in db.execute("SELECT position, state, digest FROM snapshots_of_the_desk"):
        intact = isinstance(state, bytes) and blake2b(b"%d\x1f" % position + state, digest_size=32).digest() == digest
        if intact:
            row = ("desk", position, state, chain.snapshot_digest("desk", position, state))
            db.execute("INSERT INTO snapshots VALUES (?, ?, ?, ?)", row)
    db.execute("DROP TABLE snapshots_of_the_desk")
