"""A desk with a clock that is moved by hand, and quick passwords: what the tests of access share."""

from pathlib import Path

import msgspec

from tmt.access import Access, AccessConfig, Principal, Role, Secret, Tokens
from tmt.access.people import COMMAND_LINE
from tmt.access.sessions import Standing
from tmt.adapters.access_store.sqlite import SqliteAccessStore
from tmt.adapters.cache.memory import MemoryCache
from tmt.ports.access_store import AccessStore
from tmt.ports.cache import Cache
from tmt.sections import load_config

SECOND_NS = 1_000_000_000
START_NS = 1_780_000_000 * SECOND_NS
PASSWORD = "seven purple lanterns"
HOME = "192.0.2.7"
SECRET = Secret("canary-secret-of-the-desk-7f3a9b2c")


class HandClock:
    """Stands still until it is moved; may also be set back, as no real one of ours is."""

    def __init__(self, now_ns: int = START_NS) -> None:
        self.time_ns = now_ns

    def now_ns(self) -> int:
        return self.time_ns

    def forward(self, seconds: float) -> None:
        self.time_ns += round(seconds * SECOND_NS)


def quick_config() -> AccessConfig:
    config = load_config(None).sections["access"]
    assert isinstance(config, AccessConfig)
    cost = msgspec.structs.replace(config.password_cost, memory_kib=64, passes=1, lanes=1)
    return msgspec.structs.replace(config, password_cost=cost)


class Desk:
    """Access on a store, and who is needed to try it."""

    def __init__(
        self,
        folder: Path,
        clock: HandClock | None = None,
        config: AccessConfig | None = None,
        cache: Cache | None = None,
        store: AccessStore | None = None,
    ) -> None:
        self.clock = clock or HandClock()
        self.config = config or quick_config()
        self.cache = cache or MemoryCache(self.clock)
        self.store = store or SqliteAccessStore(folder / "access.sqlite")
        self.access = Access(self.store, self.cache, self.clock, self.config, SECRET)

    def add(self, name: str, role: Role, *accounts: str) -> None:
        self.access.people.create(name, role, PASSWORD, by=COMMAND_LINE, accounts=accounts, must_change=False)

    def log_in(self, name: str, password: str = PASSWORD, totp: str | None = None, address: str = HOME) -> Tokens:
        return self.access.log_in(name, password, totp, address)

    def who(self, access_token: str) -> Principal:
        return self.access.authenticate(f"Bearer {access_token}", None, HOME)

    def by_key(self, key: Secret) -> Principal:
        return self.access.authenticate(None, key.text(), HOME)

    def lie(self, principal: Principal, as_of_ns: int, *, signed: bool) -> None:
        """Put into the cache that a session stood at a time; signed as only the desk itself can."""
        standing = Standing(as_of_ns=as_of_ns, principal=principal, expires_at_ns=2**62, seen_ns=0, digest=b"")
        name, encoded = f"session {principal.session_id}", msgspec.msgpack.encode(standing)
        signature = self.access._sessions._signature(name, encoded) if signed else bytes(16)
        self.cache.set(name, signature + encoded, 10**6)

    def close(self) -> None:
        self.access.close()
        self.cache.close()
