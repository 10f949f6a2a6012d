"""The event log on SQLite: write-ahead log, full synchronous, one writer, a hash chain over every row.

SQLite comes with apsw, because the system's may carry the WAL-reset corruption of versions 3.7.0 to 3.51.2.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final

import apsw

from tmt.errors import CorruptLog, StoreUnavailable
from tmt.ports.event_log import Entry, Recorded

_FIXED_VERSION: Final = (3, 51, 3)
_SCHEMA_VERSION: Final = 1
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS events (
    position INTEGER PRIMARY KEY,
    recorded_at_ns INTEGER NOT NULL,
    message_id TEXT NOT NULL UNIQUE,
    correlation_id TEXT NOT NULL,
    type TEXT NOT NULL,
    occurred_at_ns INTEGER NOT NULL,
    body BLOB NOT NULL,
    chain BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS events_by_correlation ON events (correlation_id, position);
CREATE TABLE IF NOT EXISTS snapshots (
    position INTEGER PRIMARY KEY,
    state BLOB NOT NULL,
    digest BLOB NOT NULL
);
"""
_COLUMNS: Final = "position, recorded_at_ns, message_id, correlation_id, type, occurred_at_ns, body"
_SNAPSHOTS_KEPT: Final = 2
_GENESIS: Final = bytes(32)


class SqliteEventLog:
    """See `ports.event_log.EventLog`.

    Args:
        path: the database file; its folder must exist. A file `<path>.head` beside it names the newest position
            acknowledged, so that a log cut short is noticed.
        read_only: for a reader beside the one writer.

    Raises:
        StoreUnavailable: when the file cannot be opened, or is being written by another process.
        CorruptLog: when the file is no event log, is damaged, or ends before what was acknowledged.
    """

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        self.path = path
        self._head_path = path.with_name(path.name + ".head")
        self._lock = None if read_only else _lock(path)
        try:
            self._db = self._open(path, read_only)
            acknowledged = self._acknowledged()  # before the newest entry: a writer may append in between
            self._position, self._chain = self._last()
            self._check_acknowledged(*acknowledged)
        except BaseException:
            self._release()
            raise

    def _open(self, path: Path, read_only: bool) -> apsw.Connection:
        _refuse_bad_sqlite()
        flags = apsw.SQLITE_OPEN_READONLY if read_only else apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE
        try:
            db = apsw.Connection(str(path), flags=flags)
            db.setbusytimeout(5000)
            version = next(db.execute("PRAGMA user_version"))[0]
            is_new = version == 0 and next(db.execute("SELECT count(*) FROM sqlite_schema"))[0] == 0
            if not read_only and (is_new or version == _SCHEMA_VERSION):
                db.execute("PRAGMA journal_mode=WAL")
                db.execute("PRAGMA synchronous=FULL")
                db.execute("PRAGMA wal_autocheckpoint=4000")
                with db:
                    db.execute(_SCHEMA)
                    db.execute(f"PRAGMA user_version={_SCHEMA_VERSION}")
                version = _SCHEMA_VERSION
        except (apsw.NotADBError, apsw.CorruptError) as error:
            raise CorruptLog(
                "TMT-L001", f"not an event log, or damaged: {error}", where=str(path), fix="restore it from a backup"
            ) from error
        except apsw.Error as error:
            raise StoreUnavailable("TMT-L002", f"cannot open the event log: {error}", where=str(path)) from error
        if version != _SCHEMA_VERSION:
            raise CorruptLog(
                "TMT-L003", f"event log has schema {version}, this program reads {_SCHEMA_VERSION}", where=str(path)
            )
        return db

    def _last(self) -> tuple[int, bytes]:
        rows = list(self._rows("SELECT position, chain FROM events ORDER BY position DESC LIMIT 1"))
        return rows[0] if rows else (0, _GENESIS)

    def _rows(self, query: str, *values: int | str) -> Iterator[tuple[Any, ...]]:
        try:
            yield from self._db.execute(query, values)
        except (apsw.Error, UnicodeDecodeError) as error:
            raise CorruptLog("TMT-L001", f"damaged event log: {error}", where=str(self.path)) from error

    def _acknowledged(self) -> tuple[int, str]:
        if not self._head_path.exists():
            return 0, ""
        text, _, chain = self._head_path.read_text(encoding="ascii", errors="replace").partition(" ")
        return (int(text), chain.strip()) if text.isdecimal() else (0, "")

    def _check_acknowledged(self, acknowledged: int, chain: str) -> None:
        if acknowledged > self._position:
            raise CorruptLog(
                "TMT-L005",
                f"the event log ends at {self._position}, but {acknowledged} was acknowledged",
                where=str(self.path),
                fix="restore the log from a backup, or start a new book with `tmt book new NAME`",
            )
        if acknowledged and self._chain_at(acknowledged).hex() != chain:
            raise CorruptLog(
                "TMT-L006", f"event {acknowledged} is not the one that was acknowledged", where=str(self.path)
            )

    def _chain_at(self, position: int) -> bytes:
        for (chain,) in self._rows("SELECT chain FROM events WHERE position = ?", position):
            if isinstance(chain, bytes):
                return chain
        raise CorruptLog("TMT-L006", f"event {position} is missing or damaged", where=str(self.path))

    def append(self, entries: Iterable[Entry], recorded_at_ns: int) -> int:
        """Append in order; durable when it returns."""
        position, chain = self._position, self._chain
        rows = []
        for entry in entries:
            position += 1
            chain = _link(chain, position, recorded_at_ns, entry)
            rows.append((position, recorded_at_ns, *entry, chain))
        try:
            with self._db:
                self._db.executemany("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)
        except apsw.ConstraintError as error:
            raise CorruptLog("TMT-L007", f"a message is in the log already: {error}", where=str(self.path)) from error
        except apsw.Error as error:
            raise StoreUnavailable("TMT-L002", f"cannot write the event log: {error}", where=str(self.path)) from error
        self._position, self._chain = position, chain
        self._note_head()
        return position

    def _note_head(self) -> None:
        pending = self._head_path.with_name(self._head_path.name + ".new")
        try:
            pending.write_text(f"{self._position} {self._chain.hex()}\n", encoding="ascii")
            pending.replace(self._head_path)
        except OSError as error:
            raise StoreUnavailable("TMT-L002", f"cannot note the log's end: {error}", where=str(pending)) from error

    def head(self) -> int:
        """Position of the newest entry; 0 when empty."""
        return self._last()[0]

    def read(self, after: int = 0, types: tuple[str, ...] = (), until: int | None = None) -> Iterator[Recorded]:
        """Entries with `after` < position ≤ `until`, in order; only of `types` when given."""
        last = 2**62 if until is None else until
        marks = ", ".join("?" * len(types))
        chosen = f"AND type IN ({marks})" if types else ""
        query = f"SELECT {_COLUMNS} FROM events WHERE position > ? AND position <= ? {chosen} ORDER BY position"  # noqa: S608
        for row in self._rows(query, after, last, *types):
            yield Recorded(*row)

    def contains(self, message_id: str) -> bool:
        """Whether a message is stored."""
        return any(self._rows("SELECT 1 FROM events WHERE message_id = ?", message_id))

    def find(self, id_prefix: str, limit: int = 10) -> list[Recorded]:
        """Entries whose message id begins with `id_prefix`."""
        query = f"SELECT {_COLUMNS} FROM events WHERE message_id >= ? AND message_id < ? ORDER BY position LIMIT ?"  # noqa: S608
        return [Recorded(*row) for row in self._rows(query, id_prefix, id_prefix + "~", limit)]

    def correlated(self, correlation_id: str) -> list[Recorded]:
        """All entries with this correlation id, in order."""
        query = f"SELECT {_COLUMNS} FROM events WHERE correlation_id = ? ORDER BY position"  # noqa: S608
        return [Recorded(*row) for row in self._rows(query, correlation_id)]

    def verify(self, after: int = 0) -> int:
        """Recompute the hash chain after a position; return how many entries were checked."""
        if after == 0:
            self._check_indexes()
        chain = self._chain_at(after) if after else _GENESIS
        expected = after
        query = f"SELECT {_COLUMNS}, chain FROM events WHERE position > ? ORDER BY position"  # noqa: S608
        for *row, stored in self._rows(query, after):
            event = Recorded(*row)
            expected += 1
            sound = event.position == expected and isinstance(event.body, bytes)
            if sound:
                chain = _link(chain, event.position, event.recorded_at_ns, Entry(*event[2:]))
            if not sound or chain != stored:
                raise CorruptLog(
                    "TMT-L006",
                    f"event {expected} is not what was written",
                    where=str(self.path),
                    fix="restore the log from a backup",
                )
        if expected < self._position:
            raise CorruptLog(
                "TMT-L005", f"the event log ends at {expected}, but held {self._position}", where=str(self.path)
            )
        return expected - after

    def _check_indexes(self) -> None:
        # The chain covers the rows alone; a damaged index would hide a message from `contains` and let it in twice.
        for (finding,) in self._rows("PRAGMA integrity_check(1)"):
            if finding != "ok":
                raise CorruptLog("TMT-L001", f"damaged event log: {finding}", where=str(self.path))

    def save_snapshot(self, position: int, state: bytes) -> None:
        """Keep `state`, the fold of everything up to `position`."""
        with self._db:
            row = (position, state, _digest(position, state))
            self._db.execute("INSERT OR REPLACE INTO snapshots VALUES (?, ?, ?)", row)
            self._db.execute(
                "DELETE FROM snapshots WHERE position NOT IN"
                " (SELECT position FROM snapshots ORDER BY position DESC LIMIT ?)",
                (_SNAPSHOTS_KEPT,),
            )

    def load_snapshot(self) -> tuple[int, bytes] | None:
        """The newest intact snapshot, or None."""
        rows = self._rows("SELECT position, state, digest FROM snapshots ORDER BY position DESC")
        for position, state, digest in rows:
            if position <= self._position and isinstance(state, bytes) and _digest(position, state) == digest:
                return position, state
        return None

    def close(self) -> None:
        """Release the store. Closing twice is allowed."""
        self._db.close()
        self._release()

    def _release(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def _link(chain: bytes, position: int, recorded_at_ns: int, entry: Entry) -> bytes:
    message_id, correlation_id, kind, occurred_at_ns, body = entry
    head = f"{position}\x1f{recorded_at_ns}\x1f{message_id}\x1f{correlation_id}\x1f{kind}\x1f{occurred_at_ns}\x1f"
    return blake2b(chain + head.encode() + body, digest_size=32).digest()


def _digest(position: int, state: bytes) -> bytes:
    return blake2b(b"%d\x1f" % position + state, digest_size=32).digest()


def _refuse_bad_sqlite() -> None:
    version = tuple(int(part) for part in apsw.sqlite_lib_version().split("."))
    if version < _FIXED_VERSION:
        raise StoreUnavailable(
            "TMT-L008",
            f"SQLite {apsw.sqlite_lib_version()} can corrupt a write-ahead log",
            fix="install apsw 3.51.3 or newer",
        )


def _lock(path: Path) -> int:
    try:
        handle = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StoreUnavailable("TMT-L002", f"cannot open the event log: {error}", where=str(path)) from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(handle)
        raise StoreUnavailable(
            "TMT-L009",
            "another desk is writing this book",
            where=str(path),
            fix="stop it, or choose another state folder with --state",
        ) from error
    return handle
