"""API keys: for programs that act for a person. Shown once, stored hashed."""

from __future__ import annotations

import hmac
import re
import secrets
from collections.abc import Callable, Iterable
from hashlib import blake2b
from typing import Final, NamedTuple

import msgspec

from tmt.access import audit
from tmt.access.audit import Audit
from tmt.access.config import AccessConfig
from tmt.access.refusals import AccessRefused
from tmt.access.roles import PERMISSIONS, Principal, Role
from tmt.access.secret import Secret
from tmt.errors import InputError
from tmt.ports.access_store import AccessStore, ApiKey, User
from tmt.ports.clock import Clock

TOPIC: Final = "people"
KEYS_MAX: Final = 10_000
_FORM: Final = re.compile(r"tmt_([a-f0-9]{12})_([A-Za-z0-9_-]{43})", re.ASCII)
_DAY_NS: Final = 86_400 * 1_000_000_000
_LABEL_LENGTH_MAX: Final = 64


class NewKey(NamedTuple):
    """A key just made; `secret` is all of it, shown now and never again."""

    record: ApiKey
    secret: Secret


class Keys:
    """Makes, lists, revokes and recognises keys. `changed` is called after every change."""

    def __init__(
        self,
        store: AccessStore,
        clock: Clock,
        config: AccessConfig,
        secret: Secret,
        trail: Audit,
        changed: Callable[[], None],
    ) -> None:
        self._store = store
        self._clock = clock
        self._days_max = config.key_days_max
        self._key = secret.derive("api keys")
        self._trail = trail
        self._changed = changed

    def create(
        self, owner: str, label: str, role: Role, days: int, *, by: Principal, accounts: Iterable[str] = ()
    ) -> NewKey:
        """Make a key that lives for `days`.

        Raises:
            InputError: TMT-A012, TMT-A013, or TMT-A015 when it would permit more than its owner may.
        """
        if not 0 < len(label) <= _LABEL_LENGTH_MAX or not label.isprintable():
            raise InputError("TMT-A012", f"a label has 1 to {_LABEL_LENGTH_MAX} printable characters")
        if not 1 <= days <= self._days_max:
            raise InputError("TMT-A012", f"a key lives 1 to {self._days_max} days, not {days}")
        now_ns = self._clock.now_ns()
        key_id, tail = secrets.token_hex(6), secrets.token_urlsafe(32)
        with self._store.changing(TOPIC, audit.TOPIC) as records:
            user = records.get(User, owner)
            if user is None or user.disabled:
                raise InputError("TMT-A013", "there is no such person, or they are disabled", where=owner[:64])
            if len(records.select(ApiKey, limit=KEYS_MAX)) >= KEYS_MAX:
                raise InputError("TMT-A012", f"there are {KEYS_MAX} keys, which is the most there can be")
            made = ApiKey(
                key_id=key_id,
                owner=owner,
                label=label,
                role=role.value,
                accounts=tuple(sorted(set(accounts))) or user.accounts,
                digest=self._digest(key_id, tail),
                generation=user.generation,
                created_at_ns=now_ns,
                expires_at_ns=now_ns + days * _DAY_NS,
                revoked_at_ns=None,
                seen_ns=now_ns,
            )
            if not _within(made, user):
                raise InputError(
                    "TMT-A015", "a key may do no more than its owner", fix="choose a lesser role or accounts"
                )
            if user.must_change_password:
                what = f"{owner} has yet to change the password they were given, which ends all keys made before"
                fix = "log in and change it (PUT /api/v1/me/password), then make the key"
                raise InputError("TMT-A013", what, where=owner[:64], fix=fix)
            records.put(made)
            detail = {"owner": owner, "role": role.value, "label": label, "days": days}
            self._trail.append_to(records, by.name, by.method, "create key", key_id, "done", detail)
        return NewKey(made, Secret(f"tmt_{key_id}_{tail}"))

    def list(self, owner: str | None = None) -> list[ApiKey]:
        """All keys, or one person's, by id."""
        with self._store.reading() as records:
            return [key for key in records.select(ApiKey, limit=KEYS_MAX) if owner is None or key.owner == owner]

    def get(self, key_id: str) -> ApiKey:
        """A key's record.

        Raises:
            InputError: TMT-A013.
        """
        with self._store.reading() as records:
            found = records.get(ApiKey, key_id)
        if found is None:
            raise InputError("TMT-A013", "there is no such key", fix="tmt admin key list")
        return found

    def revoke(self, key_id: str, *, by: Principal) -> None:
        """End a key.

        Raises:
            InputError: TMT-A013.
        """
        with self._store.changing(TOPIC, audit.TOPIC) as records:
            found = records.get(ApiKey, key_id)
            if found is None:
                raise InputError("TMT-A013", "there is no such key", fix="tmt admin key list")
            if found.revoked_at_ns is None:
                records.put(msgspec.structs.replace(found, revoked_at_ns=self._clock.now_ns()))
            self._trail.append_to(records, by.name, by.method, "revoke key", key_id, "done", {"owner": found.owner})
        self._changed()

    def named_by(self, presented: str) -> tuple[str, bytes]:
        """The id of the key presented, and the digest it must have.

        Raises:
            AccessRefused: TMT-A002, when it has not the form of a key.
        """
        parts = _FORM.fullmatch(presented)
        if parts is None:
            raise unknown_key()
        return parts[1], self._digest(parts[1], parts[2])

    def _digest(self, key_id: str, tail: str) -> bytes:
        return blake2b(f"{key_id} {tail}".encode(), key=self._key, digest_size=32).digest()


def unknown_key() -> AccessRefused:
    """Refused: not a key of this desk."""
    return AccessRefused("TMT-A002", "the API key is not one of this desk's", status=401)


def is_same(left: bytes, right: bytes) -> bool:
    """Whether two digests are equal, in constant time."""
    return hmac.compare_digest(left, right)


def _within(key: ApiKey, owner: User) -> bool:
    """Whether a key permits no more than its owner may do now."""
    if not PERMISSIONS[Role(key.role)] <= PERMISSIONS[Role(owner.role)]:
        return False
    return not owner.accounts or (bool(key.accounts) and set(key.accounts) <= set(owner.accounts))


def stands(key: ApiKey, owner: User | None) -> bool:
    """Whether neither the key nor its owner was ended."""
    if owner is None or owner.disabled or owner.must_change_password or key.revoked_at_ns is not None:
        return False
    return key.generation == owner.generation and _within(key, owner)
