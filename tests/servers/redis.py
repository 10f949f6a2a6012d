"""Redis: append-only file, a password, and many logical databases so that each test has one to itself."""

import secrets
import socket
from pathlib import Path
from typing import ClassVar

import msgspec

from tests.servers.process import Server, find_program, run_once

DATABASES = 1024
ANSWER_SECONDS = 5.0


class RedisAddress(msgspec.Struct, frozen=True):
    """Where a Redis answers. Database 0 counts the databases that were given out."""

    port: int
    password: str

    @property
    def url(self) -> str:
        return self.database_url(0)

    def database_url(self, database: int) -> str:
        return f"redis://:{self.password}@127.0.0.1:{self.port}/{database}"

    def take_database(self) -> int:
        """Number of an empty logical database that nobody else was given, as long as fewer than 1024 are in use."""
        number = 1 + int(self.ask(0, "INCR databases_given_out").removeprefix(b":")) % (DATABASES - 1)
        self.ask(number, "FLUSHDB")
        return number

    def ask(self, database: int, command: str) -> bytes:
        """The first line of the reply to a command, in the protocol's own form. Raises OSError for an error."""
        with (
            socket.create_connection(("127.0.0.1", self.port), ANSWER_SECONDS) as line,
            line.makefile("rwb") as stream,
        ):
            reply = b""
            for each in (f"AUTH {self.password}", f"SELECT {database}", command):
                stream.write(f"{each}\r\n".encode())
                stream.flush()
                reply = stream.readline()
                if not reply or reply.startswith(b"-"):
                    raise OSError(f"Redis on port {self.port} answers {each.split()[0]} with {reply!r}")
            return reply.strip()


class RedisServer(Server):
    """Every write is in the file before it is acknowledged: a kill loses nothing."""

    title: ClassVar[str] = "Redis"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._password = secrets.token_urlsafe(18)

    @classmethod
    def missing(cls) -> str:
        if find_program("redis-server", "valkey-server") is None:
            return "redis-server"
        return "" if find_program("setpriv") else "setpriv (util-linux)"

    @classmethod
    def version(cls) -> str:
        return run_once([_program(), "--version"]).strip()

    @property
    def address(self) -> RedisAddress:
        return RedisAddress(self.port, self._password)

    @property
    def url(self) -> str:
        return self.address.url

    @property
    def _config_path(self) -> Path:
        return self.folder / "redis.conf"

    def _make_data(self) -> None:
        settings = {
            "bind": "127.0.0.1",
            "port": str(self.port),
            "requirepass": self._password,
            "databases": str(DATABASES),
            "dir": str(self.folder),
            "appendonly": "yes",
            "appendfsync": "everysec",
            "save": '""',
            "daemonize": "no",
        }
        self._config_path.touch(mode=0o600)
        self._config_path.write_text("".join(f"{name} {value}\n" for name, value in settings.items()), "utf-8")

    def _command(self) -> list[str]:
        return [_program(), str(self._config_path)]

    def _answers(self) -> bool:
        try:
            return self.address.ask(0, "PING") == b"+PONG"
        except OSError:  # it does not listen yet, or still reads its file
            return False


def _program() -> str:
    found = find_program("redis-server", "valkey-server")
    assert found is not None, "Redis is not installed: python -m tests.servers.install"
    return found
