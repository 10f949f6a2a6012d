"""The access store: people, keys, sessions, attempts, kept answers and the audit trail, as records.

The first field of a record is its key. Times are UTC in nanoseconds; None is never.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Final, Literal, Protocol, TypeVar

import msgspec

Value = str | int | bool | bytes | None
Table = Literal["users", "api_keys", "sessions", "attempts", "answers", "audit"]


class User(msgspec.Struct, frozen=True, kw_only=True, repr_omit_defaults=True):
    """A person.

    Attributes:
        name: unique, lower case.
        role: a `tmt.access.Role`.
        accounts: the accounts that the person may touch; empty is all.
        password_hash: Argon2id in PHC form.
        must_change_password: nothing else is permitted until it is changed.
        disabled: cannot log in, and nothing of theirs is valid.
        generation: sessions and keys of an older generation are not valid.
        totp_sealed: the secret of one-time codes, encrypted; empty when there is none.
        totp_confirmed: a code was shown once, so log-in asks for one.
        totp_step: the newest 30-second step whose code was used.
        created_at_ns: when.
    """

    name: str
    role: str
    accounts: tuple[str, ...]
    password_hash: str
    must_change_password: bool
    disabled: bool
    generation: int
    totp_sealed: bytes
    totp_confirmed: bool
    totp_step: int
    created_at_ns: int

    def __repr__(self) -> str:
        return f"User(name={self.name!r}, role={self.role!r})"


class ApiKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key for programs. The key itself is shown once and never stored.

    Attributes:
        key_id: public part, shown in lists.
        owner: name of a user.
        label: what it is for.
        role: at most what the owner's role permits.
        accounts: among the owner's; empty is all, and then the owner's are all too.
        digest: keyed hash of the secret part.
        generation: the owner's when it was made.
        seen_ns: highest time at which it was checked.
    """

    key_id: str
    owner: str
    label: str
    role: str
    accounts: tuple[str, ...]
    digest: bytes
    generation: int
    created_at_ns: int
    expires_at_ns: int
    revoked_at_ns: int | None
    seen_ns: int

    def __repr__(self) -> str:
        return f"ApiKey(key_id={self.key_id!r}, owner={self.owner!r})"


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """From a log-in to its end; a family of tokens.

    Attributes:
        method: "password" or "password+totp".
        generation: the person's when it began.
        refreshes: how often it was refreshed; a refresh token of a lower count was used already.
        seen_ns: highest time at which it was checked: a clock that goes back revives nothing.
    """

    session_id: str
    person: str
    method: str
    address: str
    generation: int
    refreshes: int
    created_at_ns: int
    expires_at_ns: int
    revoked_at_ns: int | None
    seen_ns: int


class Attempts(msgspec.Struct, frozen=True, kw_only=True):
    """Log-ins that failed, or are under way, by name or by address. `subject` is hashed."""

    subject: str
    failures: int
    last_at_ns: int
    next_at_ns: int


class KeptAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a request with an idempotency key; under way until `lease_until_ns` while `status` is None.

    Attributes:
        scope: whose key, and which; hashed.
        digest: of the request.
        body: encrypted.
    """

    scope: str
    digest: bytes
    status: int | None
    content_type: str
    body: bytes
    begun_at_ns: int
    lease_until_ns: int

    def __repr__(self) -> str:
        return f"KeptAnswer(scope={self.scope!r}, status={self.status})"


class AuditEntry(msgspec.Struct, frozen=True, kw_only=True):
    """Who did what, how, to what, with what outcome. `detail` is JSON; `chain` covers the entry and all before it."""

    position: int
    time_ns: int
    person: str
    method: str
    action: str
    subject: str
    outcome: str
    detail: str
    chain: bytes


TABLES: Final[dict[type[msgspec.Struct], Table]] = {
    User: "users",
    ApiKey: "api_keys",
    Session: "sessions",
    Attempts: "attempts",
    KeptAnswer: "answers",
    AuditEntry: "audit",
}
"""Record type -> the table that holds it."""

Record = TypeVar("Record", bound=msgspec.Struct)
"""One of the types in TABLES."""


class Records(Protocol):
    """The records as they are in one transaction."""

    def get(self, kind: type[Record], key: str | int) -> Record | None:
        """The record with this key."""

    def select(
        self, kind: type[Record], *, after: str | int | None = None, limit: int = 100, newest_first: bool = False
    ) -> list[Record]:
        """At most `limit` records in the order of their keys, from the one next to `after` on."""

    def put(self, record: msgspec.Struct) -> None:
        """Insert the record, or replace the one with its key. The audit trail takes inserts only."""

    def delete(self, kind: type[Record], key: str | int) -> None:
        """Remove a record, if it is there. Nothing is removed from the audit trail."""

    def purge(self, kind: type[Attempts | KeptAnswer | Session], before_ns: int) -> int:
        """Remove attempts last made, answers begun and sessions expired before a time; return how many."""


class AccessStore(Protocol):
    """Records, and changes that happen whole or not at all.

    Raises:
        StoreUnavailable: when the store cannot be read or written, then and later; nothing was changed.
        OutcomeUnknown: when it was lost at the end of a transaction.
    """

    def changing(self, *topics: str) -> AbstractContextManager[Records]:
        """One transaction, durable when it is left; an exception undoes it.

        Of transactions that share a topic one runs at a time, in all processes: what is read stays true until written.
        """

    def reading(self) -> AbstractContextManager[Records]:
        """Committed records."""

    def close(self) -> None:
        """Release the store. Closing twice is allowed."""
