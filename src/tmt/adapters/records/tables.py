"""The tables of the records, the same in every store: a column a field of the row's type, in its order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple, TypeVar

import msgspec

from tmt.domain.money import decode_hook
from tmt.ports.records import ROWS_MAX, BalanceRow, FillRow, OrderRow, PositionRow, PostingRow, Row, Rows

RowType = TypeVar("RowType", bound=Row)


class Table(NamedTuple):
    """One table, the type of its rows, and the columns that tell two of them apart."""

    name: str
    kind: type[Row]
    key: tuple[str, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """Names, in the order of the type's fields."""
        return self.kind.__struct_fields__

    def upsert(self, mark: str) -> str:
        """SQL that takes a row, new or changed; `mark` stands for a value."""
        marks = ", ".join([mark] * len(self.columns))
        changes = ", ".join(f"{name} = excluded.{name}" for name in self.columns if name not in self.key)
        return (
            f"INSERT INTO {self.name} ({', '.join(self.columns)}) VALUES ({marks})"  # noqa: S608
            f" ON CONFLICT ({', '.join(self.key)}) DO UPDATE SET {changes}"
        )


TABLES: Final = (
    Table("orders", OrderRow, ("client_order_id",)),
    Table("fills", FillRow, ("fill_id",)),
    Table("positions", PositionRow, ("account", "instrument")),
    Table("postings", PostingRow, ("number",)),
    Table("balances", BalanceRow, ("account", "unit")),
)
BY_KIND: Final = {table.kind: table for table in TABLES}


class Query(NamedTuple):
    """A question to one table: conditions that all hold, with a value for each "?" in them, and the answer's order."""

    kind: type[Row]
    conditions: tuple[str, ...]
    values: tuple[int | str, ...]
    order: str

    def sql(self, mark: str) -> str:
        """The question, with `mark` in the place of each value."""
        table = BY_KIND[self.kind]
        where = " AND ".join(self.conditions) or "true"
        chosen = ", ".join(table.columns)
        return f"SELECT {chosen} FROM {table.name} WHERE {where} ORDER BY {self.order}".replace("?", mark)  # noqa: S608


def numbered(kind: type[Row], after: int, limit: int, **equal: str | None) -> Query:
    """At most `limit` rows by number, after one, in which every column that is given a value has it."""
    given = {name: value for name, value in equal.items() if value is not None}
    conditions = ("number > ?", *(f"{name} = ?" for name in given))
    return Query(kind, conditions, (after, *given.values(), max(0, min(limit, ROWS_MAX))), "number LIMIT ?")


def keyed(kind: type[Row], *conditions: str, **equal: str | None) -> Query:
    """All rows by key, in which every column that is given a value has it."""
    given = {name: value for name, value in equal.items() if value is not None}
    order = ", ".join(BY_KIND[kind].key)
    return Query(kind, (*conditions, *(f"{name} = ?" for name in given)), tuple(given.values()), order)


def of_ledger_account(query: Query, account: str) -> Query:
    """The same question about one ledger account and all below it."""
    condition = "(account = ? OR (account >= ? AND account < ?))"  # "0" is the character after "/"
    first, *others = query.values
    values = (first, account, f"{account}/", f"{account}0", *others)
    return query._replace(conditions=(query.conditions[0], condition, *query.conditions[1:]), values=values)


def changed(rows: Rows) -> list[tuple[Table, Sequence[Row]]]:
    """The tables that have rows to take."""
    return [(table, getattr(rows, table.name)) for table in TABLES if getattr(rows, table.name)]


def values_of(row: Row) -> tuple[Any, ...]:
    """A row's fields in the order of the columns."""
    return msgspec.structs.astuple(row)


def row_of(kind: type[RowType], values: Sequence[Any]) -> RowType:
    """The row that a store gave: numbers as Decimal or as text."""
    return msgspec.convert(dict(zip(kind.__struct_fields__, values, strict=True)), kind, dec_hook=decode_hook)
