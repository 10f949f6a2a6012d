"""The records in tables: which question to which table answers what is asked, on any store that has them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from tmt.adapters.records import tables
from tmt.adapters.records.tables import Query, RowType
from tmt.domain.order import OrderState
from tmt.ports.records import FIRST, BalanceRow, FillRow, Key, OrderRow, PositionRow, PostingRow, Rows


class Store(Protocol):
    """Keeps `tables.TABLES` and the position that they stand at."""

    def position(self) -> int:
        """Log position that the rows stand at."""

    def take(self, rows: Rows, position: int) -> None:
        """Store rows and the position in one transaction, unless it stands there already, or beyond."""

    def fetch(self, query: Query) -> Sequence[tuple[Any, ...]]:
        """The rows that answer a question, their values in the order of the columns."""

    def close(self) -> None:
        """Release what is its own. Closing twice is allowed."""


class RelationalRecords:
    """See `ports.records.Records`. The store is closed with the records."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def position(self) -> int:
        """Log position that the rows stand at; 0 when nothing was folded."""
        return self._store.position()

    def apply(self, rows: Rows, position: int) -> None:
        """Take rows and the position in one transaction, unless they stand there already."""
        self._store.take(rows, position)

    def _ask(self, kind: type[RowType], query: Query) -> list[RowType]:
        return [tables.row_of(kind, values) for values in self._store.fetch(query)]

    def orders(
        self,
        *,
        accounts: Sequence[str] | None = None,
        instrument: str | None = None,
        state: OrderState | None = None,
        after: int = 0,
        limit: int = 100,
    ) -> list[OrderRow]:
        """Orders by number."""
        query = tables.numbered(OrderRow, after, limit).where(instrument=instrument, state=state)
        return self._ask(OrderRow, query.of(accounts))

    def order(self, client_order_id: str) -> OrderRow | None:
        """One order, or None."""
        found = self._ask(OrderRow, tables.one(OrderRow, client_order_id))
        return found[0] if found else None

    def fills(
        self,
        *,
        accounts: Sequence[str] | None = None,
        instrument: str | None = None,
        client_order_id: str | None = None,
        after: int = 0,
        limit: int = 100,
    ) -> list[FillRow]:
        """Fills by number."""
        query = tables.numbered(FillRow, after, limit).where(instrument=instrument, client_order_id=client_order_id)
        return self._ask(FillRow, query.of(accounts))

    def positions(
        self,
        *,
        accounts: Sequence[str] | None = None,
        instrument: str | None = None,
        after: Key = FIRST,
        limit: int = 100,
    ) -> list[PositionRow]:
        """Positions that are not flat, by account and instrument."""
        query = tables.keyed(PositionRow, after, limit).that("lots > 0").where(instrument=instrument)
        return self._ask(PositionRow, query.of(accounts))

    def postings(self, *, accounts: Sequence[str] | None = None, after: int = 0, limit: int = 100) -> list[PostingRow]:
        """Postings by number, of ledger accounts and all below them."""
        return self._ask(PostingRow, tables.numbered(PostingRow, after, limit).of_ledger(accounts))

    def balances(
        self, *, accounts: Sequence[str] | None = None, after: Key = FIRST, limit: int = 100
    ) -> list[BalanceRow]:
        """Balances by account and unit, of ledger accounts and all below them."""
        return self._ask(BalanceRow, tables.keyed(BalanceRow, after, limit).of_ledger(accounts))

    def close(self) -> None:
        """Release the store. Closing twice is allowed."""
        self._store.close()
