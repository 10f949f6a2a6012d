"""Do the shipped rule books keep their versions, and does each kind of rule refuse and warn as its mode says?"""

from decimal import Decimal
from hashlib import blake2b
from importlib import resources
from typing import Any

import msgspec
import pytest
import yaml

from tests.unit.agents.compliance.court import LENIENT, STRICT, Court, book_with, reason
from tests.unit.agents.desk import make_quote
from tmt import messages as m
from tmt.agents.compliance import RuleBook
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
from tmt.agents.compliance.rule_book import AnyRule
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
from tmt.domain.money import decode_hook
from tmt.domain.news import Impact, NewsCalendar, NewsEvent
from tmt.domain.order import Side
from tmt.sections import load_config

HASHES = {
    ("closing-drawdown", 1): "d1933a5d3bfd3b07",
    ("default", 2): "ed847e90c94b674e",
    ("fifo-no-hedging", 2): "b29e6e1ead265450",
    ("static-drawdown", 2): "929c7b4b98de63f4",
    ("trailing-drawdown", 2): "94ff2462f7f658ed",
}
"""A book that changes takes the next version and a new row here; rows of versions that were shipped stay."""


def shipped() -> dict[str, RuleBook]:
    books: dict[str, RuleBook] = load_config(None).sections["rule_books"]
    return books


def content_hash(name: str) -> str:
    """Of what the file says, comments and spelling aside."""
    text = (resources.files("tmt") / "defaults" / "rule_books" / f"{name}.yml").read_text("utf-8")
    content = yaml.load(text, Loader=yaml.BaseLoader)
    return blake2b(msgspec.json.encode(content, order="sorted"), digest_size=8).hexdigest()


def test_a_shipped_book_that_changes_takes_a_new_version() -> None:
    for name, book in shipped().items():
        assert HASHES.get((name, book.version)) == content_hash(name), (name, book.version, content_hash(name))
        assert book.version == max(version for known, version in HASHES if known == name)


def test_what_each_shipped_book_is_for() -> None:
    books = shipped()
    kinds = {name: {type(rule): rule for rule in book.rules} for name, book in books.items()}
    falls: dict[str, Any] = {name: kinds[name][Drawdown] for name in books}
    assert {name: (fall.measured_from, fall.locks_at_deposit) for name, fall in falls.items()} == {
        "default": (DrawdownFrom.PEAK, False),
        "static-drawdown": (DrawdownFrom.DEPOSIT, False),
        "trailing-drawdown": (DrawdownFrom.PEAK, False),
        "closing-drawdown": (DrawdownFrom.CLOSING_PEAK, True),
        "fifo-no-hedging": (DrawdownFrom.DEPOSIT, False),
    }
    assert {name for name in books if NoHedging in kinds[name]} == {"fifo-no-hedging"}
    everywhere = {SelfCrossing, OrderNotionalMax, OrderQuantityMax, PriceCollar, PriceDrift, NewsBlackout, Sessions}
    for name in books:
        assert everywhere <= set(kinds[name])
        assert kinds[name][SelfCrossing].hard


# Each kind of rule, with an order of 1,000 EURUSD (risk 10, notional 1,100 of 100,000) that it refuses.
BREACHED: list[AnyRule] = [
    DailyLoss(id="rule", hard=True, loss_fraction_max=Decimal("0.00009")),
    Drawdown(id="rule", hard=True, loss_fraction_max=Decimal("0.00009"), measured_from=DrawdownFrom.DEPOSIT),
    RiskPerTrade(id="rule", hard=True, equity_fraction_max=Decimal("0.00009")),
    Leverage(id="rule", hard=True, equity_ratio_max=Decimal("0.01")),
    PositionSizeMax(id="rule", hard=True, equity_ratio_max=Decimal("0.01")),
    PositionsMax(id="rule", hard=True, count_max=1),
    OrderNotionalMax(id="rule", hard=True, amount_max=Decimal(1099)),
    OrderQuantityMax(id="rule", hard=True, lots_max=1),
    MandatoryStop(id="rule", hard=True),
    Sessions(id="rule", hard=True, flat_before_weekly_close_minutes=0),
    RestrictedInstruments(id="rule", hard=True, instruments=("EURUSD",)),
    PriceCollar(id="rule", hard=True, quote_fraction_max=Decimal("0.01")),
    PriceDrift(id="rule", hard=True, minutes=15, fraction_max=Decimal("0.01")),
    OrderRate(id="rule", hard=True, per_minute_max=1),
    NoHedging(id="rule", hard=True),
    SelfCrossing(id="rule", hard=True),
    PermittedPersons(id="rule", hard=True, persons=("bob",)),
    NewsBlackout(id="rule", hard=True, minutes_before=10, minutes_after=10, impacts=(Impact.HIGH,)),
    MinimumHold(id="rule", hard=True, seconds=60),
]
NEWS = NewsCalendar(
    events=(NewsEvent(at="2023-11-14 22:15 UTC", currency="EUR", impact=Impact.HIGH, title="inflation"),)
)


def breaching(rule: AnyRule, *, lenient: bool) -> m.Message:
    """What the gate says to an order that the rule refuses."""
    court = Court(book_with(rule), config=LENIENT if lenient else STRICT, news=NEWS)
    order: dict[str, Any] = {"quantity": "1000"}
    match rule:
        case OrderQuantityMax():
            order["quantity"] = "2000"
        case MandatoryStop():
            order["stop_loss"] = None
        case PositionsMax() | NoHedging() | MinimumHold():
            symbol = "GBPUSD" if isinstance(rule, PositionsMax) else "EURUSD"
            court.desk.hold(symbol, Side.SELL, "10000", "1.1", stop="1.11")
        case Sessions():
            instruments = court.desk.portfolio.state.instruments
            closed = msgspec.structs.replace(instruments["EURUSD"].session, open=("sat 10:00 - 11:00",))
            instruments["EURUSD"] = msgspec.structs.replace(instruments["EURUSD"], session=closed)
        case PriceCollar():
            order["limit"] = "1.05"
        case PriceDrift():
            court.desk.pass_seconds(60)
            court.agent.handle(court.desk.mark("EURUSD", "1.05"))
            order |= {"quote": make_quote("1.05"), "stop_loss": "1.04"}
        case OrderRate():
            assert reason(court.buy("1000")) == "approved"
        case SelfCrossing():
            court.work("EURUSD", Side.SELL, "1000", "1.1", stop="1.12", limit="1.0995")
        case _:
            pass
    return court.buy(**order)


@pytest.mark.parametrize("rule", BREACHED, ids=lambda rule: type(rule).__name__)
@pytest.mark.parametrize("lenient", [False, True])
def test_a_hard_rule_refuses_in_both_modes(rule: AnyRule, lenient: bool) -> None:
    assert reason(breaching(rule, lenient=lenient)) == "rule"


def test_every_kind_says_its_unit_and_whether_its_limit_is_a_lower_bound() -> None:
    denials = {type(rule): breaching(rule, lenient=False) for rule in BREACHED}
    units = {kind: denial.unit for kind, denial in denials.items() if isinstance(denial, m.OrderDenied)}
    fractions = (DailyLoss, Drawdown, RiskPerTrade, PriceCollar, PriceDrift)
    assert {kind for kind, unit in units.items() if unit == "fraction"} == set(fractions)
    assert {kind for kind, unit in units.items() if unit == "ratio"} == {Leverage, PositionSizeMax}
    assert {kind for kind, unit in units.items() if unit == "units"} == {NoHedging, SelfCrossing}
    assert (units[OrderNotionalMax], units[OrderQuantityMax]) == ("USD", "lots")
    assert list(units.values()).count("count") == len(BREACHED) - 12
    lower = {
        kind for kind, denial in denials.items() if isinstance(denial, m.OrderDenied) and denial.checks[-1].at_least
    }
    assert units[MinimumHold] == "seconds"
    assert lower == {MandatoryStop, Sessions, PermittedPersons, MinimumHold}


DETAILS = {
    DailyLoss: "alpha would be 10.00000000 below 100000, 9.00000 at most",
    Drawdown: "alpha would be 10.00000000 below 100000, 9.00000 at most",
    RiskPerTrade: "10.00000000 USD at risk against an equity of 100000",
    Leverage: "1100.00000000 USD of gross exposure against an equity of 100000",
    PositionSizeMax: "1100.00000000 USD in EURUSD against an equity of 100000",
    PositionsMax: "2 instruments at once: EURUSD, GBPUSD",
    OrderNotionalMax: "its notional is 1100.00000000 USD",
    OrderQuantityMax: "2.000000000000 lots of 1000 at once",
    MandatoryStop: "its stop-loss price is None, which protects nothing",
    Sessions: "EURUSD does not trade now",
    RestrictedInstruments: "EURUSD is restricted",
    PriceCollar: "its price is 0.0500 away from the quote 1.1000",
    PriceDrift: "EURUSD went from 1.1000 to 1.05 within 15 minutes",
    OrderRate: "this would be order 2 within a minute",
    NoHedging: "10000 EURUSD stand against it",
    SelfCrossing: "1000 EURUSD of owner would cross it",
    PermittedPersons: "'ann' may not trade for alpha",
    NewsBlackout: "inflation of EUR is at 2023-11-14 22:15 UTC",
    MinimumHold: "a trip in EURUSD began 0 seconds ago, at least 60",
}


@pytest.mark.parametrize("rule", BREACHED, ids=lambda rule: type(rule).__name__)
def test_a_denial_says_in_a_sentence_what_is_wrong(rule: AnyRule) -> None:
    denial = breaching(rule, lenient=False)
    assert isinstance(denial, m.OrderDenied)
    assert denial.detail == DETAILS[type(rule)]


@pytest.mark.parametrize("rule", BREACHED, ids=lambda rule: type(rule).__name__)
def test_a_soft_rule_refuses_when_strict_and_warns_when_lenient(rule: AnyRule) -> None:
    weak = msgspec.structs.replace(rule, hard=False)
    denial = breaching(weak, lenient=False)
    assert isinstance(denial, m.OrderDenied)
    assert denial.reason == "rule"
    approval = breaching(weak, lenient=True)
    assert isinstance(approval, m.ComplianceApproved)
    [warning] = [check for check in approval.checks if check.rule == "compliance.rule"]
    [refusal] = [check for check in denial.checks if check.rule == "compliance.rule"]
    assert warning == msgspec.structs.replace(refusal, outcome="warn")


@pytest.mark.parametrize("rule", BREACHED, ids=lambda rule: type(rule).__name__)
def test_every_kind_of_rule_is_read_from_a_file(rule: AnyRule) -> None:
    book = book_with(rule)
    assert msgspec.json.decode(msgspec.json.encode(book), type=RuleBook, dec_hook=decode_hook) == book


def test_every_kind_of_rule_is_tested_here() -> None:
    assert {type(rule) for rule in BREACHED} == set(AnyRule.__args__)
