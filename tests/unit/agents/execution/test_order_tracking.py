"""What execution keeps of every order, to the last field, and what it says of one to the last word."""

from decimal import Decimal

import msgspec
import pytest

from tests.unit.agents.execution.test_execution import (
    CONFIG,
    EXIT,
    LIFE_NS,
    NOW_NS,
    STOP,
    Desk,
    bracket,
    released,
)
from tmt.agents.execution import evolve
from tmt.agents.execution.tracking import TrackedOrder
from tmt.domain.identity import derive_id
from tmt.domain.order import OrderState, Side
from tmt.messages import (
    CancelOrder,
    CancelRejected,
    CancelSubmitted,
    Check,
    InvariantBroken,
    Message,
    OrderAccepted,
    OrderCancelled,
    OrderDenied,
    OrderExpired,
    OrderFilled,
    OrderReconciled,
    OrderRejected,
    OrderReplaced,
    OrderTriggered,
    ReplaceOrder,
    ReplaceSubmitted,
)


def detail(said: list[Message]) -> str:
    [broken] = said
    assert isinstance(broken, InvariantBroken)
    return broken.detail


def check(rule: str, measured: int, limit: int, unit: str) -> Check:
    return Check(
        rule=f"execution.{rule}",
        measured=Decimal(measured),
        limit=Decimal(limit),
        unit=unit,
        outcome="deny",
        quantity_after=Decimal(10),
    )


def test_a_submitted_order_is_tracked_with_its_bracket() -> None:
    desk = Desk()
    fields = {"account": "OTHER", "side": Side.SELL, "reduce_only": True, "strategy": "manual"}
    name = desk.release("a", quantity=Decimal(7), stop_loss_price=Decimal(110), **fields)
    (stop,) = desk.agent.state.exits
    assert desk.agent.state.orders[name] == TrackedOrder(
        order_id=derive_id("order", "a"),
        account="OTHER",
        instrument="TEST",
        side=Side.SELL,
        quantity=Decimal(7),
        reduce_only=True,
        exit_ids=(stop,),
        strategy="manual",
        stop_loss_price=Decimal(110),
        state=OrderState.SUBMITTED,
        filled=Decimal(0),
        fill_ids=(),
        cancelling=False,
    )


def test_an_accepted_exit_is_tracked_as_the_venue_names_it() -> None:
    desk = Desk()
    client, stop, _ = bracket(desk)
    desk.venue(OrderAccepted, client)
    desk.venue(OrderFilled, client)
    desk.venue(OrderAccepted, stop, **{**EXIT, "quantity": Decimal(6), "account": "OTHER"})
    assert desk.agent.state.orders[stop] == TrackedOrder(
        order_id=f"order-{stop}",
        account="OTHER",
        instrument="TEST",
        side=Side.SELL,
        quantity=Decimal(6),
        reduce_only=True,
        exit_ids=(),
        state=OrderState.ACCEPTED,
    )


def test_fills_are_remembered_with_what_they_filled() -> None:
    desk = Desk()
    name = desk.release("a")
    desk.venue(OrderAccepted, name)
    desk.venue(OrderFilled, name, fill_id="x", quantity=Decimal(4), remaining=Decimal(6))
    desk.venue(OrderFilled, name, fill_id="y", quantity=Decimal(1), remaining=Decimal(5))
    tracked = desk.agent.state.orders[name]
    assert (tracked.state, tracked.filled, tracked.fill_ids) == (
        OrderState.PARTIALLY_FILLED,
        Decimal(5),
        ("x", "y"),
    )


def test_exits_of_entries_that_never_answer_are_remembered_within_a_bound() -> None:
    desk = Desk(msgspec.structs.replace(CONFIG, ended_orders_max=4))
    stops = []
    for name in "abc":
        desk.release(name, stop_loss_price=Decimal(95), take_profit_price=Decimal(110))
        stops += [key for key in desk.agent.state.exits if key not in stops]
        assert len(desk.agent.state.exits) == {"a": 2, "b": 4, "c": 3}[name]
    assert list(desk.agent.state.exits) == stops[3:]


def test_an_entry_that_ends_unfilled_forgets_its_own_exits_alone() -> None:
    desk = Desk()
    first = desk.release("a", stop_loss_price=Decimal(95))
    second = desk.release("b", stop_loss_price=Decimal(95))
    desk.venue(OrderRejected, first)
    assert tuple(desk.agent.state.exits) == desk.agent.state.orders[second].exit_ids


def test_an_entry_that_filled_in_part_keeps_its_exits_when_the_rest_is_cancelled() -> None:
    desk = Desk()
    name = desk.release("a", stop_loss_price=Decimal(95))
    desk.venue(OrderAccepted, name)
    desk.venue(OrderFilled, name, quantity=Decimal(4), remaining=Decimal(6))
    desk.venue(OrderCancelled, name, filled=Decimal(4))
    assert tuple(desk.agent.state.exits) == desk.agent.state.ended[name].exit_ids


def test_a_release_used_twice_is_denied_with_a_whole_check() -> None:
    desk = Desk()
    desk.release("a")
    (denied,) = desk.deliver([released("a")])
    assert isinstance(denied, OrderDenied)
    assert denied.checks == (check("already_submitted", 1, 0, "submissions"),)
    assert (denied.detail, denied.quantity, denied.config_hash) == ("a release is used once", Decimal(10), "hash")


def test_an_expired_release_is_denied_with_a_whole_check() -> None:
    desk = Desk()
    desk.portfolio.state.now_ns = NOW_NS + LIFE_NS + 10**9
    (denied,) = desk.deliver([released("a")])
    assert isinstance(denied, OrderDenied)
    assert denied.checks == (check("approval_expired", 31, 30, "seconds"),)
    assert denied.quantity == Decimal(10)


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        ((OrderFilled,), "order {} cannot go from submitted to filled"),
        ((OrderTriggered,), "order {} cannot go from submitted to triggered"),
        ((OrderAccepted, OrderAccepted), "order {} cannot go from accepted to accepted"),
        ((OrderRejected, OrderAccepted), "OrderAccepted for order {} after it was rejected"),
        ((OrderAccepted, OrderExpired, OrderReplaced), "OrderReplaced for order {} after it was expired"),
    ],
)
def test_an_illegal_move_is_told(kinds: tuple[type[Message], ...], expected: str) -> None:
    desk = Desk()
    name = desk.release("a")
    said = [desk.venue(kind, name) for kind in kinds]
    assert detail(said[-1]) == expected.format(name)


def test_too_large_a_fill_is_told_with_both_quantities_and_counts_all_the_same() -> None:
    desk = Desk()
    name = desk.release("a")
    desk.venue(OrderAccepted, name)
    desk.venue(OrderFilled, name, quantity=Decimal(4), remaining=Decimal(6))
    said = desk.venue(OrderFilled, name, quantity=Decimal(7), remaining=Decimal(0))
    assert detail(said) == f"order {name} of 10 is filled 11"
    tracked = desk.agent.state.orders[name]
    assert (tracked.filled, tracked.state) == (Decimal(11), OrderState.PARTIALLY_FILLED)


def test_a_fill_before_the_venue_accepted_counts_and_moves_nothing() -> None:
    desk = Desk()
    name, other = desk.release("a"), desk.release("b")
    desk.venue(OrderFilled, name, quantity=Decimal(3), remaining=Decimal(7))
    assert {key: (each.filled, each.state) for key, each in desk.agent.state.orders.items()} == {
        name: (Decimal(3), OrderState.SUBMITTED),
        other: (Decimal(0), OrderState.SUBMITTED),
    }


def test_a_cancel_marks_its_order_alone_until_the_venue_refuses() -> None:
    desk = Desk()
    first, second = desk.release("a"), desk.release("b")

    def cancelling() -> list[bool]:
        return [desk.agent.state.orders[name].cancelling for name in (first, second)]

    (cancel,) = desk.deliver([CancelOrder.root("person", NOW_NS, client_order_id=first, person="p")])
    assert isinstance(cancel, CancelSubmitted)
    assert cancelling() == [True, False]
    desk.venue(CancelRejected, second)
    assert cancelling() == [True, False]
    assert [each.client_order_id for each in desk.deliver([STOP]) if isinstance(each, CancelSubmitted)] == [second]
    desk.venue(CancelRejected, first)
    assert cancelling() == [False, True]


@pytest.mark.parametrize(("name", "sent"), [("known", 10), ("unknown", 99)])
def test_a_replace_carries_every_field_asked_for(name: str, sent: int) -> None:
    desk = Desk()
    known = desk.release("a")
    id_ = known if name == "known" else name
    changes = {"quantity": Decimal(99), "limit_price": Decimal(97), "stop_price": Decimal(96)}
    request = ReplaceOrder.root("person", NOW_NS, client_order_id=id_, person="p", **changes)
    (replace,) = desk.deliver([request])
    assert isinstance(replace, ReplaceSubmitted)
    assert (replace.client_order_id, replace.quantity) == (id_, Decimal(sent))
    assert (replace.limit_price, replace.stop_price) == (Decimal(97), Decimal(96))


@pytest.mark.parametrize("ended", [False, True])
def test_a_fill_that_comes_twice_is_told_as_such_before_and_after_the_end(ended: bool) -> None:
    desk = Desk()
    name = desk.release("a")
    desk.venue(OrderAccepted, name)
    fill = {"fill_id": "x", "quantity": Decimal(10 if ended else 4), "remaining": Decimal(0 if ended else 6)}
    assert desk.venue(OrderFilled, name, **fill) == []
    assert detail(desk.venue(OrderFilled, name, **fill)) == f"fill x of order {name} came twice"


def test_a_repair_of_a_working_order_leaves_the_state_itself() -> None:
    desk = Desk()
    name = desk.release("a")
    fields = {"order_id": "", "account": "ACC", "instrument": "TEST", "repair": "end_missed", "detail": ""}
    repaired = OrderReconciled.root("reconciliation", NOW_NS, name, client_order_id=name, **fields)
    assert evolve(desk.agent.state, repaired, CONFIG) is desk.agent.state
