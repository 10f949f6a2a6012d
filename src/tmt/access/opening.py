"""Opening access on a state folder, or on the database that several processes share.

access.sqlite           people, keys, sessions, audit trail; not of a shared desk
access.secret           the desk's secret, mode 600
first-password          the first person's password until it is changed, mode 600
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from tmt.access.access import Access
from tmt.access.config import AccessConfig
from tmt.access.people import FIRST_ADMIN
from tmt.access.secret import Secret, ensure_secret, read_private, read_secret, write_private
from tmt.adapters.access_store.sqlite import SqliteAccessStore
from tmt.adapters.cache.memory import MemoryCache
from tmt.errors import StoreUnavailable
from tmt.ports.access_store import AccessStore
from tmt.ports.cache import Cache
from tmt.ports.clock import Clock

if TYPE_CHECKING:
    from tmt.adapters.postgres import Database

STORE: Final = "access.sqlite"
SECRET: Final = "access.secret"  # noqa: S105 - the name of a file
FIRST_PASSWORD: Final = "first-password"  # noqa: S105 - the name of a file


class Opened(NamedTuple):
    """Access, and the file with the first person's password, as long as it was not changed."""

    access: Access
    first_password: Path | None


def open_access(state: Path, config: AccessConfig, clock: Clock, database: Database | None = None) -> Opened:
    """Access on a state folder, or on a desk's database; the caller closes the database.

    At the first start a person "admin" is made, with a password of chance in a file.

    Raises:
        StoreUnavailable: when the store cannot be opened.
        ConfigError: TMT-A017, when the secret cannot be used.
    """
    try:
        state.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreUnavailable("TMT-A016", f"cannot make the folder: {error.strerror}", where=str(state)) from error
    secret = read_secret(Path(config.secret_file)) if config.secret_file else ensure_secret(state / SECRET)
    store = _store(state, database)
    try:
        access = Access(store, _cache(config, clock), clock, config, secret)
        return Opened(access, _introduce_first(access, state / FIRST_PASSWORD))
    except BaseException:
        store.close()
        raise


def _store(state: Path, database: Database | None) -> AccessStore:
    if database is None:
        return SqliteAccessStore(state / STORE)
    from tmt.adapters.access_store.postgres import PostgresAccessStore  # noqa: PLC0415 - only where there is a server

    return PostgresAccessStore(database)


def _cache(config: AccessConfig, clock: Clock) -> Cache:
    if not config.cache_url_file:
        return MemoryCache(clock)
    from tmt.adapters.cache.redis import RedisCache  # noqa: PLC0415 - only where there is a server

    url = Secret(read_private(Path(config.cache_url_file)).strip())
    return RedisCache(url, f"{config.issuer}:access", clock)


def _introduce_first(access: Access, path: Path) -> Path | None:
    access.people.first_run(lambda password: write_private(path, password.reveal() + b"\n"))
    if not path.exists():
        return None
    if not access.people.must_change_password(FIRST_ADMIN):
        path.unlink(missing_ok=True)
        return None
    return path
