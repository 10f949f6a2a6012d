"""Scenario 11: an emergency stop in the middle of a large order that goes out in slices."""

from decimal import Decimal
from pathlib import Path

import pytest

from tests.acceptance.trading_day import SECOND_NS, TradingDay, account_of, accounts
from tmt import messages as m
from tmt.domain.order import OrderType
from tmt.domain.stop import EVERYTHING, ScopeKind, StopLevel, StopScope
from tmt.projections.trail import why

SLICED = (
    "human_behavior.slicing.volume.lots_per_tick=1",
    "human_behavior.slicing.volume.bars_min=3",
    "human_behavior.slicing.participation_fraction_max=0.1",
    "human_behavior.slicing.slices_max=4",
    "human_behavior.slicing.trial.whole_fraction=0",
)
PARENT = 12_000
HELD = "alpha/EURUSD"


class Order:
    """A parent of 12,000 of which two slices of four have gone out; the same account has a limit order resting."""

    def __init__(self, book: Path) -> None:
        self.day = TradingDay(
            book, "2026-06-03 09:00 UTC", {"EURUSD": "1.10000"}, accounts(account_of("alpha", "EURUSD")), *SLICED
        )
        self.day.minutes(5)
        self.day.released(
            self.day.buys("2000", "EURUSD", order_type=OrderType.LIMIT, limit_price="1.09000", stop="1.08000")
        )
        self.parent = self.day.buys(str(PARENT), "EURUSD", stop="1.09000", wait=0)
        [started] = self.day.said(m.ScheduleStarted)
        assert started.order.schedule is not None
        self.slices = started.order.schedule.slices
        assert sum(each.quantity for each in self.slices) == PARENT
        assert len(self.slices) == 4
        self.day.passes_to(self.slices[1].due_ns)
        self.out = sum(each.quantity for each in self.slices[:2])

    def gone_out(self) -> list[Decimal]:
        """Quantities of the slices that were sent, oldest first."""
        return [each.order.quantity for each in self.day.of(self.parent, m.OrderSubmitted)]

    def assert_stopped(self) -> None:
        """Nothing beyond the second slice went out, and nothing more will."""
        assert self.gone_out() == [each.quantity for each in self.slices[:2]]
        [end] = self.day.said(m.ScheduleEnded)
        assert (end.reason, end.filled) == ("stopped", self.out)
        assert self.day.desk.portfolio.working("alpha") == []


@pytest.fixture
def order(tmp_path: Path) -> Order:
    return Order(tmp_path / "book")


def test_without_a_stop_all_four_slices_go_out(order: Order) -> None:
    order.day.passes_to(order.slices[3].due_ns + SECOND_NS)
    assert order.gone_out() == [each.quantity for each in order.slices]
    assert order.day.held("EURUSD") == PARENT
    order.day.ends()


def test_a_stop_ends_the_slices_and_says_what_became_of_every_working_order(order: Order) -> None:
    day = order.day
    stop = day.stops(StopLevel.CANCEL)  # the second slice is on its way to the venue
    day.seconds(1)
    order.assert_stopped()
    [completed] = day.said(m.StopCompleted)
    assert (completed.stop_id, completed.cancelled, completed.filled) == (stop.message_id, 1, 1)
    assert completed.occurred_at_ns - stop.occurred_at_ns < SECOND_NS // 10
    [cancelled] = day.said(m.OrderCancelled)
    assert cancelled.reason == "stop_trading"
    assert day.held("EURUSD") == order.out, "a cancel leaves positions"
    assert len(day.desk.portfolio.exits("alpha", "EURUSD")) == 2, "and what protects them"
    day.minutes(30)
    order.assert_stopped()
    day.ends()


@pytest.mark.parametrize("level", [StopLevel.FLATTEN, StopLevel.LOCK])
def test_a_flatten_also_closes_what_had_filled(order: Order, level: StopLevel) -> None:
    day = order.day
    day.stops(level)
    day.seconds(1)
    day.seconds(1)  # what filled before its cancel is closed as well
    assert day.held("EURUSD") == 0
    [completed] = day.said(m.StopCompleted)
    assert (completed.cancelled, completed.filled) == (1, 1)
    assert (completed.positions_closed, completed.positions_open) == ((HELD,), ())
    day.minutes(30)
    entries = [each for each in day.said(m.OrderSubmitted) if not each.order.reduce_only]
    assert len(entries) == 3
    assert day.held("EURUSD") == 0
    day.ends()


@pytest.mark.parametrize("cleanly", [True, False])
def test_the_stop_survives_a_restart_and_the_rest_never_goes_out(order: Order, cleanly: bool) -> None:
    day = order.day
    day.stops(StopLevel.CANCEL)
    day.restarts(cleanly=cleanly)
    day.seconds(1)
    order.assert_stopped()
    day.restarts(cleanly=cleanly)
    day.minutes(10)
    refused = day.denial(day.buys("2000", "EURUSD", stop="1.09000"))
    assert (refused.gate, refused.reason) == ("circuit_breaker", "breaker_open")
    order.assert_stopped()
    assert [each.cancelled for each in day.said(m.StopCompleted)] == [1]
    day.ends()


def test_only_the_right_role_with_a_reason_resumes_and_the_rest_stays_where_it_is(order: Order) -> None:
    day = order.day
    day.stops(StopLevel.CANCEL)
    day.minutes(1)
    day.resumes("trader")
    assert "rob may not resume desk by the role trader" in day.said(m.BreakerOpened)[-1].detail
    assert day.denial(day.buys("2000", "EURUSD", stop="1.09000")).reason == "breaker_open"
    day.resumes("risk", "drill is over")
    [lifted] = [each for each in day.said(m.BreakerClosed) if each.trigger == "resumed_by_person"]
    assert (lifted.tier, lifted.scope, lifted.detail) == ("system", "desk", "rob: drill is over")
    day.released(day.buys("3000", "EURUSD", stop="1.09000"))
    day.minutes(30)
    assert order.gone_out() == [each.quantity for each in order.slices[:2]]
    day.ends()


def test_a_lock_takes_an_administrator(order: Order) -> None:
    day = order.day
    day.stops(StopLevel.LOCK)
    day.minutes(1)
    day.resumes("risk")
    assert day.denial(day.buys("2000", "EURUSD", stop="1.09000")).reason == "breaker_open"
    day.resumes("admin")
    day.released(day.buys("3000", "EURUSD", stop="1.09000"))
    day.ends()


def test_a_stop_of_another_scope_leaves_the_slices_alone(order: Order) -> None:
    day = order.day
    day.stops(StopLevel.CANCEL, StopScope(kind=ScopeKind.INSTRUMENT, name="BTCUSD"))
    day.resumes("trader", scope=EVERYTHING)
    day.passes_to(order.slices[3].due_ns + SECOND_NS)
    assert len(order.gone_out()) == 4
    assert len(day.desk.portfolio.working("alpha")) == 1
    day.ends()


def test_the_trail_of_the_parent_tells_the_slices_and_why_they_ended(order: Order) -> None:
    order.day.stops(StopLevel.CANCEL)
    order.day.seconds(1)
    [told] = why(order.day.desk.log, order.day.said(m.ScheduleStarted)[0].order.order_id).orders
    assert [each.order.quantity for each in told.slices] == [each.quantity for each in order.slices[:2]]
    assert told.shortfall is not None
    assert told.shortfall.reason == "stopped"
    order.day.ends()
