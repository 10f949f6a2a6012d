"""The event log: the truth."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple, Protocol


class Entry(NamedTuple):
    """One message to append: its identifiers beside its canonical bytes, so that a store need not decode it."""

    message_id: str
    correlation_id: str
    type: str
    occurred_at_ns: int
    body: bytes


class Recorded(NamedTuple):
    """One message as the log holds it. `position` counts from 1 without gaps."""

    position: int
    recorded_at_ns: int
    message_id: str
    correlation_id: str
    type: str
    occurred_at_ns: int
    body: bytes


class EventLog(Protocol):
    """Messages in one order, for ever.

    `append` stores all of its entries or none, and is durable when it returns: a power cut after it loses nothing.
    A message id that is stored already, or comes twice, is refused with CorruptLog and nothing is stored.
    Positions are dense, and nobody sees one before all lower ones. Each entry's chain hash covers the entry and the
    chain before it. There is one writer: a second is refused, or it fences the first.
    """

    def append(self, entries: Iterable[Entry], recorded_at_ns: int) -> int:
        """Append in order; return the position of the last.

        Raises:
            CorruptLog: when a message is stored already.
            Fenced: when another writer has taken over; nothing was stored, then or later.
            StoreUnavailable: when the store cannot write; nothing was stored.
            OutcomeUnknown: when the store was lost on the way; appending the same entries again tells.
        """

    def head(self) -> int:
        """Position of the newest entry; 0 when empty."""

    def head_proof(self) -> tuple[int, str]:
        """Position and chain hash (64 hexadecimal digits) of the newest entry, to be kept where the log is not."""

    def read(self, after: int = 0, types: tuple[str, ...] = (), until: int | None = None) -> Iterator[Recorded]:
        """Entries with `after` < position ≤ `until`, in order; only of `types` when given.

        Holds a bounded number of entries, however many there are, and nothing that an append would wait for.
        """

    def at(self, position: int) -> Recorded | None:
        """The entry at a position, or None."""

    def contains(self, message_id: str) -> bool:
        """Whether a message is stored."""

    def find(self, id_prefix: str, limit: int = 10) -> list[Recorded]:
        """Entries whose message id begins with `id_prefix`."""

    def correlated(self, correlation_id: str) -> list[Recorded]:
        """All entries with this correlation id, in order."""

    def verify(self, after: int = 0) -> int:
        """Recompute the hash chain after a position; return how many entries were checked.

        Raises:
            CorruptLog: at the first entry that is not what was written, or when acknowledged entries are missing.
        """

    def save_snapshot(self, position: int, state: bytes, owner: str = "desk") -> None:
        """Keep `state`, the owner's fold of everything up to `position`; the owner's older snapshots may go."""

    def load_snapshot(self, owner: str = "desk") -> tuple[int, bytes] | None:
        """The owner's newest intact snapshot, or None."""

    def close(self) -> None:
        """Release the store. Closing twice is allowed."""
