"""The inbox on PostgreSQL: any number of processes on any number of machines put, the desk takes."""

from __future__ import annotations

from typing import Final

from tmt import messages as m
from tmt.adapters.postgres.database import Database
from tmt.ports.inbox import PENDING_MAX, Waiting

_PUT: Final = "INSERT INTO commands (message_id, body) VALUES (%s, %s) ON CONFLICT (message_id) DO NOTHING"
_PENDING: Final = "SELECT message_id, body FROM commands WHERE NOT done ORDER BY number LIMIT %s"
_DONE: Final = "UPDATE commands SET done = true WHERE message_id = %s AND NOT done"


class PostgresInbox:
    """See `ports.inbox.Inbox`. Everything it does may be done twice, so it is tried again while the server is down.

    A number is given before its command is visible, so a command may appear before one that was put earlier by
    another process; none is passed over, since `pending` always begins with the oldest.

    Args:
        database: migrated; stays the caller's, to be closed after the inbox.

    Raises:
        StoreUnavailable: when the server is not reached, or has another schema; later, when it is not back in time.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        database.require_current()

    def put(self, message: m.Message) -> None:
        """Leave a command; durable when it returns."""
        row = (message.message_id, m.encode(message))
        self._database.retrying(lambda connection: connection.execute(_PUT, row))

    def pending(self) -> list[Waiting]:
        """Commands not yet done, oldest first, at most `PENDING_MAX`."""
        rows = self._database.retrying(
            lambda connection: connection.execute(_PENDING, (PENDING_MAX,), binary=True).fetchall()
        )
        return [Waiting(*row) for row in rows]

    def done(self, message_id: str) -> None:
        """The command is in the desk's log: do not show it again."""
        self._database.retrying(lambda connection: connection.execute(_DONE, (message_id,)))

    def close(self) -> None:
        """Nothing of its own to release. Closing twice is allowed."""
