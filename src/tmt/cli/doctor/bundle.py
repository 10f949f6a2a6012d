"""The archive of `tmt doctor --bundle`: what a bug report needs, without what is private."""

from __future__ import annotations

import getpass
import io
import tarfile
from pathlib import Path
from typing import Final

import msgspec

from tmt.cli.folders import Chosen, reading
from tmt.cli.results import Diagnosis
from tmt.errors import InputError, TmtError

EVENTS_MAX: Final = 500
"""Newest events of the log that are listed: position, time, type and ids, never a body."""


def write_bundle(path: Path, diagnosis: Diagnosis, chosen: Chosen) -> None:
    """Write a .tar.gz whose texts hold neither the home folder nor the user's name.

    Raises:
        InputError: when `path` cannot be written.
    """
    texts = {
        "diagnosis.json": msgspec.json.format(msgspec.json.encode(diagnosis)).decode(),
        "configuration.json": _configuration(chosen),
        "events.txt": _events(chosen),
    }
    try:
        with tarfile.open(path, "w:gz") as archive:
            for name, text in texts.items():
                raw = redacted(text).encode()
                entry = tarfile.TarInfo(f"tmt-report/{name}")
                entry.size = len(raw)
                archive.addfile(entry, io.BytesIO(raw))
    except OSError as error:
        raise InputError("TMT-X006", f"cannot write the archive: {error.strerror}", where=str(path)) from error


def redacted(text: str) -> str:
    """`text` without the home folder and the user's name."""
    without_home = text.replace(str(Path.home()), "~")
    user = getpass.getuser()
    return without_home.replace(user, "<user>") if len(user) > 2 and user != "root" else without_home


def _configuration(chosen: Chosen) -> str:
    from tmt.cli.settings import load_settings

    try:
        loaded = load_settings(chosen.config_folder, chosen.overrides)
    except TmtError as error:
        return str(error)
    return msgspec.json.format(msgspec.json.encode({"hash": loaded.hash, "sections": loaded.sections})).decode()


def _events(chosen: Chosen) -> str:
    try:
        with reading(chosen.books.path(chosen.book_name)) as log:
            newest = log.read(after=max(0, log.head() - EVENTS_MAX))
            lines = [f"{e.position} {e.recorded_at_ns} {e.occurred_at_ns} {e.type} {e.message_id}" for e in newest]
    except TmtError as error:
        return str(error)
    return "\n".join(lines) + "\n"
