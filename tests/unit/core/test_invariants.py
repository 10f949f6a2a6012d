"""Each invariant is broken on purpose and seen; an order that keeps every rule is not."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import msgspec
import pytest

from tests.unit.core import samples
from tests.unit.core.desk import EXPIRES_NS, NOW_NS, Desk
from tmt import messages as m
from tmt.domain.ledger import Posting, Transaction
from tmt.domain.money import ZERO, decode_hook
from tmt.domain.order import Side
from tmt.invariants import REGISTRY, Breach, WatchState

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
    desk.breaker(m.BreakerOpened, "agent", "feed:EURUSD")
    desk.approve(samples.make_order())


@breaks("B1")
def a_release_of_an_account_whose_breaker_never_spoke(desk: Desk) -> None:
    desk.approve(samples.make_order(account="beta"))


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
