"""A desk's PostgreSQL database: connections, what is safe to try again, and whether the server keeps its promises.

Three ways in, by what an interruption means: `connection` for statements that stand alone, `transaction` for several
that belong together, `retrying` for what may be done twice.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Literal, TypeVar

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg_pool import ConnectionPool

from tmt.adapters.clock.patience import Patience
from tmt.adapters.postgres.connection import BoundedConnection, Connection
from tmt.errors import AdapterUnavailable, ConfigError, OutcomeUnknown, StoreUnavailable

T = TypeVar("T")
__all__ = ["Connection", "Database", "first_line", "newest_revision"]

CONNECTIONS_MAX: Final = 200
PATIENCE_SECONDS: Final = 10.0
_LOST_AFTER: Final = {  # a server that is gone without a word: seconds, but for the last, milliseconds
    "connect_timeout": 5,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
_WAITING_MAX: Final = 1000
_STATEMENT_SECONDS: Final = 10
_ANSWER_AFTER_SECONDS: Final = 3
_MIGRATION_SECONDS: Final = 600
_SCHEMA_NAME: Final = re.compile(r"[a-z_][a-z0-9_]{0,62}", re.ASCII)
_PROMISES: Final = {
    "fsync": ("on",),
    "synchronous_commit": ("on", "remote_apply"),
    "full_page_writes": ("on",),
    "data_sync_retry": ("off",),
}
_VERSIONS: Final = Path(__file__).parent / "migrations" / "versions"


class Database:
    """One schema of one PostgreSQL database. Nothing is connected before it is asked for.

    Args:
        dsn: libpq connection string or URI.
        schema: where all tables live; lower-case letters, digits and underscores.
        pool_max: connections at most, 1 to 200; a log's writer has one more of its own.
        statement_seconds: how long a statement may take on the server; a silent server is given up 3 s later.
        wait_seconds: how long to wait for a pooled connection, be the pool exhausted or the server away.
        application: what the server shows as the client's name.

    Attributes:
        schema: as given.
        where: host, port, database and schema, for messages; never the password.

    Raises:
        ConfigError: when an argument cannot be used.
    """

    def __init__(
        self,
        dsn: str,
        schema: str,
        *,
        pool_max: int = 16,
        statement_seconds: int = _STATEMENT_SECONDS,
        wait_seconds: float = 5.0,
        application: str = "tmt",
    ) -> None:
        if _SCHEMA_NAME.fullmatch(schema) is None:
            raise ConfigError("TMT-P001", f"{schema!r} is not usable as a schema's name", fix="use a name such as tmt")
        if not 1 <= pool_max <= CONNECTIONS_MAX:
            raise ConfigError("TMT-P001", f"pool_max must be 1 to {CONNECTIONS_MAX}, was {pool_max}")
        asked = _parsed(dsn)
        host, port = asked.get("host") or asked.get("hostaddr") or "localhost", asked.get("port") or 5432
        self.schema = schema
        self.where = f"{host}:{port}/{asked.get('dbname') or ''} schema {schema}"
        self._closed = False
        self._asked_options = str(asked.get("options") or "")
        self._conninfo = make_conninfo(dsn, application_name=application, **_LOST_AFTER)
        self._statement_seconds = statement_seconds
        self._pool: ConnectionPool[BoundedConnection] = ConnectionPool(
            self._conninfo,
            connection_class=BoundedConnection,
            kwargs={"autocommit": True, "options": self._options(statement_seconds)},
            configure=self._bound,
            min_size=0,
            max_size=pool_max,
            open=False,
            check=BoundedConnection.check,
            name=application,
            timeout=wait_seconds,
            max_waiting=_WAITING_MAX,
            reconnect_timeout=wait_seconds,
            num_workers=2,
        )

    def __repr__(self) -> str:
        return f"Database({self.where})"

    def _options(self, statement_seconds: int) -> str:
        settings = {
            "search_path": self.schema,
            "synchronous_commit": "on",
            "jit": "off",
            "statement_timeout": f"{statement_seconds}s",
            "idle_in_transaction_session_timeout": f"{statement_seconds}s",
        }
        return " ".join([self._asked_options, *(f"-c {name}={value}" for name, value in settings.items())]).strip()

    def _bound(self, connection: BoundedConnection) -> None:
        connection.answer_seconds = self._statement_seconds + _ANSWER_AFTER_SECONDS

    def connect(self, *, autocommit: bool = True, statement_seconds: int | None = None) -> Connection:
        """A connection of one's own, outside the pool; to be closed by the caller."""
        seconds = self._statement_seconds if statement_seconds is None else statement_seconds
        try:
            options = self._options(seconds)
            connection = BoundedConnection.connect(self._conninfo, autocommit=autocommit, options=options)
        except psycopg.OperationalError as error:
            raise self.unavailable("connect to", error) from error
        connection.answer_seconds = seconds + _ANSWER_AFTER_SECONDS
        return connection

    def _open_pool(self) -> ConnectionPool[BoundedConnection]:
        if self._closed:
            raise StoreUnavailable("TMT-P002", "the connection to PostgreSQL was closed", where=self.where)
        self._pool.open()
        return self._pool

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """A pooled connection on which each statement is a transaction of its own.

        Raises:
            StoreUnavailable: when the server is lost; a statement that writes may have been carried out.
        """
        try:
            with self._open_pool().connection() as connection:
                yield connection
        except (psycopg.OperationalError, psycopg.InterfaceError) as error:
            raise self.unavailable("use", error) from error

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """A pooled connection inside one transaction, committed at the end of the block.

        Raises:
            StoreUnavailable: when the server is lost before the end; nothing was carried out.
            OutcomeUnknown: when it is lost at the end.
        """
        finished = False
        try:
            with self._open_pool().connection() as connection, connection.transaction():
                yield connection
                finished = True
        except (psycopg.OperationalError, psycopg.InterfaceError) as error:
            if finished:
                what = f"the end of a transaction was not confirmed: {first_line(error)}"
                raise OutcomeUnknown("TMT-P006", what, where=self.where, fix="do the same again") from error
            raise self.unavailable("use", error) from error

    def retrying(self, work: Callable[[Connection], T], patience_seconds: float = PATIENCE_SECONDS) -> T:
        """Answer of `work`, which is given a pooled connection, and another one for as long as the server is lost.

        Only for work that may be done twice: reads, and writes that their own ids keep from happening twice.
        """
        patience = Patience(patience_seconds)
        while True:
            connection: Connection | None = None
            try:
                with self._open_pool().connection() as connection:
                    return work(connection)
            except (psycopg.OperationalError, psycopg.InterfaceError) as error:
                is_lost = connection is None or connection.closed
                if not is_lost or not patience.wait():
                    raise self.unavailable("use", error) from error

    def check_settings(self) -> None:
        """Refuse a server that may lose what it has acknowledged.

        Raises:
            StoreUnavailable: naming every setting that is not as it must be.
        """
        query = "SELECT name, setting FROM pg_settings WHERE name = ANY(%s) ORDER BY name"
        with self._own() as connection:
            found = dict(connection.execute(query, (list(_PROMISES),)).fetchall())
        wrong = [f"{name}={found.get(name)}" for name, right in _PROMISES.items() if found.get(name) not in right]
        if wrong:
            right = ", ".join(f"{name}={values[0]}" for name, values in _PROMISES.items())
            what = f"the server may lose what it has acknowledged: {', '.join(wrong)}"
            raise StoreUnavailable("TMT-P003", what, where=self.where, fix=f"set {right}")

    def revision(self) -> str | None:
        """The schema's revision; None before the first migration."""
        with self._own() as connection:
            known = connection.execute("SELECT to_regclass('alembic_version')").fetchone()
            if known is None or known[0] is None:
                return None
            row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
            return None if row is None else str(row[0])

    def require_current(self) -> None:
        """Refuse a schema of another version than this program's.

        Raises:
            StoreUnavailable: when it is, or when there is none.
        """
        revision = self.revision()
        if revision != newest_revision():
            what = "the database has no tables yet" if revision is None else f"the database is at revision {revision}"
            fix = (
                "run `tmt database migrate`"
                if revision is None or revision < newest_revision()
                else "use the newer program"
            )
            what += f", this program needs {newest_revision()}"
            raise StoreUnavailable("TMT-P004", what, where=self.where, fix=fix)

    def migrate(self, revision: str = "head") -> None:
        """Bring the schema up to `revision`, making it when it is missing; all of it or nothing.

        Raises:
            StoreUnavailable: when the server is lost, or a migration fails.
        """
        self._migration("upgrade", revision)

    def downgrade(self, revision: str) -> None:
        """Take the schema back to `revision`, or to "base"; a log that holds events is never dropped."""
        self._migration("downgrade", revision)

    def _migration(self, direction: Literal["upgrade", "downgrade"], revision: str) -> None:
        from tmt.adapters.postgres import migration  # noqa: PLC0415 - Alembic takes half a second to import

        def connect() -> Connection:
            return self.connect(autocommit=False, statement_seconds=_MIGRATION_SECONDS)

        try:
            migration.run(connect, self.schema, direction, revision)
        except migration.MigrationFailed as error:
            what = f"cannot {direction} the database to {revision}: {first_line(error)}"
            raise StoreUnavailable("TMT-P005", what, where=self.where) from error

    @contextmanager
    def _own(self) -> Iterator[Connection]:
        connection = self.connect()
        try:
            yield connection
        except (psycopg.OperationalError, psycopg.InterfaceError) as error:
            raise self.unavailable("use", error) from error
        finally:
            connection.close()

    def unavailable(self, verb: str, error: psycopg.Error) -> AdapterUnavailable:
        """The error to raise when the server does not do what was asked."""
        what = f"cannot {verb} PostgreSQL: {first_line(error)}"
        return StoreUnavailable(
            "TMT-P002", what, where=self.where, fix="see that the server runs and takes connections"
        )

    def close(self) -> None:
        """Close every pooled connection. Closing twice is allowed."""
        self._closed = True
        self._pool.close()


def newest_revision() -> str:
    """The revision that this program needs: the first four characters of the newest migration's file."""
    return max(path.name[:4] for path in _VERSIONS.glob("[0-9]*.py"))


def first_line(error: Exception) -> str:
    """An error's first line: what follows may quote values."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def _parsed(dsn: str) -> dict[str, str | int | None]:
    try:
        return dict(conninfo_to_dict(dsn))
    except psycopg.ProgrammingError:
        # libpq's text quotes the address, password and all.
        what = "the address of the PostgreSQL database cannot be read"
        raise ConfigError("TMT-P001", what, fix="write it like postgresql://user:password@host:5432/database") from None
