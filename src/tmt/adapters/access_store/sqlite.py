"""The access store on SQLite: write-ahead log, full synchronous, any number of processes."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import apsw

from tmt.adapters.access_store.records import SqlRecords
from tmt.errors import StoreUnavailable
from tmt.ports.access_store import Value

_SCHEMA_VERSION: Final = 1
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS users (
    name TEXT PRIMARY KEY,
    role TEXT NOT NULL,
    accounts TEXT NOT NULL,
    password_hash TEXT NOT NULL,
    must_change_password INTEGER NOT NULL,
    disabled INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    totp_sealed BLOB NOT NULL,
    totp_confirmed INTEGER NOT NULL,
    totp_step INTEGER NOT NULL,
    created_at_ns INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS api_keys (
    key_id TEXT PRIMARY KEY,
    owner TEXT NOT NULL REFERENCES users (name),
    label TEXT NOT NULL,
    role TEXT NOT NULL,
    accounts TEXT NOT NULL,
    digest BLOB NOT NULL,
    generation INTEGER NOT NULL,
    created_at_ns INTEGER NOT NULL,
    expires_at_ns INTEGER NOT NULL,
    revoked_at_ns INTEGER,
    seen_ns INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS sessions (
    session_id TEXT PRIMARY KEY,
    person TEXT NOT NULL REFERENCES users (name),
    method TEXT NOT NULL,
    address TEXT NOT NULL,
    generation INTEGER NOT NULL,
    refreshes INTEGER NOT NULL,
    created_at_ns INTEGER NOT NULL,
    expires_at_ns INTEGER NOT NULL,
    revoked_at_ns INTEGER,
    seen_ns INTEGER NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS sessions_by_end ON sessions (expires_at_ns);
CREATE TABLE IF NOT EXISTS attempts (
    subject TEXT PRIMARY KEY,
    failures INTEGER NOT NULL,
    last_at_ns INTEGER NOT NULL,
    next_at_ns INTEGER NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS attempts_by_time ON attempts (last_at_ns);
CREATE TABLE IF NOT EXISTS answers (
    scope TEXT PRIMARY KEY,
    digest BLOB NOT NULL,
    status INTEGER,
    content_type TEXT NOT NULL,
    body BLOB NOT NULL,
    begun_at_ns INTEGER NOT NULL,
    lease_until_ns INTEGER NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS answers_by_time ON answers (begun_at_ns);
CREATE TABLE IF NOT EXISTS audit (
    position INTEGER PRIMARY KEY,
    time_ns INTEGER NOT NULL,
    person TEXT NOT NULL,
    method TEXT NOT NULL,
    action TEXT NOT NULL,
    subject TEXT NOT NULL,
    outcome TEXT NOT NULL,
    detail TEXT NOT NULL,
    chain BLOB NOT NULL
) STRICT;
CREATE TRIGGER IF NOT EXISTS audit_is_not_edited BEFORE UPDATE ON audit
BEGIN SELECT raise(ABORT, 'the audit trail is not edited'); END;
CREATE TRIGGER IF NOT EXISTS audit_is_not_cut BEFORE DELETE ON audit
BEGIN SELECT raise(ABORT, 'nothing is removed from the audit trail'); END;
"""
_BUSY_MS: Final = 5000


class SqliteAccessStore:
    """See `ports.access_store.AccessStore`.

    Args:
        path: the database file, made with mode 600 when it is missing; its folder must exist.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        # One connection writes and one reads, so that a reader never waits for a disk to sync.
        self._writing, self._reading = threading.Lock(), threading.Lock()
        with self._telling("open"):
            _make_private(path)
            self._writer = apsw.Connection(str(path))
            try:
                self._prepare()
                self._reader = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
                self._reader.setbusytimeout(_BUSY_MS)
            except BaseException:
                self._writer.close()
                raise

    def _prepare(self) -> None:
        self._writer.setbusytimeout(_BUSY_MS)
        self._writer.execute("PRAGMA journal_mode=WAL")
        self._writer.execute("PRAGMA synchronous=FULL")
        self._writer.execute("PRAGMA foreign_keys=ON")
        with self._exclusive():
            version = next(self._writer.execute("PRAGMA user_version"))[0]
            if version not in {0, _SCHEMA_VERSION}:
                raise StoreUnavailable(
                    "TMT-A016",
                    f"the access store has schema {version}, this program reads {_SCHEMA_VERSION}",
                    where=str(self.path),
                    fix="use the version of the program that wrote it",
                )
            self._writer.execute(_SCHEMA)
            self._writer.execute(f"PRAGMA user_version={_SCHEMA_VERSION}")

    @contextmanager
    def changing(self, *topics: str) -> Iterator[SqlRecords]:
        """One transaction, durable when it is left. SQLite has one writer, whatever the topics."""
        with self._writing, self._telling("write"), self._exclusive():
            yield SqlRecords(lambda query, values: _rows(self._writer, query, values))

    @contextmanager
    def reading(self) -> Iterator[SqlRecords]:
        """Committed records."""
        with self._reading, self._telling("read"):
            yield SqlRecords(lambda query, values: _rows(self._reader, query, values))

    def close(self) -> None:
        """Release the store. Closing twice is allowed."""
        with self._writing, self._reading:
            self._reader.close()
            self._writer.close()

    @contextmanager
    def _exclusive(self) -> Iterator[None]:
        self._writer.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._writer.execute("COMMIT")
        except BaseException:
            if self._writer.in_transaction:
                self._writer.execute("ROLLBACK")
            raise

    @contextmanager
    def _telling(self, verb: str) -> Iterator[None]:
        try:
            yield
        except (apsw.Error, OSError) as error:
            what = f"cannot {verb} the access store: {error}"
            fix = "check the disk and the permissions of its folder"
            raise StoreUnavailable("TMT-A016", what, where=str(self.path), fix=fix) from error


def _make_private(path: Path) -> None:
    # Only a new file is opened here: closing a file that SQLite has open elsewhere in the process drops its locks.
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))


def _rows(db: apsw.Connection, query: str, values: Sequence[Value]) -> list[tuple[Any, ...]]:
    return list(db.execute(query, tuple(values)))
