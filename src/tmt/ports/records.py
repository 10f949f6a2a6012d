"""The records: orders, fills, positions and ledger postings as tables, for people and programs to query."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol, TypeAlias

import msgspec

from tmt.domain.money import Exact
from tmt.domain.order import OrderState, OrderType, Side, TimeInForce

ROWS_MAX: Final = 1000
"""Rows of one answer at most; a larger limit is taken as this one."""


Key: TypeAlias = tuple[str, str]
"""What tells two positions, or two balances, apart."""

FIRST: Final[Key] = ("", "")
"""Before every key."""


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """What the rows share: the log position of the last message that changed them."""

    position: int


class OrderRow(Row, frozen=True, kw_only=True):
    """One order at the venue; a bracket's exits are orders of their own.

    Attributes:
        number: counts orders from 1, in the order in which they were first heard of.
        entry_client_order_id: the entry that an exit belongs to; empty for an entry.
        role: "entry", "close", "stop_loss" or "take_profit".
        average_price: of what has filled, rounded to 12 decimals; None before the first fill.
        reason: why it was rejected or cancelled; else empty.
        submitted_at_ns: event time; of an exit, when the venue took it.
        changed_at_ns: event time of the last change.
    """

    number: int
    client_order_id: str
    order_id: str
    entry_client_order_id: str
    account: str
    instrument: str
    side: Side
    role: str
    type: OrderType
    time_in_force: TimeInForce
    quantity: Exact
    limit_price: Exact | None
    stop_price: Exact | None
    filled: Exact
    average_price: Exact | None
    state: OrderState
    reason: str
    strategy: str
    setup: str
    submitted_at_ns: int
    changed_at_ns: int


class FillRow(Row, frozen=True, kw_only=True):
    """One fill. `number` counts fills from 1; the other fields are `messages.OrderFilled`'s."""

    number: int
    fill_id: str
    client_order_id: str
    order_id: str
    account: str
    instrument: str
    side: Side
    quantity: Exact
    price: Exact
    fee: Exact
    fee_currency: str
    role: str
    liquidity: str
    slippage: Exact
    filled_at_ns: int


class PositionRow(Row, frozen=True, kw_only=True):
    """Net position of an account in an instrument, flat ones included; `cost` is quantity × entry price, exact."""

    account: str
    instrument: str
    lots: int
    quantity: Exact
    cost: Exact
    average_price: Exact | None
    changed_at_ns: int


class PostingRow(Row, frozen=True, kw_only=True):
    """One line of a ledger transaction. `number` counts lines from 1; `account` is the ledger's: "main/cash"."""

    number: int
    transaction_id: str
    account: str
    unit: str
    amount: Exact
    posted_at_ns: int


class BalanceRow(Row, frozen=True, kw_only=True):
    """Sum of all postings to a ledger account in a unit."""

    account: str
    unit: str
    amount: Exact


class Rows(msgspec.Struct, frozen=True, kw_only=True):
    """Rows that are new or changed, each as it is now."""

    orders: tuple[OrderRow, ...] = ()
    fills: tuple[FillRow, ...] = ()
    positions: tuple[PositionRow, ...] = ()
    postings: tuple[PostingRow, ...] = ()
    balances: tuple[BalanceRow, ...] = ()


class Records(Protocol):
    """Rows folded from the event log up to one position. They are never the truth: drop them, and fold again.

    Answers are in the order of the rows' numbers, or of their keys; `after` is the last number, or key, of the page
    before. A filter that is None lets everything pass, and `accounts` that are empty let nothing pass. Numbers come
    back as they went in, to the last digit. Every method may be called from several threads.

    Raises:
        StoreUnavailable: when the store cannot be reached, read or written, then and later.
    """

    def position(self) -> int:
        """Log position that the rows stand at; 0 when nothing was folded."""

    def apply(self, rows: Rows, position: int) -> None:
        """Take rows that follow from the log up to `position`, and the position, in one transaction.

        Changes nothing when the records stand at `position` already, or beyond.
        """

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

    def order(self, client_order_id: str) -> OrderRow | None:
        """One order, or None."""

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

    def positions(
        self,
        *,
        accounts: Sequence[str] | None = None,
        instrument: str | None = None,
        after: Key = FIRST,
        limit: int = 100,
    ) -> list[PositionRow]:
        """Positions that are not flat, by account and instrument, which are their key."""

    def postings(self, *, accounts: Sequence[str] | None = None, after: int = 0, limit: int = 100) -> list[PostingRow]:
        """Postings by number; of `accounts` each is a ledger account ("main/cash") or all below one ("main")."""

    def balances(
        self, *, accounts: Sequence[str] | None = None, after: Key = FIRST, limit: int = 100
    ) -> list[BalanceRow]:
        """Balances by account and unit, which are their key; `accounts` as of postings."""

    def close(self) -> None:
        """Release the store. Closing twice is allowed."""
