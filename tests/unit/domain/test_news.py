"""Does the news calendar know what comes next, and which moments are too near to a release?"""

from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from tmt.domain.news import Impact, NewsCalendar, NewsEvent
from tmt.domain.session import NANOSECONDS_PER_SECOND
from tmt.errors import ConfigError
from tmt.sections import load_config

MINUTE_NS = 60 * NANOSECONDS_PER_SECOND
ALL = tuple(Impact)


def event(at: str, currency: str = "USD", impact: Impact = Impact.HIGH, title: str = "payrolls") -> NewsEvent:
    return NewsEvent(at=at, currency=currency, impact=impact, title=title)


def utc_ns(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * NANOSECONDS_PER_SECOND


@pytest.mark.parametrize(
    ("at", "utc"),
    [
        ("2024-01-05 08:30 America/New_York", "2024-01-05T13:30"),
        ("2024-07-05 08:30 America/New_York", "2024-07-05T12:30"),
        ("2024-07-05 08:30 UTC", "2024-07-05T08:30"),
        ("2024-07-05 08:30 -05:00", "2024-07-05T13:30"),
        ("2024-07-05 08:30 +05:30", "2024-07-05T03:00"),
        ("2024-11-03 01:30 -05:00", "2024-11-03T06:30"),
        ("2024-11-03 00:59 America/New_York", "2024-11-03T04:59"),
        ("2024-11-03 02:00 America/New_York", "2024-11-03T07:00"),
    ],
)
def test_a_release_has_the_time_of_its_zone(at: str, utc: str) -> None:
    assert event(at).time_ns == utc_ns(utc)


@pytest.mark.parametrize(
    "at",
    [
        "2024-01-05 08:30",
        "2024-01-05 08:30:00 UTC",
        "2024-01-05T08:30 UTC",
        "2024-13-05 08:30 UTC",
        "2024-01-05 24:30 UTC",
        "2024-01-05 08:30 Mars/Olympus",
        "2024-01-05 08:30 +25:00",
        "2024-11-03 01:30 America/New_York",
        "2024-03-10 02:30 America/New_York",
        "",
    ],
)
def test_what_is_no_moment_is_refused(at: str) -> None:
    with pytest.raises(ValueError, match=r"at |month|hour|offset"):
        event(at)


def test_an_event_of_no_currency_is_refused() -> None:
    with pytest.raises(ValueError, match="currency"):
        event("2024-01-05 08:30 UTC", currency="")


CALENDAR = NewsCalendar(
    events=(
        event("2024-01-05 12:00 UTC", title="second"),
        event("2024-01-05 10:00 UTC", title="first"),
        event("2024-01-05 11:00 UTC", "EUR", Impact.LOW, "speech"),
    )
)


@pytest.mark.parametrize(
    ("now", "currencies", "impacts", "title"),
    [
        ("09:59", ("USD",), ALL, "first"),
        ("10:00", ("USD",), ALL, "first"),
        ("10:01", ("USD",), ALL, "second"),
        ("10:01", ("USD", "EUR"), ALL, "speech"),
        ("10:01", ("USD", "EUR"), (Impact.HIGH,), "second"),
        ("10:01", ("EUR",), (Impact.HIGH,), None),
        ("10:01", ("GBP",), ALL, None),
        ("10:01", ("USD",), (), None),
        ("12:01", ("USD", "EUR"), ALL, None),
    ],
)
def test_the_next_event_is_the_first_to_come_of_its_kind(
    now: str, currencies: tuple[str, ...], impacts: tuple[Impact, ...], title: str | None
) -> None:
    found = CALENDAR.next_event(currencies, utc_ns(f"2024-01-05T{now}"), impacts)
    assert (None if found is None else found.title) == title


@pytest.mark.parametrize(
    ("nanoseconds", "title"),
    [
        (-30 * MINUTE_NS - 1, None),
        (-30 * MINUTE_NS, None),
        (-30 * MINUTE_NS + 1, "first"),
        (0, "first"),
        (15 * MINUTE_NS - 1, "first"),
        (15 * MINUTE_NS, None),
        (15 * MINUTE_NS + 1, None),
    ],
)
def test_a_blackout_holds_on_both_sides_and_ends_exactly_at_its_bounds(nanoseconds: int, title: str | None) -> None:
    now_ns = utc_ns("2024-01-05T10:00") + nanoseconds
    found = CALENDAR.blackout(("USD",), now_ns, ALL, before_ns=30 * MINUTE_NS, after_ns=15 * MINUTE_NS)
    assert (None if found is None else found.title) == title


@pytest.mark.parametrize(
    ("currencies", "impacts", "title"),
    [
        (("EUR",), ALL, "speech"),
        (("EUR",), (Impact.LOW,), "speech"),
        (("EUR",), (Impact.MEDIUM, Impact.HIGH), None),
        (("GBP", "JPY"), ALL, None),
    ],
)
def test_a_blackout_is_of_its_currencies_and_impacts(
    currencies: tuple[str, ...], impacts: tuple[Impact, ...], title: str | None
) -> None:
    now_ns = utc_ns("2024-01-05T11:00")
    found = CALENDAR.blackout(currencies, now_ns, impacts, before_ns=MINUTE_NS, after_ns=MINUTE_NS)
    assert (None if found is None else found.title) == title


def test_of_several_blackouts_the_first_event_is_named() -> None:
    hours_ns = 90 * MINUTE_NS
    found = CALENDAR.blackout(("USD", "EUR"), utc_ns("2024-01-05T11:00"), ALL, before_ns=hours_ns, after_ns=hours_ns)
    assert found is not None
    assert found.title == "first"


def test_without_minutes_there_is_no_blackout() -> None:
    assert CALENDAR.blackout(("USD",), utc_ns("2024-01-05T10:00"), ALL, before_ns=0, after_ns=0) is None


def test_a_calendar_survives_its_json() -> None:
    assert msgspec.json.decode(msgspec.json.encode(CALENDAR), type=NewsCalendar) == CALENDAR
    assert CALENDAR.next_event(("USD",), 0, ALL) is not None
    assert msgspec.json.decode(msgspec.json.encode(CALENDAR), type=NewsCalendar) == CALENDAR


def test_the_words_of_a_file_are_read(tmp_path: Path) -> None:
    rows = "".join(
        f'  - {{at: "2024-01-05 08:30 UTC", currency: USD, impact: {impact}, title: "{impact}"}}\n'
        for impact in ("low", "medium", "high")
    )
    (tmp_path / "news.yml").write_text(f"events:\n{rows}")
    calendar = load_config(tmp_path).sections["news"]
    assert [found.impact for found in calendar.events] == [Impact.LOW, Impact.MEDIUM, Impact.HIGH]
    (tmp_path / "news.yml").write_text(f"events:\n{rows.replace('title', 'headline')}")
    with pytest.raises(ConfigError, match="mistake"):
        load_config(tmp_path)
