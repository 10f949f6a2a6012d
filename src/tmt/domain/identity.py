"""Identifiers derived from their cause, so that the same cause always gives the same identifier."""

from __future__ import annotations

from hashlib import blake2b


def derive_id(*parts: str) -> str:
    """32 hexadecimal digits: BLAKE2b of the parts, each closed by a separator that no part may contain."""
    return blake2b("\x1f".join(parts).encode(), digest_size=16).hexdigest()


def seeded_fraction(*parts: str) -> int:
    """A whole number in [0, 2**32), evenly spread, decided by the parts alone."""
    return int.from_bytes(blake2b("\x1f".join(parts).encode(), digest_size=4).digest(), "big")
