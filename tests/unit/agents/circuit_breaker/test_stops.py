"""Does a person's stop halt exactly its scope, and is it lifted only by who may?"""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from tests.unit.agents.circuit_breaker.hall import CONFIG, Hall, reason
from tests.unit.agents.desk import Desk, make_account
from tmt import messages as m
from tmt.agents.circuit_breaker.breakers import Status
from tmt.agents.circuit_breaker.conditions import silence
from tmt.domain.order import Side
from tmt.domain.stop import EVERYTHING, ScopeKind, StopLevel, StopScope

SYSTEM, ALPHA = "system/desk", "account/alpha"
SCOPES = {
    "account/alpha": StopScope(kind=ScopeKind.ACCOUNT, name="alpha"),
    "agent/wyckoff": StopScope(kind=ScopeKind.STRATEGY, name="wyckoff"),
    "agent/instrument:EURUSD": StopScope(kind=ScopeKind.INSTRUMENT, name="EURUSD"),
    "agent/venue:paper": StopScope(kind=ScopeKind.VENUE, name="paper"),
}
ELSEWHERE: dict[str, Any] = {
    "account/alpha": {"account": "beta"},
    "agent/wyckoff": {"strategy": "operator"},
    "agent/instrument:EURUSD": {"symbol": "GBPUSD"},
    "agent/venue:paper": {"account": "beta"},
}


@pytest.fixture
def hall() -> Hall:
    beta = msgspec.structs.replace(make_account("beta"), venue="binance")
    hall = Hall(desk=Desk(make_account("alpha"), beta))
    hall.desk.mark("GBPUSD", "1.25")
    return hall


@pytest.mark.parametrize("level", list(StopLevel))
@pytest.mark.parametrize("key", sorted(SCOPES))
def test_a_stop_opens_the_breaker_of_its_scope_alone(key: str, level: StopLevel, hall: Hall) -> None:
    [said] = hall.stop(level, SCOPES[key])
    assert isinstance(said, m.BreakerOpened)
    trigger = "manual_lock" if level is StopLevel.LOCK else "manual_stop"
    assert (f"{said.tier}/{said.scope}", said.trigger, said.resumes_by) == (key, trigger, "person")
    assert (said.measured, said.limit, said.unit, said.detail) == (Decimal(1), Decimal(0), "count", "ann: odd fills")
    assert reason(hall.order()) == "breaker_open"
    assert reason(hall.order(**ELSEWHERE[key])) == "released"
    hall.desk.hold("EURUSD", Side.BUY, "1000", "1.1")
    assert reason(hall.order(Side.SELL, reduce_only=True)) == "released"


def test_a_denial_names_the_scope_by_its_kind(hall: Hall) -> None:
    for key, rule in (
        ("agent/instrument:EURUSD", "instrument"),
        ("agent/wyckoff", "strategy"),
        ("account/alpha", "account"),
        ("agent/venue:paper", "venue"),
    ):
        hall.stop(scope=SCOPES[key])
        answer = hall.order()
        assert isinstance(answer, m.OrderDenied)
        assert answer.checks[-1].rule == f"circuit_breaker.{rule}"


@pytest.mark.parametrize("key", sorted(SCOPES))
def test_resuming_lifts_what_lies_in_its_scope_and_nothing_else(key: str, hall: Hall) -> None:
    for scope in (*SCOPES.values(), EVERYTHING):
        hall.stop(scope=scope)
    hall.resume(SCOPES[key])
    assert {one for one in (*SCOPES, SYSTEM) if hall.status(one) is Status.CLOSED} == {key}
    hall.resume()
    assert {hall.status(one) for one in (*SCOPES, SYSTEM)} == {Status.CLOSED}
    assert reason(hall.order()) == "released"


def test_a_stop_of_a_scope_that_nobody_knows_opens_its_breaker(hall: Hall) -> None:
    [said] = hall.stop(scope=StopScope(kind=ScopeKind.INSTRUMENT, name="XAUUSD"))
    assert (said.tier, said.scope) == ("agent", "instrument:XAUUSD")  # type: ignore[attr-defined]


@pytest.mark.parametrize("again", [StopLevel.PAUSE, StopLevel.CANCEL, StopLevel.FLATTEN])
def test_stopping_twice_is_stopping_once(again: StopLevel, hall: Hall) -> None:
    hall.stop()
    assert hall.stop(again) == []


def test_a_lock_goes_over_a_stop_and_no_stop_goes_over_a_lock(hall: Hall) -> None:
    hall.stop()
    assert [type(said) for said in hall.stop(StopLevel.LOCK)] == [m.BreakerOpened]
    assert hall.stop(StopLevel.LOCK) == []
    assert hall.stop() == []
    assert hall.breaker(SYSTEM).trigger == "manual_lock"


# Who may lift it


def test_after_a_lock_only_an_admin_resumes_and_a_refusal_is_said(hall: Hall) -> None:
    hall.stop(StopLevel.LOCK)
    [said] = hall.resume(role="risk")
    assert isinstance(said, m.BreakerOpened)
    assert (said.trigger, said.resumes_by) == ("manual_lock", "person")
    assert said.detail == "ann may not resume desk after manual_lock by the role risk"
    assert hall.status(SYSTEM) is Status.OPEN
    assert reason(hall.order()) == "breaker_open"
    hall.resume(role="admin")
    assert hall.status(SYSTEM) is Status.CLOSED


@pytest.mark.parametrize(("role", "lifts"), [("risk", True), ("admin", True), ("trader", False), ("", False)])
def test_only_the_roles_of_the_configuration_lift_a_stop(role: str, lifts: bool, hall: Hall) -> None:
    assert CONFIG.resume_roles == ("risk", "admin")
    hall.stop()
    [said] = hall.resume(role=role)
    assert isinstance(said, m.BreakerClosed if lifts else m.BreakerOpened)
    assert (hall.status(SYSTEM) is Status.CLOSED) is lifts
    if not lifts:
        assert said.detail == f"ann may not resume desk by the role {role or 'none'}"


def test_an_admin_who_is_no_role_of_the_configuration_lifts_no_lock() -> None:
    hall = Hall(msgspec.structs.replace(CONFIG, resume_roles=("risk",)))
    hall.stop(StopLevel.LOCK)
    hall.resume(role="admin")
    assert hall.status(SYSTEM) is Status.OPEN


def test_who_may_not_resume_ends_no_reducing_either() -> None:
    hall = Hall()
    hall.lose(3000)
    hall.until_next_day()
    hall.lose(6500)
    hall.flatten()
    [said] = hall.resume(role="trader")
    assert isinstance(said, m.BreakerReduced)
    assert hall.status(ALPHA) is Status.REDUCING


# What lay beneath


def test_a_stop_over_what_was_open_resumes_into_test_orders(hall: Hall) -> None:
    for _ in range(4):
        hall.trade("-10", strategy="operator")
    hall.stop(scope=SCOPES[ALPHA])
    hall.stop(StopLevel.LOCK, SCOPES[ALPHA])
    assert hall.breaker(ALPHA).beneath == "consecutive_losses"
    hall.wait(10**6)
    assert reason(hall.order()) == "breaker_open"
    hall.resume(role="admin")
    assert hall.status(ALPHA) is Status.HALF_OPEN


def test_a_stop_over_trials_resumes_into_trials(hall: Hall) -> None:
    for _ in range(4):
        hall.trade("-10", strategy="operator")
    hall.wait(60)
    hall.mark("EURUSD", "1.1")
    assert hall.status(ALPHA) is Status.HALF_OPEN
    hall.stop(scope=SCOPES[ALPHA])
    hall.resume()
    assert hall.status(ALPHA) is Status.HALF_OPEN


def test_a_stop_over_reducing_resumes_into_what_the_losses_then_are() -> None:
    hall = Hall()
    hall.lose(4500)
    hall.stop(scope=SCOPES[ALPHA])
    assert hall.breaker(ALPHA).beneath == ""
    hall.resume()
    assert hall.status(ALPHA) is Status.CLOSED
    hall.mark("EURUSD", "1.1")
    assert hall.status(ALPHA) is Status.REDUCING


def test_lifting_a_stop_accepts_no_drawdown_that_came_meanwhile() -> None:
    hall = Hall()
    hall.lose(3000)
    hall.stop(scope=SCOPES[ALPHA])
    hall.lose(9000)
    assert hall.breaker(ALPHA).trigger == "manual_stop"
    hall.resume()
    assert hall.breaker(ALPHA).accepted_drawdown_fraction == 0
    hall.mark("EURUSD", "1.1")
    assert (hall.status(ALPHA), hall.breaker(ALPHA).trigger) == (Status.OPEN, "drawdown")


def test_lifting_a_stop_that_came_over_a_drawdown_accepts_it() -> None:
    hall = Hall()
    hall.lose(9000)
    hall.stop(scope=SCOPES[ALPHA])
    hall.until_next_day()
    hall.resume()
    assert hall.status(ALPHA) is Status.HALF_OPEN
    hall.lose(9000)
    assert hall.status(ALPHA) is Status.HALF_OPEN


def test_a_broken_invariant_beneath_a_lock_is_not_forgotten_and_does_not_soften_it(hall: Hall) -> None:
    hall.stop(StopLevel.LOCK)
    assert hall.say(m.InvariantBroken, invariant="M1", detail="a sum is not zero") == []
    hall.resume(role="risk")
    assert hall.breaker(SYSTEM).trigger == "manual_lock"
    hall.resume(role="admin")
    assert hall.status(SYSTEM) is Status.HALF_OPEN


def test_an_invariant_broken_twice_is_said_once(hall: Hall) -> None:
    assert len(hall.say(m.InvariantBroken, invariant="M1", detail="a sum is not zero")) == 1
    assert hall.say(m.InvariantBroken, invariant="M1", detail="another") == []


def test_an_invariant_broken_while_trading_leaves_nothing_beneath(hall: Hall) -> None:
    hall.say(m.InvariantBroken, invariant="M1", detail="a sum is not zero")
    assert hall.breaker(SYSTEM).beneath == ""


def test_silence_is_never_negative() -> None:
    assert silence(5_000_000_000, 7_500_000_000) == silence(0, 2_500_000_000)
    assert silence(1, 0) == 0


def test_resuming_ends_no_reducing_but_that_of_a_drawdown() -> None:
    hall = Hall()
    hall.lose(4500)
    assert (hall.status(ALPHA), hall.breaker(ALPHA).trigger) == (Status.REDUCING, "daily_loss")
    assert hall.resume() == []
    assert hall.status(ALPHA) is Status.REDUCING


def test_resuming_ends_no_trials() -> None:
    hall = Hall()
    hall.lose(9000)
    hall.until_next_day()
    hall.resume()
    assert hall.status(ALPHA) is Status.HALF_OPEN
    assert hall.resume() == []


def test_resuming_accepts_the_drawdown_as_it_is_then_not_as_it_was() -> None:
    hall = Hall()
    hall.lose(9000)
    hall.lose(9500)
    hall.until_next_day()
    hall.resume()
    assert hall.breaker(ALPHA).accepted_drawdown_fraction == Decimal("0.095")


def test_lifting_a_stop_over_something_else_accepts_no_drawdown() -> None:
    hall = Hall()
    for _ in range(4):
        hall.trade("-10", strategy="operator")
    hall.stop(scope=SCOPES[ALPHA])
    hall.lose(9000)
    hall.resume()
    assert hall.status(ALPHA) is Status.HALF_OPEN
    assert hall.breaker(ALPHA).accepted_drawdown_fraction == 0
    hall.mark("EURUSD", "1.1")
    assert (hall.status(ALPHA), hall.breaker(ALPHA).trigger) == (Status.OPEN, "drawdown")


def test_lifting_a_stop_of_an_account_shows_the_stop_and_not_its_drawdown() -> None:
    hall = Hall()
    hall.lose(3000)
    hall.stop(scope=SCOPES[ALPHA])
    [said] = hall.resume()
    assert isinstance(said, m.BreakerClosed)
    assert (said.measured, said.limit, said.unit) == (Decimal(1), Decimal(0), "count")
