"""PostgreSQL: a cluster of its own, passwords on 127.0.0.1, durable unless it is told not to be."""

import os
import pwd
import re
import secrets
import shutil
import signal
import tempfile
from pathlib import Path
from typing import ClassVar

import msgspec
import psycopg
from psycopg import sql

from tests.servers.process import Server, find_program, run_once

ADMINISTRATOR = "postgres"
OWNER = "tmt"
DATABASE = "tmt"
CONNECT_SECONDS = 5


class PostgresAddress(msgspec.Struct, frozen=True):
    """Where a cluster answers. `tmt` is an ordinary user that owns databases; `postgres` may do anything."""

    port: int
    password: str

    def dsn(self, database: str = DATABASE) -> str:
        return f"postgresql://{OWNER}:{self.password}@127.0.0.1:{self.port}/{database}"

    def admin_dsn(self, database: str = "postgres") -> str:
        return f"postgresql://{ADMINISTRATOR}:{self.password}@127.0.0.1:{self.port}/{database}"

    def create_database(self, name: str) -> str:
        """URI of a new, empty database."""
        self._administer(sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(name), sql.Identifier(OWNER)))
        return self.dsn(name)

    def drop_database(self, name: str) -> None:
        """Drop a database, whoever is still connected to it."""
        self._administer(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def _administer(self, statement: sql.Composed) -> None:
        with psycopg.connect(self.admin_dsn(), autocommit=True, connect_timeout=CONNECT_SECONDS) as connection:
            connection.execute(statement)


class PostgresServer(Server):
    """`durable=False` is faster, and loses data when the machine (not the server) goes down."""

    title: ClassVar[str] = "PostgreSQL"
    stop_signal: ClassVar[signal.Signals] = signal.SIGINT  # "fast": clients are sent away, data are saved
    orphan_signal: ClassVar[signal.Signals] = signal.SIGQUIT

    def __init__(self, folder: Path, *, durable: bool = True) -> None:
        super().__init__(folder)
        self.durable = durable
        self._password = secrets.token_urlsafe(18)
        # Root may not run it, and nobody else may enter what pytest makes for root.
        home = Path(tempfile.gettempdir()) / f"tmt-test-postgres-{self.port}" if os.geteuid() == 0 else folder
        self._data = home / "data"

    @classmethod
    def missing(cls) -> str:
        if _programs() is None:
            return "PostgreSQL 13 or newer"
        if os.geteuid() == 0 and _unprivileged() is None:
            return f"the user {ADMINISTRATOR}, as whom root runs PostgreSQL"
        return "" if find_program("setpriv") else "setpriv (util-linux)"

    @classmethod
    def version(cls) -> str:
        return run_once([_program("postgres"), "--version"]).strip()

    @property
    def address(self) -> PostgresAddress:
        return PostgresAddress(self.port, self._password)

    def dsn(self, database: str = DATABASE) -> str:
        return self.address.dsn(database)

    def admin_dsn(self, database: str = "postgres") -> str:
        return self.address.admin_dsn(database)

    def close(self) -> None:
        try:
            super().close()
        finally:
            if self._data.parent != self.folder:
                shutil.rmtree(self._data.parent, ignore_errors=True)

    def _make_data(self) -> None:
        if self._data.parent != self.folder:
            shutil.rmtree(self._data.parent, ignore_errors=True)  # left by a run that was killed
            self._data.parent.mkdir(mode=0o700)
            shutil.chown(self._data.parent, ADMINISTRATOR, ADMINISTRATOR)
        with tempfile.NamedTemporaryFile("w", prefix="tmt-test-") as password_file:
            password_file.write(self._password)
            password_file.flush()
            if _unprivileged():
                shutil.chown(password_file.name, ADMINISTRATOR)
            run_once(
                [
                    "setpriv",
                    *self._privileges(),
                    "--",
                    _program("initdb"),
                    f"--pgdata={self._data}",
                    f"--username={ADMINISTRATOR}",
                    f"--pwfile={password_file.name}",
                    "--auth=scram-sha-256",
                    "--encoding=UTF8",
                    "--no-locale",
                    "--no-sync",
                ]
            )

    def _command(self) -> list[str]:
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": "",
            "max_connections": "200",
            "shared_buffers": "64MB",
            "fsync": "on" if self.durable else "off",
            "full_page_writes": "on" if self.durable else "off",
        }
        flags = [flag for name, value in settings.items() for flag in ("-c", f"{name}={value}")]
        return [_program("postgres"), "-D", str(self._data), *flags]

    def _privileges(self) -> list[str]:
        user = _unprivileged()
        return [] if user is None else [f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]

    def _answers(self) -> bool:
        try:
            with psycopg.connect(self.admin_dsn(), connect_timeout=CONNECT_SECONDS, autocommit=True) as connection:
                known = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [OWNER]).fetchone()
                if known is None:
                    connection.execute(
                        sql.SQL("CREATE ROLE {} LOGIN CREATEDB PASSWORD {}").format(
                            sql.Identifier(OWNER), sql.Literal(self._password)
                        )
                    )
                    self.address.create_database(DATABASE)
        except psycopg.OperationalError:
            return False
        return True


def _unprivileged() -> pwd.struct_passwd | None:
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam(ADMINISTRATOR)
    except KeyError:
        return None


def _programs() -> Path | None:
    """Folder of the newest PostgreSQL's programs: Debian keeps them out of the PATH."""
    debian = {int(path.parent.name): path for path in Path("/usr/lib/postgresql").glob("[0-9]*/bin")}
    for _, folder in sorted(debian.items(), reverse=True):
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder
    found = find_program("postgres")
    if found is None or not (Path(found).resolve().parent / "initdb").exists():
        return None
    version = re.search(r"(\d+)", run_once([found, "--version"]))
    return Path(found).resolve().parent if version and int(version[1]) >= 13 else None


def _program(name: str) -> str:
    folder = _programs()
    assert folder is not None, "PostgreSQL is not installed: python -m tests.servers.install"
    return str(folder / name)
