"""Does the report of a day say what the day's messages said, and do its figures add up?"""

from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import pytest

from tests.unit.agents.desk import CONFIG_HASH, EURUSD, Desk, make_account, make_order, make_quote
from tests.unit.projections.story import make_check
from tmt import messages as m
from tmt.adapters.event_log.sqlite import SqliteEventLog
from tmt.domain.order import Side
from tmt.domain.stop import ScopeKind, StopLevel, StopScope
from tmt.ports.event_log import Entry
from tmt.projections.daily_report import DailyReport, DailyReports

Told = TypeVar("Told", bound=m.Message)
BUY, SELL = Side.BUY, Side.SELL
TO_MIDNIGHT = 6_400  # seconds
MEASURES: dict[str, Any] = {"measured": Decimal("0.2"), "limit": Decimal("0.1"), "unit": "fraction"}


def told(*values: Any) -> tuple[Any, ...]:
    return values


class Days(Desk):
    """A desk whose every message the reports fold as well."""

    def __init__(self, *accounts: Any) -> None:
        self.reports = DailyReports()
        self.told: list[m.Message] = []
        super().__init__(*accounts or (make_account("alpha"),))

    def tell(self, message: Told) -> Told:
        self.reports.handle(message)
        self.told.append(message)
        return super().tell(message)

    def report(self, account: str = "alpha") -> DailyReport:
        """The newest of an account."""
        return [each for each in self.reports.all() if each.account == account][-1]


def deny(days: Days, rule: str, *, gate: str = "compliance", account: str = "alpha", **fields: Any) -> None:
    checks = fields.pop("checks", (make_check(f"{gate}.{rule}", "0.2", "0.1", "deny"),))
    order = {"order_id": "o", "account": account, "instrument": "EURUSD", "side": BUY, "quantity": Decimal(1000)}
    words = {"gate": gate, "reason": rule, "detail": "", "checks": checks, "config_hash": CONFIG_HASH}
    days.say(m.OrderDenied, **order, **words, **{**MEASURES, **fields})


def test_money_of_a_day_adds_up() -> None:
    days = Days()
    days.hold("EURUSD", BUY, "10000", "1.1", stop="1.09")
    days.mark("EURUSD", "1.105")
    days.pass_seconds(TO_MIDNIGHT)
    days.mark("EURUSD", "1.106")
    quote = make_quote("1.107", time_ns=days.now_ns)
    days.fill(
        make_order("EURUSD", SELL, "6000", quote, order_id="c", reduce_only=True), "1.107", fee="0.5", role="close"
    )
    days.mark("EURUSD", "1.108")
    first, second = days.reports.all()
    assert (first.opening_equity, first.closing_equity) == (Decimal(100000), Decimal(100050))
    assert told(first.change, first.realised, first.unrealised, first.fees) == (50, 0, 50, 0)
    assert (second.opening_equity, second.closing_equity) == (Decimal(100050), Decimal("100073.5"))
    assert told(second.realised, second.unrealised, second.unrealised_change) == (42, 32, -18)
    assert (second.fees, second.fills, first.fills) == (Decimal("0.5"), 1, 1)
    for each in (first, second):
        assert each.realised is not None
        assert each.unrealised_change is not None
        assert each.fees is not None
        assert each.change == each.realised + each.unrealised_change - each.fees


def test_a_day_is_named_bounded_and_bound_by_a_book() -> None:
    account = msgspec.structs.replace(make_account(), owner="ann", time_zone="America/New_York", day_starts_at="17:00")
    days = Days(account)
    report = days.report()
    assert (report.day, report.over, report.owner, report.currency) == ("2023-11-15", False, "ann", "USD")
    hour = 3600 * 10**9
    assert (report.to_ns - report.from_ns, report.from_ns % (24 * hour)) == (24 * hour, 22 * hour)
    assert (report.rule_book, report.rule_book_version) == ("default", None)
    assert (report.config_hash, report.software_version, report.simulated) == (CONFIG_HASH, "0", True)
    days.approve(
        m.ComplianceApproved, make_order("EURUSD", BUY, "1", make_quote("1.1")), rule_book="x", rule_book_version=7
    )
    assert (days.report().rule_book, days.report().rule_book_version) == ("x", 7)
    days.approve(
        m.ComplianceApproved, make_order("EURUSD", BUY, "1", make_quote("1.1")), rule_book="none", rule_book_version=0
    )
    assert days.report().rule_book == "x", "a closing order passes without a book"
    deny(days, "drawdown", rule_book="y", rule_book_version=8)
    assert (days.report().rule_book, days.report().rule_book_version) == ("y", 8)


@pytest.mark.parametrize(("seconds", "days_told"), [(TO_MIDNIGHT - 1, 1), (TO_MIDNIGHT, 2)])
def test_a_day_ends_when_its_last_moment_is_over(seconds: int, days_told: int) -> None:
    days = Days()
    days.pass_seconds(seconds)
    days.mark("EURUSD", "1.1")
    reports = days.reports.all()
    assert [each.over for each in reports] == [True] * (days_told - 1) + [False]
    assert len(days.reports.finished) == days_told - 1


def test_days_on_which_nothing_was_said_have_no_report() -> None:
    days = Days()
    days.pass_seconds(TO_MIDNIGHT + 3 * 86_400)
    days.mark("EURUSD", "1.1")
    assert [each.day for each in days.reports.all()] == ["2023-11-14", "2023-11-18"]


def test_trades_are_the_round_trips_that_ended_on_the_day() -> None:
    days = Days(make_account("alpha"), make_account("beta"))
    days.close_trip(realised="10", fees=Decimal("1.5"))
    days.close_trip(realised="5", account="beta")
    [trade] = days.report().trades
    assert told(trade.realised, trade.fees, trade.profit, trade.currency) == (10, Decimal("1.5"), Decimal("8.5"), "USD")
    assert (trade.instrument, trade.side, trade.setup, trade.closed_by) == ("EURUSD", BUY, "spring_test", "take_profit")
    assert trade.closed_at_ns - trade.opened_at_ns == 10**9
    days.pass_seconds(TO_MIDNIGHT)
    days.mark("EURUSD", "1.1")
    assert days.report().trades == ()


def test_denials_are_counted_by_gate_and_rule_with_the_newest_measure() -> None:
    days = Days(make_account("alpha"), make_account("beta"))
    for rule in ("leverage", "daily_loss", "daily_loss"):
        deny(days, rule)
    deny(days, "daily_loss", measured=Decimal("0.3"))
    deny(days, "leverage", account="beta")
    deny(days, "alone", gate="execution", checks=())
    first, second, third = days.report().denials
    assert (first.gate, first.rule, first.count, first.measured) == ("compliance", "daily_loss", 3, Decimal("0.3"))
    assert (second.rule, second.count, third.gate, third.rule) == ("leverage", 1, "execution", "alone")
    assert [each.rule for each in days.report("beta").denials] == ["leverage"]


def test_warnings_are_those_of_approvals_and_of_denials() -> None:
    days = Days()
    warned = make_check("compliance.mandatory_stop", "0", "1", "warn", unit="count")
    approval = days.make(
        m.BehaviourApproved, order=make_order("EURUSD", BUY, "1", make_quote("1.1")), checks=(warned,),
        expires_at_ns=0, config_hash=CONFIG_HASH,
    )  # fmt: skip
    days.tell(msgspec.structs.replace(approval, source="compliance"))
    deny(days, "leverage", checks=(warned, make_check("compliance.leverage", "2", "1", "deny")))
    [warning] = days.report().warnings
    assert (warning.gate, warning.rule, warning.count, warning.unit) == ("compliance", "mandatory_stop", 2, "count")
    assert [each.rule for each in days.report().denials] == ["leverage"]


def test_what_happened_is_told_to_the_accounts_that_it_concerns() -> None:
    days = Days(make_account("alpha"), make_account("beta"))
    days.say(m.AccountSuspended, account="alpha", rule="drawdown", **MEASURES)
    asked = {"account": "alpha", "person": "ann", "role": "risk", "reason": "seen"}
    days.say(m.ReinstateAccount, **asked)
    days.say(m.AccountReinstated, rule="drawdown", **asked)
    turned = {"trigger": "daily_loss", "resumes_by": "cool_down", "detail": "", **MEASURES}
    days.say(m.BreakerOpened, tier="account", scope="alpha", **turned)
    days.say(m.BreakerOpened, tier="system", scope="desk", **turned)
    days.say(m.BreakerClosed, tier="account", scope="alpha", **{**turned, "trigger": "initialised"})
    person = {"person": "ann", "role": "risk", "reason": "drill"}
    days.say(m.StopTrading, level=StopLevel.CANCEL, **person)
    days.say(m.ResumeTrading, scope=StopScope(kind=ScopeKind.ACCOUNT, name="beta"), **person)
    days.say(m.InvariantBroken, invariant="O1", detail="")
    days.say(
        m.ConductFlagged, detector="wash", accounts=("beta", "gamma"), instrument="EURUSD", evidence=(), detail="",
        suspends=False, **MEASURES,
    )  # fmt: skip
    alpha, beta = days.report("alpha"), days.report("beta")
    assert [each.type for each in alpha.suspensions] == ["AccountSuspended", "ReinstateAccount", "AccountReinstated"]
    assert [each.type for each in alpha.halts] == ["BreakerOpened", "BreakerOpened", "StopTrading", "InvariantBroken"]
    assert [each.type for each in beta.halts] == ["BreakerOpened", "StopTrading", "ResumeTrading", "InvariantBroken"]
    assert (beta.suspensions, alpha.findings) == ((), ())
    assert [each.type for each in beta.findings] == ["ConductFlagged"]
    assert "drawdown" in alpha.suspensions[0].text
    assert alpha.suspensions[0].time_ns == days.now_ns


def test_a_request_for_reinstatement_says_what_came_of_it() -> None:
    days = Days()
    asked: dict[str, Any] = {"account": "alpha", "person": "rob", "role": "risk", "reason": "because I say"}
    days.say(m.ReinstateAccount, **asked)
    refused = days.say(m.ReinstateAccount, **asked)
    days.tell(m.AccountSuspended.caused_by(refused, "compliance", account="alpha", rule="drawdown", **MEASURES))
    granted = days.say(m.ReinstateAccount, **asked)
    days.tell(m.AccountReinstated.caused_by(granted, "compliance", rule="drawdown", **asked))
    texts = [each.text for each in days.report().suspensions if each.type == "ReinstateAccount"]
    assert texts == [
        "rob reinstates alpha: because I say; nothing came of it: the account was not suspended",
        "rob reinstates alpha: because I say; refused: it stays suspended",
        "rob reinstates alpha: because I say; reinstated",
    ]


def test_exposure_is_that_at_the_end_in_the_accounts_currency() -> None:
    days = Days()
    days.mark("EURUSD", "1.1")
    days.hold("EURUSD", BUY, "10000", "1.1", stop="1.09")
    days.mark("USDJPY", "150")
    days.hold("USDJPY", SELL, "3000", "150")
    euro, yen = days.report().exposures
    assert (euro.instrument, euro.quantity, euro.stop_price, euro.worth) == (
        "EURUSD", Decimal(10000), Decimal("1.09"), Decimal(11000),
    )  # fmt: skip
    assert (yen.quantity, yen.stop_price) == (Decimal(-3000), None)
    assert yen.worth is not None
    assert euro.worth is not None
    assert abs(yen.worth + 3000) < Decimal("0.01")
    report = days.report()
    assert report.gross_exposure == euro.worth - yen.worth
    assert report.exposure_ratio == Decimal("0.14")


def test_what_cannot_be_valued_is_unknown() -> None:
    days = Days()
    days.hold("USDJPY", BUY, "1000", "150")
    days.reports.portfolio.state.marks.clear()
    days.reports.portfolio._equity.clear()
    report = days.report()
    assert (report.closing_equity, report.change, report.gross_exposure, report.exposure_ratio) == (None,) * 4
    assert (report.exposures[0].worth, report.unrealised) == (None, None)


def test_a_log_gives_the_same_reports(tmp_path: Path) -> None:
    days = Days()
    days.hold("EURUSD", BUY, "10000", "1.1", stop="1.09")
    days.pass_seconds(TO_MIDNIGHT)
    days.mark("EURUSD", "1.105")
    log = SqliteEventLog(tmp_path / "events.sqlite")
    log.append(
        [
            Entry(each.message_id, each.correlation_id, type(each).__name__, each.occurred_at_ns, m.encode(each))
            for each in days.told
        ],
        1,
    )
    assert DailyReports.of(log).all() == days.reports.all()
    log.close()


def test_market_data_and_the_passing_of_time_end_no_day() -> None:
    days = Days()
    days.pass_seconds(TO_MIDNIGHT)
    days.say(m.TimeAdvanced)
    assert len(days.reports.all()) == 1
    assert EURUSD.symbol in {each.symbol for each in days.reports.portfolio.state.instruments.values()}
