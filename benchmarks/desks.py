"""Desks as they are deployed, to be put under load: embedded, with the gates in the engine, in eight processes.

All trade on the limits of `benchmarks/config`, so that no gate refuses the benchmarks' orders; every gate still runs.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from secrets import token_urlsafe
from typing import Final, Self

import httpx

from benchmarks.machine import Tree
from tests.integration.process_desk import ProcessDesk
from tests.servers.kafka import KafkaServer
from tests.servers.ports import PortLease
from tests.servers.postgres import PostgresServer
from tmt.access import Role
from tmt.access.opening import open_access
from tmt.access.people import COMMAND_LINE
from tmt.adapters.clock.system import SystemClock
from tmt.adapters.postgres.database import Database
from tmt.processes import ENGINE, NAMES
from tmt.sections import load_config

CONFIG: Final = Path(__file__).parent / "config"
READY_SECONDS_MAX: Final = 120.0
STOP_SECONDS_MAX: Final = 30.0
SERVICES: Final = {"page": "gateway", "storage API": "storage", "engine": "engine"}
"""What `tmt up` calls its services, and what they are called here."""

VENUE: Final = {"TMT__VENUE__LATENCY_BASE_NS": "5000000", "TMT__VENUE__LATENCY_JITTER_NS": "5000000"}
"""The packaged latency, since orders may come at one instant; `config/` has none, for another benchmark's sake."""

_RATES: Final = {
    f"TMT__ACCESS__RATES__{role}__{limit}": "1000000"
    for role in ("TRADER", "SERVICE")
    for limit in ("REQUESTS_PER_SECOND", "BURST")
}
FREE: Final = {**VENUE, **_RATES}
"""And rates for one key that no benchmark reaches."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Embedded:
    """A desk of one process that is ready.

    Attributes:
        urls: of its services: "gateway", "storage", "engine".
        trader: headers of somebody who may trade.
        poster: headers of somebody who may post market data.
        process: the desk's.
        book: folder of its log.
    """

    urls: dict[str, str]
    trader: dict[str, str]
    poster: dict[str, str]
    process: Tree
    book: Path


class Servers:
    """PostgreSQL and Kafka of a benchmark's own, durable; a fresh database and prefix for each desk."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.postgres = stack.enter_context(PostgresServer(folder / "postgres"))
        self.kafka = stack.enter_context(KafkaServer(folder / "kafka"))

    def database(self) -> str:
        """Address of a new, empty database."""
        return self.postgres.address.create_database(f"desk_{uuid.uuid4().hex}")

    @staticmethod
    def prefix() -> str:
        return f"bench-{uuid.uuid4().hex[:12]}"


@contextmanager
def embedded(folder: Path, *words: str, **environment: str) -> Iterator[Embedded]:
    """`tmt up`: all of it in one process over SQLite."""
    folder.mkdir(parents=True)
    trader, poster = _let_in(folder, None)
    command = [sys.executable, "-m", "tmt", "up", "--headless", "--config", str(CONFIG), "--state", str(folder)]
    ports = ("--port", "0", "--storage-port", "0", "--engine-port", "0")
    env = {**os.environ, **FREE, "NO_COLOR": "1", **environment}
    with (folder / "up.log").open("wb") as said:
        process = subprocess.Popen([*command, *ports, *words], stdout=said, stderr=said, env=env)
    try:
        urls = _urls_said(process, folder / "up.log", SERVICES)
        for url in urls.values():
            _wait_until_ready(url, process, folder / "up.log")
        yield Embedded(
            urls=urls,
            trader=trader,
            poster=poster,
            process=Tree(process.pid),
            book=folder / "books" / "main",
        )
    finally:
        _stop(process)


class Several:
    """Eight processes, or with `direct` only the engine's, which then hosts every agent; log in PostgreSQL.

    Use as a context. `restart_engine` starts the engine anew on the same log, with more in its environment.
    """

    def __init__(self, folder: Path, servers: Servers, *words: str, direct: bool = False) -> None:
        folder.mkdir(parents=True)
        self._lease = PortLease()
        self.dsn = servers.database()
        others = tuple(name for name in NAMES if name != ENGINE)
        words = (*words, "--direct", *others) if direct else words
        bootstrap, prefix = servers.kafka.bootstrap, servers.prefix()
        self._desk = ProcessDesk(folder, self.dsn, bootstrap, prefix, self._lease.port, *words)
        self._desk.env.update(FREE)
        for process in self._desk.processes.values():
            process.env = self._desk.env
            process.words += ["--config", str(CONFIG)]
        if direct:
            self._desk.processes = {ENGINE: self._desk.processes[ENGINE]}

    def __enter__(self) -> Self:
        try:
            for process in self._desk.processes.values():
                process.start()
            self._desk.wait_until_ready()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._desk.close()
        self._lease.release()

    @property
    def url(self) -> str:
        return self._desk.url

    @property
    def trader(self) -> dict[str, str]:
        """Headers of somebody who may trade."""
        return {"X-API-Key": self._desk.key}

    @property
    def processes(self) -> list[Tree]:
        running = (each.process for each in self._desk.processes.values())
        return [Tree(each.pid) for each in running if each is not None]

    @property
    def environment(self) -> dict[str, str]:
        """What points another process to this desk."""
        return dict(self._desk.env)

    @property
    def state(self) -> Path:
        return self._desk.state

    def restart_engine(self, **environment: str) -> None:
        engine = self._desk.processes[ENGINE]
        engine.stop()
        engine.env = {**self._desk.env, **environment}
        engine.start()
        self._desk.wait_until_ready()


@contextmanager
def gateway_of(desk: Several, folder: Path) -> Iterator[tuple[str, Tree]]:
    """`tmt gateway run` before the engine of a desk of several processes: its address and its process."""
    words = ("gateway", "run", "--port", "0", "--engine", desk.url, "--state", str(desk.state), "--config", str(CONFIG))
    log = folder / "gateway.log"
    with log.open("wb") as said:
        command = [sys.executable, "-m", "tmt", *words]
        process = subprocess.Popen(command, stdout=said, stderr=said, env=desk.environment)
    try:
        (url,) = _urls_said(process, log, {"gateway": "gateway"}).values()
        _wait_until_ready(url, process, log)
        yield url, Tree(process.pid)
    finally:
        _stop(process)


def _let_in(state: Path, database: Database | None) -> tuple[dict[str, str], dict[str, str]]:
    """Headers of a new trader with a key, and of a service that may post market data for five minutes."""
    opened = open_access(state, load_config(None).sections["access"], SystemClock(), database)
    with closing(opened.access) as access:
        access.people.create("bench", Role.TRADER, token_urlsafe(24), by=COMMAND_LINE, must_change=False)
        key = access.keys.create("bench", "benchmark", Role.TRADER, 1, by=COMMAND_LINE).secret.text()
        return {"X-API-Key": key}, {"Authorization": f"Bearer {access.service_token('benchmark')}"}


def _urls_said(process: subprocess.Popen[bytes], log: Path, services: Mapping[str, str]) -> dict[str, str]:
    deadline = time.monotonic() + READY_SECONDS_MAX
    while time.monotonic() < deadline and process.poll() is None:
        urls = {}
        for line in log.read_text(errors="replace").splitlines():
            name, found, rest = line.strip().partition(": http")
            if found and name in services:
                urls[services[name]] = f"http{rest}".rstrip("/")
        if len(urls) == len(services):
            return urls
        time.sleep(0.05)
    raise AssertionError(log.read_text(errors="replace"))


def _wait_until_ready(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + READY_SECONDS_MAX
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if httpx.get(f"{url}/ready", timeout=10).status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.05)
    raise AssertionError(log.read_text(errors="replace"))


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
