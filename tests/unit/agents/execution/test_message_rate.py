"""The bucket of messages to the venue: what exceeds it is refused at once; what must go, goes."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from tests.unit.agents.execution.test_execution import CONFIG, NOW_NS, STOP, Desk, released
from tmt.agents.execution import ExecutionConfig
from tmt.agents.execution.rate import counted, interval_ns, tokens_used
from tmt.domain.order import OrderType, Side
from tmt.messages import (
    CancelOrder,
    CancelRejected,
    CancelSubmitted,
    Message,
    OrderAccepted,
    OrderDenied,
    OrderFilled,
    ReplaceOrder,
    ReplaceSubmitted,
)

SECOND_NS = 1_000_000_000


def config(per_second: int = 2, burst: int = 3) -> ExecutionConfig:
    return msgspec.structs.replace(CONFIG, messages_per_second=per_second, messages_burst=burst)


def at(desk: Desk, after_ns: int, message: Message) -> list[Message]:
    later = msgspec.structs.replace(message, occurred_at_ns=NOW_NS + after_ns)
    return desk.deliver([later])


def kinds(said: list[Message]) -> list[str]:
    return [type(each).__name__ for each in said]


def spent(burst: int = 3) -> tuple[Desk, str]:
    """A desk that has used its whole burst; the client order id of its first order, which works."""
    desk = Desk(config(burst=burst))
    name = desk.release("first", type=OrderType.LIMIT, limit_price=Decimal(90))
    desk.venue(OrderAccepted, name, price=Decimal(90))
    for number in range(burst - 1):
        desk.release(f"more-{number}")
    return desk, name


def cancel(name: str, key: str = "") -> CancelOrder:
    return CancelOrder.root("p", NOW_NS, name, key, client_order_id=name, person="p")


def replace(name: str, **fields: Any) -> ReplaceOrder:
    changes = {"quantity": Decimal(5), "limit_price": None, **fields}
    return ReplaceOrder.root("p", NOW_NS, name, client_order_id=name, person="p", **changes)


# The bucket


@pytest.mark.parametrize(
    ("full_in_ns", "used"), [(-1, 0), (0, 0), (1, 1), (SECOND_NS // 2, 1), (SECOND_NS // 2 + 1, 2), (SECOND_NS, 2)]
)
def test_a_token_that_is_not_whole_lacks(full_in_ns: int, used: int) -> None:
    assert tokens_used(NOW_NS + full_in_ns, NOW_NS, config()) == used


@pytest.mark.parametrize(("per_second", "interval"), [(1, SECOND_NS), (3, 333_333_333), (1_000_000, 1_000)])
def test_a_token_comes_every_so_often(per_second: int, interval: int) -> None:
    assert interval_ns(config(per_second)) == interval


def test_messages_to_the_venue_count_and_nothing_else() -> None:
    desk = Desk(config())
    (sent,) = desk.deliver([released("a")])
    step = interval_ns(config())
    assert counted(0, sent, config()) == NOW_NS + step
    assert counted(NOW_NS + 7, sent, config()) == NOW_NS + 7 + step
    assert counted(5, released("b"), config()) == 5
    asked = CancelSubmitted.root("e", NOW_NS, client_order_id="x", reason="r")
    moved = ReplaceSubmitted.root("e", NOW_NS, client_order_id="x", quantity=Decimal(1), limit_price=None)
    assert counted(0, asked, config()) == counted(0, moved, config()) == NOW_NS + step


# Orders


def test_a_burst_goes_and_one_more_is_denied() -> None:
    desk, _ = spent()
    (denied,) = desk.deliver([released("too many")])
    assert isinstance(denied, OrderDenied)
    assert (denied.gate, denied.reason, denied.unit) == ("execution", "message_rate", "messages")
    assert (denied.measured, denied.limit, denied.quantity) == (Decimal(4), Decimal(3), Decimal(10))
    assert (denied.config_hash, denied.detail) == ("hash", "the venue gets at most 3 messages at once, 2 a second")
    assert [each.rule for each in denied.checks] == ["execution.message_rate"]


@pytest.mark.parametrize(("after_ns", "goes"), [(SECOND_NS // 2 - 1, False), (SECOND_NS // 2, True)])
def test_a_message_may_go_once_its_token_is_there(after_ns: int, goes: bool) -> None:
    desk, _ = spent()
    assert kinds(at(desk, after_ns, released("next", NOW_NS + after_ns))) == [
        "OrderSubmitted" if goes else "OrderDenied"
    ]


def test_what_was_refused_takes_no_token_and_is_not_sent_later() -> None:
    desk, _ = spent()
    full = desk.agent.state.full_at_ns
    desk.deliver([released("too many")])
    assert desk.agent.state.full_at_ns == full
    assert kinds(at(desk, SECOND_NS, released("next", NOW_NS + SECOND_NS))) == ["OrderSubmitted"]


def test_a_full_bucket_holds_no_more_than_its_burst() -> None:
    desk, _ = spent()
    hour_ns = 3600 * SECOND_NS
    said = [kinds(at(desk, hour_ns, released(f"late-{n}", NOW_NS + hour_ns)))[0] for n in range(4)]
    assert said == ["OrderSubmitted"] * 3 + ["OrderDenied"]


@pytest.mark.parametrize(
    ("quantity", "reduce_only", "goes"), [("10", True, True), ("11", True, False), ("10", False, False)]
)
def test_an_order_that_shrinks_a_position_always_goes_and_counts(quantity: str, reduce_only: bool, goes: bool) -> None:
    desk, name = spent()
    desk.venue(OrderFilled, name)
    full = desk.agent.state.full_at_ns
    said = desk.deliver([released("close", side=Side.SELL, quantity=Decimal(quantity), reduce_only=reduce_only)])
    assert kinds(said) == ["OrderSubmitted" if goes else "OrderDenied"]
    assert (desk.agent.state.full_at_ns > full) is goes


# Cancels and replaces


def test_a_persons_cancel_and_replace_beyond_the_rate_are_refused_by_us() -> None:
    desk, name = spent()
    for asked in (cancel(name), replace(name)):
        (refused,) = desk.deliver([asked])
        assert isinstance(refused, CancelRejected)
        assert (refused.source, refused.reason) == ("execution", "message_rate")
        assert (refused.client_order_id, refused.account, refused.instrument) == (name, "ACC", "TEST")
        assert refused.order_id == desk.agent.state.orders[name].order_id
        assert refused.causation_id == asked.message_id
    assert not desk.agent.state.orders[name].cancelling


def test_the_refusal_for_an_order_nobody_knows_has_no_names() -> None:
    desk, _ = spent()
    (refused,) = desk.deliver([cancel("unknown")])
    assert isinstance(refused, CancelRejected)
    assert (refused.order_id, refused.account, refused.instrument) == ("", "", "")


def test_cancels_and_replaces_take_tokens_too() -> None:
    desk = Desk(config())
    name = desk.release("a", type=OrderType.LIMIT, limit_price=Decimal(90))
    desk.venue(OrderAccepted, name, price=Decimal(90))
    assert kinds(desk.deliver([replace(name)])) == ["ReplaceSubmitted"]
    assert kinds(desk.deliver([cancel(name)])) == ["CancelSubmitted"]
    assert kinds(desk.deliver([cancel(name, "again")])) == ["CancelRejected"]


def test_an_emergency_stop_cancels_everything_at_once_and_its_messages_count() -> None:
    desk, _ = spent()
    full = desk.agent.state.full_at_ns
    said = desk.deliver([STOP])
    assert kinds(said)[:3] == ["CancelSubmitted"] * 3
    assert desk.agent.state.full_at_ns == full + 3 * interval_ns(config())


# Configuration


@pytest.mark.parametrize(("per_second", "good"), [(0, False), (1, True), (1_000_000, True), (1_000_001, False)])
def test_the_rate_has_bounds(per_second: int, good: bool) -> None:
    if good:
        assert config(per_second).messages_per_second == per_second
    else:
        with pytest.raises(ValueError, match=f"messages_per_second must be in \\[1, 1000000\\], was {per_second}"):
            config(per_second)
