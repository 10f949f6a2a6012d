"""Passwords: Argon2id, at the same cost for a person who does not exist."""

from __future__ import annotations

import secrets
import string
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import argon2
from argon2.exceptions import InvalidHashError, VerificationError

from tmt.access.config import AccessConfig
from tmt.access.refusals import AccessRefused
from tmt.access.secret import Secret
from tmt.errors import InputError

LENGTH_MAX: Final = 256
_GENERATED_LENGTH: Final = 24
_DISTINCT_MIN: Final = 6
_NAME_LENGTH_MIN: Final = 4  # shorter ones are in many a good password by chance
_ALPHABET: Final = "".join(sorted(set(string.ascii_letters + string.digits) - set("0O1lI")))


class Passwords:
    """Makes and checks password hashes; at most `checks_max` at a time, because each takes its memory."""

    def __init__(self, config: AccessConfig) -> None:
        cost = config.password_cost
        self._length_min = config.password_length_min
        self._hasher = argon2.PasswordHasher(
            time_cost=cost.passes, memory_cost=cost.memory_kib, parallelism=cost.lanes, type=argon2.Type.ID
        )
        self._turns = threading.BoundedSemaphore(cost.checks_max)
        self._wait_seconds = cost.wait_seconds_max
        self._nobody = self._hasher.hash(secrets.token_urlsafe(32))

    def hash(self, password: str) -> str:
        """The hash to store, in PHC form."""
        return self._hasher.hash(password)

    @contextmanager
    def turn(self) -> Iterator[None]:
        """A place among the checks under way.

        Raises:
            AccessRefused: TMT-A022, when none becomes free in time.
        """
        if not self._turns.acquire(timeout=self._wait_seconds):
            what = "the desk is checking as many log-ins as it can"
            raise AccessRefused("TMT-A022", what, status=429, retry_after_seconds=1)
        try:
            yield
        finally:
            self._turns.release()

    def matches(self, password_hash: str | None, password: str) -> bool:
        """Whether the password is right; without a hash it is not, at the same cost."""
        try:
            self._hasher.verify(self._nobody if password_hash is None else password_hash, password[: LENGTH_MAX + 1])
        except (VerificationError, InvalidHashError):
            return False
        return password_hash is not None

    def is_outdated(self, password_hash: str) -> bool:
        """Whether it was made at another cost than today's."""
        return self._hasher.check_needs_rehash(password_hash)

    def checked(self, name: str, password: str) -> str:
        """`password`, if it may be the password of `name`.

        Raises:
            InputError: TMT-A011.
        """
        fault = ""
        if not self._length_min <= len(password) <= LENGTH_MAX:
            fault = f"it must have {self._length_min} to {LENGTH_MAX} characters"
        elif len(set(password)) < _DISTINCT_MIN:
            fault = f"it must have at least {_DISTINCT_MIN} different characters"
        elif len(name) >= _NAME_LENGTH_MIN and name.lower() in password.lower():
            fault = "it must not contain the name"
        elif not password.isprintable():
            fault = "it must consist of printable characters"
        if fault:
            raise InputError("TMT-A011", f"the password is not usable: {fault}", fix="choose a few words at random")
        return password


def generate() -> Secret:
    """A password of chance, 24 letters and digits that are not mistaken for one another: 139 bits."""
    return Secret("".join(secrets.choice(_ALPHABET) for _ in range(_GENERATED_LENGTH)))
