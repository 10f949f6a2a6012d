"""Secrets: values that never show themselves."""

from __future__ import annotations

import hmac
import os
import secrets
from hashlib import blake2b
from pathlib import Path
from typing import Final, NoReturn

from tmt.errors import ConfigError

SECRET_BYTES_MIN: Final = 32


class Secret:
    """Bytes that do not appear in texts, logs or errors, and compare in constant time."""

    __slots__ = ("_value",)

    def __init__(self, value: bytes | str) -> None:
        self._value = value.encode() if isinstance(value, str) else value

    def reveal(self) -> bytes:
        """The value itself."""
        return self._value

    def text(self) -> str:
        """The value as text."""
        return self._value.decode()

    def derive(self, purpose: str) -> bytes:
        """32 bytes for one purpose, from which neither this secret nor those for other purposes can be told."""
        return blake2b(purpose.encode(), key=blake2b(self._value).digest(), digest_size=32).digest()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(self._value, other._value)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return "Secret(***)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is not written anywhere by itself")


def ensure_secret(path: Path) -> Secret:
    """The secret in a file, made of chance when the file is missing; mode 600.

    Raises:
        ConfigError: TMT-A017, when the file is too short, or others may read it.
    """
    try:
        made = secrets.token_hex(SECRET_BYTES_MIN)
        write_private(path, made.encode() + b"\n", replace=False)
    except FileExistsError:
        pass
    return read_secret(path)


def read_secret(path: Path) -> Secret:
    """The secret in a file that exists."""
    content = read_private(path).strip()
    if len(content) < SECRET_BYTES_MIN:
        what = f"a secret must have at least {SECRET_BYTES_MIN} characters, has {len(content)}"
        raise ConfigError("TMT-A017", what, where=str(path), fix="write a longer one of chance")
    return Secret(content)


def read_private(path: Path) -> bytes:
    """What is in a file that only its owner may read."""
    try:
        mode = path.stat().st_mode & 0o777
        content = path.read_bytes()
    except OSError as error:
        raise ConfigError("TMT-A017", f"cannot read: {error.strerror}", where=str(path)) from error
    if mode & 0o077:
        raise ConfigError("TMT-A017", f"others may read it: mode {mode:o}", where=str(path), fix=f"chmod 600 {path}")
    return content


def write_private(path: Path, content: bytes, *, replace: bool = True) -> None:
    """Write a file of mode 600 whole: a reader sees all of it or what was there before.

    Raises:
        FileExistsError: when it exists and must not be replaced.
        ConfigError: TMT-A017, when it cannot be written.
    """
    pending = path.with_name(f"{path.name}.{secrets.token_hex(4)}.new")
    try:
        handle = os.open(pending, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            if replace:
                pending.replace(path)
            else:
                os.link(pending, path)
        finally:
            pending.unlink(missing_ok=True)
    except FileExistsError:
        raise
    except OSError as error:
        raise ConfigError("TMT-A017", f"cannot write: {error.strerror}", where=str(path)) from error
