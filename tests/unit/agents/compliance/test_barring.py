"""Which entries may not rest: where news or a weekend are nearer than the end of another bar."""

from typing import Any

import msgspec
import pytest

from tests.unit.agents.compliance.court import LENIENT, NO_NEWS, STRICT, Court, book_with, soft
from tests.unit.agents.desk import ALWAYS_OPEN, CONFIG_HASH, START_NS, Desk, make_account, make_instrument
from tmt import messages as m
from tmt.agents.compliance import ComplianceAgent
from tmt.agents.compliance.conduct_rules import Sessions
from tmt.agents.compliance.rule_book import AnyRule
from tmt.agents.compliance.timing_rules import NewsBlackout
from tmt.domain.money import decode_hook
from tmt.domain.news import Impact, NewsCalendar, NewsEvent
from tmt.domain.order import Side
from tmt.domain.session import SessionHours
from tmt.market.bar import Timeframe

SECOND_NS = 10**9
MINUTE = 60
BEGIN = 400  # seconds from 22:13:20 UTC, where the desk of these tests begins, to the figures at 22:20
NOON = 49_600  # and to noon of the next day
WEEKLY = SessionHours(time_zone="UTC", open=("mon 00:00 - fri 21:00",), day_starts_at="00:00")
FRIDAY_20_30 = 253_000  # seconds from the beginning
FLAT = Sessions(id="week", hard=True, flat_before_weekly_close_minutes=30)


def blackout(before: int = 2, after: int = 3, **changes: Any) -> NewsBlackout:
    rule: dict[str, Any] = {"id": "figures", "hard": True, "impacts": (Impact.HIGH,), **changes}
    return NewsBlackout(minutes_before=before, minutes_after=after, **rule)


def figures(*currencies: str, impact: Impact = Impact.HIGH, at: str = "2023-11-14 22:20 UTC") -> NewsCalendar:
    return NewsCalendar(
        events=tuple(NewsEvent(at=at, currency=each, impact=impact, title="figures") for each in currencies)
    )


def court_with(*rules: AnyRule, news: NewsCalendar | None = None, **fields: Any) -> Court:
    return Court(book_with(*rules), news=figures("EUR") if news is None else news, **fields)


def works(court: Court, symbol: str = "EURUSD", **fields: Any) -> None:
    court.work(symbol, Side.BUY, "1000", "1.1", stop="1.09", limit="1.1", **fields)


def at(court: Court, second: int, symbol: str = "EURUSD", timeframe: Timeframe = Timeframe.M1) -> list[m.EntriesBarred]:
    """A bar's end, so many seconds from the beginning; what was barred by it."""
    court.desk.now_ns = START_NS + second * SECOND_NS
    said = court.tell(court.desk.bar(symbol, "1.1", timeframe=timeframe))
    return [each for each in said if isinstance(each, m.EntriesBarred)]


# News


@pytest.mark.parametrize(
    ("second", "barred"),
    [
        (BEGIN - 3 * MINUTE - 1, False),
        (BEGIN - 3 * MINUTE, True),  # the next bar ends as the blackout begins
        (BEGIN - 3 * MINUTE + 1, True),
        (BEGIN, True),
        (BEGIN + 3 * MINUTE - 1, True),
        (BEGIN + 3 * MINUTE, False),
    ],
)
def test_entries_are_barred_from_one_bar_before_the_blackout_to_its_end(second: int, barred: bool) -> None:
    court = court_with(blackout())
    works(court)
    found = at(court, second)
    assert [(each.account, each.instrument, each.rule) for each in found] == [("alpha", "EURUSD", "figures")] * barred
    begins_ns = START_NS + (BEGIN - 2 * MINUTE) * SECOND_NS
    assert [each.from_ns for each in found] == [begins_ns] * barred


def test_a_nanosecond_earlier_leaves_time_for_another_bar() -> None:
    court = court_with(blackout())
    works(court)
    court.desk.now_ns += (BEGIN - 3 * MINUTE) * SECOND_NS - 1
    assert court.tell(court.desk.mark("EURUSD", "1.1")) == []
    court.desk.now_ns += 1
    assert len(court.tell(court.desk.mark("EURUSD", "1.1"))) == 1


@pytest.mark.parametrize(
    ("before", "after", "second", "barred"),
    [
        (0, 0, BEGIN - MINUTE, False),
        (0, 0, BEGIN, False),
        (0, 3, BEGIN - MINUTE - 1, False),
        (0, 3, BEGIN - MINUTE, True),
        (2, 0, BEGIN - 1, True),
        (2, 0, BEGIN, False),
    ],
)
def test_a_blackout_may_have_one_side_or_none(before: int, after: int, second: int, barred: bool) -> None:
    court = court_with(blackout(before, after))
    works(court)
    assert bool(at(court, second)) is barred


@pytest.mark.parametrize(
    ("currency", "impact", "barred"),
    [
        ("EUR", Impact.HIGH, True),
        ("USD", Impact.HIGH, True),
        ("GBP", Impact.HIGH, False),
        ("EUR", Impact.MEDIUM, False),
    ],
)
def test_only_events_that_the_rule_is_about_bar(currency: str, impact: Impact, barred: bool) -> None:
    court = court_with(blackout(), news=figures(currency, impact=impact))
    works(court)
    assert bool(at(court, BEGIN)) is barred


# The weekly close


def before_the_weekend(*rules: AnyRule) -> Court:
    instruments = (
        make_instrument("EURUSD", "EUR", "USD", session=WEEKLY),
        make_instrument("GBPUSD", "GBP", "USD", session=ALWAYS_OPEN),
    )
    court = court_with(*rules, news=NO_NEWS, desk=Desk(instruments=instruments))
    for symbol in ("EURUSD", "GBPUSD"):
        works(court, symbol)
    return court


@pytest.mark.parametrize(
    ("second", "barred"),
    [(-MINUTE - 1, False), (-MINUTE, True), (0, True), (30 * MINUTE - 1, True), (30 * MINUTE, True)],
)
def test_entries_are_barred_from_one_bar_before_the_last_minutes_of_a_week(second: int, barred: bool) -> None:
    court = before_the_weekend(FLAT)
    found = at(court, FRIDAY_20_30 + second)
    assert [(each.instrument, each.rule) for each in found] == [("EURUSD", "week")] * barred
    if barred and second < 30 * MINUTE:
        assert [each.from_ns - START_NS for each in found] == [FRIDAY_20_30 * SECOND_NS]


def test_what_never_closes_is_never_barred_for_a_weekend() -> None:
    court = before_the_weekend(FLAT)
    assert at(court, FRIDAY_20_30, "GBPUSD") == []


def test_a_book_that_holds_over_weekends_lets_entries_rest_over_them() -> None:
    court = before_the_weekend(msgspec.structs.replace(FLAT, flat_before_weekly_close_minutes=0))
    for second in (FRIDAY_20_30, FRIDAY_20_30 + 29 * MINUTE, FRIDAY_20_30 + 30 * MINUTE):
        assert at(court, second) == []


def test_one_minute_is_enough_to_bar() -> None:
    court = before_the_weekend(msgspec.structs.replace(FLAT, flat_before_weekly_close_minutes=1))
    assert at(court, FRIDAY_20_30 + 28 * MINUTE - 1) == []
    assert len(at(court, FRIDAY_20_30 + 28 * MINUTE)) == 1


# Bars


@pytest.mark.parametrize(("timeframe", "minutes"), [(Timeframe.M5, 5), (Timeframe.H1, 60)])
def test_longer_bars_look_further_ahead(timeframe: Timeframe, minutes: int) -> None:
    court = court_with(blackout(), news=figures("GBP", at="2023-11-15 12:00 UTC"))
    works(court, "GBPUSD")  # no bar of GBPUSD has been heard
    last = NOON - (2 + minutes) * MINUTE
    assert at(court, last - 1, "GBPUSD", timeframe) == []
    assert len(at(court, last, "GBPUSD", timeframe)) == 1


def test_only_the_shortest_bars_of_an_instrument_count() -> None:
    court = court_with(blackout())
    works(court)
    assert at(court, BEGIN - 4 * MINUTE, timeframe=Timeframe.M5) == []
    assert at(court, BEGIN, timeframe=Timeframe.H1) == []
    assert len(at(court, BEGIN)) == 1
    assert len(at(court, BEGIN, timeframe=Timeframe.S1)) == 1, "shorter ones from now on"
    assert at(court, BEGIN) == []
    known = court.agent.state.timeframes
    assert known == {"EURUSD": Timeframe.S1}
    at(court, BEGIN, timeframe=Timeframe.S1)
    assert court.agent.state.timeframes is known


def test_each_instrument_has_its_own_bars() -> None:
    court = court_with(blackout(), news=figures("USD"))
    court.desk.mark("GBPUSD", "1.2")  # the desk knows a price, the gate heard no bar
    works(court, "GBPUSD")
    works(court)
    assert [each.instrument for each in at(court, BEGIN, "GBPUSD", Timeframe.H1)] == ["GBPUSD"]
    assert [each.instrument for each in at(court, BEGIN)] == ["EURUSD"]


def test_fills_bar_nothing() -> None:
    court = court_with(blackout())
    works(court)
    court.desk.pass_seconds(BEGIN)
    filled = court.desk.hold("EURUSD", Side.BUY, "1000", "1.1", stop="1.09")
    assert not [each for each in court.tell(filled) if isinstance(each, m.EntriesBarred)]


# Whose entries


def test_without_working_entries_there_is_nothing_to_say() -> None:
    court = court_with(blackout(), news=figures("EUR", "USD"))
    court.desk.hold("EURUSD", Side.BUY, "1000", "1.1", stop="1.09")
    court.work("EURUSD", Side.SELL, "1000", "1.2", stop=None, limit="1.2", reduce_only=True)
    works(court, "GBPUSD")
    assert at(court, BEGIN) == []


def test_entries_that_still_work_at_the_next_bar_are_barred_again() -> None:
    court = court_with(blackout())
    works(court)
    first, second = at(court, BEGIN - MINUTE), at(court, BEGIN)
    assert len(first) == len(second) == 1
    assert first[0].message_id != second[0].message_id
    for each in list(court.desk.portfolio.working()):
        court.desk.portfolio.state.working.pop(each.order.order_id)
    assert at(court, BEGIN + 1) == []


def four_accounts() -> list[m.EntriesBarred]:
    names = ("alpha", "beta", "delta", "gamma")
    books = {"beta": "other", "gamma": "absent"}
    desk = Desk(*(make_account(each, rule_book=books.get(each, "default")) for each in names))
    court = court_with(blackout(), FLAT, desk=desk)
    for name in names:
        works(court, account=name)
    return at(court, BEGIN)


def test_every_account_is_barred_by_its_own_book() -> None:
    found = four_accounts()
    assert [each.account for each in found] == ["alpha", "delta"], "the other books are absent"
    assert len({each.message_id for each in found}) == 2


@pytest.mark.parametrize(("rules", "first"), [(("a", "b"), "a"), (("b", "a"), "b")])
def test_one_rule_is_named_where_several_bar(rules: tuple[str, ...], first: str) -> None:
    court = court_with(*(blackout(id=name) for name in rules))
    works(court)
    assert [each.rule for each in at(court, BEGIN)] == [first]


def test_a_rule_that_bars_nothing_does_not_hide_the_next() -> None:
    court = court_with(FLAT, blackout())
    works(court)
    assert [each.rule for each in at(court, BEGIN)] == ["figures"]


@pytest.mark.parametrize(
    ("hard", "config", "barred"),
    [(True, STRICT, True), (True, LENIENT, True), (False, STRICT, True), (False, LENIENT, False)],
)
def test_a_rule_that_only_warns_bars_nothing(hard: bool, config: Any, barred: bool) -> None:
    rule = blackout() if hard else soft(blackout())
    court = court_with(rule, config=config)
    works(court)
    assert bool(at(court, BEGIN)) is barred


def test_an_instrument_that_nobody_knows_bars_nothing() -> None:
    court = court_with(blackout())
    works(court)
    court.desk.portfolio.state.instruments.pop("EURUSD")
    assert at(court, BEGIN) == []


def test_bars_are_remembered_through_a_snapshot() -> None:
    court = court_with(blackout())
    works(court)
    raw = msgspec.json.encode(court.agent.state)
    restored = ComplianceAgent(STRICT, court.desk.portfolio, CONFIG_HASH, {"default": book_with(blackout())}, NO_NEWS)
    restored.state = msgspec.json.decode(raw, type=type(court.agent.state), dec_hook=decode_hook)
    assert restored.state == court.agent.state
    assert restored.state.timeframes == {"EURUSD": Timeframe.M1}


def test_it_says_who_caused_it_and_when() -> None:
    court = court_with(blackout())
    works(court)
    court.desk.pass_seconds(BEGIN)
    closed = court.desk.mark("EURUSD", "1.1")
    [barred] = court.tell(closed)
    assert (barred.causation_id, barred.source) == (closed.message_id, "compliance")
    assert barred.occurred_at_ns == closed.bar.end_ns
