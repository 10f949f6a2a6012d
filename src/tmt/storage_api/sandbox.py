"""Somebody else's SQL: each statement in a process of its own, on a copy of the series, bounded and ended."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import BoundedSemaphore, Lock, Timer
from typing import Final, Protocol

import msgspec
import pyarrow as pa

from tmt.domain.session import NANOSECONDS_PER_SECOND
from tmt.errors import AdapterUnavailable, InputError
from tmt.ports.clock import Clock
from tmt.ports.series import LIMIT_MAX
from tmt.storage_api.sql_worker import EXIT_REFUSED, Refusal, Request

SECONDS_MAX: Final = 5.0
MEMORY_MAX_MB: Final = 256
BYTES_MAX: Final = 16 << 20
STATEMENT_BYTES_MAX: Final = 20_000
AT_ONCE_MAX: Final = 2
WAIT_SECONDS_MAX: Final = 2.0
COPY_SECONDS: Final = 5

_OVERHEAD_BYTES: Final = 1 << 20
_REFUSAL_BYTES_MAX: Final = 8192


class Copied(Protocol):
    """A series that can be copied into a file that DuckDB opens."""

    def snapshot(self, folder: Path) -> Path:
        """Copy everything into `folder`; return the database's file."""


class _Copy:
    """One copy of the series, and how many statements read it."""

    def __init__(self, source: Copied, folder: Path, made_ns: int) -> None:
        self.folder = Path(tempfile.mkdtemp(dir=folder))
        self.path = source.snapshot(self.folder)
        self.made_ns = made_ns
        self.readers = 0


class Sandbox:
    """Runs SELECT statements on copies of a series; each copy is used for `COPY_SECONDS`.

    Args:
        source: what is copied.
        folder: where copies lie; made empty when this starts. As much room as the series takes, twice.
        clock: says how old a copy is.
        seconds_max: what a statement gets, its process's start included.
    """

    def __init__(self, source: Copied, folder: Path, clock: Clock, seconds_max: float = SECONDS_MAX) -> None:
        self._source = source
        self._folder = folder
        self._clock = clock
        self._seconds_max = seconds_max
        self._places = BoundedSemaphore(AT_ONCE_MAX)
        self._copying = Lock()
        self._copy: _Copy | None = None
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700, parents=True)

    def run(self, statement: str) -> pa.Table:
        """The rows of one SELECT, at most `LIMIT_MAX`.

        Raises:
            InputError: TMT-Q004 when it cannot be run, TMT-Q005 when it is no SELECT, TMT-Q006 when it needs too much
                memory or time, TMT-Q007 when its answer is too large.
            AdapterUnavailable: TMT-Q008 when `AT_ONCE_MAX` statements are being run.
        """
        try:
            size = len(statement.encode())
        except UnicodeEncodeError as error:
            raise InputError("TMT-Q004", "the statement is no text: it holds half of a surrogate pair") from error
        if size > STATEMENT_BYTES_MAX:
            raise InputError("TMT-Q004", f"a statement has at most {STATEMENT_BYTES_MAX} bytes, this has {size}")
        if not self._places.acquire(timeout=WAIT_SECONDS_MAX):
            raise AdapterUnavailable("TMT-Q008", f"{AT_ONCE_MAX} statements are being run", fix="try again")
        try:
            with self._current_copy() as copy:
                return self._run(statement, copy)
        finally:
            self._places.release()

    def _run(self, statement: str, copy: Path) -> pa.Table:
        request = Request(
            database=str(copy),
            statement=statement,
            rows_max=LIMIT_MAX,
            bytes_max=BYTES_MAX,
            memory_max_mb=MEMORY_MAX_MB,
            cpu_seconds_max=int(self._seconds_max) + 1,
        )
        with subprocess.Popen(
            [sys.executable, "-I", "-m", "tmt.storage_api.sql_worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=copy.parent,
            env={},
        ) as process:
            timer = Timer(self._seconds_max, process.kill)
            timer.start()
            try:
                answer, said = _exchange(process, msgspec.json.encode(request))
                process.wait()
            finally:
                timer.cancel()
                process.kill()
        return _understood(process.returncode, answer, said, self._seconds_max)

    @contextmanager
    def _current_copy(self) -> Iterator[Path]:
        with self._copying:
            now_ns = self._clock.now_ns()
            if self._copy is None or now_ns - self._copy.made_ns >= COPY_SECONDS * NANOSECONDS_PER_SECOND:
                former, self._copy = self._copy, _Copy(self._source, self._folder, now_ns)
                if former is not None:
                    _discard(former)
            copy = self._copy
            copy.readers += 1
        try:
            yield copy.path
        finally:
            with self._copying:
                copy.readers -= 1
                if copy is not self._copy:
                    _discard(copy)

    def close(self) -> None:
        """Remove every copy. Statements that run end by themselves."""
        shutil.rmtree(self._folder, ignore_errors=True)


def _discard(copy: _Copy) -> None:
    if copy.readers == 0:
        shutil.rmtree(copy.folder, ignore_errors=True)


def _exchange(process: subprocess.Popen[bytes], request: bytes) -> tuple[bytes, bytes]:
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        with process.stdin as to:
            to.write(request)
    except BrokenPipeError:
        pass  # it has ended; its exit code says how
    answer = process.stdout.read(BYTES_MAX + _OVERHEAD_BYTES)
    return answer, process.stderr.read(_REFUSAL_BYTES_MAX)


def _understood(exit_code: int, answer: bytes, said: bytes, seconds_max: float) -> pa.Table:
    match exit_code:
        case 0:
            with pa.ipc.open_stream(answer) as reader:
                return reader.read_all()
        case code if code == EXIT_REFUSED:
            refusal = msgspec.json.decode(said, type=Refusal)
            raise InputError(refusal.code, refusal.what)
        case _:
            limits = f"{seconds_max:g} seconds and {MEMORY_MAX_MB} MB of memory"
            raise InputError("TMT-Q006", f"the statement needs more than {limits}, and was ended")
