"""A server as processes of this machine: started, asked until it answers, stopped or killed by process id."""

import os
import select
import shutil
import signal
import subprocess
import time
from abc import ABC, abstractmethod
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import ClassVar, Self

import msgspec

from tests.servers.ports import PortLease

# Linux sends the parent-death signal when the thread that started the child ends: this one ends with the process.
_STARTER = ThreadPoolExecutor(max_workers=1, thread_name_prefix="server-starter")
POLL_SECONDS = 0.02


class ServerFailed(Exception):
    """A server did not start, answer or stop; the text ends with the last lines of its log."""


class Server(ABC):
    """One server on a port of its own, with its data in a new folder of its own.

    `start` returns when the server answers its own protocol; `stop` lets it finish, `kill` is SIGKILL to all of its
    processes. After either, `start` goes on with the same data on the same port, until `close`. The server dies with
    the process that started it. Raises ServerFailed.
    """

    title: ClassVar[str]
    stop_signal: ClassVar[signal.Signals] = signal.SIGTERM
    orphan_signal: ClassVar[signal.Signals] = signal.SIGKILL
    start_seconds_max: ClassVar[float] = 60.0
    stop_seconds_max: ClassVar[float] = 60.0

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lease = PortLease()
        self._process: subprocess.Popen[bytes] | None = None
        self._has_data = False

    @classmethod
    @abstractmethod
    def missing(cls) -> str:
        """What is not installed, in words; empty when the server can be started."""

    @classmethod
    @abstractmethod
    def version(cls) -> str:
        """What runs, as it says itself."""

    @property
    @abstractmethod
    def address(self) -> msgspec.Struct:
        """What another process needs to use the server."""

    @abstractmethod
    def _make_data(self) -> None:
        """Write the configuration and what else must be there before the first start."""

    @abstractmethod
    def _command(self) -> list[str]: ...

    def _privileges(self) -> list[str]:
        """Options for setpriv: as whom the server runs."""
        return []

    @abstractmethod
    def _answers(self) -> bool: ...

    @property
    def port(self) -> int:
        return self._lease.port

    @property
    def pid(self) -> int:
        assert self._process is not None, f"{self.title} is not running"
        return self._process.pid

    @property
    def log_path(self) -> Path:
        return self.folder / "server.log"

    def start(self) -> None:
        assert self._process is None, f"{self.title} runs already"
        self.folder.mkdir(parents=True, exist_ok=True)
        if not self._has_data:
            self._make_data()
            self._has_data = True
        self._process = _STARTER.submit(self._spawn).result()
        deadline = time.monotonic() + self.start_seconds_max
        while not self._answers():
            self._wait_a_moment()
            if time.monotonic() > deadline:
                self.kill()
                raise self._failed(f"does not answer after {self.start_seconds_max:g} s")

    def stop(self) -> None:
        process = self._running()
        self.resume()
        process.send_signal(self.stop_signal)
        try:
            process.wait(self.stop_seconds_max)
        except subprocess.TimeoutExpired:
            self.kill()
            raise self._failed(f"still runs {self.stop_seconds_max:g} s after {self.stop_signal.name}") from None
        self._process = None

    def kill(self) -> None:
        process = self._running()
        process.send_signal(signal.SIGSTOP)  # no new children while they are looked up
        children = [os.pidfd_open(pid) for pid in children_of(process.pid)]
        for child in children:
            signal.pidfd_send_signal(child, signal.SIGKILL)
        process.kill()
        process.wait()
        self._process = None
        for child in children:
            ended, _, _ = select.select([child], [], [], self.stop_seconds_max)
            os.close(child)
            if not ended:
                raise self._failed("left a child behind that SIGKILL does not end")

    def restart(self) -> None:
        self.stop()
        self.start()

    def pause(self) -> None:
        """Hang: connections stay open and nothing is answered, until `resume`."""
        self._signal_all(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal_all(signal.SIGCONT)

    def close(self) -> None:
        """Stop the server if it runs, and give its port back; it cannot be started again."""
        try:
            if self._process is not None:
                self.stop()
        finally:
            self._lease.release()

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _signal_all(self, number: signal.Signals) -> None:
        self._running().send_signal(number)
        for child in children_of(self.pid):
            with suppress(ProcessLookupError):  # ended meanwhile
                os.kill(child, number)

    def _running(self) -> subprocess.Popen[bytes]:
        assert self._process is not None, f"{self.title} is not running"
        return self._process

    def _spawn(self) -> subprocess.Popen[bytes]:
        die_with_us = ["setpriv", *self._privileges(), "--pdeathsig", self.orphan_signal.name.removeprefix("SIG"), "--"]
        with self.log_path.open("ab") as log:
            return subprocess.Popen(
                [*die_with_us, *self._command()],
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # ctrl-C in the terminal is for pytest
            )

    def _wait_a_moment(self) -> None:
        process = self._running()
        try:
            code = process.wait(POLL_SECONDS)
        except subprocess.TimeoutExpired:
            return
        self._process = None
        raise self._failed(f"ended by itself with code {code}")

    def _failed(self, what: str) -> ServerFailed:
        log = self.log_path.read_text("utf-8", errors="replace")[-4_000:] if self.log_path.exists() else ""
        return ServerFailed(f"{self.title} on port {self.port} {what}; its log ends with:\n{log}")


def children_of(pid: int) -> list[int]:
    """Process ids of the children of a process, as far as they have not ended."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                after_name = (entry / "stat").read_text("utf-8", errors="replace").rpartition(")")[2].split()
            except OSError:  # ended meanwhile
                continue
            if after_name[1] == str(pid) and after_name[0] != "Z":
                found.append(int(entry.name))
    return found


def run_once(command: list[str], *, cwd: Path | str = "/", seconds_max: float = 120.0) -> str:
    """What a command prints, errors included. Raises ServerFailed when it fails."""
    done = subprocess.run(
        command, cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=seconds_max, check=False
    )
    if done.returncode:
        raise ServerFailed(f"{' '.join(command)} failed with code {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout + done.stderr


def find_program(*names: str) -> str | None:
    """Path of the first of some programs that is installed; Debian keeps some of them from users' PATH."""
    path = f"{os.environ.get('PATH', '')}:/usr/local/sbin:/usr/sbin:/sbin"
    return next((found for name in names if (found := shutil.which(name, path=path))), None)
