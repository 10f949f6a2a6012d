"""Does compliance refuse when it must, suspend accounts, fail closed, and say by which version of which book?"""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from tests.unit.agents.compliance.court import LENIENT, NO_NEWS, QUOTE, WIDE, Court, book_with, reason, soft, without
from tests.unit.agents.compliance.test_books import HASHES
from tests.unit.agents.desk import CONFIG_HASH, Desk, make_account, make_order, make_quote
from tmt import messages as m
from tmt.agents.compliance import ComplianceAgent, ComplianceConfig, RuleBook
from tmt.agents.compliance.conduct_rules import MandatoryStop, Sessions
from tmt.agents.compliance.decide import ComplianceState
from tmt.agents.compliance.rules import DailyLoss, Drawdown, DrawdownFrom
from tmt.config import load
from tmt.domain.money import decode_hook
from tmt.domain.order import Side

DAILY = DailyLoss(id="daily", hard=True, loss_fraction_max=Decimal("0.05"))
FALL = Drawdown(id="fall", hard=True, loss_fraction_max=Decimal("0.10"), measured_from=DrawdownFrom.DEPOSIT)
STRATEGY_RULES = tuple(
    f"strategy_{name}" for name in ("order_notional", "orders", "instruments", "positions", "venues")
)
STOP = MandatoryStop(id="stop", hard=False)


def losing(court: Court, amount: int) -> list[m.Message]:
    """Hold a protected position and mark it `amount` USD below its entry."""
    court.desk.hold("SPY", Side.BUY, "1000", "500", stop="400")
    price = 500 - Decimal(amount) / 1000
    return court.tell(court.desk.mark("SPY", str(price)))


def test_an_approval_names_book_version_and_every_rule() -> None:
    answer = Court(book_with(STOP)).buy("1000")
    assert isinstance(answer, m.ComplianceApproved)
    assert (answer.rule_book, answer.rule_book_version, answer.config_hash) == ("default", 3, CONFIG_HASH)
    rules = [check.rule.removeprefix("compliance.") for check in answer.checks]
    assert rules == ["approval_expired", "account_suspended", *STRATEGY_RULES, "stop", *(rule.id for rule in WIDE)]


def test_a_denial_names_the_rule_what_it_measured_and_its_limit() -> None:
    answer = Court(book_with(DAILY)).buy("1000000", stop_loss="1.0900")
    assert isinstance(answer, m.OrderDenied)
    assert (answer.gate, answer.reason, answer.unit) == ("compliance", "daily", "fraction")
    assert (answer.measured, answer.limit) == (Decimal("0.1"), Decimal("0.05"))
    assert answer.checks[-1].outcome == "deny"


def test_lenient_warns_on_a_soft_rule_and_shows_what_strict_would_have_measured() -> None:
    answer = Court(book_with(STOP), config=LENIENT).buy("1000", stop_loss=None)
    assert isinstance(answer, m.ComplianceApproved)
    [check] = [check for check in answer.checks if check.rule == "compliance.stop"]
    assert (check.outcome, check.measured, check.limit) == ("warn", Decimal(0), Decimal(1))
    assert reason(Court(book_with(STOP)).buy("1000", stop_loss=None)) == "stop"


def test_lenient_leaves_hard_rules_as_they_are() -> None:
    book = book_with(MandatoryStop(id="stop", hard=True))
    assert reason(Court(book, config=LENIENT).buy("1000", stop_loss=None)) == "stop"


def test_missing_data_refuses_in_lenient_mode_too() -> None:
    court = Court(book_with(), config=LENIENT)
    court.desk.hold("USDJPY", Side.BUY, "1000", "150", stop="149")
    order = make_order("GBPUSD", Side.BUY, "1000", make_quote("1.25"), stop_loss="1.24")
    assert reason(court.judge(order)) == "no_mark"


def test_an_account_without_its_rule_book_may_only_close() -> None:
    court = Court(book_with(), desk=Desk(make_account(rule_book="absent")))
    assert reason(court.buy("1000")) == "no_rule_book"
    court.desk.hold("EURUSD", Side.BUY, "1000", "1.1")
    closing = court.order("EURUSD", Side.SELL, "1000", reduce_only=True)
    assert isinstance(closing, m.ComplianceApproved)
    assert (closing.rule_book, closing.rule_book_version) == ("none", 0)


def test_unknown_accounts_instruments_and_rates_are_refused() -> None:
    court = Court(book_with())
    assert reason(court.buy("1000", account="ghost")) == "unknown_account"
    assert reason(court.order("XXXYYY", Side.BUY, "1000")) == "unknown_instrument"
    other = Court(book_with(), desk=Desk(make_account(currency="CHF")))
    assert reason(other.buy("1000")) == "no_conversion_rate"


def test_an_instrument_that_is_not_the_accounts_is_refused() -> None:
    court = Court(book_with(), desk=Desk(make_account(instruments=("GBPUSD",))))
    assert reason(court.buy("1000")) == "instrument_not_permitted"


@pytest.mark.parametrize(("amount", "count"), [(5000, 0), (5001, 1)])
def test_an_account_beyond_its_daily_loss_is_suspended_and_at_it_is_not(amount: int, count: int) -> None:
    court = Court(book_with(DAILY))
    answers = losing(court, amount)
    assert len(answers) == count
    if count:
        [answer] = answers
        assert isinstance(answer, m.AccountSuspended)
        assert (answer.account, answer.rule, answer.limit) == ("alpha", "daily", Decimal("0.05"))


def test_a_profit_suspends_nobody() -> None:
    assert losing(Court(book_with(DAILY, FALL)), -20000) == []


def test_an_account_is_suspended_once() -> None:
    court = Court(book_with(DAILY))
    losing(court, 6000)
    assert court.tell(court.desk.mark("SPY", "493")) == []


def test_a_fill_suspends_as_well_as_a_bar() -> None:
    court = Court(book_with(DAILY))
    court.desk.hold("SPY", Side.BUY, "1000", "500", stop="400")
    [answer] = court.tell(court.desk.hold("SPY", Side.SELL, "1000", "494"))
    assert isinstance(answer, m.AccountSuspended)


def test_a_soft_loss_rule_suspends_nobody() -> None:
    wide = book_with()
    book = RuleBook(name="default", version=1, rules=(*without(wide, "none"), soft(DAILY)))
    assert losing(Court(book), 6000) == []


def test_a_suspended_account_may_only_close() -> None:
    court = Court(book_with(DAILY))
    losing(court, 6000)
    assert reason(court.buy("1000")) == "account_suspended"
    assert reason(court.order("SPY", Side.SELL, "1000", reduce_only=True)) == "approved"
    assert reason(court.order("SPY", Side.SELL, "1000")) == "account_suspended"


def test_the_other_account_trades_on() -> None:
    court = Court(book_with(DAILY), desk=Desk(make_account("alpha"), make_account("beta")))
    losing(court, 6000)
    assert reason(court.buy("1000", account="beta")) == "approved"


def test_an_expired_approval_is_refused() -> None:
    court = Court(book_with())
    approval = court.desk.approve(m.BehaviourApproved, make_order("EURUSD", Side.BUY, "1000", QUOTE), seconds=30)
    court.desk.pass_seconds(31)
    court.desk.mark("EURUSD", "1.1")
    [answer] = court.agent.handle(approval)
    assert reason(answer) == "approval_expired"


def test_state_survives_a_snapshot() -> None:
    court = Court(book_with(DAILY))
    court.buy("1000")
    losing(court, 6000)
    saved = msgspec.json.encode(court.agent.state)
    assert court.agent.state.suspensions
    assert court.agent.state.approvals_ns
    assert msgspec.json.decode(saved, type=ComplianceState, dec_hook=decode_hook) == court.agent.state


@pytest.mark.parametrize("missing", [rule.id for rule in WIDE])
def test_a_book_without_a_required_limit_is_refused_by_name(missing: str) -> None:
    with pytest.raises(ValueError, match=missing):
        RuleBook(name="thin", version=1, rules=without(book_with(), missing))


@pytest.mark.parametrize("weak", WIDE)
def test_a_required_limit_must_be_hard(weak: Any) -> None:
    with pytest.raises(ValueError, match=weak.id):
        RuleBook(name="weak", version=1, rules=(*without(book_with(), weak.id), soft(weak)))


def test_a_limit_has_no_default() -> None:
    with pytest.raises(msgspec.ValidationError, match="loss_fraction_max"):
        msgspec.convert({"id": "a", "hard": True}, DailyLoss, dec_hook=decode_hook)


def test_ids_are_used_once() -> None:
    with pytest.raises(ValueError, match="more than once"):
        book_with(STOP, STOP)


def test_minutes_before_the_weekly_close_are_bounded() -> None:
    with pytest.raises(ValueError, match="flat_before_weekly_close_minutes"):
        Sessions(id="week", hard=True, flat_before_weekly_close_minutes=61)


def test_the_packaged_books_load_under_their_names() -> None:
    types = {"compliance": ComplianceConfig, "rule_books": dict[str, RuleBook]}
    loaded = load(types, directory=None, environment={}).sections
    books = loaded["rule_books"]
    assert sorted(books) == sorted({name for name, _ in HASHES})
    assert all(book.name == name for name, book in books.items())
    agent = ComplianceAgent(loaded["compliance"], Desk().portfolio, CONFIG_HASH, books, NO_NEWS)
    assert agent.handle(Desk().mark("EURUSD", "1.1")) == []


@pytest.mark.parametrize("name", sorted({name for name, _ in HASHES}))
def test_every_packaged_book_approves_an_ordinary_order(name: str) -> None:
    book = load({"rule_books": dict[str, RuleBook]}, directory=None, environment={}).sections["rule_books"][name]
    court = Court(book, desk=Desk(make_account(rule_book=name)))
    assert reason(court.buy("50000", stop_loss="1.0950")) == "approved"
    assert reason(court.buy("900000", stop_loss="1.0900")) != "approved"
