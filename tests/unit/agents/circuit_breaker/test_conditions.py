"""Does what lasts keep its breaker from closing exactly as long as it lasts, and then for the cool-down?"""

from decimal import Decimal
from typing import Any

import pytest

from tests.unit.agents.circuit_breaker.hall import Hall, reason
from tmt import messages as m
from tmt.agents.circuit_breaker.breakers import Status
from tmt.domain.stop import ScopeKind, StopScope

SYSTEM, ALPHA, VENUE, FEED = "system/desk", "account/alpha", "agent/venue:paper", "agent/instrument:EURUSD"


def report(hall: Hall, condition: str, scope: str, *, holds: bool) -> list[m.Message]:
    amounts: dict[str, Any] = {"measured": Decimal(3), "limit": Decimal(2), "unit": "seconds"}
    return hall.say(m.ConditionReported, condition=condition, scope=scope, holds=holds, **amounts)


def margin(hall: Hall, level: str, account: str = "alpha") -> list[m.Message]:
    return hall.say(m.MarginLevelChanged, account=account, level=level, measured=Decimal("1.1"), limit=Decimal("1.2"))


def stale(hall: Hall) -> list[m.Message]:
    return hall.say(m.FeedStale, instrument="EURUSD", last_ns=hall.desk.now_ns - 5 * 10**9)


@pytest.mark.parametrize(
    ("condition", "scope", "key", "cool_down"),
    [
        ("venue_disconnected", "paper", VENUE, 30),
        ("bus_lag", "desk", SYSTEM, 300),
        ("bus_lag", "compliance", SYSTEM, 300),
        ("clock_skew", "desk", SYSTEM, 300),
    ],
)
def test_a_condition_opens_its_breaker_and_its_end_begins_the_cool_down(
    condition: str, scope: str, key: str, cool_down: int
) -> None:
    hall = Hall()
    assert report(hall, condition, scope, holds=True) == []
    [said] = report(hall, condition, scope, holds=False)
    assert isinstance(said, m.BreakerOpened)
    assert (f"{said.tier}/{said.scope}", said.trigger, said.resumes_by) == (key, condition, "cool_down")
    assert (said.measured, said.limit, said.unit) == (Decimal(3), Decimal(2), "seconds")
    assert scope in said.detail
    assert report(hall, condition, scope, holds=False) == []
    hall.wait(3600)
    assert reason(hall.order()) == "breaker_open"
    assert report(hall, condition, scope, holds=True) == []
    hall.wait(cool_down - 1)
    assert reason(hall.order()) == "breaker_open"
    hall.wait(1)
    assert reason(hall.order()) == "released"
    assert hall.status(key) is Status.HALF_OPEN


def test_a_venue_that_nobody_trades_at_stops_nothing() -> None:
    hall = Hall()
    report(hall, "venue_disconnected", "binance", holds=False)
    assert reason(hall.order()) == "released"


def test_of_two_conditions_both_must_end() -> None:
    hall = Hall()
    report(hall, "bus_lag", "aria", holds=False)
    report(hall, "bus_lag", "compliance", holds=False)
    report(hall, "bus_lag", "aria", holds=True)
    hall.wait(3600)
    assert reason(hall.order()) == "breaker_open"
    report(hall, "bus_lag", "compliance", holds=True)
    hall.wait(300)
    assert reason(hall.order()) == "released"


def test_what_a_person_lifts_is_held_open_by_what_lasts() -> None:
    hall = Hall()
    hall.stop()
    report(hall, "bus_lag", "desk", holds=False)
    assert hall.breaker(SYSTEM).trigger == "manual_stop"
    said = hall.resume()
    assert [type(one) for one in said] == [m.BreakerClosed, m.BreakerOpened]
    assert (hall.status(SYSTEM), hall.breaker(SYSTEM).trigger) == (Status.OPEN, "bus_lag")
    report(hall, "bus_lag", "desk", holds=True)
    hall.wait(300)
    assert reason(hall.order()) == "released"


def test_a_condition_does_not_make_a_broken_invariant_forgotten() -> None:
    hall = Hall()
    hall.say(m.InvariantBroken, invariant="M1", detail="a sum is not zero")
    assert report(hall, "bus_lag", "desk", holds=False) == []
    assert hall.breaker(SYSTEM).trigger == "invariant_broken"


# Margin


@pytest.mark.parametrize(
    ("level", "status"),
    [
        ("normal", Status.CLOSED),
        ("warn", Status.CLOSED),
        ("critical", Status.REDUCING),
        ("stop_out", Status.OPEN),
    ],
)
def test_margin_reduces_when_critical_and_opens_at_stop_out(level: str, status: Status) -> None:
    hall = Hall()
    margin(hall, level)
    assert hall.status(ALPHA) is status
    if status is not Status.CLOSED:
        assert (hall.breaker(ALPHA).trigger, hall.breaker(ALPHA).unit) == ("margin", "ratio")
        assert (hall.breaker(ALPHA).measured, hall.breaker(ALPHA).limit) == (Decimal("1.1"), Decimal("1.2"))


def test_margin_that_gets_worse_opens_and_only_after_it_is_well_again_is_there_a_trial() -> None:
    hall = Hall()
    margin(hall, "critical")
    assert reason(hall.order()) == "breaker_reducing"
    margin(hall, "stop_out")
    assert hall.status(ALPHA) is Status.OPEN
    margin(hall, "critical")
    hall.wait(3600)
    assert reason(hall.order()) == "breaker_open"
    margin(hall, "warn")
    hall.wait(60)
    assert reason(hall.order()) == "released"
    assert hall.status(ALPHA) is Status.HALF_OPEN


def test_a_critical_margin_that_recovers_ends_the_reducing_after_the_cool_down() -> None:
    hall = Hall()
    margin(hall, "critical")
    hall.wait(3600)
    hall.mark("EURUSD", "1.1")
    assert hall.status(ALPHA) is Status.REDUCING
    margin(hall, "normal")
    hall.wait(59)
    assert reason(hall.order()) == "breaker_reducing"
    hall.wait(1)
    assert reason(hall.order()) == "released"
    assert hall.status(ALPHA) is Status.CLOSED


def test_a_critical_margin_said_again_is_said_once() -> None:
    hall = Hall()
    assert len(margin(hall, "critical")) == 1
    assert margin(hall, "critical") == []


def test_a_critical_margin_on_trial_opens_again() -> None:
    hall = Hall()
    for _ in range(4):
        hall.trade("-10", strategy="operator")
    hall.wait(60)
    hall.mark("EURUSD", "1.1")
    assert hall.status(ALPHA) is Status.HALF_OPEN
    margin(hall, "critical")
    assert (hall.status(ALPHA), hall.breaker(ALPHA).trigger) == (Status.OPEN, "margin")


def test_margin_of_another_account_is_another_account_s() -> None:
    hall = Hall()
    margin(hall, "stop_out", "beta")
    assert reason(hall.order()) == "released"


def test_after_a_resume_what_opens_counts_before_what_reduces() -> None:
    hall = Hall()
    hall.stop(scope=StopScope(kind=ScopeKind.ACCOUNT, name="alpha"))
    margin(hall, "critical")
    suspended: dict[str, Any] = {"measured": Decimal("0.04"), "limit": Decimal("0.03"), "unit": "fraction"}
    assert hall.say(m.AccountSuspended, account="alpha", rule="daily_loss", **suspended) == []
    said = hall.resume()
    assert [type(one) for one in said] == [m.BreakerClosed, m.BreakerOpened]
    assert (hall.status(ALPHA), hall.breaker(ALPHA).trigger) == (Status.OPEN, "account_suspended")


def test_after_a_resume_a_critical_margin_reduces() -> None:
    hall = Hall()
    hall.stop(scope=StopScope(kind=ScopeKind.ACCOUNT, name="alpha"))
    margin(hall, "critical")
    hall.resume()
    assert (hall.status(ALPHA), hall.breaker(ALPHA).trigger) == (Status.REDUCING, "margin")


# Feeds


def test_a_gap_found_while_the_feed_is_stale_says_nothing_more() -> None:
    hall = Hall()
    assert len(stale(hall)) == 1
    assert stale(hall) == []
    gap = {"instrument": "EURUSD", "from_ns": 0, "to_ns": 10**9}
    assert hall.say(m.FeedGapFound, **gap) == []
    hall.say(m.FeedRecovered, instrument="EURUSD")
    [said] = hall.say(m.FeedGapFound, **gap)
    assert (said.trigger, said.measured) == ("feed_gap", 1)  # type: ignore[attr-defined]


def test_a_feed_s_end_of_staleness_closes_without_a_trial() -> None:
    hall = Hall()
    stale(hall)
    hall.say(m.FeedRecovered, instrument="EURUSD")
    hall.wait(30)
    hall.mark("EURUSD", "1.1")
    assert hall.status(FEED) is Status.CLOSED


def test_a_stale_feed_is_measured_against_the_silence_that_is_allowed() -> None:
    hall = Hall()
    [opened] = hall.say(
        m.FeedStale, instrument="EURUSD", last_ns=hall.desk.now_ns - 7 * 10**9, stale_after_ns=5 * 10**9
    )
    assert isinstance(opened, m.BreakerOpened)
    assert (opened.measured, opened.limit, opened.unit) == (Decimal(7), Decimal(5), "seconds")


def test_the_end_of_what_never_was_changes_nothing() -> None:
    hall = Hall()
    before = hall.agent.state
    assert hall.say(m.FeedRecovered, instrument="EURUSD") == []
    assert hall.agent.state is before


def test_conditions_are_kept_by_a_snapshot_and_forgotten_when_they_end() -> None:
    hall = Hall()
    stale(hall)
    report(hall, "bus_lag", "desk", holds=False)
    assert [each.trigger for each in hall.agent.state.conditions] == ["stale_feed", "bus_lag"]
    assert [each.trigger for each in hall.agent.state.conditions_of(FEED)] == ["stale_feed"]
    report(hall, "bus_lag", "desk", holds=True)
    hall.say(m.FeedRecovered, instrument="EURUSD")
    assert hall.agent.state.conditions == ()
