"""A desk of several real processes, for tests and benchmarks."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from secrets import token_urlsafe

import httpx

from tests.integration.several import environment
from tests.servers.ports import PortLease
from tmt.access import Role
from tmt.access.opening import open_access
from tmt.access.people import COMMAND_LINE
from tmt.adapters.clock.system import SystemClock
from tmt.adapters.postgres.database import Database
from tmt.config import Loaded
from tmt.processes import ENGINE, NAMES
from tmt.sections import load_config

READY_SECONDS_MAX = 120.0


@dataclass
class Process:
    """One process of the desk; `ready` is the line it says when it serves."""

    name: str
    words: list[str]
    env: Mapping[str, str]
    log: Path
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tmt", *self.words], stderr=output, stdout=output, env=dict(self.env)
            )

    def signal(self, number: int) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def kill(self) -> None:
        """SIGKILL, and no trace of it left."""
        self.signal(signal.SIGKILL)
        assert self.process is not None
        self.process.wait(10)

    def stop(self) -> int:
        """SIGTERM; its exit status."""
        self.signal(signal.SIGTERM)
        assert self.process is not None
        return self.process.wait(20)

    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def said(self) -> str:
        return self.log.read_text(errors="replace") if self.log.exists() else ""


class ProcessDesk:
    """Eight processes, one an agent; the engine trades on the simulator, faster than life.

    Attributes:
        processes: by agent's name.
        url: of the engine.
        key: of a trader, for the header X-API-Key.
        loaded: the configuration that the processes run with.
    """

    def __init__(self, folder: Path, dsn: str, bootstrap: str, prefix: str, port: int, *engine: str) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.state = folder / "state"
        self.env = {**os.environ, **environment(folder, dsn, bootstrap, prefix)}
        self.loaded: Loaded = load_config(None, environment=self.env)
        self.folder = folder
        self.dsn = dsn
        self.key = self._prepare()
        self.processes = {
            name: Process(name, ["agent", "run", name], self.env, folder / f"{name}.log") for name in NAMES
        }
        self.processes[ENGINE].words += ["--state", str(self.state), "--port", str(port), *engine]

    def _prepare(self) -> str:
        with closing(Database(self.dsn, "tmt")) as database:
            database.migrate()
            opened = open_access(self.state, self.loaded.sections["access"], SystemClock(), database)
            with closing(opened.access) as access:
                access.people.create("ann", Role.TRADER, token_urlsafe(24), by=COMMAND_LINE, must_change=False)
                made = access.keys.create("ann", "tests", Role.TRADER, 1, by=COMMAND_LINE)
        return made.secret.text()

    def start(self) -> None:
        """Every agent, then the engine, which waits for them."""
        for name in (*(name for name in NAMES if name != ENGINE), ENGINE):
            self.processes[name].start()

    def wait_until_ready(self) -> None:
        """Until the engine answers that it is ready."""
        deadline = time.monotonic() + READY_SECONDS_MAX
        while time.monotonic() < deadline:
            gone = [each for each in self.processes.values() if not each.alive()]
            assert not gone, gone[0].said()
            if self.is_ready():
                return
            time.sleep(0.1)
        raise AssertionError(self.processes[ENGINE].said())

    def is_ready(self) -> bool:
        """Whether the engine says that it can do its work."""
        try:
            return httpx.get(f"{self.url}/ready", timeout=5).status_code == 200
        except httpx.TransportError:
            return False

    def close(self) -> None:
        """SIGTERM for all, SIGKILL for who does not hear it."""
        for each in self.processes.values():
            if each.alive():
                each.signal(signal.SIGTERM)
        for each in self.processes.values():
            if each.process is not None:
                try:
                    each.process.wait(20)
                except subprocess.TimeoutExpired:
                    each.kill()


@contextmanager
def process_desk(folder: Path, dsn: str, bootstrap: str, prefix: str, *engine: str) -> Iterator[ProcessDesk]:
    """A desk of eight processes that is ready; `engine` is what its engine's command line has besides."""
    with ExitStack() as stack:
        lease = stack.enter_context(PortLease())
        desk = ProcessDesk(folder, dsn, bootstrap, prefix, lease.port, *engine)
        stack.callback(desk.close)
        desk.start()
        desk.wait_until_ready()
        yield desk
