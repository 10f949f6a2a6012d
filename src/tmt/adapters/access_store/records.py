"""Records as rows: what the access stores on SQLite and PostgreSQL share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import msgspec

from tmt.ports.access_store import TABLES, Attempts, AuditEntry, KeptAnswer, Record, Session, Value

Execute = Callable[[str, Sequence[Value]], Iterable[tuple[Any, ...]]]
"""Runs one statement with `?` for each value; answers its rows."""

_TOUCHED: Final[dict[type[msgspec.Struct], str]] = {
    Attempts: "last_at_ns",
    KeptAnswer: "begun_at_ns",
    Session: "expires_at_ns",
}


class SqlRecords:
    """See `ports.access_store.Records`. Table and column names come from the record types alone, never from outside."""

    def __init__(self, execute: Execute) -> None:
        self._execute = execute

    def get(self, kind: type[Record], key: str | int) -> Record | None:
        """The record with this key."""
        for row in self._execute(_GET[kind], (key,)):
            return _record(kind, row)
        return None

    def select(
        self, kind: type[Record], *, after: str | int | None = None, limit: int = 100, newest_first: bool = False
    ) -> list[Record]:
        """At most `limit` records in the order of their keys, from the one next to `after` on."""
        bounds: tuple[str | int, ...] = () if after is None else (after,)
        query = _SELECT[kind, after is not None, newest_first]
        return [_record(kind, row) for row in self._execute(query, (*bounds, limit))]

    def put(self, record: msgspec.Struct) -> None:
        """Insert the record, or replace the one with its key."""
        values = [_value(getattr(record, field)) for field in record.__struct_fields__]
        self._execute(_PUT[type(record)], values)

    def delete(self, kind: type[Record], key: str | int) -> None:
        """Remove a record, if it is there."""
        self._execute(_DELETE[kind], (key,))

    def purge(self, kind: type[Attempts | KeptAnswer | Session], before_ns: int) -> int:
        """Remove attempts last made, answers begun and sessions expired before a time; return how many."""
        return sum(1 for _ in self._execute(_PURGE[kind], (before_ns,)))


def _record(kind: type[Record], row: Sequence[Any]) -> Record:
    values = dict(zip(kind.__struct_fields__, row, strict=True))
    if "accounts" in values:
        values["accounts"] = msgspec.json.decode(values["accounts"])
    return msgspec.convert(values, kind, strict=False)


def _value(value: Any) -> Value:
    return msgspec.json.encode(value).decode() if isinstance(value, tuple) else value


def _columns(kind: type[msgspec.Struct]) -> str:
    return ", ".join(kind.__struct_fields__)


def _put(kind: type[msgspec.Struct]) -> str:
    key, *others = kind.__struct_fields__
    marks = ", ".join("?" * len(kind.__struct_fields__))
    insert = f"INSERT INTO {TABLES[kind]} ({_columns(kind)}) VALUES ({marks})"  # noqa: S608
    if kind is AuditEntry:
        return insert
    changes = ", ".join(f"{field} = excluded.{field}" for field in others)
    return f"{insert} ON CONFLICT ({key}) DO UPDATE SET {changes}"


def _select(kind: type[msgspec.Struct], bounded: bool, newest_first: bool) -> str:
    key = kind.__struct_fields__[0]
    sign, order = ("<", "DESC") if newest_first else (">", "ASC")
    bound = f"WHERE {key} {sign} ? " if bounded else ""
    return f"SELECT {_columns(kind)} FROM {TABLES[kind]} {bound}ORDER BY {key} {order} LIMIT ?"  # noqa: S608


_GET: Final = {
    kind: f"SELECT {_columns(kind)} FROM {table} WHERE {kind.__struct_fields__[0]} = ?"  # noqa: S608
    for kind, table in TABLES.items()
}
_SELECT: Final = {
    (kind, bounded, newest_first): _select(kind, bounded, newest_first)
    for kind in TABLES
    for bounded in (False, True)
    for newest_first in (False, True)
}
_PUT: Final[dict[type, str]] = {kind: _put(kind) for kind in TABLES}
_DELETE: Final = {
    kind: f"DELETE FROM {table} WHERE {kind.__struct_fields__[0]} = ?"  # noqa: S608
    for kind, table in TABLES.items()
}
_PURGE: Final = {
    kind: f"DELETE FROM {TABLES[kind]} WHERE {column} < ? RETURNING 1"  # noqa: S608
    for kind, column in _TOUCHED.items()
}
