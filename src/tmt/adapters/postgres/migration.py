"""Migrations by Alembic, without a file of settings: one transaction, one at a time, each schema by itself."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Final, Literal

import psycopg
import sqlalchemy
from alembic import command
from alembic.config import Config
from alembic.util.exc import CommandError
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from tmt.adapters.postgres.database import Connection

FOLDER: Final = Path(__file__).parent / "migrations"
Direction = Literal["upgrade", "downgrade"]


class MigrationFailed(Exception):
    """Nothing was changed."""


def run(connect: Callable[[], Connection], schema: str, direction: Direction, revision: str) -> None:
    """Move `schema` to `revision` in one transaction, alone: another migration of the schema waits for its end.

    Raises:
        MigrationFailed: when nothing was changed.
    """
    engine = sqlalchemy.create_engine("postgresql+psycopg://", creator=connect, poolclass=NullPool)
    try:
        with engine.begin() as connection:
            lock = sqlalchemy.text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))")
            connection.execute(lock, {"name": f"tmt migration {schema}"})
            _move(_settings(schema, connection), direction, revision)
    except (CommandError, SQLAlchemyError, psycopg.Error) as error:
        raise MigrationFailed(str(getattr(error, "orig", None) or error)) from error


def script(schema: str, direction: Direction = "upgrade", revision: str = "head") -> str:
    """The SQL that moves `schema` from empty to `revision`, or from the newest back; asks no server."""
    settings = _settings(schema, None)
    settings.output_buffer = written = io.StringIO()
    span = revision if direction == "upgrade" else f"head:{revision}"
    _move(settings, direction, span, sql=True)
    return written.getvalue()


def _settings(schema: str, connection: sqlalchemy.Connection | None) -> Config:
    settings = Config()
    settings.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    settings.attributes.update(schema=schema, connection=connection)
    return settings


def _move(settings: Config, direction: Direction, revision: str, *, sql: bool = False) -> None:
    move = command.upgrade if direction == "upgrade" else command.downgrade
    move(settings, revision, sql=sql)
