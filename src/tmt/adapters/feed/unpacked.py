"""Files as they lie on disk: their digest and what their archives hold."""

from __future__ import annotations

import gzip
import io
import zipfile
import zlib
from hashlib import file_digest
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

from tmt.errors import InputError

_BUFFER_BYTES: Final = 2**20


def digest(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def zip_member(path: Path, bytes_max: int) -> tuple[str, bytes]:
    """Name and content of the only file in a zip archive; no more is unpacked than it declares.

    Raises:
        InputError: TMT-D005 when the archive is damaged, or does not hold exactly one file that is not empty;
            TMT-D013 when the file is larger than `bytes_max`.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = [info for info in archive.infolist() if not info.is_dir()]
            if len(members) != 1:
                raise damaged(path, f"the archive holds {len(members)} files, not one")
            if members[0].compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise damaged(path, "the archive is compressed by a method other than deflate")
            refuse_larger(path, members[0].file_size, bytes_max)
            with archive.open(members[0]) as file:
                # With a bound, because without one zipfile unpacks 2 GiB before it looks at the declared size.
                content = file.read(members[0].file_size + 1)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise damaged(path, f"the archive cannot be read: {error}") from error
    if not content.strip():
        raise damaged(path, f"{members[0].filename} in the archive is empty")
    return Path(members[0].filename).name, content


def gunzipped(path: Path, size_max: int) -> bytes:
    """The first `size_max` bytes of a gzip file's content.

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


def opened(path: Path, bytes_max: int) -> IO[bytes]:
    """A file to read from its beginning, unpacked when it is compressed by gzip.

    Reading raises:
        InputError: TMT-D005 when the archive is damaged; TMT-D013 past `bytes_max` of its content.
    """
    return io.BufferedReader(_Unpacked(path, bytes_max), _BUFFER_BYTES) if is_gzip(path) else path.open("rb")


def refuse_larger(path: Path, size: int, bytes_max: int) -> None:
    """Refuse a file whose content has more than `bytes_max` bytes.

    Raises:
        InputError: TMT-D013.
    """
    if size > bytes_max:
        raise InputError(
            "TMT-D013",
            f"the content has {size:,} bytes or more; {bytes_max:,} are allowed",
            where=str(path),
            fix="Cut the file into parts, or raise file_megabytes_max in feeds.yml if it is meant to be so large.",
        )


class _Unpacked(io.RawIOBase):
    def __init__(self, path: Path, bytes_max: int) -> None:
        self._path = path
        self._bytes_max = bytes_max
        self._bytes = 0
        self._file = gzip.open(path)  # noqa: SIM115 - closed with this one

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        try:
            count = self._file.readinto(buffer)
        except (gzip.BadGzipFile, zlib.error, EOFError) as error:
            raise damaged(self._path, f"the archive cannot be read: {error}") from error
        self._bytes += count
        refuse_larger(self._path, self._bytes, self._bytes_max)
        return count

    def close(self) -> None:
        self._file.close()
        super().close()


def is_gzip(path: Path) -> bool:
    """Whether a file is compressed by gzip, by its first bytes."""
    with path.open("rb") as file:
        return file.read(2) == b"\x1f\x8b"


def damaged(path: Path, what: str) -> InputError:
    """The error for a file that cannot be read."""
    return InputError("TMT-D005", what, where=str(path), fix="Fetch the file again.")
