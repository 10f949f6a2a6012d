"""What an emergency stop cancels, by level and scope, and when execution says that everything has been answered."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from tests.unit.agents.execution.test_execution import EXIT, NOW_NS, SUSPENDED, Desk, bracket, opened
from tmt.agents.execution import ExecutionState
from tmt.domain.money import decode_hook
from tmt.domain.order import OrderType, Side, TimeInForce
from tmt.domain.stop import EVERYTHING, ScopeKind, StopLevel, StopScope
from tmt.messages import (
    BreakerOpened,
    CancelRejected,
    CancelSubmitted,
    Message,
    OrderAccepted,
    OrderCancelled,
    OrderDenied,
    OrderExpired,
    OrderFilled,
    OrderProposed,
    OrderRejected,
    ResumeTrading,
    StopCompleted,
    StopTrading,
)


def stop(level: StopLevel = StopLevel.CANCEL, scope: StopScope = EVERYTHING, key: str = "1") -> StopTrading:
    return StopTrading.root("person", NOW_NS, key, person="p", role="risk", reason="r", level=level, scope=scope)


def named(kind: str, name: str) -> StopScope:
    return StopScope(kind=ScopeKind(kind), name=name)


def cancels(answers: list[Message]) -> list[str]:
    return [answer.client_order_id for answer in answers if isinstance(answer, CancelSubmitted)]


def completions(answers: list[Message]) -> list[tuple[int, int, tuple[str, ...], tuple[str, ...]]]:
    return [
        (each.cancelled, each.filled, each.positions_closed, each.positions_open)
        for each in answers
        if isinstance(each, StopCompleted)
    ]


def proposal(cause: Message, account: str = "ACC", key: str = "") -> OrderProposed:
    return OrderProposed.caused_by(
        cause,
        "desk",
        account,
        key,
        account=account,
        instrument="TEST",
        side=Side.SELL,
        quantity=Decimal(10),
        order_type=OrderType.MARKET,
        time_in_force=TimeInForce.GTC,
        person="p",
        strategy="operator",
        reduce_only=True,
    )


def denied(cause: Message) -> OrderDenied:
    return OrderDenied.caused_by(
        cause,
        "aria",
        order_id="never",
        account="ACC",
        instrument="TEST",
        side=Side.SELL,
        quantity=Decimal(10),
        gate="aria",
        reason="no_mark",
        measured=Decimal(0),
        limit=Decimal(1),
        unit="count",
        detail="",
        checks=(),
        config_hash="",
    )


def entries(desk: Desk) -> dict[str, str]:
    """Working entries by account and strategy."""
    return {
        "ours": desk.release("a"),
        "operator's": desk.release("b", strategy="operator"),
        "others": desk.release("c", account="OTHER"),
    }


def holding(desk: Desk, account: str = "ACC") -> None:
    client = desk.release(f"held-{account}", account=account)
    desk.venue(OrderAccepted, client, account=account)
    desk.venue(OrderFilled, client, account=account)


# What is cancelled


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        (EVERYTHING, ["ours", "operator's", "others"]),
        (named("account", "ACC"), ["ours", "operator's"]),
        (named("strategy", "wyckoff"), ["ours", "others"]),
        (named("instrument", "TEST"), ["ours", "operator's", "others"]),
        (named("instrument", "OTHER"), []),
        (named("venue", "paper"), ["ours", "operator's", "others"]),
        (named("venue", "binance"), []),
    ],
)
@pytest.mark.parametrize("level", [StopLevel.CANCEL, StopLevel.FLATTEN, StopLevel.LOCK])
def test_a_stop_cancels_the_entries_of_its_scope(level: StopLevel, scope: StopScope, expected: list[str]) -> None:
    desk = Desk()
    working = entries(desk)
    assert cancels(desk.deliver([stop(level, scope)])) == [working[name] for name in expected]


def test_a_pause_cancels_nothing_and_is_complete_at_once() -> None:
    desk = Desk()
    entries(desk)
    answers = desk.deliver([stop(StopLevel.PAUSE)])
    assert cancels(answers) == []
    assert completions(answers) == [(0, 0, (), ())]


@pytest.mark.parametrize("trigger", ["manual_stop", "manual_lock"])
def test_the_breaker_that_a_stop_opens_cancels_nothing_by_itself(trigger: str) -> None:
    desk = Desk()
    entries(desk)
    for tier, scope in (("system", "desk"), ("account", "ACC")):
        assert desk.deliver([msgspec.structs.replace(opened(tier, scope), trigger=trigger)]) == []


def test_breakers_and_suspensions_of_an_account_cancel_its_own() -> None:
    for message in (opened("account", "OTHER"), msgspec.structs.replace(SUSPENDED, account="OTHER")):
        desk = Desk()
        working = entries(desk)
        assert cancels(desk.deliver([message])) == [working["others"]]


def test_an_unknown_breaker_of_an_agent_cancels_nothing() -> None:
    desk = Desk()
    entries(desk)
    message: BreakerOpened = opened("agent", "instrument:TEST")
    assert desk.deliver([message]) == []


# When it is complete


@pytest.mark.parametrize(
    ("kind", "expected"),
    [(OrderCancelled, (1, 0, (), ())), (OrderExpired, (1, 0, (), ())), (OrderFilled, (0, 1, (), ()))],
)
def test_a_stop_is_complete_when_the_last_cancel_is_answered(
    kind: type[Message], expected: tuple[int, int, tuple[str, ...], tuple[str, ...]]
) -> None:
    desk = Desk()
    first = desk.release("a")
    desk.venue(OrderAccepted, first)
    assert completions(desk.deliver([stop()])) == []
    answers = desk.venue(kind, first)
    assert completions(answers) == [expected]
    [said] = [each for each in answers if isinstance(each, StopCompleted)]
    assert said.stop_id == stop().message_id
    assert desk.agent.state.halts == ()


def test_counts_are_of_all_that_was_asked_for() -> None:
    desk = Desk()
    first, second, third = (desk.release(name) for name in "abc")
    for client in (first, second, third):
        desk.venue(OrderAccepted, client)
    desk.deliver([stop()])
    assert completions(desk.venue(OrderCancelled, first)) == []
    assert completions(desk.venue(OrderFilled, second)) == []
    assert completions(desk.venue(OrderCancelled, third)) == [(2, 1, (), ())]


def test_an_order_rejected_on_its_way_is_answered_too() -> None:
    desk = Desk()
    client = desk.release("a")
    desk.deliver([stop()])
    assert completions(desk.venue(OrderRejected, client)) == [(1, 0, (), ())]


def test_a_refused_cancel_of_an_order_that_still_works_completes_nothing() -> None:
    desk = Desk()
    client = desk.release("a")
    desk.venue(OrderAccepted, client)
    desk.deliver([stop()])
    assert completions(desk.venue(CancelRejected, client)) == []
    assert completions(desk.venue(OrderFilled, client)) == [(0, 1, (), ())]


def test_a_second_stop_waits_for_the_cancels_of_the_first_and_asks_for_none_again() -> None:
    desk = Desk()
    client = desk.release("a")
    desk.venue(OrderAccepted, client)
    desk.deliver([stop()])
    answers = desk.deliver([stop(key="2")])
    assert cancels(answers) == []
    assert completions(answers) == []
    assert completions(desk.venue(OrderCancelled, client)) == [(1, 0, (), ()), (1, 0, (), ())]


def test_the_same_stop_delivered_twice_is_one() -> None:
    desk = Desk()
    client = desk.release("a")
    desk.deliver([stop()])
    desk.deliver([stop()])
    assert len(desk.agent.state.halts) == 1
    assert completions(desk.venue(OrderRejected, client)) == [(1, 0, (), ())]


def test_exits_and_closing_orders_are_not_waited_for() -> None:
    desk = Desk()
    client, exit_id, _ = bracket(desk)
    desk.venue(OrderAccepted, client)
    desk.venue(OrderFilled, client)
    desk.venue(OrderAccepted, exit_id, **EXIT)
    desk.release("d", reduce_only=True, side=Side.SELL)
    assert completions(desk.deliver([stop()])) == [(0, 0, (), ())]


# Closing positions


def test_a_flatten_with_nothing_open_is_complete_at_once() -> None:
    assert completions(Desk().deliver([stop(StopLevel.FLATTEN)])) == [(0, 0, (), ())]


@pytest.mark.parametrize("level", [StopLevel.FLATTEN, StopLevel.LOCK])
def test_a_flatten_is_complete_when_its_scope_is_flat(level: StopLevel) -> None:
    desk = Desk()
    holding(desk)
    holding(desk, "OTHER")
    asked = stop(level, named("account", "ACC"))
    assert completions(desk.deliver([asked])) == []
    assert completions(desk.deliver([proposal(asked)])) == []
    closing = desk.release("close", reduce_only=True, side=Side.SELL)
    assert completions(desk.venue(OrderAccepted, closing, side=Side.SELL)) == []
    answers = desk.venue(OrderFilled, closing, side=Side.SELL, role="close")
    assert completions(answers) == [(0, 0, ("ACC/TEST",), ())]


def test_a_cancel_leaves_positions_alone() -> None:
    desk = Desk()
    holding(desk)
    assert completions(desk.deliver([stop(StopLevel.CANCEL)])) == [(0, 0, (), ())]


def test_a_position_that_came_after_the_stop_is_reported_too() -> None:
    desk = Desk()
    late = desk.release("late")
    desk.venue(OrderAccepted, late)
    asked = stop(StopLevel.FLATTEN)
    desk.deliver([asked])
    assert completions(desk.venue(OrderFilled, late)) == []
    desk.deliver([proposal(asked)])
    closing = desk.release("close", reduce_only=True, side=Side.SELL)
    answers = desk.venue(OrderFilled, closing, side=Side.SELL, role="close")
    assert completions(answers) == [(0, 1, ("ACC/TEST",), ())]


@pytest.mark.parametrize(("attempts", "complete"), [(1, False), (2, False), (3, True)])
def test_a_position_that_cannot_be_closed_is_open_after_three_attempts(attempts: int, complete: bool) -> None:
    desk = Desk()
    holding(desk)
    asked = stop(StopLevel.FLATTEN)
    desk.deliver([asked])
    said: list[Message] = []
    for number in range(attempts):
        proposed = proposal(asked, key=str(number))
        assert completions(desk.deliver([proposed])) == []
        said += desk.deliver([denied(proposed)])
    assert completions(said) == ([(0, 0, (), ("ACC/TEST",))] if complete else [])


def test_a_closing_order_that_works_is_waited_for_even_at_the_last_attempt() -> None:
    desk = Desk()
    holding(desk)
    asked = stop(StopLevel.FLATTEN)
    desk.deliver([asked, *(proposal(asked, key=str(number)) for number in range(3))])
    closing = desk.release("close", reduce_only=True, side=Side.SELL)
    assert completions(desk.venue(OrderAccepted, closing, side=Side.SELL)) == []
    assert completions(desk.venue(OrderRejected, desk.release("x"))) == []
    assert completions(desk.venue(OrderCancelled, closing)) == [(0, 0, (), ("ACC/TEST",))]


def test_proposals_of_another_cause_do_not_count() -> None:
    desk = Desk()
    holding(desk)
    first, second = stop(StopLevel.FLATTEN), stop(StopLevel.FLATTEN, key="2")
    desk.deliver([first, second, proposal(first), proposal(opened("system", "desk"), key="x")])
    assert [dict(halt.proposed) for halt in desk.agent.state.halts] == [{"ACC/TEST": 1}, {}]


@pytest.mark.parametrize(("scope", "left"), [(EVERYTHING, 0), (named("account", "ACC"), 0), (named("venue", "x"), 1)])
def test_a_resume_of_the_scope_ends_the_waiting(scope: StopScope, left: int) -> None:
    desk = Desk()
    holding(desk)
    desk.deliver([stop(StopLevel.FLATTEN, named("account", "ACC"))])
    desk.deliver([ResumeTrading.root("person", NOW_NS, person="p", role="risk", reason="r", scope=scope)])
    assert len(desk.agent.state.halts) == left


def test_a_stop_under_way_survives_a_snapshot() -> None:
    desk = Desk()
    holding(desk)
    desk.release("a")
    asked = stop(StopLevel.FLATTEN)
    desk.deliver([asked, proposal(asked)])
    saved: Any = msgspec.json.encode(desk.agent.state)
    assert msgspec.json.decode(saved, type=ExecutionState, dec_hook=decode_hook) == desk.agent.state
