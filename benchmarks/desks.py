"""Desks that run as they are deployed, to be put under load: embedded, with its gates in the engine, in eight processes.

All trade on the limits of `benchmarks/config`, so that no gate refuses the benchmarks' orders; every gate still runs.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from secrets import token_urlsafe
from typing import Final

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
UNBOUND: Final = {
    f"TMT__ACCESS__RATES__{role}__{limit}": "1000000"
    for role in ("TRADER", "SERVICE")
    for limit in ("REQUESTS_PER_SECOND", "BURST")
}
"""Rates of one key, which a benchmark is the only one to reach."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A desk that is ready.

    Attributes:
        urls: of its services: "gateway", "storage", "engine".
        trader: headers of somebody who may trade.
        poster: headers of somebody who may post market data.
        processes: of the desk, by name.
        log: folder of the book, or the database's address.
    """

    urls: dict[str, str]
    trader: dict[str, str]
    poster: dict[str, str]
    processes: dict[str, Tree]
    log: Path | str


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
def embedded(folder: Path, *words: str, **environment: str) -> Iterator[Served]:
    """`tmt up`: all of it in one process over SQLite."""
    folder.mkdir(parents=True)
    trader, poster = _let_in(folder, None)
    command = [sys.executable, "-m", "tmt", "up", "--headless", "--config", str(CONFIG), "--state", str(folder)]
    ports = ("--port", "0", "--storage-port", "0", "--engine-port", "0")
    env = {**os.environ, **UNBOUND, "NO_COLOR": "1", **environment}
    with (folder / "up.log").open("wb") as said:
        process = subprocess.Popen([*command, *ports, *words], stdout=said, stderr=said, env=env)
    try:
        urls = _urls_said(process, folder / "up.log")
        for url in urls.values():
            _wait_until_ready(url, process, folder / "up.log")
        yield Served(
            urls=urls,
            trader=trader,
            poster=poster,
            processes={"desk": Tree(process.pid)},
            log=folder / "books" / "main",
        )
    finally:
        _stop(process)


@contextmanager
def several(folder: Path, servers: Servers, *words: str, direct: bool = False) -> Iterator[Served]:
    """Eight processes, or with `direct` only the engine's, which then hosts every agent; log in PostgreSQL."""
    folder.mkdir(parents=True)
    dsn, others = servers.database(), tuple(name for name in NAMES if name != ENGINE)
    in_engine = ("--direct", *others) if direct else ()
    with PortLease() as lease:
        prefix, port = servers.prefix(), lease.port
        desk = ProcessDesk(folder, dsn, servers.kafka.bootstrap, prefix, port, *words, *in_engine)
        desk.env.update(UNBOUND)
        for process in desk.processes.values():
            process.env = desk.env
            process.words += ["--config", str(CONFIG)]
        try:
            if direct:
                desk.processes = {ENGINE: desk.processes[ENGINE]}
                desk.processes[ENGINE].start()
            else:
                desk.start()
            desk.wait_until_ready()
            running = {name: each.process for name, each in desk.processes.items()}
            yield Served(
                urls={"engine": desk.url},
                trader={"X-API-Key": desk.key},
                poster={},
                processes={name: Tree(each.pid) for name, each in running.items() if each is not None},
                log=dsn,
            )
        finally:
            desk.close()


@contextmanager
def gateway(folder: Path, desk: Served, servers: Servers) -> Iterator[Served]:
    """`tmt gateway run` before the engine of a desk of several processes; only its own process is in `processes`."""
    raise NotImplementedError


def _let_in(state: Path, database: Database | None) -> tuple[dict[str, str], dict[str, str]]:
    """Headers of a new trader with a key, and of a service that may post market data for five minutes."""
    opened = open_access(state, load_config(None).sections["access"], SystemClock(), database)
    with closing(opened.access) as access:
        access.people.create("bench", Role.TRADER, token_urlsafe(24), by=COMMAND_LINE, must_change=False)
        key = access.keys.create("bench", "benchmark", Role.TRADER, 1, by=COMMAND_LINE).secret.text()
        return {"X-API-Key": key}, {"Authorization": f"Bearer {access.service_token('benchmark')}"}


def _urls_said(process: subprocess.Popen[bytes], log: Path) -> dict[str, str]:
    deadline = time.monotonic() + READY_SECONDS_MAX
    while time.monotonic() < deadline and process.poll() is None:
        urls = {}
        for line in log.read_text(errors="replace").splitlines():
            name, found, rest = line.strip().partition(": http")
            if found and name in SERVICES:
                urls[SERVICES[name]] = f"http{rest}".rstrip("/")
        if len(urls) == len(SERVICES):
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
