"""A test order that goes out in slices is tried out by what they do; one that is never sent is tried out by nothing."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from tests.unit.agents.circuit_breaker.hall import Hall, reason
from tests.unit.agents.circuit_breaker.test_circuit_breaker import ALPHA, open_by_losses
from tmt import messages as m
from tmt.domain.schedule import Algorithm


def on_trial() -> Hall:
    hall = Hall()
    open_by_losses(hall)
    hall.wait(60)
    assert reason(hall.order()) == "released"
    return hall


def slice_out(hall: Hall) -> None:
    parent = hall.released[0]
    child = msgspec.structs.replace(parent, order_id="slice", parent_id=parent.order_id, quantity=Decimal(100))
    hall.say(
        m.OrderSubmitted,
        client_order_id="c",
        order=child,
        stop_loss_client_order_id=None,
        take_profit_client_order_id=None,
    )


def end(hall: Hall, filled: str) -> None:
    hall.say(
        m.ScheduleEnded,
        order_id=hall.released[0].order_id,
        account="alpha",
        instrument="EURUSD",
        algorithm=Algorithm.TWAP,
        reason="completed",
        filled=Decimal(filled),
        arrival_price=Decimal("1.1"),
        average_price=None,
        shortfall_fraction=None,
        immediate_fraction=None,
    )


def test_the_trial_ends_when_the_slices_position_closes() -> None:
    hall = on_trial()
    slice_out(hall)
    end(hall, "100")
    assert len(hall.breaker(ALPHA).trials) == 1
    hall.trade("1", order_id="slice")
    assert hall.breaker(ALPHA).trials == ()
    assert hall.breaker(ALPHA).successes == 1


def test_the_trial_ends_when_no_slice_filled() -> None:
    hall = on_trial()
    end(hall, "0")
    assert hall.breaker(ALPHA).trials == ()


def test_another_schedule_ends_no_trial() -> None:
    hall = on_trial()
    hall.released[0] = msgspec.structs.replace(hall.released[0], order_id="another")
    end(hall, "0")
    assert len(hall.breaker(ALPHA).trials) == 1


def test_a_test_order_that_execution_refuses_makes_room_for_the_next() -> None:
    hall = on_trial()
    assert reason(hall.order()) == "released"
    assert reason(hall.order()) == "breaker_half_open"
    refused = hall.released[1]
    hall.say(
        m.OrderDenied,
        order_id=refused.order_id,
        account=refused.account,
        instrument=refused.instrument,
        side=refused.side,
        quantity=refused.quantity,
        gate="execution",
        reason="message_rate",
        measured=Decimal(101),
        limit=Decimal(100),
        unit="messages",
        detail="",
        checks=(),
        config_hash="",
    )
    assert [trial.order_id for trial in hall.breaker(ALPHA).trials] == [hall.released[0].order_id]
    assert reason(hall.order()) == "released"
    assert reason(hall.order()) == "breaker_half_open"
