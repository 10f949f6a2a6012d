"""What the desk believes is what the venue has: orders are put right by its record, money halts the desk."""

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
    state.orders["f" * 32] = msgspec.structs.replace(known, client_order_id="f" * 32, placed=False)


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
        (fill_in_silence, "0 of 1000 filled in our books, 1000 of 1000 at the venue"),
        (turn_order, f"is a sell of {SYMBOL} for {ACCOUNT} at the venue"),
        (move_position, f"{ACCOUNT} holds 2000 of {SYMBOL} in our books, 3000 at the venue"),
        (invent_position, f"{ACCOUNT} holds 0 of BTCUSD.SIM in our books"),
    ],
)
def test_a_difference_in_money_is_said_and_halts_the_desk(
    desk: Desk, breaks: Callable[[VenueState], None], said: str
) -> None:
    breaks(venue_state(desk))
    (found,) = find(desk)
    desk.runner._bus.publish(found)
    assert found.invariant == "O5"
    assert said in found.detail
    assert desk.runner.watch.state.breakers["system/desk"] == "open"


def test_an_exit_of_ours_that_was_never_accepted_is_not_cancelled(desk: Desk) -> None:
    execution: Any = next(agent for agent in desk.runner.agents if agent.name == "execution")
    exit_id = next(id_ for id_, order in venue_state(desk).orders.items() if order.role == "stop_loss")
    orders = {id_: order for id_, order in execution.state.orders.items() if id_ != exit_id}
    execution.state = msgspec.structs.replace(execution.state, orders=orders, exits={exit_id: "entry"})
    (found,) = find(desk)
    assert found.detail == f"exit {exit_id} works at the venue, and our books wait for it"
    assert all(not isinstance(each, m.CancelSubmitted) for each in answers(desk))


# What is repaired


def answers(desk: Desk) -> list[m.Message]:
    reconciliation = reconciliation_of(desk)
    assert reconciliation is not None
    return reconciliation.handle(m.decode(next(desk.log.read(types=("BarClosed",))).body))


def repairs(desk: Desk) -> list[m.OrderReconciled]:
    """All that were logged."""
    said = [m.decode(each.body) for each in desk.log.read(types=("OrderReconciled",))]
    return [each for each in said if isinstance(each, m.OrderReconciled)]


def resize_order(state: VenueState) -> None:
    state.orders[_resting(state)].quantity_lots = 2


def agree_again(desk: Desk) -> None:
    """Nothing was broken, nothing is left to repair, and the desk trades on."""
    assert answers(desk) == []
    assert desk.runner.counts.get("InvariantBroken", 0) == 0
    assert desk.runner.watch.state.breakers.get("system/desk") == "closed"
    assert desk.runner.watch.check_everything() == []


def test_an_order_that_is_gone_at_the_venue_ends(desk: Desk) -> None:
    (resting,) = desk.portfolio.working(ACCOUNT)
    lose_order(venue_state(desk))
    said = answers(desk)
    assert [type(each).__name__ for each in said] == ["OrderReconciled", "OrderCancelled"]
    take(desk, 5)
    (repair,) = repairs(desk)
    assert (repair.repair, repair.client_order_id) == ("end_missed", resting.client_order_id)
    assert (repair.order_id, repair.account, repair.instrument) == (resting.order.order_id, ACCOUNT, SYMBOL)
    assert repair.detail == "accepted with 0 of 1000 filled in our books, and not at the venue"
    assert desk.portfolio.working(ACCOUNT) == []
    ended = [m.decode(each.body) for each in desk.log.read(types=("OrderCancelled",))]
    assert [(each.source, getattr(each, "reason", "")) for each in ended] == [("reconciliation", "end_missed")]
    agree_again(desk)


def test_a_stop_that_is_gone_at_the_venue_protects_no_more(desk: Desk) -> None:
    assert desk.portfolio.protective_stop(ACCOUNT, SYMBOL) is not None
    state = venue_state(desk)
    del state.orders[next(id_ for id_, order in state.orders.items() if order.role == "stop_loss")]
    take(desk, 5)
    assert [each.repair for each in repairs(desk)] == ["end_missed"]
    assert desk.portfolio.protective_stop(ACCOUNT, SYMBOL) is None
    agree_again(desk)


def test_a_submission_that_never_arrived_is_rejected(desk: Desk) -> None:
    desk.command(proposal(desk, "lost", side=Side.SELL, quantity=Decimal(1000), reduce_only=True, stop_loss_price=None))
    state = venue_state(desk)
    state.agenda = []
    take(desk, 5)
    (repair,) = repairs(desk)
    assert (repair.repair, repair.detail.split()[0]) == ("end_missed", "submitted")
    (rejected,) = [m.decode(each.body) for each in desk.log.read(types=("OrderRejected",))]
    assert isinstance(rejected, m.OrderRejected)
    assert (rejected.reason, rejected.source, rejected.detail) == ("end_missed", "reconciliation", repair.detail)
    agree_again(desk)


def test_an_order_of_another_size_is_what_the_venue_has(desk: Desk) -> None:
    resize_order(venue_state(desk))
    take(desk, 5)
    (repair,) = repairs(desk)
    assert (repair.repair, repair.detail) == ("replace_missed", "of 1000 in our books, of 2000 at the venue")
    assert [str(each.remaining) for each in desk.portfolio.working(ACCOUNT)] == ["2000"]
    agree_again(desk)


def test_an_order_that_we_do_not_know_is_cancelled(desk: Desk) -> None:
    invent_order(venue_state(desk))
    said = answers(desk)
    assert [type(each).__name__ for each in said] == ["OrderReconciled", "CancelSubmitted"]
    take(desk, 5)
    (repair,) = repairs(desk)
    assert (repair.repair, repair.client_order_id, repair.order_id) == ("unknown_cancelled", "f" * 32, "")
    assert repair.detail == "a buy of 1000 works at the venue, and not in our books"
    assert "f" * 32 not in venue_state(desk).orders
    execution: Any = next(agent for agent in desk.runner.agents if agent.name == "execution")
    assert execution.state.foreign == ()
    agree_again(desk)


def test_an_order_that_we_thought_over_is_cancelled(desk: Desk) -> None:
    state = venue_state(desk)
    known = msgspec.structs.replace(state.orders[_resting(state)])
    desk.command(present(desk, m.CancelOrder.root("p", 0, "c", client_order_id=known.client_order_id, person="p")))
    take(desk, 2)
    state.orders[known.client_order_id] = msgspec.structs.replace(known, placed=False, reports=50)
    take(desk, 5)
    assert [each.repair for each in repairs(desk)] == ["unknown_cancelled"]
    agree_again(desk)


def test_a_fill_of_an_order_that_we_do_not_know_halts_the_desk_and_the_ledger_follows(desk: Desk) -> None:
    invent_order(venue_state(desk))
    for each in answers(desk):
        desk.runner._bus.publish(each)
    held = desk.portfolio.position(ACCOUNT, SYMBOL).quantity
    desk.runner._bus.publish(fill_of(desk, "f" * 32, "late"))
    assert desk.portfolio.position(ACCOUNT, SYMBOL).quantity == held + 1000
    assert desk.runner.counts["InvariantBroken"] >= 1
    assert desk.runner.watch.state.breakers["system/desk"] == "open"


def fill_of(desk: Desk, client_order_id: str, fill_id: str) -> m.OrderFilled:
    mark = desk.portfolio.mark(SYMBOL)
    assert mark is not None
    return m.OrderFilled.root(
        "paper",
        desk.runner.timeline.now_ns,
        fill_id,
        client_order_id=client_order_id,
        order_id="",
        account=ACCOUNT,
        instrument=SYMBOL,
        fill_id=fill_id,
        side=Side.BUY,
        quantity=Decimal(1000),
        price=mark.ask,
        fee=Decimal(0),
        fee_currency="USD",
        remaining=Decimal(0),
        role="entry",
        liquidity="taker",
        slippage=Decimal(0),
        quote=mark,
        setup="manual",
        strategy="manual",
    )


def test_a_fill_that_comes_after_the_end_is_booked_and_halts_the_desk(desk: Desk) -> None:
    (resting,) = desk.portfolio.working(ACCOUNT)
    lose_order(venue_state(desk))
    take(desk, 5)
    held = desk.portfolio.position(ACCOUNT, SYMBOL).quantity
    desk.runner._bus.publish(fill_of(desk, resting.client_order_id, "late"))
    assert desk.portfolio.position(ACCOUNT, SYMBOL).quantity == held + 1000
    assert desk.runner.watch.state.breakers["system/desk"] == "open"


def test_differences_are_bounded_and_in_order(desk: Desk) -> None:
    state = venue_state(desk)
    known = state.orders[_resting(state)]
    for number in reversed(range(2 * FINDINGS_MAX)):
        id_ = f"{number:032x}"
        state.orders[id_] = msgspec.structs.replace(known, client_order_id=id_, number=1000 + number, placed=False)
    found = [each for each in answers(desk) if isinstance(each, m.OrderReconciled)]
    assert [each.client_order_id for each in found] == [f"{number:032x}" for number in range(FINDINGS_MAX)]
    assert [m.encode(each) for each in answers(desk)] == [m.encode(each) for each in answers(desk)]
    for name in range(2 * FINDINGS_MAX):
        state.positions.setdefault("other", {})[SYMBOL] = name + 1
    assert len(find(desk)) == 1
    take(desk, 1)


def test_findings_of_money_are_bounded_too(desk: Desk) -> None:
    for number in range(2 * FINDINGS_MAX):
        venue_state(desk).positions[f"a{number:02}"] = {SYMBOL: 1}
    found = find(desk)
    assert [each.detail.split()[0] for each in found] == [f"a{number:02}" for number in range(FINDINGS_MAX)]
    assert [each.message_id for each in find(desk)] == [each.message_id for each in found]


def test_a_difference_found_by_a_running_desk_is_logged_once_until_a_person_lifts_the_halt(desk: Desk) -> None:
    move_position(venue_state(desk))
    take(desk, 20)
    assert len(breaches(desk)) == 1
    desk.command(present(desk, m.ResumeTrading.root("p", 0, "r", person="p", role="risk", reason="looked at")))
    take(desk, 5)
    assert len(breaches(desk)) == 2
