"""The event log on PostgreSQL: one writer, fenced by an epoch; one statement an append.

The row `head` holds the newest position, its chain and the writer's epoch. An append is one statement that moves the
head only from where the writer left it and only under the writer's own epoch, and inserts what follows from it; so
positions become visible in order, and a writer that was overtaken stores nothing.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

import psycopg
from psycopg import errors
from psycopg.rows import TupleRow

from tmt.adapters.clock.patience import Patience
from tmt.adapters.event_log import chain
from tmt.adapters.postgres.database import Connection, Database, first_line
from tmt.errors import (
    CorruptLog,
    CorruptMessage,
    Fenced,
    OutcomeUnknown,
    StoreUnavailable,
    TmtError,
)
from tmt.ports.event_log import Entry, Recorded

_COLUMNS: Final = "position, recorded_at_ns, message_id, correlation_id, type, occurred_at_ns, body"
_OPEN: Final = "UPDATE head SET epoch = epoch + 1, writer = %s RETURNING epoch, position, chain"
_RENEW: Final = "UPDATE head SET epoch = epoch + 1 WHERE writer = %s RETURNING epoch, position, chain"
_APPEND: Final = """
WITH moved AS (
    UPDATE head SET position = %b, chain = %b WHERE epoch = %b AND writer = %b AND position = %b RETURNING 1
)
INSERT INTO events
SELECT added.* FROM moved CROSS JOIN unnest(
    %b::bigint[], %b::bigint[], %b::text[], %b::text[], %b::text[], %b::bigint[], %b::bytea[], %b::bytea[]
) AS added
"""
_SPAN: Final = "SELECT position FROM events WHERE position > %(after)b AND position <= %(last)b"
_NEXT: Final = "ORDER BY position LIMIT %(rows)b"
# A page ends after the entry with which it passes so many bytes; the lengths are known without reading the bodies.
_PAGE: Final = """
SELECT {columns} FROM (
    SELECT *, sum(octet_length(body)) OVER (ORDER BY position) - octet_length(body) AS bytes_before
    FROM events WHERE position = ANY (ARRAY(SELECT position FROM ({chosen}) AS chosen {next}))
) AS page WHERE bytes_before < %(bytes)b ORDER BY position
"""
_PAGE_ROWS: Final = 1000
_PAGE_BYTES: Final = 4_000_000
_SNAPSHOTS_KEPT: Final = 2


class _Unconfirmed(NamedTuple):
    """An append that was begun and is not known to have ended."""

    entries: list[Entry]
    position: int
    chain: bytes


class PostgresEventLog:
    """See `ports.event_log.EventLog`. Opening another one for writing fences this one.

    Args:
        database: migrated; stays the caller's, to be closed after the log.
        writer: whether to append; takes the next epoch.
        source: who writes, for people who read the table `writers`.
        patience_seconds: how long an append goes on trying while the server is down.

    Attributes:
        epoch: grows with every opening for writing, and when a writer finds its server again; 0 for a reader.

    Raises:
        StoreUnavailable: when the server is not reached, may lose what it acknowledges, or has another schema.
    """

    def __init__(self, database: Database, *, writer: bool, source: str, patience_seconds: float = 30.0) -> None:
        self.epoch = 0
        self._database = database
        self._source = source
        self._patience_seconds = patience_seconds
        self._name = secrets.token_hex(16) if writer else ""
        self._connection: Connection | None = None
        self._position, self._chain = 0, chain.GENESIS
        self._unconfirmed: _Unconfirmed | None = None
        self._stored_unasked: list[Entry] = []
        database.require_current()
        if writer:
            database.check_settings()
            self._position, self._chain = self._take_epoch(_OPEN)

    def append(self, entries: Iterable[Entry], recorded_at_ns: int) -> int:
        """Append in order; durable when it returns.

        Raises:
            CorruptLog: when a message is stored already; nothing was stored.
            Fenced: when another log has been opened for writing since; nothing was stored.
            StoreUnavailable: when the server is not back in time, or refuses; nothing was stored.
            OutcomeUnknown: when the server was lost on the way; appending the same entries again tells.
        """
        if not self._name:
            raise StoreUnavailable("TMT-L002", "this event log is not open for writing", where=self._database.where)
        given = left = list(entries)
        patience = Patience(self._patience_seconds)
        try:
            while True:
                try:
                    connection = self._sound_connection()
                    left = self._without_what_is_stored(left)
                    if left:
                        self._store(connection, left, recorded_at_ns)
                    return self._position
                except StoreUnavailable as error:
                    if self._connection is not None:
                        raise
                    if patience.wait():
                        continue
                    if self._unconfirmed is None:
                        raise
                    raise self._unknown(self._unconfirmed) from error
        except BaseException:
            self._stored_unasked = given[: len(given) - len(left)] or self._stored_unasked
            raise

    def _without_what_is_stored(self, entries: list[Entry]) -> list[Entry]:
        if not entries:
            return entries
        stored, self._stored_unasked = self._stored_unasked, []
        return entries[len(stored) :] if entries[: len(stored)] == stored else entries

    def _unknown(self, begun: _Unconfirmed) -> OutcomeUnknown:
        what = f"the server was lost while {len(begun.entries)} events were written"
        return OutcomeUnknown("TMT-L012", what, where=self._database.where, fix="append them again")

    def _sound_connection(self) -> Connection:
        if self._connection is not None and self._unconfirmed is None and not self._connection.closed:
            return self._connection
        self._drop_connection()
        position, head_chain = self._take_epoch(_RENEW)  # from here on, what was sent under the former epoch is void
        assert self._connection is not None
        began, self._unconfirmed = self._unconfirmed, None
        if began is not None and (position, head_chain) == (began.position, began.chain):
            self._position, self._chain = position, head_chain
            self._stored_unasked = self._stored_unasked + began.entries
        if (position, head_chain) != (self._position, self._chain):
            what = f"the log ends at {position}, but its only writer left it at {self._position}"
            raise CorruptLog("TMT-L006", what, where=self._database.where)
        return self._connection

    def _take_epoch(self, claim: str) -> tuple[int, bytes]:
        connection = self._database.connect()
        try:
            connection.execute("SET plan_cache_mode = force_generic_plan")  # an append is planned once, not every time
            with connection.transaction():
                row = connection.execute(claim, (self._name,)).fetchone()
                if row is None:
                    raise self._fenced()
                epoch, position, head_chain = row
                opened = (epoch, self._name, self._source)
                connection.execute("INSERT INTO writers (epoch, writer, source) VALUES (%s, %s, %s)", opened)
        except (psycopg.OperationalError, psycopg.InterfaceError) as error:
            connection.close()
            raise self._database.unavailable("open the event log on", error) from error
        except BaseException:
            connection.close()
            raise
        self.epoch, self._connection = epoch, connection
        return position, head_chain

    def _store(self, connection: Connection, entries: list[Entry], recorded_at_ns: int) -> None:
        rows = chain.linked(self._position, self._chain, recorded_at_ns, entries)
        position, head_chain = rows[-1][0], rows[-1][-1]
        moved = (position, head_chain, self.epoch, self._name, self._position)
        columns = [list(column) for column in zip(*rows, strict=True)]
        self._unconfirmed = _Unconfirmed(entries, position, head_chain)
        try:
            stored = connection.execute(_APPEND, (*moved, *columns)).rowcount
        except psycopg.Error as error:
            if connection.closed:
                self._drop_connection()
            else:
                self._unconfirmed = None
            raise self._refusal(error) from error
        self._unconfirmed = None
        if stored != len(rows):
            self._drop_connection()
            self._sound_connection()  # raises, unless the epoch was still ours and the head where we left it
            raise AssertionError("an append under the right epoch at the right position stored nothing")
        self._position, self._chain = position, head_chain

    def _refusal(self, error: psycopg.Error) -> TmtError:
        where = self._database.where
        match error:
            case errors.UniqueViolation():
                return CorruptLog("TMT-L007", f"a message is in the log already: {first_line(error)}", where=where)
            case psycopg.DataError():
                return CorruptMessage("TMT-M001", f"a message cannot be stored: {first_line(error)}")
            case _:
                return self._database.unavailable("append to the event log on", error)

    def _drop_connection(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _fenced(self) -> Fenced:
        what = "another desk has opened this event log for writing"
        return Fenced("TMT-L011", what, where=self._database.where, fix="stop this desk")

    def head(self) -> int:
        """Position of the newest entry; 0 when empty."""
        return self._head()[0]

    def head_proof(self) -> tuple[int, str]:
        """Position and chain hash, in hexadecimal, of the newest entry."""
        position, head_chain = self._head()
        return position, head_chain.hex()

    def _head(self) -> tuple[int, bytes]:
        position, head_chain = self._rows("SELECT position, chain FROM head")[0]
        return position, head_chain

    def _rows(self, query: str, values: Sequence[int | str] | dict[str, int | str] = ()) -> list[TupleRow]:
        def fetch(connection: Connection) -> list[TupleRow]:
            return connection.execute(query, values, binary=True).fetchall()

        return self._database.retrying(fetch)

    def read(self, after: int = 0, types: tuple[str, ...] = (), until: int | None = None) -> Iterator[Recorded]:
        """Entries with `after` < position ≤ `until`, in order; only of `types` when given."""
        last = self.head() if until is None else until
        for row in self._pages(_COLUMNS, after, last, types):
            yield Recorded(*row)

    def _pages(self, columns: str, after: int, last: int, types: tuple[str, ...] = ()) -> Iterator[TupleRow]:
        # One index scan a type, each no longer than a page, so that no plan can gather more.
        each = [f"({_SPAN} AND type = %(type{number})b {_NEXT})" for number in range(len(types))]
        chosen = " UNION ALL ".join(each) or f"({_SPAN} {_NEXT})"
        query = _PAGE.format(columns=columns, chosen=chosen, next=_NEXT)
        values = {f"type{number}": kind for number, kind in enumerate(types)}
        while after < last:
            page = self._rows(query, {**values, "after": after, "last": last, "rows": _PAGE_ROWS, "bytes": _PAGE_BYTES})
            yield from page
            after = page[-1][0] if page else last

    def at(self, position: int) -> Recorded | None:
        """The entry at a position, or None."""
        rows = self._rows(f"SELECT {_COLUMNS} FROM events WHERE position = %s", (position,))  # noqa: S608
        return Recorded(*rows[0]) if rows else None

    def contains(self, message_id: str) -> bool:
        """Whether a message is stored."""
        return bool(self._rows("SELECT 1 FROM events WHERE message_id = %s", (message_id,)))

    def find(self, id_prefix: str, limit: int = 10) -> list[Recorded]:
        """Entries whose message id begins with `id_prefix`."""
        query = f"SELECT {_COLUMNS} FROM events WHERE message_id >= %s AND message_id < %s ORDER BY position LIMIT %s"  # noqa: S608
        return [Recorded(*row) for row in self._rows(query, (id_prefix, id_prefix + "~", limit))]

    def correlated(self, correlation_id: str) -> list[Recorded]:
        """All entries with this correlation id, in order."""
        query = f"SELECT {_COLUMNS} FROM events WHERE correlation_id = %s ORDER BY position"  # noqa: S608
        return [Recorded(*row) for row in self._rows(query, (correlation_id,))]

    def verify(self, after: int = 0) -> int:
        """Recompute the hash chain after a position; return how many entries were checked."""
        last, head_chain = self._head()
        self._refuse_unless(last >= self._position, "TMT-L005", f"the event log ends at {last}, but held more")
        before = self._chain_at(after) if after else chain.GENESIS
        expected = after
        for *row, stored in self._pages(f"{_COLUMNS}, chain", after, last):
            expected += 1
            sound = chain.fits(Recorded(*row), expected, before, stored)
            self._refuse_unless(sound, "TMT-L006", f"event {expected} is not what was written")
            before = stored
        self._refuse_unless(expected == last, "TMT-L005", f"the event log ends at {expected}, but held {last}")
        newest, noted = self._rows("SELECT (SELECT max(position) FROM events), (SELECT position FROM head)")[0]
        sound = before == head_chain and (newest or 0) == noted
        self._refuse_unless(sound, "TMT-L006", f"the log's end, {noted}, is not what was noted")
        return expected - after

    def _chain_at(self, position: int) -> bytes:
        rows = self._rows("SELECT chain FROM events WHERE position = %s", (position,))
        self._refuse_unless(bool(rows), "TMT-L006", f"event {position} is missing")
        return bytes(rows[0][0])

    def _refuse_unless(self, sound: bool, code: str, what: str) -> None:
        if not sound:
            raise CorruptLog(code, what, where=self._database.where, fix="restore the database from a backup")

    def save_snapshot(self, position: int, state: bytes, owner: str = "desk") -> None:
        """Keep `state`, the owner's fold of everything up to `position`."""
        row = (owner, position, state, chain.snapshot_digest(owner, position, state))
        with self._database.transaction() as connection:
            connection.execute(
                "INSERT INTO snapshots VALUES (%s, %s, %b, %b)"
                " ON CONFLICT (owner, position) DO UPDATE SET state = excluded.state, digest = excluded.digest",
                row,
            )
            connection.execute(
                "DELETE FROM snapshots WHERE owner = %s AND position NOT IN"
                " (SELECT position FROM snapshots WHERE owner = %s ORDER BY position DESC LIMIT %s)",
                (owner, owner, _SNAPSHOTS_KEPT),
            )

    def load_snapshot(self, owner: str = "desk") -> tuple[int, bytes] | None:
        """The owner's newest intact snapshot, or None."""
        head = self.head()
        query = "SELECT position, state, digest FROM snapshots WHERE owner = %s ORDER BY position DESC"
        for position, state, digest in self._rows(query, (owner,)):
            if position <= head and chain.snapshot_digest(owner, position, state) == digest:
                return position, state
        return None

    def close(self) -> None:
        """Release the writer's connection. Closing twice is allowed."""
        self._name = ""
        self._drop_connection()
