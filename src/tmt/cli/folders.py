"""Which state folder, book and configuration a command works on."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tmt.adapters.event_log.sqlite import SqliteEventLog
from tmt.books import Books
from tmt.errors import InputError


def state_folder(given: str | None) -> Path:
    """--state, else TMT_STATE, else the user's state folder."""
    chosen = given or os.environ.get("TMT_STATE")
    if chosen:
        return Path(chosen).expanduser()
    import platformdirs

    return platformdirs.user_state_path("tmt")


def config_folder(given: str | None) -> Path | None:
    """--config, else TMT_CONFIG, else none: the package's defaults alone."""
    chosen = given or os.environ.get("TMT_CONFIG")
    return Path(chosen).expanduser() if chosen else None


def books_of(state: str | None) -> Books:
    """The books of the chosen state folder."""
    return Books(state_folder(state))


@contextmanager
def reading(path: Path) -> Iterator[SqliteEventLog]:
    """The event log of the book in folder `path`, read only.

    Raises:
        InputError: when the book has no event log yet.
    """
    file = path / "events.sqlite"
    if not file.is_file():
        fix = "run `tmt up` or `tmt replay` first, or choose another with --book or --state"
        error = InputError(
            "TMT-S006", f"book {path.name} is empty: nothing has run on it yet", where=str(path), fix=fix
        )
        error.exit_code = 7
        raise error
    log = SqliteEventLog(file, read_only=True)
    try:
        yield log
    finally:
        log.close()
