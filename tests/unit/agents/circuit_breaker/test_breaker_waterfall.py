"""The whole waterfall of an order through its breakers: each check to its last field, in every state."""

from decimal import Decimal

import pytest

from tests.unit.agents.circuit_breaker.hall import Hall, reason
from tests.unit.agents.desk import Desk, make_account, make_order, make_quote
from tmt import messages as m
from tmt.agents.circuit_breaker.breakers import Status
from tmt.domain.order import Side
from tmt.domain.stop import ScopeKind, StopScope

Line = tuple[str, str, str, str, str, str, bool]
TIERS = ("system", "venue", "account", "strategy", "instrument")


def waterfall(answer: m.Message) -> list[Line]:
    """Rule, measured, limit, unit, outcome, quantity after, and whether the limit is a lower bound."""
    assert isinstance(answer, m.OrderReleased | m.OrderDenied)
    return [
        (
            check.rule.removeprefix("circuit_breaker."),
            f"{check.measured.normalize():f}",
            f"{check.limit.normalize():f}",
            check.unit,
            check.outcome,
            f"{check.quantity_after.normalize():f}",
            check.at_least,
        )
        for check in answer.checks
    ]


def admitted(*tiers: str) -> list[Line]:
    return [(tier, "0", "0", "count", "pass", "2000", False) for tier in tiers]


FRESH: Line = ("approval_expired", "0", "30", "seconds", "pass", "2000", False)


def test_a_released_order_shows_every_breaker_its_mark_and_its_losses() -> None:
    hall = Hall()
    hall.lose(3000)
    hall.wait(7)
    assert waterfall(hall.order(quantity="2000")) == [
        FRESH,
        *admitted(*TIERS),
        ("mark_age", "7", "600", "seconds", "pass", "2000", False),
        ("daily_loss", "0.03", "0.04", "fraction", "pass", "2000", False),
        ("drawdown", "0.03", "0.064", "fraction", "pass", "2000", False),
    ]


@pytest.mark.parametrize("place", range(len(TIERS)))
def test_an_open_breaker_refuses_with_what_opened_it_after_the_wider_ones(place: int) -> None:
    hall = Hall()
    names = {"venue": "paper", "account": "alpha", "strategy": "wyckoff", "instrument": "EURUSD"}
    tier = TIERS[place]
    hall.stop(scope=StopScope(kind=ScopeKind(tier), name=names[tier]) if place else StopScope())
    answer = hall.order(quantity="2000")
    assert waterfall(answer) == [FRESH, *admitted(*TIERS[:place]), (tier, "1", "0", "count", "deny", "2000", False)]
    assert isinstance(answer, m.OrderDenied)
    assert (answer.gate, answer.reason, answer.unit) == ("circuit_breaker", "breaker_open", "count")


def test_a_half_open_breaker_counts_its_test_orders() -> None:
    hall = Hall()
    hall.say(m.InvariantBroken, invariant="O1", detail="d")
    hall.resume()
    assert hall.status("system/desk") is Status.HALF_OPEN
    answers = [hall.order(quantity="2000") for _ in range(3)]
    assert [waterfall(each)[1] for each in answers] == [
        ("system", "1", "2", "count", "pass", "2000", False),
        ("system", "2", "2", "count", "pass", "2000", False),
        ("system", "3", "2", "count", "deny", "2000", False),
    ]
    assert [reason(each) for each in answers] == ["released", "released", "breaker_half_open"]
    assert isinstance(answers[2], m.OrderDenied)
    assert answers[2].detail == "the system breaker of desk is half-open and its test orders are still outstanding"


def test_a_breaker_without_a_state_counts_as_open() -> None:
    answer = Hall(begin=False).order(quantity="2000")
    assert waterfall(answer) == [FRESH, ("system", "0", "1", "count", "deny", "2000", False)]
    assert isinstance(answer, m.OrderDenied)
    assert answer.reason == "breaker_state_missing"
    assert answer.detail == "the system breaker of desk has no state, which counts as open"


@pytest.mark.parametrize(("seconds", "outcome"), [(600, "pass"), (601, "deny")])
def test_the_oldest_mark_counts(seconds: int, outcome: str) -> None:
    hall = Hall()
    hall.hold(Side.BUY, "1000", "1.25", "GBPUSD")
    hall.wait(seconds)
    answer = hall.order(quantity="2000")
    [check] = [each for each in waterfall(answer) if each[0] == "mark_age"]
    assert check == ("mark_age", str(seconds), "600", "seconds", outcome, "2000", False)
    if isinstance(answer, m.OrderDenied):
        assert answer.detail == f"the newest quote of GBPUSD is {seconds}.000000000 seconds old"


@pytest.mark.parametrize(
    ("before", "rule", "measured", "limit", "detail"),
    [
        (0, "daily_loss", "0.04001", "0.04", "the daily_loss of alpha is a fraction of 0.040010000000"),
        (6000, "drawdown", "0.06401", "0.064", "the drawdown of alpha is a fraction of 0.064010000000"),
    ],
)
def test_on_trial_a_loss_beyond_what_a_closed_breaker_bears_refuses(
    before: int, rule: str, measured: str, limit: str, detail: str
) -> None:
    hall = Hall()
    hall.say(m.AccountSuspended, account="alpha", rule="r", measured=Decimal(1), limit=Decimal(0), unit="count")
    hall.say(m.AccountReinstated, account="alpha", rule="r", person="", role="", reason="r")
    hall.lose(before)
    hall.until_next_day()
    hall.lose(before)
    hall.lose(before + 401 if before else 4001)
    answer = hall.order(quantity="2000")
    assert waterfall(answer)[-1] == (rule, measured, limit, "fraction", "deny", "2000", False)
    assert isinstance(answer, m.OrderDenied)
    assert (answer.reason, answer.measured, answer.limit) == (rule, Decimal(measured), Decimal(limit))
    assert (answer.unit, answer.detail) == ("fraction", detail)


def test_a_closing_order_shows_what_it_closes_and_nothing_else() -> None:
    hall = Hall()
    hall.hold(Side.BUY, "3000", "1.1")
    hall.stop()
    answer = hall.order(Side.SELL, "2000", reduce_only=True)
    assert waterfall(answer) == [FRESH, ("closing", "2000", "3000", "units", "pass", "2000", False)]


def test_an_expired_approval_shows_its_age() -> None:
    hall = Hall()
    order = make_order("EURUSD", Side.BUY, "2000", make_quote("1.0999", "1.1000"))
    approval = hall.desk.approve(m.ComplianceApproved, order, rule_book="default", rule_book_version=1)
    hall.wait(31)
    hall.mark("EURUSD", "1.1")
    assert waterfall(hall.hear(approval)[-1]) == [("approval_expired", "31", "30", "seconds", "deny", "2000", False)]


def test_no_mark_and_no_equity_are_found_missing() -> None:
    hall = Hall()
    missing = ("no_mark", "0", "1", "count", "deny", "2000", True)
    answer = hall.order(symbol="GBPUSD", quantity="2000")
    assert waterfall(answer) == [FRESH, *admitted(*TIERS), missing]
    assert isinstance(answer, m.OrderDenied)
    assert answer.detail == "no quote of GBPUSD is known"
    hall = Hall(desk=Desk(make_account(currency="CHF")))
    hall.hold(Side.BUY, "1000", "1.1")
    answer = hall.order(quantity="2000")
    assert waterfall(answer)[-2:] == [
        ("mark_age", "0", "600", "seconds", "pass", "2000", False),
        ("no_equity", "0", "1", "count", "deny", "2000", True),
    ]
    assert isinstance(answer, m.OrderDenied)
    assert answer.detail == "the equity of alpha is None"
