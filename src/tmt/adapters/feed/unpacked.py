"""Files as they lie on disk: their digest and what their archives hold."""

from __future__ import annotations

import gzip
import zipfile
import zlib
from hashlib import file_digest
from pathlib import Path

from tmt.errors import InputError


def digest(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def zip_member(path: Path) -> tuple[str, bytes]:
    """Name and content of the only file in a zip archive.

    Raises:
        InputError: TMT-D005 when the archive is damaged, or does not hold exactly one file that is not empty.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = [info for info in archive.infolist() if not info.is_dir()]
            if len(members) != 1:
                raise damaged(path, f"the archive holds {len(members)} files, not one")
            content = archive.read(members[0])
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise damaged(path, f"the archive cannot be read: {error}") from error
    if not content.strip():
        raise damaged(path, f"{members[0].filename} in the archive is empty")
    return Path(members[0].filename).name, content


def gunzipped(path: Path, size_max: int = -1) -> bytes:
    """Content of a gzip file, or its first `size_max` bytes.

    Raises:
        InputError: TMT-D005 when the file is damaged or empty.
    """
    try:
        with gzip.open(path) as file:
            content = file.read(size_max)
    except (gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise damaged(path, f"the archive cannot be read: {error}") from error
    if not content.strip():
        raise damaged(path, "the archive is empty")
    return content


def is_gzip(path: Path) -> bool:
    """Whether a file is compressed by gzip, by its first bytes."""
    with path.open("rb") as file:
        return file.read(2) == b"\x1f\x8b"


def damaged(path: Path, what: str) -> InputError:
    """The error for a file that cannot be read."""
    return InputError("TMT-D005", what, where=str(path), fix="Fetch the file again.")
