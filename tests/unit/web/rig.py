"""A service that a test makes of its own routes, with people of every role, on a real port."""

import ssl
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import msgspec
from litestar.handlers import BaseRouteHandler

from tests.unit.access.desk import PASSWORD, SECRET, quick_config
from tmt.access import Access, AccessConfig, Role
from tmt.access.people import COMMAND_LINE
from tmt.adapters.access_store.sqlite import SqliteAccessStore
from tmt.adapters.cache.memory import MemoryCache
from tmt.adapters.clock.system import SystemClock
from tmt.observability.metrics import Metrics
from tmt.sections import load_config
from tmt.web.config import WebConfig
from tmt.web.health import Probing
from tmt.web.server import Server, serve
from tmt.web.service import create_service

ROLES = (Role.VIEWER, Role.TRADER, Role.RISK, Role.ADMIN)
HOME = "127.0.0.1"


def web_config(**limits: int) -> WebConfig:
    config = load_config(None).sections["web"]
    assert isinstance(config, WebConfig)
    return msgspec.structs.replace(config, limits=msgspec.structs.replace(config.limits, **limits))


def plentiful(config: AccessConfig) -> AccessConfig:
    """Rates that a test does not meet by chance."""
    rate = msgspec.structs.replace(config.rates[Role.SERVICE], requests_per_second=100_000, burst=100_000)
    return msgspec.structs.replace(config, rates=dict.fromkeys(Role, rate), bad_credentials_per_address=rate)


@contextmanager
def people(folder: Path, config: AccessConfig | None = None) -> Iterator[Access]:
    """One person of every role, named after it, and "narrow", a trader of account "alpha" alone."""
    clock = SystemClock()
    cache = MemoryCache(clock)
    chosen = plentiful(quick_config()) if config is None else config
    access = Access(SqliteAccessStore(folder / "access.sqlite"), cache, clock, chosen, SECRET)
    try:
        for role in ROLES:
            access.people.create(role.value, role, PASSWORD, by=COMMAND_LINE, must_change=False)
        access.people.create("narrow", Role.TRADER, PASSWORD, by=COMMAND_LINE, accounts=("alpha",), must_change=False)
        yield access
    finally:
        access.close()
        cache.close()


@dataclass
class Served:
    """A running service, and who may ask it."""

    server: Server
    access: Access | None
    _tokens: dict[str, str] = field(default_factory=dict)

    def headers(self, who: str | None) -> dict[str, str]:
        """What somebody sends along; None is nobody."""
        if who is None:
            return {}
        assert self.access is not None
        if who == "service":
            return {"Authorization": f"Bearer {self.access.service_token('tester')}"}
        if who not in self._tokens:
            self._tokens[who] = self.access.log_in(who, PASSWORD, None, HOME).access_token
        return {"Authorization": f"Bearer {self._tokens[who]}"}

    def ask(
        self, method: str, path: str, who: str | None = None, headers: Mapping[str, str] | None = None, **more: object
    ) -> httpx.Response:
        """One request on a connection of its own."""
        sent = {**self.headers(who), **(headers or {})}
        return httpx.request(method, self.server.url.rstrip("/") + path, headers=sent, timeout=20, **more)  # type: ignore[arg-type]


@contextmanager
def serving(
    handlers: Sequence[BaseRouteHandler],
    access: Access | None = None,
    *,
    probes: Mapping[str, Probing] | None = None,
    config: WebConfig | None = None,
    tls: ssl.SSLContext | None = None,
) -> Iterator[Served]:
    """The routes, served until the end."""
    chosen = web_config() if config is None else config
    app = create_service(
        "tester",
        handlers,
        access=access,
        probes=probes or {},
        config=chosen,
        metrics=Metrics("tester"),
        title="Tester",
        tls=tls is not None,
    )
    with serve(app, 0, name="tester", limits=chosen.limits, tls=tls) as server:
        yield Served(server, access)
