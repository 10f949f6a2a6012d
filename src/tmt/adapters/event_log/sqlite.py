"""The event log on SQLite: write-ahead log, full synchronous, one writer, a hash chain over every row.

SQLite comes with apsw, because the system's may carry the WAL-reset corruption of versions 3.7.0 to 3.51.2.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import apsw

from tmt.adapters.event_log import chain
from tmt.adapters.event_log import sqlite_schema as schema
from tmt.errors import CorruptLog, StoreUnavailable
from tmt.ports.event_log import Entry, Recorded

_FIXED_VERSION: Final = (3, 51, 3)
_COLUMNS: Final = "position, recorded_at_ns, message_id, correlation_id, type, occurred_at_ns, body"
_SNAPSHOTS_KEPT: Final = 2


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
            known = schema.version(db)
            if known is not None and not read_only:
                db.execute("PRAGMA journal_mode=WAL")
                db.execute("PRAGMA synchronous=FULL")
                db.execute("PRAGMA wal_autocheckpoint=4000")
                schema.migrate(db)
        except (apsw.NotADBError, apsw.CorruptError) as error:
            raise CorruptLog(
                "TMT-L001", f"not an event log, or damaged: {error}", where=str(path), fix="restore it from a backup"
            ) from error
        except apsw.Error as error:
            raise StoreUnavailable("TMT-L002", f"cannot open the event log: {error}", where=str(path)) from error
        if known is None or (known == 0 and read_only):
            what = f"no event log, or one of another version; this program reads versions 1 to {schema.VERSION}"
            raise CorruptLog("TMT-L003", what, where=str(path))
        self._has_owners = not read_only or known == schema.VERSION
        return db

    def _last(self) -> tuple[int, bytes]:
        rows = list(self._rows("SELECT position, chain FROM events ORDER BY position DESC LIMIT 1"))
        return rows[0] if rows else (0, chain.GENESIS)

    def _rows(self, query: str, *values: int | str) -> Iterator[tuple[Any, ...]]:
        try:
            yield from self._db.execute(query, values)
        except (apsw.Error, UnicodeDecodeError) as error:
            raise CorruptLog("TMT-L001", f"damaged event log: {error}", where=str(self.path)) from error

    def _recorded(self, query: str, *values: int | str) -> Iterator[Recorded]:
        for row in self._rows(query, *values):
            if not isinstance(row[-1], bytes):  # SQLite lets a column hold any type
                what = f"event {row[0]} is not what was written"
                raise CorruptLog("TMT-L006", what, where=str(self.path), fix="restore the log from a backup")
            yield Recorded(*row)

    def _acknowledged(self) -> tuple[int, str]:
        if not self._head_path.exists():
            return 0, ""
        text, _, chain = self._head_path.read_text(encoding="ascii", errors="replace").partition(" ")
        return (int(text), chain.strip()) if text.isdecimal() else (0, "")

    def _check_acknowledged(self, acknowledged: int, noted: str) -> None:
        if acknowledged > self._position:
            raise CorruptLog(
                "TMT-L005",
                f"the event log ends at {self._position}, but {acknowledged} was acknowledged",
                where=str(self.path),
                fix="restore the log from a backup, or start a new book with `tmt book new NAME`",
            )
        if acknowledged and self._chain_at(acknowledged).hex() != noted:
            raise CorruptLog(
                "TMT-L006", f"event {acknowledged} is not the one that was acknowledged", where=str(self.path)
            )

    def _chain_at(self, position: int) -> bytes:
        for (stored,) in self._rows("SELECT chain FROM events WHERE position = ?", position):
            if isinstance(stored, bytes):
                return stored
        raise CorruptLog("TMT-L006", f"event {position} is missing or damaged", where=str(self.path))

    def append(self, entries: Iterable[Entry], recorded_at_ns: int) -> int:
        """Append in order; durable when it returns."""
        rows = chain.linked(self._position, self._chain, recorded_at_ns, entries)
        try:
            with self._db:
                self._db.executemany("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)
        except apsw.ConstraintError as error:
            raise CorruptLog("TMT-L007", f"a message is in the log already: {error}", where=str(self.path)) from error
        except apsw.Error as error:
            raise StoreUnavailable("TMT-L002", f"cannot write the event log: {error}", where=str(self.path)) from error
        if rows:
            self._position, self._chain = rows[-1][0], rows[-1][-1]
        self._note_head()
        return self._position

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

    def head_proof(self) -> tuple[int, str]:
        """Position and chain hash, in hexadecimal, of the newest entry."""
        position, newest = self._last()
        return position, newest.hex()

    def read(self, after: int = 0, types: tuple[str, ...] = (), until: int | None = None) -> Iterator[Recorded]:
        """Entries with `after` < position ≤ `until`, in order; only of `types` when given."""
        span = (after, 2**62 if until is None else until)
        query = f"SELECT {_COLUMNS} FROM events WHERE position > ? AND position <= ?"  # noqa: S608
        values: tuple[int | str, ...] = span
        if types:  # merged from one index scan a type, so that nothing is gathered to be sorted
            query = " UNION ALL ".join([f"{query} AND type = ?"] * len(types))
            values = tuple(value for kind in types for value in (*span, kind))
        yield from self._recorded(f"{query} ORDER BY position", *values)

    def at(self, position: int) -> Recorded | None:
        """The entry at a position, or None."""
        query = f"SELECT {_COLUMNS} FROM events WHERE position = ?"  # noqa: S608
        return next(self._recorded(query, position), None)

    def contains(self, message_id: str) -> bool:
        """Whether a message is stored."""
        return any(self._rows("SELECT 1 FROM events WHERE message_id = ?", message_id))

    def find(self, id_prefix: str, limit: int = 10) -> list[Recorded]:
        """Entries whose message id begins with `id_prefix`."""
        query = f"SELECT {_COLUMNS} FROM events WHERE message_id >= ? AND message_id < ? ORDER BY position LIMIT ?"  # noqa: S608
        return list(self._recorded(query, id_prefix, id_prefix + "~", limit))

    def correlated(self, correlation_id: str) -> list[Recorded]:
        """All entries with this correlation id, in order."""
        query = f"SELECT {_COLUMNS} FROM events WHERE correlation_id = ? ORDER BY position"  # noqa: S608
        return list(self._recorded(query, correlation_id))

    def verify(self, after: int = 0) -> int:
        """Recompute the hash chain after a position; return how many entries were checked."""
        if after == 0:
            self._check_indexes()
        before = self._chain_at(after) if after else chain.GENESIS
        expected = after
        query = f"SELECT {_COLUMNS}, chain FROM events WHERE position > ? ORDER BY position"  # noqa: S608
        for *row, stored in self._rows(query, after):
            expected += 1
            if not chain.fits(Recorded(*row), expected, before, stored):
                raise CorruptLog(
                    "TMT-L006",
                    f"event {expected} is not what was written",
                    where=str(self.path),
                    fix="restore the log from a backup",
                )
            before = stored
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

    def save_snapshot(self, position: int, state: bytes, owner: str = "desk") -> None:
        """Keep `state`, the owner's fold of everything up to `position`."""
        row = (owner, position, state, chain.snapshot_digest(owner, position, state))
        try:
            with self._db:
                self._db.execute("INSERT OR REPLACE INTO snapshots VALUES (?, ?, ?, ?)", row)
                self._db.execute(
                    "DELETE FROM snapshots WHERE owner = ? AND position NOT IN"
                    " (SELECT position FROM snapshots WHERE owner = ? ORDER BY position DESC LIMIT ?)",
                    (owner, owner, _SNAPSHOTS_KEPT),
                )
        except apsw.Error as error:
            raise StoreUnavailable("TMT-L002", f"cannot write the event log: {error}", where=str(self.path)) from error

    def load_snapshot(self, owner: str = "desk") -> tuple[int, bytes] | None:
        """The owner's newest intact snapshot, or None; always None in a log of version 1 opened for reading."""
        if not self._has_owners:
            return None
        rows = self._rows("SELECT position, state, digest FROM snapshots WHERE owner = ? ORDER BY position DESC", owner)
        for position, state, digest in rows:
            intact = isinstance(state, bytes) and chain.snapshot_digest(owner, position, state) == digest
            if intact and position <= self._position:
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
