"""Each invariant is broken on purpose and seen; an order that keeps every rule is not."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from tests.unit.core import samples
from tests.unit.core.desk import EXPIRES_NS, NOW_NS, Desk
from tmt import messages as m
from tmt.domain.ledger import Posting, Transaction
from tmt.domain.money import ZERO, decode_hook
from tmt.domain.order import Order, Side
from tmt.domain.schedule import Algorithm, Schedule, Slice
from tmt.domain.stop import EVERYTHING, ScopeKind, StopLevel, StopScope
from tmt.invariants import REGISTRY, Breach, WatchState

SCHEDULE = Schedule(
    algorithm=Algorithm.TWAP,
    slices=(Slice(NOW_NS, Decimal(600)), Slice(NOW_NS + 60, Decimal(400))),
    seed="parent",
)
PARENT = samples.make_order("parent", schedule=SCHEDULE)


def slice_of(parent: Order, order_id: str, quantity: int, **changes: Any) -> Order:
    return msgspec.structs.replace(
        parent,
        **{
            "order_id": order_id,
            "parent_id": parent.order_id,
            "quantity": Decimal(quantity),
            "schedule": None,
            **changes,
        },
    )


Mutant = Callable[[Desk], object]
MUTANTS: dict[str, list[Mutant]] = {}


def breaks(invariant: str) -> Callable[[Mutant], Mutant]:
    def note(mutant: Mutant) -> Mutant:
        MUTANTS.setdefault(invariant, []).append(mutant)
        return mutant

    return note


@breaks("M2")
def money_from_nowhere(desk: Desk) -> None:
    desk.portfolio.ledger._balances["venue/cash", "USD"] = Decimal("0.00000001")


@breaks("M3")
def units_booked_without_a_position(desk: Desk) -> None:
    postings = (Posting("alpha/units", "EURUSD", Decimal(1)), Posting("venue/units", "EURUSD", Decimal(-1)))
    desk.portfolio.ledger.post(Transaction(transaction_id="stray", postings=postings))


@breaks("M5")
def a_position_that_lost_a_fill(desk: Desk) -> None:
    desk.working()
    desk.fill(400, 600)
    desk.portfolio.state.positions.clear()


@breaks("M5")
def profit_that_no_fill_made(desk: Desk) -> None:
    desk.portfolio.state.accounts["alpha"].realised["USD"] = Decimal("0.01")


@breaks("M5")
def a_forgotten_fee_in_a_currency_without_cash(desk: Desk) -> None:
    desk.working()
    desk.fill(1000, 0, fee=Decimal("0.1"), fee_currency="BNB")
    desk.portfolio.state.accounts["alpha"].fees["BNB"] = ZERO


@breaks("M6")
def a_price_off_the_grid(desk: Desk) -> None:
    desk.working()
    desk.fill(1000, 0, price=Decimal("1.100025"))


@breaks("M6")
def a_quantity_off_the_lot(desk: Desk) -> None:
    desk.working()
    desk.fill("0.5", "999.5")


@breaks("M6")
def a_fill_in_an_unknown_instrument(desk: Desk) -> None:
    desk.working()
    fill = m.OrderFilled.root("paper", NOW_NS, **{**samples.FILL, "instrument": "ZZZ", "client_order_id": "client"})
    desk.breaches += desk.watch.see(fill)


@breaks("M7")
def a_fill_that_comes_twice(desk: Desk) -> None:
    desk.working()
    desk.fill(400, 600, fill_id="same")
    desk.fill(400, 200, fill_id="same")


@breaks("O1")
def a_fill_after_the_end(desk: Desk) -> None:
    desk.working()
    desk.event(m.OrderCancelled, filled=ZERO)
    desk.fill(1000, 0)


@breaks("O1")
def an_acceptance_of_nothing_submitted(desk: Desk) -> None:
    desk.accept()


@breaks("O1")
def a_rejection_after_acceptance(desk: Desk) -> None:
    desk.working()
    desk.event(m.OrderRejected)


@breaks("O2")
def a_fill_beyond_the_quantity(desk: Desk) -> None:
    desk.working()
    desk.fill(600, 400)
    desk.fill(600, 0)


@breaks("O2")
def a_remainder_that_does_not_add_up(desk: Desk) -> None:
    desk.working()
    desk.fill(400, 601)


@breaks("O3")
def a_release_submitted_twice(desk: Desk) -> None:
    order = samples.make_order()
    release = desk.approve(order)
    desk.submit(order, release, "client")
    desk.submit(order, release, "another")


@breaks("O3")
def a_client_order_id_used_again(desk: Desk) -> None:
    desk.working()
    other = samples.make_order("order-2")
    desk.submit(other, desk.approve(other), "client")


@breaks("O3")
def an_order_approved_and_submitted_all_over_again(desk: Desk) -> None:
    order = desk.working()
    desk.submit(order, desk.approve(order), "another")


@breaks("O4")
def more_submitted_than_released(desk: Desk) -> None:
    release = desk.approve(samples.make_order())
    desk.submit(samples.make_order(quantity=Decimal(1001)), release)


@breaks("O4")
def the_other_side_submitted(desk: Desk) -> None:
    release = desk.approve(samples.make_order())
    desk.submit(samples.make_order(side=Side.SELL), release)


def protect(desk: Desk, side: Side, price: str) -> None:
    """A working order whose protective stop, on `side`, works at `price`."""
    desk.working()
    desk.event(m.OrderAccepted, "client-SL", role="stop_loss", side=side, price=Decimal(price), reduce_only=True)


def move_stop(desk: Desk, kind: type[m.Message], price: str | None) -> None:
    stop = None if price is None else Decimal(price)
    desk.event(kind, "client-SL", quantity=Decimal(1000), limit_price=None, stop_price=stop)


@breaks("O9")
def a_stop_that_the_venue_moved_away(desk: Desk) -> None:
    protect(desk, Side.SELL, "1.09000")
    move_stop(desk, m.OrderReplaced, "1.08999")


@breaks("O9")
def a_stop_asked_to_move_away(desk: Desk) -> None:
    protect(desk, Side.BUY, "1.11000")
    move_stop(desk, m.ReplaceSubmitted, "1.11001")


@breaks("O9")
def a_stop_moved_nearer_and_back(desk: Desk) -> None:
    protect(desk, Side.SELL, "1.09000")
    move_stop(desk, m.OrderReplaced, "1.09500")
    move_stop(desk, m.OrderReplaced, "1.09000")


@pytest.mark.parametrize(
    ("side", "prices"), [(Side.SELL, ("1.09", "1.095", None)), (Side.BUY, ("1.11", "1.105", None))]
)
def test_a_stop_may_come_nearer_or_stay(side: Side, prices: tuple[str | None, ...]) -> None:
    desk = Desk()
    protect(desk, side, "1.09" if side is Side.SELL else "1.11")
    for price in prices:
        move_stop(desk, m.ReplaceSubmitted, price)
        move_stop(desk, m.OrderReplaced, price)
    assert "O9" not in desk.broken()


def test_what_is_no_protective_stop_may_move() -> None:
    desk = Desk()
    desk.working()
    desk.event(m.OrderReplaced, quantity=Decimal(1000), limit_price=None, stop_price=Decimal("1.2"))
    desk.event(m.OrderReplaced, quantity=Decimal(1000), limit_price=None, stop_price=Decimal("1.1"))
    desk.event(m.OrderReplaced, quantity=Decimal(1000), limit_price=None, stop_price=Decimal("1.3"))
    assert "O9" not in desk.broken()


@breaks("O2")
def a_fill_of_an_order_that_is_not_ours(desk: Desk) -> None:
    desk.event(m.OrderReconciled, "foreign", repair="unknown_cancelled")
    desk.fill(1, 0, "foreign")


def test_an_order_that_is_not_ours_may_end() -> None:
    desk = Desk()
    desk.event(m.OrderReconciled, "foreign", repair="unknown_cancelled")
    desk.event(m.OrderCancelled, "foreign", filled=ZERO)
    assert desk.broken() == set()
    desk.event(m.OrderReconciled, "another", repair="end_missed")
    desk.event(m.OrderCancelled, "another", filled=ZERO)
    assert desk.broken() == {"O1"}


@breaks("A1")
def a_submission_without_approvals(desk: Desk) -> None:
    desk.submit(samples.make_order(), None)


@breaks("A1")
def a_submission_without_the_release(desk: Desk) -> None:
    order = samples.make_order()
    desk.submit(order, desk.approve(order, m.APPROVALS[:-1]))


@breaks("A1")
def a_submission_that_another_message_caused(desk: Desk) -> None:
    order = samples.make_order()
    desk.approve(order)
    desk.submit(order, m.TimeAdvanced.root("clock", NOW_NS))


@breaks("A1")
def a_gate_left_out(desk: Desk) -> None:
    desk.approve(samples.make_order(), (m.OrderSized, m.BehaviourApproved))


@breaks("A1")
def an_order_sized_twice(desk: Desk) -> None:
    desk.approve(samples.make_order(), (m.OrderSized, m.OrderSized))


@breaks("A2")
def an_order_that_grows(desk: Desk) -> None:
    sized = desk.approve(samples.make_order(), (m.OrderSized,))
    desk.gate(m.ConcentrationApproved, samples.make_order(quantity=Decimal(1001)), sized)


@breaks("A2")
def an_order_that_changes_its_account(desk: Desk) -> None:
    sized = desk.approve(samples.make_order(), (m.OrderSized,))
    desk.gate(m.ConcentrationApproved, samples.make_order(account="beta"), sized)


@breaks("A3")
def a_release_used_a_nanosecond_too_late(desk: Desk) -> None:
    order = samples.make_order()
    release = desk.approve(order)
    desk.now_ns = EXPIRES_NS + 1
    desk.submit(order, release)


@breaks("A3")
def an_approval_used_a_nanosecond_too_late(desk: Desk) -> None:
    sized = desk.approve(samples.make_order(), (m.OrderSized,))
    desk.now_ns = EXPIRES_NS + 1
    desk.gate(m.ConcentrationApproved, samples.make_order(), sized)


@breaks("A6")
def an_approval_after_a_denial(desk: Desk) -> None:
    sized = desk.approve(samples.make_order(), (m.OrderSized,))
    desk.say(m.OrderDenied, sized, **samples.DENIED)
    desk.gate(m.ConcentrationApproved, samples.make_order(), sized)


@breaks("A6")
def a_submission_after_the_release_was_denied(desk: Desk) -> None:
    order = samples.make_order()
    release = desk.approve(order)
    desk.say(m.OrderDenied, release, **samples.DENIED)
    desk.submit(order, release)


@breaks("B1")
def a_release_while_the_desk_is_stopped(desk: Desk) -> None:
    desk.breaker(m.BreakerOpened, "system", "desk")
    desk.approve(samples.make_order())


@breaks("B1")
def a_release_of_more_risk_while_reducing(desk: Desk) -> None:
    desk.working()
    desk.fill(1000, 0)
    desk.breaker(m.BreakerReduced, "account", "alpha")
    desk.approve(samples.make_order("order-2"))


@breaks("B1")
def a_reversal_that_pretends_to_shrink(desk: Desk) -> None:
    desk.working()
    desk.fill(1000, 0)
    desk.breaker(m.BreakerOpened, "account", "alpha")
    desk.approve(samples.make_order("order-2", side=Side.SELL, quantity=Decimal(1001)))


@breaks("B1")
def a_release_on_a_stale_feed(desk: Desk) -> None:
    desk.breaker(m.BreakerOpened, "agent", "instrument:EURUSD")
    desk.approve(samples.make_order())


@breaks("B1")
def a_release_of_an_account_whose_breaker_never_spoke(desk: Desk) -> None:
    desk.approve(samples.make_order(account="beta"))


@breaks("B1")
def a_release_to_a_venue_that_is_gone(desk: Desk) -> None:
    desk.breaker(m.BreakerOpened, "agent", "venue:paper")
    desk.approve(samples.make_order())


def stop(desk: Desk, level: StopLevel = StopLevel.CANCEL, **scope: str) -> None:
    covered = EVERYTHING
    for kind, name in scope.items():
        covered = StopScope(kind=ScopeKind(kind), name=name)
    desk.say(m.StopTrading, person="ann", role="risk", reason="drill", level=level, scope=covered)


def resume(desk: Desk, role: str = "risk", **scope: str) -> None:
    covered = EVERYTHING
    for kind, name in scope.items():
        covered = StopScope(kind=ScopeKind(kind), name=name)
    desk.say(m.ResumeTrading, person="ann", role=role, reason="over", scope=covered)


@breaks("B6")
def a_release_after_a_stop(desk: Desk) -> None:
    stop(desk, StopLevel.PAUSE)
    desk.approve(samples.make_order())


@breaks("B6")
def a_release_in_a_stopped_account(desk: Desk) -> None:
    stop(desk, account="alpha")
    desk.approve(samples.make_order())


@breaks("B6")
def a_release_in_a_stopped_instrument(desk: Desk) -> None:
    stop(desk, instrument="EURUSD")
    desk.approve(samples.make_order())


@breaks("B6")
def a_release_of_a_stopped_strategy(desk: Desk) -> None:
    stop(desk, strategy=samples.make_order().strategy)
    desk.approve(samples.make_order())


@breaks("B6")
def a_release_to_a_stopped_venue(desk: Desk) -> None:
    stop(desk, venue="paper")
    desk.approve(samples.make_order())


@breaks("B6")
def a_release_after_another_scope_was_resumed(desk: Desk) -> None:
    stop(desk)
    resume(desk, account="alpha")
    desk.approve(samples.make_order())


@breaks("B6")
def a_release_after_a_lock_that_no_admin_lifted(desk: Desk) -> None:
    stop(desk, StopLevel.LOCK)
    stop(desk)
    resume(desk)
    desk.approve(samples.make_order())


@breaks("B6")
def a_release_that_turns_a_position_round_after_a_stop(desk: Desk) -> None:
    desk.working()
    desk.fill(1000, 0)
    stop(desk)
    desk.approve(samples.make_order("order-2", side=Side.SELL, quantity=Decimal(1001)))


@pytest.mark.parametrize(
    ("level", "role", "lifted_scope"),
    [(StopLevel.CANCEL, "risk", {}), (StopLevel.LOCK, "admin", {}), (StopLevel.FLATTEN, "risk", {"account": "alpha"})],
)
def test_a_release_after_a_stop_was_lifted_breaks_nothing(level: StopLevel, role: str, lifted_scope: Any) -> None:
    desk = Desk()
    stop(desk, level, account="alpha")
    stop(desk, level, account="other")
    resume(desk, role, **lifted_scope)
    desk.approve(samples.make_order())
    assert desk.broken() == set()


def test_closing_after_a_stop_and_trading_beside_its_scope_break_nothing() -> None:
    desk = Desk()
    desk.working()
    desk.fill(1000, 0)
    stop(desk, venue="elsewhere")
    desk.approve(samples.make_order("order-2"))
    stop(desk)
    desk.approve(samples.make_order("order-3", side=Side.SELL, quantity=Decimal(1000)))
    assert desk.broken() == set()


@breaks("B4")
def a_halt_that_lifts_itself(desk: Desk) -> None:
    desk.breaker(m.BreakerOpened, "system", "desk", "person")
    desk.breaker(m.BreakerClosed, "system", "desk", "cool_down")


@breaks("B4")
def a_halt_that_half_opens_by_itself(desk: Desk) -> None:
    desk.breaker(m.BreakerOpened, "system", "desk", "person")
    desk.breaker(m.BreakerHalfOpened, "system", "desk", "cool_down")


@breaks("B4")
def a_halt_that_a_lesser_trigger_makes_forgotten(desk: Desk) -> None:
    desk.breaker(m.BreakerOpened, "system", "desk", "person")
    desk.breaker(m.BreakerOpened, "system", "desk", "cool_down")
    desk.breaker(m.BreakerReduced, "system", "desk", "cool_down")
    desk.breaker(m.BreakerClosed, "system", "desk", "cool_down")


@breaks("L9")
def a_decision_without_a_cause(desk: Desk) -> None:
    desk.tell(m.OrderDenied.root("compliance", NOW_NS, **samples.DENIED))


@breaks("L9")
def a_decision_that_is_its_own_cause(desk: Desk) -> None:
    denied = m.OrderDenied.root("compliance", NOW_NS, **samples.DENIED)
    desk.tell(msgspec.structs.replace(denied, causation_id=denied.message_id))


@breaks("O3")
def a_schedule_started_twice(desk: Desk) -> None:
    release = desk.approve(PARENT)
    desk.start(PARENT, release)
    desk.start(PARENT, release)


@breaks("O3")
def a_parent_that_goes_out_whole_as_well(desk: Desk) -> None:
    release = desk.approve(PARENT)
    desk.start(PARENT, release)
    desk.submit(PARENT, release)


@breaks("O4")
def slices_of_more_than_was_released(desk: Desk) -> None:
    desk.start(PARENT, desk.approve(PARENT))
    desk.submit(slice_of(PARENT, "slice-0", 600), desk.due(PARENT, 0), "client-0")
    desk.submit(slice_of(PARENT, "slice-1", 401), desk.due(PARENT, 1), "client-1")


@breaks("O4")
def a_slice_of_the_other_side(desk: Desk) -> None:
    desk.start(PARENT, desk.approve(PARENT))
    desk.submit(slice_of(PARENT, "slice-0", 600, side=Side.SELL), desk.due(PARENT, 0))


@breaks("O4")
def a_schedule_of_more_than_was_released(desk: Desk) -> None:
    release = desk.approve(PARENT)
    desk.start(msgspec.structs.replace(PARENT, quantity=Decimal(1001)), release)


@breaks("A1")
def a_schedule_without_the_release(desk: Desk) -> None:
    desk.start(PARENT, desk.approve(PARENT, m.APPROVALS[:-1]))


@breaks("A1")
def a_slice_of_a_parent_that_was_never_started(desk: Desk) -> None:
    desk.approve(PARENT)
    desk.submit(slice_of(PARENT, "slice-0", 600), desk.due(PARENT, 0))


@breaks("A1")
def a_slice_of_an_unknown_parent(desk: Desk) -> None:
    desk.submit(slice_of(PARENT, "slice-0", 600), desk.due(PARENT, 0))


@breaks("A1")
def a_slice_before_it_is_due(desk: Desk) -> None:
    desk.submit(slice_of(PARENT, "slice-0", 600), desk.start(PARENT, desk.approve(PARENT)))


@breaks("A1")
def two_orders_for_one_slice(desk: Desk) -> None:
    desk.start(PARENT, desk.approve(PARENT))
    due = desk.due(PARENT, 0)
    desk.submit(slice_of(PARENT, "slice-0", 400), due, "client-0")
    desk.submit(slice_of(PARENT, "slice-1", 400), due, "client-1")


@breaks("A1")
def a_slice_after_the_end(desk: Desk) -> None:
    desk.start(PARENT, desk.approve(PARENT))
    due = desk.due(PARENT, 0)
    desk.say(m.ScheduleEnded, **{**samples.FIELDS[m.ScheduleEnded], "order_id": PARENT.order_id})
    desk.submit(slice_of(PARENT, "slice-0", 400), due)


@breaks("A3")
def a_schedule_started_a_nanosecond_too_late(desk: Desk) -> None:
    release = desk.approve(PARENT)
    desk.now_ns = EXPIRES_NS + 1
    desk.start(PARENT, release)


@breaks("A6")
def a_slice_of_a_parent_that_was_denied(desk: Desk) -> None:
    release = desk.approve(PARENT)
    desk.start(PARENT, release)
    desk.say(m.OrderDenied, release, **{**samples.DENIED, "order_id": PARENT.order_id})
    desk.submit(slice_of(PARENT, "slice-0", 400), desk.due(PARENT, 0))


@breaks("B1")
def a_slice_while_the_desk_is_stopped(desk: Desk) -> None:
    desk.start(PARENT, desk.approve(PARENT))
    desk.breaker(m.BreakerOpened, "system", "desk")
    desk.submit(slice_of(PARENT, "slice-0", 400), desk.due(PARENT, 0))


@breaks("L9")
def a_schedule_without_a_cause(desk: Desk) -> None:
    desk.approve(PARENT)
    desk.tell(m.ScheduleStarted.root("execution", NOW_NS, order=PARENT, arrival_price=Decimal(1)))


CASES = [(invariant, mutant) for invariant, mutants in MUTANTS.items() for mutant in mutants]


@pytest.mark.parametrize(("invariant", "mutant"), CASES, ids=[f"{id_}-{mutant.__name__}" for id_, mutant in CASES])
def test_breaking_a_rule_on_purpose_is_seen(invariant: str, mutant: Mutant) -> None:
    desk = Desk()
    assert desk.broken() == set()
    mutant(desk)
    assert invariant in desk.broken()


def test_every_invariant_is_broken_on_purpose() -> None:
    assert {*MUTANTS} == {*REGISTRY}


@pytest.mark.parametrize("invariant", MUTANTS)
def test_each_invariant_sees_something_that_no_other_does(invariant: str) -> None:
    alone = set()
    for mutant in MUTANTS[invariant]:
        desk = Desk()
        mutant(desk)
        alone.add(frozenset(desk.broken()))
    assert frozenset({invariant}) in alone


def test_a_breach_names_its_rule_and_says_what_is_wrong() -> None:
    desk = Desk()
    an_order_that_grows(desk)
    assert Breach("A2", "order order-1 grew from 1000 to 1001") in desk.breaches
    broken = m.InvariantBroken.caused_by(samples.sample(m.OrderSized), "invariants", **desk.breaches[0].fields())
    assert broken.invariant == desk.breaches[0].invariant


def test_a_parent_that_keeps_every_rule_breaks_none() -> None:
    desk = Desk()
    release = desk.approve(PARENT)
    desk.now_ns = EXPIRES_NS
    desk.start(PARENT, release)
    for number, quantity in enumerate((600, 400)):
        desk.now_ns = EXPIRES_NS + 60 * number
        client = f"client-{number}"
        desk.submit(slice_of(PARENT, f"slice-{number}", quantity), desk.due(PARENT, number), client)
        desk.accept(quantity, client)
        desk.fill(quantity, 0, client)
    desk.say(m.ScheduleEnded, **{**samples.FIELDS[m.ScheduleEnded], "order_id": PARENT.order_id})
    assert desk.broken() == set()


def test_a_whole_order_is_not_judged_by_the_breakers_once_it_is_released() -> None:
    desk = Desk()
    order = samples.make_order()
    release = desk.approve(order)
    desk.breaker(m.BreakerOpened, "account", "alpha")
    desk.submit(order, release)
    assert desk.broken() == set()


def test_a_life_that_keeps_every_rule_breaks_none() -> None:
    desk = Desk()
    order = samples.make_order()
    release = desk.approve(order)
    desk.now_ns = EXPIRES_NS
    desk.submit(order, release)
    desk.accept()
    desk.fill(400, 600, fee=Decimal("0.1"), fee_currency="BNB")
    desk.event(m.OrderReplaced, quantity=Decimal(900), limit_price=None)
    desk.fill(500, 0)
    desk.accept(900, "client-SL")
    desk.accept(900, "client-TP")
    desk.breaker(m.BreakerOpened, "account", "alpha", "person")
    desk.now_ns = NOW_NS
    closing = samples.make_order("order-2", side=Side.SELL, quantity=Decimal(900))
    desk.approve(closing)
    desk.event(m.OrderTriggered, "client-SL")
    desk.fill(900, 0, "client-SL", side=Side.SELL)
    desk.event(m.OrderCancelled, "client-TP", filled=ZERO)
    desk.breaker(m.BreakerHalfOpened, "account", "alpha", "person")
    desk.breaker(m.BreakerClosed, "account", "alpha", "cool_down")
    for kind in (m.BreakerOpened, m.BreakerHalfOpened, m.BreakerOpened, m.BreakerClosed):
        desk.breaker(kind, "account", "alpha", "cool_down")
    shrinking = samples.make_order("order-3")
    sized = desk.approve(shrinking, (m.OrderSized,))
    desk.gate(m.ConcentrationApproved, samples.make_order("order-3", quantity=Decimal(1)), sized)
    desk.say(m.OrderDenied, sized, **{**samples.DENIED, "order_id": "order-3"})
    assert desk.breaches == []
    assert desk.watch.check_everything() == []
    assert desk.portfolio.position("alpha", "EURUSD").quantity == ZERO


def test_what_the_watch_has_seen_survives_a_snapshot() -> None:
    desk = Desk()
    desk.working()
    desk.fill(400, 600, fill_id="same")
    raw = msgspec.json.encode(desk.watch.state)
    desk.watch.state = msgspec.json.decode(raw, type=WatchState, dec_hook=decode_hook)
    assert msgspec.json.encode(desk.watch.state) == raw
    desk.fill(400, 200, fill_id="same")
    assert "M7" in desk.broken()
