"""A parent whose own protective stop the market has reached sends no more slices."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from tests.unit.agents.execution.test_slicing import Works, ended
from tmt import messages as m
from tmt.domain.money import ZERO
from tmt.domain.order import OrderType, Side, TimeInForce

STOPS = {Side.BUY: Decimal("1.0900"), Side.SELL: Decimal("1.1100")}


def begun(works: Works, side: Side, **fields: Any) -> m.OrderSubmitted:
    """The first of three slices is out and filled."""
    order = works.start(1000, 1000, 1000, **{"side": side, "stop_loss_price": STOPS[side], **fields})
    first = works.slice(0, order.order_id)
    works.done(first)
    return first


@pytest.mark.parametrize(
    ("side", "bid", "ask", "goes_out"),
    [
        (Side.BUY, "1.0901", "1.0902", True),
        (Side.BUY, "1.0900", "1.0902", False),
        (Side.BUY, "1.0850", "1.0851", False),
        (Side.SELL, "1.1098", "1.1099", True),
        (Side.SELL, "1.1098", "1.1100", False),
        (Side.SELL, "1.1150", "1.1151", False),
    ],
)
@pytest.mark.parametrize("limited", [True, False])
def test_a_slice_that_its_stop_would_not_protect_does_not_go_out(
    side: Side, bid: str, ask: str, goes_out: bool, limited: bool
) -> None:
    works = Works()
    limit: dict[str, Any] = {
        "type": OrderType.LIMIT, "limit_price": Decimal("1.1000"), "time_in_force": TimeInForce.IOC,
    }  # fmt: skip
    begun(works, side, **(limit if limited else {}))
    works.desk.mark("EURUSD", bid, ask)
    said = works.due(1)
    if goes_out:
        assert [type(each) for each in said] == [m.OrderSubmitted]
        return
    assert [type(each) for each in said] == [m.ScheduleEnded]
    assert (ended(said).reason, ended(said).filled) == ("stop_passed", Decimal(1000))
    works.desk.mark("EURUSD", "1.0999", "1.1000")
    assert works.due(2) == []


def test_an_order_without_a_stop_has_none_to_pass() -> None:
    works = Works()
    begun(works, Side.BUY, stop_loss_price=None)
    works.desk.mark("EURUSD", "0.5", "0.5")
    works.done(works.slice(1))
    assert ended(works.done(works.slice(2))).reason == "completed"


@pytest.mark.parametrize(("expires_seconds", "reason"), [(60, "expired"), (61, "stop_passed")])
def test_an_order_whose_time_is_over_has_expired_whatever_the_market_does(expires_seconds: int, reason: str) -> None:
    works = Works()
    expire_at_ns = works.desk.now_ns + expires_seconds * 10**9
    begun(works, Side.BUY, time_in_force=TimeInForce.GTD, expire_at_ns=expire_at_ns)
    works.desk.mark("EURUSD", "1.0800")
    assert ended(works.due(1)).reason == reason


@pytest.mark.parametrize(("quote", "goes_out"), [("1.0901", True), ("1.0900", False)])
def test_before_any_mark_the_quote_of_its_release_counts(quote: str, goes_out: bool) -> None:
    works = Works()
    assert works.desk.portfolio.mark("EURUSD") is None
    order = works.start(1000)
    valued = msgspec.structs.replace(order.quote, bid=Decimal(quote), ask=Decimal("1.2"))
    works.start(1000, order_id="old", quote=valued)
    assert isinstance(works.due(0, "old")[0], m.OrderSubmitted) is goes_out


def exits(works: Works, of: m.OrderSubmitted, role: str) -> list[m.Message]:
    """An exit of a slice fills."""
    order = of.order
    client_order_id = of.stop_loss_client_order_id
    assert client_order_id is not None
    entry = msgspec.structs.replace(of, client_order_id=client_order_id)
    fields = {"side": order.side.opposite, "quantity": order.quantity, "reduce_only": True, "role": role}
    accepted = works.venue(m.OrderAccepted, entry, order_type=OrderType.STOP, price=order.stop_loss_price, **fields)
    assert accepted == []
    return works.venue(
        m.OrderFilled,
        entry,
        fill_id=f"exit-{client_order_id}",
        side=order.side.opposite,
        quantity=order.quantity,
        price=STOPS[order.side],
        fee=ZERO,
        fee_currency="USD",
        remaining=ZERO,
        role=role,
        liquidity="taker",
        slippage=ZERO,
        quote=order.quote,
        setup=order.setup,
        strategy=order.strategy,
    )


def test_a_slice_closed_by_its_stop_ends_the_schedule_before_a_bar_tells() -> None:
    works = Works()
    first = begun(works, Side.BUY)
    works.desk.mark("EURUSD", "1.0999", "1.1000")
    end = ended(exits(works, first, "stop_loss"))
    assert (end.reason, end.filled) == ("stop_passed", Decimal(1000))
    assert works.due(1) == []


def test_the_newest_slice_counts_as_well_as_the_first() -> None:
    works = Works()
    begun(works, Side.BUY)
    second = works.slice(1)
    works.done(second)
    assert ended(exits(works, second, "stop_loss")).reason == "stop_passed"


def test_a_slice_closed_at_its_target_ends_nothing() -> None:
    works = Works()
    first = begun(works, Side.BUY)
    said = exits(works, first, "take_profit")
    assert not [each for each in said if isinstance(each, m.ScheduleEnded)]
    works.done(works.slice(1))
    assert ended(works.done(works.slice(2))).reason == "completed"


def test_the_stop_of_another_order_ends_nothing() -> None:
    works = Works()
    first = begun(works, Side.BUY)
    order = msgspec.structs.replace(first.order, order_id="another")
    said = exits(works, msgspec.structs.replace(first, order=order), "stop_loss")
    assert not [each for each in said if isinstance(each, m.ScheduleEnded)]
    works.done(works.slice(1))


def test_a_stop_of_one_parent_leaves_the_other_alone() -> None:
    works = Works()
    first = begun(works, Side.BUY)
    begun(works, Side.BUY, order_id="other")
    assert ended(exits(works, first, "stop_loss")).order_id == "order"
    works.done(works.slice(1, "other"))
    assert ended(works.done(works.slice(2, "other"))).reason == "completed"


def test_a_reason_that_came_before_the_stop_stays() -> None:
    works = Works()
    first = begun(works, Side.BUY)
    second = works.slice(1)
    works.accept(second)
    assert works.hear(works.desk.make(m.CancelOrder, client_order_id="order", person="ann")) != []
    exits(works, first, "stop_loss")
    assert ended(works.venue(m.OrderCancelled, second, reason="person", filled=ZERO)).reason == "cancelled"
