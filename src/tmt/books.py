"""Books: each is a folder with one event log and one inbox. Nothing is ever deleted, only moved aside.

state/current            name of the book in use
state/books/<name>/      events.sqlite, inbox.sqlite
state/books/.trash/      books that were reset, as <name>-<n>
"""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tmt.errors import InputError, StoreUnavailable

ERROR_CODES: Final = {
    "TMT-S001": "A book's name is not usable: lower-case letters, digits, '.', '_' and '-', beginning with a letter or "
    "digit, at most 64.",
    "TMT-S002": "A book of that name exists already; `tmt book switch NAME` uses it.",
    "TMT-S003": "There is no book of that name; `tmt book list` shows those there are.",
    "TMT-S004": "A running desk is writing the book, so it cannot be moved aside. Stop the desk first.",
    "TMT-S005": "The state folder cannot be written. Check its permissions and free space, or give --state DIR.",
}
"""Code -> meaning, for `tmt explain`."""

FIRST_BOOK: Final = "main"
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}", re.ASCII)


class Books:
    """The books in one state folder, which is made when first written to."""

    def __init__(self, state: Path) -> None:
        self.state = state
        self._folder = state / "books"
        self._current = state / "current"

    def names(self) -> list[str]:
        """Names of all books, sorted."""
        if not self._folder.is_dir():
            return []
        return sorted(entry.name for entry in self._folder.iterdir() if entry.is_dir() and _NAME.fullmatch(entry.name))

    def current(self) -> str:
        """Name of the book in use; "main" until another is chosen."""
        try:
            return self._current.read_text().strip() or FIRST_BOOK
        except FileNotFoundError:
            return FIRST_BOOK

    def path(self, name: str) -> Path:
        """Folder of a book, whether it exists or not.

        Raises:
            InputError: when `name` is not usable.
        """
        if _NAME.fullmatch(name) is None:
            raise InputError("TMT-S001", f"{name!r} is not usable as a book's name", fix="use a name such as main-2")
        return self._folder / name

    def ensure(self, name: str) -> Path:
        """Folder of a book, made when it is missing."""
        path = self.path(name)
        with self._writing(path):
            path.mkdir(parents=True, exist_ok=True)
        return path

    def existing(self, name: str) -> Path:
        """Folder of a book that exists, or of the one in use, on which a desk may start later.

        Raises:
            InputError: when there is no such book, or `name` is not usable.
        """
        path = self.path(name)
        if not path.is_dir() and name != self.current():
            raise self._unknown(name, "name one of them; nothing was changed")
        return path

    def _unknown(self, name: str, fix: str) -> InputError:
        known = ", ".join(self.names()) or "none"
        return InputError("TMT-S003", f"there is no book {name}; there are: {known}", fix=fix)

    def new(self, name: str) -> Path:
        """Make a book and use it."""
        path = self.path(name)
        if path.exists():
            raise InputError("TMT-S002", f"there is a book {name} already", where=str(path), fix="choose another name")
        self.ensure(name)
        self.switch(name)
        return path

    def switch(self, name: str) -> None:
        """Use a book that exists."""
        if not self.path(name).is_dir():
            raise self._unknown(name, f"tmt book new {name}")
        with self._writing(self._current):
            pending = self._current.with_name("current.new")
            pending.write_text(f"{name}\n")
            pending.replace(self._current)

    def reset(self, name: str) -> Path:
        """Move a book aside and start it anew; return where the old one is now.

        Raises:
            InputError: when there is no such book, or a desk is writing it.
        """
        path = self.path(name)
        if not path.is_dir():
            raise InputError("TMT-S003", f"there is no book {name}", where=str(path), fix="tmt book list")
        trash = self._folder / ".trash"
        with self._locked(path), self._writing(trash):
            trash.mkdir(exist_ok=True)
            number = 1
            while (aside := trash / f"{name}-{number}").exists():
                number += 1
            path.rename(aside)
            path.mkdir()
        return aside

    def is_in_use(self, name: str) -> bool:
        """Whether a running desk is writing the book."""
        if not self.path(name).is_dir():
            return False
        try:
            with self._locked(self.path(name)):
                return False
        except InputError:
            return True

    @contextmanager
    def _locked(self, path: Path) -> Iterator[None]:
        # The lock that the event log's writer holds.
        lock = path / "events.sqlite.lock"
        with self._writing(lock):
            handle = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            fix = "stop that desk first (ctrl-C in its terminal)"
            raise InputError("TMT-S004", f"a desk is writing book {path.name}", where=str(path), fix=fix) from error
        else:
            yield
        finally:
            os.close(handle)

    @contextmanager
    def _writing(self, path: Path) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            what = f"cannot write the state folder: {error.strerror}"
            fix = "check its permissions and free space, or give another with --state DIR"
            raise StoreUnavailable("TMT-S005", what, where=str(path), fix=fix) from error
