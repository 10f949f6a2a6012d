"""Requests that may be sent again: the same Idempotency-Key and content get the first answer; nothing runs twice."""

from __future__ import annotations

import hmac
import re
from typing import Final

import msgspec

from tmt.access.config import AccessConfig
from tmt.access.refusals import AccessRefused
from tmt.access.roles import Principal
from tmt.access.sealing import Sealer
from tmt.access.secret import Secret
from tmt.ports.access_store import AccessStore, KeptAnswer, Records
from tmt.ports.clock import Clock

BODY_BYTES_MAX: Final = 256 * 1024
_KEY: Final = re.compile(r"[!-~]{1,200}", re.ASCII)
_NS: Final = 1_000_000_000
_PURGE_EVERY_NS: Final = 60 * _NS


class Begun(msgspec.Struct, frozen=True):
    """Go ahead; then `finish` or `abandon`."""


class Stored(msgspec.Struct, frozen=True):
    """Done before: send this answer again."""

    status: int
    content_type: str
    body: bytes


class Conflict(msgspec.Struct, frozen=True):
    """The key was used for another content: 409."""


class InFlight(msgspec.Struct, frozen=True):
    """The first request with this key is still under way: 409."""

    retry_after_seconds: int


def refuse_malformed(key: str) -> None:
    """Refuse what has not the form of an Idempotency-Key.

    Raises:
        AccessRefused: TMT-A020 with status 400.
    """
    if _KEY.fullmatch(key) is None:
        what = "an Idempotency-Key has 1 to 200 printable ASCII characters without spaces"
        raise AccessRefused("TMT-A020", what, status=400)


class Idempotency:
    """Keeps answers by principal and key, in the store.

    A request that neither finished nor was abandoned, because its process died, may be made again after a lease: what
    it did by then is for derived ids further on to tell.
    """

    def __init__(self, store: AccessStore, clock: Clock, config: AccessConfig, secret: Secret) -> None:
        self._store = store
        self._clock = clock
        self._kept_ns = config.idempotency_hours * 3600 * _NS
        self._lease_ns = config.idempotency_lease_seconds * _NS
        self._key = Secret(secret.derive("idempotency"))
        self._sealer = Sealer(secret, "kept answers")
        self._purged_ns = 0

    def begin(self, principal: Principal, key: str, digest: bytes) -> Begun | Stored | Conflict | InFlight:
        """Claim a key for a request whose method, path and body have this digest.

        Raises:
            AccessRefused: TMT-A020 with status 400, when the key has not the form of one.
        """
        refuse_malformed(key)
        scope = self._scope(principal, key)
        now_ns = self._clock.now_ns()
        with self._store.changing(f"answer {scope}") as records:
            self._purge(records, now_ns)
            kept = records.get(KeptAnswer, scope)
            if kept is not None and now_ns - kept.begun_at_ns <= self._kept_ns:
                if not hmac.compare_digest(kept.digest, digest):
                    return Conflict()
                if kept.status is not None:
                    return Stored(kept.status, kept.content_type, self._sealer.unseal(kept.body, scope))
                if now_ns < kept.lease_until_ns:
                    return InFlight(max(1, -(-(kept.lease_until_ns - now_ns) // _NS)))
            records.put(
                KeptAnswer(
                    scope=scope,
                    digest=digest,
                    status=None,
                    content_type="",
                    body=b"",
                    begun_at_ns=now_ns,
                    lease_until_ns=now_ns + self._lease_ns,
                )
            )
        return Begun()

    def finish(self, principal: Principal, key: str, status: int, content_type: str, body: bytes) -> None:
        """Keep the answer of a request that was begun."""
        if len(body) > BODY_BYTES_MAX:
            raise ValueError(f"body must have at most {BODY_BYTES_MAX} bytes, has {len(body)}")
        scope = self._scope(principal, key)
        sealed = self._sealer.seal(body, scope)  # the answer that shows a new key, say
        with self._store.changing(f"answer {scope}") as records:
            kept = records.get(KeptAnswer, scope)
            if kept is not None and kept.status is None:
                records.put(msgspec.structs.replace(kept, status=status, content_type=content_type, body=sealed))

    def abandon(self, principal: Principal, key: str) -> None:
        """The request did nothing: the key may be used again at once."""
        scope = self._scope(principal, key)
        with self._store.changing(f"answer {scope}") as records:
            kept = records.get(KeptAnswer, scope)
            if kept is not None and kept.status is None:
                records.delete(KeptAnswer, scope)

    def _scope(self, principal: Principal, key: str) -> str:
        return self._key.derive(f"{principal.name}\x1f{key}").hex()

    def _purge(self, records: Records, now_ns: int) -> None:
        if now_ns - self._purged_ns >= _PURGE_EVERY_NS:
            records.purge(KeptAnswer, now_ns - self._kept_ns)
            self._purged_ns = now_ns
