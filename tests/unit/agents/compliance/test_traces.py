"""Does surveillance remember every order and fill as it was, and follow it as it moves, fills and ends?"""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from tests.unit.agents.compliance.flows import BUY, CONFIG, SELL, Flow
from tests.unit.agents.desk import START_NS, make_quote
from tmt import messages as m
from tmt.agents.compliance.detectors import FillTrace, OrderTrace
from tmt.agents.compliance.surveillance import remember
from tmt.domain.money import ZERO
from tmt.domain.order import OrderType, Side, TimeInForce

SECOND_NS = 10**9
PRICE = Decimal("1.1")
IOC, FOK, GTC, DAY = TimeInForce.IOC, TimeInForce.FOK, TimeInForce.GTC, TimeInForce.DAY


def traced(flow: Flow, id_: str) -> OrderTrace:
    return flow.memory.orders[id_]


@pytest.mark.parametrize(
    ("kind", "changes", "price", "resting"),
    [
        (OrderType.LIMIT, {}, PRICE, True),
        (OrderType.LIMIT, {"time_in_force": DAY}, PRICE, True),
        (OrderType.LIMIT, {"time_in_force": IOC}, PRICE, False),
        (OrderType.LIMIT, {"time_in_force": FOK}, PRICE, False),
        (OrderType.MARKET, {}, PRICE, False),
        (OrderType.STOP, {}, None, False),
        (OrderType.STOP_LIMIT, {}, None, True),
        (OrderType.TRAILING_STOP, {"trail_offset": Decimal("0.01"), "stop_price": PRICE}, None, False),
    ],
)
@pytest.mark.parametrize("reduce_only", [True, False])
def test_a_submitted_order(
    kind: OrderType, changes: dict[str, Any], price: Decimal | None, resting: bool, reduce_only: bool
) -> None:
    flow = Flow().after(1)
    id_ = flow.place(SELL, "1.1", account="beta", strategy="other", kind=kind, reduce_only=reduce_only, **changes)
    [trace] = flow.memory.orders.values()
    assert trace == OrderTrace(
        message_id=trace.message_id,
        order_id=f"order-{id_}",
        account="beta",
        instrument="EURUSD",
        strategy="other",
        side=SELL,
        price=price,
        resting=resting,
        opens=not reduce_only,
        since_ns=START_NS + SECOND_NS,
        ended_ns=None,
        filled=ZERO,
        withdrawn=False,
        at_market=kind in (OrderType.MARKET, OrderType.STOP, OrderType.TRAILING_STOP),
    )


@pytest.mark.parametrize(("role", "price", "resting"), [("take_profit", PRICE, True), ("stop_loss", None, False)])
def test_an_exit_of_a_bracket(role: str, price: Decimal | None, resting: bool) -> None:
    flow = Flow().after(2)
    accepted = {
        "order_id": "entry",
        "account": "beta",
        "instrument": "EURUSD",
        "side": SELL,
        "quantity": Decimal(1000),
        "order_type": OrderType.LIMIT if resting else OrderType.STOP,
        "price": PRICE,
        "reduce_only": True,
    }
    message = flow.say(m.OrderAccepted, client_order_id="target", role=role, **accepted)
    assert flow.memory.orders == {
        "target": OrderTrace(
            message_id=message.message_id,
            order_id="entry",
            account="beta",
            instrument="EURUSD",
            strategy="",
            side=SELL,
            price=price,
            resting=resting,
            opens=False,
            since_ns=START_NS + 2 * SECOND_NS,
            at_market=not resting,
        )
    }
    assert flow.memory.fills == ()


@pytest.mark.parametrize(
    ("side", "fills", "prices"),
    [
        (BUY, [("1.20", "1.21"), ("1.18", "1.19"), ("1.21", "1.22")], ["1.21", "1.21", "1.22"]),
        (BUY, [("1.00", "1.01"), ("1.00", "1.01"), ("1.00", "1.02")], ["1.01", "1.01", "1.02"]),
        (SELL, [("1.20", "1.21"), ("1.21", "1.22"), ("1.19", "1.25")], ["1.20", "1.20", "1.19"]),
        (SELL, [("1.00", "1.01"), ("0.99", "1.02"), ("1.01", "1.02")], ["1.00", "0.99", "0.99"]),
    ],
)
def test_at_the_market_an_order_counts_at_the_worst_quote_that_it_has_taken(
    side: Side, fills: list[tuple[str, str]], prices: list[str]
) -> None:
    flow = Flow()
    id_ = flow.place(side, "1.1", "900", kind=OrderType.MARKET)
    for number, ((bid, ask), price) in enumerate(zip(fills, prices, strict=True)):
        flow.fill(id_, "1.3", "300", remaining=str(600 - 300 * number), quote=make_quote(bid, ask))
        trace = flow.memory.orders[id_]
        assert (trace.price, trace.filled) == (Decimal(price), Decimal(300 * (number + 1)))
        assert (trace.ended_ns is None) is (number < 2)


@pytest.mark.parametrize("time_in_force", [DAY, IOC])
def test_an_order_with_a_limit_counts_at_its_limit_whatever_it_has_taken(time_in_force: TimeInForce) -> None:
    flow = Flow()
    id_ = flow.place(BUY, "1.1", time_in_force=time_in_force)
    flow.fill(id_, "1.05", quote=make_quote("1.04", "1.05"))
    assert flow.memory.orders[id_].price == Decimal("1.1")


def test_a_stop_that_fills_counts_at_the_quote_it_takes_even_if_nobody_said_that_it_woke() -> None:
    flow = Flow()
    id_ = flow.place(SELL, "1.1", kind=OrderType.STOP)
    flow.fill(id_, "1.05", "400", remaining="600", quote=make_quote("1.05", "1.06"))
    assert flow.memory.orders[id_].price == Decimal("1.05")


@pytest.mark.parametrize("role", ["entry", "close", ""])
def test_an_entry_is_traced_by_its_submission_alone(role: str) -> None:
    flow = Flow()
    id_ = flow.place(BUY, "1.1")
    before = flow.memory
    flow.exit(SELL, "1.2", role=role)
    assert flow.memory is before
    assert list(before.orders) == [id_]


@pytest.mark.parametrize(("taker", "remaining"), [(True, "0"), (False, "600"), (True, "600"), (False, "0")])
def test_a_fill(taker: bool, remaining: str) -> None:
    flow = Flow()
    id_ = flow.place(BUY, "1.1", account="beta")
    submitted = traced(flow, id_)
    message_id = flow.after(3).fill(id_, "1.09", "400", remaining=remaining, taker=taker)
    assert flow.memory.fills == (
        FillTrace(
            message_id=message_id,
            order_id=id_,
            account="beta",
            instrument="EURUSD",
            side=BUY,
            quantity=Decimal(400),
            price=Decimal("1.09"),
            taker=taker,
            time_ns=START_NS + 3 * SECOND_NS,
        ),
    )
    ended_ns = START_NS + 3 * SECOND_NS if remaining == "0" else None
    assert traced(flow, id_) == msgspec.structs.replace(submitted, filled=Decimal(400), ended_ns=ended_ns)
    flow.after(1).fill(id_, "1.09", "100")
    assert traced(flow, id_) == msgspec.structs.replace(
        submitted, filled=Decimal(500), ended_ns=START_NS + 4 * SECOND_NS
    )


def test_a_fill_of_an_order_that_was_forgotten_is_remembered() -> None:
    flow = Flow()
    id_ = flow.place(BUY, "1.1")
    flow.memory = msgspec.structs.replace(flow.memory, orders={})
    flow.fill(id_, "1.1")
    assert (flow.memory.orders, len(flow.memory.fills)) == ({}, 1)


@pytest.mark.parametrize(
    ("end", "withdrawn"), [("person", True), ("stop_trading", False), ("expire", False), ("reject", False)]
)
def test_an_end(end: str, withdrawn: bool) -> None:
    flow = Flow()
    id_ = flow.place(BUY, "1.1")
    submitted = traced(flow, id_)
    flow.after(5)
    if end == "expire":
        flow.expire(id_)
    elif end == "reject":
        flow._event(m.OrderRejected, id_, reason="no", detail="")
    else:
        flow.cancel(id_, end)
    assert traced(flow, id_) == msgspec.structs.replace(
        submitted, ended_ns=START_NS + 5 * SECOND_NS, withdrawn=withdrawn
    )


@pytest.mark.parametrize("what", ["market", "filled"])
def test_what_was_not_shown_or_did_not_stay_unfilled_is_not_withdrawn(what: str) -> None:
    flow = Flow()
    id_ = flow.place(BUY, "1.1", kind=OrderType.MARKET if what == "market" else OrderType.LIMIT)
    if what == "filled":
        flow.fill(id_, "1.1", "1", remaining="999")
    flow.cancel(id_)
    assert not traced(flow, id_).withdrawn


def test_a_stop_that_wakes() -> None:
    flow = Flow()
    id_ = flow.place(BUY, "1.1", kind=OrderType.STOP)
    submitted = traced(flow, id_)
    flow.after(6).trigger(id_, "1.11")
    assert traced(flow, id_) == msgspec.structs.replace(
        submitted, price=Decimal("1.11"), since_ns=START_NS + 6 * SECOND_NS
    )


@pytest.mark.parametrize(
    ("kind", "limit", "moved"),
    [
        (OrderType.LIMIT, "1.2", Decimal("1.2")),
        (OrderType.LIMIT, None, PRICE),
        (OrderType.STOP_LIMIT, "1.2", None),
        (OrderType.STOP_LIMIT, None, None),
    ],
)
def test_a_moved_order(kind: OrderType, limit: str | None, moved: Decimal | None) -> None:
    flow = Flow()
    id_ = flow.place(BUY, "1.1", kind=kind)
    submitted = traced(flow, id_)
    flow.after(7).replace(id_, limit)
    assert traced(flow, id_) == msgspec.structs.replace(submitted, price=moved)


def test_what_happens_to_an_order_that_nobody_remembers_changes_nothing() -> None:
    flow = Flow()
    before = flow.memory
    for event in (flow.cancel, flow.expire):
        event("nobody")
    flow.trigger("nobody", "1.1")
    flow.replace("nobody", "1.1")
    assert flow.memory is before


def test_the_oldest_order_and_the_oldest_fill_are_forgotten_when_memory_is_full() -> None:
    config = msgspec.structs.replace(CONFIG, remembered_max=CONFIG.order_rate.orders_max + 1)
    flow = Flow(config)
    ids = [flow.place(BUY, "1.1") for _ in range(config.remembered_max)]
    fills = [flow.fill(id_, "1.1", "1", remaining="999") for id_ in ids]
    assert list(flow.memory.orders) == ids
    assert [each.message_id for each in flow.memory.fills] == fills
    newest = flow.place(BUY, "1.1")
    fills.append(flow.fill(newest, "1.1"))
    assert list(flow.memory.orders) == [*ids[1:], newest]
    assert [each.message_id for each in flow.memory.fills] == fills[1:]
    assert remember(flow.memory, flow.desk.mark("EURUSD", "1.1"), config) is flow.memory
