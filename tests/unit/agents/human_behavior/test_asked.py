"""A quantity is judged as it was asked for, however little of it the gates before left."""

from decimal import Decimal

import msgspec
import pytest

from tests.unit.agents.human_behavior.floor import Floor, check_of, reason, shown, with_limits
from tests.unit.core.samples import DENIED
from tmt import messages as m
from tmt.agents.human_behavior import HumanBehaviorAgent, HumanBehaviorState
from tmt.agents.human_behavior.habits import PROPOSALS_MAX
from tmt.domain.identity import derive_id
from tmt.domain.money import decode_hook
from tmt.domain.order import Order, Side


@pytest.fixture
def floor() -> Floor:
    return Floor(with_limits("entries", per_hour_max=9, per_day_max=9))


def asks(floor: Floor, quantity: str, left: str = "1000") -> Order:
    """The order that the gates before left of a person's proposal, which the agent heard."""
    proposal = floor.desk.propose("EURUSD", Side.BUY, quantity)
    floor.hear(proposal)
    return floor.order(left, order_id=derive_id(proposal.message_id, "alpha"))


@pytest.mark.parametrize(
    ("quantity", "expected"), [("999000", "approved"), ("1000000", "approved"), ("1001000", "notional_echo")]
)
def test_the_notional_is_of_what_was_asked_for(floor: Floor, quantity: str, expected: str) -> None:
    answer = floor.judge(asks(floor, quantity))
    assert reason(answer) == expected
    assert check_of(answer, "notional_echo").measured == Decimal(quantity) * Decimal("1.1") / 100_000


def test_the_echo_names_what_was_asked_for(floor: Floor) -> None:
    answer = floor.judge(asks(floor, "2000000"))
    assert isinstance(answer, m.OrderDenied)
    assert answer.detail == "2000000 EURUSD is worth 2200000.00 USD: was an amount of money meant?"


@pytest.mark.parametrize(
    ("quantity", "ratio", "expected"),
    [("19000", "9.5", "approved"), ("20000", "10", "approved"), ("21000", "10.5", "fat_finger_quantity")],
)
def test_what_was_asked_for_is_compared_with_the_usual(floor: Floor, quantity: str, ratio: str, expected: str) -> None:
    for _ in range(3):
        floor.release("2000")
    answer = floor.judge(asks(floor, quantity))
    assert reason(answer) == expected
    outcome = "pass" if expected == "approved" else "deny"
    assert shown(check_of(answer, "fat_finger_quantity")) == (ratio, "10", "ratio", outcome, False)
    if isinstance(answer, m.OrderDenied):
        assert answer.detail == "21000 EURUSD against a usual 2000 of the last 3 entries"


@pytest.mark.parametrize(("quantity", "expected"), [("50000", "approved"), ("51000", "fat_finger_quantity")])
def test_the_usual_is_what_is_usually_asked_for(floor: Floor, quantity: str, expected: str) -> None:
    for _ in range(3):
        floor.hear(floor.desk.approve(m.OrderReleased, asks(floor, "5000")))
    assert reason(floor.judge(asks(floor, quantity))) == expected


def test_an_order_that_nobody_proposed_asks_for_its_own_quantity(floor: Floor) -> None:
    asks(floor, "2000000")
    assert reason(floor.buy("1000000")) == "approved"
    assert reason(floor.buy("1001000")) == "notional_echo"


@pytest.mark.parametrize("reduce_only", [False, True])
def test_a_release_forgets_what_was_asked_for_and_of_that_order_alone(floor: Floor, reduce_only: bool) -> None:
    first, second = asks(floor, "3000"), asks(floor, "4000")
    assert floor.agent.state.asked == {first.order_id: 3000, second.order_id: 4000}
    floor.hear(floor.desk.approve(m.OrderReleased, msgspec.structs.replace(first, reduce_only=reduce_only)))
    assert floor.agent.state.asked == {second.order_id: 4000}


def test_a_denial_forgets_it_too_whoever_denied(floor: Floor) -> None:
    first, second = asks(floor, "3000"), asks(floor, "4000")
    floor.hear(floor.desk.say(m.OrderDenied, **{**DENIED, "account": "ghost", "order_id": first.order_id}))
    assert floor.agent.state.asked == {second.order_id: 4000}


def test_an_approval_does_not_forget_it(floor: Floor) -> None:
    order = asks(floor, "3000")
    assert reason(floor.judge(order)) == "approved"
    assert floor.agent.state.asked == {order.order_id: 3000}


def test_the_newest_two_hundred_are_remembered(floor: Floor) -> None:
    orders = [asks(floor, "3000") for _ in range(201)]
    assert PROPOSALS_MAX == 200
    assert list(floor.agent.state.asked) == [each.order_id for each in orders[1:]]


def test_a_gate_that_restarts_from_its_snapshot_still_knows(floor: Floor) -> None:
    order = asks(floor, "1001000")
    saved = msgspec.json.encode(floor.agent.state)
    floor.agent.state = msgspec.json.decode(saved, type=HumanBehaviorState, dec_hook=decode_hook)
    assert reason(floor.judge(order)) == "notional_echo"


def test_proposals_are_heard_and_not_answered() -> None:
    assert m.OrderProposed in HumanBehaviorAgent.consumes
    assert [kind.__name__ for kind in HumanBehaviorAgent.answers] == ["ConcentrationApproved"]
