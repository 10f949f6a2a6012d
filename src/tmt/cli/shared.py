"""What every service of a desk of several processes has: configuration, database, people, certificates."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from threading import Event, Thread
from typing import TYPE_CHECKING, Final

from tmt.access import Access
from tmt.access.certificates import LiveContext, ServiceFiles, client_context, ensure_certificates, server_context
from tmt.access.opening import open_access
from tmt.adapters.clock.system import SystemClock
from tmt.adapters.event_log.postgres import PostgresEventLog
from tmt.adapters.postgres.database import Database
from tmt.cli.folders import Chosen
from tmt.cli.settings import load_settings
from tmt.cli.terminal import Terminal
from tmt.config import Loaded
from tmt.processes import open_database
from tmt.web.server import serve

if TYPE_CHECKING:
    from pathlib import Path

    from litestar.types import ASGIApp

GATEWAY_PORT: Final = 8000
STORAGE_PORT: Final = 8001
ENGINE_PORT: Final = 9001

_RENEWAL_SECONDS: Final = 3600.0
_TURN_SECONDS: Final = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """One service's share of the desk.

    Attributes:
        name: of the service.
        certificates: folder of certificates; None to go without TLS.
    """

    name: str
    loaded: Loaded
    database: Database
    access: Access
    clock: SystemClock
    certificates: Path | None

    @contextmanager
    def log(self) -> Iterator[PostgresEventLog]:
        """A reader of the log."""
        with closing(PostgresEventLog(self.database, writer=False, source=self.name)) as log:
            yield log

    @contextmanager
    def client_tls(self) -> Iterator[ssl.SSLContext | None]:
        """For calls of other services, renewed like `server_tls`; None without TLS."""
        with self._renewed(client_context) as context:
            yield context

    def _files(self, folder: Path) -> ServiceFiles:
        return ensure_certificates(folder, [self.name], self.clock)[self.name]

    @contextmanager
    def server_tls(self, *, clients_need_certificates: bool = False) -> Iterator[ssl.SSLContext | None]:
        """For serving; its certificate is renewed in time without a restart, until the end. None without TLS."""
        make = partial(server_context, clients_need_certificates=clients_need_certificates)
        with self._renewed(make) as context:
            yield context

    @contextmanager
    def _renewed(self, make: Callable[[ServiceFiles], ssl.SSLContext]) -> Iterator[ssl.SSLContext | None]:
        if self.certificates is None:
            yield None
            return
        folder, files = self.certificates, self._files(self.certificates)
        context = make(files)
        live, over = LiveContext(context, files), Event()

        def renew() -> None:
            while not over.wait(_RENEWAL_SECONDS):
                self._files(folder)
                live.refresh()

        thread = Thread(target=renew, name="certificates", daemon=True)
        thread.start()
        try:
            yield context
        finally:
            over.set()

    @contextmanager
    def served(
        self, terminal: Terminal, app: ASGIApp, port: int, host: str, *, clients_need_certificates: bool = False
    ) -> Iterator[None]:
        """Serve `app`, over TLS if the desk has certificates."""
        web = self.loaded.sections["web"]
        plain = web.plain_http_beyond_loopback
        with (
            self.server_tls(clients_need_certificates=clients_need_certificates) as tls,
            serve(
                app, port, host, name=self.name, limits=web.limits, tls=tls, plain_http_beyond_loopback=plain
            ) as server,
        ):
            terminal.say(f"{self.name}: {server.url}")
            yield


@contextmanager
def shared(
    terminal: Terminal, chosen: Chosen, name: str, *, tls: bool, loaded: Loaded | None = None
) -> Iterator[Shared]:
    """What service `name` needs, until the end.

    Raises:
        StoreUnavailable: when the database is not reached, or its schema is another revision.
    """
    settings = load_settings(chosen.config_folder, chosen.overrides) if loaded is None else loaded
    clock = SystemClock()
    with open_database(settings, f"tmt-{name}") as database:
        opened = open_access(chosen.state_folder, settings.sections["access"], clock, database)
        with closing(opened.access) as access:
            if opened.first_password is not None:
                terminal.say(f"log in as admin; the first password is in {opened.first_password}")
            yield Shared(
                name=name,
                loaded=settings,
                database=database,
                access=access,
                clock=clock,
                certificates=chosen.state_folder / "tls" if tls else None,
            )


def wait(ends: Callable[[], bool]) -> None:
    """Until `ends` says so."""
    while not ends():
        time.sleep(_TURN_SECONDS)
