"""Is the whole waterfall as it should be: every rule's id, measure, limit, unit, outcome, bound and quantity?"""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from tests.unit.agents.compliance.court import LENIENT, STRICT, Court
from tests.unit.agents.desk import Desk, make_account
from tmt import messages as m
from tmt.agents.compliance import ComplianceConfig, RuleBook
from tmt.agents.compliance.conduct_rules import (
    MandatoryStop,
    NoHedging,
    OrderRate,
    PermittedPersons,
    PriceCollar,
    PriceDrift,
    RestrictedInstruments,
    SelfCrossing,
    Sessions,
)
from tmt.agents.compliance.config import StrategyLimits
from tmt.agents.compliance.rules import (
    DailyLoss,
    Drawdown,
    DrawdownFrom,
    Leverage,
    OrderNotionalMax,
    OrderQuantityMax,
    PositionSizeMax,
    PositionsMax,
    RiskPerTrade,
)
from tmt.agents.compliance.timing_rules import MinimumHold, NewsBlackout
from tmt.domain.news import Impact, NewsCalendar, NewsEvent
from tmt.domain.order import Side

BUY, SELL = Side.BUY, Side.SELL
LIMITS = StrategyLimits(
    instruments_max=8,
    order_notional_max=Decimal(500_000),
    orders_per_day_max=90,
    positions_max=7,
    venues_max=2,
)


def some(part: str) -> Decimal:
    return Decimal(part)


def book_of_all(*, hard: bool, tight: bool) -> RuleBook:
    """Every kind of rule once; the tight ones leave no room for anything, beside four wide and hard ones."""
    common: dict[str, Any] = {"hard": hard}
    least = some("0.00001")
    rules = (
        RestrictedInstruments(id="banned", instruments=("EURUSD",) if tight else ("SPY",), **common),
        Sessions(id="week", flat_before_weekly_close_minutes=5, **common),
        NewsBlackout(id="news", minutes_before=9, minutes_after=9, impacts=(Impact.HIGH,), **common),
        MandatoryStop(id="stop", **common),
        PriceCollar(id="collar", quote_fraction_max=least if tight else some("0.05"), **common),
        PriceDrift(id="drift", minutes=1, fraction_max=least if tight else some("0.04"), **common),
        SelfCrossing(id="cross", **common),
        NoHedging(id="hedge", **common),
        MinimumHold(id="hold", seconds=3600, **common),
        PermittedPersons(id="who", persons=("bob",) if tight else ("ann",), **common),
        OrderRate(id="rate", per_minute_max=1 if tight else 6, **common),
        OrderQuantityMax(id="lots", lots_max=1 if tight else 30, **common),
        OrderNotionalMax(id="value", amount_max=Decimal(1 if tight else 30_000), **common),
        PositionsMax(id="many", count_max=1 if tight else 4, **common),
        RiskPerTrade(id="risk", equity_fraction_max=least if tight else some("0.03"), **common),
        PositionSizeMax(id="size", equity_ratio_max=least if tight else Decimal(2), **common),
        Leverage(id="gear", equity_ratio_max=least if tight else Decimal(3), **common),
        DailyLoss(id="day", loss_fraction_max=least if tight else some("0.02"), **common),
        Drawdown(
            id="fall",
            measured_from=DrawdownFrom.DEPOSIT,
            loss_fraction_max=least if tight else some("0.06"),
            **common,
        ),
    )
    wide = (
        DailyLoss(id="wide-day", hard=True, loss_fraction_max=Decimal(1)),
        Drawdown(id="wide-fall", hard=True, loss_fraction_max=Decimal(1), measured_from=DrawdownFrom.PEAK),
        RiskPerTrade(id="wide-risk", hard=True, equity_fraction_max=Decimal(1)),
        Leverage(id="wide-gear", hard=True, equity_ratio_max=Decimal(9)),
    )
    return RuleBook(name="default", version=4, rules=(*rules, *(wide if tight else ())))


def court_of(book: RuleBook, config: ComplianceConfig, news: NewsCalendar) -> Court:
    """10,000 GBPUSD are held with 100 at risk, 5,000 EURUSD worked with 25, and EURUSD rose from 1.1 to 1.1011."""
    config = msgspec.structs.replace(config, strategies={"wyckoff": LIMITS})
    beta = msgspec.structs.replace(make_account("beta"), venue="elsewhere")
    court = Court(book, desk=Desk(make_account("alpha"), beta), config=config, news=news)
    court.desk.hold("GBPUSD", BUY, "10000", "1.25", stop="1.24")
    court.desk.pass_seconds(60)
    court.agent.handle(court.desk.mark("EURUSD", "1.1010", "1.1011"))
    court.work("EURUSD", BUY, "5000", "1.1011", stop="1.0900", limit="1.0950")
    return court


Row = tuple[str, str, str, str, str, bool]


def rows(answer: m.Message) -> list[Row]:
    assert isinstance(answer, m.OrderDenied | m.ComplianceApproved)
    assert {check.quantity_after for check in answer.checks} == {Decimal(20_000)}
    return [
        (
            check.rule.removeprefix("compliance."),
            f"{check.measured.normalize():f}",
            f"{check.limit.normalize():f}",
            check.unit,
            check.outcome,
            check.at_least,
        )
        for check in answer.checks
    ]


BEFORE_THE_BOOK: list[Row] = [
    ("approval_expired", "0", "30", "seconds", "pass", False),
    ("account_suspended", "0", "0", "count", "pass", False),
    ("strategy_order_notional", "21960", "500000", "USD", "pass", False),
    ("strategy_orders", "1", "90", "count", "pass", False),
    ("strategy_instruments", "2", "8", "count", "pass", False),
    ("strategy_positions", "2", "7", "count", "pass", False),
    ("strategy_venues", "1", "2", "count", "pass", False),
]


@pytest.mark.parametrize("hard", [True, False])
@pytest.mark.parametrize("config", [STRICT, LENIENT])
def test_the_waterfall_of_an_order_that_keeps_every_rule(hard: bool, config: ComplianceConfig) -> None:
    book = book_of_all(hard=True, tight=False)
    softened = {"banned", "week", "rate", "size", "value", "cross"}  # no book may lack the others as hard ones
    if not hard:
        rules = (msgspec.structs.replace(rule, hard=rule.id not in softened) for rule in book.rules)
        book = msgspec.structs.replace(book, rules=tuple(rules))
    answer = court_of(book, config, NewsCalendar(events=())).buy("20000", limit="1.0980")
    assert rows(answer) == [
        *BEFORE_THE_BOOK,
        ("banned", "0", "0", "count", "pass", False),
        ("week", "1", "1", "count", "pass", True),
        ("news", "0", "0", "count", "pass", False),
        ("stop", "1", "1", "count", "pass", True),
        ("collar", "0.002815", "0.05", "fraction", "pass", False),  # 1.0980 of 1.1011
        ("drift", "0.001", "0.04", "fraction", "pass", False),
        ("cross", "0", "0", "units", "pass", False),
        ("hedge", "0", "0", "units", "pass", False),
        ("hold", "0", "0", "seconds", "pass", True),
        ("who", "1", "1", "count", "pass", True),
        ("rate", "1", "6", "count", "pass", False),
        ("lots", "20", "30", "lots", "pass", False),
        ("value", "21960", "30000", "USD", "pass", False),
        ("many", "2", "4", "count", "pass", False),
        ("risk", "0.0016", "0.03", "fraction", "pass", False),
        ("size", "0.275275", "2", "ratio", "pass", False),  # 25,000 at the ask
        ("gear", "0.400275", "3", "ratio", "pass", False),
        ("day", "0.00285", "0.02", "fraction", "pass", False),  # 160, and 100, and 25
        ("fall", "0.00285", "0.06", "fraction", "pass", False),
    ]
    assert isinstance(answer, m.ComplianceApproved)
    assert answer.expires_at_ns == answer.occurred_at_ns + 30 * 10**9


NEWS = NewsCalendar(events=(NewsEvent(at="2023-11-14 22:20 UTC", currency="USD", impact=Impact.HIGH, title="rates"),))


def breaching(config: ComplianceConfig) -> m.Message:
    """An order that is against a young position, crosses an own order, and much more."""
    court = court_of(book_of_all(hard=False, tight=True), config, NEWS)
    court.desk.hold("EURUSD", SELL, "7000", "1.1011", stop="1.1100")
    court.work("EURUSD", SELL, "3000", "1.1011", stop="1.1100", limit="1.0960")
    return court.buy("20000", limit="1.0980", stop_loss=None)


def test_the_waterfall_of_an_order_that_breaks_every_soft_rule_in_lenient_mode() -> None:
    answer = breaching(LENIENT)
    assert isinstance(answer, m.ComplianceApproved)
    assert rows(answer) == [
        *BEFORE_THE_BOOK,
        ("banned", "1", "0", "count", "warn", False),
        ("week", "1", "1", "count", "pass", True),
        ("news", "1", "0", "count", "warn", False),
        ("stop", "0", "1", "count", "warn", True),
        ("collar", "0.002815", "0.00001", "fraction", "warn", False),
        ("drift", "0.001", "0.00001", "fraction", "warn", False),
        ("cross", "3000", "0", "units", "warn", False),
        ("hedge", "10000", "0", "units", "warn", False),
        ("hold", "0", "3600", "seconds", "warn", True),
        ("who", "0", "1", "count", "warn", True),
        ("rate", "1", "1", "count", "pass", False),
        ("lots", "20", "1", "lots", "warn", False),
        ("value", "21960", "1", "USD", "warn", False),
        ("many", "2", "1", "count", "warn", False),
        ("risk", "0.2196", "0.00001", "fraction", "warn", False),  # 20,000 lose 1.0980 each
        ("size", "0.275275", "0.00001", "ratio", "warn", False),
        ("gear", "0.400275", "0.00001", "ratio", "warn", False),
        ("day", "0.221893", "0.00001", "fraction", "warn", False),  # 21,960, 100, 62.3, 25, and 42
        ("fall", "0.221893", "0.00001", "fraction", "warn", False),
        ("wide-day", "0.221893", "1", "fraction", "pass", False),
        ("wide-fall", "0.221893", "1", "fraction", "pass", False),
        ("wide-risk", "0.2196", "1", "fraction", "pass", False),
        ("wide-gear", "0.400275", "9", "ratio", "pass", False),
    ]


def test_strict_mode_refuses_at_the_first_soft_rule_that_is_broken() -> None:
    answer = breaching(STRICT)
    assert isinstance(answer, m.OrderDenied)
    assert rows(answer) == [*BEFORE_THE_BOOK, ("banned", "1", "0", "count", "deny", False)]
    assert (answer.gate, answer.reason, answer.unit) == ("compliance", "banned", "count")
    assert (answer.account, answer.instrument, answer.side) == ("alpha", "EURUSD", BUY)
    assert (int(answer.measured), int(answer.limit), int(answer.quantity)) == (1, 0, 20_000)
    assert (answer.rule_book, answer.rule_book_version) == ("default", 4)
    assert answer.detail == "EURUSD is restricted"
