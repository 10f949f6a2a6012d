"""Which files a path stands for, and which format each is in, by content."""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import Final

from tmt.adapters.feed.unpacked import gunzipped
from tmt.errors import InputError

_HEAD_BYTES: Final = 4096
_TAPE_LINE: Final = re.compile(rb"\d{19} \{")
_EXTENSIONS: Final = {
    ".zip": ("zip",),
    ".gz": ("gzip",),
    ".parquet": ("parquet",),
    ".json": ("text",),
    ".csv": ("text",),
}
_NOT_DATA: Final = re.compile(r"\..*|readme(\..*)?|license(\..*)?|.*\.md", re.IGNORECASE)


class Format(StrEnum):
    """What a file of market data may be."""

    LEAN = "LEAN"
    BINANCE_TAPE = "Binance tape"
    EVENT_LIST = "event list"
    CSV = "CSV"
    PARQUET = "Parquet"


def data_files(paths: Iterable[Path]) -> list[Path]:
    """The files that the paths name, and those in the folders that they name, by name.

    Hidden files, notes and licences in folders are passed over; anything else must be market data.

    Raises:
        InputError: when a path is missing or a folder is empty or holds what is not data.
    """
    files: list[Path] = []
    for path in paths:
        if path.is_dir():
            files.extend(_in_folder(path))
        elif path.is_file():
            files.append(path)
        else:
            raise InputError("TMT-D001", f"there is no file or folder {path}", where=str(path), fix="Check the path.")
    return files


def format_of(path: Path) -> Format:
    """The format of a file.

    Raises:
        InputError: when the content is in no known format, or the extension says otherwise.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    container = _container(head)
    wanted = _EXTENSIONS.get(path.suffix.lower())
    if wanted is not None and container not in wanted:
        raise InputError(
            "TMT-D004",
            f"the name ends in {path.suffix} but the content is {container}",
            where=str(path),
            fix="Give the file the extension of its content, or fetch it again.",
        )
    if container == "zip":
        return Format.LEAN
    if container == "parquet":
        return Format.PARQUET
    text = gunzipped(path, _HEAD_BYTES) if container == "gzip" else head
    found = _format_of_text(text)
    if found is None:
        raise unknown_content(path)
    return found


def _in_folder(folder: Path) -> list[Path]:
    files = [path for path in sorted(folder.iterdir()) if path.is_file() and not _NOT_DATA.fullmatch(path.name)]
    unknown = [path.name for path in files if path.suffix.lower() not in _EXTENSIONS]
    if unknown:
        raise InputError(
            "TMT-D002",
            f"the folder holds files that are not market data: {', '.join(unknown[:5])}",
            where=str(folder),
            fix="Move them away, or name the data files one by one.",
        )
    if not files:
        raise InputError("TMT-D002", "the folder holds no market data", where=str(folder), fix="Check the path.")
    return files


def _container(head: bytes) -> str:
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return "zip"
    if head.startswith(b"\x1f\x8b"):
        return "gzip"
    if head.startswith(b"PAR1"):
        return "parquet"
    return "binary" if b"\x00" in head else "text" if head.strip() else "empty"


def _format_of_text(head: bytes) -> Format | None:
    if _TAPE_LINE.match(head):
        return Format.BINANCE_TAPE
    if head.lstrip().startswith(b"["):
        return Format.EVENT_LIST
    first = head.split(b"\n", 1)[0]
    # A header has a name in every field; that is what the column map needs.
    if b"," in first and all(re.search(rb"[A-Za-z]", field) for field in first.split(b",")):
        return Format.CSV
    return None


def unknown_content(path: Path) -> InputError:
    """The error for a file that no reader takes."""
    return InputError(
        "TMT-D003",
        "the content is in no format that is known",
        where=str(path),
        fix="Give LEAN zips, a Binance tape (.gz), an event list (.json), or CSV or Parquet with named columns.",
    )
