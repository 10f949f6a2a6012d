"""A test order that goes out in slices is tried out by what they do; one that is never sent is tried out by nothing."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from tests.unit.agents.circuit_breaker.hall import Hall, reason
from tests.unit.agents.circuit_breaker.test_circuit_breaker import ALPHA, open_by_losses
from tmt import messages as m
from tmt.domain.order import Order, Side
from tmt.domain.schedule import Algorithm


def on_trial() -> Hall:
    hall = Hall()
    open_by_losses(hall)
    hall.wait(60)
    assert reason(hall.order()) == "released"
    return hall


def slice_out(hall: Hall, name: str = "slice") -> Order:
    parent = hall.released[0]
    child = msgspec.structs.replace(parent, order_id=name, parent_id=parent.order_id, quantity=Decimal(1000))
    hall.say(
        m.OrderSubmitted,
        client_order_id=f"{name}-client",
        order=child,
        stop_loss_client_order_id=None,
        take_profit_client_order_id=None,
    )
    return child


def fill(hall: Hall, child: Order) -> None:
    hall.hear(hall.desk.fill(child, "1.1"))


def sell(hall: Hall, realised: str = "1") -> None:
    """All that is held of EURUSD, which ends its round trip."""
    held = hall.desk.portfolio.position("alpha", "EURUSD").quantity
    hall.hold(Side.SELL, str(held), "1.1")
    hall.trade(realised)


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


def places_taken(hall: Hall) -> int:
    return len(hall.breaker(ALPHA).trials)


def test_the_trial_ends_when_the_slices_position_closes() -> None:
    hall = on_trial()
    fill(hall, slice_out(hall))
    end(hall, "1000")
    assert places_taken(hall) == 1
    hall.trade("1", account="beta")
    hall.trade("1", symbol="GBPUSD")
    assert places_taken(hall) == 1
    sell(hall)
    assert places_taken(hall) == 0
    assert hall.breaker(ALPHA).successes == 2


def test_an_older_position_that_closes_frees_no_place_of_a_slice_that_is_sent() -> None:
    hall = on_trial()
    hall.hold(Side.BUY, "3000", "1.1")
    child = slice_out(hall)
    sell(hall)
    assert places_taken(hall) == 1
    fill(hall, child)
    end(hall, "1000")
    assert places_taken(hall) == 1
    sell(hall)
    assert places_taken(hall) == 0


def test_slices_hold_their_place_after_the_first_has_closed() -> None:
    hall = on_trial()
    fill(hall, slice_out(hall))
    sell(hall)
    assert (places_taken(hall), hall.breaker(ALPHA).successes) == (1, 1)
    fill(hall, slice_out(hall, "later"))
    hall.say(
        m.OrderExpired,
        client_order_id="last-client",
        order_id=slice_out(hall, "last").order_id,
        account="alpha",
        instrument="EURUSD",
        filled=Decimal(0),
    )
    assert places_taken(hall) == 1
    sell(hall)
    assert places_taken(hall) == 1
    assert reason(hall.order()) == "released"
    assert reason(hall.order()) == "breaker_half_open"
    end(hall, "2000")
    assert places_taken(hall) == 1
    assert hall.breaker(ALPHA).trials[0].order_id == hall.released[1].order_id
    assert reason(hall.order()) == "released"


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
