"""Settings of the stores that several processes share."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import msgspec
from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from tmt.errors import ConfigError

_SCHEMA: Final = re.compile(r"[a-z_][a-z0-9_]{0,62}", re.ASCII)


class StoresConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a desk of several processes keeps its log, its records and its people.

    Attributes:
        database: libpq connection string or URI, without a password.
        password_file: file with the password alone; empty for none (or PGPASSFILE).
        schema: holds every table of one desk.
        connections_max: of one process, 1 to 200.
    """

    database: str
    password_file: str
    schema: str
    connections_max: int

    def __post_init__(self) -> None:
        if _SCHEMA.fullmatch(self.schema) is None:
            raise ValueError(f"schema must be a lower-case name, was {self.schema!r}")
        if not 1 <= self.connections_max <= 200:
            raise ValueError(f"connections_max must be 1 to 200, was {self.connections_max}")
        try:
            asked = conninfo_to_dict(self.database)
        except ProgrammingError:  # its text would show the connection string
            raise ValueError("database must be a libpq connection string or URI") from None
        if "password" in asked:
            raise ValueError("database must not hold a password: put it in a file and name it in password_file")

    def dsn(self) -> str:
        """The connection string with its password.

        Raises:
            ConfigError: when the password's file cannot be read.
        """
        if not self.password_file:
            return self.database
        try:
            file = Path(self.password_file)
            if file.stat().st_mode & 0o077:
                raise ConfigError(
                    "TMT-C042",
                    "the database's password can be read by others",
                    where=self.password_file,
                    fix=f"chmod 600 {self.password_file}",
                )
            password = file.read_text().strip()
        except OSError as error:
            raise ConfigError(
                "TMT-C042",
                f"the database's password cannot be read: {error.strerror}",
                where=self.password_file,
                fix="make the file readable to the desk's user alone, or correct stores.password_file",
            ) from error
        return make_conninfo(self.database, password=password)
