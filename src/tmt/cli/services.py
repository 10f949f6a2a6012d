"""The services that a desk of one process has beside it: gateway, storage API and engine, each in a thread."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from tmt.errors import AdapterUnavailable

if TYPE_CHECKING:
    from litestar.types import ASGIApp

    from tmt.access import Access
    from tmt.adapters.door.local import LocalDoor
    from tmt.adapters.event_log.sqlite import SqliteEventLog
    from tmt.bootstrap import Desk
    from tmt.cli.terminal import Terminal
    from tmt.config import Loaded
    from tmt.engine.desk_loop import DeskLoop
    from tmt.engine.quotes import QuoteBoard
    from tmt.ports.clock import Clock
    from tmt.web.health import Probe, Probing
    from tmt.web.server import Server

FREE_BYTES_MIN: Final = 64 * 1024 * 1024
"""Room on the book's disk below which its log no longer counts as writable."""


class Ports(NamedTuple):
    """Where each service listens; None: at its usual port, if that is free."""

    gateway: int | None = None
    storage: int | None = None
    engine: int | None = None


USUAL: Final = Ports(gateway=8000, storage=8001, engine=9001)


@dataclass(frozen=True, slots=True, kw_only=True)
class Embedded:
    """The desk that is served.

    Attributes:
        desk: started.
        loop: takes its commands.
        board: its newest quotes.
        loaded: its configuration.
        book: folder of its log.
        state: folder of people and keys.
    """

    desk: Desk
    loop: DeskLoop
    board: QuoteBoard
    loaded: Loaded
    book: Path
    state: Path
    clock: Clock


@contextmanager
def services(terminal: Terminal, embedded: Embedded, ports: Ports) -> Iterator[None]:
    """Serve the desk until the end. Without a usual port the desk goes on; a port that somebody named must be free.

    Raises:
        AdapterUnavailable: TMT-W001, when a port that was named cannot be used.
        StoreUnavailable, ConfigError: when people and keys cannot be read.
    """
    from tmt.access.opening import open_access
    from tmt.adapters.door.local import LocalDoor

    with ExitStack() as resources:
        opened = open_access(embedded.state, embedded.loaded.sections["access"], embedded.clock)
        resources.callback(opened.access.close)
        door = LocalDoor(embedded.loop.submit, embedded.loaded.sections["engine"].answer_seconds_max)
        servers: list[Server] = []
        try:
            for service in (_Gateway, _Storage, _Engine):
                _start(terminal, service(embedded, opened.access, door), ports, resources, servers)
            if opened.first_password is not None and servers:
                terminal.say(f"log in as admin; the first password is in {opened.first_password}")
            yield
        finally:
            with ThreadPoolExecutor(len(USUAL)) as closing:
                list(closing.map(lambda server: server.close(), servers))


def _start(terminal: Terminal, service: _Service, ports: Ports, resources: ExitStack, servers: list[Server]) -> None:
    wanted: int | None = getattr(ports, service.key)
    port = getattr(USUAL, service.key) if wanted is None else wanted
    with ExitStack() as own:
        try:
            server = service.serve(port, own)
        except AdapterUnavailable as error:
            if wanted is not None:
                raise
            terminal.say(f"{error.code}: {error.what}; the desk runs without its {service.name}: {error.fix}")
            return
        resources.push(own.pop_all())
    servers.append(server)
    terminal.say(f"{service.shown}: {server.url}")


class _Service:
    key = ""
    name = ""
    shown = ""

    def __init__(self, embedded: Embedded, access: Access, door: LocalDoor) -> None:
        self.embedded = embedded
        self._access = access
        self._door = door

    def serve(self, port: int, resources: ExitStack) -> Server:
        """Serve it; what it holds open is left to `resources`."""
        from tmt.web.server import serve

        limits = self.embedded.loaded.sections["web"].limits
        return resources.enter_context(serve(self.app(resources), port, name=self.name, limits=limits))

    def app(self, resources: ExitStack) -> ASGIApp:
        """The application; what it holds open is left to `resources`."""
        raise NotImplementedError

    def _log(self, resources: ExitStack) -> SqliteEventLog:
        from tmt.adapters.event_log.sqlite import SqliteEventLog

        log = SqliteEventLog(self.embedded.book / "events.sqlite", read_only=True)
        resources.callback(log.close)
        return log


class _Gateway(_Service):
    key, name, shown = "gateway", "gateway", "page"

    def app(self, resources: ExitStack) -> ASGIApp:
        from tmt.engine.service import loop_probes
        from tmt.gateway.service import GatewayParts, create_gateway
        from tmt.observability.metrics import Metrics
        from tmt.topology import PATH

        embedded = self.embedded
        sections = embedded.loaded.sections
        parts = GatewayParts(
            log=self._log(resources),
            door=self._door,
            access=self._access,
            agents=embedded.desk.runner.agents,
            parameters={place.name: sections[place.name] for place in PATH},
            probes=loop_probes(embedded.loop, embedded.clock, sections["engine"].turn_seconds_max),
            quality=lambda: embedded.desk.feed.quality,
        )
        return create_gateway(parts, sections["web"], embedded.clock, Metrics("gateway"))


class _Storage(_Service):
    key, name, shown = "storage", "storage API", "storage API"

    def serve(self, port: int, resources: ExitStack) -> Server:
        from tmt.storage_api.opening import storage_api

        embedded = self.embedded
        sections = embedded.loaded.sections
        return resources.enter_context(
            storage_api(
                log=self._log(resources),
                followed=self._log(resources),
                projected=self._log(resources),
                store=embedded.book / "series",
                access=self._access,
                clock=embedded.clock,
                config=msgspec.structs.replace(sections["storage"], port=port),
                web=sections["web"],
            )
        )


class _Engine(_Service):
    key, name, shown = "engine", "engine", "engine"

    def app(self, resources: ExitStack) -> ASGIApp:
        from tmt.adapters.feed.posted import PostedFeed
        from tmt.engine.service import EngineParts, create_engine
        from tmt.gateway.following import Following
        from tmt.observability.metrics import Metrics
        from tmt.observability.stages import stages_of
        from tmt.projections.desk_reader import DeskReader
        from tmt.web.trading import trading_routes

        embedded = self.embedded
        desk, sections = embedded.desk, embedded.loaded.sections
        reader = DeskReader(self._log(resources), desk.runner.agents)
        following = Following(reader, embedded.clock)
        parts = EngineParts(
            loop=embedded.loop,
            door=self._door,
            board=embedded.board,
            feed=desk.feed if isinstance(desk.feed, PostedFeed) else None,
            instruments=embedded.board.instruments,
            trading=trading_routes(self._door, reader),
            probes={"log": log_probe(embedded.book), "reader": following.probe},
            lifespan=(following.lifespan,),
        )
        metrics = Metrics("engine")
        stages = stages_of(sections["telemetry"], embedded.clock, metrics.registry)
        resources.callback(stages.close)
        desk.runner.logged = stages.see
        return create_engine(parts, self._access, sections["engine"], sections["web"], embedded.clock, metrics)


def log_probe(book: Path, free_bytes_min: int = FREE_BYTES_MIN) -> Probing:
    """Whether the log in folder `book` can be written to: permissions, and room on its disk."""

    def look() -> Probe:
        from tmt.web.health import Probe

        disk = os.statvfs(book)
        free_bytes = disk.f_bavail * disk.f_frsize
        if not os.access(book, os.W_OK):
            return Probe(ok=False, detail="the book's folder cannot be written")
        return Probe(ok=free_bytes >= free_bytes_min, detail=f"{free_bytes // 1024 // 1024} MB free")

    return look
