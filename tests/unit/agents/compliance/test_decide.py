"""Is each refusal that comes before the rules, and the pass of a closing order, said in full?"""

from decimal import Decimal

import msgspec
import pytest

from tests.unit.agents.compliance.court import Court, book_with
from tests.unit.agents.compliance.test_strategy_limits import limited
from tests.unit.agents.desk import Desk, make_account, make_order, make_quote
from tmt import messages as m
from tmt.agents.compliance import RuleBook
from tmt.agents.compliance.config import Mode
from tmt.agents.compliance.rules import DailyLoss
from tmt.domain.order import Side
from tmt.messages import Check

DAILY = DailyLoss(id="daily", hard=True, loss_fraction_max=Decimal("0.05"))


def check(rule: str, measured: str, limit: str, unit: str, outcome: str = "pass", *, at_least: bool = False) -> Check:
    return Check(
        rule=f"compliance.{rule}",
        measured=Decimal(measured),
        limit=Decimal(limit),
        unit=unit,
        outcome=outcome,
        quantity_after=Decimal(1000),
        at_least=at_least,
    )


IN_TIME = check("approval_expired", "0", "30", "seconds")


def suspended() -> Court:
    court = Court(book_with(DAILY), desk=Desk(make_account("alpha"), make_account("beta")))
    court.desk.hold("SPY", Side.BUY, "1000", "500", stop="400")
    court.tell(court.desk.mark("SPY", "494"))
    return court


def test_a_closing_order_is_measured_against_its_own_accounts_position() -> None:
    court = suspended()
    court.desk.hold("EURUSD", Side.BUY, "3000", "1.1")
    court.desk.hold("EURUSD", Side.BUY, "7000", "1.1", account="beta")
    answer = court.order("EURUSD", Side.SELL, "1000", reduce_only=True)
    assert isinstance(answer, m.ComplianceApproved)
    assert answer.checks == (IN_TIME, check("closing", "1000", "3000", "units"))


def test_a_suspended_account_is_told_by_which_rule() -> None:
    answer = suspended().buy("1000")
    assert isinstance(answer, m.OrderDenied)
    assert answer.checks == (IN_TIME, check("account_suspended", "1", "0", "count", "deny"))
    assert answer.detail == "alpha is suspended by daily and may only close"


def test_an_instrument_that_is_not_permitted_is_named() -> None:
    answer = Court(book_with(), desk=Desk(make_account(instruments=("GBPUSD",)))).buy("1000")
    assert isinstance(answer, m.OrderDenied)
    assert answer.checks == (IN_TIME, check("instrument_not_permitted", "0", "1", "count", "deny", at_least=True))
    assert answer.detail == "alpha may not trade EURUSD"


def broke() -> Court:
    court = Court(book_with())
    court.desk.hold("SPY", Side.BUY, "1000", "500", stop="1")
    court.desk.hold("SPY", Side.SELL, "1000", "400")
    return court


@pytest.mark.parametrize(
    ("answer", "reason", "detail"),
    [
        (lambda: Court(book_with()).buy("1000", account="ghost"), "unknown_account", "'ghost' was never opened"),
        (
            lambda: Court(book_with(), desk=Desk(make_account(rule_book="absent"))).buy("1000"),
            "no_rule_book",
            "alpha is bound by the rule book 'absent', which is absent",
        ),
        (lambda: Court(book_with()).buy("1000", strategy="hunch"), "no_strategy_limits", "'hunch' has no limits"),
        (
            lambda: Court(book_with()).order("XXXYYY", Side.BUY, "1000"),
            "unknown_instrument",
            "'XXXYYY' is not an instrument of this desk",
        ),
        (lambda: broke().buy("1000"), "no_equity", "the equity of alpha is 0"),
        (
            lambda: Court(book_with(), desk=Desk(make_account(currency="CHF"))).buy("1000"),
            "no_conversion_rate",
            "no rate from USD to CHF is known",
        ),
    ],
)
def test_what_is_missing_is_named(answer: object, reason: str, detail: str) -> None:
    assert callable(answer)
    denial = answer()
    assert isinstance(denial, m.OrderDenied)
    assert (denial.reason, denial.checks[-1].rule) == (reason, f"compliance.{reason}")
    assert detail in denial.detail
    found = denial.checks[-1]
    assert (int(found.measured), int(found.limit), found.unit, found.at_least) == (0, 1, "count", True)


@pytest.mark.parametrize(
    ("limit", "detail"),
    [
        ("instruments_max", "the strategy would have 2 instruments"),
        ("positions_max", "the strategy would have 2 positions"),
        ("venues_max", "the strategy would have 2 venues"),
    ],
)
def test_a_strategy_beyond_its_limits_is_told_how_far(limit: str, detail: str) -> None:
    other = msgspec.structs.replace(make_account("beta"), venue="elsewhere")
    court = Court(book_with(), desk=Desk(make_account("alpha"), other), config=limited(Mode.STRICT, **{limit: 1}))
    court.desk.hold("GBPUSD", Side.BUY, "1000", "1.25", stop="1.24", account="beta")
    answer = court.buy("1000")
    assert isinstance(answer, m.OrderDenied)
    assert answer.detail == detail


def test_a_version_starts_at_one() -> None:
    rules = book_with().rules
    assert RuleBook(name="first", version=1, rules=rules).version == 1
    with pytest.raises(ValueError, match="version of rule book first must be at least 1, was 0"):
        RuleBook(name="first", version=0, rules=rules)


def test_another_accounts_closing_orders_and_fills_leave_the_closing_to_do() -> None:
    flattening = msgspec.structs.replace(DAILY, flatten=True)
    court = Court(book_with(flattening), desk=Desk(make_account("alpha"), make_account("beta")))
    for name in ("alpha", "beta"):
        court.desk.hold("SPY", Side.BUY, "1000", "500", stop="400", account=name)
    theirs = make_order("SPY", Side.SELL, "1000", make_quote("494"), account="alpha", reduce_only=True)
    court.desk.approve(m.OrderReleased, theirs)
    [*_, closing] = court.tell(court.desk.hold("SPY", Side.SELL, "400", "480", account="beta"))
    assert isinstance(closing, m.ExitRaised)
    assert (closing.account, closing.quantity) == ("beta", Decimal(600))
    [found] = closing.checks
    assert (found.rule, found.unit, found.limit) == ("compliance.daily", "fraction", Decimal("0.05"))
