"""What the completion of an emergency stop says, and what it counts as closed."""

from tests.unit.agents.execution.test_execution import Desk
from tests.unit.agents.execution.test_halting import holding, stop
from tmt.domain.order import Side
from tmt.domain.stop import StopLevel
from tmt.messages import OrderAccepted, OrderCancelled, OrderFilled, StopCompleted


def test_a_position_that_closes_without_a_proposal_counts_as_closed() -> None:
    desk = Desk()
    holding(desk)
    asked = stop(StopLevel.FLATTEN)
    assert desk.deliver([asked]) == []
    closing = desk.release("close", reduce_only=True, side=Side.SELL)
    desk.venue(OrderAccepted, closing, side=Side.SELL)
    said = desk.venue(OrderFilled, closing, side=Side.SELL, role="close")
    [completed] = [each for each in said if isinstance(each, StopCompleted)]
    assert (completed.source, completed.stop_id) == ("execution", asked.message_id)
    assert (completed.positions_closed, completed.positions_open) == (("ACC/TEST",), ())


def test_two_stops_that_one_answer_completes_are_told_apart() -> None:
    desk = Desk()
    name = desk.release("a")
    desk.venue(OrderAccepted, name)
    desk.deliver([stop(), stop(key="2")])
    said = [each for each in desk.venue(OrderCancelled, name) if isinstance(each, StopCompleted)]
    assert [each.stop_id for each in said] == [stop().message_id, stop(key="2").message_id]
    assert len({each.message_id for each in said}) == 2
