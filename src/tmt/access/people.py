"""People: made, changed and disabled, every change in the audit trail and in one transaction with it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Final

import msgspec

from tmt.access import audit
from tmt.access.attempts import AttemptCounter
from tmt.access.audit import Audit
from tmt.access.passwords import Passwords, generate
from tmt.access.roles import PERMISSIONS, Operation, Principal, Role
from tmt.access.secret import Secret
from tmt.access.totp import OneTimeCodes
from tmt.errors import InputError
from tmt.ports.access_store import AccessStore, Records, User
from tmt.ports.clock import Clock

TOPIC: Final = "people"
FIRST_ADMIN: Final = "admin"
PEOPLE_MAX: Final = 10_000
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._@-]{0,63}", re.ASCII)
_ACCOUNT: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)

COMMAND_LINE: Final = Principal(
    name="command line", role=Role.ADMIN, accounts=(), method="command line", session_id="command line"
)
"""Whoever can read the desk's secret and write its store, with no server in between."""


class People:
    """Changes people. `by` is who makes the change; permission is the caller's to check.

    Args:
        changed: called after every change, so that nobody goes on by what was known before.
    """

    def __init__(
        self,
        store: AccessStore,
        clock: Clock,
        passwords: Passwords,
        attempts: AttemptCounter,
        codes: OneTimeCodes,
        trail: Audit,
        changed: Callable[[], None],
    ) -> None:
        self._store = store
        self._clock = clock
        self._passwords = passwords
        self._attempts = attempts
        self._codes = codes
        self._trail = trail
        self._changed = changed

    def first_run(self, announce: Callable[[Secret], None]) -> bool:
        """Make the first person, who may administer, if there is nobody; whether they were made.

        Args:
            announce: is given the password before the person exists, so that it cannot be lost in between.
        """
        with self._store.reading() as records:
            if records.select(User, limit=1):
                return False
        password = generate()
        made = self._new(FIRST_ADMIN, Role.ADMIN, (), self._passwords.hash(password.text()), must_change=True)
        with self._store.changing(TOPIC, audit.TOPIC) as records:
            if records.select(User, limit=1):
                return False
            announce(password)
            records.put(made)
            self._note(records, COMMAND_LINE, "create person", FIRST_ADMIN, role=Role.ADMIN.value)
        self._changed()
        return True

    def create(
        self,
        name: str,
        role: Role,
        password: str,
        *,
        by: Principal,
        accounts: Iterable[str] = (),
        must_change: bool = True,
    ) -> User:
        """Add a person.

        Raises:
            InputError: TMT-A011, TMT-A012, or TMT-A014 when the name is taken.
        """
        checked = tuple(sorted(set(accounts)))
        made = self._new(
            checked_name(name),
            _for_people(role),
            tuple(_checked_account(account) for account in checked),
            self._passwords.hash(self._passwords.checked(name, password)),
            must_change=must_change,
        )
        with self._store.changing(TOPIC, audit.TOPIC) as records:
            if records.get(User, name) is not None:
                raise InputError("TMT-A014", f"there is a person {name} already", fix="choose another name")
            if len(records.select(User, limit=PEOPLE_MAX)) >= PEOPLE_MAX:
                raise InputError("TMT-A012", f"there are {PEOPLE_MAX} people, which is the most there can be")
            records.put(made)
            self._note(records, by, "create person", name, role=role.value, accounts=" ".join(checked))
        self._changed()
        return made

    def get(self, name: str) -> User:
        """A person.

        Raises:
            InputError: TMT-A013.
        """
        with self._store.reading() as records:
            return _found(records, name)

    def must_change_password(self, name: str) -> bool:
        """Whether a person exists whose password was not yet changed."""
        with self._store.reading() as records:
            user = records.get(User, name)
        return user is not None and user.must_change_password

    def list(self, after: str | None = None, limit: int = 100) -> list[User]:
        """A page of at most 500 people by name, from the one next to `after` on."""
        with self._store.reading() as records:
            return records.select(User, after=after, limit=min(max(limit, 1), 500))

    def set_password(self, name: str, password: str, *, by: Principal, current: str | None = None) -> None:
        """Change a password and end the person's sessions and keys. One's own needs the `current` one.

        Raises:
            InputError: TMT-A005 when `current` is wrong, TMT-A011, TMT-A013.
            AccessRefused: TMT-A006 after many wrong ones.
        """
        own = by.name == name and by.method != COMMAND_LINE.method
        before = self.get(name)
        if own:
            self._check_current(before, current or "", by)
            if current == password:
                raise InputError("TMT-A011", "the new password is the old one", fix="choose another")
        hashed = self._passwords.hash(self._passwords.checked(name, password))

        def change(user: User) -> User:
            return _ended(msgspec.structs.replace(user, password_hash=hashed, must_change_password=not own))

        self._change(name, change, by, "change password")

    def _check_current(self, user: User, current: str, by: Principal) -> None:
        # Guessing with somebody's session in hand is slowed like guessing at the door.
        reservation = self._attempts.reserve(user.name, f"session {by.session_id}")
        with self._passwords.turn():
            right = self._passwords.matches(user.password_hash, current)
        if not right:
            self._trail.append(by.name, by.method, "change password", user.name, "failed")
            raise InputError("TMT-A005", "the current password is wrong")
        self._attempts.succeeded(reservation)

    def set_role(self, name: str, role: Role, *, by: Principal, accounts: Iterable[str] | None = None) -> None:
        """Give a person another role, and other accounts if they are given; ends their sessions and keys.

        Raises:
            InputError: TMT-A012, TMT-A013, TMT-A023.
        """
        _for_people(role)
        chosen = None if accounts is None else tuple(_checked_account(each) for each in sorted(set(accounts)))

        def change(user: User) -> User:
            kept = user.accounts if chosen is None else chosen
            return _ended(msgspec.structs.replace(user, role=role.value, accounts=kept))

        self._change(name, change, by, "change role", role=role.value)

    def disable(self, name: str, *, by: Principal) -> None:
        """Let a person in no more; ends their sessions and keys.

        Raises:
            InputError: TMT-A013, TMT-A023.
        """
        self._change(name, lambda user: _ended(msgspec.structs.replace(user, disabled=True)), by, "disable person")

    def enable(self, name: str, *, by: Principal) -> None:
        """Let a disabled person in again; what was ended stays ended."""
        self._change(name, lambda user: msgspec.structs.replace(user, disabled=False), by, "enable person")

    def end_sessions(self, name: str, *, by: Principal) -> None:
        """End all sessions and keys of a person."""
        self._change(name, _ended, by, "revoke all of a person")

    def enrol_totp(self, name: str, *, by: Principal) -> Secret:
        """Begin with one-time codes; the secret for the person's authenticator.

        No code is asked for until one is confirmed, even if another authenticator's was before.
        """
        made: list[Secret] = []

        def change(user: User) -> User:
            enrolled, secret = self._codes.enrol(user)
            made.append(secret)
            return enrolled

        self._change(name, change, by, "enrol one-time codes")
        return made[-1]

    def confirm_totp(self, name: str, code: str, *, by: Principal) -> None:
        """Ask for one-time codes from now on, as the first one is right.

        Raises:
            InputError: TMT-A019.
        """

        def change(user: User) -> User:
            used = self._codes.used(user, code, self._clock.now_ns())
            if used is None:
                raise InputError("TMT-A019", "the one-time code is wrong", fix="enrol, and give the code shown now")
            return msgspec.structs.replace(used, totp_confirmed=True)

        self._change(name, change, by, "confirm one-time codes")

    def disable_totp(self, name: str, *, by: Principal) -> None:
        """Ask for one-time codes no more."""

        def change(user: User) -> User:
            return msgspec.structs.replace(user, totp_sealed=b"", totp_confirmed=False, totp_step=0)

        self._change(name, change, by, "disable one-time codes")

    def _change(self, name: str, change: Callable[[User], User], by: Principal, action: str, **detail: str) -> None:
        with self._store.changing(TOPIC, audit.TOPIC) as records:
            before = _found(records, name)
            after = change(before)
            if _administers(before) and not _administers(after) and not _another_administers(records, name):
                what = f"{name} is the last person who may administer"
                raise InputError("TMT-A023", what, fix="give the role to somebody else first")
            records.put(after)
            self._note(records, by, action, name, **detail)
        self._changed()

    def _note(self, records: Records, by: Principal, action: str, name: str, **detail: str) -> None:
        self._trail.append_to(records, by.name, by.method, action, name, "done", detail)

    def _new(self, name: str, role: Role, accounts: tuple[str, ...], hashed: str, *, must_change: bool) -> User:
        return User(
            name=name,
            role=role.value,
            accounts=accounts,
            password_hash=hashed,
            must_change_password=must_change,
            disabled=False,
            generation=0,
            totp_sealed=b"",
            totp_confirmed=False,
            totp_step=0,
            created_at_ns=self._clock.now_ns(),
        )


def checked_name(name: str) -> str:
    """`name`, if it may be a person's.

    Raises:
        InputError: TMT-A012.
    """
    if _NAME.fullmatch(name) is None:
        what = "a name has 1 to 64 lower-case letters, digits, '.', '_', '@' and '-', beginning with a letter or digit"
        raise InputError("TMT-A012", what, fix="use a name such as ann")
    return name


def _checked_account(account: str) -> str:
    if _ACCOUNT.fullmatch(account) is None:
        raise InputError(
            "TMT-A012", f"{account[:64]!r} is not usable as an account", fix="see `tmt config show accounts`"
        )
    return account


def _for_people(role: Role) -> Role:
    if role is Role.SERVICE:
        raise InputError("TMT-A012", "the role service is for programs of the desk itself", fix="choose another role")
    return role


def _found(records: Records, name: str) -> User:
    user = records.get(User, name)
    if user is None:
        raise InputError("TMT-A013", "there is no such person", where=name[:64], fix="tmt admin user list")
    return user


def _ended(user: User) -> User:
    return msgspec.structs.replace(user, generation=user.generation + 1)


def _administers(user: User) -> bool:
    return not user.disabled and Operation.ADMINISTER in PERMISSIONS[Role(user.role)]


def _another_administers(records: Records, name: str) -> bool:
    return any(_administers(user) for user in records.select(User, limit=PEOPLE_MAX) if user.name != name)
