"""A large order through the whole desk: sliced, interrupted, stopped, explained."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from tests.integration.simulated import ACCOUNT, SYMBOL, hashes, killed, make_desk, proposal, take
from tmt import messages as m
from tmt.bootstrap import Desk
from tmt.domain.order import TimeInForce
from tmt.domain.stop import ScopeKind, StopLevel, StopScope
from tmt.projections.causation import incomplete_fills
from tmt.projections.order_index import OrderIndex
from tmt.projections.trail import why

SLICED = (
    "human_behavior.slicing.participation_fraction_max=0.000001",
    "human_behavior.slicing.volume.bars_min=3",
    "human_behavior.slicing.volume.lots_per_tick=100",
    "human_behavior.slicing.slices_max=4",
    "human_behavior.slicing.trial.whole_fraction=0",
)
WHOLE = (*SLICED[:-1], "human_behavior.slicing.trial.whole_fraction=1")


def open_sliced(book: Path, overrides: tuple[str, ...] = SLICED) -> Desk:
    desk = make_desk(book, overrides=overrides)
    desk.start()
    return desk


def ask(desk: Desk, **changes: object) -> m.OrderProposed:
    wanted = {"quantity": Decimal(12_000), "time_in_force": TimeInForce.IOC, **changes}
    asked = proposal(desk, "large", **wanted)
    assert desk.command(asked)
    return asked


def said(desk: Desk, *kinds: type[m.Message]) -> list[m.Message]:
    return [m.decode(each.body) for each in desk.log.read(types=tuple(kind.__name__ for kind in kinds))]


def end_of(desk: Desk) -> m.ScheduleEnded:
    [end] = said(desk, m.ScheduleEnded)
    assert isinstance(end, m.ScheduleEnded)
    return end


def slices_of(desk: Desk) -> list[m.OrderSubmitted]:
    return [each for each in said(desk, m.OrderSubmitted) if isinstance(each, m.OrderSubmitted)]


def test_a_large_order_goes_out_in_slices_and_its_cost_is_told(tmp_path: Path) -> None:
    desk = open_sliced(tmp_path / "book")
    take(desk, 3)
    asked = ask(desk)
    take(desk, 3)
    [started] = said(desk, m.ScheduleStarted)
    assert isinstance(started, m.ScheduleStarted)
    end = end_of(desk)
    slices = slices_of(desk)
    assert len(slices) == 4
    assert sum(each.order.quantity for each in slices) == started.order.quantity == end.filled
    assert end.reason == "completed"
    assert end.shortfall_fraction is not None
    assert desk.portfolio.position(ACCOUNT, SYMBOL).quantity == end.filled
    assert desk.portfolio.working(ACCOUNT) == []
    assert len(desk.portfolio.exits(ACCOUNT, SYMBOL)) == 4
    assert said(desk, m.InvariantBroken) == []
    assert desk.runner.watch.check_everything() == []
    assert incomplete_fills(desk.log) == ()
    assert asked.correlation_id == end.correlation_id
    desk.close()


def test_a_whole_order_of_the_trial_is_measured_the_same_way(tmp_path: Path) -> None:
    desk = open_sliced(tmp_path / "book", WHOLE)
    take(desk, 3)
    ask(desk)
    take(desk, 1)
    end = end_of(desk)
    [only] = slices_of(desk)
    assert only.order.quantity == end.filled
    assert (end.reason, end.immediate_fraction) == ("completed", None)
    assert said(desk, m.InvariantBroken) == []
    desk.close()


@pytest.mark.parametrize("cleanly", [True, False])
def test_a_desk_that_stops_between_two_slices_goes_on_as_if_it_had_not(tmp_path: Path, cleanly: bool) -> None:
    whole = open_sliced(tmp_path / "whole")
    take(whole, 3)
    ask(whole)
    take(whole, 3)
    expected, decided = hashes(whole), [each.message_id for each in said(whole, m.OrderSubmitted, m.ScheduleEnded)]
    whole.close()

    first = open_sliced(tmp_path / "cut")
    take(first, 3)
    ask(first)
    batch = next(iter(first.batches()))
    first.take(batch.rows(0, len(batch) // 2))
    assert 0 < len(slices_of(first)) < 4
    first.close() if cleanly else killed(first)
    second = open_sliced(tmp_path / "cut")
    second.take(batch.rows(len(batch) // 2, len(batch)))
    take(second, 2)
    assert [each.message_id for each in said(second, m.OrderSubmitted, m.ScheduleEnded)] == decided
    assert hashes(second) == expected
    second.close()


@pytest.mark.parametrize("level", StopLevel)
def test_an_emergency_stop_ends_the_slices_and_the_books_agree(tmp_path: Path, level: StopLevel) -> None:
    desk = open_sliced(tmp_path / "book")
    take(desk, 3)
    ask(desk)
    batch = next(iter(desk.batches()))
    desk.take(batch.rows(0, 50))
    before = slices_of(desk)
    scope = StopScope(kind=ScopeKind.INSTRUMENT, name=SYMBOL)
    stop = m.StopTrading.root(
        "ann", desk.runner.timeline.now_ns, "s", person="ann", role="admin", reason="test", level=level, scope=scope
    )
    assert desk.command(stop)
    desk.take(batch.rows(50, len(batch)))
    take(desk, 2)
    assert end_of(desk).reason == "stopped"
    entries = [each for each in slices_of(desk) if not each.order.reduce_only]
    assert [each.message_id for each in entries] == [each.message_id for each in before]
    assert said(desk, m.InvariantBroken) == []
    assert [each.order.order_id for each in desk.portfolio.working(ACCOUNT)] == []
    assert (desk.portfolio.position(ACCOUNT, SYMBOL).quantity == 0) is level.flattens
    desk.close()


def test_a_parent_is_cancelled_by_its_own_id_and_found_by_that_of_a_slice(tmp_path: Path) -> None:
    desk = open_sliced(tmp_path / "book")
    take(desk, 3)
    ask(desk)
    batch = next(iter(desk.batches()))
    desk.take(batch.rows(0, 50))
    index = OrderIndex()
    for recorded in desk.log.read():
        index.handle(m.decode(recorded.body), recorded.position)
    first = slices_of(desk)[0]
    record = index.get(first.order.parent_id)
    assert record is not None
    assert (record.client_order_id, record.status) == (record.order_id, "submitted")
    cancel = m.CancelOrder.root(
        "ann", desk.runner.timeline.now_ns, "c", client_order_id=record.client_order_id, person="ann"
    )
    assert desk.command(cancel)
    desk.take(batch.rows(50, len(batch)))
    end = end_of(desk)
    assert end.reason == "cancelled"
    index.handle(end, 10**6)
    record = index.get(end.order_id)
    assert record is not None
    assert (record.status, record.reason, record.filled) == ("cancelled", "cancelled", end.filled)
    desk.close()


def test_the_trail_shows_the_parent_its_slices_and_their_cost(tmp_path: Path) -> None:
    desk = open_sliced(tmp_path / "book")
    take(desk, 3)
    ask(desk)
    take(desk, 3)
    slices = slices_of(desk)
    parent_id = slices[0].order.parent_id
    for asked_for in (parent_id, slices[1].order.order_id, slices[2].client_order_id):
        trail = why(desk.log, asked_for)
        [order] = trail.orders
        assert order.order_id == parent_id
        assert order.slices == tuple(slices)
        assert order.shortfall == end_of(desk)
        assert len([each for each in order.reports if isinstance(each, m.OrderFilled)]) == 4
        assert order.state == "filled"
        assert trail.complete
    desk.close()
