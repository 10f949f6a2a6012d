"""A desk of several real processes, for tests and benchmarks."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from secrets import token_urlsafe
from threading import Event

import httpx

from tests.integration.several import environment
from tests.servers.ports import PortLease
from tmt.access import Access, Role
from tmt.access.opening import open_access
from tmt.access.people import COMMAND_LINE
from tmt.adapters.clock.system import SystemClock
from tmt.adapters.postgres.database import Database
from tmt.config import Loaded
from tmt.processes import ENGINE, NAMES
from tmt.sections import load_config

READY_SECONDS_MAX = 120.0
TRADER = "ann"


@dataclass
class Process:
    """One process of the desk; `ready` is in the line that it says when it serves."""

    name: str
    words: list[str]
    env: Mapping[str, str]
    log: Path
    ready: str = "health: "
    process: subprocess.Popen[bytes] | None = None
    starts: int = 0

    def start(self) -> None:
        self.starts += 1
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tmt", *self.words], stderr=output, stdout=output, env=dict(self.env)
            )

    def wait_until_up(self) -> None:
        """Until it says that it serves, once for each start."""
        wait_until(lambda: self.said().count(self.ready) >= self.starts, [self])

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

    def health_url(self) -> str:
        """Where an agent that is up tells of itself."""
        return self.said().rpartition(self.ready)[2].split()[0]


def wait_until(true: Callable[[], bool], needed: Iterable[Process]) -> None:
    """Until something is true, as long as the processes that it needs are alive."""
    deadline, pause = time.monotonic() + READY_SECONDS_MAX, Event()
    while not true():
        gone = [each for each in needed if not each.alive()]
        assert not gone, f"{gone[0].name} ended: {gone[0].said()[-4000:]}"
        assert time.monotonic() < deadline, {each.name: each.said()[-1000:] for each in needed}
        pause.wait(0.02)


class ProcessDesk:
    """Eight processes, one an agent; the engine trades on the simulator, faster than life.

    Attributes:
        processes: by agent's name.
        url: of the engine.
        key, risk_key: of a trader and of somebody of the risk role, for the header X-API-Key.
        loaded: the configuration that the processes run with.
    """

    def __init__(
        self,
        folder: Path,
        dsn: str,
        bootstrap: str,
        prefix: str,
        port: int,
        *engine: str,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.state = folder / "state"
        self.env = {**os.environ, **environment(folder, dsn, bootstrap, prefix), **(settings or {})}
        self.loaded: Loaded = load_config(None, environment=self.env)
        self.folder = folder
        self.dsn = dsn
        self._engine_words = engine
        self._all: list[Process] = []
        self.key, self.risk_key = self._prepare()
        self.processes = {name: self.agent(name) for name in NAMES if name != ENGINE}
        self.processes[ENGINE] = self.engine(ENGINE, port)

    def agent(self, name: str, instance: int = 0) -> Process:
        """A process for one agent, not started."""
        words = ["agent", "run", name, "--instance", str(instance)]
        return self._made(Process(name, words, self.env, self.folder / f"{name}-{instance}.log"))

    def engine(self, name: str, port: int) -> Process:
        """A process for the engine, not started; `name` is the start of its log file's."""
        words = ["agent", "run", ENGINE, "--state", str(self.state), "--port", str(port), *self._engine_words]
        return self._made(Process(name, words, self.env, self.folder / f"{name}.log", ready="engine at position "))

    def _made(self, process: Process) -> Process:
        self._all.append(process)
        return process

    def _prepare(self) -> tuple[str, str]:
        with closing(Database(self.dsn, "tmt")) as database:
            database.migrate()
            opened = open_access(self.state, self.loaded.sections["access"], SystemClock(), database)
            with closing(opened.access) as access:
                return _key(access, TRADER, Role.TRADER), _key(access, "ron", Role.RISK)

    def start(self) -> None:
        """Every agent, then the engine, which waits for them."""
        for name in (*(name for name in NAMES if name != ENGINE), ENGINE):
            self.processes[name].start()

    def wait_until_ready(self) -> None:
        """Until the engine answers that it is ready."""
        wait_until(self.is_ready, self.processes.values())

    def is_ready(self) -> bool:
        """Whether the engine says that it can do its work."""
        try:
            return httpx.get(f"{self.url}/ready", timeout=5).status_code == 200
        except httpx.TransportError:
            return False

    def close(self) -> None:
        """SIGTERM for all that were ever made, hung ones included; SIGKILL for who does not hear it."""
        for each in self._all:
            if each.alive():
                each.signal(signal.SIGTERM)
                each.signal(signal.SIGCONT)
        for each in self._all:
            if each.process is not None:
                try:
                    each.process.wait(20)
                except subprocess.TimeoutExpired:
                    each.kill()


def _key(access: Access, person: str, role: Role) -> str:
    access.people.create(person, role, token_urlsafe(24), by=COMMAND_LINE, must_change=False)
    return access.keys.create(person, "tests", role, 1, by=COMMAND_LINE).secret.text()


@contextmanager
def process_desk(
    folder: Path, dsn: str, bootstrap: str, prefix: str, *engine: str, settings: Mapping[str, str] | None = None
) -> Iterator[ProcessDesk]:
    """A desk of eight processes that is ready; `engine` is what its engine's command line has besides."""
    with ExitStack() as stack:
        lease = stack.enter_context(PortLease())
        desk = ProcessDesk(folder, dsn, bootstrap, prefix, lease.port, *engine, settings=settings)
        stack.callback(desk.close)
        desk.start()
        desk.wait_until_ready()
        yield desk
