"""The audit trail: who did what, how, to what, with what outcome; each entry bound to all before it."""

from __future__ import annotations

import hmac
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from hashlib import blake2b
from typing import Final, NamedTuple

import msgspec

from tmt.access.secret import Secret
from tmt.errors import CorruptLog
from tmt.ports.access_store import AccessStore, AuditEntry, Records
from tmt.ports.clock import Clock

TOPIC: Final = "audit"
DETAIL_BYTES_MAX: Final = 8 * 1024
_TEXT_LENGTH_MAX: Final = 200
_GENESIS: Final = bytes(32)
_PAGE: Final = 500
_BATCH_MAX: Final = 256

Detail = Mapping[str, str | int | bool | None]


class Head(NamedTuple):
    """The newest entry. Written down elsewhere, it shows later that no end was cut off."""

    position: int
    chain: bytes


class _Waiting(NamedTuple):
    draft: AuditEntry
    position: Future[int]


class Audit:
    """Appends to the trail, and proves it.

    The chain is keyed: without the desk's secret nobody makes an entry that fits.
    """

    def __init__(self, store: AccessStore, clock: Clock, secret: Secret) -> None:
        self._store = store
        self._clock = clock
        self._key = secret.derive("audit chain")
        self._waiting: list[_Waiting] = []
        self._waiting_lock = threading.Lock()
        self._turn = threading.Lock()

    def append(
        self, person: str, method: str, action: str, subject: str, outcome: str, detail: Detail | None = None
    ) -> int:
        """Append an entry, durable when it returns; its position.

        What several threads append at a time is stored in one transaction.

        Args:
            person: a person's or service's name.
            method: how they proved it: "password", "api_key", "service", "command line".
            action: what, such as "log in" or "place order".
            subject: to what, such as a name or an order's id.
            outcome: "done", "refused" or "failed".
            detail: more; never a secret.
        """
        mine = _Waiting(_draft(person, method, action, subject, outcome, detail), Future())
        with self._waiting_lock:
            self._waiting.append(mine)
        with self._turn:
            while not mine.position.done():
                self._store_waiting()
        return mine.position.result()

    def _store_waiting(self) -> None:
        with self._waiting_lock:
            batch, self._waiting = self._waiting[:_BATCH_MAX], self._waiting[_BATCH_MAX:]
        try:
            with self._store.changing(TOPIC) as records:
                last = self._append_all(records, [each.draft for each in batch])
        except BaseException as error:
            for each in batch:
                each.position.set_exception(error)
            if not isinstance(error, Exception):
                raise
            return
        for position, each in enumerate(batch, last - len(batch) + 1):
            each.position.set_result(position)

    def append_to(
        self,
        records: Records,
        person: str,
        method: str,
        action: str,
        subject: str,
        outcome: str,
        detail: Detail | None = None,
    ) -> int:
        """Append within a transaction that has TOPIC among its topics; as `append`."""
        return self._append_all(records, [_draft(person, method, action, subject, outcome, detail)])

    def _append_all(self, records: Records, drafts: list[AuditEntry]) -> int:
        """Append in order; the position of the last."""
        newest = records.select(AuditEntry, limit=1, newest_first=True)
        position, chain, time_ns = (
            (newest[0].position, newest[0].chain, newest[0].time_ns) if newest else (0, _GENESIS, 0)
        )
        for draft in drafts:
            position, time_ns = position + 1, max(self._clock.now_ns(), time_ns)
            entry = msgspec.structs.replace(draft, position=position, time_ns=time_ns)
            chain = self._link(chain, entry)
            records.put(msgspec.structs.replace(entry, chain=chain))
        return position

    def read(self, after: int = 0, limit: int = 100) -> list[AuditEntry]:
        """A page of at most 500 entries, oldest first, from the one next to `after` on."""
        with self._store.reading() as records:
            return records.select(AuditEntry, after=after, limit=min(max(limit, 1), _PAGE))

    def newest(self, before: int | None = None, limit: int = 100) -> list[AuditEntry]:
        """A page of at most 500 entries, newest first, below position `before`."""
        with self._store.reading() as records:
            return records.select(AuditEntry, after=before, limit=min(max(limit, 1), _PAGE), newest_first=True)

    def head(self) -> Head:
        """The newest entry's position and chain."""
        newest = self.newest(limit=1)
        return Head(newest[0].position, newest[0].chain) if newest else Head(0, _GENESIS)

    def verify(self, known: Head | None = None) -> Head:
        """Recompute the whole chain; the head it ends with.

        Args:
            known: a head written down before, which must still be in the trail.

        Raises:
            CorruptLog: TMT-A018, at the first entry that is not what was written.
        """
        chain, position = _GENESIS, 0
        for entry in self._all():
            position += 1
            chain = self._link(chain, entry)
            if entry.position != position or not hmac.compare_digest(chain, entry.chain):
                raise _broken(f"audit entry {position} is not what was written")
            if known is not None and position == known.position and not hmac.compare_digest(chain, known.chain):
                raise _broken(f"audit entry {position} is not the one that was written down")
        if known is not None and known.position > position:
            raise _broken(f"the audit trail ends at {position}, but {known.position} was written down")
        return Head(position, chain)

    def export(self, after: int = 0) -> Iterator[bytes]:
        """The trail as JSON, a line an entry; the chain in hexadecimal."""
        for entry in self._all(after):
            line = {
                **msgspec.structs.asdict(entry),
                "chain": entry.chain.hex(),
                "detail": msgspec.Raw(entry.detail.encode()),
            }
            yield msgspec.json.encode(line) + b"\n"

    def _all(self, after: int = 0) -> Iterator[AuditEntry]:
        while page := self.read(after, _PAGE):
            yield from page
            after = page[-1].position

    def _link(self, chain: bytes, entry: AuditEntry) -> bytes:
        # Canonical JSON of the fields, so that no two entries have the same bytes.
        fields = msgspec.structs.astuple(entry)[:-1]
        return blake2b(chain + msgspec.json.encode(fields), key=self._key, digest_size=32).digest()


def _draft(person: str, method: str, action: str, subject: str, outcome: str, detail: Detail | None) -> AuditEntry:
    """An entry that has no place and no time yet."""
    body = msgspec.json.encode(dict(detail or {}), order="sorted")
    if len(body) > DETAIL_BYTES_MAX:
        raise ValueError(f"detail must have at most {DETAIL_BYTES_MAX} bytes, has {len(body)}")
    return AuditEntry(
        position=0,
        time_ns=0,
        person=person[:_TEXT_LENGTH_MAX],
        method=method[:_TEXT_LENGTH_MAX],
        action=action[:_TEXT_LENGTH_MAX],
        subject=subject[:_TEXT_LENGTH_MAX],
        outcome=outcome[:_TEXT_LENGTH_MAX],
        detail=body.decode(),
        chain=b"",
    )


def _broken(what: str) -> CorruptLog:
    return CorruptLog("TMT-A018", what, fix="keep the store as it is, and find out who could write it")
