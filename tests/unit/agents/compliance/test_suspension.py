"""How does a suspended account come back, who may bring it back, and which positions are closed?"""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from tests.unit.agents.compliance.court import NO_NEWS, STRICT, Court, book_with, reason
from tests.unit.agents.desk import ALWAYS_OPEN, CONFIG_HASH, Desk, make_account, make_instrument, make_order, make_quote
from tmt import messages as m
from tmt.agents.compliance import ComplianceAgent
from tmt.agents.compliance.conduct_rules import Sessions
from tmt.agents.compliance.rules import DailyLoss, Drawdown, DrawdownFrom
from tmt.domain.money import decode_hook
from tmt.domain.order import Side
from tmt.domain.session import SessionHours

DAY_SECONDS = 86_400
TO_MIDNIGHT = 6_400  # seconds from 22:13:20 UTC, where the desk of these tests begins
DAILY = DailyLoss(id="daily", hard=True, loss_fraction_max=Decimal("0.05"))
FALL = Drawdown(id="fall", hard=True, loss_fraction_max=Decimal("0.10"), measured_from=DrawdownFrom.DEPOSIT)


def flattening(rule: Any) -> Any:
    return msgspec.structs.replace(rule, flatten=True)


def at(court: Court, price: str) -> list[m.Message]:
    """The end of a bar of SPY."""
    return court.tell(court.desk.mark("SPY", price))


def suspended(rule: Any = FALL, price: str = "489.999", **fields: Any) -> Court:
    """An account that holds 1000 SPY from 500, stopped at 495, and has just been suspended."""
    court = Court(book_with(rule), **fields)
    court.desk.hold("SPY", Side.BUY, "1000", "500", stop="495")
    assert isinstance(at(court, price)[0], m.AccountSuspended)
    return court


def ask(court: Court, **changes: Any) -> list[m.Message]:
    asked: dict[str, Any] = {"account": "alpha", "person": "ann", "role": "risk", "reason": "reviewed"}
    return court.tell(court.desk.say(m.ReinstateAccount, **{**asked, **changes}))


def kinds(messages: list[m.Message]) -> list[str]:
    return [type(message).__name__ for message in messages]


def test_a_suspension_says_rule_measure_limit_and_whether_positions_are_closed() -> None:
    for rule in (FALL, flattening(FALL)):
        court = Court(book_with(rule))
        court.desk.hold("SPY", Side.BUY, "1000", "500", stop="495")
        said = at(court, "489.999")[0]
        assert isinstance(said, m.AccountSuspended)
        assert (said.account, said.rule, said.unit) == ("alpha", "fall", "fraction")
        assert (said.measured, said.limit, said.flatten) == (Decimal("0.10001"), Decimal("0.10"), rule.flatten)


@pytest.mark.parametrize(("price", "due"), [("490.001", False), ("490", False), ("489.999", True)])
def test_equity_at_the_limit_suspends_nobody(price: str, due: bool) -> None:
    court = Court(book_with(FALL))
    court.desk.hold("SPY", Side.BUY, "1000", "500", stop="495")
    assert bool(at(court, price)) is due


def test_a_suspension_for_the_day_gives_way_to_one_that_lasts() -> None:
    court = Court(book_with(DAILY, FALL))
    court.desk.hold("SPY", Side.BUY, "1000", "500", stop="495")
    assert [each.rule for each in at(court, "494") if isinstance(each, m.AccountSuspended)] == ["daily"]
    assert at(court, "490") == []
    assert [each.rule for each in at(court, "489") if isinstance(each, m.AccountSuspended)] == ["fall"]
    assert at(court, "488") == [], "no graver"
    court.desk.pass_seconds(TO_MIDNIGHT)
    assert at(court, "510") == [], "the day does not end it"


@pytest.mark.parametrize(("rule", "graver"), [(flattening(FALL), True), (FALL, False), (flattening(DAILY), False)])
def test_a_suspension_that_a_person_must_end_gives_way_only_to_one_that_closes_and_lasts(
    rule: Any, graver: bool
) -> None:
    court = Court(book_with(rule))
    by_hand = {"rule": "surveillance.order_rate", "measured": Decimal(2), "limit": Decimal(1), "unit": "count"}
    court.tell(court.desk.say(m.AccountSuspended, account="alpha", **by_hand))
    court.desk.hold("SPY", Side.BUY, "1000", "500", stop="495")
    said = at(court, "489")
    assert kinds(said) == (["AccountSuspended", "ExitRaised"] if graver else [])
    assert kinds(at(court, "488")) == (["ExitRaised"] if graver else []), "it is said once; nothing closes yet here"


# Coming back


def test_a_daily_suspension_ends_at_the_first_bar_after_the_accounts_day_turned() -> None:
    court = suspended(DAILY, "494")
    court.desk.pass_seconds(TO_MIDNIGHT - 1)
    assert at(court, "494") == []
    assert reason(court.buy("1000")) == "account_suspended"
    court.desk.pass_seconds(1)
    assert reason(court.buy("1000")) == "account_suspended", "until it is said"
    [said] = at(court, "494")
    assert isinstance(said, m.AccountReinstated)
    assert (said.account, said.rule, said.person, said.role) == ("alpha", "daily", "", "")
    assert said.reason == "the day turned"
    court.tell(court.desk.hold("SPY", Side.SELL, "1000", "494"))
    assert reason(court.buy("1000")) == "approved"


def test_the_day_turns_in_the_accounts_time_zone_with_its_daylight_saving() -> None:
    # 2024-03-31: clocks in Berlin go from 02:00 to 03:00, so the day has 23 hours and ends at 22:00 UTC.
    account = msgspec.structs.replace(make_account(), time_zone="Europe/Berlin")
    court = Court(book_with(DAILY), desk=Desk(account))
    court.desk.now_ns = 1_711_839_600 * 10**9  # Saturday 2024-03-30 23:00 UTC: Sunday begins in Berlin
    at(court, "500")
    court.desk.hold("SPY", Side.BUY, "1000", "500", stop="400")
    assert kinds(at(court, "494")) == ["AccountSuspended"]
    court.desk.pass_seconds(23 * 3600 - 1)
    assert at(court, "494") == []
    court.desk.pass_seconds(1)
    assert kinds(at(court, "494")) == ["AccountReinstated"]


def test_an_account_whose_day_turned_is_suspended_anew_by_another_limit_it_is_beyond() -> None:
    court = Court(book_with(DAILY, FALL))
    court.desk.hold("SPY", Side.BUY, "1000", "500", stop="400")
    court.tell(court.desk.hold("SPY", Side.SELL, "1000", "489"))
    court.desk.pass_seconds(TO_MIDNIGHT)
    first, second = court.tell(court.desk.mark("EURUSD", "1.1"))
    assert isinstance(first, m.AccountReinstated)
    assert isinstance(second, m.AccountSuspended)
    assert (first.rule, second.rule) == ("daily", "fall")
    assert reason(court.buy("1000")) == "account_suspended"


def test_a_drawdown_suspension_lasts_until_a_person_ends_it() -> None:
    court = suspended()
    court.desk.pass_seconds(7 * DAY_SECONDS)
    assert at(court, "510") == []
    assert reason(court.buy("1000")) == "account_suspended"
    [said] = ask(court)
    assert isinstance(said, m.AccountReinstated)
    assert (said.account, said.rule, said.person) == ("alpha", "fall", "ann")
    assert (said.role, said.reason) == ("risk", "reviewed")
    assert reason(court.buy("1000")) == "approved"


def test_resuming_trading_reinstates_nobody() -> None:
    court = suspended()
    at(court, "510")
    assert m.ResumeTrading.__name__ not in {kind.__name__ for kind in court.agent.consumes}
    court.tell(court.desk.say(m.ResumeTrading, person="ann", role="admin", reason="go on"))
    assert reason(court.buy("1000")) == "account_suspended"


@pytest.mark.parametrize("role", STRICT.reinstate_roles)
def test_the_roles_of_the_configuration_may_reinstate(role: str) -> None:
    court = suspended()
    at(court, "510")
    assert kinds(ask(court, role=role)) == ["AccountReinstated"]


@pytest.mark.parametrize(
    "lacking", [{"role": "trader"}, {"role": ""}, {"person": " "}, {"reason": ""}, {"reason": " "}]
)
def test_who_may_not_is_told_that_the_suspension_stands(lacking: dict[str, str]) -> None:
    court = suspended()
    at(court, "510")
    [said] = ask(court, **lacking)
    assert isinstance(said, m.AccountSuspended)
    assert (said.rule, said.measured, said.limit, said.unit) == (
        "fall",
        Decimal("0.10001"),
        Decimal("0.10"),
        "fraction",
    )
    assert reason(court.buy("1000")) == "account_suspended"


@pytest.mark.parametrize(("price", "answer"), [("489.999", "AccountSuspended"), ("490", "AccountReinstated")])
def test_an_account_beyond_its_limit_stays_suspended(price: str, answer: str) -> None:
    court = suspended(flattening(FALL), "480")
    court.desk.mark("SPY", price)
    [said] = ask(court)
    assert type(said).__name__ == answer
    if isinstance(said, m.AccountSuspended):
        assert (said.rule, said.measured, said.flatten) == ("fall", Decimal("0.10001"), True), "as it is measured now"


def test_nobody_ends_a_daily_suspension_before_the_day_does() -> None:
    court = suspended(DAILY, "494")
    at(court, "510")
    [said] = ask(court)
    assert isinstance(said, m.AccountSuspended)
    assert (said.rule, said.measured) == ("daily", Decimal("0.06"))
    court.desk.pass_seconds(TO_MIDNIGHT)
    assert kinds(at(court, "510")) == ["AccountReinstated"]


def test_a_request_after_the_day_turned_is_answered_by_the_day() -> None:
    court = suspended(DAILY, "494")
    court.desk.pass_seconds(TO_MIDNIGHT)
    [said] = ask(court, role="trader")
    assert isinstance(said, m.AccountReinstated)
    assert (said.person, said.reason) == ("", "the day turned")


def test_a_request_for_an_account_that_is_not_suspended_changes_nothing() -> None:
    court = Court(book_with(FALL))
    assert ask(court) == []
    assert ask(court, account="nobody") == []


def test_reinstating_one_account_leaves_the_others_suspended() -> None:
    court = Court(book_with(FALL), desk=Desk(make_account("alpha"), make_account("beta")))
    for name in ("alpha", "beta"):
        court.desk.hold("SPY", Side.BUY, "1000", "500", stop="495", account=name)
    assert kinds(at(court, "489")) == ["AccountSuspended", "AccountSuspended"]
    at(court, "510")
    ask(court, account="beta")
    assert sorted(court.agent.state.suspensions) == ["alpha"]


# Closing


def closings(messages: list[m.Message]) -> Iterator[m.ExitRaised]:
    return (message for message in messages if isinstance(message, m.ExitRaised))


def test_a_flattening_rule_closes_every_position_of_the_account_at_once() -> None:
    court = Court(book_with(flattening(FALL)), desk=Desk(make_account("alpha"), make_account("beta")))
    court.desk.hold("SPY", Side.BUY, "1000", "500", stop="495")
    opened = court.desk.hold("EURUSD", Side.SELL, "5000", "1.1", stop="1.2")
    court.desk.hold("EURUSD", Side.BUY, "7000", "1.1", account="beta")
    spy, eurusd = closings(at(court, "489"))
    assert (spy.instrument, spy.side, spy.quantity) == ("SPY", Side.SELL, Decimal(1000))
    assert (eurusd.instrument, eurusd.side, eurusd.quantity) == ("EURUSD", Side.BUY, Decimal(5000))
    assert (eurusd.account, eurusd.rule, eurusd.order_id) == ("alpha", "fall", opened.order_id)
    assert (eurusd.stop_price, eurusd.config_hash, eurusd.source) == (None, CONFIG_HASH, "compliance")
    assert eurusd.quote == court.desk.portfolio.mark("EURUSD")
    [check] = eurusd.checks
    assert (check.rule, check.measured, check.limit, check.outcome) == (
        "compliance.fall", Decimal("0.11"), Decimal("0.10"), "reduce",
    )  # fmt: skip
    assert check.quantity_after == 0


def test_a_rule_that_does_not_flatten_closes_nothing() -> None:
    court = suspended(FALL)
    assert list(closings(at(court, "480"))) == []


def test_a_fill_that_suspends_closes_what_is_left_of_the_account_alone() -> None:
    court = Court(book_with(flattening(DAILY)), desk=Desk(make_account("alpha"), make_account("beta")))
    for name in ("alpha", "beta"):
        court.desk.hold("SPY", Side.BUY, "2000", "500", stop="499", account=name)
    said = court.tell(court.desk.hold("SPY", Side.SELL, "1000", "490"))
    assert [(each.account, each.quantity) for each in closings(said)] == [("alpha", Decimal(1000))]
    again = court.tell(court.desk.hold("EURUSD", Side.SELL, "1000", "1.1"))
    assert list(closings(again)) == [], "the next bar asks again, a fill does not"


def closing_order(court: Court, quantity: str, side: Side = Side.SELL, *, reduce_only: bool = True) -> None:
    order = make_order("SPY", side, quantity, make_quote("489"), order_id=f"c-{side}", reduce_only=reduce_only)
    court.desk.approve(m.OrderReleased, order)


def test_what_is_being_closed_is_not_asked_for_again_and_what_is_left_is() -> None:
    court = suspended(flattening(FALL))
    closing_order(court, "400")
    assert [each.quantity for each in closings(at(court, "489"))] == [Decimal(600)]
    closing_order(court, "1000")
    assert list(closings(at(court, "489"))) == []


@pytest.mark.parametrize("order", [{"side": Side.BUY}, {"reduce_only": False}])
def test_only_closing_orders_count_as_closing(order: dict[str, Any]) -> None:
    court = suspended(flattening(FALL))
    closing_order(court, "1000", **order)
    assert [each.quantity for each in closings(at(court, "489"))] == [Decimal(1000)]


NIGHTLY = SessionHours(time_zone="UTC", open=("mon-fri 09:00 - 22:30",), day_starts_at="00:00")


def test_a_position_is_closed_once_its_market_is_open() -> None:
    shares = make_instrument("SPY", "", "USD", tick_size="0.01", lot_size="1", session=NIGHTLY)
    court = Court(book_with(flattening(FALL)), desk=Desk(instruments=(shares, make_instrument("EURUSD", "EUR", "USD"))))
    court.desk.hold("SPY", Side.BUY, "1000", "500", stop="495")
    court.desk.pass_seconds(1_000)  # Tuesday 22:30: closed
    assert kinds(at(court, "489")) == ["AccountSuspended"]
    court.desk.pass_seconds(37_799)  # Wednesday 08:59:59
    assert list(closings(at(court, "489"))) == []
    court.desk.pass_seconds(1)
    assert [each.quantity for each in closings(at(court, "489"))] == [Decimal(1000)]


# The weekly close

WEEKLY = SessionHours(time_zone="UTC", open=("mon 00:00 - fri 21:00",), day_starts_at="00:00")
FLAT = Sessions(id="week", hard=True, flat_before_weekly_close_minutes=30, flatten=True)
TO_FRIDAY_20_30 = 252_999 + 1  # seconds from the beginning


def before_the_weekend(rule: Sessions) -> Court:
    euro = make_instrument("EURUSD", "EUR", "USD", session=WEEKLY)
    cable = make_instrument("GBPUSD", "GBP", "USD", session=ALWAYS_OPEN)
    court = Court(book_with(rule), desk=Desk(instruments=(euro, cable)))
    for symbol in ("EURUSD", "GBPUSD"):
        court.desk.hold(symbol, Side.SELL, "1000", "1.1", stop="1.2")
    court.desk.pass_seconds(TO_FRIDAY_20_30)
    return court


@pytest.mark.parametrize(("second", "closed"), [(-1, False), (0, True), (1, True), (1799, True), (1800, False)])
def test_positions_are_closed_within_the_minutes_before_the_weekly_close(second: int, closed: bool) -> None:
    court = before_the_weekend(FLAT)
    court.desk.pass_seconds(second)
    found = list(closings(court.tell(court.desk.mark("EURUSD", "1.1"))))
    assert [(each.instrument, each.rule, each.quantity) for each in found] == (
        [("EURUSD", "week", Decimal(1000))] if closed else []
    )
    assert list(closings(court.tell(court.desk.mark("GBPUSD", "1.1")))) == [], "it trades on"


def test_a_bar_closes_for_the_weekend_in_its_own_instrument_alone() -> None:
    court = before_the_weekend(FLAT)
    assert list(closings(court.tell(court.desk.mark("GBPUSD", "1.1")))) == []
    fill = court.desk.hold("EURUSD", Side.SELL, "1000", "1.1", stop="1.2")
    assert list(closings(court.tell(fill))) == []


def test_a_session_rule_that_does_not_flatten_leaves_positions_open() -> None:
    court = before_the_weekend(msgspec.structs.replace(FLAT, flatten=False))
    assert court.tell(court.desk.mark("EURUSD", "1.1")) == []


def test_an_account_without_its_book_is_neither_suspended_nor_closed() -> None:
    court = Court(book_with(flattening(FALL), FLAT), desk=Desk(make_account(rule_book="absent")))
    court.desk.hold("SPY", Side.BUY, "1000", "500", stop="495")
    assert at(court, "400") == []


def test_suspensions_survive_a_snapshot() -> None:
    court = suspended(flattening(FALL))
    saved = msgspec.json.encode(court.agent.state)
    other = ComplianceAgent(STRICT, court.desk.portfolio, CONFIG_HASH, {}, NO_NEWS)
    other.state = msgspec.json.decode(saved, type=type(court.agent.state), dec_hook=decode_hook)
    assert other.state == court.agent.state


def test_a_suspension_of_an_account_without_a_book_lasts_until_a_person_ends_it() -> None:
    desk = Desk(make_account("alpha"), make_account("beta", rule_book="absent"))
    court = Court(book_with(DAILY), desk=desk)
    by_rule: dict[str, Any] = {"rule": "daily", "measured": Decimal(2), "limit": Decimal(1), "unit": "fraction"}
    for name in ("alpha", "beta", "nobody"):
        court.tell(court.desk.make(m.AccountSuspended, account=name, **by_rule))
    found = court.agent.state.suspensions
    assert {name: one.until_day_turns for name, one in found.items()} == {"alpha": True, "beta": False, "nobody": False}
    assert {one.since_ns for one in found.values()} == {court.desk.now_ns}


@pytest.mark.parametrize("flatten", [True, False])
def test_a_suspension_that_stands_goes_on_closing_or_not(flatten: bool) -> None:
    court = suspended(msgspec.structs.replace(FALL, flatten=flatten))
    at(court, "510")
    [said] = ask(court, role="trader")
    assert isinstance(said, m.AccountSuspended)
    assert (said.rule, said.flatten) == ("fall", flatten)


def test_a_bar_concerns_only_accounts_that_hold_something() -> None:
    court = Court(book_with(FALL), desk=Desk(make_account("alpha"), make_account("beta")))
    court.desk.hold("SPY", Side.BUY, "1000", "500", stop="495")
    court.desk.hold("SPY", Side.SELL, "1000", "480")
    court.desk.hold("SPY", Side.BUY, "1", "480", stop="470", account="beta")
    assert at(court, "480") == []
    court.desk.hold("SPY", Side.BUY, "1", "480", stop="470")
    assert [each.account for each in at(court, "480") if isinstance(each, m.AccountSuspended)] == ["alpha"]
