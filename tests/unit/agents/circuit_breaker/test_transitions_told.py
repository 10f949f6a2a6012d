"""What a breaker says of itself, to the last field, for whatever moved it."""

from collections.abc import Callable
from decimal import Decimal

import pytest

from tests.unit.agents.circuit_breaker.hall import Hall
from tests.unit.agents.circuit_breaker.test_circuit_breaker import reinstate, suspend
from tests.unit.agents.circuit_breaker.test_conditions import margin, report, stale
from tests.unit.agents.circuit_breaker.test_samples import bar, half_open, served
from tmt import messages as m

Told = tuple[str, str, str, str, str, str, str, str]


def told(said: m.BreakerTransition) -> Told:
    """What it became, whose, why, measured, limit, unit, who resumes it, and the detail."""
    measured, limit = (f"{value.normalize():f}" for value in (said.measured, said.limit))
    scope = f"{said.tier}/{said.scope}"
    return type(said).__name__, scope, said.trigger, measured, limit, said.unit, said.resumes_by, said.detail


def lose_in_a_row(hall: Hall) -> None:
    for _ in range(4):
        hall.trade("-10")


def gap_in_the_feed(hall: Hall) -> None:
    now_ns = hall.desk.now_ns
    hall.say(m.FeedGapFound, instrument="EURUSD", from_ns=now_ns - 7 * 10**9, to_ns=now_ns)


def jump(hall: Hall) -> None:
    bar(hall, "100")
    bar(hall, "106", opened="106")


def repeat(hall: Hall) -> None:
    for _ in range(10):
        hall.order()


def reject_twice(hall: Hall) -> None:
    served(hall, 1, m.OrderRejected)
    served(hall, 2, m.OrderRejected)


def reject_on_trial(hall: Hall) -> None:
    half_open(hall)
    served(hall, 9, m.OrderRejected)


def lose_on_trial(hall: Hall) -> None:
    lose_in_a_row(hall)
    hall.wait(60)
    hall.order()
    hall.end_trial("-1")


def pass_the_trials(hall: Hall) -> None:
    lose_in_a_row(hall)
    hall.wait(60)
    hall.mark("EURUSD", "1.1")
    for _ in range(3):
        hall.trade("1")


def cool_down(hall: Hall) -> None:
    lose_in_a_row(hall)
    hall.wait(60)
    hall.mark("EURUSD", "1.1")


def recover(hall: Hall) -> None:
    hall.lose(4500)
    hall.wait(60)
    hall.lose(1000)


def draw_down(hall: Hall) -> None:
    hall.lose(3000)
    hall.until_next_day()
    hall.lose(6500)


def recover_from_what_was_accepted(hall: Hall) -> None:
    hall.lose(9000)
    hall.until_next_day()
    hall.resume()
    for _ in range(3):
        hall.trade("10")
    hall.wait(60)
    hall.lose(6400)


def accept(hall: Hall) -> None:
    hall.lose(9000)
    hall.until_next_day()
    hall.lose(9500)
    hall.resume()


def resume_without_the_role(hall: Hall) -> None:
    hall.lose(9000)
    hall.resume(role="trader")


def resume_what_repeated(hall: Hall) -> None:
    repeat(hall)
    hall.resume()


def turn_the_day_of_a_suspension(hall: Hall) -> None:
    suspend(hall)
    reinstate(hall)


def recover_the_feed(hall: Hall) -> None:
    stale(hall)
    hall.say(m.FeedRecovered, instrument="EURUSD")
    hall.wait(30)
    hall.mark("EURUSD", "1.1")


def answer_late_twice(hall: Hall) -> None:
    served(hall, 1, m.OrderAccepted, 3000)
    served(hall, 2, m.OrderAccepted, 4000)


def break_an_invariant(hall: Hall) -> None:
    hall.say(m.InvariantBroken, invariant="M1", detail="a sum is not zero")


def be_absent(hall: Hall) -> None:
    hall.say(m.AgentReturned, agent="circuit_breaker")


ALPHA, FEED, VENUE, SYSTEM = "account/alpha", "agent/instrument:EURUSD", "agent/venue:paper", "system/desk"
LOST = "the circuit breaker did not answer for a while, and may have missed a reason to stop"
CASES: list[tuple[Callable[[Hall], object], Told]] = [
    (lambda hall: hall.lose(6000), ("BreakerOpened", ALPHA, "daily_loss", "0.06", "0.05", "fraction", "cool_down",
     "the daily_loss of alpha is a fraction of 0.060000000000, beyond 0.05")),
    (lambda hall: hall.lose(9000), ("BreakerOpened", ALPHA, "drawdown", "0.09", "0.08", "fraction", "person",
     "the drawdown of alpha is a fraction of 0.090000000000, beyond 0.08")),
    (lambda hall: hall.lose(4500), ("BreakerReduced", ALPHA, "daily_loss", "0.045", "0.04", "fraction", "cool_down",
     "the daily_loss of alpha is a fraction of 0.045000000000, beyond 0.040")),
    (recover, ("BreakerClosed", ALPHA, "recovered", "0.01", "0.064", "fraction", "cool_down",
     "the losses of alpha are back within 0.064")),
    (lose_in_a_row, ("BreakerOpened", ALPHA, "consecutive_losses", "4", "3", "count", "cool_down",
     "alpha lost 4 times in a row, 3 are borne")),
    (lose_on_trial, ("BreakerOpened", ALPHA, "trial_lost", "1", "0", "count", "cool_down",
     "alpha lost while it was on trial")),
    (pass_the_trials, ("BreakerClosed", ALPHA, "trials_passed", "3", "3", "count", "cool_down",
     "3 test orders of alpha in a row went well")),
    (cool_down, ("BreakerHalfOpened", ALPHA, "cooled_down", "4", "3", "count", "cool_down",
     "consecutive_losses of alpha is over and its cool-down has passed")),
    (lambda hall: margin(hall, "critical"), ("BreakerReduced", ALPHA, "margin", "1.1", "1.2", "ratio", "cool_down",
     "margin of account/alpha: 1.1 ratio")),
    (stale, ("BreakerOpened", FEED, "stale_feed", "5", "0", "seconds", "cool_down",
     f"stale_feed of {FEED}: 5.000000000 seconds")),
    (gap_in_the_feed, ("BreakerOpened", FEED, "feed_gap", "7", "0", "seconds", "cool_down",
     "no data of EURUSD for 7.000000000 seconds")),
    (jump, ("BreakerOpened", FEED, "price_gap", "0.06", "0.05", "fraction", "cool_down",
     "EURUSD opened a fraction of 0.060000000000 from its last close")),
    (reject_twice, ("BreakerOpened", VENUE, "rejections", "2", "1", "count", "cool_down",
     "paper rejected 2 of the last 2 orders")),
    (reject_on_trial, ("BreakerOpened", VENUE, "trial_rejected", "1", "0", "count", "cool_down",
     "paper rejected an order while it was on trial: no")),
    (repeat, ("BreakerOpened", "agent/wyckoff", "repeated_execution", "10", "9", "count", "person",
     "wyckoff would enter buy EURUSD 10 times in 60 seconds")),
    (lambda hall: report(hall, "bus_lag", "aria", holds=False), ("BreakerOpened", SYSTEM, "bus_lag", "3", "2",
     "seconds", "cool_down", "bus_lag of aria: 3 seconds")),
    (break_an_invariant, ("BreakerOpened", SYSTEM, "invariant_broken", "1", "0", "count", "person",
     "M1: a sum is not zero")),
    (draw_down, ("BreakerReduced", ALPHA, "drawdown", "0.065", "0.064", "fraction", "cool_down",
     "the drawdown of alpha is a fraction of 0.065000000000, beyond 0.064")),
    (recover_from_what_was_accepted, ("BreakerClosed", ALPHA, "drawdown_recovered", "0.064", "0.064", "fraction",
     "cool_down", "the losses of alpha are back within 0.064")),
    (accept, ("BreakerHalfOpened", ALPHA, "resumed_by_person", "0.095", "0.08", "fraction", "person",
     "ann: understood")),
    (resume_what_repeated, ("BreakerHalfOpened", "agent/wyckoff", "resumed_by_person", "10", "9", "count", "person",
     "ann: understood")),
    (resume_without_the_role, ("BreakerOpened", ALPHA, "drawdown", "0.09", "0.08", "fraction", "person",
     "ann may not resume alpha by the role trader")),
    (turn_the_day_of_a_suspension, ("BreakerHalfOpened", ALPHA, "reinstated", "0.04", "0.03", "fraction", "cool_down",
     "alpha is reinstated by the turn of its day: its day has turned")),
    (recover_the_feed, ("BreakerClosed", FEED, "cooled_down", "5", "0", "seconds", "cool_down",
     "stale_feed of instrument:EURUSD is over and its cool-down has passed")),
    (answer_late_twice, ("BreakerOpened", VENUE, "latency", "4", "2", "seconds", "cool_down",
     "2 of the last 2 answers of paper took longer")),
    (be_absent, ("BreakerOpened", SYSTEM, "agent_lost", "1", "0", "count", "person", LOST)),
]  # fmt: skip


@pytest.mark.parametrize(("move", "expected"), CASES, ids=[expected[2] for _, expected in CASES])
def test_a_breaker_says_what_moved_it_with_every_number(move: Callable[[Hall], object], expected: Told) -> None:
    hall = Hall()
    move(hall)
    assert told(hall.said[-1]) == expected


def test_breakers_begin_closed_one_for_each_scope() -> None:
    assert [told(said) for said in Hall().said[:2]] == [
        ("BreakerClosed", SYSTEM, "initialised", "0", "0", "count", "cool_down",
         "the system breaker of desk begins closed"),
        ("BreakerClosed", "agent/wyckoff", "initialised", "0", "0", "count", "cool_down",
         "the agent breaker of wyckoff begins closed"),
    ]  # fmt: skip


def test_a_stop_that_stays_says_so_when_something_else_would_end_it() -> None:
    hall = Hall()
    stale(hall)
    hall.say(
        m.BreakerClosed, tier="agent", scope="instrument:EURUSD", trigger="cooled_down", measured=Decimal(0),
        limit=Decimal(0), unit="count", resumes_by="cool_down", detail="late",
    )  # fmt: skip
    assert told(hall.said[-1])[-1] == "instrument:EURUSD stays open by stale_feed"


@pytest.mark.parametrize(("fees", "opens"), [("4.99", False), ("5", False), ("5.01", True)])
def test_a_profit_that_the_fees_eat_is_a_loss(fees: str, opens: bool) -> None:
    hall = Hall()
    for _ in range(4):
        hall.trade("5", fees=Decimal(fees))
    assert (hall.said[-1].trigger == "consecutive_losses") is opens
