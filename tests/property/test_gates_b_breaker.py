"""Whatever happens, in whatever order: open breakers take no new risk, people lift what is theirs, closing works."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.unit.agents.circuit_breaker.hall import CONFIG, Hall, reason
from tests.unit.agents.desk import Desk, make_account
from tmt import messages as m
from tmt.agents.circuit_breaker.breakers import Status
from tmt.domain.order import Side
from tmt.domain.stop import ScopeKind, StopLevel, StopScope

STATUSES = {
    m.BreakerOpened: Status.OPEN,
    m.BreakerReduced: Status.REDUCING,
    m.BreakerHalfOpened: Status.HALF_OPEN,
    m.BreakerClosed: Status.CLOSED,
}
SCOPES = ("system/desk", "agent/venue:paper", "account/alpha", "agent/wyckoff", "agent/instrument:EURUSD")


def fold(said: list[m.BreakerTransition]) -> dict[str, Status]:
    """What anybody who only reads the breaker's messages takes the breakers to be."""
    return {f"{one.tier}/{one.scope}": STATUSES[type(one)] for one in said}


def open_position(hall: Hall) -> None:
    if hall.desk.portfolio.position("alpha", "EURUSD").quantity == 0:
        hall.hear(hall.desk.hold("EURUSD", Side.BUY, "1000", "1.1"))


def suspend(hall: Hall) -> None:
    amounts = {"measured": Decimal("0.04"), "limit": Decimal("0.03"), "unit": "fraction"}
    hall.say(m.AccountSuspended, account="alpha", rule="daily_loss", **amounts)


def report(condition: str, *, holds: bool) -> Callable[[Hall], object]:
    amounts: dict[str, Any] = {"measured": Decimal(3), "limit": Decimal(2), "unit": "seconds"}
    scope = "paper" if condition == "venue_disconnected" else "desk"
    return lambda hall: hall.say(m.ConditionReported, condition=condition, scope=scope, holds=holds, **amounts)


def margin(level: str) -> Callable[[Hall], object]:
    return lambda hall: hall.say(
        m.MarginLevelChanged, account="alpha", level=level, measured=Decimal("1.1"), limit=Decimal("1.2")
    )


def reinstate(hall: Hall) -> None:
    hall.say(m.AccountReinstated, account="alpha", rule="daily_loss", person="", role="", reason="the day has turned")


def scoped(change: str, kind: str, name: str) -> Callable[[Hall], object]:
    scope = StopScope(kind=ScopeKind(kind), name=name)
    return lambda hall: hall.stop(scope=scope) if change == "stop" else hall.resume(scope)


def end_oldest(realised: str) -> Callable[[Hall], object]:
    return lambda hall: hall.end_trial(realised) if hall.released else None


def late(change: Callable[[Hall], object]) -> Callable[[Hall], None]:
    """Something happens between what the breaker answers to a bar and the delivery of that answer."""

    def step(hall: Hall) -> None:
        answers = hall.agent.handle(hall.desk.mark("EURUSD", "1.0999", "1.1000"))
        change(hall)
        for answer in answers:
            assert isinstance(answer, m.BreakerTransition)
            hall.said.append(answer)
            hall.hear(hall.desk.tell(answer))

    return step


ACTIONS: dict[str, Callable[[Hall], object]] = {
    "order": lambda hall: hall.order(),
    "order of an operator": lambda hall: hall.order(strategy="operator"),
    "order on beta": lambda hall: hall.order(account="beta"),
    "win": end_oldest("5"),
    "draw": end_oldest("0"),
    "loss": end_oldest("-5"),
    "loss elsewhere": lambda hall: hall.trade("-5"),
    "flat": lambda hall: hall.lose(0),
    "profit": lambda hall: hall.lose(-5000),
    "lose 4 %": lambda hall: hall.lose(4000),
    "lose over 4 %": lambda hall: hall.lose(4001),
    "lose 5 %": lambda hall: hall.lose(5000),
    "lose over 5 %": lambda hall: hall.lose(5001),
    "lose over 8 %": lambda hall: hall.lose(8001),
    "stop": lambda hall: hall.stop(),
    "resume": lambda hall: hall.resume(),
    "break": lambda hall: hall.say(m.InvariantBroken, invariant="M1", detail="a sum is not zero"),
    "stale": lambda hall: hall.say(m.FeedStale, instrument="EURUSD", last_ns=0),
    "recovered": lambda hall: hall.say(m.FeedRecovered, instrument="EURUSD"),
    "gap": lambda hall: hall.say(m.FeedGapFound, instrument="EURUSD", from_ns=0, to_ns=1),
    "suspend": suspend,
    "reinstate": reinstate,
    "lock": lambda hall: hall.stop(StopLevel.LOCK),
    "stop of the account": scoped("stop", "account", "alpha"),
    "resume of the account": scoped("resume", "account", "alpha"),
    "stop of the venue": scoped("stop", "venue", "paper"),
    "lag": report("bus_lag", holds=False),
    "lag over": report("bus_lag", holds=True),
    "disconnect": report("venue_disconnected", holds=False),
    "connect": report("venue_disconnected", holds=True),
    "margin critical": margin("critical"),
    "margin stop-out": margin("stop_out"),
    "margin normal": margin("normal"),
    "late reinstatement": late(reinstate),
    "late suspension": late(suspend),
    "late order": late(lambda hall: hall.order()),
    "late stop": late(lambda hall: hall.stop()),
    "late break": late(lambda hall: hall.say(m.InvariantBroken, invariant="M1", detail="")),
    "second": lambda hall: hall.wait(1),
    "minute": lambda hall: hall.wait(60),
    "five minutes": lambda hall: hall.wait(300),
    "next day": lambda hall: hall.until_next_day(),
    "bar": lambda hall: hall.mark("EURUSD", "1.1"),
}
FOUR_LOSSES = ["loss elsewhere"] * 4


def check_release(hall: Hall, stopped: bool) -> None:
    """One more order: if it goes out it must be because everything a reader of the log sees allows it."""
    outstanding = {key: len(hall.breaker(key).trials) for key in SCOPES}
    answer = hall.order()
    if reason(answer) != "released":
        return
    seen = fold(hall.said)
    for key in SCOPES:
        assert seen[key] in (Status.CLOSED, Status.HALF_OPEN)
        if seen[key] is Status.HALF_OPEN:
            assert outstanding[key] < CONFIG.half_open.test_orders_max
    assert not stopped


@settings(max_examples=150)
@given(names=st.lists(st.sampled_from(sorted(ACTIONS)), max_size=25))
@example(names=["lose over 5 %", "next day", "bar", "order"])
@example(names=["lose 5 %", "order", "lose over 5 %", "order"])
@example(names=["lose over 8 %", "five minutes", "next day", "order", "resume", "order", "order", "order"])
@example(names=["stop", "five minutes", "next day", "order", "resume", "order"])
@example(names=["stop", "break", "resume", "order", "order", "order", "loss", "five minutes", "order"])
@example(names=[*FOUR_LOSSES, "minute", "late suspension", "order"])
@example(names=[*FOUR_LOSSES, "minute", "order", "order", "order", "win", "win", "order", "win", "order"])
@example(names=["break", "resume", "loss elsewhere", "five minutes", "late break", "order"])
@example(names=["lock", "resume", "order", "stop", "resume", "order"])
@example(names=["stop", "suspend", "resume", "order", "reinstate", "order"])
@example(names=["suspend", "stop of the account", "late reinstatement", "order", "resume of the account", "order"])
@example(names=["disconnect", "five minutes", "order", "connect", "minute", "order", "order", "order"])
@example(names=["margin critical", "margin stop-out", "margin critical", "minute", "order", "margin normal", "order"])
@example(names=["stale", "minute", "order", "recovered", "order", "gap", "order"])
def test_no_sequence_of_events_opens_a_way_around_the_breakers(names: list[str]) -> None:
    hall = Hall(desk=Desk(make_account("alpha"), make_account("beta")))
    stopped = locked = False
    for name in names:
        ACTIONS[name](hall)
        locked = name == "lock" or (locked and hall.status("system/desk") is Status.OPEN)
        stopped = name in ("stop", "break", "late stop", "late break", "lock") or (
            stopped and (name != "resume" or locked)
        )
        assert fold(hall.said) == {key: one.status for key, one in hall.agent.state.breakers.items()}
        assert all(len(one.trials) <= CONFIG.half_open.test_orders_max for one in hall.agent.state.breakers.values())
        if stopped:
            assert hall.status("system/desk") is Status.OPEN
    check_release(hall, stopped)
    open_position(hall)
    assert reason(hall.order(Side.SELL, reduce_only=True)) == "released"


@settings(max_examples=60)
@given(gains=st.lists(st.integers(min_value=0, max_value=50_000), max_size=8).map(sorted))
@example(gains=[0])
def test_a_profit_never_trips_anything(gains: list[int]) -> None:
    hall = Hall()
    for gain in gains:
        hall.lose(-gain)
        hall.trade(str(gain))
    assert {said.trigger for said in hall.said} == {"initialised"}
