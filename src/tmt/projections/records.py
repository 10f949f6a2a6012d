"""The records: which rows follow from which messages, and the one who keeps the tables up with the log.

Positions and postings are those of a `Portfolio` and its ledger; there is no second accounting.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Final, NamedTuple

from msgspec.structs import replace

from tmt import messages as m
from tmt.domain.ledger import Ledger, Transaction
from tmt.domain.money import ZERO, divide
from tmt.domain.order import TERMINAL_STATES, OrderState, OrderType, TimeInForce
from tmt.errors import InputError
from tmt.invariants import state_after
from tmt.ports.event_log import EventLog
from tmt.ports.records import (
    FIRST,
    ROWS_MAX,
    BalanceRow,
    FillRow,
    OrderRow,
    PositionRow,
    PostingRow,
    Records,
    Rows,
)
from tmt.projections.portfolio import Portfolio

KINDS: Final = (m.SessionStarted, m.AccountOpened, m.OrderSubmitted, *m.VENUE_EVENTS)
"""Messages that rows follow from."""

EVENTS_PER_BATCH: Final = 2000
ENDED_ORDERS_MAX: Final = 10_000
"""Ended orders remembered, for fills that come late; the row of one that is forgotten stays as it is."""

_TYPES: Final = tuple(kind.__name__ for kind in KINDS)


class _Journal(Ledger):
    """A ledger that tells what has been posted since it was last asked."""

    def __init__(self) -> None:
        super().__init__()
        self._new: list[Transaction] = []

    def post(self, transaction: Transaction) -> bool:
        """Post once, and remember it until asked."""
        posted = super().post(transaction)
        if posted:
            self._new.append(transaction)
        return posted

    def take(self) -> list[Transaction]:
        """What was posted since the last call, in order."""
        new, self._new = self._new, []
        return new


class _Order(NamedTuple):
    """An order's row, and quantity × price over its fills."""

    row: OrderRow
    filled_value: Decimal


class RecordsFold:
    """Folds messages, each at its log position, into rows."""

    def __init__(self) -> None:
        self._portfolio = Portfolio()
        self._portfolio.ledger = self._journal = _Journal()
        self._orders: dict[str, _Order] = {}
        self._entries: dict[str, m.OrderSubmitted] = {}
        self._numbers = {"orders": 0, "fills": 0, "postings": 0}
        self.forget_changes()

    def forget_changes(self) -> None:
        """The changes so far are stored: `rows` begins anew."""
        self._changed_orders: dict[str, OrderRow] = {}
        self._new_fills: list[FillRow] = []
        self._changed_positions: dict[tuple[str, str], PositionRow] = {}
        self._new_postings: list[PostingRow] = []
        self._changed_balances: dict[tuple[str, str], BalanceRow] = {}

    def rows(self) -> Rows:
        """Rows that are new or changed since `forget_changes`."""
        return Rows(
            orders=tuple(self._changed_orders.values()),
            fills=tuple(self._new_fills),
            positions=tuple(self._changed_positions.values()),
            postings=tuple(self._new_postings),
            balances=tuple(self._changed_balances.values()),
        )

    def balances(self) -> Iterator[tuple[str, str, Decimal]]:
        """Every (ledger account, unit, balance), sorted."""
        return self._journal.balances()

    def fold(self, message: m.Message, position: int) -> None:
        """Fold one message of `KINDS`, found in the log at `position`."""
        self._portfolio.evolve(message)
        posted = self._journal.take()
        for transaction in posted:
            self._post(transaction, message, position)
        match message:
            case m.OrderSubmitted():
                self._submit(message, position)
            case m.OrderFilled() if posted:
                self._fill(message, position)
            case m.OrderFilled() | m.CancelRejected():
                pass
            case m.VenueEvent():
                self._follow(message, position)
            case _:
                pass

    def _next(self, table: str) -> int:
        self._numbers[table] += 1
        return self._numbers[table]

    def _post(self, transaction: Transaction, cause: m.Message, position: int) -> None:
        for posting in transaction.postings:
            self._new_postings.append(
                PostingRow(
                    position=position,
                    number=self._next("postings"),
                    transaction_id=transaction.transaction_id,
                    account=posting.account,
                    unit=posting.unit,
                    amount=posting.amount,
                    posted_at_ns=cause.occurred_at_ns,
                )
            )
            self._changed_balances[posting.account, posting.unit] = BalanceRow(
                position=position,
                account=posting.account,
                unit=posting.unit,
                amount=self._journal.balance(posting.account, posting.unit),
            )

    def _submit(self, submitted: m.OrderSubmitted, position: int) -> None:
        order = submitted.order
        row = OrderRow(
            position=position,
            number=self._next("orders"),
            client_order_id=submitted.client_order_id,
            order_id=order.order_id,
            entry_client_order_id="",
            account=order.account,
            instrument=order.instrument,
            side=order.side,
            role="close" if order.reduce_only else "entry",
            type=order.type,
            time_in_force=order.time_in_force,
            quantity=order.quantity,
            limit_price=order.limit_price,
            stop_price=order.stop_price,
            filled=ZERO,
            average_price=None,
            state=OrderState.SUBMITTED,
            reason="",
            strategy=order.strategy,
            setup=order.setup,
            submitted_at_ns=submitted.occurred_at_ns,
            changed_at_ns=submitted.occurred_at_ns,
        )
        self._keep(_Order(row, ZERO))
        for exit_id in (submitted.stop_loss_client_order_id, submitted.take_profit_client_order_id):
            if exit_id is not None:
                self._entries[exit_id] = submitted
        _keep_newest(self._entries)

    def _open_exit(self, accepted: m.OrderAccepted, entry: m.OrderSubmitted, position: int) -> None:
        stops = accepted.client_order_id == entry.stop_loss_client_order_id
        row = OrderRow(
            position=position,
            number=self._next("orders"),
            client_order_id=accepted.client_order_id,
            order_id=accepted.order_id,
            entry_client_order_id=entry.client_order_id,
            account=accepted.account,
            instrument=accepted.instrument,
            side=accepted.side,
            role="stop_loss" if stops else "take_profit",
            type=accepted.order_type,
            time_in_force=TimeInForce.GTC,
            quantity=accepted.quantity,
            limit_price=None if accepted.order_type is OrderType.STOP else accepted.price,
            stop_price=accepted.price if accepted.order_type is OrderType.STOP else None,
            filled=ZERO,
            average_price=None,
            state=OrderState.ACCEPTED,
            reason="",
            strategy=entry.order.strategy,
            setup=entry.order.setup,
            submitted_at_ns=accepted.occurred_at_ns,
            changed_at_ns=accepted.occurred_at_ns,
        )
        self._keep(_Order(row, ZERO))

    def _follow(self, event: m.VenueEvent, position: int) -> None:
        known = self._orders.get(event.client_order_id)
        if known is None:
            if isinstance(event, m.OrderAccepted) and event.client_order_id in self._entries:
                self._open_exit(event, self._entries.pop(event.client_order_id), position)
            return
        changes: dict[str, Any] = {}
        if isinstance(event, m.OrderAccepted | m.OrderReplaced):
            changes["quantity"] = event.quantity
        if isinstance(event, m.OrderReplaced):
            changes["limit_price"] = known.row.limit_price if event.limit_price is None else event.limit_price
            changes["stop_price"] = known.row.stop_price if event.stop_price is None else event.stop_price
        else:
            changes["state"] = state_after(event)
        if isinstance(event, m.OrderRejected | m.OrderCancelled):
            changes["reason"] = event.reason
        self._keep(known, position=position, changed_at_ns=event.occurred_at_ns, **changes)

    def _fill(self, fill: m.OrderFilled, position: int) -> None:
        self._new_fills.append(
            FillRow(
                position=position,
                number=self._next("fills"),
                fill_id=fill.fill_id,
                client_order_id=fill.client_order_id,
                order_id=fill.order_id,
                account=fill.account,
                instrument=fill.instrument,
                side=fill.side,
                quantity=fill.quantity,
                price=fill.price,
                fee=fill.fee,
                fee_currency=fill.fee_currency,
                role=fill.role,
                liquidity=fill.liquidity,
                slippage=fill.slippage,
                filled_at_ns=fill.occurred_at_ns,
            )
        )
        self._hold(fill, position)
        known = self._orders.get(fill.client_order_id)
        if known is not None:
            filled = known.row.filled + fill.quantity
            value = known.filled_value + fill.quantity * fill.price
            self._keep(
                known._replace(filled_value=value),
                position=position,
                changed_at_ns=fill.occurred_at_ns,
                state=state_after(fill),
                filled=filled,
                average_price=divide(value, filled),
            )

    def _hold(self, fill: m.OrderFilled, position: int) -> None:
        held = self._portfolio.position(fill.account, fill.instrument)
        self._changed_positions[fill.account, fill.instrument] = PositionRow(
            position=position,
            account=fill.account,
            instrument=fill.instrument,
            lots=len(held.lots),
            quantity=held.quantity,
            cost=held.cost,
            average_price=held.average_price,
            changed_at_ns=fill.occurred_at_ns,
        )

    def _keep(self, order: _Order, **changes: Any) -> None:
        row = replace(order.row, **changes)
        self._orders[row.client_order_id] = order._replace(row=row)
        self._changed_orders[row.client_order_id] = row
        if len(self._orders) > 2 * ENDED_ORDERS_MAX:
            ended = [id_ for id_, each in self._orders.items() if each.row.state in TERMINAL_STATES]
            for id_ in ended[: -ENDED_ORDERS_MAX or None]:
                del self._orders[id_]


def _keep_newest(entries: dict[str, m.OrderSubmitted]) -> None:
    while len(entries) > 2 * ENDED_ORDERS_MAX:
        del entries[next(iter(entries))]


class Projector:
    """Keeps records up with a log, a bounded number of events at a time.

    What the records hold is told by them alone: on starting, and after any failure, it goes on from there. Until it is
    there again, a start folds the messages of `KINDS` from the log's beginning, and stores nothing.

    Args:
        events_per_batch: events of the log, of whatever type, between two transactions.

    Attributes:
        behind: messages of the log that were not in the records when last looked.
    """

    def __init__(self, log: EventLog, records: Records, *, events_per_batch: int = EVENTS_PER_BATCH) -> None:
        self.behind = 0
        self._log = log
        self._records = records
        self._events_per_batch = events_per_batch
        self._start(records.position())

    def _start(self, stored: int) -> None:
        self._fold = RecordsFold()
        self._folded = 0
        self._stored = stored
        self._checked = stored == 0

    def begin(self) -> None:
        """Ask the records anew how far they are, after a failure."""
        stored = self._records.position()
        if stored < self._stored:
            self._start(stored)
        elif stored >= self._folded:
            self._fold.forget_changes()
        self._stored = stored

    def catch_up(self) -> int:
        """Bring the records to the log's head; return that position.

        Raises:
            StoreUnavailable: when the log or the records cannot be reached; calling again goes on.
            InputError: TMT-Q012 when the records were made from another log.
        """
        while self.step():
            pass
        return self._folded

    def step(self) -> bool:
        """Take in one batch; False when there was nothing new. Raises what `catch_up` does."""
        self._store()
        head = self._log.head()
        self.behind = max(0, head - self._stored)
        if head < self._stored:
            raise self._made_from_another_log(f"the log ends at {head}")
        if self._folded < self._stored:
            self._read_on(min(self._stored, self._folded + self._events_per_batch))
            self._fold.forget_changes()
            return True
        self._check_balances()
        if self._folded == head:
            return False
        self._read_on(min(head, self._folded + self._events_per_batch))
        self._store()
        self.behind = head - self._stored
        return True

    def _read_on(self, until: int) -> None:
        for recorded in self._log.read(after=self._folded, types=_TYPES, until=until):
            self._fold.fold(m.decode(recorded.body), recorded.position)
            self._folded = recorded.position
        self._folded = until

    def _store(self) -> None:
        if self._stored < self._folded:
            self._records.apply(self._fold.rows(), self._folded)
            self._stored = self._folded
            self._fold.forget_changes()

    def _check_balances(self) -> None:
        if self._checked:
            return
        found = list(_balances(self._records))
        if self._records.position() != self._stored:
            return  # somebody else writes them as well, and has just done so
        if found != [*self._fold.balances()]:
            raise self._made_from_another_log("their balances differ from its own")
        self._checked = True

    def _made_from_another_log(self, how: str) -> InputError:
        return InputError(
            "TMT-Q012",
            f"the records stand at position {self._stored} of another event log: {how}",
            fix="give each event log records of its own; those that are removed are made again",
        )


def _balances(records: Records) -> Iterator[tuple[str, str, Decimal]]:
    after = FIRST
    while page := records.balances(after=after, limit=ROWS_MAX):
        yield from ((row.account, row.unit, row.amount) for row in page)
        after = page[-1].account, page[-1].unit
