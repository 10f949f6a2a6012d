"""Which rows follow from which messages: an order's life, a bracket's exits, what is told twice or comes late."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from tests.unit.core import samples
from tests.unit.core.desk import Desk
from tmt import messages as m
from tmt.domain.money import ZERO
from tmt.domain.order import OrderState, OrderType, Side
from tmt.ports.records import OrderRow
from tmt.projections.records import KINDS, RecordsFold


class Told(Desk):
    """A desk whose every message is folded into rows as well, at positions that count from 1."""

    def __init__(self) -> None:
        self.fold = RecordsFold()
        self.position = 0
        super().__init__()

    def tell(self, message: m.Message) -> m.Message:
        self.position += 1
        if isinstance(message, KINDS):
            self.fold.fold(message, self.position)
        return super().tell(message)

    def order(self, client: str = "client") -> OrderRow:
        return {row.client_order_id: row for row in self.fold.rows().orders}[client]

    def state(self, client: str = "client") -> OrderState:
        return self.order(client).state


def test_an_order_is_followed_from_its_submission_to_its_last_fill() -> None:
    desk = Told()
    order = samples.make_order("order-1", quantity=Decimal(1000))
    desk.submit(order, desk.approve(order))
    assert (desk.state(), desk.order().filled, desk.order().average_price) == (OrderState.SUBMITTED, ZERO, None)
    desk.accept()
    assert desk.state() is OrderState.ACCEPTED
    desk.now_ns += 5
    desk.fill(400, 600, price=Decimal("1.10"))
    first = desk.order()
    assert (first.state, first.filled, first.average_price) == (
        OrderState.PARTIALLY_FILLED,
        Decimal(400),
        Decimal("1.1"),
    )
    assert (first.changed_at_ns, first.position) == (desk.now_ns, desk.position)
    desk.fill(600, 0, price=Decimal("1.20"))
    last = desk.order()
    assert (last.state, last.filled, last.average_price) == (OrderState.FILLED, Decimal(1000), Decimal("1.16"))
    assert (last.number, last.role, last.entry_client_order_id) == (1, "entry", "")
    assert [(fill.number, fill.quantity) for fill in desk.fold.rows().fills] == [(1, Decimal(400)), (2, Decimal(600))]


@pytest.mark.parametrize(
    ("kind", "state", "reason"),
    [
        (m.OrderRejected, OrderState.REJECTED, "off_tick"),
        (m.OrderCancelled, OrderState.CANCELLED, "asked"),
        (m.OrderExpired, OrderState.EXPIRED, ""),
        (m.OrderTriggered, OrderState.TRIGGERED, ""),
    ],
)
def test_an_order_ends_as_the_venue_says(kind: type[m.Message], state: OrderState, reason: str) -> None:
    desk = Told()
    desk.working(1000)
    desk.event(kind)
    assert (desk.state(), desk.order().reason) == (state, reason)


def test_a_refused_cancel_changes_nothing_and_a_replace_changes_quantity_and_price() -> None:
    desk = Told()
    desk.working(1000, type=OrderType.LIMIT, limit_price=Decimal("1.2"))
    before = desk.order()
    desk.event(m.CancelRejected)
    assert desk.order() == before
    desk.event(m.OrderReplaced, quantity=Decimal(700), limit_price=Decimal("1.3"))
    after = desk.order()
    assert (after.quantity, after.limit_price, after.state) == (Decimal(700), Decimal("1.3"), OrderState.ACCEPTED)
    desk.event(m.OrderReplaced, quantity=Decimal(600), limit_price=None)
    assert (desk.order().quantity, desk.order().limit_price) == (Decimal(600), Decimal("1.3"))


def exit_accepted(desk: Told, client: str, type_: OrderType, price: str) -> None:
    told: dict[str, Any] = {"side": Side.SELL, "quantity": Decimal(1000), "price": Decimal(price), "order_type": type_}
    desk.event(m.OrderAccepted, client, reduce_only=True, role="stop_loss", **told)


def test_the_exits_of_a_bracket_are_orders_of_their_own_once_they_work() -> None:
    desk = Told()
    desk.working(1000)
    assert [row.client_order_id for row in desk.fold.rows().orders] == ["client"]
    desk.fill(1000, 0)
    exit_accepted(desk, "client-SL", OrderType.STOP, "1.05")
    exit_accepted(desk, "client-TP", OrderType.LIMIT, "1.30")
    stop, target = desk.order("client-SL"), desk.order("client-TP")
    assert (stop.role, stop.type, stop.stop_price, stop.limit_price) == (
        "stop_loss",
        OrderType.STOP,
        Decimal("1.05"),
        None,
    )
    assert (target.role, target.type, target.stop_price, target.limit_price) == (
        "take_profit",
        OrderType.LIMIT,
        None,
        Decimal("1.30"),
    )
    assert {stop.entry_client_order_id, target.entry_client_order_id} == {"client"}
    assert (stop.number, target.number, stop.side) == (2, 3, Side.SELL)
    desk.event(m.OrderTriggered, "client-SL")
    desk.fill(1000, 0, "client-SL", side=Side.SELL, role="stop_loss")
    desk.event(m.OrderCancelled, "client-TP", reason="sibling_filled")
    assert (desk.state("client-SL"), desk.state("client-TP")) == (OrderState.FILLED, OrderState.CANCELLED)
    (position,) = desk.fold.rows().positions
    assert (position.quantity, position.lots, position.average_price) == (ZERO, 0, None)


def test_a_fill_told_twice_counts_once() -> None:
    desk = Told()
    desk.working(1000)
    fill = desk.fill(400, 600)
    rows = desk.fold.rows()
    desk.tell(fill)
    assert desk.fold.rows() == rows


def test_a_fill_that_comes_after_the_cancel_is_counted() -> None:
    desk = Told()
    desk.working(1000)
    desk.event(m.OrderCancelled)
    desk.fill(400, 0)
    assert (desk.order().filled, len(desk.fold.rows().fills)) == (Decimal(400), 1)


def test_positions_balances_and_postings_are_those_of_the_portfolio_and_its_ledger() -> None:
    desk = Told()
    for number, price in enumerate(("1.1", "1.2", "1.15")):
        desk.working(1000, order_id=f"order-{number}", client=f"client-{number}")
        desk.fill(1000, 0, f"client-{number}", price=Decimal(price), fee=Decimal("0.25"))
    rows = desk.fold.rows()
    balances = sorted((row.account, row.unit, row.amount) for row in rows.balances)
    assert balances == list(desk.portfolio.ledger.balances())
    (position,) = rows.positions
    held = desk.portfolio.position("alpha", "EURUSD")
    assert (position.quantity, position.cost, position.lots) == (held.quantity, held.cost, 3)
    assert [row.number for row in rows.postings] == list(range(1, len(rows.postings) + 1))
    totals: dict[str, Decimal] = {}
    for row in rows.postings:
        totals[row.unit] = totals.get(row.unit, ZERO) + row.amount
    assert set(totals.values()) == {ZERO}


def test_only_what_changed_since_it_was_stored_is_told() -> None:
    desk = Told()
    desk.working(1000)
    desk.fold.forget_changes()
    assert not any(msgspec.structs.astuple(desk.fold.rows()))
    desk.fill(400, 600)
    rows = desk.fold.rows()
    assert [len(each) for each in msgspec.structs.astuple(rows)] == [1, 1, 1, len(rows.postings), len(rows.balances)]
    assert rows.fills[0].number == 1
