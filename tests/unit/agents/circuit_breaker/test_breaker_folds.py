"""What one message makes of a breaker, field by field: its state, its trials, its count of losses."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from tests.unit.agents.circuit_breaker.hall import CONFIG, QUOTE, Hall
from tests.unit.agents.circuit_breaker.test_conditions import stale
from tests.unit.agents.desk import Desk, make_account, make_order
from tmt import messages as m
from tmt.agents.circuit_breaker.breakers import Breaker, CircuitBreakerState, Status, Trial, evolve
from tmt.domain.order import OrderType, Side
from tmt.domain.schedule import Algorithm

SYSTEM, ALPHA, VENUE, FEED = "system/desk", "account/alpha", "agent/venue:paper", "agent/instrument:EURUSD"
FIRST = Trial(order_id="order-1", account="alpha", instrument="EURUSD")
SECOND = msgspec.structs.replace(FIRST, order_id="order-2")
ASKED, ASKED_NEXT = (msgspec.structs.replace(each, venue=True) for each in (FIRST, SECOND))
BEFORE = Breaker(
    status=Status.HALF_OPEN,
    tier="account",
    scope="alpha",
    trigger="cooled_down",
    measured=Decimal(4),
    limit=Decimal(3),
    unit="count",
    resumes_by="cool_down",
    since_ns=1,
    losses_in_a_row=2,
    trials=(FIRST,),
    successes=1,
    accepted_drawdown_fraction=Decimal("0.07"),
    beneath="",
    calm_since_ns=5,
)


def breaker(**changes: Any) -> Breaker:
    return msgspec.structs.replace(BEFORE, **changes)


def after(message: m.Message, **breakers: Breaker) -> dict[str, Breaker]:
    """The breakers, by the names given here, once they have heard a message on a desk that holds nothing."""
    names = {"system": SYSTEM, "alpha": ALPHA, "venue": VENUE, "feed": FEED}
    state = CircuitBreakerState(breakers={names[name]: one for name, one in breakers.items()})
    evolved = evolve(state, message, Desk().portfolio, CONFIG)
    return {name: evolved.breakers[key] for name, key in names.items() if key in evolved.breakers}


# What it says


def transition(kind: type[m.BreakerTransition], trigger: str, **fields: Any) -> m.BreakerTransition:
    """One of account alpha, with numbers of its own."""
    said: dict[str, Any] = {
        "tier": "account", "scope": "alpha", "measured": Decimal("0.09"), "limit": Decimal("0.08"), "unit": "fraction",
        "resumes_by": "person", "detail": "",
    }  # fmt: skip
    return Desk().make(kind, trigger=trigger, **{**said, **fields})


OPENED: dict[str, Any] = {
    "status": Status.OPEN, "losses_in_a_row": 0, "accepted_drawdown_fraction": Decimal(0), "trials": (), "successes": 0,
}  # fmt: skip
STOPPED = breaker(status=Status.OPEN, trigger="manual_stop", beneath="drawdown", trials=(), successes=0)
ENDED: dict[str, Any] = {"trials": (), "successes": 0}
NEW: dict[str, Any] = {
    "losses_in_a_row": 0, "accepted_drawdown_fraction": Decimal(0), "calm_since_ns": 0, **ENDED,
}  # fmt: skip
ACCEPTED = {"accepted_drawdown_fraction": Decimal("0.09")}


@pytest.mark.parametrize(
    ("before", "said", "changes"),
    [
        (None, transition(m.BreakerOpened, "drawdown"), {**NEW, "status": Status.OPEN}),
        (None, transition(m.BreakerOpened, "manual_stop"), {**NEW, "status": Status.OPEN}),
        (None, transition(m.BreakerReduced, "drawdown"), {**NEW, "status": Status.REDUCING}),
        (None, transition(m.BreakerHalfOpened, "reinstated"), {**NEW, "status": Status.HALF_OPEN}),
        (None, transition(m.BreakerClosed, "initialised"), {**NEW, "status": Status.CLOSED}),
        (BEFORE, transition(m.BreakerOpened, "trial_lost"), OPENED),
        (BEFORE, transition(m.BreakerOpened, "manual_stop"), {**OPENED, "beneath": "cooled_down"}),
        (breaker(status=Status.CLOSED), transition(m.BreakerOpened, "manual_lock"), OPENED),
        (breaker(status=Status.REDUCING), transition(m.BreakerOpened, "manual_lock"), OPENED),
        (STOPPED, transition(m.BreakerOpened, "manual_lock"), {**OPENED, "beneath": "drawdown"}),
        (breaker(status=Status.OPEN, trigger="margin"), transition(m.BreakerOpened, "drawdown"), OPENED),
        (breaker(status=Status.CLOSED), transition(m.BreakerReduced, "drawdown"), {**ENDED, "status": Status.REDUCING}),
        (BEFORE, transition(m.BreakerHalfOpened, "cooled_down"), {}),
        (BEFORE, transition(m.BreakerHalfOpened, "resumed_by_person"), ACCEPTED),
        (BEFORE, transition(m.BreakerHalfOpened, "resumed_by_person", unit="count"), {"unit": "count"}),
        (breaker(status=Status.REDUCING), transition(m.BreakerHalfOpened, "cooled_down"), ENDED),
        (BEFORE, transition(m.BreakerClosed, "trials_passed"), {**ENDED, "status": Status.CLOSED}),
        (STOPPED, transition(m.BreakerClosed, "resumed_by_person"), {**ENDED, "status": Status.CLOSED}),
        (BEFORE, transition(m.BreakerClosed, "drawdown_recovered"),
         {**ENDED, "status": Status.CLOSED, "accepted_drawdown_fraction": Decimal(0)}),
    ],
)  # fmt: skip
def test_a_breaker_becomes_what_is_said_of_it(
    before: Breaker | None, said: m.BreakerTransition, changes: dict[str, Any]
) -> None:
    told: dict[str, Any] = {name: getattr(said, name) for name in ("trigger", "measured", "limit", "unit")}
    expected = breaker(resumes_by="person", since_ns=said.occurred_at_ns, **{**told, **changes})
    assert after(said, **({} if before is None else {"alpha": before})) == {"alpha": expected}


@pytest.mark.parametrize(
    ("open_by", "said", "takes_effect"),
    [
        ("daily_loss", "margin", False),
        ("daily_loss", "repeated_execution", True),
        ("daily_loss", "account_suspended", True),
        ("account_suspended", "daily_loss", False),
        ("margin", "consecutive_losses", True),
        ("margin", "daily_loss", True),
        ("manual_stop", "drawdown", False),
        ("manual_stop", "manual_lock", True),
        ("manual_lock", "manual_stop", False),
    ],
)
def test_an_open_breaker_changes_its_trigger_only_for_one_that_ranks_as_high(
    open_by: str, said: str, takes_effect: bool
) -> None:
    before = breaker(status=Status.OPEN, trigger=open_by, trials=(), successes=0)
    became = after(transition(m.BreakerOpened, said), alpha=before)["alpha"]
    assert (became.trigger == said) is takes_effect
    assert (became == before) is not takes_effect


# Broken rules and conditions


def test_a_broken_invariant_is_kept_beneath_a_person_s_stop_and_nowhere_else() -> None:
    broken = Desk().make(m.InvariantBroken, invariant="M1", detail="a sum is not zero")
    system = {"tier": "system", "scope": "desk"}
    stopped = breaker(status=Status.OPEN, trigger="manual_stop", **system)
    assert after(broken, system=stopped, alpha=STOPPED) == {
        "system": msgspec.structs.replace(stopped, beneath="invariant_broken"),
        "alpha": STOPPED,
    }
    lagging = breaker(status=Status.OPEN, trigger="bus_lag", **system)
    assert after(broken, system=lagging) == {"system": lagging}
    assert after(broken, system=breaker(**system)) == {"system": breaker(**system)}
    assert after(broken) == {}


def test_calm_begins_when_the_condition_ends_and_not_before() -> None:
    hall = Hall()
    stale(hall)
    assert hall.breaker(FEED).calm_since_ns == 0
    hall.wait(7)
    hall.say(m.FeedRecovered, instrument="EURUSD")
    assert hall.breaker(FEED).calm_since_ns == hall.desk.now_ns


def test_a_condition_that_ends_before_its_breaker_has_a_state_is_forgotten() -> None:
    hall = Hall(begin=False)
    hall.agent.handle(hall.desk.say(m.FeedStale, instrument="EURUSD", last_ns=0))  # what it says is not delivered yet
    assert hall.say(m.FeedRecovered, instrument="EURUSD") == []
    assert hall.agent.state == CircuitBreakerState()


# Trials


def test_an_order_released_by_closed_breakers_is_no_trial() -> None:
    hall = Hall()
    hall.order()
    assert [one.trials for one in hall.agent.state.breakers.values()] == [()] * len(hall.agent.state.breakers)


def venue_event(kind: type[m.VenueEvent], order_id: str = "order-1", **fields: Any) -> m.Message:
    order = make_order("EURUSD", Side.BUY, "1000", QUOTE, order_id=order_id)
    return Desk().make(
        kind, client_order_id="c", order_id=order_id, account=order.account, instrument=order.instrument, **fields
    )


def accepted(order_id: str) -> m.Message:
    return venue_event(
        m.OrderAccepted, order_id, side=Side.BUY, quantity=Decimal(1000), order_type=OrderType.MARKET, price=None,
        reduce_only=False, role="entry",
    )  # fmt: skip


def filled() -> m.Message:
    return Desk().fill(make_order("EURUSD", Side.BUY, "1000", QUOTE, order_id="order-1"), "1.1")


def cancelled() -> m.Message:
    return venue_event(m.OrderCancelled, reason="requested", filled=Decimal(0))


def slice_sent() -> m.Message:
    order = make_order("EURUSD", Side.BUY, "100", QUOTE, order_id="slice")
    return Desk().make(
        m.OrderSubmitted, client_order_id="c", order=msgspec.structs.replace(order, parent_id="order-1"),
        stop_loss_client_order_id=None, take_profit_client_order_id=None,
    )  # fmt: skip


def schedule_ended(quantity: str) -> m.Message:
    return Desk().make(
        m.ScheduleEnded, order_id="order-1", account="alpha", instrument="EURUSD", algorithm=Algorithm.TWAP,
        reason="completed", filled=Decimal(quantity), arrival_price=Decimal("1.1"), average_price=None,
        shortfall_fraction=None, immediate_fraction=None,
    )  # fmt: skip


def never_sent(gate: str = "execution", order_id: str = "order-1") -> m.Message:
    return Desk().make(
        m.OrderDenied, order_id=order_id, account="alpha", instrument="EURUSD", side=Side.BUY, quantity=Decimal(1000),
        gate=gate, reason="message_rate", measured=Decimal(101), limit=Decimal(100), unit="messages", detail="",
        checks=(), config_hash="",
    )  # fmt: skip


def full(trial: Trial) -> Trial:
    return msgspec.structs.replace(trial, filled=True)


@pytest.mark.parametrize(
    ("make", "before", "left"),
    [
        (filled, (FIRST, SECOND), (full(FIRST), SECOND)),
        (cancelled, (FIRST, SECOND), (SECOND,)),
        (cancelled, (full(FIRST), full(SECOND)), (full(FIRST), full(SECOND))),
        (slice_sent, (FIRST, SECOND), (FIRST, SECOND)),
        (slice_sent, (ASKED, ASKED_NEXT), (msgspec.structs.replace(ASKED, order_id="slice"), ASKED_NEXT)),
        (lambda: schedule_ended("0"), (FIRST, SECOND), (SECOND,)),
        (lambda: schedule_ended("100"), (FIRST, SECOND), (SECOND,)),
        (lambda: accepted("order-1"), (FIRST, SECOND), (FIRST, SECOND)),
        (never_sent, (FIRST, SECOND), (SECOND,)),
        (never_sent, (SECOND, FIRST), (SECOND,)),
        (never_sent, (SECOND,), (SECOND,)),
        (never_sent, (ASKED, SECOND), (SECOND,)),
        (never_sent, (full(FIRST), SECOND, FIRST, ASKED), (full(FIRST), SECOND, FIRST)),
        (lambda: never_sent("compliance"), (FIRST, SECOND), (FIRST, SECOND)),
    ],
)
def test_a_message_about_one_order_moves_its_trial_alone(
    make: Callable[[], m.Message], before: tuple[Trial, ...], left: tuple[Trial, ...]
) -> None:
    assert after(make(), alpha=breaker(trials=before)) == {"alpha": breaker(trials=left)}


@pytest.mark.parametrize(
    ("quantity", "account", "symbol", "left"),
    [
        ("100", "alpha", "EURUSD", (full(FIRST), SECOND)),
        ("100", "alpha", "GBPUSD", (SECOND,)),
        ("100", "beta", "EURUSD", (SECOND,)),
        ("0", "alpha", "EURUSD", (SECOND,)),
    ],
)
@pytest.mark.parametrize("side", [Side.BUY, Side.SELL])
def test_a_schedule_that_has_filled_leaves_its_trial_to_what_is_held(
    side: Side, quantity: str, account: str, symbol: str, left: tuple[Trial, ...]
) -> None:
    desk = Desk(make_account("alpha"), make_account("beta"))
    desk.hold(symbol, side, "1000", "1.1", account=account)
    before = CircuitBreakerState(breakers={ALPHA: breaker(trials=(FIRST, SECOND))})
    after_end = evolve(before, schedule_ended(quantity), desk.portfolio, CONFIG)
    assert after_end.breakers == {ALPHA: breaker(trials=left)}


def test_a_released_order_that_is_not_sent_ends_its_trials_everywhere() -> None:
    before = {"system": breaker(), "alpha": breaker(), "venue": breaker(trials=(ASKED,)), "feed": breaker()}
    left = breaker(trials=())
    assert after(never_sent(), **before) == dict.fromkeys(before, left)


def test_an_acceptance_is_a_success_of_the_venue_that_it_was_awaited_from() -> None:
    waiting = (ASKED, ASKED_NEXT)
    before = {"alpha": breaker(), "venue": breaker(trials=waiting)}
    won = breaker(trials=waiting[1:], successes=2)
    assert after(accepted("order-1"), **before) == {**before, "venue": won}
    assert after(accepted("order-9"), **before) == before


# Losses in a row


@pytest.mark.parametrize(
    ("status", "realised", "losses", "successes"),
    [
        (Status.CLOSED, "-0.01", 3, 1),
        (Status.CLOSED, "0", 2, 1),
        (Status.CLOSED, "0.01", 0, 1),
        (Status.HALF_OPEN, "-0.01", 3, 1),
        (Status.HALF_OPEN, "0", 2, 2),
        (Status.HALF_OPEN, "0.01", 0, 2),
    ],
)
def test_a_round_trip_counts_for_every_breaker_that_has_a_state(
    status: Status, realised: str, losses: int, successes: int
) -> None:
    before = breaker(status=status, trials=())
    counted = breaker(status=status, trials=(), losses_in_a_row=losses, successes=successes)
    # Neither the account nor the strategy has one.
    assert after(Desk().close_trip(realised=realised), system=before, feed=before, venue=before) == {
        "system": counted,
        "feed": counted,
        "venue": before,
    }
