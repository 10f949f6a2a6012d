"""The hash chain, the same in every store: whoever changes an entry, or leaves one out, breaks it."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b
from typing import Final

from tmt.ports.event_log import Entry, Recorded

GENESIS: Final = bytes(32)
"""The chain before the first entry."""


def link(chain: bytes, position: int, recorded_at_ns: int, entry: Entry) -> bytes:
    """The chain hash of an entry at `position` after the chain so far."""
    message_id, correlation_id, kind, occurred_at_ns, body = entry
    head = f"{position}\x1f{recorded_at_ns}\x1f{message_id}\x1f{correlation_id}\x1f{kind}\x1f{occurred_at_ns}\x1f"
    return blake2b(chain + head.encode() + body, digest_size=32).digest()


def linked(
    position: int, chain: bytes, recorded_at_ns: int, entries: Iterable[Entry]
) -> list[tuple[int, int, str, str, str, int, bytes, bytes]]:
    """Rows that follow `position` and its chain: position, recorded_at_ns, the entry's five fields, chain."""
    rows = []
    for entry in entries:
        position += 1
        chain = link(chain, position, recorded_at_ns, entry)
        rows.append((position, recorded_at_ns, *entry, chain))
    return rows


def fits(recorded: Recorded, position: int, before: bytes, stored: object) -> bool:
    """Whether a stored row is the entry at `position` whose chain follows `before`."""
    if recorded.position != position or not isinstance(recorded.body, bytes):
        return False
    return link(before, position, recorded.recorded_at_ns, Entry(*recorded[2:])) == stored


def snapshot_digest(owner: str, position: int, state: bytes) -> bytes:
    """What tells that a snapshot is intact, at its place and its owner's."""
    return blake2b(b"%s\x1f%d\x1f%s" % (owner.encode(), position, state), digest_size=32).digest()
