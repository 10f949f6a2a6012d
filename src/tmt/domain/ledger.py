"""A double-entry ledger: every transaction sums to zero in every unit, instruments included, to the last digit.

An instrument counts as a unit of its own, so a fill moves money one way and units the other:
the account's cash against the venue's, the account's units against the venue's.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from hashlib import blake2b

import msgspec

from tmt.domain.instrument import Instrument
from tmt.domain.money import ZERO, Exact, checked
from tmt.domain.order import Side


class Posting(msgspec.Struct, frozen=True, array_like=True):
    """One line: `amount` of `unit` (a currency or an instrument) into the ledger account `account`."""

    account: str
    unit: str
    amount: Exact


class Transaction(msgspec.Struct, frozen=True, kw_only=True):
    """Postings that belong together.

    Attributes:
        transaction_id: the fill's id, or the deposit's; each posts once.
        corrects: id of the transaction that this one corrects; nothing is ever edited.

    Raises:
        ValueError: when the postings of some unit do not sum to zero.
    """

    transaction_id: str
    postings: tuple[Posting, ...]
    corrects: str | None = None

    def __post_init__(self) -> None:
        sums: dict[str, Decimal] = {}
        for posting in self.postings:
            checked("amount", posting.amount)
            sums[posting.unit] = sums.get(posting.unit, ZERO) + posting.amount
        for unit, total in sums.items():
            if total != ZERO:
                raise ValueError(f"transaction {self.transaction_id} leaves {total} {unit}, must sum to 0")


def deposit(account: str, currency: str, amount: Decimal, transaction_id: str) -> Transaction:
    """Owner's money comes in."""
    return Transaction(
        transaction_id=transaction_id,
        postings=(Posting(f"{account}/cash", currency, amount), Posting(f"{account}/deposits", currency, -amount)),
    )


def settle_fill(
    *,
    account: str,
    instrument: Instrument,
    side: Side,
    quantity: Decimal,
    price: Decimal,
    fee: Decimal,
    fee_currency: str,
    fill_id: str,
) -> Transaction:
    """Units against money at the venue, and the venue's fee."""
    units = quantity * side.sign
    money = units * price * instrument.point_value
    postings = [
        Posting(f"{account}/units", instrument.symbol, units),
        Posting("venue/units", instrument.symbol, -units),
        Posting(f"{account}/cash", instrument.quote_currency, -money),
        Posting("venue/cash", instrument.quote_currency, money),
    ]
    if fee != ZERO:
        postings += [Posting(f"{account}/fees", fee_currency, -fee), Posting("venue/fees", fee_currency, fee)]
    return Transaction(transaction_id=fill_id, postings=tuple(postings))


class Ledger:
    """Balances, and a hash that chains every transaction posted so far."""

    def __init__(self) -> None:
        self.transactions = 0
        self.hash = bytes(32)
        self._balances: dict[tuple[str, str], Decimal] = {}
        self._posted: set[str] = set()

    def post(self, transaction: Transaction) -> bool:
        """Post once; return False, changing nothing, when the transaction's id has been posted before."""
        if transaction.transaction_id in self._posted:
            return False
        for posting in transaction.postings:
            key = (posting.account, posting.unit)
            self._balances[key] = self._balances.get(key, ZERO) + posting.amount
        self._posted.add(transaction.transaction_id)
        self.transactions += 1
        self.hash = blake2b(self.hash + msgspec.json.encode(transaction), digest_size=32).digest()
        return True

    def balance(self, account: str, unit: str) -> Decimal:
        """Sum of all postings to `account` in `unit`."""
        return self._balances.get((account, unit), ZERO)

    def balances(self) -> Iterator[tuple[str, str, Decimal]]:
        """Every (account, unit, balance), sorted."""
        for (account, unit), amount in sorted(self._balances.items()):
            yield account, unit, amount

    def units_of(self, account: str) -> list[str]:
        """Units that `account` has postings in, sorted."""
        return sorted(unit for name, unit in self._balances if name == account)

    def snapshot(self) -> LedgerSnapshot:
        """All state, for a store."""
        return LedgerSnapshot(
            transactions=self.transactions,
            hash=self.hash,
            balances=[Posting(*row) for row in self.balances()],
            posted=sorted(self._posted),
        )

    def restore(self, saved: LedgerSnapshot) -> None:
        """Become what `snapshot` saved."""
        self.transactions = saved.transactions
        self.hash = saved.hash
        self._balances = {(row.account, row.unit): row.amount for row in saved.balances}
        self._posted = set(saved.posted)


class LedgerSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """State of a `Ledger`."""

    transactions: int
    hash: bytes
    balances: list[Posting]
    posted: list[str]
