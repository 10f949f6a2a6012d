"""Do the rules about news, minimum hold and calendars pass at their bounds and refuse a step within?"""

from typing import Any

import msgspec
import pytest

from tests.unit.agents.compliance.court import LENIENT, STRICT, Court, book_with, reason
from tests.unit.agents.desk import ALWAYS_OPEN, Desk, make_instrument, make_quote
from tmt import messages as m
from tmt.agents.compliance.conduct_rules import Sessions
from tmt.agents.compliance.timing_rules import MinimumHold, NewsBlackout
from tmt.domain.news import Impact, NewsCalendar, NewsEvent
from tmt.domain.order import Side

# The desk's clock starts on Tuesday 2023-11-14 at 22:13:20 UTC.
NEWS_AT = "2023-11-14 23:00 UTC"
TO_NEWS = 46 * 60 + 40
NEWS = NewsCalendar(
    events=(NewsEvent(at=NEWS_AT, currency="USD", impact=Impact.HIGH, title="rate decision"),),
)


def blackout(before: int, after: int, *impacts: Impact) -> NewsBlackout:
    return NewsBlackout(id="news", hard=True, minutes_before=before, minutes_after=after, impacts=impacts)


def near_news(rule: NewsBlackout, seconds: int) -> Court:
    """A court `seconds` after the event, or before it when negative."""
    court = Court(book_with(rule), news=NEWS)
    court.desk.pass_seconds(TO_NEWS + seconds)
    return court


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (-601, "approved"),
        (-600, "approved"),
        (-599, "news"),
        (0, "news"),
        (299, "news"),
        (300, "approved"),
        (301, "approved"),
    ],
)
def test_nothing_opens_on_either_side_of_news(seconds: int, expected: str) -> None:
    assert reason(near_news(blackout(10, 5, Impact.HIGH), seconds).buy("1000")) == expected


@pytest.mark.parametrize(("symbol", "expected"), [("EURUSD", "news"), ("USDJPY", "news"), ("SPY", "news")])
def test_news_moves_what_has_its_currency_as_base_or_quote(symbol: str, expected: str) -> None:
    court = near_news(blackout(10, 5, Impact.HIGH), 0)
    court.desk.mark("USDJPY", "150")
    stop = {"EURUSD": "1.09", "USDJPY": "149", "SPY": "449"}[symbol]
    price = {"EURUSD": "1.1", "USDJPY": "150", "SPY": "450"}[symbol]
    assert reason(court.order(symbol, Side.BUY, "1000", quote=make_quote(price), stop_loss=stop)) == expected


def test_news_of_another_currency_or_impact_does_not_matter() -> None:
    euro = msgspec.structs.replace(NEWS.events[0], currency="GBP")
    court = Court(book_with(blackout(10, 5, Impact.HIGH)), news=NewsCalendar(events=(euro,)))
    court.desk.pass_seconds(TO_NEWS)
    assert reason(court.buy("1000")) == "approved"
    assert reason(near_news(blackout(10, 5, Impact.LOW, Impact.MEDIUM), 0).buy("1000")) == "approved"
    assert reason(near_news(blackout(0, 0, Impact.HIGH), 0).buy("1000")) == "approved"


def test_a_denial_says_which_news() -> None:
    answer = near_news(blackout(10, 5, Impact.HIGH), 0).buy("1000")
    assert isinstance(answer, m.OrderDenied)
    assert (int(answer.measured), int(answer.limit), answer.unit) == (1, 0, "count")
    assert answer.detail == f"rate decision of USD is at {NEWS_AT}"


def test_closing_is_possible_amid_news() -> None:
    court = near_news(blackout(10, 5, Impact.HIGH), 0)
    court.desk.hold("EURUSD", Side.BUY, "1000", "1.1")
    assert reason(court.order("EURUSD", Side.SELL, "1000", reduce_only=True)) == "approved"


@pytest.mark.parametrize(("before", "after"), [(-1, 0), (0, -1), (1441, 0), (0, 1441)])
def test_a_blackout_is_bounded(before: int, after: int) -> None:
    with pytest.raises(ValueError, match=r"minutes_before|minutes_after"):
        blackout(before, after)


def test_a_blackout_may_last_a_day_on_both_sides() -> None:
    assert blackout(1440, 1440).minutes_after == 1440
    assert blackout(0, 0).minutes_before == 0


# Minimum hold: a trip of 60 seconds at least.

HOLD = MinimumHold(id="hold", hard=True, seconds=60)


def after_opening(seconds: int) -> Court:
    court = Court(book_with(HOLD))
    court.desk.hold("EURUSD", Side.BUY, "1000", "1.1", stop="1.09")
    court.desk.pass_seconds(seconds)
    court.desk.mark("EURUSD", "1.0999", "1.1000")
    return court


@pytest.mark.parametrize(("seconds", "expected"), [(0, "hold"), (59, "hold"), (60, "approved"), (61, "approved")])
def test_an_order_against_a_young_position_is_refused(seconds: int, expected: str) -> None:
    assert reason(after_opening(seconds).order("EURUSD", Side.SELL, "1000", stop_loss="1.12")) == expected


@pytest.mark.parametrize(("seconds", "expected"), [(0, "hold"), (59, "hold"), (60, "approved"), (61, "approved")])
@pytest.mark.parametrize("side", [Side.BUY, Side.SELL])
def test_coming_back_is_refused_until_the_last_trip_is_old_enough(side: Side, seconds: int, expected: str) -> None:
    court = after_opening(0)
    court.desk.hold("EURUSD", Side.SELL, "1000", "1.1")
    court.desk.pass_seconds(seconds)
    stop = "1.09" if side is Side.BUY else "1.12"
    assert reason(court.order("EURUSD", side, "1000", stop_loss=stop)) == expected


def test_adding_to_a_young_position_and_closing_it_are_free() -> None:
    court = after_opening(1)
    assert reason(court.buy("1000")) == "approved"
    assert reason(court.order("EURUSD", Side.SELL, "1000", reduce_only=True)) == "approved"


def test_the_trip_under_way_counts_and_not_the_one_before() -> None:
    court = after_opening(100)
    court.desk.hold("EURUSD", Side.SELL, "1000", "1.1")  # that trip is old
    court.desk.hold("EURUSD", Side.BUY, "1000", "1.1", stop="1.09")  # this one is young
    assert reason(court.order("EURUSD", Side.SELL, "1000", stop_loss="1.12")) == "hold"
    assert reason(court.buy("1000")) == "approved"


def test_other_instruments_and_accounts_are_free() -> None:
    court = after_opening(0)
    assert reason(court.order("GBPUSD", Side.BUY, "1000", quote=make_quote("1.25"), stop_loss="1.24")) == "approved"


def test_a_denial_says_how_old_the_trip_is() -> None:
    answer = after_opening(12).order("EURUSD", Side.SELL, "1000", stop_loss="1.12")
    assert isinstance(answer, m.OrderDenied)
    assert answer.detail == "a trip in EURUSD began 12 seconds ago, at least 60"
    assert (int(answer.measured), int(answer.limit), answer.unit) == (12, 60, "seconds")
    assert answer.checks[-1].at_least


@pytest.mark.parametrize(
    ("seconds", "side", "measured", "limit"),
    [
        (61, Side.SELL, 61, 60),
        (60, Side.SELL, 60, 60),
        (1, Side.BUY, 0, 0),
    ],
)
def test_a_hold_that_is_kept_says_how_old_the_trip_is_and_nothing_when_none_counts(
    seconds: int, side: Side, measured: int, limit: int
) -> None:
    stop = "1.09" if side is Side.BUY else "1.12"
    answer = after_opening(seconds).order("EURUSD", side, "1000", stop_loss=stop)
    assert isinstance(answer, m.ComplianceApproved)
    [check] = [each for each in answer.checks if each.rule == "compliance.hold"]
    assert (int(check.measured), int(check.limit), check.unit, check.at_least) == (measured, limit, "seconds", True)


@pytest.mark.parametrize("seconds", [0, 86_401])
def test_a_hold_is_bounded(seconds: int) -> None:
    with pytest.raises(ValueError, match="seconds"):
        MinimumHold(id="hold", hard=True, seconds=seconds)


def test_a_hold_may_be_a_second_or_a_day() -> None:
    for seconds in (1, 86_400):
        assert MinimumHold(id="hold", hard=True, seconds=seconds).seconds == seconds


# Sessions in calendars.


def in_calendar(first: str, last: str, *, lenient: bool = False, **rule: Any) -> Court:
    session = msgspec.structs.replace(ALWAYS_OPEN, calendar="FX", calendar_first=first, calendar_last=last)
    eurusd = make_instrument("EURUSD", "EUR", "USD", session=session)
    fields: dict[str, Any] = {"id": "week", "hard": True, "flat_before_weekly_close_minutes": 0, **rule}
    book = book_with(Sessions(**fields))
    return Court(book, desk=Desk(instruments=(eurusd,)), config=LENIENT if lenient else STRICT)


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        ("2023-11-14", "2023-11-14", "approved"),
        ("2023-11-15", "2023-11-20", "calendar_ended"),
        ("2023-11-01", "2023-11-13", "calendar_ended"),
        ("", "", "calendar_ended"),
    ],
)
@pytest.mark.parametrize("lenient", [False, True])
def test_a_day_that_the_calendar_does_not_know_is_refused(first: str, last: str, expected: str, lenient: bool) -> None:
    assert reason(in_calendar(first, last, lenient=lenient, hard=False).buy("1000")) == expected


def test_a_denial_names_the_calendar() -> None:
    answer = in_calendar("2023-11-01", "2023-11-13").buy("1000")
    assert isinstance(answer, m.OrderDenied)
    assert answer.detail == "calendar FX does not know this day: it ends on 2023-11-13"


def test_nothing_opens_before_the_end_of_the_calendar() -> None:
    court = in_calendar("2023-11-14", "2023-11-14", flat_before_weekly_close_minutes=60)
    court.desk.pass_seconds(2799)  # 22:59:59
    assert reason(court.buy("1000")) == "approved"
    court.desk.pass_seconds(1)
    assert reason(court.buy("1000")) == "week"
