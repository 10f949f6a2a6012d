"""The tables of the records, the same in every store: a column a field of the row's type, in its order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple, TypeVar

import msgspec

from tmt.domain.money import decode_hook
from tmt.ports.records import ROWS_MAX, BalanceRow, FillRow, Key, OrderRow, PositionRow, PostingRow, Row, Rows

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
    order: tuple[str, ...]
    limit: int
    conditions: tuple[str, ...] = ()
    values: tuple[int | str, ...] = ()

    def that(self, condition: str, *values: int | str) -> Query:
        """The same question with one more condition."""
        return self._replace(conditions=(*self.conditions, condition), values=(*self.values, *values))

    def where(self, **equal: str | None) -> Query:
        """The same question about rows in which every column that is given a value has it."""
        given = {name: value for name, value in equal.items() if value is not None}
        query = self
        for name, value in given.items():
            query = query.that(f"{name} = ?", value)
        return query

    def of(self, accounts: Sequence[str] | None) -> Query:
        """The same question about some accounts only; None is all of them."""
        if accounts is None:
            return self
        return self.that(" OR ".join(["account = ?"] * len(accounts)) or "false", *accounts)

    def of_ledger(self, accounts: Sequence[str] | None) -> Query:
        """The same question about some ledger accounts and all below them; None is all of them."""
        if accounts is None:
            return self
        one = "account = ? OR (account >= ? AND account < ?)"  # "0" is the character after "/"
        values = (value for account in accounts for value in (account, f"{account}/", f"{account}0"))
        return self.that(" OR ".join([one] * len(accounts)) or "false", *values)

    def sql(self, mark: str) -> str:
        """The question, with `mark` in the place of each value."""
        table = BY_KIND[self.kind]
        where = " AND ".join(f"({each})" for each in self.conditions) or "true"
        chosen, order = ", ".join(table.columns), ", ".join(self.order)
        text = f"SELECT {chosen} FROM {table.name} WHERE {where} ORDER BY {order} LIMIT {self.limit}"  # noqa: S608
        return text.replace("?", mark)


def numbered(kind: type[Row], after: int, limit: int) -> Query:
    """At most `limit` rows by number, after one."""
    return Query(kind, ("number",), _bounded(limit)).that("number > ?", after)


def keyed(kind: type[Row], after: Key, limit: int) -> Query:
    """At most `limit` rows by key, after one."""
    key = BY_KIND[kind].key
    return Query(kind, key, _bounded(limit)).that(f"({', '.join(key)}) > (?, ?)", *after)


def one(kind: type[Row], key: str) -> Query:
    """The row with a key of one column."""
    [column] = BY_KIND[kind].key
    return Query(kind, (column,), 1).where(**{column: key})


def _bounded(limit: int) -> int:
    return max(0, min(limit, ROWS_MAX))


def changed(rows: Rows) -> list[tuple[Table, Sequence[Row]]]:
    """The tables that have rows to take."""
    return [(table, getattr(rows, table.name)) for table in TABLES if getattr(rows, table.name)]


def values_of(row: Row) -> tuple[Any, ...]:
    """A row's fields in the order of the columns."""
    return msgspec.structs.astuple(row)


def row_of(kind: type[RowType], values: Sequence[Any]) -> RowType:
    """The row that a store gave: numbers as Decimal or as text."""
    return msgspec.convert(dict(zip(kind.__struct_fields__, values, strict=True)), kind, dec_hook=decode_hook)
