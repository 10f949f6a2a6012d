"""Do holidays, early closes, calendars and clock changes open and close a session when they should?"""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tmt.domain.session import DAY_NS, NANOSECONDS_PER_SECOND, SessionHours, day_bounds_ns, long_close_ns, trading_day
from tmt.sections import load_config

MINUTE_NS = 60 * NANOSECONDS_PER_SECOND
HOUR_NS = 60 * MINUTE_NS
NEW_YORK, LONDON, KOLKATA, HOWE = "America/New_York", "Europe/London", "Asia/Kolkata", "Australia/Lord_Howe"
SHARES = SessionHours(
    time_zone=NEW_YORK,
    open=("mon-fri 09:30 - 16:00",),
    day_starts_at="00:00",
    holidays=("2024-11-28",),
    early_closes=("2024-11-29 13:00",),
)
FX = SessionHours(
    time_zone=NEW_YORK,
    open=("sun 17:00 - fri 17:00",),
    day_starts_at="17:00",
    holidays=("2024-12-25",),
    early_closes=("2024-12-24 13:00",),
)
QUIET = msgspec.structs.replace(FX, early_closes=())
KNOWN = msgspec.structs.replace(SHARES, calendar="XNYS", calendar_first="2024-11-25", calendar_last="2024-12-03")


def at(text: str, zone: str = NEW_YORK) -> int:
    moment = datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
    return int(moment.timestamp()) * NANOSECONDS_PER_SECOND


@pytest.mark.parametrize(
    ("hours", "moment", "is_open"),
    [
        (SHARES, "2024-11-29T09:29:59", False),
        (SHARES, "2024-11-29T09:30:00", True),
        (SHARES, "2024-11-29T12:59:59", True),
        (SHARES, "2024-11-29T13:00:00", False),
        (SHARES, "2024-11-29T15:59:59", False),
        (SHARES, "2024-11-28T12:00:00", False),
        (SHARES, "2024-11-27T15:59:59", True),
        (SHARES, "2024-12-02T15:59:59", True),
        (FX, "2024-12-23T17:00:00", True),
        (FX, "2024-12-24T12:59:59", True),
        (FX, "2024-12-24T13:00:00", False),
        (FX, "2024-12-24T17:00:00", False),
        (FX, "2024-12-25T16:59:59", False),
        (FX, "2024-12-25T17:00:00", True),
        (KNOWN, "2024-11-22T12:00:00", False),
        (KNOWN, "2024-11-25T12:00:00", True),
        (KNOWN, "2024-12-03T15:59:59", True),
        (KNOWN, "2024-12-04T12:00:00", False),
    ],
)
def test_days_that_differ_open_and_close_on_the_minute(hours: SessionHours, moment: str, is_open: bool) -> None:
    assert hours.is_open(at(moment)) is is_open


def test_the_last_nanosecond_before_an_open_is_closed_and_before_a_close_open() -> None:
    assert not SHARES.is_open(at("2024-11-29T09:30:00") - 1)
    assert SHARES.is_open(at("2024-11-29T13:00:00") - 1)


def test_an_early_close_before_the_open_closes_the_day_and_after_the_close_changes_nothing() -> None:
    early = msgspec.structs.replace(SHARES, early_closes=("2024-11-29 09:00", "2024-12-02 16:30"))
    assert not early.is_open(at("2024-11-29T10:00:00"))
    assert early.is_open(at("2024-12-02T15:59:59"))
    assert not early.is_open(at("2024-12-02T16:00:00"))


def test_a_holiday_wins_over_an_early_close_of_the_same_day() -> None:
    both = msgspec.structs.replace(SHARES, early_closes=("2024-11-28 13:00",))
    assert not both.is_open(at("2024-11-28T10:00:00"))


@pytest.mark.parametrize(
    ("day", "known"), [("2024-11-24", False), ("2024-11-25", True), ("2024-12-03", True), ("2024-12-04", False)]
)
def test_a_calendar_knows_its_first_and_last_day(day: str, known: bool) -> None:
    assert KNOWN.knows(at(f"{day}T00:00:00")) is known
    assert KNOWN.knows(at(f"{day}T23:59:59")) is known


def test_without_a_calendar_every_day_is_known_and_with_one_that_is_empty_none() -> None:
    assert SHARES.knows(0)
    empty = msgspec.structs.replace(SHARES, calendar="XNYS")
    assert not empty.knows(at("2024-11-29T10:00:00"))
    assert not empty.is_open(at("2024-11-29T10:00:00"))


@pytest.mark.parametrize(
    "changes",
    [
        {"early_closes": ("2024-11-29",)},
        {"early_closes": ("2024-11-29 1pm",)},
        {"early_closes": ("2024-11-29T13:00",)},
        {"early_closes": ("20241129 13:00",)},
        {"early_closes": ("2024-11-31 13:00",)},
        {"early_closes": ("2024-11-29 24:00",)},
        {"calendar_first": "1998"},
        {"calendar_last": "1998-1-1"},
    ],
)
def test_days_that_cannot_be_read_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"YYYY-MM-DD|HH:MM|isoformat|day"):
        msgspec.structs.replace(SHARES, **changes)


def test_hours_that_overlap_or_touch_are_one() -> None:
    texts = ("mon 09:00 - 17:00", "mon 10:00 - 11:00", "mon 17:00 - 18:00")
    hours = SessionHours(time_zone="UTC", open=texts, day_starts_at="00:00")
    assert hours.is_open(at("2024-11-25T12:00:00", "UTC"))
    whole = (at("2024-11-25T09:00:00", "UTC"), at("2024-11-25T18:00:00", "UTC"))
    assert list(hours.stretches(whole[0] - DAY_NS, whole[1] + DAY_NS)) == [whole]


def test_a_session_survives_its_json_whatever_it_has_been_asked() -> None:
    assert KNOWN.is_open(at("2024-11-29T10:00:00"))
    assert msgspec.json.decode(msgspec.json.encode(KNOWN), type=SessionHours) == KNOWN


# One open and one close a day, whatever the clocks do: rows of zone, weekly hours, day start.
CLOCKED = [
    SessionHours(time_zone=NEW_YORK, open=("sun 17:00 - fri 17:00",), day_starts_at="17:00"),
    SessionHours(time_zone=NEW_YORK, open=("mon-fri 09:30 - 16:00",), day_starts_at="00:00"),
    SessionHours(time_zone=LONDON, open=("mon-fri 08:00 - 16:30",), day_starts_at="00:00"),
    SessionHours(time_zone=KOLKATA, open=("mon-fri 09:15 - 15:30",), day_starts_at="00:00"),
    SessionHours(time_zone=HOWE, open=("mon-fri 10:00 - 16:00",), day_starts_at="00:00"),
    SessionHours(time_zone=NEW_YORK, open=("mon-sun 01:30 - 20:00",), day_starts_at="00:00"),
    SessionHours(time_zone=NEW_YORK, open=("mon-sun 02:30 - 20:00",), day_starts_at="00:00"),
    SessionHours(time_zone=LONDON, open=("mon-sun 01:30 - 20:00",), day_starts_at="00:00"),
    SessionHours(
        time_zone=NEW_YORK,
        open=tuple(
            f"{day} 18:00 - {after} 17:00" for day, after in pairwise(("sun", "mon", "tue", "wed", "thu", "fri"))
        ),
        day_starts_at="17:00",
    ),
]
# Weeks around a switch: the US in March and November, Europe three weeks later and one week earlier.
SWITCH_WEEKS = ["2024-03-04", "2024-03-11", "2024-03-25", "2024-10-21", "2024-10-28", "2024-11-04", "2024-04-01"]


@pytest.mark.parametrize("monday", SWITCH_WEEKS)
@pytest.mark.parametrize("hours", CLOCKED, ids=lambda hours: f"{hours.time_zone} {hours.open[0]}")
def test_weeks_of_a_clock_change_have_one_open_and_one_close_a_day(hours: SessionHours, monday: str) -> None:
    from_ns = at(f"{monday}T00:00:00", "UTC") - 5 * DAY_NS
    stretches = list(hours.stretches(from_ns, from_ns + 14 * DAY_NS))[1:-1]
    days = [trading_day(hours, start) for start, _ in stretches]
    if hours.open == ("sun 17:00 - fri 17:00",):
        assert len(stretches) == 1
        assert [trading_day(hours, end - 1) for _, end in stretches] == [
            (date.fromisoformat(day) + timedelta(days=4)).isoformat() for day in days
        ]
    else:
        assert len(days) == len(set(days)) >= 5
        assert days == [trading_day(hours, end - 1) for _, end in stretches]


@pytest.mark.parametrize("monday", SWITCH_WEEKS)
@pytest.mark.parametrize("hours", CLOCKED, ids=lambda hours: f"{hours.time_zone} {hours.open[0]}")
def test_trading_days_of_a_clock_change_follow_one_another(hours: SessionHours, monday: str) -> None:
    moment, bounds = at(f"{monday}T12:00:00", "UTC"), []
    for _ in range(9):
        bounds.append(day_bounds_ns(hours, moment))
        moment = bounds[-1][1]
    assert all(earlier[1] == later[0] for earlier, later in pairwise(bounds))
    lengths = {(end - start) // HOUR_NS for start, end in bounds}
    assert lengths <= {23, 24, 25}


@pytest.mark.parametrize(
    ("moment", "opens"),
    [
        ("2024-03-08", "14:30"),  # winter in New York and London
        ("2024-03-11", "13:30"),  # summer in New York alone
        ("2024-04-01", "13:30"),
        ("2024-10-28", "13:30"),  # summer in New York alone
        ("2024-11-04", "14:30"),
    ],
)
def test_new_york_opens_by_its_own_clock(moment: str, opens: str) -> None:
    opens_ns = at(f"{moment}T{opens}", "UTC")
    assert CLOCKED[1].is_open(opens_ns)
    assert not CLOCKED[1].is_open(opens_ns - 1)


def slowly_open(hours: SessionHours, time_ns: int) -> bool:
    """By the wall clock alone; right wherever no clock changes within the hours."""
    local = datetime.fromtimestamp(time_ns // NANOSECONDS_PER_SECOND, UTC).astimezone(ZoneInfo(hours.time_zone))
    day = trading_day(hours, time_ns)
    if day in hours.holidays:
        return False
    for text in hours.early_closes:
        name, clock = text.split()
        if day == name and local.isoformat()[:16] >= f"{name}T{clock}":
            return False
    if hours is FX:
        minute = local.weekday() * 1440 + local.hour * 60 + local.minute
        return minute < 4 * 1440 + 1020 or minute >= 6 * 1440 + 1020
    return local.weekday() < 5 and "09:30" <= local.isoformat()[11:16] < "16:00"


@given(minute=st.integers(0, 60 * 1440), hours=st.sampled_from([SHARES, FX]))
@example(minute=0, hours=FX)
def test_hours_are_what_the_wall_clock_says(minute: int, hours: SessionHours) -> None:
    time_ns = at("2024-11-10T00:00:00") + minute * MINUTE_NS
    assert hours.is_open(time_ns) is slowly_open(hours, time_ns)


def test_stretches_are_cut_at_both_ends_and_go_on_over_weeks() -> None:
    from_ns, to_ns = at("2024-11-27T10:00:00"), at("2024-11-29T11:00:00")
    assert list(SHARES.stretches(from_ns, to_ns)) == [
        (from_ns, at("2024-11-27T16:00:00")),
        (at("2024-11-29T09:30:00"), to_ns),
    ]
    always = SessionHours(time_zone="UTC", open=(), day_starts_at="00:00")
    assert list(always.stretches(from_ns, from_ns + 30 * DAY_NS)) == [(from_ns, from_ns + 30 * DAY_NS)]
    assert list(SHARES.stretches(from_ns, from_ns + 1)) == [(from_ns, from_ns + 1)]
    assert list(SHARES.stretches(to_ns + 2 * HOUR_NS, to_ns + 3 * HOUR_NS)) == []
    assert list(SHARES.stretches(from_ns, from_ns)) == []


@pytest.mark.parametrize(
    ("hours", "moment", "minutes", "closes"),
    [
        (FX, "2024-11-15T16:29:59", 30, None),
        (FX, "2024-11-15T16:30:00", 30, "2024-11-15T17:00:00"),
        (FX, "2024-11-15T16:59:59", 0, None),
        (FX, "2024-11-15T17:00:00", 0, "2024-11-15T17:00:00"),
        (FX, "2024-11-16T12:00:00", 0, "2024-11-16T12:00:00"),
        (FX, "2024-11-16T17:00:00", 0, "2024-11-16T17:00:00"),  # a day before it opens
        (FX, "2024-11-16T17:00:01", 0, None),
        (FX, "2024-12-24T12:30:00", 30, "2024-12-24T13:00:00"),
        (QUIET, "2024-12-24T16:30:00", 30, "2024-12-24T17:00:00"),  # opens again a day later to the second
        (QUIET, "2024-12-24T16:29:59", 30, None),
        (QUIET, "2024-12-24T17:00:01", 30, None),
        (SHARES, "2024-11-26T15:59:00", 30, None),  # opens the next morning
        (SHARES, "2024-11-27T15:59:00", 30, "2024-11-27T16:00:00"),  # the day before Thanksgiving
        (SHARES, "2024-11-29T12:59:00", 30, "2024-11-29T13:00:00"),
        (KNOWN, "2024-12-03T15:45:00", 30, "2024-12-03T16:00:00"),  # the last day that is known
        (SHARES, "2024-11-26T16:30:00", 0, None),
    ],
)
def test_a_close_of_a_day_or_longer_is_seen_ahead(
    hours: SessionHours, moment: str, minutes: int, closes: str | None
) -> None:
    expected = None if closes is None else at(closes)
    assert long_close_ns(hours, at(moment), minutes * MINUTE_NS) == expected


def test_what_is_always_open_never_closes() -> None:
    always = SessionHours(time_zone="UTC", open=(), day_starts_at="00:00")
    assert long_close_ns(always, at("2024-11-26T16:30:00"), 60 * MINUTE_NS) is None


def test_the_shipped_sessions_hold_their_calendars() -> None:
    sessions = {each.symbol: each.session for each in load_config(None).sections["instruments"].instruments}
    spy, euro = sessions["SPY"], sessions["EURUSD"]
    assert not spy.is_open(at("2024-11-28T12:00:00"))
    assert spy.is_open(at("2024-11-29T12:59:59"))
    assert not spy.is_open(at("2024-11-29T13:00:00"))
    assert not euro.is_open(at("2024-12-25T12:00:00"))
    assert euro.is_open(at("2024-12-26T12:00:00"))
    assert not sessions["XAUUSD.SIM"].calendar
