"""What the desk believes is what the venue has; any difference halts the desk, and says what differs."""

from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.integration.simulated import ACCOUNT, SYMBOL, make_desk, proposal, take
from tmt import messages as m
from tmt.bootstrap import Desk
from tmt.domain.order import OrderType, Side
from tmt.engine.reconciliation import FINDINGS_MAX, Reconciliation
from tmt.venue.orders import VenueState


def reconciliation_of(desk: Desk) -> Reconciliation | None:
    bus: Any = desk.runner._bus
    owners = [getattr(handler, "__self__", None) for handler in bus._handlers[m.SessionStarted]]
    return next((owner for owner in owners if isinstance(owner, Reconciliation)), None)


def reconciled(book: Path) -> Desk:
    """A desk that reconciles, whether or not it was built so."""
    desk = make_desk(book)
    runner = desk.runner
    if reconciliation_of(desk) is None:
        execution: Any = next(agent for agent in runner.agents if agent.name == "execution")
        reconciliation = Reconciliation(runner._venue, execution, runner.portfolio, runner.watch)
        runner._bus.subscribe(reconciliation.consumes, reconciliation.handle)
    desk.start()
    return desk


def find(desk: Desk) -> list[m.InvariantBroken]:
    """What reconciling finds now."""
    reconciliation = reconciliation_of(desk)
    assert reconciliation is not None
    found = reconciliation.handle(m.decode(next(desk.log.read(types=("BarClosed",))).body))
    return [each for each in found if isinstance(each, m.InvariantBroken)]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = reconciled(tmp_path / "book")
    take(desk, 5)
    mark = desk.portfolio.mark(SYMBOL)
    assert mark is not None
    far = mark.bid - Decimal("0.02")
    desk.command(proposal(desk, "held", take_profit_price=mark.ask + Decimal("0.05")))
    resting = proposal(desk, "rests", order_type=OrderType.LIMIT, limit_price=far, stop_loss_price=far - 1)
    desk.command(resting)
    take(desk, 2)
    yield desk
    desk.log.close()


def venue_state(desk: Desk) -> VenueState:
    venue: Any = desk.runner._venue
    state: VenueState = venue._state
    return state


def breaches(desk: Desk) -> list[str]:
    said = [m.decode(each.body) for each in desk.log.read(types=("InvariantBroken",))]
    return [each.detail for each in said if isinstance(each, m.InvariantBroken) and each.invariant == "O5"]


def test_a_busy_desk_and_its_venue_agree_all_the_time(desk: Desk) -> None:
    working = [each.client_order_id for each in desk.portfolio.working(ACCOUNT)]
    assert len(venue_state(desk).orders) == 3
    (limit,) = working
    replaced = m.ReplaceOrder.root(
        "p", 0, "r", client_order_id=limit, quantity=Decimal(1000), limit_price=None, person="p"
    )
    desk.command(present(desk, replaced))
    take(desk, 10)
    desk.command(present(desk, m.CancelOrder.root("p", 0, "c", client_order_id=limit, person="p")))
    desk.command(proposal(desk, "smaller", side=Side.SELL, quantity=Decimal(1000), reduce_only=True))
    take(desk, 40)
    assert desk.runner.counts["BarClosed"] > 100
    assert desk.runner.counts["OrderFilled"] >= 2
    assert breaches(desk) == []


def present(desk: Desk, command: m.Message) -> m.Message:
    return msgspec.structs.replace(command, occurred_at_ns=desk.runner.timeline.now_ns)


def lose_order(state: VenueState) -> None:
    del state.orders[_resting(state)]


def invent_order(state: VenueState) -> None:
    known = state.orders[_resting(state)]
    state.orders["f" * 32] = msgspec.structs.replace(known, client_order_id="f" * 32)


def fill_in_silence(state: VenueState) -> None:
    state.orders[_resting(state)].filled_lots += 1


def turn_order(state: VenueState) -> None:
    state.orders[_resting(state)].sign = -1


def move_position(state: VenueState) -> None:
    state.positions[ACCOUNT][SYMBOL] += 1


def invent_position(state: VenueState) -> None:
    state.positions[ACCOUNT]["BTCUSD.SIM"] = 1


def _resting(state: VenueState) -> str:
    return next(id_ for id_, order in state.orders.items() if not order.reduce_only)


@pytest.mark.parametrize(
    ("breaks", "said"),
    [
        (lose_order, "in our books, and not at the venue"),
        (invent_order, f"order {'f' * 32} works at the venue, and not in our books"),
        (fill_in_silence, "0 of 1000 filled in our books, 1000 of 1000 at the venue"),
        (turn_order, f"is a sell of {SYMBOL} for {ACCOUNT} at the venue"),
        (move_position, f"{ACCOUNT} holds 2000 of {SYMBOL} in our books, 3000 at the venue"),
        (invent_position, f"{ACCOUNT} holds 0 of BTCUSD.SIM in our books"),
    ],
)
def test_a_difference_is_said_and_halts_the_desk(desk: Desk, breaks: Callable[[VenueState], None], said: str) -> None:
    breaks(venue_state(desk))
    (found,) = find(desk)
    desk.runner._bus.publish(found)
    assert found.invariant == "O5"
    assert said in found.detail
    assert desk.runner.watch.state.breakers["system/desk"] == "open"


def test_differences_are_bounded_and_in_order(desk: Desk) -> None:
    state = venue_state(desk)
    known = state.orders[_resting(state)]
    for number in reversed(range(2 * FINDINGS_MAX)):
        id_ = f"{number:032x}"
        state.orders[id_] = msgspec.structs.replace(known, client_order_id=id_)
    found = find(desk)
    assert [each.detail.split()[1] for each in found] == [f"{number:032x}" for number in range(FINDINGS_MAX)]
    assert find(desk) == found


def test_a_difference_found_by_a_running_desk_is_logged_once_until_a_person_lifts_the_halt(desk: Desk) -> None:
    move_position(venue_state(desk))
    take(desk, 20)
    assert len(breaches(desk)) == 1
    desk.command(present(desk, m.ResumeTrading.root("p", 0, "r", person="p", reason="looked at")))
    take(desk, 5)
    assert len(breaches(desk)) == 2
