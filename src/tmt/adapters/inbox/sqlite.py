"""The inbox on SQLite: any number of processes put, the desk takes. Full synchronous, like the event log."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import apsw

from tmt import messages as m
from tmt.errors import StoreUnavailable
from tmt.ports.inbox import PENDING_MAX, Waiting

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS commands (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    message_id TEXT NOT NULL UNIQUE,
    body BLOB NOT NULL,
    done INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS commands_waiting ON commands (position) WHERE done = 0;
"""


class SqliteInbox:
    """See `ports.inbox.Inbox`.

    Args:
        path: the database file; its folder must exist.

    Raises:
        StoreUnavailable: when the file cannot be opened, read or written, then and later.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._db = apsw.Connection(str(path))
            self._db.setbusytimeout(5000)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            with self._db:
                self._db.execute(_SCHEMA)
        except apsw.Error as error:
            raise self._unavailable("open", error) from error

    def put(self, message: m.Message) -> None:
        """Leave a command; durable when it returns."""
        row = (message.message_id, m.encode(message))
        try:
            with self._db:
                self._db.execute("INSERT OR IGNORE INTO commands (message_id, body) VALUES (?, ?)", row)
        except apsw.Error as error:
            raise self._unavailable("write", error) from error

    def pending(self) -> list[Waiting]:
        """Commands not yet done, oldest first, at most `PENDING_MAX`."""
        query = "SELECT message_id, body FROM commands WHERE done = 0 ORDER BY position LIMIT ?"
        try:
            return [Waiting(*row) for row in self._db.execute(query, (PENDING_MAX,))]
        except apsw.Error as error:
            raise self._unavailable("read", error) from error

    def done(self, message_id: str) -> None:
        """The command is in the desk's log: do not show it again."""
        try:
            with self._db:
                self._db.execute("UPDATE commands SET done = 1 WHERE message_id = ?", (message_id,))
        except apsw.Error as error:
            raise self._unavailable("write", error) from error

    def close(self) -> None:
        """Release the store. Closing twice is allowed."""
        self._db.close()

    def _unavailable(self, verb: str, error: apsw.Error) -> StoreUnavailable:
        return StoreUnavailable("TMT-N001", f"cannot {verb} the inbox: {error}", where=str(self.path))
