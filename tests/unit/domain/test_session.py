"""When a session is open and where a trading day begins, clock changes and half-hour zones included."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tmt.domain.session import SessionHours, day_bounds_ns, trading_day

HOUR_NS = 3_600_000_000_000
FX = SessionHours(time_zone="America/New_York", open=("sun 17:00 - fri 17:00",), day_starts_at="17:00")
EQUITY = SessionHours(
    time_zone="America/New_York", open=("mon-fri 09:30 - 16:00",), day_starts_at="00:00", holidays=("2014-07-04",)
)


def at(text: str, zone: str = "UTC", fold: int = 0) -> int:
    moment = datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold)
    return int(moment.astimezone(UTC).timestamp()) * 1_000_000_000


def hours(*texts: str, zone: str = "UTC", starts: str = "00:00", holidays: tuple[str, ...] = ()) -> SessionHours:
    return SessionHours(time_zone=zone, open=texts, day_starts_at=starts, holidays=holidays)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "always",
        "mon-fri",
        "09:30 - 16:00",
        "mon-fri 09:30-16:00",
        "mon-fri 09:30 – 16:00",
        "mon-fri 9:30 - 16:00",
        "mon-fri 09:30 - 25:00",
        "mon-fri 09:60 - 16:00",
        "mon-fri 09:30:00 - 16:00",
        "mon-fri 16:00 - 09:30",
        "mon-fri 09:30 - 09:30",
        "fri-mon 09:30 - 16:00",
        "mon-tue-wed 09:30 - 16:00",
        "mon- 09:30 - 16:00",
        "Mon-Fri 09:30 - 16:00",
        "monday 09:30 - 16:00",
        "mon-fri 09:30 - 16:00 - 17:00",
        "mon-fri 09:30 - 16:00 sharp",
        "mon-fri 09:30 - sat 16:00",
        "sun 17:00 - fri",
        "mon +9:30 - 10:00",
        "mon ٠٩:٣٠ - 10:00",
        "mon 1_0:00 - 11:00",
    ],
)
def test_hours_that_cannot_be_read_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="session hours"):
        hours(text)


@pytest.mark.parametrize(
    "starts", ["", "24:00", "9:00", "09:00:00", "0900", "noon", "09:60", " 09:00", "\u0660\u0669:\u0660\u0660"]
)
def test_a_start_of_day_that_cannot_be_read_is_refused(starts: str) -> None:
    with pytest.raises(ValueError, match="HH:MM"):
        hours(starts=starts)


@pytest.mark.parametrize("zone", ["", "Mars/Olympus", "America", "../UTC", "/etc/localtime", "UTC\x00", "a" * 300])
def test_an_unknown_zone_is_refused(zone: str) -> None:
    with pytest.raises(ValueError, match="time_zone"):
        hours(zone=zone)


@pytest.mark.parametrize("day", ["20140704", "2014-W27-5", "2014-7-4", "2014-02-30", "4 July", ""])
def test_a_holiday_that_would_never_match_is_refused(day: str) -> None:
    with pytest.raises(ValueError, match=r"isoformat|YYYY-MM-DD|day is out of range"):
        hours(holidays=(day,))


@pytest.mark.parametrize(
    ("moment", "is_open"),
    [
        ("2014-03-03T09:29:59", False),
        ("2014-03-03T09:30:00", True),
        ("2014-03-03T15:59:59", True),
        ("2014-03-03T16:00:00", False),
        ("2014-03-07T12:00:00", True),
        ("2014-03-08T12:00:00", False),
        ("2014-03-09T12:00:00", False),
        ("2014-07-03T12:00:00", True),
        ("2014-07-04T12:00:00", False),
    ],
)
def test_weekday_hours_open_and_close_on_the_minute(moment: str, is_open: bool) -> None:
    assert EQUITY.is_open(at(moment, "America/New_York")) is is_open


@pytest.mark.parametrize(
    ("moment", "is_open"),
    [
        ("2014-03-07T16:59:59", True),
        ("2014-03-07T17:00:00", False),
        ("2014-03-08T12:00:00", False),
        ("2014-03-09T16:59:59", False),
        ("2014-03-09T17:00:00", True),
        ("2014-03-09T23:59:59", True),
        ("2014-03-10T00:00:00", True),
    ],
)
def test_a_week_that_wraps_over_sunday_opens_and_closes_on_the_minute(moment: str, is_open: bool) -> None:
    assert FX.is_open(at(moment, "America/New_York")) is is_open


def test_the_opening_hour_moves_with_the_clock() -> None:
    assert not FX.is_open(at("2014-03-02T21:59:59"))
    assert FX.is_open(at("2014-03-02T22:00:00"))
    assert not FX.is_open(at("2014-03-09T20:59:59"))
    assert FX.is_open(at("2014-03-09T21:00:00"))


def test_no_hours_is_always_open_but_for_holidays() -> None:
    always = hours(holidays=("2014-12-25",))
    assert always.is_open(at("2014-12-24T23:59:59"))
    assert not always.is_open(at("2014-12-25T00:00:00"))
    assert not always.is_open(at("2014-12-25T23:59:59"))
    assert always.is_open(at("2014-12-26T00:00:00"))


def test_a_holiday_is_named_by_the_day_on_which_the_trading_day_ends() -> None:
    christmas = hours(zone="America/New_York", starts="17:00", holidays=("2014-12-25",))
    assert christmas.is_open(at("2014-12-24T16:59:59", "America/New_York"))
    assert not christmas.is_open(at("2014-12-24T17:00:00", "America/New_York"))
    assert not christmas.is_open(at("2014-12-25T16:59:59", "America/New_York"))
    assert christmas.is_open(at("2014-12-25T17:00:00", "America/New_York"))


def test_the_whole_day_and_single_days_can_be_written() -> None:
    saturday = hours("sat 00:00 - 24:00")
    assert not saturday.is_open(at("2014-03-07T23:59:59"))
    assert saturday.is_open(at("2014-03-08T00:00:00"))
    assert saturday.is_open(at("2014-03-08T23:59:59"))
    assert not saturday.is_open(at("2014-03-09T00:00:00"))


def test_the_trading_day_is_named_by_the_date_on_which_it_ends() -> None:
    assert trading_day(FX, at("2014-03-03T16:59:59", "America/New_York")) == "2014-03-03"
    assert trading_day(FX, at("2014-03-03T17:00:00", "America/New_York")) == "2014-03-04"
    assert trading_day(EQUITY, at("2014-03-03T23:59:59", "America/New_York")) == "2014-03-03"
    assert trading_day(EQUITY, at("2014-03-04T00:00:00", "America/New_York")) == "2014-03-04"


@pytest.mark.parametrize(
    ("inside", "length_hours", "ends"),
    [
        ("2014-03-07T12:00:00", 24, "2014-03-07T22:00:00"),
        ("2014-03-09T12:00:00", 23, "2014-03-09T21:00:00"),
        ("2014-03-10T12:00:00", 24, "2014-03-10T21:00:00"),
        ("2014-11-01T12:00:00", 24, "2014-11-01T21:00:00"),
        ("2014-11-02T12:00:00", 25, "2014-11-02T22:00:00"),
        ("2014-11-03T12:00:00", 24, "2014-11-03T22:00:00"),
    ],
)
def test_a_new_york_day_has_23_or_25_hours_at_a_clock_change(inside: str, length_hours: int, ends: str) -> None:
    begin, end = day_bounds_ns(FX, at(inside))
    assert (end - begin, end) == (length_hours * HOUR_NS, at(ends))


def test_a_half_hour_zone_starts_its_day_on_the_half_hour() -> None:
    kolkata = hours(zone="Asia/Kolkata")
    begin, end = day_bounds_ns(kolkata, at("2014-03-03T12:00:00"))
    assert (begin, end) == (at("2014-03-02T18:30:00"), at("2014-03-03T18:30:00"))
    assert trading_day(kolkata, at("2014-03-03T18:29:59")) == "2014-03-03"
    assert trading_day(kolkata, at("2014-03-03T18:30:00")) == "2014-03-04"


def test_a_day_may_start_in_the_hour_that_the_clock_repeats() -> None:
    new_york = hours(zone="America/New_York", starts="01:30")
    start = at("2014-11-02T05:30:00")
    for moment in ("2014-11-02T05:30:00", "2014-11-02T06:15:00", "2014-11-02T06:45:00"):
        assert day_bounds_ns(new_york, at(moment))[0] == start
        assert trading_day(new_york, at(moment)) == "2014-11-03"


def test_a_day_may_start_in_the_hour_that_the_clock_skips() -> None:
    new_york = hours(zone="America/New_York", starts="02:30")
    start = at("2014-03-09T07:30:00")
    assert day_bounds_ns(new_york, at("2014-03-09T07:15:00"))[1] == start
    assert day_bounds_ns(new_york, start)[0] == start


ZONES = ("America/New_York", "Europe/London", "Asia/Kolkata", "Australia/Lord_Howe", "America/Havana", "UTC")


@given(
    st.integers(at("2005-01-01T00:00:00"), at("2035-01-01T00:00:00")),
    st.sampled_from(ZONES),
    st.sampled_from(["00:00", "01:30", "02:30", "17:00", "23:59"]),
)
@example(at("2014-11-02T06:15:00"), "America/New_York", "01:30")
@example(at("2014-03-09T07:15:00"), "America/New_York", "02:30")
def test_every_moment_lies_in_its_day_and_the_days_follow_one_another(time_ns: int, zone: str, starts: str) -> None:
    session = hours(zone=zone, starts=starts)
    begin, end = day_bounds_ns(session, time_ns)
    assert begin <= time_ns < end
    assert 22 * HOUR_NS <= end - begin <= 26 * HOUR_NS
    assert day_bounds_ns(session, begin) == day_bounds_ns(session, end - 1) == (begin, end)
    assert day_bounds_ns(session, end)[0] == end
    name = trading_day(session, time_ns)
    assert trading_day(session, begin) == trading_day(session, end - 1) == name
    following = datetime.fromisoformat(name) + timedelta(days=1)
    assert trading_day(session, end) == following.date().isoformat()
