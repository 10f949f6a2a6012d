"""Whether a session or key stands: looked up in the store, and taken as known for less than a second."""

from __future__ import annotations

import hmac
import secrets
from hashlib import blake2b
from typing import Final

import msgspec

from tmt.access import audit, keys
from tmt.access.audit import Audit
from tmt.access.config import AccessConfig
from tmt.access.people import TOPIC
from tmt.access.refusals import AccessRefused
from tmt.access.roles import Principal, Role
from tmt.access.secret import Secret
from tmt.errors import InputError
from tmt.ports.access_store import AccessStore, ApiKey, Record, Records, Session, User
from tmt.ports.cache import Cache
from tmt.ports.clock import Clock

_SIGNATURE_BYTES: Final = 16
_NS: Final = 1_000_000_000
_SEEN_EVERY_NS: Final = 30 * _NS
_PURGE_EVERY_NS: Final = 3600 * _NS
_ENDED_KEPT_NS: Final = 24 * 3600 * _NS


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """What the store said of a session or key at a moment.

    Attributes:
        as_of_ns: when it was looked up.
        principal: who it stands for; None: it does not stand.
        seen_ns: highest time known to it: a clock behind it counts as this.
        digest: of a key, what the secret part must hash to.
    """

    as_of_ns: int
    principal: Principal | None
    expires_at_ns: int
    seen_ns: int
    digest: bytes


class Sessions:
    """Begins, refreshes, ends and looks up sessions, and looks up keys.

    What goes into the cache is signed: whoever else can write the cache adds nothing that is believed.
    """

    def __init__(
        self, store: AccessStore, cache: Cache, clock: Clock, config: AccessConfig, secret: Secret, trail: Audit
    ) -> None:
        self._store = store
        self._cache = cache
        self._clock = clock
        self._config = config
        self._key = secret.derive("cached standings")
        self._trail = trail
        self._changed_ns = 0
        self._purged_ns = 0

    def changed(self) -> None:
        """Something was changed here: what was known before counts no more."""
        self._changed_ns = self._clock.now_ns()

    def begin(self, records: Records, user: User, method: str, address: str) -> Session:
        """Add a session within a transaction that has the people's topic."""
        now_ns = self._clock.now_ns()
        if now_ns - self._purged_ns >= _PURGE_EVERY_NS:
            records.purge(Session, now_ns - _ENDED_KEPT_NS)
            self._purged_ns = now_ns
        session = Session(
            session_id=secrets.token_hex(16),
            person=user.name,
            method=method,
            address=address[:100],
            generation=user.generation,
            refreshes=0,
            created_at_ns=now_ns,
            expires_at_ns=now_ns + self._config.session_hours * 3600 * _NS,
            revoked_at_ns=None,
            seen_ns=now_ns,
        )
        records.put(session)
        return session

    def refresh(self, session_id: str, refreshes: int) -> tuple[Session, User]:
        """Count a refresh of a session that stands, by the token of its newest refresh.

        Raises:
            AccessRefused: TMT-A003, TMT-A004, or TMT-A010 for a token used before; the session is ended then.
        """
        with self._store.changing(TOPIC, audit.TOPIC) as records:
            session = records.get(Session, session_id)
            user = None if session is None else records.get(User, session.person)
            now_ns = self._clock.now_ns()
            if session is None or user is None or not _stands(session, user):
                raise _ended()
            if max(now_ns, session.seen_ns) >= session.expires_at_ns:
                raise expired()
            reused = refreshes != session.refreshes
            if reused:
                session = msgspec.structs.replace(session, revoked_at_ns=now_ns)
                self._trail.append_to(
                    records, user.name, session.method, "refresh", session_id, "refused", {"reason": "token used twice"}
                )
            else:
                session = msgspec.structs.replace(
                    session, refreshes=refreshes + 1, seen_ns=max(now_ns, session.seen_ns)
                )
            records.put(session)
        if reused:  # only now: an error inside would have undone the end of the session
            self._forget(session_id)
            what = "this refresh token was used before; the session was ended, because somebody may have copied it"
            raise AccessRefused("TMT-A010", what, status=401, fix="log in again")
        return session, user

    def end(self, session_id: str, *, by: Principal, action: str) -> None:
        """End a session.

        Raises:
            InputError: TMT-A013.
        """
        with self._store.changing(TOPIC, audit.TOPIC) as records:
            session = records.get(Session, session_id)
            if session is None:
                raise InputError("TMT-A013", "there is no such session", where=session_id[:64])
            if session.revoked_at_ns is None:
                records.put(msgspec.structs.replace(session, revoked_at_ns=self._clock.now_ns()))
            self._trail.append_to(records, by.name, by.method, action, session_id, "done", {"person": session.person})
        self._forget(session_id)

    def standing(self, kind: type[Session | ApiKey], key: str) -> Standing:
        """What the store says of a session or key, at most `standing_ms_max` ago."""
        name = f"{'session' if kind is Session else 'key'} {key}"
        now_ns = self._clock.now_ns()
        cached = self._cached(name, now_ns)
        if cached is not None:
            return cached
        with self._store.reading() as records:
            found = self._session(records, key, now_ns) if kind is Session else self._api_key(records, key, now_ns)
        encoded = msgspec.msgpack.encode(found)
        self._cache.set(name, self._signature(name, encoded) + encoded, self._config.standing_ms_max)
        return found

    def judged(self, kind: type[Session | ApiKey], key: str, standing: Standing, until_ns: int) -> Principal:
        """Who it stands for, if it does, now and until a time not passed yet.

        Raises:
            AccessRefused: TMT-A003, TMT-A004.
        """
        if standing.principal is None:
            raise _ended()
        now_ns = max(self._clock.now_ns(), standing.seen_ns)
        until_ns = min(until_ns, standing.expires_at_ns)
        if now_ns >= until_ns:
            if standing.seen_ns < until_ns:
                self._see(kind, key, now_ns)
            raise expired()
        if now_ns - standing.seen_ns >= _SEEN_EVERY_NS:
            self._see(kind, key, now_ns)
        return standing.principal

    def _cached(self, name: str, now_ns: int) -> Standing | None:
        kept = self._cache.get(name)
        if kept is None:
            return None
        signature, encoded = kept[:_SIGNATURE_BYTES], kept[_SIGNATURE_BYTES:]
        if not hmac.compare_digest(signature, self._signature(name, encoded)):
            return None
        standing = msgspec.msgpack.decode(encoded, type=Standing)
        age_ns = now_ns - standing.as_of_ns
        fresh = 0 <= age_ns <= self._config.standing_ms_max * 1_000_000 and standing.as_of_ns > self._changed_ns
        return standing if fresh else None

    def _signature(self, name: str, encoded: bytes) -> bytes:
        return blake2b(f"{name}\x1f".encode() + encoded, key=self._key, digest_size=_SIGNATURE_BYTES).digest()

    def _session(self, records: Records, session_id: str, now_ns: int) -> Standing:
        session = records.get(Session, session_id)
        user = None if session is None else records.get(User, session.person)
        if session is None or user is None or not _stands(session, user):
            return _nobody(now_ns)
        principal = _principal(user, user.role, user.accounts, session.method, session_id)
        return Standing(
            as_of_ns=now_ns,
            principal=principal,
            expires_at_ns=session.expires_at_ns,
            seen_ns=session.seen_ns,
            digest=b"",
        )

    def _api_key(self, records: Records, key_id: str, now_ns: int) -> Standing:
        key = records.get(ApiKey, key_id)
        owner = None if key is None else records.get(User, key.owner)
        if key is None or owner is None:
            return _nobody(now_ns)
        principal = _principal(owner, key.role, key.accounts, "api_key", key_id) if keys.stands(key, owner) else None
        return Standing(
            as_of_ns=now_ns,
            principal=principal,
            expires_at_ns=key.expires_at_ns,
            seen_ns=key.seen_ns,
            digest=key.digest,
        )

    def _see(self, kind: type[Record], key: str, now_ns: int) -> None:
        with self._store.changing(TOPIC) as records:
            record = records.get(kind, key)
            if isinstance(record, Session | ApiKey) and record.seen_ns < now_ns:
                records.put(msgspec.structs.replace(record, seen_ns=now_ns))
        self._forget(key)

    def _forget(self, key: str) -> None:
        self.changed()
        self._cache.delete(f"session {key}")
        self._cache.delete(f"key {key}")


def expired() -> AccessRefused:
    """Refused: its time is over."""
    return AccessRefused("TMT-A003", "the token or key has expired", status=401, fix="refresh it, or log in again")


def _ended() -> AccessRefused:
    return AccessRefused("TMT-A004", "the session or key was ended", status=401, fix="log in again")


def _stands(session: Session, user: User) -> bool:
    return session.revoked_at_ns is None and not user.disabled and session.generation == user.generation


def _nobody(now_ns: int) -> Standing:
    return Standing(as_of_ns=now_ns, principal=None, expires_at_ns=0, seen_ns=0, digest=b"")


def _principal(user: User, role: str, accounts: tuple[str, ...], method: str, session_id: str) -> Principal:
    return Principal(
        name=user.name,
        role=Role(role),
        accounts=accounts,
        method=method,
        session_id=session_id,
        must_change_password=user.must_change_password,
    )
