"""Execution and the portfolio, told all that the venue says, hold the same orders and positions as the venue does."""

from hypothesis import example, given, settings

from tests.property.test_venue_rows import ENTRY, FIRST, Place, Row, Run, Step, run, steps
from tests.unit.agents.execution.test_execution import CONFIG, opening
from tests.unit.venue.desk import instrument
from tmt.agents.execution import ExecutionAgent
from tmt.messages import InvariantBroken, OrderFilled, PositionClosed
from tmt.projections.portfolio import Portfolio


def follow(desk: Run) -> tuple[ExecutionAgent, Portfolio, list[PositionClosed]]:
    """Fold what was sent and said; nothing of it may look illegal to execution."""
    portfolio = Portfolio()
    agent = ExecutionAgent(CONFIG, portfolio, "hash")
    for message in opening():
        portfolio.evolve(message)
    closed = []
    for message in desk.log:
        portfolio.evolve(message)
        if isinstance(message, agent.consumes):
            for answer in agent.handle(message):
                assert not isinstance(answer, InvariantBroken), answer.detail
                assert isinstance(answer, PositionClosed)
                closed.append(answer)
    return agent, portfolio, closed


@settings(max_examples=200)
@given(steps)
@example([ENTRY, *[FIRST] * 6, Row(90, 1, 3, 3, 0, 0, 0)])
@example([ENTRY, *[FIRST] * 6, Row(102, 1, 3, 3, 103, 8, 1)])
def test_execution_knows_what_the_venue_knows(script: list[Step]) -> None:
    desk = run(script)
    agent, portfolio, closed = follow(desk)
    venue = desk.venue._matcher.state
    quantity_of = instrument().quantity_of
    assert {name: (order.quantity, order.filled) for name, order in agent.state.orders.items()} == {
        name: (quantity_of(order.quantity_lots), quantity_of(order.filled_lots)) for name, order in venue.orders.items()
    }
    assert portfolio.position("ACC", "TEST").quantity == quantity_of(venue.position_lots("ACC", "TEST"))
    assert len(closed) == _times_flat(desk)


def _times_flat(desk: Run) -> int:
    position, times = 0, 0
    for message in desk.said:
        if isinstance(message, OrderFilled):
            before = position
            position += int(message.quantity) * message.side.sign
            times += before * position <= 0 and before != 0
    return times


def test_the_scripts_reach_round_trips() -> None:
    exits: list[Step] = [ENTRY, *[FIRST] * 6, Row(90, 1, 0, 0, 0, 0, 0)]
    assert isinstance(exits[0], Place)
    assert [trip.closing_role for trip in follow(run(exits))[2]] == ["stop_loss"]
