"""Stops that ARIA wants nearer, and foreign orders: what execution asks of the venue for them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from tests.unit.agents.execution.test_execution import NOW_NS, Desk, report
from tmt.agents.execution import ExecutionState
from tmt.domain.money import decode_hook
from tmt.domain.order import OrderState, OrderType, Quote, Side
from tmt.messages import (
    CancelOrder,
    CancelRejected,
    CancelSubmitted,
    ExitRaised,
    InvariantBroken,
    Message,
    OrderAccepted,
    OrderCancelled,
    OrderExpired,
    OrderFilled,
    OrderReconciled,
    OrderRejected,
    OrderReplaced,
    ReplaceOrder,
    ReplaceSubmitted,
)


def protected(side: Side = Side.BUY) -> tuple[Desk, str]:
    """A desk that holds 10 with a stop 5 away from 100 and a target; the stop's client order id."""
    desk = Desk()
    sign = side.sign
    name = desk.release(
        "a", side=side, stop_loss_price=Decimal(100 - 5 * sign), take_profit_price=Decimal(100 + 20 * sign)
    )
    stop, target = desk.agent.state.orders[name].exit_ids
    desk.venue(OrderAccepted, name, side=side)
    desk.venue(OrderFilled, name, side=side)
    exits: dict[str, Any] = {"side": side.opposite, "reduce_only": True, "order_id": f"order-{name}"}
    desk.venue(OrderAccepted, stop, role="stop_loss", order_type=OrderType.STOP, price=Decimal(100 - 5 * sign), **exits)
    desk.venue(
        OrderAccepted, target, role="take_profit", order_type=OrderType.LIMIT, price=Decimal(100 + 20 * sign), **exits
    )
    return desk, stop


def exit_raised(stop: str | None, *, side: Side = Side.SELL, account: str = "ACC") -> ExitRaised:
    return ExitRaised.root(
        "aria",
        NOW_NS,
        str(stop),
        account=account,
        instrument="TEST",
        order_id="o",
        rule="trail",
        side=side,
        quantity=Decimal(1) if stop is None else None,
        stop_price=None if stop is None else Decimal(stop),
        quote=Quote(bid=Decimal(99), ask=Decimal(100), time_ns=NOW_NS),
        checks=(),
        config_hash="",
    )


@pytest.mark.parametrize(
    ("held", "wanted", "moves"),
    [
        (Side.BUY, "95", False),
        (Side.BUY, "96", True),
        (Side.BUY, "94", False),
        (Side.SELL, "105", False),
        (Side.SELL, "104", True),
        (Side.SELL, "106", False),
    ],
)
def test_a_stop_that_stands_further_away_is_moved(held: Side, wanted: str, moves: bool) -> None:
    desk, stop = protected(held)
    raised = exit_raised(wanted, side=held.opposite)
    said = desk.deliver([raised])
    if not moves:
        assert said == []
        return
    (asked,) = said
    assert isinstance(asked, ReplaceSubmitted)
    assert (asked.client_order_id, asked.quantity) == (stop, Decimal(10))
    assert (asked.limit_price, asked.stop_price) == (None, Decimal(wanted))
    assert (asked.causation_id, asked.source) == (raised.message_id, "execution")


@pytest.mark.parametrize(
    "raised", [exit_raised(None), exit_raised("96", side=Side.BUY), exit_raised("96", account="OTHER")]
)
def test_an_exit_that_moves_no_stop_of_this_position_moves_nothing(raised: ExitRaised) -> None:
    desk, _ = protected()
    assert desk.deliver([raised]) == []


@pytest.mark.parametrize(
    ("wanted", "goes"), [("94", False), ("94.99", False), ("95", True), ("96", True), (None, True)]
)
def test_nobody_moves_a_protective_stop_away(wanted: str | None, goes: bool) -> None:
    desk, stop = protected()
    stop_price = None if wanted is None else Decimal(wanted)
    asked = ReplaceOrder.root(
        "p", NOW_NS, client_order_id=stop, quantity=Decimal(10), limit_price=None, stop_price=stop_price, person="p"
    )
    (answer,) = desk.deliver([asked])
    if goes:
        assert isinstance(answer, ReplaceSubmitted)
        assert answer.stop_price == stop_price
    else:
        assert isinstance(answer, CancelRejected)
        assert (answer.reason, answer.source, answer.client_order_id) == ("stop_moves_away", "execution", stop)


def test_nobody_takes_a_protective_stop_away_and_its_target_may_go() -> None:
    desk, stop = protected()
    (answer,) = desk.deliver([CancelOrder.root("p", NOW_NS, client_order_id=stop, person="p")])
    assert isinstance(answer, CancelRejected)
    assert (answer.reason, answer.source, answer.client_order_id) == ("stop_moves_away", "execution", stop)
    [target] = [id_ for id_ in desk.agent.state.orders if id_ != stop]
    for id_ in (target, "unknown"):
        (asked,) = desk.deliver([CancelOrder.root("p", NOW_NS, id_, client_order_id=id_, person="p")])
        assert isinstance(asked, CancelSubmitted)
        assert (asked.client_order_id, asked.reason) == (id_, "person")


@pytest.mark.parametrize(("quantity", "wanted", "goes"), [("9", None, False), ("9", "96", False), ("10", "96", True)])
def test_nobody_has_a_protective_stop_protect_less(quantity: str, wanted: str | None, goes: bool) -> None:
    desk, stop = protected()
    stop_price = None if wanted is None else Decimal(wanted)
    asked = ReplaceOrder.root(
        "p",
        NOW_NS,
        client_order_id=stop,
        quantity=Decimal(quantity),
        limit_price=None,
        stop_price=stop_price,
        person="p",
    )
    (answer,) = desk.deliver([asked])
    assert isinstance(answer, ReplaceSubmitted if goes else CancelRejected)


def test_a_stop_that_opens_may_be_moved_to_a_better_price_and_not_to_a_worse_one() -> None:
    desk, _ = protected()
    name = desk.release("b", type=OrderType.STOP, stop_price=Decimal(110))
    desk.venue(OrderAccepted, name, order_type=OrderType.STOP, price=Decimal(110))
    for wanted, answer in (("120", CancelRejected), ("105", ReplaceSubmitted)):
        asked = ReplaceOrder.root(
            "p",
            NOW_NS,
            wanted,
            client_order_id=name,
            quantity=Decimal(10),
            limit_price=None,
            stop_price=Decimal(wanted),
            person="p",
        )
        assert isinstance(desk.deliver([asked])[0], answer)


# Foreign orders


def reconciled(desk: Desk, name: str, repair: str = "unknown_cancelled") -> list[Message]:
    fields = {"order_id": "", "account": "ACC", "instrument": "TEST", "repair": repair, "detail": ""}
    return desk.deliver([OrderReconciled.root("reconciliation", NOW_NS, name, repair, client_order_id=name, **fields)])


@pytest.mark.parametrize("end", [OrderCancelled, OrderExpired, OrderRejected, CancelRejected])
def test_a_foreign_order_may_end_and_is_forgotten(end: type[Any]) -> None:
    desk = Desk()
    assert reconciled(desk, "x") == []
    assert reconciled(desk, "y") == []
    assert list(desk.agent.state.foreign) == ["x", "y"]
    assert desk.deliver([report(OrderReplaced, "x", "0")]) == []
    assert list(desk.agent.state.foreign) == ["x", "y"]
    assert desk.deliver([report(end, "x", "1")]) == []
    assert list(desk.agent.state.foreign) == ["y"]
    assert desk.agent.state.orders == {}


def test_a_fill_of_a_foreign_order_breaks_an_invariant() -> None:
    desk = Desk()
    reconciled(desk, "x")
    (broken,) = [each for each in desk.deliver([report(OrderFilled, "x", "1")]) if isinstance(each, InvariantBroken)]
    assert broken.detail == "OrderFilled for order x, which was not submitted"
    assert desk.portfolio.position("ACC", "TEST").quantity == Decimal(10)


def test_other_repairs_make_nothing_foreign() -> None:
    desk = Desk()
    assert reconciled(desk, "x", "end_missed") == []
    assert desk.agent.state.foreign == ()


# Fills that come twice


def test_a_fill_that_comes_twice_counts_once_and_breaks_an_invariant() -> None:
    desk = Desk()
    name = desk.release("a")
    desk.venue(OrderAccepted, name)
    fill = report(OrderFilled, name, "1", quantity=Decimal(4), remaining=Decimal(6))
    assert desk.deliver([fill]) == []
    again = report(OrderFilled, name, "2", quantity=Decimal(4), remaining=Decimal(6), fill_id="fill-1")
    (broken,) = desk.deliver([again])
    assert isinstance(broken, InvariantBroken)
    assert broken.detail == f"fill fill-1 of order {name} came twice"
    assert desk.agent.state.orders[name].filled == Decimal(4)
    assert desk.portfolio.position("ACC", "TEST").quantity == Decimal(4)
    assert desk.deliver([report(OrderFilled, name, "3", quantity=Decimal(6))]) == []
    assert desk.state_of(name) is OrderState.FILLED


def test_a_fill_that_comes_again_after_the_end_counts_once() -> None:
    desk = Desk()
    name = desk.release("a")
    desk.venue(OrderAccepted, name)
    desk.deliver([report(OrderFilled, name, "1")])
    (broken,) = desk.deliver([report(OrderFilled, name, "2", fill_id="fill-1")])
    assert isinstance(broken, InvariantBroken)
    assert desk.agent.state.ended[name].filled == Decimal(10)
    assert desk.portfolio.position("ACC", "TEST").quantity == Decimal(10)


def test_a_late_fill_after_a_cancel_is_booked_and_breaks_an_invariant() -> None:
    desk = Desk()
    name = desk.release("a")
    desk.venue(OrderAccepted, name)
    desk.venue(OrderCancelled, name)
    (broken,) = desk.deliver([report(OrderFilled, name, "1", quantity=Decimal(3), remaining=Decimal(7))])
    assert isinstance(broken, InvariantBroken)
    assert (desk.state_of(name), desk.agent.state.ended[name].filled) == (OrderState.CANCELLED, Decimal(3))
    assert desk.portfolio.position("ACC", "TEST").quantity == Decimal(3)


def test_the_state_survives_a_snapshot() -> None:
    desk, _ = protected()
    reconciled(desk, "x")
    saved = msgspec.json.encode(desk.agent.state)
    assert msgspec.json.decode(saved, type=ExecutionState, dec_hook=decode_hook) == desk.agent.state
