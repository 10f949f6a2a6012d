"""What execution cancels, and which schedules end, where compliance bars entries."""

from decimal import Decimal
from typing import Any

import pytest

from tests.unit.agents.execution.test_execution import EXIT, NOW_NS, Desk, bracket
from tests.unit.agents.execution.test_slicing import Works, ended
from tmt.agents.execution import ExecutionConfig
from tmt.domain.order import Side
from tmt.messages import (
    CancelRejected,
    CancelSubmitted,
    EntriesBarred,
    Message,
    OrderAccepted,
    OrderCancelled,
    OrderFilled,
)


def barred(account: str = "ACC", instrument: str = "TEST", key: str = "") -> EntriesBarred:
    return EntriesBarred.root(
        "compliance", NOW_NS, account, instrument, key, account=account, instrument=instrument, rule="r", from_ns=NOW_NS
    )


def cancels(answers: list[Message]) -> list[tuple[str, str]]:
    assert all(isinstance(each, CancelSubmitted) for each in answers)
    return [(each.client_order_id, each.reason) for each in answers if isinstance(each, CancelSubmitted)]


def test_the_accounts_entries_in_the_instrument_are_cancelled_oldest_first() -> None:
    desk = Desk()
    first, second = desk.release("a"), desk.release("b", strategy="operator", side=Side.SELL)
    desk.release("c", account="OTHER")
    desk.release("d", instrument="ELSE")
    desk.venue(OrderAccepted, first)
    message = barred()
    answers = desk.deliver([message])
    assert cancels(answers) == [(first, "entries_barred"), (second, "entries_barred")]
    assert {each.causation_id for each in answers} == {message.message_id}
    assert len({each.message_id for each in answers}) == 2


@pytest.mark.parametrize(("account", "instrument"), [("NOBODY", "TEST"), ("ACC", "NOTHING")])
def test_other_accounts_and_instruments_are_left_alone(account: str, instrument: str) -> None:
    desk = Desk()
    desk.release("a")
    assert desk.deliver([barred(account, instrument)]) == []


def test_exits_and_what_closes_stay() -> None:
    desk = Desk()
    client, stop, _ = bracket(desk)
    desk.venue(OrderAccepted, client)
    desk.venue(OrderFilled, client)
    desk.venue(OrderAccepted, stop, **EXIT)
    desk.release("close", reduce_only=True, side=Side.SELL)
    assert desk.deliver([barred()]) == []


def test_what_is_left_of_a_filled_entry_is_cancelled_and_its_exits_stay() -> None:
    desk = Desk()
    client, stop, _ = bracket(desk)
    desk.venue(OrderAccepted, client)
    desk.venue(OrderFilled, client, quantity=Decimal(4), remaining=Decimal(6))
    desk.venue(OrderAccepted, stop, **EXIT)
    assert cancels(desk.deliver([barred()])) == [(client, "entries_barred")]
    desk.venue(OrderCancelled, client, filled=Decimal(4))
    assert list(desk.agent.state.orders) == [stop]


def test_a_cancel_is_asked_for_once_and_again_when_it_was_refused() -> None:
    desk = Desk()
    client = desk.release("a")
    desk.venue(OrderAccepted, client)
    assert len(desk.deliver([barred()])) == 1
    assert desk.deliver([barred(key="2")]) == []
    desk.venue(CancelRejected, client)
    assert cancels(desk.deliver([barred(key="3")])) == [(client, "entries_barred")]


def test_the_message_rate_does_not_hold_these_cancels_back() -> None:
    desk = Desk(ExecutionConfig(ended_orders_max=10, used_releases_max=512, messages_per_second=1, messages_burst=1))
    client = desk.release("a")
    assert cancels(desk.deliver([barred()])) == [(client, "entries_barred")]


# Schedules


def bar(works: Works, **changes: Any) -> list[Message]:
    fields = {"account": "alpha", "instrument": "EURUSD", "rule": "r", "from_ns": NOW_NS, **changes}
    return works.hear(works.desk.make(EntriesBarred, **fields))


def test_a_schedule_without_working_slices_ends() -> None:
    works = Works()
    works.start(1000, 1000)
    works.done(works.slice(0))
    end = ended(bar(works))
    assert (end.reason, end.filled) == ("entries_barred", Decimal(1000))
    assert works.due(1) == []


def test_a_schedule_ends_when_its_working_slice_has() -> None:
    works = Works()
    works.start(1000, 1000)
    first = works.slice(0)
    works.accept(first)
    assert cancels(bar(works)) == [(first.client_order_id, "entries_barred")]
    assert works.due(1) == []
    end = ended(works.venue(OrderCancelled, first, reason="person", filled=Decimal(0)))
    assert end.reason == "entries_barred"


@pytest.mark.parametrize("changes", [{"account": "beta"}, {"instrument": "GBPUSD"}])
def test_schedules_elsewhere_go_on(changes: dict[str, str]) -> None:
    works = Works()
    works.start(1000, 1000)
    works.done(works.slice(0))
    assert bar(works, **changes) == []
    works.slice(1)


def test_a_schedule_that_only_closes_goes_on() -> None:
    works = Works()
    works.desk.hold("EURUSD", Side.BUY, "2000", "1.1")
    works.start(1000, 1000, side=Side.SELL, reduce_only=True, stop_loss_price=None)
    works.slice(0)
    assert bar(works) == []
    works.slice(1)
