"""Which state folder, book and configuration a command works on."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tmt.errors import InputError

if TYPE_CHECKING:
    from tmt.adapters.event_log.sqlite import SqliteEventLog
    from tmt.books import Books


_LOG: Final = "events.sqlite"


@dataclass(frozen=True, slots=True)
class Chosen:
    """What --state, --book, --config and --set say; None and empty where they are not given."""

    state: str | None = None
    book: str | None = None
    config: str | None = None
    overrides: tuple[str, ...] = ()

    @property
    def state_folder(self) -> Path:
        """--state, else TMT_STATE, else the user's state folder."""
        chosen = self.state or os.environ.get("TMT_STATE")
        if chosen:
            return Path(chosen).expanduser()
        import platformdirs

        return platformdirs.user_state_path("tmt")

    @property
    def books(self) -> Books:
        """The books of the state folder."""
        from tmt.books import Books

        return Books(self.state_folder)

    @property
    def book_name(self) -> str:
        """--book, else the one in use."""
        return self.book or self.books.current()

    @property
    def config_folder(self) -> str:
        """--config, else TMT_CONFIG, absolute; empty when there is none: the package's defaults alone."""
        chosen = self.config or os.environ.get("TMT_CONFIG")
        return str(Path(chosen).expanduser().absolute()) if chosen else ""


def has_log(path: Path) -> bool:
    """Whether something has run on the book in folder `path`."""
    return (path / _LOG).is_file()


def newest_book(books: Books) -> str | None:
    """Name of the book that was written last, or None when all are empty."""
    written = [(_written_ns(books.path(name)), name) for name in books.names() if has_log(books.path(name))]
    return max(written)[1] if written else None


def _written_ns(path: Path) -> int:
    return max(file.stat().st_mtime_ns for file in path.glob(f"{_LOG}*") if file.suffix != ".lock")


@contextmanager
def reading(path: Path) -> Iterator[SqliteEventLog]:
    """The event log of the book in folder `path`, read only.

    Raises:
        InputError: when the book has no event log yet.
    """
    from tmt.adapters.event_log.sqlite import SqliteEventLog

    if not has_log(path):
        fix = "run `tmt up` or `tmt replay` first, or choose another with --book or --state"
        error = InputError(
            "TMT-S006", f"book {path.name} is empty: nothing has run on it yet", where=str(path), fix=fix
        )
        error.exit_code = 7
        raise error
    log = SqliteEventLog(path / _LOG, read_only=True)
    try:
        yield log
    finally:
        log.close()
